"""The views of text of an opened run: epochs, changes, advice, layers, spec, environment, log and notes."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import wcwidth

from mnist_tui.analysis import tables
from mnist_tui.analysis.analysis_report import advice_lines
from mnist_tui.analysis.coach import rules
from mnist_tui.errors import FileError, StorageError
from mnist_tui.files import read_text
from mnist_tui.runs import annotations
from mnist_tui.runs.events import finite
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets, summary

MAX_LOG = 2**20
PROSE = ("Changes", "Advice", "Log", "Notes")
"""The views whose lines are wrapped; the others are tables and code."""


def wrapped(text: str, width: int) -> str:
    """A text in lines of at most `width` cells; the parts of a line after its first are indented by two more."""
    return "\n".join(part for line in text.splitlines() for part in _parts(line, max(20, width)))


def _parts(line: str, width: int) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return wcwidth.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _epochs(run: Run, runs: list[Run]) -> str:
    return "\n".join(tables.epoch_lines(run))


def _changes(run: Run, runs: list[Run]) -> str:
    return "\n".join(tables.changes(run, runs))


def _layers(run: Run, runs: list[Run]) -> str:
    return _missing("layers", run) if run.spec is None else summary.table(run.spec)


def _missing(what: str, run: Run) -> str:
    return f"an imported log holds no {what}" if run.is_imported else f"this version cannot read the {what} of this run"


def _spec(run: Run, runs: list[Run]) -> str:
    if run.is_imported:
        return _missing("recipe", run)
    return presets.as_toml(run.spec) if run.spec else _as_json(run.section("train"))


def _environment(run: Run, runs: list[Run]) -> str:
    known = {name: value for name, value in run.record.items() if name != "spec"}
    return _as_json(known)


def _as_json(values: Mapping[str, Any]) -> str:
    return json.dumps(finite(values), indent=2, allow_nan=False)  # run.json may come from another program.


def _log(run: Run, runs: list[Run]) -> str:
    try:
        log = read_text(run.folder / "run.log", MAX_LOG, follow=False)
    except FileError as error:
        log = "there is no run.log: no error was written" if error.is_missing else str(error)
    return f"{run.state}: {run.reason}\n\n{log}"


def _advice(run: Run, runs: list[Run]) -> str:
    if run.spec is None:
        return f"no advice: {_missing('settings', run)}"
    return "\n".join(advice_lines(rules.advise_on(run, runs)))


def _notes(run: Run, runs: list[Run]) -> str:
    try:
        return annotations.notes_text(run.folder)
    except StorageError as error:
        return str(error)


VIEWS: dict[str, Callable[[Run, list[Run]], str]] = {
    "Epochs": _epochs,
    "Changes": _changes,
    "Advice": _advice,
    "Layers": _layers,
    "Spec": _spec,
    "Environment": _environment,
    "Log": _log,
    "Notes": _notes,
}
"""What each view of text shows, made from the run and all the runs."""
