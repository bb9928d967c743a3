"""Runs directories that other machines write to, over a file system that shows their files some moments later."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run

from mnist_tui.runs import index
from mnist_tui.runs.index import RunIndex
from mnist_tui.runs.lock import Lock
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that completed."""
    return make_run(tmp_path / "runs", presets.load("iter5"))


def appears(path: Path, change: Callable[[], object]) -> None:
    """A file of a folder is seen, or not, which the folder's own times do not tell."""
    times = path.parent.stat()
    change()
    os.utime(path.parent, ns=(times.st_atime_ns, times.st_mtime_ns))


def hidden(path: Path) -> Callable[[], object]:
    """Hides a file; returns what shows it again."""
    away = path.parent.parent / f".{path.name}"
    appears(path, lambda: path.rename(away))
    return lambda: appears(path, lambda: away.rename(path))


@pytest.mark.parametrize(("file", "before"), [("run.json", "half written"), ("end.json", "interrupted")])
def test_a_file_that_is_seen_late(file: str, before: str, run: Path) -> None:
    """The next look finds it, though nothing else about the folder has changed."""
    show = hidden(run / file)
    runs = RunIndex(run.parent)
    runs.refresh()
    first = runs.all[0].state
    show()
    changed = runs.refresh()

    assert (first, changed, runs.all[0].state) == (before, True, "completed")


def test_old_folders_are_not_read_at_every_look(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what was damaged for more than a minute is read once."""
    (run / "run.json").write_text("{")
    os.utime(run, (time.time() - index.LATE_SECONDS - 5,) * 2)
    reads: list[Path] = []

    def counted(folder: Path) -> Run:
        reads.append(folder)
        return read_run(folder)

    monkeypatch.setattr(index, "read_run", counted)
    runs = RunIndex(run.parent)
    for _ in range(3):
        runs.refresh()

    assert reads == [run]


@pytest.mark.parametrize("file", ["history.jsonl", "end.json", "predictions.npz", "notes.md", "run.lock"])
def test_every_view_of_a_run_of_which_a_file_is_not_there_yet(
    file: str, run: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is listed, opened, compared and reported with what there is."""
    monkeypatch.chdir(run.parent.parent)
    other = make_run(run.parent, presets.load("iter5"), seed=1, index=1)
    (run / file).unlink(missing_ok=True)
    for line in (
        "runs",
        "runs --json",
        "open RUN",
        "open RUN --json",
        f"compare RUN {other.name}",
        "report RUN -o report.md",
    ):
        code, _, err = command(*line.replace("RUN", run.name).split())

        assert code == 0, (line, err)


def test_a_run_that_is_about_to_begin(run: Path) -> None:
    """Between the making of its folder and its run.json it has not died."""
    (run / "run.json").unlink()
    before = read_run(run).reason
    lock = Lock(run / "run.lock", run)
    lock.acquire()
    begun = read_run(run).reason
    lock.release()

    assert (before, begun) == ("died before it began: it has no run.json", "is about to begin: it has no run.json")


def test_a_row_that_is_still_being_transferred(run: Path) -> None:
    """The rows before it count; an end that was written after it is believed."""
    history = run / "history.jsonl"
    content = history.read_bytes()
    history.write_bytes(content[: len(content) // 2])
    seen = read_run(run)

    assert 0 < len(seen.rows) < 20
    assert seen.epochs == json.loads((run / "end.json").read_text())["epochs"] == 20
