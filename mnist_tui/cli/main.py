"""`mnist-tui`: the commands, and the entry point. torch is loaded only by what trains.

A command is a function with `@app.command()` in the file of its group; a new file needs a line in `GROUPS`.
"""

import io
import os
import sys
from contextlib import suppress
from functools import cache
from typing import Any

import typer

from mnist_tui.cli import (
    analyse,
    briefs,
    classify,
    compare,
    config,
    doctor,
    exam,
    explain,
    export,
    import_logs,
    lab,
    leaderboard,
    lr_find,
    notes,
    presets,
    report,
    repro,
    runs,
    start,
    sweep,
    train,
    trash,
    work,
)
from mnist_tui.cli.exit_code import exit_code_of
from mnist_tui.cli.parsing import GroupCommand, MainCommand, SweepGroup

GROUPS = (
    *(presets, lr_find, train, repro, lab, runs, notes, trash, export, import_logs, compare, leaderboard, report),
    *(briefs, analyse, exam, explain, classify, doctor),
)
"""Modules with commands, in the order of the help."""


def _make_app() -> typer.Typer:
    app = typer.Typer(
        cls=MainCommand,
        rich_markup_mode=None,  # Plain help in every terminal; rich would cost 0.1 s.
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True, epilog=start.EPILOG)(start.start)
    for group in GROUPS:
        app.add_typer(group.app)
    app.add_typer(sweep.app, name="sweep", cls=SweepGroup)
    app.add_typer(work.app)
    app.add_typer(config.app, name="config", cls=GroupCommand)
    return app


@cache
def command_line() -> Any:
    """The command of click that parses a command line: built once, as it is a third of the time of a short command."""
    return typer.main.get_command(_make_app())


def main() -> None:
    """Runs the command line and ends the process with its exit code; no traceback reaches the user."""
    os.umask(os.umask(0o077) | 0o002)  # Nothing that is written here may be written by everybody.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):  # A stream whose file was exchanged for a pipe cannot be asked where it stands.
                stream.reconfigure(errors="replace")  # A terminal without UTF-8 gets ? for what it cannot show.
    command = command_line()
    if "_MNIST_TUI_COMPLETE" in os.environ:  # A shell asks what a word could be completed to.
        command.main(prog_name="mnist-tui")
    sys.exit(exit_code_of(lambda: _run(command, sys.argv[1:])))


def _run(command: Any, arguments: list[str]) -> int | None:
    """The exit code of the command line. Not `command.main`, which handles errors in its own way."""
    with command.make_context("mnist-tui", arguments) as context:
        code: int | None = command.invoke(context)
    return code
