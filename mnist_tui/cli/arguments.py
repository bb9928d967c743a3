"""Options that several commands share; those that are settings are made from the settings' declaration."""

import functools
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from mnist_tui.cli.completion import complete_changes, complete_runs, complete_runs_and_presets
from mnist_tui.datasets.names import needs_files
from mnist_tui.errors import UsageError
from mnist_tui.settings import settings
from mnist_tui.settings.model import (
    Settings,
    WrongSetting,
    choices_of,
    from_text,
    help_of,
    is_flag,
    must_be,
    validate,
)
from mnist_tui.spec.run_options import Options
from mnist_tui.text import clean_line

RUN = "a run: its folder, its name, or the end of its name"

EXIT_CODES = """\
Exit codes: 0 done, 1 training failed, 2 wrong input (also: there is no such run), 3 environment (no data, no device,
a folder that is damaged or not writable), 4 target missed (with --require-target), 5 came out differently (repro),
129 terminal closed (on_hangup = "stop"), 130 Ctrl-C, 143 terminated."""


def refuse_empty_run(typed: Any) -> Any:
    """What was typed for a run, or for several; raises `UsageError` for "", as `"$UNSET"` gives."""
    if "" in (typed if isinstance(typed, list | tuple) else [typed]):
        raise UsageError("RUN is empty; mnist-tui runs lists them")
    return typed


def refuse_empty_name(typed: Any) -> Any:
    """What was typed for a preset or a run, or for several; raises `UsageError` for ""."""
    if "" in (typed if isinstance(typed, list | tuple) else [typed]):
        raise UsageError("NAME is empty; mnist-tui --list shows the presets, mnist-tui runs the runs")
    return typed


Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help=f"{RUN}.",
        autocompletion=complete_runs,
        callback=refuse_empty_run,
        show_default=False,
    ),
]
SpecName = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help=f"A preset, FILE.toml, or {RUN}.",
        autocompletion=complete_runs_and_presets,
        callback=refuse_empty_name,
        show_default=False,
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting of it: optimizer.lr=0.01, dropout=0.2, …; may be repeated.",
        autocompletion=complete_changes,
    ),
]
Models = Annotated[Path | None, typer.Option("--models", metavar="DIR", help="One more folder of presets.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EventsAsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per event.")]
HasPlot = Annotated[bool, typer.Option("--plot", help="Print the test accuracy over the epochs as well, as text.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings to stderr.")]
Plain = Annotated[bool, typer.Option("--plain", help="Print lines of text instead of drawing a screen.")]
RequireTarget = Annotated[bool, typer.Option("--require-target", help="Exit code 4 if a target is missed.")]


def examples(*lines: str, more: str = "") -> str:
    """The end of a command's help: examples as they are typed, then more text."""
    # typer does not wrap what follows a backspace.
    text = "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
    return f"{text}\n\n{more}" if more else text


# --- options that are settings ---

RUN_OPTIONS = tuple(field.name for field in fields(Options) if field.name in Settings.model_fields)
RESUME_OPTIONS = tuple(name for name in RUN_OPTIONS if name != "fuse")
"""Without what a resumed run cannot change."""
SCREEN_OPTIONS = ("theme", "ascii", "mouse", "pixels")

METAVARS = {"data_dir": "DIR", "runs_dir": "DIR", "threads": "N", "device": "DEVICE", "dataset": "NAME"}
FLAGS = {"theme": "--dark/--light"}
"""The flags of a setting with two values, the first of which is its default."""

Given = Mapping[str, str | bool | list[bool]]
"""The settings that the command line names, as typed."""


def takes_settings(*names: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Gives a command an option for each of these settings; the command gets what was typed as its argument `given`."""

    def add_options(command: Callable[..., int]) -> Callable[..., int]:
        signature = inspect.signature(command)

        @functools.wraps(command)
        def run(**arguments: Any) -> int:
            typed = {name: arguments.pop(name) for name in names}
            return command(given={name: value for name, value in typed.items() if value is not None}, **arguments)

        own = [parameter for name, parameter in signature.parameters.items() if name != "given"]
        run.__signature__ = signature.replace(parameters=[*own, *map(_parameter, names)])  # type: ignore[attr-defined]
        return run

    return add_options


def _parameter(name: str) -> inspect.Parameter:
    """The parameter of a command that typer makes the option of a setting from."""
    flag = f"--{name.replace('_', '-')}"
    if name in FLAGS:
        option = typer.Option(FLAGS[name], help=help_of(name))
        return inspect.Parameter(name, _KEYWORD, default=None, annotation=Annotated[list[bool] | None, option])
    if is_flag(name):
        option = typer.Option(f"{flag}/--no-{flag[2:]}", help=help_of(name))
        return inspect.Parameter(name, _KEYWORD, default=None, annotation=Annotated[bool | None, option])
    choices = choices_of(name)
    metavar = METAVARS.get(name, "|".join(choices))
    option = typer.Option(flag, metavar=metavar, help=help_of(name), autocompletion=lambda: list(choices))
    return inspect.Parameter(name, _KEYWORD, default=None, annotation=Annotated[str | None, option])


_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def settings_with(given: Given, base: Settings | None = None) -> Settings:
    """The settings in force, or `base`, with what the command line names; raises `UsageError`, and `SettingsError`.

    Whether a data folder can be used is checked here where the command line names it; that of the settings is checked
    by what needs it.
    """
    base = base or settings.load()
    values = base.model_copy(update={name: _value(name, typed) for name, typed in given.items()})
    if "data_dir" in given and values.data_dir is not None:
        settings.check_data_dir("--data-dir", values.data_dir)
    return values


def _value(name: str, typed: str | bool | list[bool]) -> Any:
    if isinstance(typed, list):
        if len(set(typed)) > 1:
            raise UsageError(FLAGS[name].replace("/", " is not allowed with "))
        default, other = choices_of(name)
        return default if typed[0] else other
    value = from_text(name, typed) if isinstance(typed, str) else typed
    values = validate({name: value})
    if isinstance(values, WrongSetting):
        shown = clean_line(str(typed), 40) or "''"
        raise UsageError(f"--{name.replace('_', '-')} {shown}: must be {must_be(name)}")
    return getattr(values, name)


def run_options(given: Given, base: Settings | None = None) -> Options:
    """How to run on this machine, by the command line and the settings; raises `UsageError`, and `SettingsError`."""
    values = settings_with(given, base)
    if values.data_dir is not None and "data_dir" not in given and needs_files(values.dataset):
        settings.check_data_dir(f"{settings.resolved()['data_dir'].origin}: data_dir", values.data_dir)
    command = tuple(clean_line(argument) for argument in sys.argv[1:])
    return Options(**{name: getattr(values, name) for name in RUN_OPTIONS}, command=command)


def resume_options(given: Given) -> Options:
    """`run_options` for a run that is resumed, which keeps its own device and threads unless they are named."""
    return run_options(given, settings.load().model_copy(update={"device": "auto", "threads": None}))


# --- numbers ---


def whole_number(what: str, text: str, low: int, high: int, other: str = "") -> int:
    """The number that a text is; raises `UsageError` unless it is a whole number in this range.

    `other` is a word that may stand in place of a number.
    """
    if not re.fullmatch("-?[0-9]{1,9}", text) or not low <= int(text) <= high:
        or_other = f"{other} or " if other else ""
        raise UsageError(f"{what} {clean_line(text, 40)}: must be {or_other}a whole number between {low} and {high:,}")
    return int(text)
