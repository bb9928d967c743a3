"""Copies of a run: the same bytes in a folder or an archive, nothing overwritten, nothing left behind."""

import os
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers.saved_runs import make_run

from mnist_tui.errors import StorageError
from mnist_tui.runs import archive
from mnist_tui.spec import presets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run."""
    return make_run(tmp_path / "runs", presets.load("iter5"))


@pytest.mark.parametrize("name", ["copy", "copy.zip", "copy.tar.gz"])
def test_export(name: str, folder: Path, tmp_path: Path) -> None:
    """A copy holds the regular files with the same bytes; nothing is overwritten or left behind."""
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "ckpt-00000001.safetensors").write_bytes(b"weights")
    (folder / "ckpt-00000002.damaged").write_bytes(b"weights")
    (folder / ".notes.md.1.tmp").write_bytes(b"half")
    os.utime(folder / "run.json", (0, 0))  # Before the first year of a ZIP file.
    path = archive.export(folder, tmp_path / name)
    content = _content(path, folder.name)

    assert content["history.jsonl"] == (folder / "history.jsonl").read_bytes()
    assert {"link", "run.lock", ".notes.md.1.tmp"}.isdisjoint(content)
    assert "ckpt-00000001.safetensors" in content
    with pytest.raises(StorageError, match="nothing is overwritten"):
        archive.export(folder, path)
    light = archive.export(folder, tmp_path / f"light-{name}", checkpoints=False)
    assert not [file for file in _content(light, folder.name) if file.startswith("ckpt-")]
    with pytest.raises(StorageError) as refused:
        archive.export(folder, tmp_path / "none" / name)
    assert str(refused.value) == f"{tmp_path}/none: there is no such folder; make it first, or name another place"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_is_not_exported(folder: Path, tmp_path: Path) -> None:
    """A folder that is no run, a destination inside the run and an unknown ending are refused."""
    with pytest.raises(StorageError, match="is no run folder"):
        archive.export(tmp_path, tmp_path / "copy")
    with pytest.raises(StorageError, match="lies in the run itself"):
        archive.export(folder, folder / "copy.zip")
    with pytest.raises(
        ValueError, match=r"copy\.md: a run is exported to a new folder, or to a file that ends in \.zip"
    ):
        archive.export(folder, tmp_path / "copy.md")

    assert not (folder / "copy.zip").exists()
    assert not (tmp_path / "copy.md").exists()


@pytest.mark.parametrize("name", ["copy", "iter5-0.2", "2026.11.21", "copy.x-y"])
def test_names_of_folders(name: str, folder: Path, tmp_path: Path) -> None:
    """A dot in the name of a folder is not taken for the ending of an archive."""
    assert archive.export(folder, tmp_path / name).is_dir()


@pytest.mark.parametrize("name", ["a.b.zip", "copy.tgz", "COPY.ZIP", "Copy.Tar.GZ"])
def test_names_of_archives(name: str, folder: Path, tmp_path: Path) -> None:
    """The ending of an archive may be in capitals."""
    assert archive.export(folder, tmp_path / name).is_file()


@pytest.mark.parametrize("name", ["copy", "copy.zip", "copy.tar.gz"])
def test_an_export_that_is_broken_off(name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted copy leaves nothing behind."""
    pack = archive._pack

    def broken(folder: Path, temporary: Path, name: str, files: Sequence[Path]) -> None:
        pack(folder, temporary, name, files)
        raise KeyboardInterrupt

    monkeypatch.setattr(archive, "_pack", broken)
    with pytest.raises(KeyboardInterrupt):
        archive.export(folder, tmp_path / name)

    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == []


@pytest.mark.parametrize("name", ["copy", "copy.zip", "copy.tar.gz"])
def test_a_place_that_cannot_be_written(name: str, folder: Path, tmp_path: Path) -> None:
    """The error names the destination, not the name that the copy has until it is whole."""
    (tmp_path / "file").touch()

    with pytest.raises(StorageError) as refused:
        archive.export(folder, tmp_path / "file" / name)

    assert str(refused.value) == f"{tmp_path}/file/{name}: Not a directory"


@pytest.mark.parametrize("name", ["copy", "copy.zip", "copy.tar.gz"])
def test_a_file_of_the_run_that_cannot_be_read(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names this file."""
    gone = folder / "gone"
    monkeypatch.setattr(archive, "_exportable", lambda *arguments: [gone])

    with pytest.raises(StorageError) as refused:
        archive.export(folder, tmp_path / name)

    assert str(refused.value) == f"{gone}: No such file or directory"


def _content(path: Path, name: str) -> dict[str, bytes]:
    if path.is_dir():
        return {file.name: file.read_bytes() for file in path.iterdir()}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            return {each.removeprefix(f"{name}/"): packed.read(each) for each in packed.namelist()}
    with tarfile.open(path) as tar:
        members = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {each.removeprefix(f"{name}/"): file.read() for each, file in members.items() if file}
