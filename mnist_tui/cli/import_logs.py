"""`mnist-tui import`: logs of other programs as runs that are only read."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnist_tui.cli.arguments import AsJson, Given, examples, settings_with, takes_settings, whole_number
from mnist_tui.cli.exit_code import print_error
from mnist_tui.cli.formats import json_text, record
from mnist_tui.errors import ExitCode, FileError, LogError, UsageError
from mnist_tui.runs.imported import write_imported
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.text import as_name, clean_line, is_name

if TYPE_CHECKING:
    from mnist_tui.import_logs.import_file import ImportedFile

app = typer.Typer()

MAX_PARAMETERS = 999_999_999
MAX_NAME, MAX_MEASURED_ON = 60, 100
SHOWN_LINES = 5
"""Lines that were not understood and are printed; the JSON has more."""
JSON_LINES = 1_000


@app.command(
    "import",
    epilog=examples(
        "mnist-tui import S7.ipynb",
        "mnist-tui import train.log --name lenet --parameters 44426",
        'mnist-tui import metrics.csv --measured-on "MNIST\'s 10,000 test images"',
        "mnist-tui compare S7 iter5 --plot           the imported log beside the runs of a preset",
        more="A log has no network: it cannot be resumed, extended or analysed, and is not judged beside other runs.",
    ),
)
@takes_settings("runs_dir")
def import_command(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Text, Markdown, CSV, .ipynb, TensorBoard's event files or their folder; - is standard input.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name of the run; without it the file's name.")
    ] = None,
    parameters: Annotated[
        str | None, typer.Option(metavar="N", help="Parameters of the network; a log seldom tells them.")
    ] = None,
    measured_on: Annotated[
        str | None, typer.Option("--measured-on", metavar="TEXT", help="The images of the test figures, in words.")
    ] = None,
    as_json: AsJson = False,
    *,
    given: Given,
) -> int:
    """Import logs of other programs as runs, to compare curves.

    Understood are what training loops print (tqdm, PyTorch's MNIST example, `Epoch 1/20 ... loss ... accuracy`), Keras,
    CSV of Lightning and Keras, and TensorBoard. A notebook with several trainings becomes several runs.
    """
    count = None if parameters is None else whole_number("--parameters", parameters, 1, MAX_PARAMETERS)
    chosen_name, words = _check_name(name, files), _check_words(measured_on)
    runs_dir = settings_with(given).runs_dir
    imported, is_complete = _read(files, chosen_name, count, words)
    runs = [[read_run(write_imported(runs_dir, log)) for log in file.trainings] for file in imported]
    if as_json:
        print(json_text([record(_as_record(*pair)) for pair in zip(imported, runs, strict=True)]))
    else:
        for file, saved in zip(imported, runs, strict=True):
            print("\n".join(clean_line(line) for line in _summary_lines(file, saved)))
    return ExitCode.OK if is_complete else ExitCode.USAGE


def _read(
    files: Sequence[str], name: str | None, parameters: int | None, measured_on: str | None
) -> "tuple[list[ImportedFile], bool]":
    """What each file holds, and whether all could be read; one that cannot is named on stderr."""
    from mnist_tui.import_logs.import_file import import_file  # Its patterns take time to compile.

    read = []
    for file in dict.fromkeys(files):
        try:
            read.append(import_file(file, name, parameters, measured_on))
        except (FileError, LogError) as error:
            print_error(str(error))
    return read, len(read) == len(set(files))


def _check_name(name: str | None, files: Sequence[str]) -> str | None:
    if "" in files:
        raise UsageError("FILE is empty; name a log, or - for standard input")
    if name is None:
        return None
    if len(set(files)) > 1:
        raise UsageError("--name names the runs of one file; import the others without it")
    if not is_name(as_name(name), MAX_NAME):
        form = f"1 to {MAX_NAME} letters and digits, - _ and ., not beginning with - or ."
        raise UsageError(f"--name {clean_line(name, 60) or repr('')}: must be {form}")
    return as_name(name)


def _check_words(measured_on: str | None) -> str | None:
    if measured_on is None:
        return None
    words = clean_line(measured_on.strip(), MAX_MEASURED_ON)
    if not words:
        raise UsageError('--measured-on: say which images, such as "MNIST\'s 10,000 test images"')
    return words


# --- what was imported ---


def _summary_lines(file: "ImportedFile", runs: Sequence[Run]) -> list[str]:
    """A line for each run with its folder, then what it is made of and what was left out."""
    lines = []
    for log, run in zip(file.trainings, runs, strict=True):
        facts = log.facts
        best = "" if run.best_accuracy is None else f", best {run.best_accuracy:.2%} in epoch {run.best_epoch}"
        parameters = "" if run.parameters is None else f", {run.parameters:,} parameters"
        lines += [
            f"{log.name}: {len(log.rows)} epoch{'' if len(log.rows) == 1 else 's'}{best}{parameters}",
            f"  from {', '.join(str(part) for part in (facts['file'], facts['part']) if part)} ({facts['form']})",
            f"  measured on: {run.measured_on}",
            f"  training figures: {facts['train_figures']}",
            *(f"  {remark}" for remark in facts["remarks"]),
            f"  {run.folder}",
        ]
    return [*lines, *_misread_lines(file)]


def _misread_lines(file: "ImportedFile") -> list[str]:
    count = len(file.misread)
    if not count:
        return []
    shown = [f"  {each.words}" for each in file.misread[:SHOWN_LINES]]
    shown += [f"  and {count - SHOWN_LINES:,} more"] if count > SHOWN_LINES else []
    if not file.lines:
        return [f"{file.source.name}: {count:,} curve{'' if count == 1 else 's'} not understood", *shown]
    line, looks = ("line", "looks like an epoch but was") if count == 1 else ("lines", "look like epochs but were")
    return [f"{file.source.name}: {count:,} {line} of {file.lines:,} {looks} not understood", *shown]


def _as_record(file: "ImportedFile", runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "file": file.source.name,
        "lines": file.lines,
        "not_understood": len(file.misread),
        "not_understood_lines": [
            {"part": each.part or None, "line": each.line.number, "text": clean_line(each.line.text, 200)}
            for each in file.misread[:JSON_LINES]
        ],
        "runs": [
            {
                "run": run.id,
                "folder": str(Path(run.folder)),
                "name": run.name,
                "epochs": len(log.rows),
                "best": run.best_accuracy,
                "parameters": run.parameters,
                **{key: value for key, value in log.facts.items() if key not in ("lines", "not_understood")},
            }
            for log, run in zip(file.trainings, runs, strict=True)
        ],
    }
