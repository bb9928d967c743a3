"""How long a run will take, estimated from a few steps on random images."""

import statistics
import time
from typing import Any

import torch

from mnist_tui.spec.recipe import TRAIN_IMAGES
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import environment
from mnist_tui.training.capture import WARM_UP_CALLS
from mnist_tui.training.data import Images
from mnist_tui.training.evaluation import evaluate
from mnist_tui.training.state import Splits, Training

STEPS = 20
TEST_IMAGES = 10_000


def expected_cost(spec: RunSpec, options: Options) -> dict[str, Any]:
    """Steps and expected seconds of a run on MNIST; nothing is written."""
    device = environment.resolve_device(options.device)
    torch.set_num_threads(options.threads or environment.default_threads())
    count = min(TRAIN_IMAGES, STEPS * spec.train.batch_size)
    pixels = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8)
    images = Images(pixels, torch.randint(0, 10, (count,))).to(device)
    per_step, per_image = time_steps(Training(spec, Splits(images, None, images), options.fuse))
    per_epoch = per_step * spec.steps_per_epoch() + per_image * (spec.train.validation_images + TEST_IMAGES)
    return {
        "steps_per_epoch": spec.steps_per_epoch(),
        "steps": spec.steps_per_epoch() * spec.train.epochs,
        "seconds_per_epoch": round(per_epoch, 3),
        "seconds": round(per_epoch * spec.train.epochs, 3),
        "device": str(device),
        "threads": torch.get_num_threads(),
    }


def time_steps(training: Training) -> tuple[float, float]:
    """Seconds per training step and per evaluated image, measured on the training's own images."""
    training.begin_epoch()
    settings, images = training.spec.train, training.splits.test
    batch = min(settings.batch_size, len(images))
    seconds = []
    for _ in range(len(images) // batch):
        started = time.perf_counter()
        training.step(*training.batches.take())
        training.step.found_nonfinite.item()  # On CUDA, waits for the end of the step.
        seconds.append(time.perf_counter() - started)
    started = time.perf_counter()
    evaluate(training.forward_model, images, settings.eval_batch_size, settings.normalize)
    return statistics.fmean(seconds[WARM_UP_CALLS + 2 :] or seconds), (time.perf_counter() - started) / len(images)
