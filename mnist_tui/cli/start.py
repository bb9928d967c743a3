"""`mnist-tui` without a command: the laboratory, `--list` and `--batch`."""

from typing import Annotated

import typer

from mnist_tui.cli.arguments import (
    EXIT_CODES,
    RUN_OPTIONS,
    SCREEN_OPTIONS,
    Changes,
    Given,
    Models,
    Plain,
    Quiet,
    RequireTarget,
    examples,
    refuse_empty_name,
    settings_with,
    takes_settings,
)
from mnist_tui.cli.changes import apply_changes, read_changes, repeat_with_seeds
from mnist_tui.cli.completion import complete_runs_and_presets
from mnist_tui.cli.formats import ListFormatOption, output_format
from mnist_tui.cli.lab import Opening, open_lab_or_print
from mnist_tui.cli.presets import list_presets
from mnist_tui.cli.serve import serve_lab
from mnist_tui.cli.specs import load_specs
from mnist_tui.cli.train import train_batch
from mnist_tui.errors import UsageError
from mnist_tui.served import is_served, take_terminal

EPILOG = examples(
    "mnist-tui                                the laboratory, on the design of the last time",
    "mnist-tui --preset iter5 --start         the laboratory, training at once",
    "mnist-tui --list                         every preset: parameters, published accuracy",
    "mnist-tui --batch iter4 iter5 --seeds 3  train; the run folders are printed last",
    "mnist-tui --batch my_net.toml --dry-run  layer table, steps, target, expected time",
    "mnist-tui --batch a17f --set epochs=30   train the design of a run again, with a change",
    "mnist-tui --serve                        the laboratory in a browser, on this machine",
    "mnist-tui COMMAND --help                 arguments and examples of a command",
    more=EXIT_CODES,
)


@takes_settings(*SCREEN_OPTIONS, *RUN_OPTIONS)
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False,
    has_list: Annotated[bool, typer.Option("--list", help="List the presets.")] = False,
    batch: Annotated[
        list[str] | None,
        typer.Option(
            "--batch",
            metavar="NAME...",
            help="Train presets, FILE.toml, or the designs of runs again, without a dashboard.",
            autocompletion=complete_runs_and_presets,
            callback=refuse_empty_name,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Open the laboratory on a preset, FILE.toml, or the design of a run.",
            autocompletion=complete_runs_and_presets,
            callback=refuse_empty_name,
        ),
    ] = None,
    start_at_once: Annotated[bool, typer.Option("--start", help="In the laboratory: train at once.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the laboratory to a browser that has the token; needs an extra.")
    ] = False,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="With --serve: the address to listen at; without it only this machine."),
    ] = None,
    port: Annotated[str | None, typer.Option(metavar="N", help="With --serve: the port; 8000 without it.")] = None,
    visitors: Annotated[
        str | None,
        typer.Option(metavar="N", help="With --serve: the most visitors at a time; 4 without it."),
    ] = None,
    plain: Plain = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --batch: print table, steps, verdict, time; train nothing.")
    ] = False,
    changes: Changes = None,
    epochs: Annotated[str | None, typer.Option(metavar="N", help="Short for --set epochs=N.")] = None,
    seed: Annotated[str | None, typer.Option(metavar="N", help="Short for --set seed=N.")] = None,
    seeds: Annotated[str | None, typer.Option(metavar="N", help="Train N times, with N seeds in a row.")] = None,
    jobs: Annotated[
        str | None,
        typer.Option(metavar="N|auto", help="Train N runs at a time, each in a process with one thread."),
    ] = None,
    stack: Annotated[
        bool | None,
        typer.Option(
            "--stack/--no-stack",
            help="Train the networks of --seeds as one, in one process; on a CUDA GPU it is the default.",
            show_default=False,
        ),
    ] = None,
    models: Models = None,
    require_target: RequireTarget = False,
    list_format: ListFormatOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: with --batch an object per event, with --list a list.")
    ] = False,
    quiet: Quiet = False,
    *,
    given: Given,
) -> int:
    """Design, train and compare small image classifiers on MNIST; without a command: the laboratory."""
    if context.invoked_subcommand is not None:
        _refuse_options(context, context.invoked_subcommand)
        return 0
    if version:
        print(_version())
        return 0
    if has_list and batch:
        raise UsageError("--batch is not allowed with --list")
    if serve and (has_list or batch):
        raise UsageError("--serve opens the laboratory; it is not allowed with --list or --batch")
    for option, text in {"--host": host, "--port": port, "--visitors": visitors}.items():
        if text is not None and not serve:
            raise UsageError(f"{option} goes with --serve")
    if has_list:
        return list_presets(models, output_format(list_format, as_json))
    if list_format is not None:
        raise UsageError("--format goes with --list; with --batch, --json prints one JSON object per event")
    all_changes = read_changes(changes, epochs, seed)
    if batch:
        if preset or start_at_once:
            raise UsageError("--preset and --start open the laboratory; --batch takes the names itself")
        specs = load_specs(batch, models, settings_with(given).runs_dir)
        specs = apply_changes(specs, all_changes, models)
        may_stack = _may_stack(stack, seeds, jobs)
        specs = repeat_with_seeds(specs, seeds)
        return train_batch(specs, given, dry_run, require_target, as_json, quiet, jobs, may_stack)
    for option, is_given in {
        "--dry-run": dry_run,
        "--json": as_json,
        "--require-target": require_target,
        "--jobs": jobs,
        "--stack": stack,
        "--no-stack": stack is False,
    }.items():
        if is_given:
            raise UsageError(f"{option} goes with --batch NAME")
    opening = Opening(preset, all_changes, seeds, models, start_at_once, given)
    if serve and is_served():
        take_terminal()
    elif serve:
        return serve_lab(opening, plain, host, port, visitors)
    return open_lab_or_print(opening, plain, quiet)


def _may_stack(stack: bool | None, seeds: str | None, jobs: str | None) -> bool | None:
    """Whether seeds are trained as one network; None where the device decides. Raises `UsageError`."""
    if stack and seeds is None:
        raise UsageError("--stack goes with --seeds N")
    if stack and jobs is not None:
        raise UsageError("--jobs is not allowed with --stack, which trains all seeds in one process")
    return stack if stack is not None or (seeds is not None and jobs is None) else False


def _refuse_options(context: typer.Context, command: str) -> None:
    """Raises `UsageError` for an option before a command, such as `--batch iter5 --json runs`."""
    for parameter in context.command.params:
        if context.params.get(parameter.name, parameter.default) not in (parameter.default, ()):
            raise UsageError(
                f"{parameter.opts[0]} cannot be combined with the command {command}, whose options follow its name; "
                f"see mnist-tui {command} --help"
            )


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # 20 ms.

    try:
        return f"mnist-tui {version('mnist-tui')}"
    except PackageNotFoundError:
        return "mnist-tui (not installed)"
