"""Commands that train without a dashboard: `--batch` with `--dry-run`, `resume` and `extend`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from mnist_tui.cli.arguments import (
    EXIT_CODES,
    RESUME_OPTIONS,
    RUN,
    EventsAsJson,
    Given,
    Quiet,
    RequireTarget,
    Run,
    examples,
    refuse_empty_run,
    resume_options,
    run_options,
    takes_settings,
    whole_number,
)
from mnist_tui.cli.completion import complete_runs
from mnist_tui.cli.exit_code import interruptible_import
from mnist_tui.cli.output import Output
from mnist_tui.spec.run_spec import RunSpec

app = typer.Typer()

MAX_EPOCHS = 10_000
MAX_JOBS = 1_000


def read_jobs(jobs: str | None) -> int | None:
    """The number of runs at a time that `--jobs` names; None for as many as there is room for."""
    return None if jobs in (None, "auto") else whole_number("--jobs", jobs, 1, MAX_JOBS, other="auto")


def train_batch(
    specs: Sequence[RunSpec],
    given: Given,
    is_dry_run: bool = False,
    require_target: bool = False,
    as_json: bool = False,
    quiet: bool = False,
    jobs: str | None = None,
    stack: bool | None = False,
) -> int:
    """Trains every spec, or prints what it would be and cost.

    `stack`: whether specs that differ in the seed only are trained as one network; None: on a CUDA GPU.
    """
    options = run_options(given)
    count = read_jobs(jobs)
    if len(specs) > 1 and count != 1 and not is_dry_run and not stack:
        from mnist_tui.sweep import pool

        pool.preload()
    with interruptible_import():
        from mnist_tui.cli import batch  # 2 s: after every check that needs no torch.

    output = Output(as_json, quiet)
    if is_dry_run:
        return batch.dry_run(specs, options, output)
    return batch.batch(specs, options, output, require_target, count, stack)


@app.command(
    epilog=examples("mnist-tui resume", "mnist-tui resume a17f", "mnist-tui resume a17f --device cpu", more=EXIT_CODES)
)
@takes_settings(*RESUME_OPTIONS)
def resume(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help=f"{RUN}; without it the newest that was interrupted or stopped.",
            autocompletion=complete_runs,
            callback=refuse_empty_run,
        ),
    ] = None,
    require_target: RequireTarget = False,
    as_json: EventsAsJson = False,
    quiet: Quiet = False,
    *,
    given: Given,
) -> int:
    """Resume an interrupted or stopped run.

    On a CPU it ends bit for bit as if it had never stopped.
    """
    options = resume_options(given)
    with interruptible_import():
        from mnist_tui.cli import batch
    from mnist_tui.runs import index, storage

    if run is None:
        saved = index.newest_resumable(options.runs_dir)
    else:
        saved = storage.load_run(index.find_run(run, options.runs_dir).folder)
    return batch.resume(saved, options, Output(as_json, quiet), require_target)


@app.command(epilog=examples("mnist-tui extend a17f 5", more=EXIT_CODES))
@takes_settings(*RESUME_OPTIONS)
def extend(
    run: Run,
    epochs: Annotated[str, typer.Argument(metavar="N", help="How many more epochs.", show_default=False)],
    require_target: RequireTarget = False,
    as_json: EventsAsJson = False,
    quiet: Quiet = False,
    *,
    given: Given,
) -> int:
    """Train a completed run for N more epochs.

    A new folder continues from the last checkpoint of the run.
    """
    count = whole_number("epochs", epochs, 1, MAX_EPOCHS)
    options = resume_options(given)
    with interruptible_import():
        from mnist_tui.cli import batch
    from mnist_tui.runs import index, storage

    saved = storage.load_run(index.find_run(run, options.runs_dir).folder)
    return batch.extend(saved, count, options, Output(as_json, quiet), require_target)
