"""Everything that Analyse says about one run, and about one run against another, from their folders alone.

A run that is being trained is analysed by its best epoch so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_tui.analysis import calibration, confusion, label_errors, statistics
from mnist_tui.analysis.calibration import Bin, Selected
from mnist_tui.analysis.coach.evidence import Advice
from mnist_tui.analysis.coach.rules import advise_on
from mnist_tui.analysis.confusion import ClassScores, ConfusedPair, Discordant, Matrix
from mnist_tui.analysis.label_errors import Ceiling
from mnist_tui.analysis.mistakes import ImagePrediction, mistakes
from mnist_tui.analysis.saved_predictions import SavedPredictions, read_predictions
from mnist_tui.analysis.statistics import Paired
from mnist_tui.errors import RunError
from mnist_tui.runs.reader import check_has_network
from mnist_tui.runs.record import Run


@dataclass(frozen=True, eq=False)
class Confidence:
    """Whether the probabilities can be believed."""

    bins: tuple[Bin, ...]
    expected_calibration_error: float
    selected: tuple[Selected, ...]
    """The accuracy when only the surest images are answered."""


@dataclass(frozen=True, eq=False)
class RunAnalysis:
    """What is known of the best epoch of a run."""

    run: Run
    predictions: SavedPredictions
    accuracy: float
    matrix: Matrix
    scores: tuple[ClassScores, ...]
    pairs: tuple[ConfusedPair, ...]
    mistakes: tuple[ImagePrediction, ...]
    """The highest loss first."""
    confidence: Confidence | None
    """None where the file has no log-probabilities."""
    confidence_missing: str | None
    """Why there is no `confidence`, in a sentence that says what to do."""
    ceiling: Ceiling | None
    """None where the images are not MNIST's test set."""
    advice: tuple[Advice, ...]


@dataclass(frozen=True, eq=False)
class Versus:
    """One run against another on the same images."""

    other: RunAnalysis
    difference: Matrix
    """Counts of the run less those of the other."""
    images: Discordant
    """`only_first`: right in this run alone; `only_second`: right in the other alone."""
    test: Paired
    """McNemar's test of the two numbers."""


def analyse(run: Run, seeds: Sequence[Run] = ()) -> RunAnalysis:
    """The analysis of a run; `seeds` are the runs among which the coach looks for other seeds of it.

    Raises `RunError` where the folder is no run, and `StorageError` where its predictions are missing or damaged.
    """
    if not run.is_run:
        raise RunError(f"{run.folder}: {run.state}: {run.reason}")
    check_has_network(run)
    predictions = read_predictions(run.folder)
    matrix = confusion.confusion_matrix(predictions)
    is_mnist = label_errors.is_mnist_test_set(run.dataset, predictions)
    confidence, missing = _confidence(predictions)
    return RunAnalysis(
        run=run,
        predictions=predictions,
        accuracy=float(predictions.is_right.mean()),
        matrix=matrix,
        scores=confusion.class_scores(matrix),
        pairs=tuple(confusion.most_confused(matrix)),
        mistakes=mistakes(predictions, "loss", is_mnist),
        confidence=confidence,
        confidence_missing=missing,
        ceiling=label_errors.ceiling(predictions) if is_mnist else None,
        advice=tuple(advise_on(run, seeds)),
    )


def _confidence(predictions: SavedPredictions) -> tuple[Confidence | None, str | None]:
    """The calibration of a run, or why it is not known."""
    try:
        bins = calibration.reliability_bins(predictions)
    except RunError as error:
        return None, str(error)
    selected = tuple(calibration.selective_accuracy(predictions, share) for share in calibration.COVERAGES)
    return Confidence(bins, calibration.expected_calibration_error(bins), selected), None


def compare_with(analysis: RunAnalysis, other: RunAnalysis) -> Versus:
    """A run against another; raises `RunError` where they were not tested on the same images."""
    if analysis.run.data != other.run.data:
        raise RunError(
            f"{analysis.run.id} and {other.run.id} were tested on different images; name two runs on the same data set"
        )
    return Versus(
        other=other,
        difference=confusion.matrix_difference(other.matrix, analysis.matrix),
        images=confusion.discordant(analysis.predictions, other.predictions),
        test=statistics.mcnemar(analysis.predictions.is_right.tolist(), other.predictions.is_right.tolist()),
    )
