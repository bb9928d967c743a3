"""The script in a process without this package: the run's answers exactly, and training again from the same start.

Where nothing is augmented, the initial weights, the images of every step and the numbers that dropout draws are equal,
and so the losses are those of a run with --no-fuse up to rounding, and close to those of a fused one. Augmentation
cannot be equal, since mnist-tui draws its random numbers for whole batches: there, only the order of the labels is.
"""

import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
from helpers.exports import RICH, all_names, train_on_digits, write_as_mnist
from torch import Tensor

from mnist_tui.export.script import script_files
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets
from mnist_tui.training import loop
from mnist_tui.training.data import Dataset
from mnist_tui.training.predict import load_network
from mnist_tui.training.session import make_training

pytestmark = pytest.mark.slow

SPECS = {
    "rich": RICH,
    "iter5": presets.load("iter5").with_settings({"epochs": "1"}),
    "averaged": RICH.with_settings(
        {"average": "EMA(decay=0.9)", "optimizer.weight_decay": "0.1", "no_decay": "norm, bias"}
    ),
    "validation": presets.load("exp14").with_settings({"epochs": "2", "batch_size": "128"}),
}
"""Dropout and a schedule over the steps; augmentation; an average of the weights; a validation split."""
DRIVER = """
import contextlib, importlib.util, io, json, sys
sys.modules["mnist_tui"] = None  # Importing it fails.
import torch
torch.set_num_threads(1)

def run(path, data_dir, inputs):
    spec = importlib.util.spec_from_file_location("script", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    logits = script.load_network()(inputs)
    losses, seen, train_epoch = [], [], script.train_epoch
    def recorded(network, loader, loss_function, *others):
        def recorded_loss(logits, labels):
            loss = loss_function(logits, labels)
            losses.append(loss.item())
            seen.append(labels)
            return loss
        return train_epoch(network, loader, recorded_loss, *others)
    script.train_epoch = recorded
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        sys.argv = [path, "--data-dir", data_dir, "--device", "cpu"]
        script.main()
        sys.argv += ["--train", "--workers", "0", "--save", path + ".best"]
        script.main()
    best = torch.load(path + ".best", weights_only=True)
    return {"logits": logits, "losses": losses, "labels": seen, "printed": printed.getvalue(), "best": best}

data_dir, inputs, *paths = sys.argv[1:]
torch.save({path: run(path, data_dir, torch.load(inputs)) for path in paths}, "results.pt")
"""


@dataclass(frozen=True)
class Alone:
    """A run, and what its script says in a process of its own."""

    run: Run
    logits: Tensor
    losses: list[float]
    """Of every step."""
    labels: list[Tensor]
    """Of every step's images."""
    printed: list[str]
    best: dict[str, Tensor]


