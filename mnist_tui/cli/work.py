"""`mnist-tui work`: a process that trains points of a sweep beside others."""

import typer

from mnist_tui.cli.arguments import EXIT_CODES, EventsAsJson, Given, Quiet, examples, run_options, takes_settings
from mnist_tui.cli.sweep import SWEEP_OPTIONS, train_sweep
from mnist_tui.cli.sweep_arguments import Jobs, RetryFailed, SweepName, read_place
from mnist_tui.errors import SweepError

app = typer.Typer()


@app.command(
    "work",
    epilog=examples(
        "mnist-tui work iter5                        on any machine that sees the runs folder",
        "mnist-tui work iter5 --runs-dir /shared/runs --jobs 8",
        more=EXIT_CODES,
    ),
)
@takes_settings(*SWEEP_OPTIONS)
def work(
    name: SweepName = None,
    jobs: Jobs = None,
    retry_failed: RetryFailed = False,
    as_json: EventsAsJson = False,
    quiet: Quiet = False,
    *,
    given: Given,
) -> int:
    """Train points of a sweep beside other processes and machines.

    Each point is claimed before it is trained; one whose process died is taken over and resumed, on another machine
    after a minute. Ends when no point is left, or after mnist-tui sweep stop SWEEP.
    """
    from mnist_tui.sweep import folder

    options = run_options(given)
    sweep = folder.find(options.runs_dir, name)
    if sweep.is_stopped:
        raise SweepError(f"sweep {sweep.name} was stopped; mnist-tui sweep resume {sweep.name} lets it go on")
    return train_sweep(sweep, options, read_place(jobs), retry_failed, as_json, quiet, is_helper=True)
