"""What must hold after a command that writes was cut short, wherever that was.

What was there before is there afterwards; what is new is whole or not there; what was reported is not lost; and the
same command, or `resume`, brings the work to the end that an undisturbed command has.
"""

import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from helpers.reliability import check_same, leftovers, state_on_disk
from helpers.writing_commands import COMMANDS, HERE, KEPT, RUN, Answer
from mnist_tui.runs import annotations
from mnist_tui.runs.storage import load_run

Call = Callable[..., Answer]
"""Calls a command in the working folder, undisturbed."""
OWN_FILES = {"run.lock", "tags.txt", "notes.md", "run.log"}
"""The files of a run that tag and note change, or that hold nothing."""

# --- trainings ---


def _trained() -> list[Path]:
    return sorted(path.parent for path in Path("runs").glob("*/run.json"))


def end_states() -> dict[str, Any]:
    """The state of every run, by `_key`."""
    return {_key(folder): state_on_disk(folder) for folder in _trained()}


def _key(folder: Path) -> str:
    """What tells the runs of one working folder apart: the learning rate, and the number of epochs."""
    train = load_run(folder).spec.train
    return f"{train.optimizer} {train.epochs}"


def check_training(name: str, answer: Answer, wanted: Mapping[str, Any], call: Call) -> None:
    """Raises `AssertionError` where an epoch was lost, or a run does not come to the wanted end."""
    known = {row.epoch for folder in _trained() for row in load_run(folder).rows}
    assert answer.reported <= known, f"lost reported epochs {answer.reported - known}"
    if name == "sweep":
        again = call(*COMMANDS[name], "--retry-failed")
        assert again.code == 0, again
    for folder in _trained():
        if name == "sweep" and not load_run(folder).rows:
            continue  # It died before its first epoch, and another took its place.
        if load_run(folder).can_resume:
            resumed = call("resume", str(folder), *HERE)
            assert resumed.code == 0, resumed
        check_same(state_on_disk(folder), wanted[_key(folder)])
        assert not leftovers(folder), leftovers(folder)
    if name in ("sweep", "resume"):
        ended = sorted(_key(folder) for folder in _trained() if load_run(folder).end)
        assert ended == sorted(wanted), f"of {sorted(wanted)} ended {ended}"


# --- files ---


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a run folder but for those that commands change."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in OWN_FILES}


def _new() -> list[Path]:
    return [path for pattern in ("*.csv", "*.md", "mine_files/*.svg") for path in Path().glob(pattern)]


def new_files() -> dict[str, bytes]:
    """The files that commands write beside the runs, by path: exports, a report and its figures.

    The others are not the same twice, or are compared with the run itself: archives, its copy, imported runs.
    """
    return {str(path): path.read_bytes() for path in _new()}


def _imported() -> list[Path]:
    return [path.parent for path in Path("runs").glob("*/run.json") if path.parent.name != RUN]


def check_files(name: str, wanted: Mapping[str, Any], call: Call) -> None:
    """Raises `AssertionError` where the run is damaged, something new is torn, or the command cannot be repeated."""
    _check_run(name)
    _check_new(wanted, call)
    for made in (Path("run.zip"), Path("copy")):  # An archive is never overwritten.
        if made.exists():
            shutil.rmtree(made) if made.is_dir() else made.unlink()
    before = temporary_files()
    again = call(*COMMANDS[name])
    is_done = "is not in the trash" in again.err or "is no run folder" in again.err
    assert again.code == 0 or (name in ("delete", "restore") and is_done), again
    _check_run(name)
    _check_new(wanted, call)
    left = [path for path in before if path.exists() and path in temporary_files()]
    assert not left, f"still there: {left}"


def _check_run(name: str) -> None:
    """The run is whole, in one place; only what is being removed for good need not be."""
    places = [place for place in (KEPT, Path("runs", ".trash", RUN)) if place.exists()]
    if name == "empty trash" and not places:
        return
    assert len(places) == 1, f"the run is in {len(places)} places"
    assert {path.name for path in places[0].iterdir()} >= {"run.json", "end.json", "history.jsonl", "notes.md"}
    assert len(load_run(places[0]).rows) == 3
    assert annotations.read_tags(places[0]) in (("old",), ("old", "kept"), ("kept", "old"))
    assert "completed" in (places[0] / "notes.md").read_text()


def _check_new(wanted: Mapping[str, Any], call: Call) -> None:
    """What is new is whole, or not there."""
    for path in _new():
        assert path.read_bytes() in (wanted.get(str(path)), b"old\n"), f"{path} is torn"
    if Path("mnist-tui.toml").exists():
        assert call("config", "get", "threads").code == 0
    if Path("run.zip").exists():
        with zipfile.ZipFile("run.zip") as archive:
            assert archive.testzip() is None
            assert len(archive.namelist()) >= 5
    if Path("copy").exists():
        assert contents(Path("copy")) == contents(KEPT)
    for folder in _imported():
        assert len((folder / "history.jsonl").read_text().splitlines()) == 1


def temporary_files() -> list[Path]:
    """The temporary files, and folders, in the working folder."""
    return [path for path in Path().rglob("*.tmp") if path.parent.suffix != ".tmp"]
