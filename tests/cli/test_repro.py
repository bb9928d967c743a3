"""`repro`: runs on the small digits, trained again: what is printed, what is left on the disk, and the exit code."""

import json
import shutil
import signal
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run

from mnist_tui.cli.repro import verdict_lines
from mnist_tui.runs import lock
from mnist_tui.runs.history import FILE
from mnist_tui.runs.reproduction import Difference, Reproduced, WeightsCompared
from mnist_tui.spec import presets
from mnist_tui.training import reproduce as reproducing

pytestmark = pytest.mark.slow  # repeats whole runs

SMALL = """
layers = '''
Conv2d(4, 3, stride=2)
BatchNorm2d()
ReLU()
MaxPool2d(2)
Dropout(0.1)
Flatten()
Linear(10)
'''
[train]
epochs = 3
optimizer = "Adam(lr=0.01)"
"""


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, and an empty one for temporary files, which is empty again at the end."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for name in ("MNIST_TUI_DATA_DIR", "MNIST_TUI_RUNS_DIR"):
        monkeypatch.delenv(name, raising=False)
    Path("small.toml").write_text(SMALL)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path


@pytest.fixture
def folder(command: Command) -> Path:
    """A run on the small digits."""
    assert command("--batch", "small.toml", "--dataset", "digits", "--device", "cpu", "--threads", "1")[0] == 0
    (folder,) = Path("runs").iterdir()
    return folder


def rewrite(folder: Path, epoch: int, **values: Any) -> None:
    """Changes numbers of an epoch in the history, with a checksum that fits."""
    lines = (folder / FILE).read_bytes().splitlines()
    row = json.loads(lines[epoch - 1])
    del row["crc32"]
    text = json.dumps(row | values)
    lines[epoch - 1] = f'{text[:-1]}, "crc32": {zlib.crc32(text.encode())}}}'.encode()
    (folder / FILE).write_bytes(b"\n".join(lines) + b"\n")


def record(folder: Path, **values: Any) -> None:
    """Changes what run.json says."""
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def left_behind(work: Path) -> list[Path]:
    """Temporary run folders; torch makes folders of its own there."""
    return list((work / "tmp").glob("mnist-tui*"))


def test_identical(command: Command, folder: Path, work: Path) -> None:
    """The lines of the epochs, the verdict, exit code 0; nothing is left behind."""
    code, out, err = command("repro", folder.name[-4:])
    lines = out.splitlines()

    assert code == 0
    assert [line.split()[:2] for line in lines[:3]] == [["epoch", f"{epoch}/3"] for epoch in (1, 2, 3)]
    assert lines[3].startswith("identical: every number of 3 epochs and the weights after step 69 (SHA-256 ")
    assert len(lines) == 4
    assert err == "small, seed 0: 1,498 parameters, digits (1,437 train, 360 test), cpu, 1 thread\n"
    assert [path.name for path in Path("runs").iterdir()] == [folder.name]
    assert left_behind(work) == []


def test_keep(command: Command, folder: Path) -> None:
    """A run with a tag; its folder is the last line, and `open` says what it reproduces."""
    code, out, _ = command("repro", str(folder), "--keep")
    kept = Path(out.splitlines()[-1])

    assert code == 0
    assert kept.parent == Path("runs")
    assert kept != folder
    assert command("runs", "tag:repro", "--columns", "run")[1].split() == ["run", kept.name]
    assert f"reproduces     {folder.name}\n" in command("open", kept.name)[1]
    assert json.loads(command("open", folder.name, "--json")[1])["reproduces"] is None


def test_json(command: Command, folder: Path) -> None:
    """An object for every event, the verdict last."""
    code, out, _ = command("repro", folder.name, "--json")
    events = [json.loads(line) for line in out.splitlines()]
    names = [event["event"] for event in events if event["event"] != "Progress"]

    assert code == 0
    assert names == ["RunStarted", *["EpochEnded", "EpochCompared"] * 3, "RunEnded", "Reproduced"]
    assert (events[-1]["verdict"], events[-1]["run"], events[-1]["differences"]) == ("identical", folder.name, [])
    assert events[-1]["weights"]["stored"] == events[-1]["weights"]["computed"]


