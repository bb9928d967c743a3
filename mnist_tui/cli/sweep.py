"""`mnist-tui sweep`: many runs that differ in chosen settings."""

from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from mnist_tui.cli.arguments import (
    EXIT_CODES,
    RUN_OPTIONS,
    AsJson,
    EventsAsJson,
    Given,
    Models,
    Quiet,
    examples,
    refuse_empty_name,
    run_options,
    settings_with,
    takes_settings,
    whole_number,
)
from mnist_tui.cli.changes import MAX_SEEDS, read_changes
from mnist_tui.cli.completion import complete_changes, complete_runs_and_presets
from mnist_tui.cli.formats import FormatOption, JsonOption, json_text, output_format, print_table, record
from mnist_tui.cli.sweep_arguments import (
    OBJECTIVES,
    Jobs,
    On,
    PerRun,
    RetryFailed,
    SweepName,
    one_of,
    read_place,
    read_plan,
    read_search,
)
from mnist_tui.errors import UsageError
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.vocabulary import MAX_POINTS, ChooseOn, Design, Prune, Sampler

if TYPE_CHECKING:
    from mnist_tui.sweep.folder import Sweep
    from mnist_tui.sweep.place import Place

app = typer.Typer()

SWEEP_OPTIONS = tuple(name for name in RUN_OPTIONS if name != "dataset")

VALUES = """\
Values: optimizer.lr=0.003,0.01 tries both; 0.05..0.2 step 0.05; 0.001..0.1 log 5 values; with --design random or sobol,
or --search, a range alone: 0.001..0.1 log, 8..32. layers=iter4,iter5 tries the networks of presets. One value changes
the setting in every run. In a file: docs/sweeps.md."""


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "mnist-tui sweep                                       the sweeps of the runs folder",
        "mnist-tui sweep iter5 --set optimizer.lr=0.003,0.01 --seeds 3 --dry-run",
        "mnist-tui sweep iter5 --set optimizer.lr=0.003,0.01 --seeds 3",
        "mnist-tui sweep my_sweep.toml                         as the file says: docs/sweeps.md",
        "mnist-tui sweep report iter5                          what came of it, also while it goes on",
    ),
)
@takes_settings("runs_dir")
def list_sweeps(context: typer.Context, as_json: AsJson = False, *, given: Given) -> int:
    """Train a network with several values of its settings; compare them.

    A sweep is the run folders of its points and a small file. Called again it goes on: done points are skipped,
    interrupted ones resumed. Several processes and machines may share it: mnist-tui work SWEEP.
    """
    if context.invoked_subcommand is not None:
        return 0
    from mnist_tui.sweep import folder, status
    from mnist_tui.sweep.report import make_report

    runs_dir = settings_with(given).runs_dir
    reports = [make_report(sweep) for sweep in folder.sweeps(runs_dir)]
    if as_json:
        print(json_text([record(status.as_record(report)) for report in reports]))
    elif reports:
        print_table("table", *status.table(reports))
    else:
        print(f"no sweep in {runs_dir}; mnist-tui sweep --help shows how to begin one")
    return 0


