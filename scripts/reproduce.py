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
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from mnist_tui.analysis import markdown, published, statistics
from mnist_tui.analysis.published import Replication
from mnist_tui.cli import sweep_runs
from mnist_tui.cli.exit_code import exit_code_of
from mnist_tui.cli.output import Output
from mnist_tui.errors import ExitCode, InputError
from mnist_tui.files import write_atomically
from mnist_tui.runs import history, reference
from mnist_tui.runs.index import read_runs
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.sweep import folder, pool
from mnist_tui.sweep.place import Place
from mnist_tui.sweep.plan import SweepPlan, make_plan
from mnist_tui.text import did_you_mean, duration

SEEDS, HOUSE_SEEDS = 3, 10
DATASET = "mnist"
SLOW_SECONDS = 30.0
"""An epoch that takes longer on one core: its preset is trained with one seed."""
SWEEP_PREFIX = "reproduce-"
"""How the names of the sweeps begin that this script makes, one for each preset."""
MAX_BYTES = 2_000_000
"""Of all reference runs."""
RECORD_KEYS = (
    *("format", "run", "created", "name", "seed", "parameters", "dataset", "device", "device_name", "processor"),
    *("threads", "fused", "versions", "spec"),
)
"""What a reference run keeps of run.json: nothing that names a machine, a person, a folder or a command line."""
DATASET_KEYS = ("name", "sha256", "train_images", "val_images", "test_images")
END_KEYS = (
    "format",
    "outcome",
    "message",
    "epochs",
    "best",
    "last",
    "chosen_by",
    "target",
    "seconds",
    "is_out_of_memory",
)

IMAGES = {"test": 10_000, "train": 60_000}
"""That a published figure was measured on."""
PAGE, HOUSE_PAGE = (Path(__file__).parents[1] / path for path in ("benchmarks/README.md", "docs/house-models.md"))
HEADS = ("preset", "published", "on", "ours", "reached", "ours, last epoch, test", "seeds", "why not")
IS_RIGHT = (False, True, False, True, False, True, True, False)
HOUSE_HEADS = (
    *("preset", "parameters", "epochs", "goal"),
    *("last epoch, test", "95 % interval", "lowest", "highest", "seeds"),
)
HOUSE_IS_RIGHT = (False, *(True,) * 8)

NOT_KNOWN = "why is not known"
WHY: Mapping[str, str] = {}
"""Why no seed of ours reaches the published figure, by preset, where chance alone does not explain it."""


# --- what is to be trained ---


@dataclass(frozen=True)
class Task:
    """A preset with the seeds that are planned, and those that the runs directory lacks."""

    spec: RunSpec
    seconds_per_epoch: float
    """On one core, measured as processor time, so that other programs on the machine do not count."""
    seeds: tuple[int, ...]
    missing: tuple[int, ...]

    @property
    def seconds(self) -> float:
        """Of everything that is missing, on one core."""
        return self.seconds_per_epoch * self.spec.train.epochs * len(self.missing)


def plan(specs: Sequence[RunSpec], options: Options) -> list[Task]:
    """The task of each preset, the cheapest first; takes a second for each, which measures its steps."""
    runs = _runs_of(options.runs_dir)
    tasks = [_task(spec, runs.get(published.recipe_of(spec), ()), options) for spec in specs]
    return sorted(tasks, key=lambda task: task.seconds_per_epoch * task.spec.train.epochs)


def _task(spec: RunSpec, runs: Sequence[Run], options: Options) -> Task:
    from mnist_tui.training.estimate import expected_cost  # torch: 2 s.

    seconds = float(expected_cost(spec, options, time.process_time)["seconds_per_epoch"])
    count = HOUSE_SEEDS if spec.name in presets.house_names() else 1 if seconds > SLOW_SECONDS else SEEDS
    seeds = tuple(spec.train.seed + index for index in range(count))
    done = {run.seed for run in runs}
    return Task(spec, seconds, seeds, tuple(seed for seed in seeds if seed not in done))


