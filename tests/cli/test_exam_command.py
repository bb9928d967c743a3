"""`mnist-tui exam`: the same weights on digits that nothing was chosen on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.data_sets import install
from helpers.saved_runs import make_reference

from mnist_tui.datasets.published import PUBLISHED
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Downloading
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.training import session

KNOWN, ALL = 60, 300


@pytest.fixture
def command(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A folder with a run on a small MNIST, whose test images are the first of a small QMNIST's."""
    monkeypatch.chdir(tmp_path)
    train_on(tmp_path, monkeypatch, "mnist")
    install(monkeypatch, tmp_path / "data", "qmnist", train=20, test=ALL)
    monkeypatch.setenv("MNIST_TUI_DATA_DIR", str(tmp_path / "data"))
    return command


def train_on(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Trains a linear network for an epoch."""
    install(monkeypatch, folder / "data", name, train=200, test=KNOWN)
    options = Options(device="cpu", data_dir=folder / "data", runs_dir=folder / "runs", threads=1, dataset=name)
    train = {"epochs": 1, "batch_size": 20, "optimizer": "Adam(lr=0.001)"}
    spec = make_spec({"name": "tiny", "layers": "Flatten()\nLinear(10)", "train": train})
    list(session.run(spec, options, Control()))


def first_run() -> str:
    """The folder of the run on MNIST."""
    return str(min(Path("runs").iterdir(), key=lambda path: path.stat().st_mtime))


def test_the_exam(command: Command) -> None:
    """Both accuracies with their intervals, the difference, and whether it is more than chance."""
    code, text, error = command("exam", first_run())

    assert (code, error) == (0, "")
    assert "tiny s0, 7,850 parameters: epoch 1 of 1, chosen on the test images" in text
    assert f"{KNOWN} images" in text
    assert f"{ALL - KNOWN} images" in text
    assert "test above exam by" in text
    assert "4 writers" in text


def test_the_exam_as_json(command: Command) -> None:
    """The numbers agree with those of the run, and with each other."""
    record = json.loads(command("exam", first_run(), "--json")[1])
    test, exam = record["test"], record["exam"]

    assert (test["images"], exam["images"]) == (KNOWN, ALL - KNOWN)
    assert test["accuracy"] == pytest.approx(1 - test["wrong"] / KNOWN)
    assert record["difference"] == pytest.approx(test["accuracy"] - exam["accuracy"])
    assert record["difference_low"] <= record["difference"] <= record["difference_high"]
    assert exam["interval_low"] <= exam["accuracy"] <= exam["interval_high"]
    assert exam["accuracy"] > 0.15


def test_a_run_of_other_images(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network for clothes takes no exam of digits."""
    train_on(tmp_path, monkeypatch, "fashion-mnist")
    folder = next(path for path in (tmp_path / "runs").iterdir() if "fashion" in (path / "run.json").read_text())
    code, _, error = command("exam", str(folder))

    assert code == 2
    assert "was trained on fashion-mnist; the exam is one of digits" in error


def test_without_predictions_the_test_images_are_those_of_qmnist(command: Command) -> None:
    """Which is said; but predictions that are damaged are an error, since the run was chosen by others."""
    file = Path(first_run()) / "predictions.npz"
    with_them = command("exam", first_run())[1]
    file.write_bytes(file.read_bytes()[:-100])
    code, _, error = command("exam", first_run())
    file.unlink()
    without = command("exam", first_run())[1]

    assert "test images, MNIST's own" in with_them
    assert code == 3
    assert "predictions.npz" in error
    assert "test images, as in QMNIST" in without


def test_a_reference_run_has_no_weights(command: Command, reference_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is said before anything is downloaded."""
    folder = make_reference(reference_dir, presets.load("iter5"))
    monkeypatch.setattr("mnist_tui.training.exam.fetch_exam", lambda data_dir: pytest.fail("it is downloaded"))
    code, _, error = command("exam", f"reference/{folder.name}")

    assert code == 2
    assert "reference runs have no weights" in error


def test_weights_that_were_removed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is said before anything is downloaded, too."""
    for path in Path(first_run()).glob("*.safetensors"):
        path.unlink()
    monkeypatch.setattr("mnist_tui.training.exam.fetch_exam", lambda data_dir: pytest.fail("it is downloaded"))
    code, _, error = command("exam", first_run())

    assert code == 3
    assert "no weights are kept of epoch 1" in error


def test_digits_that_are_fetched(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said that they are, and stdout has the result alone."""
    file = tmp_path / "data" / PUBLISHED["qmnist"].folders[0] / PUBLISHED["qmnist"].files[2].name
    content = file.read_bytes()

    def downloading(*args: object, **kwargs: object) -> Iterator[Downloading]:
        yield Downloading(file.name, 1, len(content))
        file.write_bytes(content)

    monkeypatch.setattr("mnist_tui.training.exam.downloading", downloading)
    expected = command("exam", first_run())
    file.unlink()
    code, text, error = command("exam", first_run())

    assert (code, text) == expected[:2]
    assert error.splitlines() == [f"downloading QMNIST's test digits (10 MB) to {file.parent}"]


def test_digits_that_are_not_there(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing and where it belongs, in one line."""

    def no_network(*args: object, **kwargs: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("mnist_tui.training.exam.downloading", no_network)
    (tmp_path / "data" / PUBLISHED["qmnist"].folders[0] / PUBLISHED["qmnist"].files[2].name).unlink()
    code, _, error = command("exam", first_run())

    assert code == 3
    assert "QMNIST's test digits, which could not be downloaded (no network). Put qmnist-test-images" in error


def test_other_labels_than_the_runs(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose test images are not those that QMNIST begins with is not compared with them."""
    data = PUBLISHED["mnist"]
    monkeypatch.setitem(PUBLISHED, "mnist", type(data)(**{**vars(data), "test_images": 50}))
    code, _, error = command("exam", first_run())

    assert code == 3
    assert "was not tested on the digits that the exam's begin with" in error
