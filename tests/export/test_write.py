"""What every format has in common: all files or none, nothing overwritten unasked, one line for each mistake."""

import errno
import os
from pathlib import Path

import pytest
from helpers.saved_runs import make_run

from mnist_tui import files
from mnist_tui.errors import MissingPackageError, MnistTuiError, RunError, StorageError, UsageError
from mnist_tui.export import write
from mnist_tui.export.formats import FORMATS, Format, find_format
from mnist_tui.export.write import default_path, export
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets

CSV, ONNX, SCRIPT, TENSORBOARD = (find_format(name) for name in ("csv", "onnx", "script", "tensorboard"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run without checkpoints; the working folder is empty but for its runs."""
    monkeypatch.chdir(tmp_path)
    return read_run(make_run(Path("runs"), presets.load("iter5")))


def pair(first: bytes = b"one", second: bytes = b"two") -> Format:
    """A format of two files."""
    return Format("pair", "", lambda run, path: (first, second), ".a", lambda path: (path, path.with_suffix(".b")))


def written() -> list[str]:
    """Everything in the working folder but the runs and what belongs to the user."""
    return sorted(str(path) for path in Path().rglob("*") if path.parts[0] not in ("runs", "home"))


def test_names_without_a_path(run: Run) -> None:
    """After the run, without its time, in the current folder; a script's can be imported."""
    assert export(run, CSV) == (Path("iter5-s0-0000.csv"),)
    assert written() == ["iter5-s0-0000.csv"]
    assert default_path(run, SCRIPT) == Path("iter5_s0_0000.py")
    assert SCRIPT.files(Path("a.py")) == (Path("a.py"), Path("a.pt"))
    assert default_path(run, TENSORBOARD) == Path("tensorboard/iter5-s0-0000")
    assert default_path(Run(Path("my run.v2"), "completed"), SCRIPT) == Path("my_run_v2.py")


def test_a_log_folder_is_made(run: Run) -> None:
    """With those above it; an export to one that is there adds its file."""
    (file,) = export(run, TENSORBOARD, Path("logs/a/b"))
    Path("there").mkdir()
    export(run, TENSORBOARD, Path("there"))

    assert file.read_bytes() == next(Path("there").iterdir()).read_bytes()
    assert str(file) in written()


def test_existing_files_are_overwritten_by_force_only(run: Run) -> None:
    """One of two is enough to be refused; with force both are replaced whole, and nothing else is left."""
    Path("x.b").write_text("mine")
    with pytest.raises(StorageError, match=r"^x\.b: is there already; --force overwrites it$"):
        export(run, pair(), Path("x.a"))
    assert written() == ["x.b"]
    assert Path("x.b").read_text() == "mine"

    assert export(run, pair(), Path("x.a"), force=True) == (Path("x.a"), Path("x.b"))
    assert (Path("x.a").read_text(), Path("x.b").read_text()) == ("one", "two")
    assert written() == ["x.a", "x.b"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("failing", [1, 2])
def test_a_full_disk_leaves_nothing(failing: int, force: bool, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever file does not fit any more: neither a part, nor the other file, nor a folder that was made for them."""
    before = []
    if force:
        Path("x.a").write_text("mine")
        before = ["x.a"]
    write_all, calls = files.write_all, []

    def full(path: Path, content: bytes, flags: int) -> None:
        calls.append(path)
        write_all(path, content[:1], flags)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "write_all", full)
    with pytest.raises(StorageError, match=r"^x\.a: No space left on device; name another place with -o$"):
        export(run, pair(), Path("x.a"), force)
    calls[:] = [Path()] * (failing - 1)
    with pytest.raises(StorageError, match="No space left on device"):
        export(run, TENSORBOARD, Path("logs/deep"))

    assert written() == before
    assert not force or Path("x.a").read_text() == "mine"


def test_an_interrupted_export_leaves_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between two files."""

    def interrupted(path: Path, content: bytes, flags: int) -> None:
        path.write_bytes(content)
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(run, pair(), Path("x.a"))

    assert written() == []


PLACES: dict[str, tuple[Format, str, type[MnistTuiError], str]] = {
    "a folder": (CSV, "folder", RunError, "folder: is a folder; name a file that ends in .csv"),
    "a folder as the second file": (SCRIPT, "taken.py", RunError, "taken.pt: is a folder, and a file of this name"),
    "another ending": (CSV, "x.txt", RunError, "x.txt: --to csv writes a file that ends in .csv"),
    "no ending": (SCRIPT, "x", RunError, "x: --to script writes a file that ends in .py"),
    "no such folder": (CSV, "none/x.csv", StorageError, "none: there is no such folder; make it first"),
    "below a file": (CSV, "file/x.csv", StorageError, "file: there is no such folder"),
    "a file for a folder": (TENSORBOARD, "file", RunError, "file: is no folder; name one for tensorboard"),
    "a folder below a file": (TENSORBOARD, "file/logs", StorageError, "file/logs: Not a directory"),
    "a name that is too long": (CSV, "x" * 300 + ".csv", StorageError, "File name too long"),
    "a system folder": (CSV, "/proc/x.csv", StorageError, "/proc/x.csv: "),
    "a dangling link": (CSV, "link.csv", StorageError, "link.csv: is there already"),
}


@pytest.mark.parametrize("name", PLACES)
def test_places_that_cannot_be_written_to(name: str, run: Run) -> None:
    """One line that begins with the place, and nothing written."""
    Path("folder").mkdir()
    Path("taken.pt").mkdir()
    Path("file").write_text("mine")
    Path("link.csv").symlink_to("nowhere")
    before = written()
    how, place, error, message = PLACES[name]
    with pytest.raises(error) as refused:
        export(run, how, Path(place))

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert written() == before


@pytest.mark.parametrize("how", FORMATS, ids=lambda how: how.name)
def test_a_run_without_an_epoch(how: Format, run: Run) -> None:
    """It diverged, or was stopped, before the first one ended: refused before torch is loaded, in every format."""
    folder = make_run(Path("runs"), presets.load("iter5"), 1, outcome="diverged", index=7)
    (folder / "history.jsonl").unlink()

    with pytest.raises(RunError, match="diverged, and no epoch of it is finished: there is nothing to export"):
        export(read_run(folder), how)
    assert written() == []


def test_missing_packages(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which ones, and the command that installs all that the format needs."""
    monkeypatch.setattr(write, "find_spec", lambda name: None if name != "onnx" else object())
    with pytest.raises(MissingPackageError) as refused:
        export(run, ONNX)

    assert str(refused.value) == (
        "--to onnx: onnxscript, onnxruntime are not installed; pip install onnx onnxscript onnxruntime"
    )
    assert refused.value.exit_code == 3
    with pytest.raises(MissingPackageError, match=r"tensorboard is not installed; pip install tensorboard$"):
        export(run, TENSORBOARD)
    assert written() == []


def test_formats_are_found_by_name() -> None:
    """An unknown one is told the nearest, or all."""
    assert [find_format(each.name) for each in FORMATS] == list(FORMATS)
    with pytest.raises(UsageError, match="--to onix: there is no such format; did you mean 'onnx'"):
        find_format("onix")
    with pytest.raises(UsageError, match="known are onnx, pt2, safetensors, script, csv, tensorboard, archive"):
        find_format("")