def _runs_of(runs_dir: Path) -> dict[str, list[Run]]:
    """The completed runs on MNIST by their recipe, the oldest first; whatever command trained them."""
    by_recipe: dict[str, list[Run]] = {}
    for run in reversed(read_runs(runs_dir)):
        if run.state == "completed" and run.dataset == DATASET and not run.is_rate_changed and not run.extends:
            by_recipe.setdefault(run.recipe, []).append(run)
    return by_recipe


def print_plan(tasks: Sequence[Task]) -> None:
    """Prints a line for each preset, and the time of what is missing."""
    for task in tasks:
        alone = " (over 30 s an epoch on one core: one seed)" if len(task.seeds) == 1 else ""
        left = f"seeds {', '.join(map(str, task.missing))}: {duration(task.seconds)}" if task.missing else "done"
        cost = f"{task.seconds_per_epoch:6.1f} s an epoch, {task.spec.train.epochs:3} epochs"
        print(f"{task.spec.name:<12} {cost}  {left}{alone}")
    count = sum(len(task.missing) for task in tasks)
    print(f"{count} runs are left: about {duration(sum(task.seconds for task in tasks))} on one core")


def train(tasks: Sequence[Task], options: Options, jobs: int | None) -> ExitCode:
    """Trains what is missing, a sweep for each preset, until somebody interrupts it."""
    code = ExitCode.OK
    for task in tasks:
        if not task.missing:
            continue
        sweep = folder.start(options.runs_dir, sweep_plan(task), _sweep_name(task))
        sweep.allow()
        code = sweep_runs.train(sweep, options, Output(False, False), Place(jobs), False, False) or code
        if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            return code
    return code


def sweep_plan(task: Task) -> SweepPlan:
    """The preset as published, from the first seed that nobody else has trained."""
    spec = task.spec.model_dump(mode="json", exclude_none=True)
    first, last = min(task.missing), max(task.missing)
    base = {**spec, "train": {**spec["train"], "seed": first}}
    vary = {"preset": [task.spec.name]}
    plan = {"base": base, "presets": {task.spec.name: base}, "vary": vary, "seeds": last - first + 1}
    return make_plan({**plan, "choose_on": "test", "dataset": DATASET})


def _sweep_name(task: Task) -> str:
    return f"{SWEEP_PREFIX}{task.spec.name}-s{min(task.missing)}"


# --- the histories that are shipped ---


def collect(specs: Sequence[RunSpec], runs_dir: Path) -> list[str]:
    """Copies the completed runs of each preset to the reference runs; returns a line for each that is new or changed.

    A reference run is replaced only by one of the same preset and seed. Raises `InputError`, and writes nothing, where
    all of them would be larger than `MAX_BYTES`, and where there is no such runs directory.
    """
    if not runs_dir.is_dir():
        raise InputError(f"{runs_dir}: there is no such folder of runs; name another with --runs-dir")
    runs = _runs_of(runs_dir)
    copies = {
        f"{spec.name}-s{run.seed}": compact(run) for spec in specs for run in runs.get(published.recipe_of(spec), ())
    }
    stored = {path.name: _stored(path) for path in sorted(reference.runs_dir().glob("*/"))}
    size = sum(len(content) for files in {**stored, **copies}.values() for content in files.values())
    if size > MAX_BYTES:
        raise InputError(f"the reference runs would be {size:,} bytes, at most {MAX_BYTES:,} are allowed; name presets")
    changed = [name for name, files in copies.items() if stored.get(name) != files]
    for name in changed:
        _write(reference.runs_dir() / name, copies[name])
    return [f"{'replaced' if name in stored else 'new'}: {name}" for name in changed]


def compact(run: Run) -> dict[str, bytes]:
    """The files of a reference run by name: without weights, and without what names a machine or a person."""
    record = {key: run.record[key] for key in RECORD_KEYS if key in run.record}
    record["run"] = f"{run.name}-s{run.seed}"
    record["dataset"] = {key: run.part("dataset")[key] for key in DATASET_KEYS if key in run.part("dataset")}
    end = {key: run.end[key] for key in END_KEYS if key in run.end}
    rows = b"".join(map(history.history_line, history.read_history(run.folder)))
    return {"run.json": _json_bytes(record), history.FILE: rows, "end.json": _json_bytes(end)}


