"""What a checkpoint says about digits is what the training's own evaluation says, and asking changes no training."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.reliability import few_images, new_training, run, small_spec, state_on_disk
from torch import Tensor

from mnist_tui.errors import CheckpointError, RunError
from mnist_tui.runs import history, storage
from mnist_tui.runs.events import RunStarted, best_of
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import build, checkpoint, predict
from mnist_tui.training.batches import normalise
from mnist_tui.training.data import Images
from mnist_tui.training.evaluation import evaluate
from mnist_tui.training.predict import MAX_BYTES, Predictions, load_network

COUNT = 12
DIGITS = tuple(bytes(image.flatten().tolist()) for image in few_images().train.pixels[:COUNT])


def trained(runs_dir: Path, spec: RunSpec, steps: int = 10_000) -> Path:
    """The folder of a run of 5 steps an epoch, stopped after so many steps."""
    events = list(run(runs_dir, spec, steps))
    assert isinstance(events[0], RunStarted)
    return Path(events[0].folder)


def evaluated(spec: RunSpec, folder: Path) -> list[tuple[int, float]]:
    """Class and probability that the training itself computes for the digits, by the newest checkpoint."""
    training = new_training(spec)
    checkpoint.restore(training, next(storage.readable_checkpoints(folder))[1])
    pixels, settings = few_images().train.pixels[:COUNT], spec.train

    def answer(labels: Tensor) -> Any:
        return evaluate(training.forward_model, Images(pixels, labels), settings.eval_batch_size, settings.normalize)

    labels = answer(torch.zeros(COUNT, dtype=torch.int64)).predictions.long()
    return list(zip(labels.tolist(), answer(labels).probabilities.tolist(), strict=True))


def predicted(spec: RunSpec, folder: Path) -> Predictions:
    """The predictions for the digits."""
    predictions = predict.predict(spec, folder, DIGITS)
    assert predictions is not None
    return predictions


# --- right ---


def test_predictions_are_the_trainings(tmp_path: Path) -> None:
    """In eval mode, normalised as in training; to rounding, since the training evaluates a fused network."""
    spec = small_spec(normalize=(0.3, 0.2), epochs=4)
    folder = trained(tmp_path, spec)
    predictions, expected = predicted(spec, folder), evaluated(spec, folder)

    assert [one.label for one in predictions.of_images] == [label for label, _ in expected]
    assert [one.probability for one in predictions.of_images] == pytest.approx([p for _, p in expected], abs=1e-5)
    assert len({round(probability, 3) for _, probability in expected}) > 3


@pytest.mark.parametrize(("steps", "where"), [(10_000, (2, None)), (7, (2, 2)), (5, (1, None)), (2, (1, 2))])
def test_how_far_it_was_trained(steps: int, where: tuple[int, int | None], tmp_path: Path) -> None:
    """Predictions carry the epoch, and the step of a run that was stopped inside it."""
    spec = small_spec()
    predictions = predicted(spec, trained(tmp_path, spec, steps))

    assert (predictions.epoch, predictions.step) == where


MANY_LAYER_TYPES = """
Conv2d(4, 3)
InstanceNorm2d(affine=True, track_running_stats=True)
PReLU(4)
GroupNorm(2)
Residual(Conv2d(4, 3, padding=1), BatchNorm2d())
Parallel(Sequential(Conv2d(3, 1), BatchNorm2d), Identity)
SqueezeExcite(2)
Repeat(2, Conv2d(7, 1), BatchNorm2d)
Conv2d(4, 1)
AvgPool2d(4)
LayerNorm()
RMSNorm()
Flatten()
Linear(16)
BatchNorm1d(affine=False)
Linear(10, bias=False)
"""
SPECS = {name: presets.load(name) for name in presets.builtin_names()} | {
    "many layer types": make_spec({"layers": MANY_LAYER_TYPES})
}


@pytest.mark.parametrize("name", SPECS)
def test_every_network_is_built_whole(name: str) -> None:
    """Every weight and buffer comes from the checkpoint, and the outputs are the trained network's."""
    spec = SPECS[name]
    torch.manual_seed(5)
    network = build.network(spec)
    images = torch.rand(16, 1, 28, 28)
    network(images)  # Moves the running statistics from where a new network has them.
    tensors = {f"model.{key}": value for key, value in network.state_dict().items()}
    rebuilt = predict._load_weights(spec, tensors | {"losses": torch.zeros(1)})

    with torch.no_grad():
        assert torch.equal(rebuilt(images), network.eval()(images))


def test_the_network_of_the_best_epoch(tmp_path: Path) -> None:
    """Without a number that of the best epoch, whose accuracy it has; with a number that of another one."""
    spec = small_spec(epochs=4)
    folder = trained(tmp_path, spec)
    rows = history.read_history(folder)
    best = best_of(rows)
    assert best is not None
    images = few_images().test
    inputs = normalise(images.pixels, *spec.train.normalize)

    for network, row in ((load_network(folder), best), (load_network(folder, 4), rows[-1])):
        assert not network.training
        answers = network(inputs).argmax(dim=1)
        assert (answers == images.labels).float().mean().item() == pytest.approx(row.test_accuracy)


