"""`mnist-tui analyse`: where a saved run is wrong, alone or against another one."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_tui.cli.arguments import AsJson, Given, Run, examples, refuse_empty_run, settings_with, takes_settings
from mnist_tui.cli.completion import complete_runs
from mnist_tui.cli.formats import json_text, record
from mnist_tui.errors import DataError, UsageError
from mnist_tui.runs.index import find_readable, read_runs
from mnist_tui.text import clean_line
from mnist_tui.tui.terminal import has_utf8

if TYPE_CHECKING:
    from mnist_tui.analysis.run_analysis import RunAnalysis

app = typer.Typer()


@app.command(
    "analyse",
    epilog=examples(
        "mnist-tui analyse a17f",
        "mnist-tui analyse a17f --against b203    and which images only one of the two has right",
        "mnist-tui analyse a17f --json | jq .ece",
    ),
)
@takes_settings("runs_dir", "data_dir")
def analyse_run(
    run: Run,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Another run, tested on the same images.",
            autocompletion=complete_runs,
            callback=refuse_empty_run,
        ),
    ] = None,
    as_json: AsJson = False,
    *,
    given: Given,
) -> int:
    """Print where a run is wrong, how sure it is, and the coach's advice.

    Of a run that is being trained, its best epoch so far. Mistakes are drawn where the run's data set is on this
    machine; nothing is downloaded.
    """
    from mnist_tui.analysis import analysis_report
    from mnist_tui.analysis.run_analysis import analyse, compare_with

    values = settings_with(given)
    runs = read_runs(values.runs_dir)
    named = [find_readable(name, values.runs_dir) for name in (run, against) if name is not None]
    if len({each.folder.resolve() for each in named}) < len(named):
        raise UsageError(f"--against {named[1].id}: is the run itself; name another run")
    analysis, *others = [analyse(each, runs) for each in named]
    versus = compare_with(analysis, others[0]) if others else None
    if as_json:
        print(json_text(record(analysis_report.as_json(analysis, versus))))
        return 0
    pictures = _pictures(analysis, values.data_dir)
    width = shutil.get_terminal_size().columns
    print("\n".join(analysis_report.report_lines(analysis, versus, pictures, width, ascii_only=not has_utf8())))
    return 0


def _pictures(analysis: "RunAnalysis", data_dir: Path | None) -> Mapping[int, bytes]:
    """The images of the mistakes that the report shows; {} and a line on stderr where they are not on this machine."""
    from mnist_tui.analysis.analysis_report import SHOWN

    indices = [answer.index for answer in analysis.mistakes[:SHOWN]]
    if not indices:
        return {}
    from mnist_tui.datasets.test_images import read_test_images

    name, sha256, _ = analysis.run.data
    try:
        return read_test_images(name or "", sha256 or "", data_dir, indices, analysis.run.own_folder)
    except DataError as error:
        print(f"no pictures: {clean_line(str(error), 300)}", file=sys.stderr)
        return {}
