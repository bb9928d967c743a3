"""Where the time of one training step goes, operator by operator.

    python benchmarks/step.py iter5 --data-dir DATA [--threads 1]

Medians over 200 steps on the CPU; timing an operator adds about 2 microseconds to it. The rest of
the step is Python, and PyTorch's dispatch between operators.
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


class OperatorTimer(TorchDispatchMode):
    """Seconds of every call of an operator, by the operator's name and the shapes of its arguments."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch gives it no types
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)

    def __torch_dispatch__(
        self, operator: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Runs the operator and notes its time."""
        began = time.perf_counter()
        result = operator(*args, **(kwargs or {}))
        seconds = time.perf_counter() - began
        shapes = " ".join("x".join(map(str, value.shape)) for value in args if isinstance(value, Tensor) and value.ndim)
        self.seconds[f"{operator} {shapes}"].append(seconds)
        return result


def time_steps(training: Training, count: int) -> list[float]:
    """Trains `count` steps on new batches; the seconds of each."""
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
    time_steps(training, 50)  # Warm-up: caches, and the memory of the CPU kernels.
    whole = statistics.median(time_steps(training, STEPS)) * 1e6
    with OperatorTimer() as timer:
        time_steps(training, STEPS)
    training.batches.close()
    shares = {name: sum(seconds) / STEPS * 1e6 for name, seconds in timer.seconds.items()}
    print(f"{whole:6.0f} us  a step of {options.preset}, {options.threads} thread(s)")
    print(f"{sum(shares.values()):6.0f} us  in operators, timed one by one")
    for name, microseconds in sorted(shares.items(), key=lambda pair: -pair[1]):
        if microseconds >= whole / 100:
            print(f"{microseconds:6.0f} us  {name}")


if __name__ == "__main__":
    main()
