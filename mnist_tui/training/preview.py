"""Previews for the laboratory before a run begins: augmented training digits and the learning rate schedule."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import torch

from mnist_tui.datasets import places
from mnist_tui.datasets.published import MNIST, SMALL_DIGITS
from mnist_tui.datasets.record import GREY_28
from mnist_tui.spec.calls import names_in
from mnist_tui.spec.data_spec import ON_MNIST, DataSpec
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import build
from mnist_tui.training.data import Dataset, load_digits, read, split_for

RATES = 200
"""Number of samples of the learning rate schedule."""
MAX_STEPS = 20_000
"""Scheduler steps that are simulated where fewer give the same curve; more would delay typing."""
MAX_SIMULATED_STEPS = 200_000
"""The largest number of scheduler steps that is simulated; it takes 2 s."""
SIDE = GREY_28[1]
SAMPLE_STREAM = 0xD161
"""Added to the number of the sample for its generator, which then differs from that of a run with this seed."""


@dataclass(frozen=True)
class AugmentedSample:
    """Augmented training digits, before normalisation."""

    dataset: str
    labels: tuple[int, ...]
    digits: tuple[bytes, ...]
    """28 rows of 28 grey values each, 0 (background) to 255."""
    slow: tuple[str, ...] = ()
    """The transforms that run image by image; while this process trains they are not run, and there are no digits."""
    classes: tuple[str, ...] = MNIST.classes
    """The names of the classes by label."""


_loading = Lock()


@lru_cache(maxsize=2)
def _read(data: DataSpec, raw: Path | None) -> Dataset:
    return load_digits() if raw is None and data == ON_MNIST else read(data, data.dataset, raw)


def _dataset(spec: RunSpec, choice: str, data_dir: Path | None) -> Dataset:
    """The data set that a run would use, without downloading; cached."""
    raw = None if choice == SMALL_DIGITS.name else places.find(spec.dataset, data_dir)
    with _loading:
        return _read(spec.data, raw)


def sample_augmented(
    spec: RunSpec, options: Options, count: int, draw: int, is_training: bool = False
) -> AugmentedSample:
    """`count` training digits, augmented as in training; `draw` selects digits and augmentation.

    Where MNIST is not on this machine they are the small digits that a run falls back to; nothing is downloaded.
    Transforms that run image by image set the global random state that dropout uses, so while another thread trains
    (`is_training`) they are only named, in `AugmentedSample.slow`.

    Raises `DataError` where MNIST's files are damaged, and `SpecError` where PyTorch refuses the augmentation.
    """
    spec = spec.for_dataset(options.dataset)
    dataset = _dataset(spec, options.dataset, options.data_dir)
    slow = build.slow_transforms(spec)
    if slow and is_training:
        return AugmentedSample(dataset.name, (), (), slow=slow)
    images, _ = split_for(spec, dataset)
    generator = torch.Generator().manual_seed(SAMPLE_STREAM + draw)
    sample = images.take(torch.randperm(len(images), generator=generator)[:count])
    pixels = sample.pixels.float()
    random_state = torch.get_rng_state()
    augmentation = build.augmentation(spec)
    if augmentation is not None:
        pixels = augmentation(pixels, augmentation.sample_params(len(sample), generator))
        if augmentation.slow:  # Only these change the state; else a training thread may be using it.
            torch.set_rng_state(random_state)
    if not spec.dataset.is_grey_28:  # Drawn are grey images of this size.
        pixels = torch.nn.functional.interpolate(pixels.mean(dim=1, keepdim=True), size=(SIDE, SIDE), mode="bilinear")
    grey = pixels.round().clamp(0, 255).to(torch.uint8)
    return AugmentedSample(
        dataset=dataset.name,
        labels=tuple(int(label) for label in sample.labels),
        digits=tuple(bytes(image.reshape(-1).tolist()) for image in grey),
        classes=spec.dataset.classes,
        slow=slow,
    )


def scheduled_rates(spec: RunSpec) -> tuple[float, ...]:
    """The learning rate at up to `RATES` evenly spaced steps of the run, the first included, from PyTorch's scheduler.

    `ReduceLROnPlateau` gives a constant, since it depends on losses to come. Empty where the schedule is too long to be
    simulated. Raises `SpecError` where PyTorch refuses the recipe.
    """
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = build.optimizer(spec, [weight])
    per_epoch = _steps_per_epoch(spec)
    scheduler = build.scheduler(spec, optimizer, per_epoch * spec.train.batch_size)
    when, steps = build.scheduler_step(spec), spec.train.epochs * per_epoch
    follows_loss = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
    rates: list[float] = []
    stepped = 0
    count = min(RATES, steps)
    optimizer.step()  # Without a gradient it does nothing; schedulers warn if there was no optimizer step before.
    for step in (index * steps // count for index in range(count)):
        if scheduler is not None and not follows_loss:
            due = step if when == "batch" else step // per_epoch * (per_epoch if when == "burst" else 1)
            if due > MAX_SIMULATED_STEPS:
                return ()
            for _ in range(due - stepped):
                scheduler.step()
            stepped = due
        rates.append(float(optimizer.param_groups[0]["lr"]))
    return tuple(rates)


def _steps_per_epoch(spec: RunSpec) -> int:
    """Steps per epoch; fewer for a long run whose schedule is given in `steps_per_epoch`, which scales with it."""
    call, per_epoch = spec.train.scheduler, spec.steps_per_epoch()
    if call is None or "steps_per_epoch" not in names_in(call):
        return per_epoch
    return max(1, min(per_epoch, MAX_STEPS // spec.train.epochs))
