"""The trash: what is deleted comes back with every byte, and nothing leads out of the runs directory."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.saved_runs import make_run

from mnist_tui.errors import StorageError
from mnist_tui.runs import lock, trash
from mnist_tui.runs.lock import is_running
from mnist_tui.spec import presets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run."""
    return make_run(tmp_path / "runs", presets.load("iter5"))


def test_deleted_and_back(folder: Path) -> None:
    """A deleted run is listed in the trash, the newest first, and comes back with every byte."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = make_run(folder.parent, presets.load("v2"))
    trash.delete(other)
    moved = trash.delete(folder)

    assert not folder.exists()
    assert [path.name for path in trash.trashed(folder.parent)] == [folder.name, other.name]
    assert trash.restore(moved) == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_same_name_twice_in_the_trash(folder: Path) -> None:
    """Nothing in the trash is overwritten, and a restored run overwrites nothing outside it."""
    name = folder.name
    trash.delete(folder)
    (folder.parent / name).mkdir()
    (folder.parent / name / "run.json").write_text("{}")
    second = trash.delete(folder.parent / name)
    assert second.name == f"{name}.2"
    (folder.parent / name).mkdir()
    with pytest.raises(StorageError, match="is there already"):
        trash.restore(folder.parent / ".trash" / name)


def test_what_is_not_deleted(folder: Path, tmp_path: Path) -> None:
    """A run under way, a link, and a folder that is no run are not deleted."""
    with FileLock(folder / "run.lock"), pytest.raises(StorageError, match="is being trained"):
        trash.delete(folder)
    link = folder.parent / "link"
    link.symlink_to(folder)
    (tmp_path / "pictures").mkdir()
    for wrong in (link, tmp_path / "pictures"):
        with pytest.raises(StorageError, match="is no run folder"):
            trash.delete(wrong)

    assert folder.is_dir()


def test_what_is_in_no_runs_directory(folder: Path) -> None:
    """Runs in the trash, and paths that lead around the check, are refused."""
    moved = trash.delete(folder)
    with pytest.raises(StorageError, match="is in the trash already"):
        trash.delete(moved)
    (moved / "below").mkdir()
    with pytest.raises(StorageError, match="is no run folder"):
        trash.delete(moved / "below" / "..")
    back = trash.restore(moved)
    with pytest.raises(StorageError, match="is in no trash"):
        trash.restore(back)
    outside = back.parent.parent / "outside.json"
    (back / "run.json").rename(outside)
    (back / "run.json").symlink_to(outside)
    with pytest.raises(StorageError, match="is no run folder"):
        trash.delete(back)

    assert back.is_dir()


def test_who_trains_a_run_in_the_trash(folder: Path) -> None:
    """A run in the trash that somebody trains is neither restored nor removed."""
    moved = trash.delete(folder)
    with FileLock(moved / "run.lock"):
        with pytest.raises(StorageError, match="is being trained"):
            trash.restore(moved)
        with pytest.raises(StorageError, match="is being trained"):
            trash.empty_trash(folder.parent)

    assert trash.trashed(folder.parent) == [moved]


def test_a_run_is_held_while_it_moves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is held while a run is moved, and free afterwards."""
    held: list[bool] = []
    move = trash._move

    def noted(source: Path, target: Path) -> None:
        held.append(is_running(source))
        move(source, target)

    monkeypatch.setattr(trash, "_move", noted)
    moved = trash.delete(folder)
    trash.restore(moved)

    assert held == [True, True]
    assert not is_running(folder)


def test_a_run_that_vanishes_is_not_deleted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its disk is unplugged before it is locked; no empty folder of its name is made."""
    hold, away = lock.hold_run, folder.with_name("away")

    def vanishing(path: Path) -> AbstractContextManager[None]:
        path.rename(away)
        return hold(path)

    monkeypatch.setattr(lock, "hold_run", vanishing)
    with pytest.raises(StorageError, match="No such file or directory"):
        trash.delete(folder)

    assert not folder.exists()
    assert trash.trashed(folder.parent) == []
    assert (away / "run.json").exists()


def test_a_look_at_the_lock_of_a_run_that_is_gone_makes_no_folder(tmp_path: Path) -> None:
    """As when one process lists the runs while another deletes them."""
    assert not is_running(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()


def test_the_trash_is_emptied(folder: Path, tmp_path: Path) -> None:
    """Emptying removes the runs for good, and nothing that a link leads to."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("mine")
    (folder / "link").symlink_to(outside)
    trash.delete(folder)
    trash.delete(make_run(folder.parent, presets.load("v2")))
    (folder.parent / ".trash" / "link").symlink_to(outside)

    assert trash.empty_trash(folder.parent) == 2
    assert trash.empty_trash(folder.parent) == 0
    assert [path.name for path in (folder.parent / ".trash").iterdir()] == ["link"]
    assert (outside / "kept").read_text() == "mine"
    assert trash.empty_trash(tmp_path / "nowhere") == 0


def test_a_run_that_cannot_be_moved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that the disk refuses to move stays, and the error says why."""

    def refused(*_: Path) -> None:
        raise OSError(18, "Invalid cross-device link", str(folder))

    monkeypatch.setattr(trash, "_move", refused)
    with pytest.raises(StorageError, match="Invalid cross-device link"):
        trash.delete(folder)

    assert folder.is_dir()


def test_a_trash_that_is_a_link(folder: Path, tmp_path: Path) -> None:
    """A trash that is a link is neither filled nor listed."""
    (tmp_path / "outside").mkdir()
    (folder.parent / ".trash").symlink_to(tmp_path / "outside")
    with pytest.raises(StorageError, match="is a link"):
        trash.delete(folder)

    assert trash.trashed(folder.parent) == []
    assert folder.is_dir()
