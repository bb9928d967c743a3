"""What kills leave behind: temporary files, and runs half removed, which the next command finishes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.command import call
from helpers.saved_runs import make_run
from helpers.traced import IS_POSSIBLE, killed_before
from helpers.writing_checks import temporary_files

from mnist_tui import files
from mnist_tui.errors import RunError
from mnist_tui.runs import annotations, archive, trash
from mnist_tui.spec import presets

RUN = "20260101T000000Z-iter5-s0-0000"
TAG, ZIP = ("tag", RUN, "kept"), ("export", RUN, "run.zip")
pytestmark = pytest.mark.skipif(not IS_POSSIBLE, reason="system calls are seen on Linux on x86-64 only")


@pytest.fixture
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a runs directory and a log to import; the working folder is beside it, and takes its place."""
    good = tmp_path / "good"
    make_run(good / "runs", presets.load("iter5"), epochs=3)
    (good / "log.csv").write_text("epoch,train_loss,train_accuracy,test_accuracy\n1,0.3,0.9,0.95\n")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return good


def fresh(good: Path) -> None:
    """Fills the working folder with the good one."""
    for path in Path().iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(good, ".", dirs_exist_ok=True)


def succeed(*arguments: str) -> None:
    """Calls the command, which must succeed."""
    code, _, error = call(*arguments)
    assert code == 0, error


def kill_everywhere(good: Path, action: Callable[[], object], check: Callable[[], None]) -> int:
    """Kills the action before each of its changes of the disk, checks what is left; returns how many kills."""
    fresh(good)
    action()
    number = 0
    while True:
        fresh(good)
        if not killed_before(number + 1, action, Path()):
            return number
        check()
        number += 1


def count_left(good: Path, command: tuple[str, ...]) -> tuple[int, int]:
    """How many kills of a command left temporary files, and how many of these the same command left there again."""
    left = kept = 0

    def check() -> None:
        nonlocal left, kept
        before = temporary_files()
        left += bool(before)
        for made in (Path("run.zip"), Path("copy")):  # An archive is never overwritten.
            if made.exists():
                shutil.rmtree(made) if made.is_dir() else made.unlink()
        succeed(*command)
        kept += any(path in temporary_files() for path in before)

    assert kill_everywhere(good, lambda: succeed(*command), check) >= 3
    return left, kept


@pytest.mark.parametrize("command", [TAG, ZIP])
def test_the_next_command_removes_what_a_kill_left(good: Path, command: tuple[str, ...]) -> None:
    """Some kills leave a temporary file, which is gone after the next one that writes there."""
    left, kept = count_left(good, command)

    assert left > 0  # Else nothing was tested.
    assert kept == 0


def test_what_is_never_removed_is_detected(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: where nothing is looked for, the files stay."""
    for module in (files, archive):
        monkeypatch.setattr(module, "remove_leftovers", lambda folder: None)

    for command in (TAG, ZIP):
        left, kept = count_left(good, command)
        assert kept == left > 0


# --- the trash ---


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a run folder but for its lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.lock"}


@pytest.fixture
def good_trash(good: Path) -> Path:
    """The same with its run in the trash."""
    annotations.write_tags(good / "runs" / RUN, ["kept"])
    trash.delete(good / "runs" / RUN)
    return good


def empty_the_trash_with_kills(good_trash: Path) -> tuple[int, int]:
    """How many kills left a run half removed that can be named and finished, and how many one that passes for whole."""
    named = torn = 0
    runs = Path("runs")
    whole = {folder.name: contents(folder) for folder in (good_trash / "runs" / ".trash").iterdir()}

    def check() -> None:
        nonlocal named, torn
        torn += any(contents(folder) != whole[folder.name] for folder in trash.trashed(runs))
        for folder in trash.half_removed(runs):
            named += 1
            with pytest.raises(RunError, match=f"{RUN}: was being removed for good"):
                trash.restore(folder)
        trash.empty_trash(runs)
        assert not list((runs / ".trash").iterdir())

    kills = kill_everywhere(good_trash, lambda: trash.empty_trash(runs), check)
    assert kills > len(next(iter(whole.values())))
    return named, torn


def test_a_run_in_the_trash_is_whole_or_named_as_half_removed(good_trash: Path) -> None:
    """Whatever kills the emptying: what restore takes back is whole, the rest it names, and emptying finishes it."""
    named, torn = empty_the_trash_with_kills(good_trash)

    assert named > 3
    assert torn == 0


def test_a_half_removed_run_is_named_and_finished(good_trash: Path) -> None:
    """By `restore`, which says what happened to it, and by `delete --empty-trash`."""
    fresh(good_trash)
    assert killed_before(10, lambda: trash.empty_trash(Path("runs")), Path())
    said = (
        f"{RUN}: was being removed for good, and parts of it may be gone; mnist-tui delete --empty-trash finishes that"
    )

    assert call("restore") == (0, f"{said}\n", "")
    assert call("restore", "iter5-s0-0000") == (2, "", f"mnist-tui: {said}\n")
    assert call("delete", "--empty-trash") == (0, "removed for good: 1 run in the trash of runs\n", "")
    assert call("restore") == (0, "the trash is empty\n", "")


def test_a_removal_under_the_own_name_is_detected(good_trash: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: where runs are removed without having been renamed, a kill leaves a part that seems whole."""
    monkeypatch.setattr(trash, "_free_name", lambda path: path.with_name(path.name.removeprefix(trash.REMOVING)))

    assert empty_the_trash_with_kills(good_trash)[1] > 0
