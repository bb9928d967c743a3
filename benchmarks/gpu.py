"""How the program does on a GPU, in one table: `python benchmarks/gpu.py --data-dir DATA --out FILE`.

    a  losses of every preset over 50 steps: captured as a CUDA graph, against eager, and against the CPU
    b  iter5, 20 epochs with evaluation, in a warm process; a step against the floor of launching its kernels
    c  16 seeds of iter5 as one network against one seed
    d  seconds to 99 % test accuracy, from process start and in a warm process
    e  the dashboard while it trains: `scripts/stress.py lag`
    f  memory

Takes under 8 minutes on a GPU; a part that fails says so in the table, and no part begins after `--limit` seconds.
`--device cpu --quick` runs the same code in seconds, on the small digits and with tiny sizes.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from gpu_measure import BenchmarkConfig, Row
from gpu_parts import PARTS

from mnist_tui.errors import MnistTuiError
from mnist_tui.spec.run_options import Options
from mnist_tui.text import clean_line
from mnist_tui.training import environment


def table(rows: list[Row], config: BenchmarkConfig) -> str:
    """The rows as Markdown, below what they were measured on."""
    versions = environment.versions()
    on = f"{environment.device_name(config.device)}, {environment.processor()}, {environment.cores()} cores"
    lines = [f"{on}, Python {versions['python']}, torch {versions['torch']}, torchvision {versions['torchvision']}", ""]
    lines += ["| what | measured | goal |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {row.what} | {row.measured} | {row.goal} |" for row in rows)]) + "\n"


def measure(config: BenchmarkConfig, parts: str, limit: float, write: Callable[[list[Row]], None]) -> list[Row]:
    """All rows; `write` gets those so far after each part."""
    began, rows = time.monotonic(), []
    for part in parts:
        elapsed = time.monotonic() - began
        if elapsed > limit:
            rows.append(Row(f"part {part}", f"left out after {elapsed:.0f} s"))
            continue
        try:
            for row in PARTS[part](config):
                rows.append(row)
                print(f"{time.monotonic() - began:5.0f} s  {row.what}: {row.measured}", flush=True)
        except Exception as error:
            traceback.print_exc()
            rows.append(Row(f"part {part}", f"failed: {type(error).__name__}: {clean_line(str(error), 200)}"))
        write(rows)
    return rows


def main() -> int:
    """Prints the table and writes it to a file; the exit code is 1 where a part failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("MNIST_TUI_DATA_DIR"))
    parser.add_argument("--out", type=Path, help="the file for the table; without it only printed")
    parser.add_argument("--parts", default="abcdef", help="which, such as bc (default: all)")
    parser.add_argument("--limit", type=float, default=420, help="seconds after which no part begins (default: 420)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, on the small digits")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"--parts: there is no part {', '.join(sorted(unknown))}")
    try:
        device = environment.resolve_device(arguments.device)
    except MnistTuiError as error:
        parser.error(str(error))
    dataset = "digits" if arguments.quick else "mnist"
    options = Options(device=arguments.device, dataset=dataset, data_dir=arguments.data_dir, command=("gpu.py",))
    config = BenchmarkConfig(device, options, arguments.quick)

    def write(rows: list[Row]) -> None:
        if arguments.out:
            arguments.out.write_text(table(rows, config))

    rows = measure(config, arguments.parts, arguments.limit, write)
    print(table(rows, config))
    return int(any("failed" in row.measured for row in rows))


if __name__ == "__main__":
    sys.exit(main())
