"""How fast one epoch of iter5 is, as a ratio to the reference loop and to jitted JAX, in one script.

    python benchmarks/speed.py --data-dir DATA --rounds 3 [--jax-python PYTHON]

Each round runs ours, ours with a thread for every core, the reference and JAX in turn, each in a process of its own: a
machine whose speed changes over time affects all of them. Medians over the rounds are compared. Let nothing else run.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TRAIN_IMAGES = 60_000


def lines(command: list[str]) -> list[dict[str, Any]]:
    """The JSON objects that a command prints, one a line.

    Each runs with its default number of threads; OMP_NUM_THREADS=1 would make the reference faster, whose workers
    compete for the cores.
    """
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def reference(data_dir: str) -> dict[str, float]:
    """Seconds of one training pass and of one evaluation of the reference loop."""
    row = lines([sys.executable, str(HERE / "reference.py"), "--data-dir", data_dir, "--epochs", "1"])[0]
    return {"train": row["seconds"], "evaluation": row["test_seconds"]}


def ours(data_dir: str, *more: str) -> dict[str, float]:
    """Seconds of training and evaluation of `mnist-tui --batch iter5`, in its second epoch, and peak memory in GB."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "mnist_tui", "--batch", "iter5", "--epochs", "2", "--json", "--quiet", *more]
        events = lines([*command, "--data-dir", data_dir, "--dataset", "mnist", "--runs-dir", runs])
    row = [event for event in events if event["event"] == "EpochEnded"][-1]
    train = TRAIN_IMAGES / row["images_per_second"]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"train": train, "evaluation": row["seconds"] - train, "peak_gb": peak / 1e6}


def main() -> None:
    """Prints the medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jax-python", help="a Python that has jax; without it JAX is left out")
    options = parser.parse_args()
    measured: dict[str, list[dict[str, float]]] = {"ours": [], "ours, all cores": [], "reference": [], "jax": []}
    for _ in range(options.rounds):
        # Ours first: the peak memory of children is the largest of all so far.
        measured["ours"].append(ours(options.data_dir))
        measured["ours, all cores"].append(ours(options.data_dir, "--threads", str(os.cpu_count())))
        measured["reference"].append(reference(options.data_dir))
        if options.jax_python:
            measured["jax"].append(lines([options.jax_python, str(HERE / "jax_iter5.py")])[0])
    _report(measured)


def _report(measured: dict[str, list[dict[str, float]]]) -> None:
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name, rounds in measured.items():
        for values in rounds:
            print(f"  {name:<15} " + "  ".join(f"{key} {value}" for key, value in values.items()))
    for name in ("ours", "ours, all cores"):
        epoch = _median(measured[name], "train")
        print(f"{name}:")
        print(f"  reference / ours, one epoch of training: {_median(measured['reference'], 'train') / epoch:.2f}")
        print(f"  evaluation of 10,000 images / epoch:     {_median(measured[name], 'evaluation') / epoch:.1%}")
        if measured["jax"]:
            step = epoch * 1000 / -(-TRAIN_IMAGES // 64)
            print(f"  jax / ours, one step (ours augments):    {_median(measured['jax'], 'ms_per_step') / step:.2f}")
    print(f"peak memory of the first process: {measured['ours'][0]['peak_gb']:.2f} GB")


def _median(rounds: list[dict[str, float]], key: str) -> float:
    return statistics.median(values[key] for values in rounds)


if __name__ == "__main__":
    main()
