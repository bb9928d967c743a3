"""The report of a sweep, printed in any format. No torch."""

import shutil
import textwrap

from mnist_tui.cli.formats import Format, json_text, record
from mnist_tui.sweep import report_records, report_text
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.report import SweepReport, make_report
from mnist_tui.table import aligned, as_csv
from mnist_tui.text import clean

LISTED = 20
"""Configurations in the table of a terminal."""
MAX_WIDTH = 110
"""Longest line of a sentence, in characters."""


def print_report(sweep: Sweep, output: Format, limit: int | None = None) -> None:
    """Prints the report; as a table of 20 configurations where there is no `limit`."""
    report = make_report(sweep)
    match output:
        case "json":
            print(json_text(record(report_records.as_record(report))))
        case "csv":
            print(as_csv(*report_records.csv_records(report)), end="")
        case "markdown":
            from mnist_tui.analysis import markdown

            lines = report_text.lines(report, markdown.table, lambda sentence: [sentence], limit)
            print(clean("\n".join([f"# {report_text.heading(report)}", "", *lines]), 10_000_000))
        case "table":
            print(clean("\n".join(text_lines(report, limit or LISTED)), 10_000_000))


def text_lines(report: SweepReport, limit: int = LISTED) -> list[str]:
    """The report for a terminal."""
    return [report_text.heading(report), *report_text.lines(report, aligned, wrapped, limit)]


def wrapped(sentence: str) -> list[str]:
    """A sentence in lines that the terminal has room for."""
    return textwrap.wrap(sentence, min(MAX_WIDTH, shutil.get_terminal_size((MAX_WIDTH, 24)).columns))
