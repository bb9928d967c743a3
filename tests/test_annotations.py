"""Notes, tags, the trash and copies: what a person adds survives, and nothing leads out of the runs directory."""

import tarfile
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock
from saved_runs import NOTES, make_run

from mnist_tui import annotations, presets
from mnist_tui.annotations import Notes
from mnist_tui.storage import StorageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run."""
    return make_run(tmp_path / "runs", presets.load("iter5"))


def test_notes(folder: Path) -> None:
    """Written, read back; the heading above them stays."""
    annotations.write_notes(folder, Notes("99.4 %", "- 99.1 %", "too few\n\n## epochs, and <b>no</b> markup"))
    found = annotations.read_notes(folder)

    assert found == Notes("99.4 %", "- 99.1 %", "too few\n\n## epochs, and <b>no</b> markup")
    assert annotations.notes_text(folder).startswith("# iter5, seed 0\n\n## Target\n\n99.4 %\n\n## Result")
    assert (folder / "notes.md").read_text() != NOTES


def test_notes_that_are_not_there_yet(folder: Path) -> None:
    """Are empty, and can be written."""
    (folder / "notes.md").unlink()
    assert annotations.read_notes(folder) == Notes()
    annotations.write_notes(folder, Notes(analysis="x\x1b[2J"))
    assert annotations.read_notes(folder).analysis == "x\ufffd[2J"


def test_empty_notes_are_still_the_programs_to_fill(folder: Path) -> None:
    """Saving nothing leaves the end of the file as the writer of a run knows it."""
    annotations.write_notes(folder, annotations.read_notes(folder))

    assert (folder / "notes.md").read_bytes() == NOTES.encode()


def test_notes_that_are_a_link_or_too_long(folder: Path, tmp_path: Path) -> None:
    """Neither read nor written through."""
    outside = tmp_path / "outside.md"
    outside.write_text("mine")
    (folder / "notes.md").unlink()
    (folder / "notes.md").symlink_to(outside)
    with pytest.raises(StorageError, match="is a link"):
        annotations.read_notes(folder)
    with pytest.raises(StorageError, match="is a link"):
        annotations.write_notes(folder, Notes())
    (folder / "notes.md").unlink()
    with pytest.raises(StorageError, match="not saved"):
        annotations.write_notes(folder, Notes(analysis="x" * 70_000))

    assert outside.read_text() == "mine"


def test_tags(folder: Path) -> None:
    """Sorted, each once; a wrong one is refused and nothing is written."""
    annotations.write_tags(folder, ["x", "best-so-far", "x"])
    with pytest.raises(ValueError, match="is no tag"):
        annotations.write_tags(folder, ["two words"])

    assert annotations.read_tags(folder) == ("best-so-far", "x")
    (folder / "tags.txt").write_bytes(b"ok\n\x1b[2J\n")
    assert annotations.read_tags(folder) == ("ok",)


def test_deleted_and_back(folder: Path) -> None:
    """In the trash, of which the newest comes first; back with every byte."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = make_run(folder.parent, presets.load("v2"))
    annotations.delete(other)
    moved = annotations.delete(folder)

    assert not folder.exists()
    assert [path.name for path in annotations.trashed(folder.parent)] == [folder.name, other.name]
    assert annotations.restore(moved) == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_same_name_twice_in_the_trash(folder: Path) -> None:
    """Nothing in the trash is overwritten, and nothing outside it by what comes back."""
    name = folder.name
    annotations.delete(folder)
    (folder.parent / name).mkdir()
    (folder.parent / name / "run.json").write_text("{}")
    second = annotations.delete(folder.parent / name)
    assert second.name == f"{name}.2"
    (folder.parent / name).mkdir()
    with pytest.raises(StorageError, match="is there already"):
        annotations.restore(folder.parent / ".trash" / name)


def test_what_is_not_deleted(folder: Path, tmp_path: Path) -> None:
    """A run under way, a link, a folder that is no run."""
    with FileLock(folder / "run.lock"), pytest.raises(StorageError, match="is being trained"):
        annotations.delete(folder)
    link = folder.parent / "link"
    link.symlink_to(folder)
    (tmp_path / "pictures").mkdir()
    for wrong in (link, tmp_path / "pictures"):
        with pytest.raises(StorageError, match="is no run folder"):
            annotations.delete(wrong)

    assert folder.is_dir()


def test_a_trash_that_is_a_link(folder: Path, tmp_path: Path) -> None:
    """Is neither filled nor listed."""
    (tmp_path / "outside").mkdir()
    (folder.parent / ".trash").symlink_to(tmp_path / "outside")
    with pytest.raises(StorageError, match="is a link"):
        annotations.delete(folder)

    assert annotations.trashed(folder.parent) == []
    assert folder.is_dir()


@pytest.mark.parametrize("name", ["copy", "copy.zip", "copy.tar.gz"])
def test_export(name: str, folder: Path, tmp_path: Path) -> None:
    """Regular files only; the same bytes; nothing is overwritten."""
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "ckpt-00000001.safetensors").write_bytes(b"weights")
    path = annotations.export(folder, tmp_path / name)
    content = _content(path, folder.name)

    assert content["history.jsonl"] == (folder / "history.jsonl").read_bytes()
    assert {"link", "run.lock"}.isdisjoint(content)
    assert "ckpt-00000001.safetensors" in content
    with pytest.raises(StorageError, match="nothing is overwritten"):
        annotations.export(folder, path)
    light = annotations.export(folder, tmp_path / f"light-{name}", checkpoints=False)
    assert "ckpt-00000001.safetensors" not in _content(light, folder.name)
    with pytest.raises(StorageError, match="No such file"):
        annotations.export(folder, tmp_path / "none" / name)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def _content(path: Path, name: str) -> dict[str, bytes]:
    if path.is_dir():
        return {file.name: file.read_bytes() for file in path.iterdir()}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {each.removeprefix(f"{name}/"): archive.read(each) for each in archive.namelist()}
    with tarfile.open(path) as packed:
        members = {member.name: packed.extractfile(member) for member in packed.getmembers()}
        return {each.removeprefix(f"{name}/"): file.read() for each, file in members.items() if file}
