"""`mnist-tui compare`: runs, or all seeds of presets, beside each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mnist_tui.cli.arguments import Given, HasPlot, examples, settings_with, takes_settings
from mnist_tui.cli.completion import complete_runs_and_presets
from mnist_tui.cli.formats import FormatOption, JsonOption, json_text, output_format, record, refuse_plot
from mnist_tui.cli.specs import choose_runs
from mnist_tui.cli.text_plots import print_accuracies
from mnist_tui.errors import RunError, UsageError
from mnist_tui.runs import columns
from mnist_tui.runs.filter_syntax import Or, parse
from mnist_tui.runs.index import grouped, read_runs
from mnist_tui.runs.record import Run
from mnist_tui.runs.sparkline import mean_curve
from mnist_tui.table import as_csv
from mnist_tui.text import clean_line, did_you_mean

app = typer.Typer()


@app.command(
    epilog=examples(
        "mnist-tui compare iter4 iter5              all completed seeds of each",
        "mnist-tui compare a17f b203 --plot         two runs, and their curves as text",
        "mnist-tui compare iter4 'iter5 batch=64'   a filter chooses among recipes of one name",
        "mnist-tui compare iter4 iter5 --format markdown",
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
    named_format: FormatOption = None,
    as_json: JsonOption = False,
    has_plot: HasPlot = False,
    *,
    given: Given,
) -> int:
    """Compare runs, or the seeds of recipes.

    Prints what differs, and whether noise could explain the difference. CSV has a line for each.
    """
    from mnist_tui.analysis import comparison, markdown, tables

    output = output_format(named_format, as_json)
    refuse_plot(has_plot, output)
    if len(what) < 2:
        raise UsageError("compare takes two or more: mnist-tui compare iter4 iter5")
    judged_by = next((known for known in comparison.MEASURES if known == measure), None)
    if judged_by is None:
        near = did_you_mean(measure, comparison.MEASURES)
        raise UsageError(f"--measure {clean_line(measure, 40)}: must be {' or '.join(comparison.MEASURES)}{near}")
    runs_dir = settings_with(given).runs_dir
    runs = read_runs(runs_dir)
    arms = comparison.labelled([_arm(name, runs_dir, runs) for name in what])
    if wrong := comparison.refusals(arms, judged_by):
        raise RunError("; ".join(wrong))
    verdicts = comparison.compare(arms, judged_by)
    match output:
        case "json":
            print(json_text(record(tables.comparison_json(arms, verdicts, judged_by))))
        case "csv":
            print(as_csv(tables.arm_records(arms, verdicts, judged_by), tables.ARM_KEYS), end="")
        case "markdown":
            sentences = [verdict.sentence for verdict in verdicts]
            print("\n".join(markdown.comparison_lines(arms, sentences, judged_by)))
        case "table":
            print("\n".join(tables.comparison_lines(arms, verdicts, judged_by)))
    if has_plot:
        print_accuracies({arm.label: mean_curve([run.accuracies for run in arm.runs]) for arm in arms})
    return 0


def _arm(named: str, runs_dir: Path, runs: Sequence[Run]) -> list[Run]:
    """The completed runs of one recipe: of the preset of that name, or chosen by a filter; or the run of that name."""
    named_runs, is_one_run = choose_runs(named, runs_dir, runs)
    if is_one_run:
        return named_runs
    completed = [run for run in named_runs if run.state == "completed"]
    if not completed and (logs := [run for run in named_runs if run.is_imported]):
        return [_one_log(named, logs)]
    if not completed:
        raise RunError(_unfinished(named, named_runs))
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
            one = f"({named})" if isinstance(parse(named), Or) else named
            return f", such as '{clean_line(one, 100)} {key}={values[0]}'"
    return ""
