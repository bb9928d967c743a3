"""Best test accuracy over seeds, of mnist-tui and of the reference loop: checks that speed costs no accuracy.

    python benchmarks/accuracy.py --data-dir DATA --seeds 3 --epochs 20

Takes hours: one epoch of the reference loop takes as long as three to five of ours.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from speed import HERE, lines


def reference(data_dir: str, seeds: int, epochs: int) -> list[float]:
    """The best test accuracy of each seed of the reference loop."""
    command = [sys.executable, str(HERE / "reference.py"), "--data-dir", data_dir]
    rows = lines([*command, "--seeds", str(seeds), "--epochs", str(epochs)])
    return [max(row["test_accuracy"] for row in rows if row["seed"] == seed) for seed in range(seeds)]


def ours(data_dir: str, seeds: int, epochs: int) -> list[float]:
    """The best test accuracy of each seed of `mnist-tui --batch iter5`."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "mnist_tui", "--batch", "iter5", "--json", "--quiet", "--dataset", "mnist"]
        command += ["--seeds", str(seeds), "--epochs", str(epochs), "--data-dir", data_dir, "--runs-dir", runs]
        events = lines(command)
    return [event["best"]["test_accuracy"] for event in events if event["event"] == "RunEnded"]


def main() -> None:
    """Prints every seed's best accuracy, the means, and their difference in points."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, type=lambda text: str(Path(text).resolve()))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    accuracies = {
        measure.__name__: measure(options.data_dir, options.seeds, options.epochs) for measure in (ours, reference)
    }
    for name, values in accuracies.items():
        print(f"{name:<10} mean {statistics.mean(values):.4%}  " + "  ".join(f"{value:.2%}" for value in values))
    points = 100 * (statistics.mean(accuracies["ours"]) - statistics.mean(accuracies["reference"]))
    print(f"ours - reference: {points:+.3f} points over {options.seeds} seeds")


if __name__ == "__main__":
    main()