@pytest.mark.parametrize("steps", [0, 2])
def test_weights_that_are_not_kept(steps: int, tmp_path: Path) -> None:
    """An epoch that is neither the best nor one of the newest, a run without an epoch, and a folder that is no run."""
    folder = trained(tmp_path, small_spec(), steps=steps)
    with pytest.raises(CheckpointError, match="has no epoch yet"):
        load_network(folder)
    with pytest.raises(CheckpointError, match="no weights are kept of epoch 9"):
        load_network(folder, 9)
    with pytest.raises(RunError, match="no such run folder"):
        load_network(tmp_path / "nothing")


@pytest.mark.parametrize("epoch", [0, -1])
def test_epochs_count_from_1(epoch: int, tmp_path: Path) -> None:
    """0 does not stand for the best epoch, nor for the random weights before the first step."""
    folder = trained(tmp_path, small_spec())

    with pytest.raises(CheckpointError, match=f"has no epoch {epoch}; they count from 1"):
        load_network(folder, epoch)


def flip_last_bit(path: Path) -> None:
    """Damages the last weight of a checkpoint."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_the_best_epoch_beside_a_damaged_newer_one(tmp_path: Path) -> None:
    """A damaged checkpoint of another epoch hides no good weights."""
    folder = trained(tmp_path, small_spec(epochs=4))
    newest, before, *_ = storage.checkpoints(folder)
    expected = load_network(folder, 3).state_dict()
    flip_last_bit(newest)
    found = load_network(folder, 3).state_dict()

    assert int(before.stem[5:]) == 3 * 5
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_damaged_checkpoint_of_the_epoch(tmp_path: Path) -> None:
    """The error is one line, begins with the file, says that it is damaged, and names no exception."""
    folder = trained(tmp_path, small_spec(epochs=4))
    newest = storage.checkpoints(folder)[0]
    flip_last_bit(newest)
    end = "; no other checkpoint has the weights of epoch 4"
    with pytest.raises(CheckpointError) as flipped:
        load_network(folder, 4)
    newest.write_bytes(newest.read_bytes()[:100])
    with pytest.raises(CheckpointError) as cut_off:
        load_network(folder, 4)

    assert str(flipped.value) == f"{newest}: is damaged: the SHA-256 differs{end}"
    assert str(cut_off.value) == f"{newest}: is damaged, or is no checkpoint{end}"


# --- what cannot be read ---


def test_without_a_checkpoint(tmp_path: Path) -> None:
    """Before the first epoch there are no predictions."""
    assert predict.predict(small_spec(), tmp_path, DIGITS) is None


def test_a_checkpoint_that_is_deleted_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint deleted between listing and reading is skipped for a later one."""
    monkeypatch.setattr(predict, "checkpoints", lambda folder: [folder / "ckpt-00000005.safetensors"])

    assert predict.predict(small_spec(), tmp_path, DIGITS) is None


def test_a_large_checkpoint_is_left_alone(tmp_path: Path) -> None:
    """It would take the time and the memory that the training needs."""
    with open(tmp_path / "ckpt-00000005.safetensors", "wb") as file:
        file.truncate(MAX_BYTES + 1)

    assert predict.predict(small_spec(), tmp_path, DIGITS) is None


def test_a_checkpoint_that_does_not_fit(tmp_path: Path) -> None:
    """A checkpoint that is damaged or of another network raises an error."""
    folder = trained(tmp_path, small_spec())
    with pytest.raises(CheckpointError, match=r"^does not fit this network: its weights have other names or shapes$"):
        predict.predict(make_spec({"layers": "Flatten()\nLinear(10)"}), folder, DIGITS)

    storage.checkpoints(folder)[0].write_bytes(b"no checkpoint")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        predict.predict(small_spec(), folder, DIGITS)


# --- beside a training ---


def test_nothing_of_the_process_is_changed(tmp_path: Path) -> None:
    """Predicting changes no random state, threads, default dtype and device, or gradient mode."""
    spec = small_spec()
    folder = trained(tmp_path, spec)

    def state() -> list[Any]:
        flags = (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype())
        return [torch.get_rng_state().tolist(), torch.get_num_threads(), *flags, torch.empty(0).device]

    before = state()
    predict.predict(spec, folder, DIGITS)

    assert state() == before


@pytest.mark.slow
def test_a_training_is_the_same_bit_by_bit(tmp_path: Path) -> None:
    """While another thread predicts without a pause: history, weights, moments, random states, test predictions."""
    spec = small_spec(epochs=20)
    alone = state_on_disk(trained(tmp_path / "alone", spec))
    done, counts = threading.Event(), [0]
    folders: list[Path] = []

    def predict_on() -> None:
        while not done.is_set():
            counts[0] += predict.predict(spec, folders[0], DIGITS) is not None

    thread = threading.Thread(target=predict_on)
    for event in run(tmp_path / "watched", spec):
        if isinstance(event, RunStarted):
            folders.append(Path(event.folder))
            thread.start()
    done.set()
    thread.join()

    assert state_on_disk(folders[0]) == alone
    assert len(alone["history"]) == 20
    assert counts[0] > 5
