"""The learning-rate finder finds rates that train, the same ones again, and leaves no trace."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import reliability
from helpers.reliability import few_images, only_folder, state_on_disk

from mnist_tui.errors import DataError, DeviceError, MnistTuiError, SpecError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Notice
from mnist_tui.runs.lr_range import STEEPEST, TENTH, RatesFound, RateTried, geometric_rates
from mnist_tui.spec.learning_rate import learning_rate_settings
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import lr_finder, session
from mnist_tui.training.data import Dataset
from mnist_tui.training.lr_finder import find_learning_rate
from mnist_tui.training.state import Splits, Training
from mnist_tui.training.step import TrainStep

DIGITS = Options(device="cpu", dataset="digits", threads=1)
STEPS = 19


def small(**recipe: Any) -> RunSpec:
    """A recipe with everything that has a state, 19 steps an epoch of the few images."""
    return reliability.small_spec(**({"batch_size": 8} | recipe))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The finder works on the 150 random images."""
    monkeypatch.setattr(lr_finder, "loading", reliability.loads(lambda choice: few_images()))


def found(spec: RunSpec, options: Options = DIGITS) -> RatesFound:
    """The last event, with the result."""
    *_, last = find_learning_rate(spec, options, Control())
    assert isinstance(last, RatesFound)
    return last


# --- what it finds ---


@pytest.mark.slow
def test_the_suggestions_train_on_digits(tmp_path: Path, digits: Dataset) -> None:
    """A run at either rate reaches a lower loss in two epochs than at a hundredth or a thousand times of it."""
    spec = make_spec(
        {"layers": "Flatten()\nLinear(10)", "train": {"epochs": 2, "batch_size": 16, "optimizer": "SGD(lr=0.1)"}}
    )
    rates = {suggestion.rule: suggestion.rate for suggestion in found(spec).suggestions}

    def loss(rate: float) -> float:
        at_rate = spec.with_settings(learning_rate_settings(spec, rate))
        options = Options(device="cpu", dataset="digits", threads=1, runs_dir=tmp_path)
        rows = [event for event in session.run(at_rate, options, Control()) if isinstance(event, EpochEnded)]
        return rows[-1].test_loss

    assert list(rates) == [STEEPEST, TENTH]
    for rate in rates.values():
        assert loss(rate) < min(loss(rate / 100), loss(rate * 1000))


@pytest.mark.usefixtures("few")
def test_events() -> None:
    """One for each step at geometric rates, up to where it ends; then the result, which repeats them."""
    *tried, last = find_learning_rate(small(), DIGITS, Control())
    steps = [event for event in tried if isinstance(event, RateTried)]

    assert isinstance(last, RatesFound)
    assert len(steps) == len(tried)
    assert [event.step for event in steps] == list(range(1, len(steps) + 1))
    assert {event.steps for event in steps} == {STEPS}
    assert tuple(event.rate for event in steps) == last.rates == geometric_rates(STEPS)[: len(steps)]
    assert tuple(event.loss for event in steps) == last.losses
    assert tuple(event.smoothed for event in steps) == last.smoothed
    assert last.ended in ("completed", "diverged")


@pytest.mark.usefixtures("few")
def test_the_first_loss_is_a_runs() -> None:
    """The same weights on the same batch, augmented alike: at the lowest rate, the losses of a run at that rate."""
    spec = small(augment=["RandomRotation(15)"], optimizer="SGD(lr=0.000001)", scheduler="StepLR(5)")
    torch.set_num_threads(1)
    training = Training(spec, Splits(few_images().train, None, few_images().test))
    training.begin_epoch()
    training.step(*training.batches.take())

    assert found(spec).losses[0] == training.step.losses[0].item()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("fuse", [True, False])
