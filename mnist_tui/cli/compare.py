"""`mnist-tui compare`: runs, or all seeds of presets, beside each other."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mnist_tui.cli.arguments import AsJson, Given, HasPlot, examples, settings_with, takes_settings
from mnist_tui.cli.completion import complete_runs_and_presets
from mnist_tui.cli.runs import print_plot, read_index, refuse_plot_as_json
from mnist_tui.errors import RunError, UsageError
from mnist_tui.runs import columns, filters
from mnist_tui.runs.index import find_run, grouped
from mnist_tui.runs.reader import check_readable
from mnist_tui.runs.record import Run
from mnist_tui.runs.sparkline import mean_curve
from mnist_tui.text import clean_line, did_you_mean

app = typer.Typer()


@app.command(
    epilog=examples(
        "mnist-tui compare iter4 iter5              all completed seeds of each",
        "mnist-tui compare a17f b203 --plot         two runs, and their curves as text",
        "mnist-tui compare iter4 'iter5 batch=64'   a filter chooses among recipes of one name",
    )
)
@takes_settings("runs_dir")
def compare(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|PRESET|FILTER",
            help="Two or more; a preset or a filter means all completed seeds of one recipe.",
            autocompletion=complete_runs_and_presets,
            show_default=False,
        ),
    ],
    measure: Annotated[
        str, typer.Option(metavar="best|last|mean", help="Accuracy to judge by: best epoch, last, mean of the last.")
    ] = "best",
    as_json: AsJson = False,
    has_plot: HasPlot = False,
    *,
    given: Given,
) -> int:
    """Compare runs, or the seeds of recipes.

    Prints what differs, and whether noise could explain the difference.
    """
    from mnist_tui.analysis import comparison, tables

    refuse_plot_as_json(has_plot, as_json)
    if len(what) < 2:
        raise UsageError("compare takes two or more: mnist-tui compare iter4 iter5")
    judged_by = next((known for known in comparison.MEASURES if known == measure), None)
    if judged_by is None:
        near = did_you_mean(measure, comparison.MEASURES)
        raise UsageError(f"--measure {clean_line(measure, 40)}: must be {' or '.join(comparison.MEASURES)}{near}")
    runs_dir = settings_with(given).runs_dir
    runs = read_index(runs_dir)
    arms = comparison.labelled([_arm(name, runs_dir, runs) for name in what])
    if wrong := comparison.refusals(arms, judged_by):
        raise RunError("; ".join(wrong))
    verdicts = comparison.compare(arms, judged_by)
    if as_json:
        print(json.dumps(tables.comparison_json(arms, verdicts, judged_by), allow_nan=False))
    else:
        print("\n".join(tables.comparison_lines(arms, verdicts, judged_by)))
    if has_plot:
        print_plot({arm.label: mean_curve([run.accuracies for run in arm.runs]) for arm in arms})
    return 0


def _arm(named: str, runs_dir: Path, runs: Sequence[Run]) -> list[Run]:
    """A run by its name, or the completed runs of one recipe: of that preset, or chosen by a filter."""
    try:
        run = find_run(named, runs_dir)
    except RunError as error:
        no_run = error
    else:
        check_readable(run)
        return [run]
    chosen = [run for run in runs if run.name == named] or filters.choose(runs, named)
    completed = [run for run in chosen if run.state == "completed"]
    if not completed and (logs := [run for run in chosen if run.is_imported]):
        return [_one_log(named, logs)]
    if not completed:
        raise RunError(f"{no_run}; and no completed run is chosen by it" if not chosen else _unfinished(named, chosen))
    groups = grouped(completed)
    if len(groups) > 1:
        raise RunError(_ambiguous(named, groups))
    return groups[0]


def _one_log(named: str, logs: Sequence[Run]) -> Run:
    """The newest imported log of a name; raises `RunError` where logs of several names are chosen."""
    names = sorted({run.name for run in logs})
    if len(names) > 1:
        which = ", ".join(clean_line(name, 60) for name in names[:4])
        raise RunError(f"{clean_line(named, 100)}: {len(logs)} imported logs are chosen ({which}); name one")
    return logs[0]


def _unfinished(named: str, runs: Sequence[Run]) -> str:
    states = ", ".join(f"{run.id} {run.state}" for run in runs[:5])
    return f"{clean_line(named, 100)}: no run of it is completed ({states}); name one run to compare it all the same"


def _ambiguous(named: str, groups: Sequence[Sequence[Run]]) -> str:
    from mnist_tui.analysis.run_diff import differing

    differences = differing([group[0] for group in groups], with_seed=False)
    named_values = (f"{each.name} ({' or '.join(dict.fromkeys(each.values))})" for each in differences[:4])
    what = ", ".join(named_values) or "their layers"
    return (
        f"{clean_line(named, 100)}: {len(groups)} different recipes are chosen, which differ in {what}; "
        f"say which{_example(named, groups)}, or name single runs"
    )


def _example(named: str, groups: Sequence[Sequence[Run]]) -> str:
    """How one of the groups is chosen, where a number tells them apart."""
    for key in ("epochs", "batch", "lr", "parameters"):
        values = [columns.column(key).value(group[0]) for group in groups]
        if None not in values and len(set(values)) == len(values):
            return f", such as '{clean_line(named, 100)} {key}={values[0]}'"
    return ""