def _json_bytes(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()


def _stored(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir()}


def _write(run: Path, files: Mapping[str, bytes]) -> None:
    run.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(run / name, content)


# --- the table ---


def table(specs: Sequence[RunSpec]) -> list[str]:
    """Published figures and ours as a Markdown table."""
    rows = [_row(each) for each in published.replications(specs, published.reference_runs())]
    return markdown.table([HEADS, *rows], IS_RIGHT)


def house_table(specs: Sequence[RunSpec]) -> list[str]:
    """The house models as a Markdown table: the last epoch on the test images, over their seeds."""
    rows = [_house_row(each) for each in published.replications(specs, published.reference_runs())]
    return markdown.table([HOUSE_HEADS, *rows], HOUSE_IS_RIGHT)


def _house_row(each: Replication) -> list[str]:
    spec, last = each.spec, each.last
    design = [spec.name, f"{spec.parameters:,}", str(spec.train.epochs), published.percent(spec.target.test_accuracy)]
    if last is None:
        return [*design, "", "", "", "", "not trained yet"]
    interval = statistics.mean_interval([run.last_accuracy for run in each.runs if run.last_accuracy is not None])
    between = f"{100 * interval[0]:.2f}–{100 * interval[1]:.2f}" if interval else ""
    return [*design, f"{last.mean:.3%}", between, f"{last.low:.2%}", f"{last.high:.2%}", str(len(each.runs))]


def with_table(page: str, lines: Sequence[str]) -> str:
    """A page with these lines in place of its table of presets."""
    before, _, rest = page.partition(f"| {HEADS[0]} ")
    after = rest.splitlines(keepends=True)[1:]
    while after and after[0].startswith("|"):
        del after[0]
    return before + "".join(f"{line}\n" for line in lines) + "".join(after)


def _row(each: Replication) -> list[str]:
    ours, last = each.ours, each.last
    reached = {True: "yes", False: "no", None: ""}[each.is_reached]
    why = why_not(each) if each.is_reached is False else ""
    seeds = str(len(each.runs)) if each.runs else "not trained yet"
    on = each.images if each.published is not None else ""
    return [each.spec.name, published.percent(each.published), on, _cell(ours), reached, _cell(last), seeds, why]


def why_not(each: Replication) -> str:
    """Why no seed reaches the published figure, in a few words; what is not known is said to be."""
    assert each.published is not None
    assert each.ours is not None
    short = each.published - each.ours.high
    chance = 2 * sqrt(each.published * (1 - each.published) / IMAGES[each.images])
    by = f"short by {100 * short:.2f} points"
    if short <= chance:
        return f"{by}, within the figure's own uncertainty, ±{100 * chance:.2f}"
    return f"{by}; {WHY.get(each.spec.name, NOT_KNOWN)}"


def _cell(spread: published.Spread | None) -> str:
    if spread is None:
        return ""
    return f"{spread.mean:.2%}" + (f" ({spread.range_text})" if spread.range_text else "")


# --- the command line ---


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
    options = Options(runs_dir=arguments.runs_dir, data_dir=arguments.data_dir, dataset=DATASET, threads=1)
    match arguments.command:
        case "collect":
            print("\n".join(collect(specs, arguments.runs_dir)) or "nothing has changed")
        case "table" | "house":
            page, lines = (PAGE, table(specs)) if arguments.command == "table" else (HOUSE_PAGE, house_table(specs))
            print("\n".join(lines))
            if arguments.write:
                write_atomically(page, with_table(page.read_text(encoding="utf-8"), lines).encode())
        case command:
            if command == "train":
                pool.preload()
            tasks = plan(specs, options)
            print_plan(tasks)
            if command == "train":
                return train(tasks, options, arguments.jobs)
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