def test_it_trains_as_a_run_would(fuse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On fused layers, or on the plain network where the options say so."""
    built: list[Training] = []

    def build(*arguments: Any) -> Training:
        built.append(Training(*arguments))
        return built[-1]

    monkeypatch.setattr(lr_finder, "Training", build)
    found(small(), replace(DIGITS, fuse=fuse))

    assert [training.is_fused for training in built] == [fuse]


@pytest.mark.usefixtures("few")
def test_deterministic_by_seed() -> None:
    """The same seed, the same numbers, whatever was drawn before; another seed, others."""
    torch.manual_seed(1)
    first = found(small())
    torch.manual_seed(2)

    assert found(small()) == first
    assert found(small(seed=1)).losses != first.losses


def test_it_ends_where_the_loss_diverges() -> None:
    """The finder stops before the highest rate, at four times the lowest loss."""
    spec = make_spec({"layers": "Flatten()\nLinear(10)", "train": {"batch_size": 16, "optimizer": "SGD(momentum=0.9)"}})
    result = found(spec)

    assert result.ended == "diverged"
    assert len(result.rates) < 90
    assert result.smoothed[-1] > 4 * min(result.smoothed)


@pytest.mark.usefixtures("few")
def test_it_ends_where_a_loss_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    """The finder stops at a loss that is not finite, and leaves it out of the losses."""
    step = TrainStep.__call__
    monkeypatch.setattr(TrainStep, "__call__", lambda self, *batch: step(self, *batch) and self._index.item() < 6)
    result = found(small())

    assert result.ended == "diverged"
    assert len(result.losses) == 5


@pytest.mark.usefixtures("few")
def test_stop() -> None:
    """After the step under way, with what was found so far; before the first, nothing."""
    control = Control()
    events = []
    for event in find_learning_rate(small(), DIGITS, control):
        events.append(event)
        if len(events) == 4:
            control.stop()
    last = events[-1]

    assert isinstance(last, RatesFound)
    assert (last.ended, len(last.losses), len(events)) == ("stopped", 4, 5)
    assert list(find_learning_rate(small(), DIGITS, control)) == [RatesFound((), (), (), (), "stopped")]


# --- no trace ---

SLOW = {"augment": ["RandomPerspective()"]}  # It draws from torch's global state, image by image.


def numbers_between(events: Iterator[Any]) -> list[float]:
    """Random numbers that the caller draws between events."""
    return [torch.rand(1).item() for _ in events]


@pytest.mark.slow
@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("recipe", [{}, SLOW], ids=["batched", "image by image"])
def test_the_random_state_is_the_callers(recipe: dict[str, Any]) -> None:
    """Between two events and afterwards it is as if there were no finder, which in turn is not disturbed."""
    torch.manual_seed(3)
    drawn = numbers_between(find_learning_rate(small(**recipe), DIGITS, Control()))
    torch.manual_seed(3)

    assert drawn == [torch.rand(1).item() for _ in drawn]
    after = torch.get_rng_state()
    undisturbed = found(small(**recipe))
    assert torch.equal(torch.get_rng_state(), after)
    numbers: list[Any] = []
    for event in find_learning_rate(small(**recipe), DIGITS, Control()):
        torch.rand(7)
        numbers.append(event)
    assert numbers[-1] == undisturbed


@pytest.mark.usefixtures("few")
def test_a_finder_that_is_left_puts_everything_back() -> None:
    """Threads and random state, when its generator is closed halfway."""
    torch.set_num_threads(1)
    state = torch.get_rng_state()
    events = find_learning_rate(small(), Options(device="cpu", dataset="digits", threads=2), Control())
    next(events)
    events.close()

    assert torch.get_num_threads() == 1
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("recipe", [{}, SLOW], ids=["batched", "image by image"])
def test_a_run_is_the_same_after_a_finder(
    recipe: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit: history, weights, moments, random states; and one that a finder comes in between of."""
    spec = reliability.small_spec(**recipe)
    list(reliability.run(tmp_path / "without", spec))
    monkeypatch.chdir(tmp_path)
    found(small(**recipe))
    assert [path.name for path in tmp_path.iterdir()] == ["without"]
    list(reliability.run(tmp_path / "after", spec))
    for event in reliability.run(tmp_path / "between", spec):
        if isinstance(event, EpochEnded):
            found(small(**recipe))

    states = [state_on_disk(only_folder(tmp_path / name)) for name in ("without", "after", "between")]
    assert states[0] == states[1] == states[2]


# --- errors ---


def test_too_few_steps() -> None:
    """The error of too few steps names a batch size that works."""
    with pytest.raises(SpecError, match=r"an epoch has 3 steps.* at least 10; try 143 or less") as error:
        found(make_spec({"layers": "Flatten()\nLinear(10)", "train": {"batch_size": 512}}))
    assert error.value.where == ("train", "batch_size")


def test_too_few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch size gives 10 steps of 9 images, and none is named."""
    images = few_images()
    nine = replace(images, train=images.train.take(torch.arange(9)))
    monkeypatch.setattr(lr_finder, "loading", reliability.loads(lambda choice: nine))

    with pytest.raises(SpecError, match="at least 10; the 9 training images are too few for that"):
        found(small(batch_size=1))


@pytest.mark.usefixtures("few")
def test_nothing_to_train() -> None:
    """A network without weights is refused with the error of a run."""
    with pytest.raises(SpecError, match="no layer has weights"):
        found(make_spec({"layers": "AdaptiveAvgPool2d((2, 5))\nFlatten()", "train": {"batch_size": 8}}))


def test_no_data_and_no_device(tmp_path: Path) -> None:
    """Missing data and devices raise `DataError` and `DeviceError` before the first event."""
    spec = make_spec({"layers": "Flatten()\nLinear(10)"})
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    for name in (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ):
        (tmp_path / "MNIST" / "raw" / name).write_bytes(b"damaged")

    with pytest.raises(DataError):
        found(spec, Options(device="cpu", data_dir=tmp_path))
    with pytest.raises(DeviceError):
        found(spec, Options(device="cuda:99"))


@pytest.mark.usefixtures("few")
def test_a_step_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that fails is one line with torch's message."""

    def fail(*arguments: Any) -> bool:
        raise RuntimeError("out of memory\nat line 3")

    monkeypatch.setattr(TrainStep, "__call__", fail)
    with pytest.raises(MnistTuiError, match=r"^step 1 failed: out of memory.*at line 3$"):
        found(small())


def test_what_is_said_about_the_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The notice that the data is not MNIST comes first, as in a run."""

    def loading(*args: Any) -> Generator[Notice, None, Dataset]:
        yield Notice("NOT MNIST", is_warning=True)
        return few_images()

    monkeypatch.setattr(lr_finder, "loading", loading)
    events = find_learning_rate(small(), DIGITS, Control())

    assert next(events) == Notice("NOT MNIST", is_warning=True)
    assert isinstance(next(events), RateTried)
