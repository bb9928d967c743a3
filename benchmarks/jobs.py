"""Time of a batch of seeds side by side against one after the other: `python benchmarks/jobs.py --rounds 3`.

Each is a whole process of `mnist-tui --batch`, in turn, in a temporary folder, with MNIST of `MNIST_TUI_DATA_DIR`.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(jobs: str, options: argparse.Namespace) -> float:
    """Seconds of a batch, from process start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        runs = ["--batch", options.preset, "--seeds", str(options.seeds), "--epochs", str(options.epochs)]
        arguments = [*runs, "--dataset", "mnist", "--runs-dir", str(Path(folder) / "runs"), "--quiet", "--jobs", jobs]
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "mnist_tui", *arguments], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began


def main() -> None:
    """Prints the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="iter5")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    alone, together = [], []
    for number in range(1, options.rounds + 1):
        alone.append(seconds("1", options))
        together.append(seconds("auto", options))
        print(f"round {number}: one after the other {alone[-1]:.1f} s, side by side {together[-1]:.1f} s", flush=True)
    ratio = statistics.median(together) / statistics.median(alone)
    print(f"medians: {statistics.median(alone):.1f} s, {statistics.median(together):.1f} s; ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