@pytest.fixture(scope="module")
def inputs() -> Tensor:
    """Images of noise."""
    return torch.randn(64, 1, 28, 28, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def alone(digits: Dataset, inputs: Tensor, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Alone]:
    """Every run and its script; one process for all, since torch and torchvision take seconds to load."""
    work = tmp_path_factory.mktemp("alone")
    write_as_mnist(digits.train, digits.test, work / "data")
    torch.save(inputs, work / "inputs.pt")
    runs = {name: train_on_digits(spec, work / "runs" / name, fuse=False) for name, spec in SPECS.items()}
    for name, run in runs.items():
        text, weights = script_files(run, work / f"{name}.py")
        # The share of validation images of a data set as small as this.
        (work / f"{name}.py").write_bytes(text.replace(b"[10000, 50000]", b"[240, 1197]"))
        (work / f"{name}.pt").write_bytes(weights)
    subprocess.run(
        [sys.executable, "-c", DRIVER, "data", "inputs.pt", *(f"{name}.py" for name in runs)],
        cwd=work,
        timeout=200,
        check=True,
    )
    results = torch.load(work / "results.pt")
    return {
        name: Alone(
            run, result["logits"], result["losses"], result["labels"], result["printed"].splitlines(), result["best"]
        )
        for name, run in runs.items()
        for result in [results[f"{name}.py"]]
    }


@pytest.mark.parametrize("name", SPECS)
def test_the_trained_network_gives_the_same_logits(name: str, alone: dict[str, Alone], inputs: Tensor) -> None:
    """Bit for bit."""
    assert torch.equal(alone[name].logits, load_network(alone[name].run.folder)(inputs))


@pytest.mark.parametrize("name", SPECS)
def test_it_tests_as_the_run_did(name: str, alone: dict[str, Alone]) -> None:
    """Without --train it prints loss and accuracy of the best epoch, on the images of the run."""
    word, loss, accuracy = alone[name].printed[0].split()

    assert word == "test"
    assert float(loss) == pytest.approx(alone[name].run.best["test_loss"], abs=1e-4)
    assert accuracy == f"{alone[name].run.best_accuracy:.2%}"


def first_epoch(run: Run, digits: Dataset, fuse: bool = False) -> tuple[list[float], list[Tensor]]:
    """The loss and the labels of each step that mnist-tui takes in the first epoch of a run."""
    assert run.spec is not None
    training = make_training(run.spec, digits, torch.device("cpu"), fuse)
    training.begin_epoch()
    labels = [training.batches.take()[1].clone() for _ in range(training.steps_per_epoch)]
    events = loop.train(training, Control())
    while not isinstance(next(events), EpochEnded):
        pass
    training.batches.close()
    return training.step.losses.tolist(), labels


@pytest.mark.parametrize("name", SPECS)
def test_training_again_takes_the_same_images_in_the_same_order(
    name: str, alone: dict[str, Alone], digits: Dataset
) -> None:
    """In the first epoch of every run, those that are split off for validation left out."""
    _, labels = first_epoch(alone[name].run, digits)
    taken = alone[name].labels[: len(labels)]

    assert len(labels) > 5
    assert all(torch.equal(a, b) for a, b in zip(taken, labels, strict=True))


@pytest.mark.parametrize(("name", "rounding"), [("rich", 1e-6), ("averaged", 1e-6), ("validation", 5e-3)])
def test_training_again_gives_the_same_losses(
    name: str, rounding: float, alone: dict[str, Alone], digits: Dataset
) -> None:
    """In every step of the first epoch; Adam, in "validation", makes much of rounding while gradients are near 0."""
    losses, _ = first_epoch(alone[name].run, digits)

    assert alone[name].losses[:2] == pytest.approx(losses[:2], rel=1e-5)
    assert alone[name].losses[: len(losses)] == pytest.approx(losses, rel=rounding)


def test_fused_layers_give_nearly_the_same_losses(alone: dict[str, Alone], digits: Dataset) -> None:
    """As mnist-tui trains without --no-fuse: they round differently, and training amplifies it."""
    losses, _ = first_epoch(alone["rich"].run, digits, fuse=True)
    again = alone["rich"].losses[: len(losses)]

    assert again[:3] == pytest.approx(losses[:3], rel=1e-4)
    assert again == pytest.approx(losses, rel=2e-2)
    assert again != pytest.approx(losses, rel=1e-6)


def test_with_augmentation_the_losses_are_those_of_other_images(alone: dict[str, Alone], digits: Dataset) -> None:
    """Close on the average of the first epoch, not equal: the control of the test above."""
    losses, _ = first_epoch(alone["iter5"].run, digits)
    again = alone["iter5"].losses[: len(losses)]

    assert again[:3] != pytest.approx(losses[:3], rel=1e-5)
    assert sum(again) / len(again) == pytest.approx(sum(losses) / len(losses), rel=0.1)


@pytest.mark.parametrize("name", ["rich", "averaged", "validation"])
def test_the_whole_training_comes_out_alike(name: str, alone: dict[str, Alone]) -> None:
    """Each epoch's line has the run's numbers; the weights of the best epoch are saved.

    The accuracies of a network that has only begun to learn follow the rounding of a processor, here to 18 images.
    """
    run = alone[name].run
    for row, line in zip(run.rows, alone[name].printed[1:], strict=True):
        words = line.split()
        losses, accuracies = (dict(zip(words[2::3], words[place::3], strict=False)) for place in (3, 4))
        assert words[:2] == ["epoch", f"{row.epoch}/{len(run.rows)}"]
        assert float(losses["train"]) == pytest.approx(row.train_loss, rel=0.01)
        assert float(losses["test"]) == pytest.approx(row.test_loss, rel=0.02)
        assert float(accuracies["test"].rstrip("%")) == pytest.approx(100 * row.test_accuracy, abs=5)
        assert ("val" in losses) == (row.val_loss is not None)
    assert alone["validation"].printed[1].endswith("  lr 0.001")
    assert set(alone[name].best) == {f"layers.{key}" for key in all_names(load_network(run.folder))}
