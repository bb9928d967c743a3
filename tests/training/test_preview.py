"""What is shown before a run begins is what the run will do."""

import gc
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.reliability import few_images, new_training

from mnist_tui.runs.control import Control
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import data, loop, preview
from mnist_tui.training.data import Dataset
from mnist_tui.training.preview import AugmentedSample, sample_augmented, scheduled_rates

LAYERS = "Flatten()\nLinear(10)"


def spec_of(**recipe: Any) -> RunSpec:
    """A run with a recipe."""
    return make_spec({"layers": LAYERS, "train": recipe})


@pytest.fixture(autouse=True)
def _small(digits: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The digits are read once for all tests; MNIST is nowhere."""
    monkeypatch.delenv("MNIST_TUI_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preview, "load_digits", lambda: digits)
    preview._read.cache_clear()


def sample(draw: int = 0, count: int = 12, **recipe: Any) -> AugmentedSample:
    """The sample of digits with the number `draw`."""
    return sample_augmented(spec_of(**recipe), Options(dataset="digits"), count, draw)


# --- digits ----------------------------------------------------------------------------------------------------------


def test_a_draw_is_the_same_again() -> None:
    """The same number gives the same digits in the same way; another one gives others."""
    augment = ["RandomRotation(15)", "RandomAffine(0, translate=(0.1, 0.1))"]

    assert sample(3, augment=augment) == sample(3, augment=augment)
    assert sample(3, augment=augment) != sample(4, augment=augment)


def test_without_augmentation_they_are_training_images(digits: Dataset) -> None:
    """Without augmentation the digits are training images, pixel for pixel, with their labels."""
    stored = {
        (bytes(image.flatten().tolist()), int(label))
        for image, label in zip(digits.train.pixels, digits.train.labels, strict=True)
    }
    drawn = sample()

    assert drawn.dataset == "digits"
    assert set(zip(drawn.digits, drawn.labels, strict=True)) <= stored


def test_validation_images_are_never_drawn(digits: Dataset) -> None:
    """What is kept back to choose by is not what the network is trained on."""
    count = round(30_000 / 60_000 * len(digits.train))
    _, val = data.split(digits.train, count, 0)
    assert val is not None
    kept_back = {bytes(image.flatten().tolist()) for image in val.pixels}
    drawn = sample(count=300, validation_images=30_000)

    assert len(drawn.digits) == 300
    assert not kept_back & set(drawn.digits)


def test_augmentation_is_the_trainings() -> None:
    """An inversion with probability 1 gives 255 less each pixel."""
    plain, inverted = sample(5), sample(5, augment=["RandomInvert(p=1.0)"])

    assert inverted.labels == plain.labels
    assert inverted.digits == tuple(bytes(255 - pixel for pixel in image) for image in plain.digits)


def test_what_goes_image_by_image_is_named() -> None:
    """Transforms applied image by image are named, and leave torch's random state as it was."""
    torch.manual_seed(1)
    before = torch.get_rng_state()
    drawn = sample(augment=["RandomPerspective()"])

    assert drawn.slow == ("RandomPerspective",)
    assert torch.equal(torch.get_rng_state(), before)


def test_while_this_process_trains_no_random_state_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes image by image is only named; batched transforms are drawn as ever."""

    def refuse(*_: object) -> None:
        raise AssertionError("torch's global random state is set")

    batched = ["RandomApply([CenterCrop(22)], p=0.1)", "Resize((28, 28))", "RandomRotation(15)"]
    slow = ["RandomRotation(15)", "RandomPerspective()"]
    drawn = sample(augment=batched)
    for name in ("manual_seed", "set_rng_state"):
        monkeypatch.setattr(torch, name, refuse)
    kept_back = sample_augmented(spec_of(augment=slow), Options(dataset="digits"), 12, 0, is_training=True)

    assert sample_augmented(spec_of(augment=batched), Options(dataset="digits"), 12, 0, is_training=True) == drawn
    assert (kept_back.slow, kept_back.digits) == (("RandomPerspective",), ())


def test_more_than_there_are(digits: Dataset) -> None:
    """A sample is at most as large as the training set."""
    assert len(sample(count=10_000, augment=["RandomRotation(15)"]).digits) == len(digits.train)


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where MNIST is not on the machine, the small digits are shown, and said."""

    def refuse(*_: object) -> None:
        raise AssertionError("a preview downloads")

    monkeypatch.setattr(data, "downloading", refuse)

    assert sample_augmented(spec_of(), Options(dataset="mnist"), 3, 0).dataset == "digits"
    assert sample_augmented(spec_of(), Options(dataset="auto"), 3, 0).dataset == "digits"


def test_the_data_is_read_once(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated samples read the data once."""
    reads: list[int] = []

    def read() -> Dataset:
        reads.append(1)
        return digits

    monkeypatch.setattr(preview, "load_digits", read)
    for draw in range(5):
        sample(draw)

    assert len(reads) == 1


# --- rates -----------------------------------------------------------------------------------------------------------

RECIPES: dict[str, dict[str, Any]] = {
    "none": {},
    "StepLR": {"scheduler": "StepLR(step_size=1, gamma=0.5)"},
    "OneCycleLR": {"scheduler": "OneCycleLR(0.1, epochs=epochs, steps_per_epoch=steps_per_epoch)"},
    "a burst": {"scheduler": "CosineAnnealingLR(2*steps_per_epoch)", "scheduler_step": "burst"},
    "by batch": {"scheduler": "ExponentialLR(0.9)", "scheduler_step": "batch"},
    "in sequence": {
        "scheduler": "SequentialLR([LinearLR(0.1, total_iters=4), StepLR(step_size=2, gamma=0.5)], milestones=[4])",
        "scheduler_step": "batch",
    },
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_rates_are_the_trainings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step what a real run of the same recipe has, on as many images."""
    images = len(few_images().train)
    spec = spec_of(epochs=4, batch_size=32, optimizer="SGD(lr=0.01)", **RECIPES[name])
    monkeypatch.setattr(preview, "_steps_per_epoch", lambda spec: spec.steps_per_epoch(images))
    training = new_training(spec)
    rates: list[float] = []
    training.optimizer.register_step_pre_hook(lambda *_: rates.append(training.learning_rate))
    list(loop.train(training, Control()))

    assert len(rates) == 20
    assert scheduled_rates(spec) == pytest.approx(rates, rel=1e-12)


def test_a_schedule_that_follows_the_loss_is_flat() -> None:
    """ReduceLROnPlateau is drawn flat, since no loss is known yet."""
    rates = scheduled_rates(spec_of(optimizer="SGD(lr=0.3)", scheduler="ReduceLROnPlateau()"))

    assert set(rates) == {0.3}
    assert len(rates) == preview.RATES


def test_a_long_schedule_keeps_its_curve() -> None:
    """A cycle over a million steps is simulated with fewer, and looks the same."""
    call = "OneCycleLR(0.1, epochs=epochs, steps_per_epoch=steps_per_epoch)"
    short, long = (
        scheduled_rates(spec_of(optimizer="SGD(lr=0.01)", scheduler=call, epochs=epochs)) for epochs in (20, 1000)
    )

    assert max(long) == pytest.approx(max(short), rel=1e-3)
    assert long == pytest.approx(short, abs=2e-3)


def test_what_is_too_long_is_not_drawn() -> None:
    """A schedule with too many steps is not drawn, rather than drawn wrong."""
    call = {"scheduler": "StepLR(step_size=1000, gamma=0.9)", "scheduler_step": "batch"}

    assert scheduled_rates(spec_of(optimizer="SGD(lr=0.1)", epochs=10_000, **call)) == ()


@pytest.mark.parametrize("name", presets.builtin_names())
def test_every_presets_rates_come_at_once(name: str) -> None:
    """The rates of every preset take under 0.5 s of the processor's time and give no warning."""
    spec = presets.load(name)
    began = time.process_time()
    rates = scheduled_rates(spec)

    assert time.process_time() - began < 0.5
    assert len(rates) == min(preview.RATES, spec.train.epochs * spec.steps_per_epoch())


# --- warming up ------------------------------------------------------------------------------------------------------

WARM_UP = """
import gc, sys
from mnist_tui.training.warm_up import warm_up
warm_up()
print(gc.get_freeze_count() > 100_000, "torch.optim.adam" in sys.modules)
"""


@pytest.mark.slow
def test_warming_up_loads_and_freezes_all() -> None:
    """What a first run waits for is there and out of the collector's way; the process ends without a word."""
    done = subprocess.run([sys.executable, "-c", WARM_UP], capture_output=True, text=True, timeout=120, check=True)

    assert done.stdout == "True True\n"
    assert done.stderr == ""
    assert gc.get_freeze_count() == 0  # Not in this process, where it would hide leaks.
