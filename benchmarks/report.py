"""How long `mnist-tui report` takes, the whole process: `python benchmarks/report.py --runs 200 --data-dir DIR`.

Makes run folders in a temporary directory, each with predictions of MNIST's 10,000 test images: seeds of all presets,
then as many recipes, none of which shares its step with another.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from helpers.saved_runs import make_run, make_runs, write_log_probs
from numpy.typing import NDArray

from mnist_tui.datasets import places
from mnist_tui.datasets.formats import read_idx
from mnist_tui.datasets.published import MNIST
from mnist_tui.datasets.test_images import SHA256
from mnist_tui.spec import presets


def make_recipes(runs_dir: Path, count: int) -> None:
    """Makes runs of all presets in turn, each with a batch size of its own."""
    specs = list(presets.load_all())
    for index in range(count):
        spec = specs[index % len(specs)].with_settings({"batch_size": str(32 + index)})
        make_run(runs_dir, spec, 0, 0.98 + index % 97 / 10_000, index)


def add_predictions(runs_dir: Path, labels: NDArray[np.uint8]) -> None:
    """Gives each run predictions of these labels, about 100 of 10,000 wrong, and the digest of MNIST."""
    for index, folder in enumerate(sorted(runs_dir.iterdir())):
        logits = np.random.default_rng(index).normal(size=(len(labels), 10))
        logits[np.arange(len(labels)), labels] += 5.5
        log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        write_log_probs(folder, labels, log_probs.astype(np.float32))
        record = json.loads((folder / "run.json").read_text())
        record["dataset"]["sha256"] = SHA256["mnist"]
        (folder / "run.json").write_text(json.dumps(record))


def seconds(runs_dir: Path, name: str, data_dir: Path, repeats: int) -> tuple[float, float]:
    """The median time of the command, and the processor time of each on average."""
    command = [sys.executable, "-m", "mnist_tui", "report", "*", "-o", str(runs_dir.parent / name), "--force"]
    times, before = [], os.times()
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run(
            [*command, "--runs-dir", str(runs_dir), "--data-dir", str(data_dir)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        times.append(time.perf_counter() - started)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return statistics.median(times), used / repeats


def main() -> None:
    """Prints the seconds of each kind of report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("MNIST_TUI_DATA_DIR"))
    args = parser.parse_args()
    raw = places.find(MNIST, args.data_dir)
    if raw is None:
        parser.error("MNIST is not there; --data-dir names the folder that holds MNIST/raw")
    content = places.read_file(MNIST, raw, MNIST.files[3])
    labels = read_idx(content).astype(np.uint8)
    with tempfile.TemporaryDirectory() as temporary:
        for what, make in {"seeds": make_runs, "recipes": make_recipes}.items():
            runs_dir = Path(temporary) / what
            make(runs_dir, args.runs)
            add_predictions(runs_dir, labels)
            for name in (f"{what}.md", f"{what}.html"):
                time_taken, used = seconds(runs_dir, name, args.data_dir, args.repeats)
                print(f"{args.runs} runs, {name:<14} {time_taken:.2f} s, {used:.2f} s of them on a processor")


if __name__ == "__main__":
    main()
