"""A step of several seeds as one network, in three forms: `python benchmarks/stacked.py iter5 --seeds 4`.

Grouped convolutions are what `--stack` trains; `torch.func.vmap` over the whole network is what it might train; one by
one is what runs after each other take. Medians on the CPU with one thread, in turn.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from mnist_tui.spec import presets
from mnist_tui.training import data
from mnist_tui.training.session import make_training
from mnist_tui.training.stacked.session import make_trainings
from mnist_tui.training.stacked.stack import Stack
from mnist_tui.training.state import Training

STEPS = 20


def median_ms(call: Callable[[], object]) -> float:
    """Milliseconds of a call."""
    seconds = []
    for _ in range(STEPS):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[STEPS // 4 :]) * 1e3


def vmap_forward_backward(trainings: list[Training], images: Tensor, labels: Tensor) -> Callable[[], None]:
    """Forward and backward pass by vmap over all networks, on images (S, N, 1, 28, 28) and labels (S, N)."""
    model = trainings[0].model
    weights, buffers = stack_module_state([training.model for training in trainings])

    def loss(weights: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(functional_call(model, (weights, buffers), (images,)), labels)

    def run() -> None:
        losses: Tensor = vmap(loss, randomness="different")(weights, buffers, images, labels)
        losses.sum().backward()

    return run


def grouped_forward_backward(stack: Stack, images: Tensor, labels: Tensor) -> Callable[[], None]:
    """The same by grouped layers, on images (N, S, 28, 28) and labels (N, S)."""

    def run() -> None:
        logits = stack.network(images)
        cross_entropy(logits.flatten(0, 1), labels.flatten()).backward()

    return run


def main() -> None:
    """Prints milliseconds of whole steps, then of forward and backward passes alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("MNIST_TUI_DATA_DIR"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset, device = data.load("mnist", options.data_dir), torch.device("cpu")
    spec = presets.load(options.preset)
    specs = [spec.with_settings({"seed": str(seed)}) for seed in range(options.seeds)]
    single = make_training(spec, dataset, device, fuse=True)
    single.begin_epoch()
    stack = Stack(make_trainings(specs, dataset, device, fuse=True))
    stack.begin_epoch()
    images = torch.rand(options.seeds, spec.train.batch_size, 1, 28, 28)
    labels = torch.randint(0, 10, images.shape[:2])
    by_image = images.transpose(0, 1).flatten(1, 2), labels.T
    calls = {
        "step, one by one": (lambda: single.step(*single.batches.take()), options.seeds),
        "step, grouped": (stack.take_step, 1),
        "forward and backward, grouped": (grouped_forward_backward(stack, *by_image), 1),
        "forward and backward, vmap": (vmap_forward_backward(stack.trainings, images, labels), 1),
    }
    measured: dict[str, list[float]] = {what: [] for what in calls}
    for _ in range(options.rounds):
        for what, (call, times) in calls.items():
            measured[what].append(times * median_ms(call))
    single.batches.close()
    stack.close()
    for what, values in measured.items():
        print(f"{options.preset}, {options.seeds} seeds, {what}: {statistics.median(values):.1f} ms")


if __name__ == "__main__":
    main()
