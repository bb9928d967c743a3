"""The report of a sweep, printed in any format. No torch."""

import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence

from mnist_tui.cli.formats import Format, json_text, record
from mnist_tui.sweep import report_text
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.report import SweepReport, make_report
from mnist_tui.table import aligned, as_csv
from mnist_tui.text import clean

LISTED = 20
"""Configurations in the table of a terminal."""
MAX_WIDTH = 110
"""Longest line of a sentence, in characters."""

Table = Callable[[Sequence[Sequence[str]], Sequence[bool]], list[str]]


def print_report(sweep: Sweep, output: Format, limit: int | None = None) -> None:
    """Prints the report; as a table of 20 configurations where there is no `limit`."""
    report = make_report(sweep)
    match output:
        case "json":
            print(json_text(record(report_text.as_record(report))))
        case "csv":
            print(as_csv(*report_text.csv_records(report)), end="")
        case "markdown":
            from mnist_tui.analysis import markdown

            lines = _lines(report, markdown.table, lambda sentence: [sentence], limit)
            print(clean("\n".join([f"# {report_text.heading(report)}", "", *lines]), 10_000_000))
        case "table":
            print(clean("\n".join(text_lines(report, limit or LISTED)), 10_000_000))


def text_lines(report: SweepReport, limit: int = LISTED) -> list[str]:
    """The report for a terminal."""
    width = min(MAX_WIDTH, shutil.get_terminal_size((MAX_WIDTH, 24)).columns)
    return [
        report_text.heading(report),
        *_lines(report, aligned, lambda sentence: textwrap.wrap(sentence, width), limit),
    ]


def _lines(report: SweepReport, table: Table, wrap: Callable[[str], list[str]], limit: int | None) -> Iterator[str]:
    run = report.ranked[0].runs[0] if report.ranked else None
    yield from wrap(report_text.chosen_words(report.sweep.plan, run))
    yield ""
    if report.ranked:
        yield from table(*report_text.table(report, limit))
        if limit and len(report.ranked) > limit:
            yield f"and {len(report.ranked) - limit:,} more; --limit N shows more"
        yield ""
    if report.effects is not None:
        yield from table(*report_text.effects_table(report))
        yield ""
    for sentence in [*report_text.effects_sentences(report), *report_text.sentences(report)]:
        yield from wrap(sentence)
        yield ""
    yield from report_text.failed_lines(report)
