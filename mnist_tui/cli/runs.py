"""`mnist-tui runs` and `mnist-tui open`: saved runs as a table, and one of them in full."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mnist_tui.cli.arguments import (
    Given,
    HasPlot,
    Run,
    examples,
    settings_with,
    takes_settings,
    whole_number,
)
from mnist_tui.cli.formats import (
    FormatOption,
    JsonOption,
    json_text,
    output_format,
    print_table,
    record,
    refuse_plot,
)
from mnist_tui.cli.parsing import WordsCommand
from mnist_tui.cli.published import print_published, refuse_of_runs
from mnist_tui.cli.run_table import columns_and_sort
from mnist_tui.cli.text_plots import print_accuracies
from mnist_tui.runs import annotations, columns, filters, reference
from mnist_tui.runs.events import as_values
from mnist_tui.runs.index import find_run, grouped, read_runs, repeats
from mnist_tui.runs.record import Run as SavedRun
from mnist_tui.table import as_csv
from mnist_tui.text import clean_line

app = typer.Typer()

MAX_LINES = 1_000_000

FILTER = """\
Filter: iter* params<20000 acc>99.4 opt:sgd tag:x state:failed -note:old. Binds closest: - and not, then conditions
beside each other, which must all hold (with or without and), then or. Quotes hold words together: 'note:"for a test"'.
"""


@app.command(
    "runs",
    cls=WordsCommand,
    epilog=examples(
        "mnist-tui runs 'acc>99.3' -tag:old --sort -best    all conditions must hold",
        "mnist-tui runs '(iter4 or iter5) acc>99.3'         or; brackets group, - and not exclude",
        "mnist-tui runs iter5 --group                       mean and spread over the seeds",
        "mnist-tui runs --format csv > runs.csv             for a spreadsheet",
        "mnist-tui runs --reference --published             the presets' published figures, and ours",
        "mnist-tui runs --json | jq '.[] | select(.best > 0.994) | .run'",
        more=FILTER,
    ),
)
@takes_settings("runs_dir")
def list_runs(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="FILTER", help="Conditions; without any, every run.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Sort by a column: best, or -best for the highest first.")
    ] = None,
    named_columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="A,B",
            help=f"Print these columns, of {', '.join(column.key for column in columns.ALL)}.",
        ),
    ] = None,
    group: Annotated[
        bool, typer.Option("--group", help="The seeds of one recipe on one line; repeats are not counted.")
    ] = False,
    limit: Annotated[str | None, typer.Option(metavar="N", help="Print only the first N lines.")] = None,
    of_reference: Annotated[
        bool, typer.Option("--reference", help="List the reference runs in place of yours: presets as published.")
    ] = False,
    has_published: Annotated[
        bool, typer.Option("--published", help="With --reference: published figures beside ours, by preset.")
    ] = False,
    named_format: FormatOption = None,
    as_json: JsonOption = False,
    *,
    given: Given,
) -> int:
    """List saved runs, the newest first, or those that a filter chooses.

    JSON has every column, CSV all but the curve, unless --columns names some. Reference runs are shipped with the
    program, as histories without weights; every command takes reference/NAME for one, and compare and report
    reference/PRESET for all seeds.
    """
    output = output_format(named_format, as_json)
    if has_published:
        refuse_of_runs(of_reference, sort=sort, columns=named_columns, limit=limit, group=group or None)
        return print_published(" ".join(words or ()), output)
    runs_dir = reference.runs_dir() if of_reference else settings_with(given).runs_dir
    usual_columns, usual_sort = columns_and_sort()
    table_columns = columns.chosen(named_columns.split(",")) if named_columns else None
    runs = filters.choose(read_runs(runs_dir), " ".join(words or ()))
    rows = columns.ordered(grouped(runs) if group else [[run] for run in runs], sort or usual_sort)
    rows = rows[: whole_number("--limit", limit, 1, MAX_LINES)] if limit else rows
    if output == "json":
        newer = repeats(runs)
        records = [list(map(record, _run_records(row, newer))) for row in rows]
        print(json_text(records if group else [one for (one,) in records]))
    elif output == "csv":
        print(_runs_csv(rows, repeats(runs), table_columns, group), end="")
    elif rows or output == "markdown":
        from mnist_tui.analysis import tables

        table_columns = table_columns or columns.shown_columns(rows, usual_columns)
        print_table(output, tables.runs_table(rows, table_columns), [column.is_number for column in table_columns])
    else:
        print(f"no run in {runs_dir}" + (f" is chosen by {clean_line(' '.join(words), 100)!r}" if words else ""))
    return 0


def _run_records(row: Sequence[SavedRun], newer: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every column of runs; `newer` are the ids of those that repeat others, by theirs."""
    return [columns.as_record(run) | {"repeated_by": newer.get(run.id)} for run in row]


def _runs_csv(
    rows: Sequence[Sequence[SavedRun]],
    newer: Mapping[str, str],
    shown: Sequence[columns.Column] | None,
    is_grouped: bool,
) -> str:
    """A line for each row; without `shown` with every column but the curve."""
    from mnist_tui.analysis import tables

    keys = tables.record_keys(shown or [each for each in columns.ALL if each.key != "curve"], is_grouped)
    if is_grouped:
        return as_csv(map(tables.group_record, rows), keys)
    records = [one for row in rows for one in _run_records(row, newer)]
    return as_csv(records, keys if shown else [*keys, "folder", "repeated_by"])


@app.command(
    "open",
    epilog=examples(
        "mnist-tui open a17f",
        "mnist-tui open a17f --plot",
        "mnist-tui open a17f --format csv > epochs.csv    a line for each epoch",
        "mnist-tui open a17f --format markdown            to paste into a README",
    ),
)
@takes_settings("runs_dir")
def show_run(
    run: Run, named_format: FormatOption = None, as_json: JsonOption = False, has_plot: HasPlot = False, *, given: Given
) -> int:
    """Print a run: settings, changes, epochs, the coach's advice, notes.

    Changes are against the nearest earlier run. CSV has the epochs.
    """
    from mnist_tui.analysis import markdown, tables
    from mnist_tui.analysis.coach import rules

    output = output_format(named_format, as_json)
    refuse_plot(has_plot, output)
    runs_dir = settings_with(given).runs_dir
    saved = find_run(run, runs_dir)
    runs = read_runs(saved.folder.parent if saved.is_reference else runs_dir)
    match output:
        case "json":
            print(json_text(record(_run_in_full(saved, runs))))
        case "csv":
            print(as_csv(tables.epoch_records(saved), tables.EPOCH_KEYS), end="")
        case "markdown":
            print("\n".join(markdown.run_lines([saved])))
        case "table":
            notes = annotations.notes_text(saved.folder) if saved.is_run else ""
            print("\n".join(tables.details(saved, runs, columns.ALL, rules.advise_on(saved, runs), notes)))
    if has_plot:
        print_accuracies({saved.title: saved.accuracies})
    return 0


def _run_in_full(saved: SavedRun, runs: Sequence[SavedRun]) -> dict[str, Any]:
    """A run as JSON: every column, its changes, epochs, and the coach's advice."""
    from mnist_tui.analysis import tables
    from mnist_tui.analysis.coach import rules

    (values,) = _run_records([saved], repeats(runs))
    more = {"changes": tables.changes(saved, runs), "epochs": [as_values(row) for row in saved.rows]}
    return values | more | {"coach": [asdict(each) for each in rules.advise_on(saved, runs)]}
