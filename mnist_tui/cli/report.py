"""`mnist-tui report`: runs as a report to hand in."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_tui.cli.arguments import Given, examples, refuse_empty_run, settings_with, takes_settings
from mnist_tui.cli.completion import complete_briefs, complete_runs_and_presets
from mnist_tui.cli.specs import choose_runs
from mnist_tui.errors import ReportError, UsageError
from mnist_tui.runs.index import read_runs
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line, did_you_mean

if TYPE_CHECKING:
    from mnist_tui.report.model import Format, Report

app = typer.Typer()

COMPLETED = ("completed", "imported")
"""The states of runs that a preset or a filter chooses."""
MAX_UNWRITTEN = 10
"""Parts of notes to be written that are named behind the report."""


@app.command(
    "report",
    epilog=examples(
        "mnist-tui report step1 step2 step3 step4    report.md, and its figures in report_files/",
        "mnist-tui report a17f b203 -o report.html   one HTML file with everything in it",
        "mnist-tui report 'iter* acc>99.4'           what a filter chooses, by time",
        "mnist-tui report --brief steps              the run that reaches each step of a course brief",
        more="Target, result and analysis are in the notes of each run (mnist-tui note RUN), so that a report can be "
        "made again at any time. A report that was edited is not replaced without --force.",
    ),
)
@takes_settings("runs_dir", "data_dir")
def write_report(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|PRESET|FILTER",
            help="In the order of the report; of a preset or a filter its completed runs, by time.",
            autocompletion=complete_runs_and_presets,
            callback=refuse_empty_run,
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="A .md or .html file; report.md without it."),
    ] = None,
    brief: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Order the runs by the steps of a course brief; without RUN the run that reaches each, or the best.",
            autocompletion=complete_briefs,
        ),
    ] = None,
    title: Annotated[str, typer.Option(metavar="TEXT", help="The heading; the names of the runs without it.")] = "",
    form: Annotated[
        str | None, typer.Option("--format", metavar="md|html", help="Markdown or HTML; without it what FILE ends in.")
    ] = None,
    template: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A template of Jinja2 in place of the built-in one.")
    ] = None,
    torchsummary: Annotated[
        bool, typer.Option("--torchsummary", help="Print the layer tables in torchsummary's form.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is no report, or was edited.")] = False,
    *,
    given: Given,
) -> int:
    """Write a report on runs: what changed, results, curves, mistakes, notes.

    The seeds of one recipe are one step of the report. Pictures of mistakes are in it where the runs' data set is on
    this machine.
    """
    from mnist_tui.report import writer
    from mnist_tui.report.brief_section import chosen_for, in_order_of
    from mnist_tui.report.gather import make_report
    from mnist_tui.report.render import render
    from mnist_tui.spec import briefs

    path, known = _destination(output, form)
    if why := writer.wrong_place(path):
        raise ReportError(why)
    if not force and (why := writer.wrong_owner(path)):
        raise ReportError(f"{why}; --force replaces it")
    values = settings_with(given)
    index = read_runs(values.runs_dir)
    followed = briefs.load(brief) if brief is not None else None
    runs = [run for named in what or () for run in _chosen(named, values.runs_dir, index)]
    if followed is not None:
        runs = in_order_of(followed, runs) if what else chosen_for(followed, index)
    if not runs:
        no_run = f"no run in {values.runs_dir} counts for the brief {clean_line(brief or '', 60)}; train one"
        raise UsageError(no_run if brief else "RUN|PRESET|FILTER is missing; see mnist-tui report --help")
    report = make_report(runs, index, title, values.data_dir, torchsummary, followed)
    writer.write(path, render(report, known, writer.figures_folder(path).name, template), force)
    print(path)
    for line in _unwritten_lines(report):
        print(clean_line(line), file=sys.stderr)
    return 0


def _destination(output: Path | None, form: str | None) -> tuple[Path, "Format"]:
    """The file and its format; raises `UsageError` where neither says which."""
    from mnist_tui.report.writer import SUFFIXES

    known = SUFFIXES.get(f".{form}" if form is not None else output.suffix.lower() if output else ".md")
    if form not in (None, "md", "html"):
        near = did_you_mean(form or "", ("md", "html"))
        raise UsageError(f"--format {clean_line(form or '', 40)}: must be md or html{near}")
    if known is None:
        raise UsageError(f"-o {clean_line(str(output), 200)}: must end in .md or .html, or --format say which it is")
    return output or Path(f"report.{known}"), known


def _chosen(named: str, runs_dir: Path, runs: Sequence[Run]) -> list[Run]:
    """The runs of a preset's name, or the run of a name, or what a filter chooses; several with the oldest first.

    Of several those that completed; all of them where none did.
    """
    named_runs, _ = choose_runs(named, runs_dir, runs)
    completed = [run for run in named_runs if run.state in COMPLETED] or named_runs
    if count := len(named_runs) - len(completed):
        words = f"{count} run{'s' if count > 1 else ''} that did not complete"
        print(f"{clean_line(named, 100)}: left out {words}; named one by one they are taken", file=sys.stderr)
    return sorted(completed, key=lambda run: (run.created, run.id))


def _unwritten_lines(report: "Report") -> Iterator[str]:
    """What is still to be written, and how."""
    unwritten = report.unwritten
    for step, note in unwritten[:MAX_UNWRITTEN]:
        yield f"to be written: {note.name} of {step.first}: {note.command}"
    if len(unwritten) > MAX_UNWRITTEN:
        yield f"and {len(unwritten) - MAX_UNWRITTEN} more, which the report names"
