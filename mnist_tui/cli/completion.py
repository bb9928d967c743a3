"""Words that the shell completes: names of presets, briefs, runs, settings and rules. Errors complete nothing."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import typer

from mnist_tui.errors import MnistTuiError
from mnist_tui.settings import settings
from mnist_tui.settings.model import Settings
from mnist_tui.spec import presets


def complete_presets(context: typer.Context, incomplete: str) -> list[str]:
    """Names of presets."""
    return _without_errors(lambda: presets.find(context.params.get("models")), incomplete)


def complete_briefs(context: typer.Context, incomplete: str) -> list[str]:
    """Names of course briefs."""
    from mnist_tui.spec import briefs

    return _without_errors(lambda: briefs.find(context.params.get("folder")), incomplete)


def complete_runs(context: typer.Context, incomplete: str) -> list[str]:
    """Names of run folders, and ends of names that only one run has: `a17f`, `iter5-s0-a17f`."""
    own = _without_errors(lambda: _run_names(_runs_dir(context), incomplete), incomplete)
    return [*own, *_without_errors(lambda: _reference_names(incomplete), incomplete)]


def complete_sweeps(context: typer.Context, incomplete: str) -> list[str]:
    """Names of the sweeps of the runs folder."""
    from mnist_tui.sweep import folder

    return _without_errors(lambda: folder.names(_runs_dir(context)), incomplete)


def complete_runs_and_presets(context: typer.Context, incomplete: str) -> list[str]:
    """Names of presets and of run folders."""
    return [*complete_presets(context, incomplete), *complete_runs(context, incomplete)]


def _runs_dir(context: typer.Context) -> Path:
    return Path(context.params.get("runs_dir") or settings.load().runs_dir)


def _run_names(runs_dir: Path, incomplete: str) -> Iterator[str]:
    from mnist_tui.runs.folders import newest_first
    from mnist_tui.runs.names import ends, matching

    names = [folder.name for folder in newest_first(runs_dir)]
    yield from names
    if incomplete:
        typed = (end for name in names for end in ends(name) if end.startswith(incomplete))
        yield from (end for end in typed if len(matching(end, names)) == 1)


def _reference_names(incomplete: str) -> list[str]:
    """The reference runs, as soon as something is typed: there are many, and most people want their own."""
    from mnist_tui.runs import folders, reference

    return [f"{reference.PREFIX}{name}" for name in folders.reference_names()] if incomplete else []


def complete_changes(context: typer.Context, incomplete: str) -> list[str]:
    """What `--set` takes for the preset of the command line: `epochs=`, `optimizer.lr=`, `dropout=`."""
    return _without_errors(lambda: _setting_paths(context), incomplete)


def _setting_paths(context: typer.Context) -> Iterator[str]:
    from mnist_tui.cli.specs import load_spec
    from mnist_tui.spec.draft import Draft

    parameters = context.params
    # Where `--set` still lacks its value, typer has not yet made a parameter of NAME: it is among the arguments.
    named = [*(parameters.get("batch") or ()), parameters.get("preset"), parameters.get("name"), *context.args[:1]]
    name = next((name for name in named if name), None) or settings.load().preset
    for field in Draft(load_spec(name, parameters.get("models"), _runs_dir(context))).fields:
        yield f"{field.path.removeprefix('knobs.')}="


def complete_settings(incomplete: str) -> list[str]:
    """Names of settings, for `mnist-tui config`."""
    return _without_errors(lambda: Settings.model_fields, incomplete)


def complete_rules(incomplete: str) -> list[str]:
    """Names of the coach's rules."""
    from mnist_tui.analysis.coach.rules import RULES

    return _without_errors(lambda: (rule.name for rule in RULES), incomplete)


def _without_errors(list_words: Callable[[], Iterable[str]], incomplete: str) -> list[str]:
    words: list[str] = []
    with suppress(MnistTuiError, OSError):
        words += (word for word in list_words() if word.startswith(incomplete))
    return list(dict.fromkeys(words))
