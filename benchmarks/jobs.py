"""Time of a batch of seeds side by side against one after the other: `python benchmarks/jobs.py --rounds 3`.

Each is a whole process of `mnist-tui --batch`, in turn, in a temporary folder, with MNIST of `MNIST_TUI_DATA_DIR`. The
seconds of an epoch alone and beside another run say how much two busy cores slow each other down.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mnist_tui


def measure(jobs: str, options: argparse.Namespace) -> tuple[float, float]:
    """Seconds of a batch, from process start to its end, and the median of its epochs."""
    with tempfile.TemporaryDirectory() as folder:
        runs = ["--batch", options.preset, "--seeds", str(options.seeds), "--epochs", str(options.epochs)]
        arguments = [*runs, "--dataset", "mnist", "--runs-dir", str(Path(folder) / "runs"), "--quiet", "--jobs", jobs]
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "mnist_tui", *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        epochs = [row.seconds for run in mnist_tui.list_runs(Path(folder) / "runs") for row in run.rows]
        return seconds, statistics.median(epochs)


def print_ratio(what: str, alone: list[float], together: list[float]) -> None:
    """Prints the medians and their ratio."""
    one, several = statistics.median(alone), statistics.median(together)
    print(
        f"{what}: one after the other {one:.1f} s, side by side {several:.1f} s; ratio {several / one:.2f}", flush=True
    )


def main() -> None:
    """Prints each round, and the medians of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="iter5")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    alone, together = [], []
    for number in range(1, options.rounds + 1):
        alone.append(measure("1", options))
        together.append(measure("auto", options))
        print_ratio(f"round {number}", [alone[-1][0]], [together[-1][0]])
    print_ratio("medians", [whole for whole, _ in alone], [whole for whole, _ in together])
    print_ratio("an epoch", [epoch for _, epoch in alone], [epoch for _, epoch in together])


if __name__ == "__main__":
    main()
