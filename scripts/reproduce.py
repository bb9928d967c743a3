"""Reproduces the published presets on MNIST: trains them as published, collects the histories, prints the table.

    python scripts/reproduce.py plan                     what is left to train, cheapest first, and how long it takes
    python scripts/reproduce.py train --jobs 2           trains it; called again it goes on
    python scripts/reproduce.py collect                  copies the histories of completed runs to runs/reference
    python scripts/reproduce.py table --write            prints the table, and puts it into benchmarks/README.md
    python scripts/reproduce.py house --write            the table of the house models, in docs/house-models.md

Presets may be named behind the command, but not with --write. Without names it takes all that were published; collect
takes the house models, too. Each is trained with three seeds, its own and the two after it; with its own alone where an
epoch takes over 30 s on one core. House models are trained where they are named, with ten seeds.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from reproduce_parts import collecting, tables, training

from mnist_tui.cli.exit_code import exit_code_of
from mnist_tui.errors import InputError
from mnist_tui.files import write_atomically
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.sweep import pool
from mnist_tui.text import did_you_mean


def chosen(names: Sequence[str], has_house: bool) -> Iterator[RunSpec]:
    """The built-in presets of these names, or all, with or without the house models; raises `InputError`."""
    known = presets.builtin_names()
    for name in names:
        if name not in known:
            raise InputError(f"there is no built-in preset {name!r}{did_you_mean(name, known)}")
    return map(presets.load, names or (known if has_house else presets.published_names()))


def main(arguments: argparse.Namespace) -> int:
    """Does what the command line says; returns the exit code."""
    names = arguments.names or (presets.house_names() if arguments.command == "house" else ())
    specs = list(chosen(names, has_house=arguments.command == "collect"))
    options = Options(runs_dir=arguments.runs_dir, data_dir=arguments.data_dir, dataset=collecting.DATASET, threads=1)
    match arguments.command:
        case "collect":
            print("\n".join(collecting.collect(specs, arguments.runs_dir)) or "nothing has changed")
        case "table" | "house":
            page, lines = (
                (tables.PAGE, tables.table(specs))
                if arguments.command == "table"
                else (tables.HOUSE_PAGE, tables.house_table(specs))
            )
            print("\n".join(lines))
            if arguments.write:
                write_atomically(page, tables.with_table(page.read_text(encoding="utf-8"), lines).encode())
        case command:
            if command == "train":
                pool.preload()
            tasks = training.plan(specs, options)
            training.print_plan(tasks)
            if command == "train":
                return training.train(tasks, options, arguments.jobs)
    return 0


def read_arguments(typed: Sequence[str]) -> argparse.Namespace:
    """The command line; exits with a message where it is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["plan", "train", "collect", "table", "house"])
    parser.add_argument("names", nargs="*", metavar="PRESET")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), metavar="DIR")
    data_dir = os.environ.get("MNIST_TUI_DATA_DIR")
    parser.add_argument("--data-dir", type=Path, default=data_dir and Path(data_dir), metavar="DIR")
    parser.add_argument("--jobs", type=int, metavar="N", help="runs at a time; without it as many as there is room for")
    parser.add_argument("--write", action="store_true", help="with table and house: put it into its page")
    arguments = parser.parse_args(typed)
    if arguments.jobs is not None and arguments.jobs < 1:
        parser.error("--jobs: must be at least 1")
    if arguments.write and (arguments.command not in ("table", "house") or arguments.names):
        parser.error("--write goes with table and house, for all presets")
    return arguments


if __name__ == "__main__":
    sys.exit(exit_code_of(lambda: main(read_arguments(sys.argv[1:]))))
