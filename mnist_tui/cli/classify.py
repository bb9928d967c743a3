"""`mnist-tui classify`: what saved runs take the digits in image files for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mnist_tui.cli.arguments import RUN, AsJson, Given, examples, refuse_empty_run, settings_with, takes_settings
from mnist_tui.cli.completion import complete_runs
from mnist_tui.cli.exit_code import print_error
from mnist_tui.cli.formats import json_text, record
from mnist_tui.errors import ExitCode, FileError, ImageError, RunError, UsageError
from mnist_tui.runs.folders import newest_first
from mnist_tui.runs.index import find_run
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.table import aligned
from mnist_tui.text import cell_width, clean_line, fitted

app = typer.Typer()

MAX_NAME = 40
"""Cells for the name of a file."""
MAX_RUN = 200
"""Cells for the id of a run, which is not cut: its end tells it apart."""
TOP = 3
"""Classes on a line; the JSON has all."""


@dataclass(frozen=True)
class Answer:
    """What one run says about one image."""

    file: Path
    run: str
    """The run's id."""
    classes: Sequence[str]
    """The names of the classes, as many as the network has."""
    probabilities: Sequence[float]
    """Of the classes, in their order."""

    @property
    def top(self) -> list[int]:
        """The most probable classes, the first of which is the prediction."""
        return sorted(range(len(self.probabilities)), key=lambda label: -self.probabilities[label])[:TOP]


@app.command(
    "classify",
    epilog=examples(
        "mnist-tui classify seven.png",
        "mnist-tui classify *.png --run a17f --run b203    two runs on every image",
        "mnist-tui classify seven.png --json | jq '.[0].probabilities[7]'",
    ),
)
@takes_settings("runs_dir")
def classify_images(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="PNG or JPEG files with a digit each.", show_default=False),
    ],
    runs: Annotated[
        list[str] | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help=f"{RUN[0].upper()}{RUN[1:]}; may be repeated. Without it, the newest with an epoch.",
            autocompletion=complete_runs,
            callback=refuse_empty_run,
        ),
    ] = None,
    as_json: AsJson = False,
    *,
    given: Given,
) -> int:
    """Print what runs take handwritten digits for.

    Images of any size, dark on light or light on dark, are prepared as MNIST's were.
    """
    if "" in images:
        raise UsageError("IMAGE is empty; name a PNG or JPEG file")
    files = list(dict.fromkeys(map(Path, images)))
    selected_runs = _runs(runs, settings_with(given).runs_dir)
    digits = _read_digits(files)
    if digits:
        answers = _classify(digits, selected_runs)
        if as_json:
            print(json_text([record(_record(answer)) for answer in answers]))
        else:
            print("\n".join(_lines(answers)))
    return ExitCode.OK if len(digits) == len(files) else ExitCode.USAGE


def _runs(named: Sequence[str] | None, runs_dir: Path) -> list[Run]:
    """The named runs, each once, or the newest that has finished an epoch; raises `RunError`."""
    if named:
        return list({run.folder: run for run in (find_run(name, runs_dir) for name in named)}.values())
    saved = (run for run in map(read_run, newest_first(runs_dir)) if run.is_run and not run.is_imported)
    newest = next((run for run in saved if run.best_epoch), None)
    if newest is None:
        raise RunError(f"{runs_dir}: no run in it has finished an epoch; train one, or name one with --run")
    return [newest]


def _read_digits(images: Iterable[Path]) -> dict[Path, bytes]:
    """The digit in each image by its file; one that cannot be read is left out, and named on stderr."""
    from mnist_tui.images.read import read_digit

    digits = {}
    for image in images:
        try:
            digits[image] = read_digit(image)
        except (FileError, ImageError) as error:
            print_error(str(error))
    return digits


def _classify(digits: Mapping[Path, bytes], runs: Sequence[Run]) -> list[Answer]:
    """What each run says about each digit, by image."""
    from mnist_tui.training.classify import Classifier  # torch: 2 s.

    by_run = [(run, Classifier(run.folder).classify(list(digits.values()))) for run in runs]
    return [
        Answer(image, run.id, tuple(map(run.dataset_record.class_name, range(len(said[index])))), said[index])
        for index, image in enumerate(digits)
        for run, said in by_run
    ]


def _lines(answers: Sequence[Answer]) -> list[str]:
    """`seven.png  20260101T000000Z-iter5-s0-0001  7  98.1%  7 98.1%, 1 1.2%, 9 0.4%`."""
    rows = []
    for answer in answers:
        top = [(clean_line(answer.classes[label]), f"{answer.probabilities[label]:.1%}") for label in answer.top]
        name = clean_line(str(answer.file))
        name = fitted(name, min(MAX_NAME, cell_width(name)))
        rows.append([name, answer.run, *top[0], ", ".join(map(" ".join, top))])
    return aligned(rows, [False, False, True, True, False], MAX_RUN)


def _record(answer: Answer) -> dict[str, Any]:
    return {
        "file": str(answer.file),
        "run": answer.run,
        "prediction": answer.top[0],
        "probabilities": list(answer.probabilities),
    }
