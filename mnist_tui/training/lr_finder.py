"""The learning-rate finder: a range test (Smith 2015, arXiv:1506.01186) of a recipe on its own images.

A network of its own is trained as a run would begin to: the same weights, optimizer, batches and augmentation, without
the scheduler. Nothing is written, and whoever loops over the events finds torch's random state as it left it.
"""

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager

import torch
from torch import Tensor

from mnist_tui.errors import MnistTuiError, SpecError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Downloading, Notice
from mnist_tui.runs.lr_range import MAX_STEPS, MIN_STEPS, RangeTest, RatesFound, RateTried, geometric_rates
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.training import environment
from mnist_tui.training.data import Dataset, loading, split_for
from mnist_tui.training.state import Splits, Training


def find_learning_rate(
    spec: RunSpec, options: Options, control: Control
) -> Generator[Notice | Downloading | RateTried | RatesFound, None, None]:
    """Raises the learning rate from step to step over at most one epoch; the last event is `RatesFound`.

    It ends early where the loss diverges, and after the step under way where `control` is set. Raises `SpecError` where
    PyTorch refuses the recipe or an epoch has too few steps, `DataError`, `DeviceError`, and `MnistTuiError` where a
    step fails. Not to be used while another thread of this process trains: both use torch's random state.
    """
    spec = spec.for_dataset(options.dataset)
    device = environment.resolve_device(options.device)
    dataset = yield from loading(options.dataset, options.data_dir, spec.data, control)
    if dataset is None:
        yield RatesFound((), (), (), (), "stopped")
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(options.threads or environment.default_threads())
    try:
        yield from _test_rates(spec, dataset, device, options.fuse, control)
    finally:
        torch.set_num_threads(threads)


def _test_rates(
    spec: RunSpec, dataset: Dataset, device: torch.device, fuse: bool, control: Control
) -> Iterator[RateTried | RatesFound]:
    random_state = _RandomState(device)
    with random_state.use():
        training = _training(spec, dataset, device, fuse)
        training.begin_epoch()
    with closing(training.batches):
        test = RangeTest(geometric_rates(min(training.steps_per_epoch, MAX_STEPS)))
        for rate in test.rates:
            if control.should_stop:
                yield test.end("stopped")
                return
            with random_state.use():
                loss = _step(training, rate)
            if loss is None:
                break
            yield test.add(loss)
            if test.has_diverged:
                break
        is_complete = len(test.losses) == len(test.rates) and not test.has_diverged
        yield test.end("completed" if is_complete else "diverged")


def _training(spec: RunSpec, dataset: Dataset, device: torch.device, fuse: bool) -> Training:
    """The training of a recipe without its scheduler, on the images that a run would train on."""
    recipe = spec.train.model_copy(update={"scheduler": None})
    images = split_for(spec, dataset)[0].to(device)
    steps = spec.steps_per_epoch(len(images))
    if steps < MIN_STEPS:
        largest = len(images) // MIN_STEPS
        advice = f"try {largest} or less" if largest else f"the {len(images)} training images are too few for that"
        needed = f"an epoch has {steps} steps, to find a learning rate takes at least {MIN_STEPS}"
        raise SpecError(f"train.batch_size: {needed}; {advice}", ("train", "batch_size"))
    return Training(spec.model_copy(update={"train": recipe}), Splits(images, None, images), fuse)


def _step(training: Training, rate: float) -> float | None:
    """The mean loss of the next batch, before its step at `rate`; None where loss or gradient is not finite."""
    training.set_learning_rate(rate)
    try:
        is_finite = training.step(*training.batches.take())
        loss = training.step.losses[training.steps_done].item()
        is_finite = is_finite and not training.step.found_nonfinite.item()
    except RuntimeError as error:
        raise MnistTuiError(f"step {training.steps_done + 1} failed: {clean_line(str(error), 300)}") from None
    training.steps_done += 1
    return loss if is_finite else None


class _RandomState:
    """A state of torch's global generators (CPU and the CUDA device) that is in place only inside `use`."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = [device] if device.type == "cuda" else []
        self._states: list[Tensor] = []

    @contextmanager
    def use(self) -> Iterator[None]:
        """Draws from this state; afterwards the global state is what it was before."""
        with torch.random.fork_rng(self._cuda):
            if self._states:
                torch.set_rng_state(self._states[0])
                for device, state in zip(self._cuda, self._states[1:], strict=True):
                    torch.cuda.set_rng_state(state, device)
            yield
            self._states = [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in self._cuda)]
