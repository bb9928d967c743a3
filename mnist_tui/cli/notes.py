"""`mnist-tui note` and `mnist-tui tag`: what a person writes about a run; notes also in an editor, or from stdin."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mnist_tui.cli.arguments import Given, Run, examples, settings_with, takes_settings
from mnist_tui.editor import edit
from mnist_tui.errors import RunError, UsageError
from mnist_tui.runs import annotations
from mnist_tui.runs.annotations import MAX_NOTES, PARTS
from mnist_tui.runs.index import find_readable
from mnist_tui.text import as_name, clean_line, did_you_mean

app = typer.Typer()

STDIN = "-"


@app.command(
    "note",
    epilog=examples(
        "mnist-tui note a17f                            in your editor",
        'mnist-tui note a17f -m "Over-fits from epoch 9."',
        'mnist-tui note a17f -m "99.4 %" --section target',
        "mnist-tui note a17f - < notes.txt",
    ),
)
@takes_settings("runs_dir")
def add_or_edit_notes(
    run: Run,
    source: Annotated[
        str | None, typer.Argument(metavar="-", help="Add what standard input says.", show_default=False)
    ] = None,
    messages: Annotated[
        list[str] | None, typer.Option("--message", "-m", metavar="TEXT", help="Add a paragraph; may be repeated.")
    ] = None,
    section: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(PARTS), help="Where to add it; else to the analysis.", autocompletion=lambda: list(PARTS)
        ),
    ] = None,
    *,
    given: Given,
) -> int:
    """Edit the notes of a run in your editor, or add to them.

    The notes are Target, Result and Analysis; the editor is $VISUAL or $EDITOR. What is added stands below what is
    there. A text with the headings "## Target", "## Result" or "## Analysis" is divided among them.
    """
    if source not in (None, STDIN):
        raise UsageError(f"note takes RUN and -, got {clean_line(str(source), 60)!r}; a text follows -m")
    if source and messages:
        raise UsageError("-m is not allowed with -, which reads standard input")
    if section is not None and section not in PARTS:
        near = did_you_mean(section, PARTS)
        raise UsageError(f"--section {clean_line(section, 40)}: must be one of {', '.join(PARTS)}{near}")
    if section and not source and not messages:
        raise UsageError("--section goes with -m TEXT, or with -")
    folder = find_readable(run, settings_with(given).runs_dir).folder
    if not source and not messages:
        return _edit(folder)
    text = "\n\n".join(messages) if messages else _read_stdin()
    if not text.strip():
        raise UsageError("the note is empty; nothing is added")
    annotations.add_notes(folder, text, section or "analysis")
    print(folder / annotations.NOTES_FILE)
    return 0


def _edit(folder: Path) -> int:
    annotations.write_notes(folder, annotations.read_notes(folder))  # Creates it, and replaces a link.
    return edit(folder / annotations.NOTES_FILE)


def _read_stdin() -> str:
    """Standard input to its end as text; raises `UsageError` for one that is too long, or is no text."""
    if sys.stdin is None:
        raise UsageError("standard input is closed; nothing is added")
    if sys.stdin.isatty():
        print("type the note; Ctrl-D on an empty line ends it", file=sys.stderr)
    try:
        content = sys.stdin.buffer.read(MAX_NOTES + 1)
    except OSError as error:
        raise UsageError(f"standard input cannot be read: {error.strerror}") from None
    if len(content) > MAX_NOTES:
        raise UsageError(f"standard input is longer than {MAX_NOTES:,} bytes, the most that notes may have")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8 text (byte {error.start})") from None


@app.command("tag", epilog=examples("mnist-tui tag a17f best-so-far", "mnist-tui tag a17f --remove old"))
@takes_settings("runs_dir")
def tag_run(
    run: Run,
    tags: Annotated[list[str] | None, typer.Argument(metavar="TAG", help="Tags to add.")] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Remove a tag; may be repeated.")] = None,
    *,
    given: Given,
) -> int:
    """Add tags to a run, remove tags, and print those it has."""
    saved = find_readable(run, settings_with(given).runs_dir)
    changed = {*saved.tags, *map(as_name, tags or ())} - {*map(as_name, remove or ())}
    if changed != set(saved.tags):
        try:
            annotations.write_tags(saved.folder, changed)
        except ValueError as error:
            raise RunError(str(error)) from None
    print(" ".join(annotations.read_tags(saved.folder)))
    return 0
