"""What is typed for a sweep: options of several commands, its plan, its search, and where its runs are trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from mnist_tui.cli.arguments import whole_number
from mnist_tui.cli.completion import complete_sweeps
from mnist_tui.cli.specs import load_spec
from mnist_tui.cli.train import read_jobs
from mnist_tui.errors import SpecError, SweepError, UsageError
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.vocabulary import MAX_POINTS, Prune, Sampler
from mnist_tui.text import clean_line, did_you_mean

if TYPE_CHECKING:
    from mnist_tui.sweep.place import Place
    from mnist_tui.sweep.plan import SweepPlan

OBJECTIVES = ("accuracy", "accuracy,parameters")

SweepName = Annotated[
    str | None,
    typer.Argument(
        metavar="SWEEP",
        help="A sweep of the runs folder; without it the newest.",
        autocompletion=complete_sweeps,
        show_default=False,
    ),
]
Jobs = Annotated[
    str | None,
    typer.Option("--jobs", metavar="N|auto", help="Train N runs at a time, each in a process with one thread."),
]
On = Annotated[
    str | None,
    typer.Option("--on", metavar="ray|ray://HOST|HOST:PORT", help="Train on a Ray cluster; ray: here, or RAY_ADDRESS."),
]
PerRun = Annotated[
    str | None, typer.Option("--per-run", metavar="cpu=1,gpu=0.1", help="With --on: what a run takes of a node.")
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try points again whose run ended by an error.")]


def read_plan(
    names: Sequence[str], changes: dict[str, str], more: dict[str, Any], models: Path | None, options: Options
) -> "SweepPlan":
    """The plan of presets or runs with these changes, or of a sweep file."""
    from mnist_tui.sweep import sweep_file

    vary = {path: sweep_file.as_values(f"--set {path}", text) for path, text in changes.items()}
    files = [name for name in names if name.endswith(".toml") and sweep_file.is_sweep_file(Path(name))]
    if files and len(names) > 1:
        raise UsageError(f"{clean_line(files[0], 100)} is a sweep of its own; name it alone")
    if files:
        return sweep_file.load_plan(Path(files[0]), models, {**more, "vary": vary})
    specs = [load_spec(name, models, options.runs_dir) for name in names]
    try:
        return sweep_file.plan_of(specs, vary, more, models)
    except SpecError as error:
        raise SweepError(f"{', '.join(spec.name for spec in specs[:3])}: {error}") from None


def read_search(
    sampler: str | None, trials: str | None, prune: str | None, objective: str | None
) -> dict[str, Any] | None:
    """The search that these options ask for."""
    if sampler is None:
        for option, value in {"--trials": trials, "--prune": prune, "--objective": objective}.items():
            if value is not None:
                raise UsageError(f"{option} goes with --search {'|'.join(get_args(Sampler))}")
        return None
    if trials is None:
        raise UsageError("--search needs the number of trials, such as --trials 40")
    asked = {
        "sampler": one_of("--search", sampler, get_args(Sampler)),
        "trials": whole_number("--trials", trials, 1, MAX_POINTS),
        "prune": one_of("--prune", prune, get_args(Prune)),
        "objectives": (one_of("--objective", objective, OBJECTIVES) or "accuracy").split(","),
    }
    return {key: value for key, value in asked.items() if value is not None}


def one_of(option: str, typed: str | None, known: Sequence[str]) -> str | None:
    """What was typed for an option, where it is one of those that are known; raises `UsageError`."""
    if typed is not None and typed not in known:
        near = did_you_mean(typed, known)
        raise UsageError(f"{option} {clean_line(typed, 40)}: must be {', '.join(known[:-1])} or {known[-1]}{near}")
    return typed


def read_place(jobs: str | None, on: str | None = None, per_run: str | None = None) -> "Place":
    """Where runs are trained; raises `UsageError`, and `MissingPackageError` where a cluster is named without Ray."""
    from mnist_tui.sweep.cluster import options as cluster
    from mnist_tui.sweep.place import Place

    if on is None:
        if per_run is not None:
            raise UsageError("--per-run goes with --on ray")
        return Place(read_jobs(jobs))
    if jobs is not None:
        raise UsageError("--jobs is not allowed with --on, where --per-run says how many runs a node has room for")
    cluster.parse_address(on)
    cluster.parse_per_run(per_run)
    cluster.check_installed()
    return Place(None, on, per_run)
