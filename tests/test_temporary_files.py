"""Temporary files that kills left: removed where nobody writes them any more, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_tui import temporary_files
from mnist_tui.files import write_atomically
from mnist_tui.temporary_files import OTHER_MACHINES_SECONDS, remove_leftovers, temporary_path


@pytest.fixture(scope="module")
def ended() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leftover(folder: Path, name: str, pid: int) -> Path:
    """The path of a temporary file that a process of this machine left."""
    own = temporary_path(folder / name)
    return own.with_name(own.name.replace(f".{os.getpid()}.", f".{pid}."))


def make_old(path: Path) -> None:
    """Makes a file as old as one that another machine does not write any more."""
    before = path.stat().st_mtime - OTHER_MACHINES_SECONDS - 60
    os.utime(path, (before, before))


def test_what_ended_processes_left_is_removed(tmp_path: Path, ended: int) -> None:
    """By the next write to the folder: files of any name, and the folder of an export."""
    leftover(tmp_path, "notes.md", ended).write_text("half")
    leftover(tmp_path, "a name.with.dots\n", ended).write_text("half")
    copy = leftover(tmp_path, "copy", ended)
    copy.mkdir()
    (copy / "run.json").write_text("{}")
    write_atomically(tmp_path / "tags.txt", b"whole")

    assert [path.name for path in tmp_path.iterdir()] == ["tags.txt"]


def test_what_a_process_writes_stays(tmp_path: Path) -> None:
    """Of this process, of one of another user, and of a living one, however old they are."""
    paths = [temporary_path(tmp_path / "mine"), leftover(tmp_path, "root's", 1), leftover(tmp_path, "x", os.getppid())]
    for path in paths:
        path.write_text("half")
        make_old(path)
    remove_leftovers(tmp_path)

    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_those_of_other_machines_stay_for_a_day(tmp_path: Path, ended: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their processes cannot be seen: on a shared folder, or before this machine was started anew."""
    with monkeypatch.context() as patched:
        patched.setattr(temporary_files, "_machine_digits", lambda: "01234567")
        new, old = leftover(tmp_path, "new", ended), leftover(tmp_path, "old", ended)
    older_version = tmp_path / f".notes.md.{ended}.01234567.tmp"
    for path in (new, old, older_version):
        path.write_text("half")
    for path in (old, older_version):
        make_old(path)
    remove_leftovers(tmp_path)

    assert list(tmp_path.iterdir()) == [new]


def test_what_only_looks_like_one_stays(tmp_path: Path, ended: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other names, links, pipes, folders with folders in them, and files of other users."""
    (tmp_path / "folder").mkdir()
    outside = tmp_path / "outside"
    outside.write_text("mine")
    folder = tmp_path / "folder"
    name = leftover(folder, "notes.md", ended).name
    for other in (name[1:], f"{name}x", name.replace(".tmp", ".TMP"), name.replace(f".{ended}.", ".x."), ".x.tmp"):
        (folder / other).write_text("mine")
        make_old(folder / other)
    leftover(folder, "link", ended).symlink_to(outside)
    os.mkfifo(leftover(folder, "pipe", ended))
    (leftover(folder, "copy", ended) / "below").mkdir(parents=True)
    before = sorted(folder.rglob("*"))
    remove_leftovers(folder)
    assert sorted(folder.rglob("*")) == before

    leftover(folder, "of another user", ended).write_text("theirs")
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    remove_leftovers(folder)
    assert len(sorted(folder.rglob("*"))) == len(before) + 1
    assert outside.read_text() == "mine"


def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    """It is not there, or it is a file: nothing happens."""
    (tmp_path / "file").touch()
    remove_leftovers(tmp_path / "nowhere")
    remove_leftovers(tmp_path / "file")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]
