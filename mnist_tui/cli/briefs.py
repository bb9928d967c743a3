"""`mnist-tui brief`: the course briefs, and how far the saved runs are with one."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_tui.cli.arguments import AsJson, Given, examples, settings_with, takes_settings
from mnist_tui.cli.completion import complete_briefs
from mnist_tui.cli.formats import json_text, record
from mnist_tui.errors import UsageError
from mnist_tui.settings import settings
from mnist_tui.text import cell_width, clean, clean_line, fitted

if TYPE_CHECKING:
    from mnist_tui.spec.briefs import Brief

app = typer.Typer()

MAX_WIDTH = 110
"""Longest line of a text that is wrapped, in cells."""

Briefs = Annotated[Path | None, typer.Option("--briefs", metavar="DIR", help="One more folder of briefs.")]


@app.command(
    "brief",
    epilog=examples(
        "mnist-tui brief",
        "mnist-tui brief steps",
        "mnist-tui brief my_course.toml --runs-dir runs",
        "mnist-tui config set brief steps           the laboratory shows its current step",
    ),
)
@takes_settings("runs_dir")
def show_brief(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A brief, or FILE.toml; without it lists them.", autocompletion=complete_briefs
        ),
    ] = None,
    as_json: AsJson = False,
    folder: Briefs = None,
    *,
    given: Given,
) -> int:
    """Print a course brief: what each step asks for, and the run that reaches it.

    For a step that no run reaches: the nearest run, and what it is short of. Runs on other images than MNIST's do not
    count.
    """
    if name is None:
        return _list_briefs(folder, as_json)
    if not name:
        raise UsageError("NAME is empty; mnist-tui brief lists the briefs")
    from mnist_tui.analysis import brief_progress, brief_text
    from mnist_tui.runs.index import RunIndex
    from mnist_tui.spec import briefs

    brief = briefs.load(name, folder)
    index = RunIndex(settings_with(given).runs_dir)
    index.refresh()
    progress, not_counted = brief_progress.assign(brief, index.all), brief_progress.not_counted(index.all)
    if as_json:
        print(json_text(record(brief_text.as_record(brief, progress, not_counted))))
    else:
        width = min(MAX_WIDTH, shutil.get_terminal_size((MAX_WIDTH, 24)).columns)
        print(clean("\n".join(brief_text.brief_lines(brief, progress, not_counted, width)), 1_000_000))
    return 0


def _list_briefs(folder: Path | None, as_json: bool) -> int:
    """Prints a line for every brief."""
    from mnist_tui.spec import briefs

    known = [briefs.load_file(path) for path in briefs.find(folder).values()]
    if as_json:
        print(json_text([record(_listed_record(brief)) for brief in known]))
        return 0
    width = max(cell_width(brief.name) for brief in known)
    print(f"{'name':<{width}}  steps  title")
    for brief in known:
        print(clean(f"{fitted(brief.name, width)}  {len(brief.steps):>5}  {brief.title}"))
    followed = settings.load().brief
    print("mnist-tui brief NAME shows one" + (f"; chosen is {clean_line(followed, 60)}" if followed else ""))
    return 0


def _listed_record(brief: "Brief") -> dict[str, str | int]:
    return {"name": brief.name, "title": brief.title, "source": brief.source, "steps": len(brief.steps)}
