"""`mnist-tui lr-find`: a learning-rate range test of a preset, or of the design of a run."""

from typing import Any

import typer

from mnist_tui.cli.arguments import (
    AsJson,
    Changes,
    Given,
    Models,
    SpecName,
    examples,
    run_options,
    settings_with,
    takes_settings,
)
from mnist_tui.cli.changes import apply_changes, read_changes
from mnist_tui.cli.formats import record
from mnist_tui.cli.output import Output, interruptible
from mnist_tui.cli.progress_table import show_downloads
from mnist_tui.cli.specs import load_specs
from mnist_tui.cli.text_plots import LINES, plot_width
from mnist_tui.errors import MnistTuiError, SpecError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Notice
from mnist_tui.runs.lr_range import RatesFound, RateTried
from mnist_tui.spec.learning_rate import learning_rate_settings
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.spec.typed_settings import as_options
from mnist_tui.tui.terminal import has_utf8

app = typer.Typer()


@app.command(
    "lr-find",
    epilog=examples(
        "mnist-tui lr-find iter5",
        "mnist-tui lr-find a17f",
        "mnist-tui lr-find my_net.toml --set 'optimizer=SGD(momentum=0.9)'",
        "mnist-tui lr-find iter5 --json | jq .suggestion",
    ),
)
@takes_settings("device", "dataset", "data_dir", "runs_dir", "threads", "fuse")
def find_rate(
    name: SpecName, changes: Changes = None, models: Models = None, as_json: AsJson = False, *, given: Given
) -> int:
    """Find a learning rate for a preset, or for the design of a run.

    The rate rises from step to step over at most one epoch, without the scheduler (Smith 2015); nothing is written.
    """
    specs = load_specs([name], models, settings_with(given).runs_dir)
    (spec,) = apply_changes(specs, read_changes(changes), models)
    options = run_options(given)
    spec = spec.for_dataset(options.dataset)
    output = Output(as_json, quiet=False)
    with interruptible() as interruption:
        result = _follow(spec, options, interruption.control, output)
    if interruption.code is not None:
        output.talk(f"{spec.name}: stopped; there is no result")
        return interruption.code
    if as_json:
        output.json(record(_record(spec, result)))
    else:
        for line in _lines(spec, result):
            output.data(line)
    return 0


def _follow(spec: RunSpec, options: Options, control: Control, output: Output) -> RatesFound:
    """The result of the range test; its steps are the progress line, and what is to be known of it goes to stderr."""
    from mnist_tui.training.lr_finder import find_learning_rate

    for event in show_downloads(find_learning_rate(spec, options, control), output):
        match event:
            case Notice():
                output.notice(event)
            case RateTried():
                if event.step == 1:
                    output.talk(f"{spec.name}: range test of {event.steps} steps")
                done = f"step {event.step}/{event.steps}"
                output.bar(f"{spec.name} {done}  lr {event.rate:.3g}  loss {event.smoothed:.4f}")
            case RatesFound():
                return event
    raise MnistTuiError("the range test ended without a result")


def _lines(spec: RunSpec, result: RatesFound) -> list[str]:
    """The curve, how far the rate rose, and a line for each suggestion with the options that set it."""
    from mnist_tui.analysis import plots

    marks = {suggestion.rule: suggestion.rate for suggestion in result.suggestions}
    lines = plots.range_test_plot(result.rates, result.smoothed, marks, plot_width(), LINES, ascii_only=not has_utf8())
    why = "the loss diverged there" if result.ended == "diverged" else "all rates were tried"
    rates = f", lr from {result.rates[0]:.3g} to {result.rates[-1]:.3g}" if result.rates else ""
    lines += ["", f"{spec.name}: {len(result.rates)} steps{rates}; {why}"]
    for rule, rate in marks.items():
        settings, error = _settings(spec, rate)
        lines.append(f"{rule:<14}  lr {rate:<8.3g}  {as_options(settings) if settings else error}")
    return lines if marks else [*lines, "no suggestion: the loss did not fall, so no rate can be told from another"]


def _settings(spec: RunSpec, rate: float) -> tuple[dict[str, str] | None, str]:
    """The settings that make the preset train at this rate; None, and why, where it cannot be changed so."""
    try:
        settings = learning_rate_settings(spec, rate)
        spec.with_settings(settings)
    except SpecError as error:
        return None, str(error)
    return settings, ""


def _record(spec: RunSpec, result: RatesFound) -> dict[str, Any]:
    """The result as JSON: `suggestion` is the first of `suggestions`, None where there is none."""
    suggestions = [
        {"rule": each.rule, "rate": each.rate, "settings": _settings(spec, each.rate)[0]} for each in result.suggestions
    ]
    return {
        "name": spec.name,
        "ended": result.ended,
        "rates": result.rates,
        "losses": result.losses,
        "smoothed": result.smoothed,
        "suggestion": suggestions[0]["rate"] if suggestions else None,
        "suggestions": suggestions,
    }
