"""`mnist-tui export --to`, as a user meets it: stdout, stderr, exit code, and what is on the disk."""

from pathlib import Path

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run

from mnist_tui.export import write
from mnist_tui.export.formats import FORMATS
from mnist_tui.spec import presets


@pytest.fixture
def command(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`mnist-tui` in this process, over one run without checkpoints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)
    make_run(Path("runs"), presets.load("iter5"))
    return command


def written() -> list[str]:
    """Everything in the working folder but the runs and what belongs to the user."""
    return sorted(str(path) for path in Path().rglob("*") if path.parts[0] not in ("runs", "home"))


def test_a_format_is_written(command: Command) -> None:
    """The path is printed; a second time only by force; -o and DESTINATION are the same."""
    assert command("export", "0000", "--to", "csv") == (0, "iter5-s0-0000.csv\n", "")
    again = command("export", "0000", "--to", "csv")
    assert again == (3, "", "mnist-tui: iter5-s0-0000.csv: is there already; --force overwrites it\n")
    assert command("export", "0000", "--to", "csv", "--force")[0] == 0
    assert command("export", "0000", "b.csv", "--to", "csv") == (0, "b.csv\n", "")
    assert command("export", "0000", "--to", "csv", "-o", "c.csv") == (0, "c.csv\n", "")
    assert Path("b.csv").read_bytes() == Path("c.csv").read_bytes() == Path("iter5-s0-0000.csv").read_bytes()


def test_without_a_format_the_folder_is_packed(command: Command) -> None:
    """As it is by --to archive, with DESTINATION or -o."""
    for index, arguments in enumerate((["0.zip"], ["-o", "1.zip"], ["2.zip", "--to", "archive"])):
        assert command("export", "0000", *arguments) == (0, f"{index}.zip\n", "")
        assert Path(f"{index}.zip").is_file()


MISTAKES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "an unknown format": (("--to", "onxx"), 2, "--to onxx: there is no such format; did you mean 'onnx'?"),
    "no format": (("--to", ""), 2, "--to '': there is no such format; known are onnx, pt2"),
    "an escape sequence": (("--to", "\x1b[2J"), 2, "--to \ufffd[2J: there is no such format"),
    "two places": (("--to", "csv", "a.csv", "-o", "b.csv"), 2, "DESTINATION is not allowed with -o"),
    "an empty place": (("--to", "csv", "-o", ""), 2, "-o is no file name"),
    "an empty log folder": (("--to", "tensorboard", "-o", ""), 2, "-o is no file name"),
    "a folder": (("--to", "csv", "-o", "runs"), 2, "runs: is a folder; name a file that ends in .csv"),
    "another ending": (("--to", "csv", "-o", "x.onnx"), 2, "x.onnx: --to csv writes a file that ends in .csv"),
    "a format's file without the format": (("x.onnx",), 2, "x.onnx: for such a file, say --to onnx"),
    "no place for an archive": ((), 2, "DESTINATION is missing; see mnist-tui export --help"),
    "half an archive": (("--to", "csv", "--no-checkpoints"), 2, "--no-checkpoints goes with an archive"),
    "an archive by force": (("x.zip", "--force"), 2, "--force: an archive never overwrites"),
    "a folder that is not there": (("--to", "csv", "-o", "none/x.csv"), 3, "none: there is no such folder"),
    "a folder that cannot be written": (("--to", "csv", "-o", "/proc/x.csv"), 3, "/proc/x.csv: No such file"),
    "a run without weights": (("--to", "safetensors"), 3, "0000: no weights are kept of epoch 20"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, command: Command) -> None:
    """One line on stderr, nothing on stdout, nothing on the disk."""
    arguments, expected, message = MISTAKES[name]
    code, out, err = command("export", "0000", *arguments)

    assert message in err
    assert (code, out, err.count("\n")) == (expected, "", 1)
    assert written() == []


@pytest.mark.parametrize("name", ["nothing", "runs", ""])
def test_runs_that_are_not_there(name: str, command: Command) -> None:
    """As in every command on runs."""
    code, out, err = command("export", name, "--to", "csv")

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert written() == []


def test_a_missing_extra(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says what to install, and exit code 3, before anything is computed."""
    monkeypatch.setattr(write, "find_spec", lambda name: None)

    assert command("export", "0000", "--to", "tensorboard") == (
        3,
        "",
        "mnist-tui: --to tensorboard: tensorboard is not installed; pip install tensorboard\n",
    )


def test_help_lists_every_format(command: Command) -> None:
    """With what is written, and that networks take normalised images."""
    out = command("export", "--help")[1]

    assert all(f"{each.name:<12} {each.what}" in out for each in FORMATS)
    assert "so without --to" in out
    assert "normalised by the mean" in out