@app.command(
    "run",
    epilog=examples(
        "mnist-tui sweep iter5 --set optimizer.lr=0.003,0.01,0.03 --set epochs=5 --seeds 3",
        'mnist-tui sweep iter5 --set "optimizer.lr=0.001..0.1 log" --design sobol --points 16',
        'mnist-tui sweep iter5 --set "optimizer.lr=0.001..0.1 log" --search tpe --trials 40',
        "mnist-tui sweep mine.toml --set width=4,8,16 --where 'parameters<8000' --dry-run",
        "mnist-tui sweep iter4 iter5 v3 --seeds 5                whole presets against each other",
        more=f"{VALUES}\n\n{EXIT_CODES}",
    ),
)
@takes_settings(*RUN_OPTIONS)
def run(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="Presets that are tried against each other, or one whose settings are varied; a run, FILE.toml.",
            autocompletion=complete_runs_and_presets,
            callback=refuse_empty_name,
            show_default=False,
        ),
    ],
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUES",
            help="The values of a setting; may be repeated.",
            autocompletion=complete_changes,
        ),
    ] = None,
    sweep_name: Annotated[
        str | None, typer.Option("--name", metavar="SWEEP", help="Its name; without one, that of NAME.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(metavar="K", help="Train each configuration with K seeds.")] = None,
    design: Annotated[
        str | None, typer.Option(metavar="|".join(get_args(Design)), help="All combinations, or --points of them.")
    ] = None,
    points: Annotated[
        str | None, typer.Option(metavar="N", help="How many configurations random and sobol draw.")
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(metavar="|".join(get_args(Sampler)), help="Propose each configuration from the results so far."),
    ] = None,
    trials: Annotated[str | None, typer.Option(metavar="N", help="How many configurations a search tries.")] = None,
    prune: Annotated[
        str | None,
        typer.Option(metavar="|".join(get_args(Prune)), help="Stop runs of a search early that fall behind."),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(metavar="|".join(OBJECTIVES), help="What a search improves: accuracy; or fewer parameters, too."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="BOUND", help="Only networks that keep it: 'parameters<8000'."),
    ] = None,
    choose_on: Annotated[
        str | None,
        typer.Option(metavar="|".join(get_args(ChooseOn)), help="The images that configurations are compared on."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="best|last|mean", help="Accuracy: best epoch, last, mean of the last.")
    ] = None,
    jobs: Jobs = None,
    on: On = None,
    per_run: PerRun = None,
    retry_failed: RetryFailed = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print every point and the cost; train nothing.")] = False,
    models: Models = None,
    as_json: EventsAsJson = False,
    quiet: Quiet = False,
    *,
    given: Given,
) -> int:
    """Begin a sweep, or go on with it. `run` may be left out: mnist-tui sweep NAME."""
    from mnist_tui.analysis.comparison import MEASURES
    from mnist_tui.sweep import folder

    options, where_trained = run_options(given), read_place(jobs, on, per_run)
    more: dict[str, Any] = {
        "seeds": None if seeds is None else whole_number("--seeds", seeds, 1, MAX_SEEDS),
        "design": one_of("--design", design, get_args(Design)),
        "points": None if points is None else whole_number("--points", points, 1, MAX_POINTS),
        "search": read_search(search, trials, prune, objective),
        "where": where,
        "choose_on": one_of("--choose-on", choose_on, get_args(ChooseOn)),
        "by": one_of("--by", by, tuple(MEASURES)),
    }
    more = {key: value for key, value in more.items() if value is not None}
    if {"design", "points"} & more.keys() and "search" in more:
        raise UsageError("--search proposes points itself; --design and --points are not allowed with it")
    plan = read_plan(names, read_changes(changes), more | {"dataset": options.dataset}, models, options)
    if dry_run:
        from mnist_tui.cli import sweep_runs

        return sweep_runs.dry_run(plan, options, where_trained, as_json)
    sweep = folder.start(options.runs_dir, plan, sweep_name)
    return train_sweep(sweep, options, where_trained, retry_failed, as_json, quiet)


@app.command("resume", epilog=examples("mnist-tui sweep resume iter5", more=EXIT_CODES))
@takes_settings(*SWEEP_OPTIONS)
def resume(
    name: SweepName = None,
    jobs: Jobs = None,
    on: On = None,
    per_run: PerRun = None,
    retry_failed: RetryFailed = False,
    as_json: EventsAsJson = False,
    quiet: Quiet = False,
    *,
    given: Given,
) -> int:
    """Go on with a sweep: train its points that are not done, resume interrupted ones."""
    from mnist_tui.sweep import folder

    options, where_trained = run_options(given), read_place(jobs, on, per_run)
    return train_sweep(folder.find(options.runs_dir, name), options, where_trained, retry_failed, as_json, quiet)


@app.command("stop", epilog=examples("mnist-tui sweep stop iter5"))
@takes_settings("runs_dir")
def stop(name: SweepName = None, *, given: Given) -> int:
    """Stop a sweep everywhere: its runs are saved after their step.

    It works by a file, on every machine that sees the runs folder. mnist-tui sweep resume goes on.
    """
    from mnist_tui.sweep import folder

    sweep = folder.find(settings_with(given).runs_dir, name)
    sweep.stop()
    print(f"sweep {sweep.name} stops after the current step of its runs; mnist-tui sweep resume {sweep.name} goes on")
    return 0


@app.command("status", epilog=examples("mnist-tui sweep status iter5", "mnist-tui sweep status iter5 --json"))
@takes_settings("runs_dir")
def show_status(
    name: SweepName = None, named_format: FormatOption = None, as_json: JsonOption = False, *, given: Given
) -> int:
    """Print which points of a sweep are done, trained, waiting or failed."""
    from mnist_tui.sweep import folder, status

    output = output_format(named_format, as_json)
    sweep = folder.find(settings_with(given).runs_dir, name)
    points = status.points_of(sweep)
    if output == "table":
        print(status.heading(sweep, points))
    print_table(output, *status.points_table(sweep, points), *status.point_records(sweep, points))
    return 0


@app.command(
    "report",
    epilog=examples("mnist-tui sweep report iter5", "mnist-tui sweep report iter5 --format markdown > sweep.md"),
)
@takes_settings("runs_dir")
def report(
    name: SweepName = None,
    limit: Annotated[str | None, typer.Option(metavar="N", help="Print only the N best configurations.")] = None,
    named_format: FormatOption = None,
    as_json: JsonOption = False,
    *,
    given: Given,
) -> int:
    """Print the configurations of a sweep by accuracy, what each setting does, and whether the best can be told."""
    from mnist_tui.cli import sweep_output
    from mnist_tui.sweep import folder

    output = output_format(named_format, as_json)
    count = None if limit is None else whole_number("--limit", limit, 1, MAX_POINTS)
    sweep_output.print_report(folder.find(settings_with(given).runs_dir, name), output, count)
    return 0


def train_sweep(
    sweep: "Sweep",
    options: Options,
    place: "Place",
    retry_failed: bool,
    as_json: bool,
    quiet: bool,
    is_helper: bool = False,
) -> int:
    """Trains what is not done of a sweep, and prints its report; `is_helper`: beside a process that prints it."""
    from mnist_tui.cli import sweep_output
    from mnist_tui.sweep import pool
    from mnist_tui.sweep.report import make_report

    if not is_helper:
        sweep.allow()
    report = make_report(sweep)
    if report.done >= report.planned:
        if not as_json and not is_helper:
            sweep_output.print_report(sweep, "table")
        return 0
    if place.on is None:
        pool.preload()
    from mnist_tui.cli import sweep_runs  # 2 s: after every check that needs no torch.
    from mnist_tui.cli.output import Output

    return sweep_runs.train(sweep, options, Output(as_json, quiet), place, retry_failed, is_helper)
