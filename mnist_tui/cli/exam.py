"""`mnist-tui exam`: a network on test digits that nothing was chosen on."""

from typing import TYPE_CHECKING, Any

import typer

from mnist_tui.cli.arguments import AsJson, Given, Run, examples, settings_with, takes_settings
from mnist_tui.cli.formats import json_text, record
from mnist_tui.cli.output import Output
from mnist_tui.cli.progress_table import show_downloads
from mnist_tui.datasets.exam import TAKEN_ON
from mnist_tui.datasets.published import MNIST
from mnist_tui.errors import UsageError
from mnist_tui.runs.events import Notice
from mnist_tui.runs.index import find_readable
from mnist_tui.runs.storage import load_run
from mnist_tui.text import clean_line

if TYPE_CHECKING:
    from mnist_tui.analysis.exam import ExamResult, Score
    from mnist_tui.runs.record import Run as SavedRun

app = typer.Typer()


@app.command(
    epilog=examples(
        "mnist-tui exam a17f",
        "mnist-tui exam a17f --json | jq .difference",
    )
)
@takes_settings("runs_dir", "data_dir")
def exam(run: Run, as_json: AsJson = False, *, given: Given) -> int:
    """Test a run's network on 50,000 digits that nothing was chosen on.

    They are QMNIST's other test digits, downloaded (10 MB) where they are missing. The best epoch of a run is mostly
    chosen on MNIST's 10,000 test images, which flatters it; the same weights on digits from the same source say by how
    much. The intervals resample writers, since the digits of one person are alike. Do not choose by this figure.
    """
    values = settings_with(given)
    saved = find_readable(run, values.runs_dir)
    if saved.dataset not in TAKEN_ON:
        raise UsageError(
            f"{saved.id}: was trained on {clean_line(saved.dataset or 'unknown data', 60)}; the exam is one of digits, "
            f"for runs on {' or '.join(TAKEN_ON)}"
        )
    from mnist_tui.analysis.exam import right_of_known, score
    from mnist_tui.training import exam as digits_of
    from mnist_tui.training.predict import load_network

    network = load_network(saved.folder)  # What is wrong with the weights is said before 10 MB are downloaded.
    output = Output(as_json, quiet=False)
    for event in show_downloads(digits_of.fetch_exam(values.data_dir), output):
        if isinstance(event, Notice):
            output.notice(event)
    digits = digits_of.load_exam(values.data_dir)
    is_right = digits_of.predictions(network, load_run(saved.folder).spec.train.normalize, digits) == digits.labels
    own = right_of_known(saved, digits)
    if own is not None:
        is_right[: digits.known] = own
    is_mnist = own is not None and saved.dataset == MNIST.name
    known = "test images, MNIST's own" if is_mnist else "test images, as in QMNIST"
    result = score(is_right, digits.writers, digits.known)
    print(json_text(record(as_record(saved, result))) if as_json else "\n".join(as_lines(saved, result, known)))
    return 0


def as_lines(run: "SavedRun", result: "ExamResult", known: str) -> list[str]:
    """Both accuracies with their intervals, and their difference; `known` says what the first is on."""
    low, high = result.interval
    meaning = "chance alone could be as much" if result.is_chance else "more than chance"
    return [
        f"{clean_line(run.title, 80)}, {run.parameters or 0:,} parameters: epoch {run.best_epoch} of {run.epochs}, "
        f"chosen on the {'validation' if run.chosen_by == 'validation' else 'test'} images",
        "",
        _line(known, result.test),
        _line("exam, QMNIST's others", result.exam),
        "",
        f"test above exam by {100 * result.difference:+.3f} points (95 % interval {100 * low:+.3f} to "
        f"{100 * high:+.3f}): {meaning}",
        f"The intervals resample {result.writers:,} writers.",
    ]


def _line(name: str, score: "Score") -> str:
    low, high = score.interval
    return (
        f"{name:<26}{score.images:>7,} images  {score.accuracy:>8.3%}  {score.wrong:>5,} wrong  "
        f"95 % interval {100 * low:.3f} to {100 * high:.3f} %"
    )


def as_record(run: "SavedRun", result: "ExamResult") -> dict[str, Any]:
    """The result for programs."""
    low, high = result.interval
    return {
        "run": run.id,
        "epoch": run.best_epoch,
        "chosen_by": run.chosen_by,
        "test": _score_record(result.test),
        "exam": _score_record(result.exam),
        "difference": result.difference,
        "difference_low": low,
        "difference_high": high,
    }


def _score_record(score: "Score") -> dict[str, Any]:
    low, high = score.interval
    return {
        "images": score.images,
        "writers": score.writers,
        "wrong": score.wrong,
        "accuracy": score.accuracy,
        "interval_low": low,
        "interval_high": high,
    }
