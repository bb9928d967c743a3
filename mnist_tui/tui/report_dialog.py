"""Asks for a file and writes a report on runs there, in the background."""

from collections.abc import Sequence
from pathlib import Path

from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line
from mnist_tui.tui.background import WorkerScreen
from mnist_tui.tui.dialogs import AskDialog, Question

HINT = (
    "A file that ends in .md, with its figures in a folder beside it, or in .html, with everything in it. "
    "Seeds of one recipe are one step. A report that nobody changed is replaced."
)
MAX_NAMED = 3
"""Steps with an analysis to be written that the notice names."""


def ask_for_report(screen: WorkerScreen, runs: Sequence[Run], others: Sequence[Run], data_dir: Path | None) -> None:
    """Asks, and writes in the screen's worker; a notice says where the report is, or why there is none.

    `others` are the runs among which the coach looks for other seeds; `data_dir` is where MNIST is.
    """
    count = f"{len(runs)} run{'' if len(runs) == 1 else 's'}"

    def write(text: str | None) -> None:
        if text:
            path = Path(text).expanduser()
            screen.submit("report", lambda: write_report(path, runs, others, data_dir), show)

    def show(said: str | None, error: str | None) -> None:
        text = clean_line(error or said or "", 400)
        screen.notify(text, severity="warning" if error else "information", markup=False, timeout=8)

    screen.app.push_screen(AskDialog(Question(f"Report on {count}", HINT, "report.md", wrong_file)), write)


def wrong_file(text: str) -> str | None:
    """The error in a file for a report; None for no error."""
    from mnist_tui.report import writer

    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # There is no such user.
        return f"{text}: {error}"
    if writer.format_of(path) is None:
        return "enter a file that ends in .md or .html, such as report.md"
    return writer.wrong_place(path) or writer.wrong_owner(path)


def write_report(path: Path, runs: Sequence[Run], others: Sequence[Run], data_dir: Path | None) -> str:
    """Writes the report; returns a sentence that says where it is and what is to be written by a person.

    Raises `ReportError` and `StorageError`.
    """
    from mnist_tui.report import writer
    from mnist_tui.report.gather import make_report
    from mnist_tui.report.render import render

    report = make_report(runs, others, data_dir=data_dir)
    form = writer.format_of(path) or "md"
    writer.write(path, render(report, form, writer.figures_folder(path).name))
    unwritten = [step.first for step, note in report.unwritten if note.name == "analysis"]
    more = f" and {len(unwritten) - MAX_NAMED} more" if len(unwritten) > MAX_NAMED else ""
    steps = f"{len(report.steps)} step{'' if len(report.steps) == 1 else 's'}"
    named = f"{', '.join(unwritten[:MAX_NAMED])}{more}"
    analyses = f"; to be written, by n in Runs: the analysis of {named}" if unwritten else ""
    return f"report on {steps}: {path.absolute()}{analyses}"
