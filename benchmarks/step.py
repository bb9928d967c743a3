"""Where the time of one training step goes, operator by operator.

    python benchmarks/step.py iter5 --data-dir DATA [--threads 1]

Medians over 200 steps on the CPU; each operator is timed where it is called, which adds about 2 microseconds to it.
What is missing to the whole step is Python, and PyTorch's bookkeeping between operators.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mnist_tui.spec import presets
from mnist_tui.training import data
from mnist_tui.training.state import Splits, Training

STEPS = 200


class Timed(TorchDispatchMode):
    """Notes how long every operator takes, by its name and the shapes that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)

    def __torch_dispatch__(
        self, operator: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """What the operator gives."""
        began = time.perf_counter()
        found = operator(*args, **(kwargs or {}))
        seconds = time.perf_counter() - began
        shapes = " ".join("x".join(map(str, value.shape)) for value in args if isinstance(value, Tensor) and value.ndim)
        self.seconds[f"{operator} {shapes}"].append(seconds)
        return found


def take_steps(training: Training, count: int) -> list[float]:
    """The seconds of so many steps on new batches."""
    seconds = []
    for _ in range(count):
        batch = training.batches.take()
        began = time.perf_counter()
        training.step(*batch)
        seconds.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Prints a line for every operator that takes 1 % or more of the step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dataset = data.load("mnist", options.data_dir)
    training = Training(presets.load(options.preset), Splits(dataset.train, None, dataset.test))
    training.begin_epoch()
    take_steps(training, 50)  # Workspaces are made, caches warm.
    whole = statistics.median(take_steps(training, STEPS)) * 1e6
    with Timed() as timed:
        take_steps(training, STEPS)
    training.batches.close()
    shares = {name: sum(seconds) / STEPS * 1e6 for name, seconds in timed.seconds.items()}
    print(f"{whole:6.0f} us  a step of {options.preset}, {options.threads} thread(s)")
    print(f"{sum(shares.values()):6.0f} us  in operators, timed one by one")
    for name, microseconds in sorted(shares.items(), key=lambda pair: -pair[1]):
        if microseconds >= whole / 100:
            print(f"{microseconds:6.0f} us  {name}")


if __name__ == "__main__":
    main()
