"""`mnist-tui export`: a run in the format of another program, or its folder copied or packed."""

from pathlib import Path
from typing import Annotated

import typer

from mnist_tui.cli.arguments import Given, Run, examples, settings_with, takes_settings
from mnist_tui.errors import RunError, UsageError
from mnist_tui.export.formats import ARCHIVE, FORMATS, find_format
from mnist_tui.export.write import export
from mnist_tui.runs import archive
from mnist_tui.runs.index import find_readable
from mnist_tui.runs.record import Run as SavedRun
from mnist_tui.text import clean_line

app = typer.Typer()

FORMAT_LINES = [
    f"{ARCHIVE:<12} the run folder as a copy, .zip or .tar.gz; so without --to",
    *(f"{each.name:<12} {each.what}" for each in FORMATS),
]


def _complete_formats(incomplete: str) -> list[str]:
    return [name for name in (ARCHIVE, *(each.name for each in FORMATS)) if name.startswith(incomplete)]


@app.command(
    "export",
    epilog=examples(
        "mnist-tui export a17f a17f.zip                  the run folder, to send to somebody",
        "mnist-tui export a17f copy --no-checkpoints     its history without the weights",
        "mnist-tui export a17f --to script -o mine.py    one PyTorch file, and mine.pt with the weights",
        "mnist-tui export a17f --to onnx",
        "",
        "Formats:",
        *FORMAT_LINES,
        more="Networks are exported with the weights of the best epoch. They take images as in training, float32 "
        "(N, 1, 28, 28), normalised by the mean and standard deviation of the recipe, which the files name.",
    ),
)
@takes_settings("runs_dir")
def export_run(
    run: Run,
    destination: Annotated[
        Path | None,
        typer.Argument(metavar="DESTINATION", help="Where it goes, as -o.", show_default=False),
    ] = None,
    to: Annotated[
        str,
        typer.Option("--to", metavar="FORMAT", help="One of the formats below.", autocompletion=_complete_formats),
    ] = ARCHIVE,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="File to write; of an archive also a new folder, of tensorboard a folder. Without it, named after "
            "the run, in the current folder.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files of a format; an archive never is.")] = False,
    no_checkpoints: Annotated[
        bool, typer.Option("--no-checkpoints", help="Archive the history without the weights.")
    ] = False,
    *,
    given: Given,
) -> int:
    """Export a run to other programs, or copy it to a folder or an archive."""
    how = None if to == ARCHIVE else find_format(to)
    if destination is not None and output is not None:
        raise UsageError("DESTINATION is not allowed with -o, which names the same")
    path = destination if destination is not None else output
    if path is not None and not path.name and how is not None:
        raise UsageError("-o is no file name")
    if how is not None and no_checkpoints:
        raise UsageError(f"--no-checkpoints goes with an archive, not with --to {how.name}")
    saved = find_readable(run, settings_with(given).runs_dir)
    files = (_archive(saved, path, force, not no_checkpoints),) if how is None else export(saved, how, path, force)
    print("\n".join(clean_line(str(file)) for file in files))
    return 0


def _archive(run: SavedRun, path: Path | None, force: bool, checkpoints: bool) -> Path:
    """Copies a run; raises `UsageError`, and `RunError` for a path that is no archive."""
    if path is None:
        raise UsageError("DESTINATION is missing; see mnist-tui export --help")
    if force:
        raise UsageError("--force: an archive never overwrites; name another place, or remove what is there")
    if writes := next((each for each in FORMATS if each.suffix and each.suffix == path.suffix), None):
        raise UsageError(f"{clean_line(str(path), 200)}: for such a file, say --to {writes.name}")
    if wrong := archive.wrong_destination(path):
        raise RunError(wrong)
    return archive.export(run.folder, path, checkpoints=checkpoints)