def test_another_number_of_threads_is_named(command: Command, folder: Path) -> None:
    """The first number and what differs around it; training ends there."""
    code, out, _ = command("repro", folder.name, "--threads", "2")
    lines = out.splitlines()

    assert (code, len(lines)) == (5, 3)
    assert lines[0].startswith("epoch 1/3 ")
    assert lines[1].startswith("different: epoch 1, train loss: was 1.5")
    assert lines[2] == "around it differ: threads 1 → 2"


def test_all_epochs_are_compared_on_request(command: Command, folder: Path) -> None:
    """A line below each that differs, here for want of fused layers."""
    code, out, _ = command("repro", folder.name, "--no-fuse", "--all")
    lines = out.splitlines()

    assert code == 5
    assert [line.split()[0] for line in lines[:6]] == ["epoch", "differs:"] * 3
    assert all(line.startswith("  differs: train loss ") for line in lines[1:6:2])
    assert lines[6].startswith("different: in 3 of 3 epochs, first in epoch 1, train loss: was 1.5")
    assert lines[7] == "around it differ: fused True → False"


def test_another_seed_is_found(command: Command, folder: Path) -> None:
    """Nothing that is recorded explains it."""
    spec = json.loads((folder / "run.json").read_text())["spec"]
    spec["train"]["seed"] = 1
    record(folder, spec=spec)
    code, out, _ = command("repro", folder.name)

    assert code == 5
    assert out.splitlines()[1].startswith("different: epoch 1, train loss: was 1.")
    assert "; 5 more numbers of this epoch" in out
    assert out.splitlines()[2].startswith("around it differ: nothing that was recorded")


def test_a_number_that_somebody_improved_is_found(command: Command, folder: Path) -> None:
    """One image more in the second epoch."""
    row = json.loads((folder / FILE).read_bytes().splitlines()[1])
    rewrite(folder, 2, test_accuracy=row["test_accuracy"] + 1 / 360)
    code, out, _ = command("repro", folder.name)

    assert code == 5
    assert out.splitlines()[2] == "different: epoch 2, test acc: was 93.0556%, is 92.7778% (-0.2778 points)"


def test_an_interrupted_run(command: Command, folder: Path) -> None:
    """As far as it went; the remark and the epochs of the progress line say so."""
    lines = (folder / FILE).read_bytes().splitlines(keepends=True)
    (folder / FILE).write_bytes(lines[0] + lines[1])
    (folder / "end.json").unlink()
    code, out, err = command("repro", folder.name)

    assert code == 0
    assert "epoch 2/2" in out
    assert "identical: every number of 2 epochs and the weights after step 46" in out
    assert "the run was not completed (interrupted): its 2 of 3 epochs are trained again" in err


def test_ctrl_c(command: Command, folder: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends it after the step under way with exit code 130, and says what was compared."""
    reproduce = reproducing.reproduce

    def interrupted(*arguments: Any) -> Iterator[Any]:
        for event in reproduce(*arguments):
            yield event
            if type(event).__name__ == "EpochCompared":
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(reproducing, "reproduce", interrupted)
    code, out, err = command("repro", folder.name)

    assert code == 130
    assert out.splitlines()[-1] == "stopped: 1 of 3 epochs compared, all of it identical"
    assert "stopping after this step; Ctrl-C again aborts" in err
    assert left_behind(work) == []


def test_a_training_that_fails(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, and the reason on stderr."""

    def train(*arguments: Any) -> Iterator[Any]:
        raise MemoryError
        yield

    monkeypatch.setattr("mnist_tui.training.session.train", train)
    code, out, err = command("repro", folder.name)

    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("failed: out of memory; try a smaller train.batch_size")


def test_quiet(command: Command, folder: Path) -> None:
    """Nothing but data."""
    code, out, err = command("repro", folder.name, "--quiet")

    assert (code, err) == (0, "")
    assert "identical" in out


REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...], int, str]] = {
    "another device": ({}, ("--device", "cuda:99"), 3, "--device cuda:99: "),
    "a device that is gone": ({"device": "cuda:99"}, (), 3, "was trained on cuda:99: "),
    "other data": ({"dataset": {"name": "digits", "sha256": "0"}}, (), 3, "was trained on other data (its SHA-256"),
    "a damaged spec": ({"spec": {"layers": "Conv2d("}}, (), 3, "run.json: "),
    "a newer format": ({"format": 2}, (), 3, "run.json has format 2"),
    "no number": ({}, ("--threads", "x"), 2, "--threads x: must be"),
}


