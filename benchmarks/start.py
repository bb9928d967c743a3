"""How soon training begins: from the start of the process to its first step, and with PyTorch's compiler imported.

    python benchmarks/start.py --rounds 5 --data-dir DATA

Prints the medians of wall time and of processor time; both programs are run in turn.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

BEGIN = "from mnist_tui.cli.main import main; main()"
PROGRAMS = {
    "as it is": BEGIN,
    "with the compiler": f"from mnist_tui.training import eager; eager.skip_compiler = lambda: None; {BEGIN}",
}


def seconds_to_first_step(program: str, data_dir: Path) -> tuple[float, float]:
    """Wall time and processor time of a run of iter5 to the first of its events that tells of steps."""
    with tempfile.TemporaryDirectory() as runs_dir:
        options = ["--batch", "iter5", "--json", "--data-dir", str(data_dir), "--runs-dir", runs_dir]
        began = time.perf_counter()
        command = [sys.executable, "-c", program, *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if json.loads(line)["event"] == "Progress":
                    break
            seconds = time.perf_counter() - began
            used = psutil.Process(process.pid).cpu_times()
            process.kill()
    return seconds, used.user + used.system


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data-dir", type=Path, required=True)
    arguments = parser.parse_args()
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    for _ in range(arguments.rounds):
        for name, program in PROGRAMS.items():
            measured[name].append(seconds_to_first_step(program, arguments.data_dir))
    for name, figures in measured.items():
        wall, processor = (median(column) for column in zip(*figures, strict=True))
        print(f"{name:<18} {wall:5.2f} s to the first step, {processor:5.2f} s of processor time")


if __name__ == "__main__":
    main()
