"""The long versions of the reliability tests: kills, faults, damage, locks, memory, terminals, the network, many hours.

Each part prints its seed and a verdict, keeps the folder of a failure, and ends within ten minutes. With `--control` it
breaks the program on purpose, and must find that. The helpers are those of the tests, which an editable install
(CONTRIBUTING.md) finds. CONTRIBUTING.md says how to add a part.
"""

import argparse
import importlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from stress_parts.frame import Part, Trial, detects, passes

PARTS = {
    "kill": "kill.PART",
    "syscalls": "syscalls.PART",
    "oom": "oom.PART",
    "diskfull": "diskfull.PART",
    "faults": "faults.PART",
    "lock": "lock.PART",
    "fuzz": "fuzz.PART",
    "sweep": "sweeps.HERE",
    "ray": "sweeps.ON_RAY",
    "quit": "quits.QUIT",
    "stop": "quits.STOP",
    "lag": "lag.PART",
    "traffic": "traffic.PART",
    "typing": "typing_.PART",
    "monkey": "monkey.PART",
    "frozen": "frozen.PART",
    "soak": "soak.PART",
    "net": "net.PART",
}
"""The modules and names in `stress_parts`, which are loaded when they are used: most load torch."""
NOT_IN_ALL = ("ray",)
"""Needs the extra of that name."""


def main() -> int:
    """Runs one of `PARTS`, or all; the exit code is 1 if a check failed, or a control did not."""
    options = _options()
    names = [name for name in PARTS if name not in NOT_IN_ALL] if options.part == "all" else [options.part]
    console = Console()
    seed = time.time_ns() % 2**32 if options.seed is None else options.seed
    console.print(f"{options.part}, seed {seed}", highlight=False)
    began = time.monotonic()
    good = [_run(name, _load(PARTS[name]), options, seed, console) for name in names]
    if len(names) > 1:
        console.print(f"{sum(good)} of {len(good)} parts as they should be, {time.monotonic() - began:.0f} s")
    return 0 if all(good) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=(*PARTS, "all"))
    parser.add_argument(
        "--quick", action="store_true", help="a few cases: some 15 s a part, and what it takes to prepare them"
    )
    parser.add_argument("--control", action="store_true", help="sabotage the program; the part must then fail")
    parser.add_argument("--n", type=int, help="how many kills, faults, folders, keys: cases of the part")
    parser.add_argument("--seconds", type=float, default=0, help="how long lag, frozen and soak measure")
    parser.add_argument("--only", nargs="+", metavar="COMMAND", default=(), help="commands for syscalls and faults")
    parser.add_argument("--seed", type=int, help="repeats a run of the same part with the same --n")
    options = parser.parse_args()
    if options.n is not None and options.n < 1:
        parser.error("--n: must be at least 1")
    return options


def _load(place: str) -> Part:
    module, attribute = place.split(".")
    part: Part = getattr(importlib.import_module(f"stress_parts.{module}"), attribute)
    return part


def _run(name: str, part: Part, options: argparse.Namespace, seed: int, console: Console) -> bool:
    """Whether a part passes, or with `--control` fails for each of its sabotages."""
    usual = part.quick if options.quick and not options.control else part.full
    size = usual if options.n is None else options.n
    if not options.control:
        with _trial(seed, size, options) as trial:
            return passes(part, trial, name, console)
    results = []
    for sabotage in part.controls:
        with _trial(seed, size, options) as trial:
            results.append(detects(part, trial, name, sabotage, console))
    return all(results)


@contextmanager
def _trial(seed: int, size: int, options: argparse.Namespace) -> Iterator[Trial]:
    """One trial in a new folder, which is removed unless something failed in it."""
    folder = Path(tempfile.mkdtemp(prefix="mnist-tui-stress-"))
    trial = Trial(folder, seed, size, options.quick, seconds=options.seconds, only=options.only)
    try:
        yield trial
    finally:  # After Ctrl-C, too.
        if not trial.has_failed:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
