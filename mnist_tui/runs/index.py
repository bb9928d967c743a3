"""The runs of a runs directory: a single one by its name, and an index of all that reads each folder once. No torch.

A folder that is damaged, half written, of another format, a link or somebody else's is listed too, with a state that
says what it is.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mnist_tui.errors import RunError, StorageError
from mnist_tui.runs import reference
from mnist_tui.runs.folders import newest_first, reference_names, scan
from mnist_tui.runs.lock import is_running
from mnist_tui.runs.names import matching, name_list, of_design, short_ids
from mnist_tui.runs.reader import check_readable, read_files, read_run, with_live_state
from mnist_tui.runs.record import NO_RUN, OPEN, Run, observations
from mnist_tui.runs.storage import SavedRun, load_run
from mnist_tui.text import clean_line, did_you_mean

LATE_SECONDS = 60.0
"""How long after a change of a folder NFS may still show it as it was before (acdirmax in nfs(5))."""


# --- single runs ---


def list_runs(runs_dir: Path) -> Iterator[SavedRun]:
    """Every run that can be trained on, the newest first; folders that cannot be read are left out."""
    for folder in newest_first(runs_dir):
        with suppress(StorageError):
            yield load_run(folder)


def live_run(runs_dir: Path) -> Path | None:
    """The newest run that some process trains; None where there is none."""
    return next((folder for folder in newest_first(runs_dir) if _is_live(folder)), None)


def _is_live(folder: Path) -> bool:
    return not os.path.lexists(f"{folder}/end.json") and is_running(folder)


def newest_run(runs_dir: Path) -> Path:
    """The newest run that some process trains, else the newest; raises `RunError` where there is none.

    Imported logs are passed over: nothing was trained in their folders.
    """
    trained = (folder for folder in newest_first(runs_dir) if not read_files(folder).is_imported)
    folder = live_run(runs_dir) or next(trained, None)
    if folder is None:
        raise RunError(f"{runs_dir}: there is no run in it")
    return folder


def newest_resumable(runs_dir: Path) -> SavedRun:
    """The newest run that was interrupted or stopped; raises `RunError` where there is none."""
    for saved in list_runs(runs_dir):
        if saved.can_resume and not is_running(saved.folder):
            return saved
    raise RunError(f"{runs_dir}: no run in it was interrupted or stopped")


def find_run(named: str, runs_dir: Path) -> Run:
    """The run of a path, of a folder's name in `runs_dir`, or of an end of a name that only one folder has.

    After `reference/` it is a reference run. Raises `RunError`, which lists the candidates where there are several.
    """
    runs_dir = reference.canonical(runs_dir)
    if (name := reference.without_prefix(named)) is not None:
        return _find_reference(name)
    path = Path(named)
    path = reference.canonical(path.parent) / path.name if path.name else path
    try:
        is_in_runs_dir = path.parent.resolve() == runs_dir.resolve()
        if (path / "run.json").is_file() and not is_in_runs_dir:
            return read_run(path if path.name not in ("", "..") else path.resolve())
    except OSError as error:
        raise RunError(f"{clean_line(named, 100)}: {error.strerror}", is_missing=True) from None
    names = [entry.name for entry in scan(runs_dir)] if is_in_runs_dir or path.parent == Path() else []
    none = f"is no run folder, and no run in {runs_dir} has that name; mnist-tui runs lists them"
    name = choose_name(named, path.name, names, none)
    return replace(read_run(runs_dir / name), short_id=_short_ids(runs_dir, names)[name])


def _find_reference(named: str) -> Run:
    if named in (names := reference_names()):
        return find_run(named, reference.runs_dir())
    shown = f"{reference.PREFIX}{clean_line(named, 100)}"
    if seeds := reference_names(named):
        listed = ", ".join(f"{reference.PREFIX}{name}" for name in seeds)
        raise RunError(f"{shown}: name one of its seeds: {listed}", is_missing=True)
    # The prefix, which all have, would make every name similar.
    near = did_you_mean(named, names, reference.PREFIX) or "; mnist-tui runs --reference lists them"
    raise RunError(f"{shown}: is no reference run{near}", is_missing=True)


def _short_ids(runs_dir: Path, names: Collection[str]) -> dict[str, str]:
    """For each folder's name the shortest one by which commands find the run."""
    if runs_dir == reference.runs_dir():
        return {name: f"{reference.PREFIX}{name}" for name in names}
    return short_ids(names)


def choose_name(typed: str, end: str, names: Sequence[str], none: str) -> str:
    """The one of the names that is `end`, or ends in it; raises `RunError`, which says `none` where there is no one."""
    matches = matching(end, names)
    if not matches and (runs := of_design(end, names)):
        raise RunError(f"{clean_line(typed, 100)}: name one of its runs: {name_list(runs)}", is_missing=True)
    if not matches:
        raise RunError(f"{clean_line(typed, 100)}: {none}", is_missing=True)
    if len(matches) > 1:
        raise RunError(f"{clean_line(typed, 100)}: {len(matches)} runs are called that: {name_list(matches)}; name one")
    return matches[0]