@pytest.mark.parametrize(("values", "arguments", "code", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(
    values: dict[str, Any],
    arguments: tuple[str, ...],
    code: int,
    message: str,
    command: Command,
    folder: Path,
    work: Path,
) -> None:
    """One line, nothing on stdout, nothing on the disk."""
    record(folder, **values)
    found = command("repro", folder.name, *arguments)

    assert (found[0], found[1], found[2].count("\n")) == (code, "", 1)
    assert message in found[2]
    assert [path.name for path in Path("runs").iterdir()] == [folder.name]
    assert left_behind(work) == []


def test_what_has_nothing_to_reproduce(command: Command) -> None:
    """No such run, a folder that is none, a run that is trained, one without an epoch."""
    for index, epochs in enumerate((1, 1)):
        make_run(Path("runs"), presets.load("iter5"), 0, index=index, epochs=epochs)
    first, second = sorted(Path("runs").iterdir())
    (second / FILE).unlink()
    Path("runs/pictures").mkdir()
    (first / "end.json").unlink()
    with lock.hold_run(first):
        being_trained = command("repro", "0000")
    found = {
        "no run in runs has that name": command("repro", "nothing"),
        "somebody else's folder": command("repro", "pictures"),
        "this run is being trained": being_trained,
        "has finished no epoch": command("repro", "0001"),
        "RUN is missing": command("repro"),
    }

    for message, (code, out, err) in found.items():
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_a_machine_without_a_temporary_folder(command: Command, folder: Path, work: Path) -> None:
    """One line says what to do."""
    shutil.rmtree(work / "tmp")

    assert command("repro", folder.name) == (
        3,
        "",
        "mnist-tui: no temporary folder can be made (No such file or directory); set TMPDIR, or --keep the run\n",
    )


WEIGHTS = WeightsCompared(1_234, "ab" * 32, "ab" * 32)
SAME = Reproduced("r", "identical", 2, 2, (), False, WEIGHTS, {})
LOSS = Difference(2, "test_loss", 0.1, 0.1 + 2**-56)


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        (SAME, ["identical: every number of 2 epochs and the weights after step 1,234 (SHA-256 abababababab)"]),
        (
            Reproduced("r", "identical", 1, 1, (), True, None, {"python": ("3.11", "3.12")}),
            [
                "identical: every number of 1 epoch and the divergence in epoch 2; there is no checkpoint of both to "
                "compare weights",
                "although there differ: python 3.11 → 3.12",
            ],
        ),
        (Reproduced("r", "stopped", 0, 2, (), False, None, {}), ["stopped: before an epoch was compared"]),
        (
            Reproduced("r", "different", 2, 2, (), False, WeightsCompared(9, "a", "b"), {"torch": ("1", "2")}),
            ["different: not the numbers of 2 epochs, but the weights after step 9", "around it differ: torch 1 → 2"],
        ),
        (
            Reproduced(
                "r", "different", 2, 3, (LOSS, Difference(2, "steered", True, False)), False, None, {"a": ("b", "c")}
            ),
            [
                "different: epoch 2, test loss: was 0.1, is 0.10000000000000002 (+1.4e-17); "
                "1 more number of this epoch",
                "around it differ: a b → c",
            ],
        ),
        (
            Reproduced("r", "different", 1, 1, (Difference(2, "outcome", "diverged", "finished"),), False, None, {}),
            [
                "different: epoch 2, outcome: was diverged, is finished",
                "around it differ: nothing that was recorded: versions, device, processor, threads, git commit",
            ],
        ),
    ],
)
def test_verdicts_in_words(result: Reproduced, lines: list[str]) -> None:
    """Two numbers that look alike are printed in full."""
    assert verdict_lines(result) == lines
