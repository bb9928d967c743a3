"""Commands that open the dashboard: the laboratory, and `watch`."""

import gc
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mnist_tui.cli.arguments import (
    RUN,
    RUN_OPTIONS,
    SCREEN_OPTIONS,
    EventsAsJson,
    Given,
    Plain,
    examples,
    refuse_empty_run,
    run_options,
    settings_with,
    takes_settings,
)
from mnist_tui.cli.changes import apply_changes, read_seeds, repeat_with_seeds
from mnist_tui.cli.completion import complete_runs
from mnist_tui.cli.exit_code import exit_code_of
from mnist_tui.cli.presets import print_summary
from mnist_tui.cli.specs import find_named_run, load_specs
from mnist_tui.cli.train import train_batch
from mnist_tui.errors import PresetError, SettingsError, UsageError
from mnist_tui.settings import settings
from mnist_tui.settings.model import DEFAULTS, Settings
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui import supervisor, terminal

if TYPE_CHECKING:
    from mnist_tui.settings.last_used import LastUsed
    from mnist_tui.spec.draft import Draft
    from mnist_tui.tui.request import LabRequest

app = typer.Typer()


@dataclass(frozen=True)
class Opening:
    """What the command line says of the laboratory."""

    preset: str | None
    changes: Mapping[str, str]
    """Of `--set`, by the path of the setting."""
    seeds: str | None
    models: Path | None
    starts: bool
    """Whether training begins at once."""
    given: Given


def open_lab_or_print(opening: Opening, plain: bool, quiet: bool) -> int:
    """Opens the laboratory; on a terminal that cannot draw, and with `--plain`, prints the network and trains."""
    request = lab_request(opening)
    if plain or (terminal.is_terminal() and terminal.is_dumb()):
        return _print_or_train(opening, _valid_spec(request.draft), quiet)
    if not terminal.is_terminal():
        name = clean_line(opening.preset or request.draft.base.name)
        raise UsageError(f"the laboratory needs a terminal; train without one: mnist-tui --batch {name}")
    return open_dashboard(request)


def lab_request(opening: Opening) -> "LabRequest":
    """What the laboratory is opened with; raises `UsageError`, `PresetError` and `SettingsError`."""
    values = settings_with(opening.given)
    last, notice = _last_used()
    draft = _initial_draft(opening, values, last)
    previous = last.draft if last and last.draft.changed_count and last.draft != draft else None
    return replace(
        _request(draft, opening.given, values),
        models=opening.models,
        previous=previous,
        run_texts=_run_texts(opening, last),
        start=opening.starts,
        notice=notice,
    )


def _last_used() -> "tuple[LastUsed | None, str]":
    """The design of the last time, and why it cannot be read."""
    from mnist_tui.settings.last_used import last_used

    try:
        return last_used(), ""
    except SettingsError as error:
        return None, str(error)


def _initial_draft(opening: Opening, values: Settings, last: "LastUsed | None") -> "Draft":
    """The draft that the laboratory opens on: what is named, the last design, or the preset of the settings."""
    from mnist_tui.spec.draft import Draft

    if opening.preset:
        (spec,) = load_specs([opening.preset], opening.models, values.runs_dir)
        is_of_run = find_named_run(opening.preset, opening.models, values.runs_dir) is not None
        draft = Draft.of(spec, presets.base_of(spec, opening.models)) if is_of_run else Draft(spec)
    else:
        draft = last.draft if last is not None else Draft(_preset_of_settings(values, opening.models))
    if not opening.changes:
        return draft
    (changed,) = apply_changes([_valid_spec(draft)], opening.changes, opening.models)
    return Draft.of(changed, draft.base)


def _valid_spec(draft: "Draft") -> RunSpec:
    """The spec of a draft; raises `UsageError` for a draft with mistakes."""
    if draft.result.spec is None:
        raise UsageError(
            "what was designed last has mistakes: open mnist-tui and correct them, or name a preset: --preset"
        )
    return draft.result.spec


def _preset_of_settings(values: Settings, models: Path | None) -> RunSpec:
    try:
        return presets.load(values.preset, models)
    except PresetError as error:
        raise SettingsError(f"{settings.resolved()['preset'].origin}: preset: {error}") from None


def _run_texts(opening: Opening, last: "LastUsed | None") -> dict[str, str]:
    """Texts of the run's fields: those of the last time, without what the command line names."""
    seeds = {"seeds": str(read_seeds(opening.seeds))} if opening.seeds is not None else {}
    if last is None or opening.preset:
        return seeds
    return {name: text for name, text in last.run_texts.items() if name not in opening.given} | seeds


def _print_or_train(opening: Opening, spec: RunSpec, quiet: bool) -> int:
    run_options(opening.given)  # Raises for a wrong option before anything is printed.
    print_summary(spec)
    if not opening.starts:
        name = clean_line(opening.preset or spec.name)
        print(f"\nto train: mnist-tui --batch {name}, or mnist-tui --plain --start")
        return 0
    return train_batch(repeat_with_seeds([spec], opening.seeds), opening.given, quiet=quiet)


def _request(draft: "Draft", given: Given, values: Settings) -> "LabRequest":
    from mnist_tui.tui.request import LabRequest

    if (values.columns, values.sort) != (DEFAULTS.columns, DEFAULTS.sort):
        from mnist_tui.cli.run_table import columns_and_sort  # The defaults are valid; the first frame waits for less.

        columns_and_sort()
    if values.pixels and find_spec("textual_image") is None:
        raise UsageError("real pixels need textual-image: pip install textual-image, or start with --no-pixels")
    is_ascii = values.ascii or ("ascii" not in given and not terminal.has_utf8())
    return LabRequest(draft, settings=values.model_copy(update={"ascii": is_ascii}), options=run_options(given))


def open_dashboard(request: "LabRequest") -> NoReturn:
    """Runs the dashboard in a child, so that this process can restore the terminal whatever happens to the child."""
    terminal.prepare()

    def main(report: "supervisor.Report") -> int:
        gc.disable()  # Until the first frame is drawn: collections over all that is being loaded cost a tenth of it.
        from mnist_tui.tui.app import run_lab

        return exit_code_of(lambda: run_lab(request, report))

    supervisor.run_supervised(main)


@app.command(epilog=examples("mnist-tui watch", "mnist-tui watch a17f", "mnist-tui watch --json"))
@takes_settings(*SCREEN_OPTIONS, *RUN_OPTIONS)
def watch(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help=f"{RUN}; without it the newest that is being trained, else the newest.",
            autocompletion=complete_runs,
            callback=refuse_empty_run,
        ),
    ] = None,
    as_json: EventsAsJson = False,
    plain: Plain = False,
    *,
    given: Given,
) -> int:
    """Show a run live that another process trains; pause or stop it."""
    values, options = settings_with(given), run_options(given)
    from mnist_tui.cli import watch as watch_lines
    from mnist_tui.runs import index, storage
    from mnist_tui.spec.draft import Draft

    folder = index.find_run(run, options.runs_dir).folder if run else index.newest_run(options.runs_dir)
    if plain or as_json or not terminal.is_terminal() or terminal.is_dumb():
        return watch_lines.print_events(folder, as_json)
    saved = storage.load_run(folder).spec
    return open_dashboard(replace(_request(Draft(saved), given, values), watch=folder))