def find_readable(named: str, runs_dir: Path) -> Run:
    """The run of a name, as `find_run`; raises `StorageError` too, for a folder that is damaged or cannot be read."""
    run = find_run(named, runs_dir)
    check_readable(run)
    return run


# --- all runs ---


class RunIndex:
    """The folders of a runs directory, the newest first; `refresh` reads those that changed."""

    def __init__(self, runs_dir: Path) -> None:
        self.runs_dir = reference.canonical(runs_dir)
        self.all: list[Run] = []
        """Every folder, the newest first."""
        self._cached: dict[str, tuple[object, Run]] = {}
        """By the folder's name: its signature when it was read, and the run."""
        self._short_ids: dict[str, str] = {}
        """By the folder's name."""
        self._outdated: set[str] = set()
        """Names of folders to read again, whether or not they seem to have changed."""
        self._lock = threading.Lock()

    def refresh(self, on_progress: Callable[[int, int], None] | None = None) -> bool:
        """Reads the folders that changed; returns whether any did.

        `on_progress` gets how many folders of how many are done, now and then. Raises `StorageError` as `scan`. May be
        called by several threads; each of them learns only of changes since the last call by any.
        """
        with self._lock:
            return self._refresh(on_progress)

    def _refresh(self, on_progress: Callable[[int, int], None] | None) -> bool:
        outdated, self._outdated = self._outdated, set()
        for name in outdated:
            self._cached.pop(name, None)
        entries = scan(self.runs_dir)
        names = {entry.name for entry in entries}
        if names != self._short_ids.keys():
            self._short_ids = _short_ids(self.runs_dir, names)
        previous, current = self._cached, {}
        for done, entry in enumerate(entries):
            current[entry.name] = self._read(entry)
            if on_progress is not None and done % 100 == 0:
                on_progress(done, len(entries))
        self._cached = current
        runs = [run for _, run in current.values()]
        self.all = sorted(runs, key=lambda run: (run.created or run.id, run.id), reverse=True)
        return len(previous) != len(current) or any(
            previous.get(name, (0, None))[1] is not run for name, (_, run) in current.items()
        )

    def choose(self, names: Sequence[str], is_usable: Callable[[Run], bool]) -> list[Run]:
        """The runs with these ids, in this order; without any of them the newest usable one.

        Reads the folders that changed. Raises `RunError` where there is no run to choose.
        """
        self.refresh()
        by_id = {run.id: run for run in self.all}
        named = [by_id[name] for name in names if name in by_id]
        runs = named or [run for run in self.all if run.is_run and is_usable(run)][:1]
        if not runs:
            raise RunError(f"{self.runs_dir}: no run in it has finished an epoch yet; train one first")
        return runs

    def read_ahead(self) -> None:
        """Reads what filters, groups and rows will ask of every run, so that the first of them need not wait."""
        for run in self.all:
            _ = run.name, run.group, run.parameters, run.best_accuracy, run.tags, run.note

    def forget(self, folder: Path) -> None:
        """Reads a folder again at the next refresh, whether or not it seems to have changed."""
        self._outdated.add(folder.name)

    def _read(self, entry: os.DirEntry[str]) -> tuple[object, Run]:
        """The signature and the run of a folder; read from the disk only where the signature changed."""
        cached = self._cached.get(entry.name)
        is_open = cached is None or cached[1].state in OPEN
        signature = _signature(entry, is_open)
        if cached is None or cached[0] != signature or _may_lack_files(entry, cached[1]):
            run = read_run(self.runs_dir / entry.name)
            signature = signature if is_open is (run.state in OPEN) else _signature(entry, not is_open)
        else:
            run = with_live_state(cached[1]) if is_open else cached[1]
        short_id = self._short_ids[entry.name]
        return signature, run if run.short_id == short_id else replace(run, short_id=short_id)


def _may_lack_files(entry: os.DirEntry[str], run: Run) -> bool:
    """Whether more of a folder may be seen without another change: a shared file system shows files a moment later."""
    if run.state not in (*OPEN, *NO_RUN):
        return False
    with suppress(OSError):
        return abs(time.time() - os.lstat(entry.path).st_mtime) < LATE_SECONDS
    return False


def _signature(entry: os.DirEntry[str], is_open: bool) -> object:
    """A value that differs where a folder changed: replacing or adding a file changes the folder's modification time.

    The history of a run that has not ended is appended to, so it counts by its own size and time.
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


def read_runs(runs_dir: Path) -> list[Run]:
    """Every folder of a runs directory, the newest first; raises `StorageError` as `scan`."""
    index = RunIndex(runs_dir)
    index.refresh()
    return index.all


def grouped(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs that differ by nothing but their seed together, repeats too, in the order of the first of each."""
    groups: dict[Hashable, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    return list(groups.values())


def repeats(runs: Sequence[Run]) -> dict[str, str]:
    """For each run that is not counted, because a newer one repeats it, that one; both by their ids."""
    newer: dict[str, str] = {}
    for group in grouped(runs):
        counted = {run.observation: run.id for run in observations(group)}
        newer |= {run.id: counted[run.observation] for run in group if counted[run.observation] != run.id}
    return newer
