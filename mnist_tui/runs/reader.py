"""The one reader of run.json and end.json: what a folder among the runs holds, whatever state it is in. No torch."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnist_tui.errors import FileError, RunError, SpecError, StorageError
from mnist_tui.files import read_text
from mnist_tui.runs import lock
from mnist_tui.runs.record import ENDED, IMPORTED, OPEN, Run
from mnist_tui.spec.run_spec import RunSpec, make_saved_spec
from mnist_tui.text import clean_line

FORMAT = 1
"""The version of run.json and end.json."""
MAX_JSON = 16 * 2**20
MAX_DEPTH = 50
"""Levels of lists and objects in run.json and end.json: those of this program have six."""


def read_run(folder: Path) -> Run:
    """A folder as it stands; never raises for what is in it."""
    if folder.is_symlink():
        return Run(folder, "link", "leads out of the runs directory, and is not followed")
    run = read_files(folder)
    return with_live_state(run) if run.state in OPEN else run


def read_files(folder: Path) -> Run:
    """A folder as its run.json and end.json tell it; without looking at the lock, so no run is `training`."""
    try:
        record = _read_json(folder / "run.json")
        end = _read_json(folder / "end.json") or {}
    except FileError as error:
        return Run(folder, "damaged", clean_line(f"{error.path.name} {error.why}", 200))
    if record is None:
        is_ours = (folder / lock.FILE).exists() or _FOLDER_NAME.fullmatch(folder.name)
        return Run(folder, *(_half_written(folder) if is_ours else _NOT_OURS))
    if record.get("format") != FORMAT:
        version = record.get("format")
        is_newer = isinstance(version, int) and version > FORMAT
        reason = f"run.json has format {clean_line(str(version), 20)}; this version reads {FORMAT}"
        return Run(folder, "newer format" if is_newer else "damaged", reason)
    if isinstance(record.get(IMPORTED), dict):
        return Run(folder, IMPORTED, _import_reason(record[IMPORTED]), record)
    if not isinstance(record.get("spec"), dict):
        return Run(folder, "damaged", "run.json holds no spec")
    outcome = end.get("outcome")
    if outcome in ENDED:
        return Run(folder, str(outcome), clean_line(str(end.get("message", "")), 500), record, end)
    if end:
        return Run(folder, "damaged", "end.json does not say how the run ended", record, end)
    return Run(folder, "interrupted", _REASONS["interrupted"], record)


def _half_written(folder: Path) -> tuple[str, str]:
    is_begun = lock.is_running(folder)
    return "half written", f"{'is about to begin' if is_begun else 'died before it began'}: it has no run.json"


def _import_reason(facts: Mapping[str, Any]) -> str:
    """Where an imported log comes from: `from S7.ipynb, cell 12`."""
    places = (facts.get("file"), facts.get("part"))
    named = ", ".join(place for place in places if isinstance(place, str) and place)
    return clean_line(f"from {named or 'an unknown file'}", 200)


def with_live_state(run: Run) -> Run:
    """A run that has not ended as its lock tells it, `training` or `interrupted`; itself where nothing changed."""
    path = run.folder / lock.FILE
    is_held = path.is_file() and not path.is_symlink() and lock.is_running(run.folder)
    state = "training" if is_held else "interrupted"
    return run if state == run.state else replace(run, state=state, reason=_REASONS[state])


def check_readable(run: Run) -> None:
    """Raises `RunError` for a folder that is no run, `StorageError` for one that is damaged or cannot be read here."""
    if not run.is_run:
        error = RunError if run.state in ("half written", "no run") else StorageError
        raise error(f"{run.folder}: {run.state}: {run.reason}")


def spec_of(run: Run) -> RunSpec:
    """The spec that a run was trained by; raises `RunError` where there is none, `StorageError` for a damaged one."""
    check_readable(run)
    return parse_spec(run.folder, run.record)


def parse_spec(folder: Path, record: Mapping[str, Any]) -> RunSpec:
    """The spec in a run.json; raises as `spec_of`."""
    if record.get("spec") is None:
        raise RunError(f"{folder}: holds no network and no recipe: this program did not train it")
    try:
        return make_saved_spec(record["spec"])
    except SpecError as error:
        raise StorageError(f"{folder}/run.json: {error}") from None


def check_has_network(run: Run) -> None:
    """Raises `RunError` for an imported log, of which there is nothing but its curves."""
    if run.is_imported:
        raise RunError(f"{run.folder}: is an imported log: it has curves, but no network, recipe or predictions")


def check_is_run(folder: Path) -> None:
    """Raises `RunError` for a link, `..` and a folder without a run.json of its own."""
    record = folder / "run.json"
    is_run = folder.name not in ("", "..") and not folder.is_symlink() and not record.is_symlink() and record.is_file()
    if not is_run:
        raise RunError(f"{folder}: is no run folder; name one that holds a run.json, and is no link")


_REASONS = {"training": "some process trains it", "interrupted": "ended without saying so; it can be resumed"}
_NOT_OURS = ("no run", "somebody else's folder: it has no run.json")
_FOLDER_NAME = re.compile(r"\d{8}T\d{6}Z-.+-s\d+-[0-9a-f]{4}")


def _read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file, None where there is no file; raises `FileError`."""
    try:
        text = read_text(path, MAX_JSON, follow=False)
        document = json.loads(text)
        if "\\ud" in text.lower():
            document = _without_surrogates(document)
    except FileError as error:
        if error.is_missing:
            return None
        raise
    except (ValueError, RecursionError):
        raise FileError(path, "is no JSON") from None
    if not isinstance(document, dict):
        raise FileError(path, "is no JSON object")
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(document) > MAX_DEPTH:
        raise FileError(path, f"is nested more than {MAX_DEPTH} levels deep")
    return document


def _without_surrogates(value: Any) -> Any:
    """A JSON document with ? for each half of a character, which JSON can escape and no file can hold as UTF-8."""
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _depth(document: Any) -> int:
    """How many levels of lists and objects a JSON document has."""
    depth, level = 0, [document]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [item for each in level for item in (each.values() if isinstance(each, dict) else each)]
    return depth
