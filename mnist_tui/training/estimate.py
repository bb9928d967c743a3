"""How long a run will take, estimated from a few steps on random images."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import environment
from mnist_tui.training.capture import WARM_UP_CALLS
from mnist_tui.training.data import Images
from mnist_tui.training.evaluation import evaluate
from mnist_tui.training.state import Splits, Training

STEPS = 20

Clock = Callable[[], float]
"""Seconds since some moment."""


def expected_cost(spec: RunSpec, options: Options, clock: Clock = time.perf_counter) -> dict[str, Any]:
    """Steps and expected seconds of a run on its data set, or on the one of the options; nothing is written.

    `time.process_time` as the clock counts what one core of a busy machine would take if it were free.
    """
    spec = spec.for_dataset(options.dataset)
    dataset = spec.dataset
    device = environment.resolve_device(options.device)
    torch.set_num_threads(options.threads or environment.default_threads())
    count = min(dataset.train_images, STEPS * spec.train.batch_size)
    pixels = torch.randint(0, 256, (count, *dataset.shape), dtype=torch.uint8)
    images = Images(pixels, torch.randint(0, len(dataset.classes), (count,))).to(device)
    per_step, per_image = time_steps(Training(spec, Splits(images, None, images), options.fuse), clock)
    per_epoch = per_step * spec.steps_per_epoch() + per_image * (spec.train.validation_images + dataset.test_images)
    return {
        "steps_per_epoch": spec.steps_per_epoch(),
        "steps": spec.steps_per_epoch() * spec.train.epochs,
        "seconds_per_epoch": round(per_epoch, 3),
        "seconds": round(per_epoch * spec.train.epochs, 3),
        "device": str(device),
        "threads": torch.get_num_threads(),
    }


def time_steps(training: Training, clock: Clock = time.perf_counter) -> tuple[float, float]:
    """Seconds per training step and per evaluated image, measured on the training's own images."""
    training.begin_epoch()
    settings, images = training.spec.train, training.splits.test
    batch = min(settings.batch_size, len(images))
    seconds = []
    for _ in range(len(images) // batch):
        started = clock()
        training.step(*training.batches.take())
        training.step.found_nonfinite.item()  # On CUDA, waits for the end of the step.
        seconds.append(clock() - started)
    started = clock()
    evaluate(training.forward_model, images, settings.eval_batch_size, settings.normalize)
    return statistics.fmean(seconds[WARM_UP_CALLS + 2 :] or seconds), (clock() - started) / len(images)
