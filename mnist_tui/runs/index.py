"""The folders of a runs directory: each read once, and again only where it changed. No torch.

A folder that is damaged, half written, of another format, a link or somebody else's is listed too, with a state that
says what it is. Nothing is followed out of the directory.
"""

import json
import os
import re
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mnist_tui.errors import FileError, RunError, StorageError
from mnist_tui.files import read_text
from mnist_tui.runs.record import ENDED, Run, observations
from mnist_tui.runs.storage import FORMAT, MAX_JSON, is_running
from mnist_tui.text import clean_line

OPEN = ("training", "interrupted")
"""The states of runs that have not ended."""


class RunIndex:
    """The folders of a runs directory, the newest first; `refresh` reads those that changed."""

    def __init__(self, runs_dir: Path) -> None:
        self.runs_dir = runs_dir
        self.all: list[Run] = []
        """Every folder, the newest first."""
        self._known: dict[str, tuple[object, Run]] = {}

    def refresh(self, told: Callable[[int, int], None] | None = None) -> bool:
        """Whether anything changed since the last time; `told` hears how many folders of how many were looked at.

        Raises `StorageError` where the directory itself cannot be read; one that is not there holds no run.
        """
        entries = _entries(self.runs_dir)
        known = {}
        for done, entry in enumerate(entries):
            known[entry.name] = self._looked_at(entry)
            if told is not None and done % 100 == 0:
                told(done, len(entries))
        before, self._known = self._known, known
        found = [run for _, run in known.values()]
        self.all = sorted(found, key=lambda run: (run.created or run.id, run.id), reverse=True)
        return len(before) != len(known) or any(before.get(name, (0, None))[1] is not known[name][1] for name in known)

    def read_ahead(self) -> None:
        """Reads what filters, groups and rows will ask of every run, so that the first of them need not wait."""
        for run in self.all:
            _ = run.name, run.group, run.parameters, run.best_accuracy, run.tags, run.note

    def forget(self, folder: Path) -> None:
        """Reads a folder again at the next refresh, whether or not it seems to have changed."""
        self._known.pop(folder.name, None)

    def _looked_at(self, entry: os.DirEntry[str]) -> tuple[object, Run]:
        folder = self.runs_dir / entry.name
        known = self._known.get(entry.name)
        is_open = known is None or known[1].state in OPEN
        signature = _signature(entry, is_open)
        if known is None or known[0] != signature:
            run = read_run(folder)
            return signature if is_open is (run.state in OPEN) else _signature(entry, not is_open), run
        run = known[1]
        if is_open and (state := _live_state(folder)) != run.state:
            return signature, Run(folder, state, _reason(state), run.record)
        return known


def _entries(runs_dir: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(runs_dir) as found:
            return [entry for entry in found if not entry.name.startswith(".") and _is_folder(entry)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"{runs_dir}: {error.strerror}; name another folder with --runs-dir") from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() or entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _signature(entry: os.DirEntry[str], is_open: bool) -> object:
    """Differs where a folder changed: its files are replaced or added, which its own time tells.

    The history of a run that has not ended grows besides.
    """
    parts: list[object] = []
    with suppress(OSError):
        status = os.lstat(entry.path)  # What the entry knows may be old.
        parts += [status.st_ino, status.st_mtime_ns]
    if is_open:
        with suppress(OSError):
            status = os.lstat(f"{entry.path}/history.jsonl")
            parts += [status.st_size, status.st_mtime_ns]
    return tuple(parts)


def find_run(named: str, runs_dir: Path) -> Run:
    """The run of a path, of a folder's name in `runs_dir`, or of the end of one; raises `RunError` unless it is one."""
    path = Path(named)
    try:
        is_here = path.parent.resolve() == runs_dir.resolve()
        if (path / "run.json").is_file() and not is_here:
            return read_run(path if path.name not in ("", "..") else path.resolve())
    except OSError as error:
        raise RunError(f"{clean_line(named, 100)}: {error.strerror}") from None
    is_name = is_here or path.parent == Path()
    found = matching(path.name, [entry.name for entry in _entries(runs_dir)]) if is_name else []
    if len(found) != 1:
        why = (
            f"{len(found)} runs are called that"
            if found
            else f"is no run folder, and no run in {runs_dir} has that name"
        )
        raise RunError(f"{clean_line(named, 100)}: {why}; mnist-tui runs --columns run,name,seed lists them")
    return read_run(runs_dir / found[0])


def matching(named: str, names: Sequence[str]) -> list[str]:
    """The name itself, where there is one; else the names that end in it: `a17f`, `s0-a17f`."""
    return [name for name in names if name == named] or [name for name in names if named and name.endswith(f"-{named}")]


def read_run(folder: Path) -> Run:
    """A folder as it stands; never raises for what is in it."""
    if folder.is_symlink():
        return Run(folder, "link", "leads out of the runs directory, and is not followed")
    try:
        record = _read_json(folder / "run.json")
        end = _read_json(folder / "end.json") or {}
    except FileError as error:
        return Run(folder, "damaged", clean_line(f"{error.path.name} {error.why}", 200))
    if record is None:
        is_ours = (folder / "run.lock").exists() or _OUR_NAME.fullmatch(folder.name)
        return Run(folder, *(("half written", "died before it began: it has no run.json") if is_ours else _NOT_OURS))
    if record.get("format") != FORMAT:
        given = clean_line(str(record.get("format")), 20)
        is_newer = isinstance(record.get("format"), int) and record["format"] > FORMAT
        state = "newer format" if is_newer else "damaged"
        return Run(folder, state, f"run.json has format {given}; this version reads {FORMAT}")
    if not isinstance(record.get("spec"), dict):
        return Run(folder, "damaged", "run.json holds no spec")
    outcome = end.get("outcome")
    if outcome in ENDED:
        return Run(folder, str(outcome), clean_line(str(end.get("message", "")), 500), record, end)
    if end:
        return Run(folder, "damaged", "end.json does not say how the run ended", record)
    state = _live_state(folder)
    return Run(folder, state, _reason(state), record)


_NOT_OURS = ("no run", "somebody else's folder: it has no run.json")
_OUR_NAME = re.compile(r"\d{8}T\d{6}Z-.+-s\d+-[0-9a-f]{4}")


def _live_state(folder: Path) -> str:
    lock = folder / "run.lock"
    is_held = lock.is_file() and not lock.is_symlink() and is_running(folder)
    return "training" if is_held else "interrupted"


def _reason(state: str) -> str:
    return "some process trains it" if state == "training" else "ended without saying so; it can be resumed"


def _read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file, None where there is no file; raises `FileError`."""
    try:
        document = json.loads(read_text(path, MAX_JSON, follow=False))
    except FileError as error:
        if error.is_missing:
            return None
        raise
    except (ValueError, RecursionError):
        raise FileError(path, "is no JSON") from None
    if not isinstance(document, dict):
        raise FileError(path, "is no JSON object")
    return document


def grouped(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs that differ by nothing but their seed together, repeats too, in the order of the first of each."""
    groups: dict[Hashable, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    return list(groups.values())


def repeats(runs: Sequence[Run]) -> dict[str, str]:
    """For each run that is not counted, because a newer one repeats it, that one; both by their ids."""
    found: dict[str, str] = {}
    for group in grouped(runs):
        counted = {run.observation: run.id for run in observations(group)}
        found |= {run.id: counted[run.observation] for run in group if counted[run.observation] != run.id}
    return found
