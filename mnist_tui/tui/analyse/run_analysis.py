"""What the screen shows of a run, or of a run against another, read from the run folders by the background worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from mnist_tui.analysis import calibration, coach, confusion, label_errors, mistakes
from mnist_tui.analysis.coach_evidence import Advice, evidence_of
from mnist_tui.analysis.confusion import ClassScores, ConfusedPair, Matrix
from mnist_tui.analysis.label_errors import Ceiling
from mnist_tui.analysis.mistakes import Answer, Order
from mnist_tui.analysis.saved_predictions import FILE, SavedPredictions, check_same_images, read_predictions
from mnist_tui.errors import RunError
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line


@dataclass(frozen=True, eq=False)
class RunAnalysis:
    """The predictions of a run's best epoch and, where one is chosen, those of another run on the same images."""

    run: Run
    predictions: SavedPredictions
    baseline: Run | None = None
    baseline_predictions: SavedPredictions | None = None
    advice: tuple[Advice, ...] = ()
    advice_error: str = ""
    """Why there is no advice, where something is wrong with the run's spec."""

    @cached_property
    def matrix(self) -> Matrix:
        return confusion.confusion_matrix(self.predictions)

    @cached_property
    def difference(self) -> Matrix | None:
        """The run's counts less those of the baseline; None without one."""
        if self.baseline_predictions is None:
            return None
        return confusion.matrix_difference(confusion.confusion_matrix(self.baseline_predictions), self.matrix)

    @cached_property
    def scores(self) -> tuple[ClassScores, ...]:
        return confusion.class_scores(self.matrix)

    @cached_property
    def pairs(self) -> list[ConfusedPair]:
        return confusion.most_confused(self.matrix)

    @cached_property
    def is_mnist(self) -> bool:
        """Whether the published label errors speak of these images."""
        return label_errors.is_mnist_test_set(self.run.dataset, self.predictions)

    @property
    def ceiling(self) -> Ceiling | None:
        return label_errors.ceiling(self.predictions) if self.is_mnist else None

    @property
    def wrong_count(self) -> int:
        return len(self.predictions) - int(self.predictions.is_right.sum())

    def mistakes(self, order: Order) -> Sequence[Answer]:
        """Every mistake; raises `RunError` for an order that the file does not know enough for."""
        return mistakes.mistakes(self.predictions, order, self.is_mnist)

    def cell(self, label: int, prediction: int) -> Sequence[Answer]:
        """The images of one cell of the matrix, right ones too."""
        return self.answers(confusion.cell_images(self.predictions, label, prediction))

    def answers(self, indices: Sequence[int]) -> Sequence[Answer]:
        """What the run says about the test images at `indices`."""
        return mistakes.answers(self.predictions, indices, self.is_mnist)

    @property
    def lost(self) -> Sequence[Answer]:
        """The images that only the baseline has right."""
        return self.answers(self._discordant.only_second)

    @property
    def won(self) -> Sequence[Answer]:
        """The images that only this run has right."""
        return self.answers(self._discordant.only_first)

    @cached_property
    def _discordant(self) -> confusion.Discordant:
        if self.baseline_predictions is None:
            return confusion.Discordant((), ())
        return confusion.discordant(self.predictions, self.baseline_predictions)

    @cached_property
    def bins(self) -> tuple[calibration.Bin, ...]:
        """Raises `RunError` where the file has no log-probabilities."""
        return calibration.reliability_bins(self.predictions)


def read_analysis(run: Run, baseline: Run | None, runs: Sequence[Run]) -> RunAnalysis:
    """The analysis of a run; `runs` are all runs, among which the seeds of its recipe are found.

    Raises `StorageError` where predictions cannot be read, and `RunError` where the two runs had other test images.
    """
    predictions = read_predictions(run.folder)
    other = None if baseline is None else read_predictions(baseline.folder)
    if other is not None:
        check_same_images(predictions, other)
    advice, error = _advise(run, runs)
    return RunAnalysis(run, predictions, baseline, other, advice, error)


def _advise(run: Run, runs: Sequence[Run]) -> tuple[tuple[Advice, ...], str]:
    evidence = evidence_of(run, [each for each in runs if each.group == run.group])
    if evidence is None:
        return (), "this version cannot read the settings of this run"
    return tuple(coach.advise(evidence)), ""


def newest_analysed(runs: Sequence[Run]) -> Run:
    """The newest run that has predictions; raises `RunError` where there is none."""
    for run in sorted((run for run in runs if run.is_run), key=lambda run: run.created, reverse=True):
        if (run.folder / FILE).is_file():
            return run
    raise RunError("no run has finished an epoch yet; train one in the lab (1)")


def run_line(run: Run) -> str:
    """A run in a list: its accuracy, name, seed and folder."""
    best = "-" if run.best_accuracy is None else f"{run.best_accuracy:.2%}"
    return clean_line(f"{best:>7}  {run.name} s{run.seed}  {run.state}  {run.id}", 200)
