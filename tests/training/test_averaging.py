"""`average`: the numbers are those of torch.optim.swa_utils, and everything but the training itself uses them."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.reliability import (
    advanced,
    check_same,
    few_images,
    new_training,
    options,
    patched_session,
    run,
    small_spec,
    started_folder,
    state_of,
    state_on_disk,
)
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mnist_tui.runs.control import Control
from mnist_tui.runs.storage import load_run
from mnist_tui.training import checkpoint
from mnist_tui.training import resume as resuming
from mnist_tui.training.batches import normalise
from mnist_tui.training.predict import load_network, predict
from mnist_tui.training.state import Splits, Training

DECAY = 0.8
AVERAGED = small_spec(average=f"EMA(decay={DECAY})", scheduler=None)
PLAIN = small_spec(scheduler=None)
STEPS = 5


def state_of_network(training: Training) -> dict[str, Tensor]:
    """A copy of the network's weights and buffers."""
    return {name: value.clone() for name, value in training.model.state_dict().items()}


def floating(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state without counts of batches."""
    return {name: value for name, value in state.items() if value.is_floating_point()}


@pytest.mark.parametrize("fuse", [True, False])
def test_averages_are_those_of_pytorch(fuse: bool) -> None:
    """Bit for bit after every step, weights and running statistics; the first step is the whole average."""
    images = few_images()
    training = Training(AVERAGED, Splits(images.train, None, images.test), fuse)
    expected = AveragedModel(training.model, multi_avg_fn=get_ema_multi_avg_fn(DECAY), use_buffers=True)
    training.begin_epoch()
    assert training.average is not None
    assert training.average.state_dict() == {}
    for _ in range(STEPS):
        training.step(*training.batches.take())
        expected.update_parameters(training.model)
        averages, others = training.average.state_dict(), floating(expected.module.state_dict())

        assert averages.keys() == others.keys()
        assert all(torch.equal(averages[name], others[name]) for name in others)


def test_training_is_that_without_an_average() -> None:
    """Losses, accuracies on training images and the weights are the same bits; only the evaluations differ."""
    averaged, plain = advanced(new_training(AVERAGED)), advanced(new_training(PLAIN))
    names = ("train_loss", "train_accuracy", "gradient_norm", "weight_norm")
    rows = [[[getattr(row, name) for name in names] for row in one.rows] for one in (averaged, plain)]

    assert torch.equal(averaged.vector, plain.vector)
    assert rows[0] == rows[1]
    assert averaged.rows[-1].test_loss != plain.rows[-1].test_loss


def test_the_network_has_its_own_weights_again_after_an_evaluation() -> None:
    """Also where the evaluation ends in an error."""
    training = new_training(AVERAGED)
    training.begin_epoch()
    for _ in range(STEPS):
        training.step(*training.batches.take())
    own = state_of_network(training)
    assert training.average is not None
    used = {}
    with suppress(ZeroDivisionError), training.evaluated_weights():
        used = state_of_network(training)
        _ = 1 / 0

    assert all(torch.equal(value, training.model.state_dict()[name]) for name, value in own.items())
    assert all(torch.equal(value, used[name]) for name, value in training.average.state_dict().items())
    assert not torch.equal(used["7.weight"], own["7.weight"])


# --- what a run folder holds ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs."""
    return started_folder(list(run(tmp_path_factory.mktemp("runs"), AVERAGED)))


def test_a_loaded_network_is_the_one_that_was_evaluated(folder: Path) -> None:
    """`load_network`, of which exports, Analyse and the layer outputs make use, has the loss of the epoch's row."""
    images = few_images().test
    inputs = normalise(images.pixels, *AVERAGED.train.normalize)
    for row in load_run(folder).rows:
        network = load_network(folder, row.epoch)
        logits = network(inputs)

        assert cross_entropy(logits, images.labels).item() == pytest.approx(row.test_loss, rel=1e-4)
    saved = np.load(folder / "predictions.npz")
    best = load_network(folder)(inputs)
    assert saved["predictions"].tolist() == best.argmax(1).tolist()


def test_digits_are_predicted_by_the_average(folder: Path) -> None:
    """As Draw and the digits pane do it, from the newest checkpoint."""
    images = few_images().test
    predictions = predict(AVERAGED, folder, [bytes(image.reshape(-1).tolist()) for image in images.pixels])
    last = load_network(folder, AVERAGED.train.epochs)
    expected = last(normalise(images.pixels, *AVERAGED.train.normalize)).softmax(1).max(1).values

    assert predictions is not None
    assert [each.probability for each in predictions.of_images] == pytest.approx(expected.tolist(), rel=1e-4)


def test_weights_that_are_not_averaged_are_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the weights of the last step have another loss."""
    images = few_images().test
    row = load_run(folder).rows[-1]
    monkeypatch.setattr(checkpoint, "evaluated_weights", lambda tensors: checkpoint._with_prefix(tensors, "model."))
    logits = load_network(folder, row.epoch)(normalise(images.pixels, *AVERAGED.train.normalize))

    assert cross_entropy(logits, images.labels).item() != pytest.approx(row.test_loss, rel=5e-3)


def test_an_extended_run_is_one_that_had_its_epochs_from_the_start(folder: Path, tmp_path: Path) -> None:
    """The same bits, average included."""
    torch.manual_seed(999)
    with patched_session():
        events = list(resuming.extend(load_run(folder), 1, options(tmp_path / "more"), Control()))
    expected = started_folder(list(run(tmp_path / "all", AVERAGED.with_settings({"epochs": "3"}))))

    check_same(state_on_disk(started_folder(events)), state_on_disk(expected))


# --- checkpoints ---


@pytest.mark.parametrize("lost", ["average.0.weight", "average.1.running_mean"])
def test_the_saved_average_is_needed(lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with one tensor of the average as a new training has it, the run ends elsewhere."""
    content = checkpoint.dump(advanced(new_training(AVERAGED), 3))
    read = checkpoint.read

    def read_without(content: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, state = read(content)
        tensors[lost] = torch.zeros_like(tensors[lost])
        return tensors, state

    training = new_training(AVERAGED)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "read", read_without)
        checkpoint.restore(training, content)
    expected = state_of(checkpoint.dump(advanced(new_training(AVERAGED))))

    assert state_of(checkpoint.dump(advanced(training))) != expected


def test_the_digest_of_weights_is_that_of_the_average_too() -> None:
    """What `mnist-tui repro` compares; without an average it is the digest of version 0.1."""
    averaged, plain = (checkpoint.dump(advanced(new_training(spec))) for spec in (AVERAGED, PLAIN))
    tensors, _ = checkpoint.read(averaged)
    of_network = {name: value for name, value in tensors.items() if name.startswith("model.")}

    assert checkpoint.weights_sha256(plain) == checkpoint._digest("", of_network)
    assert checkpoint.weights_sha256(averaged) != checkpoint.weights_sha256(plain)
