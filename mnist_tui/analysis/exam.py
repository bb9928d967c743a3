"""How much choosing on the test set flattered a run: its accuracy there, and on test digits that nothing was chosen on.

Digits of one writer are alike, so a network gets them right or wrong together: the intervals resample writers, not
digits (the cluster bootstrap; Davison, Hinkley 1997, "Bootstrap Methods and their Application", section 3.8). Both
accuracies and their difference come from the same resampling, since writers of the one set are also in the other.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mnist_tui.analysis.statistics import Interval
from mnist_tui.errors import DataError
from mnist_tui.runs.record import Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mnist_tui.datasets.exam import ExamDigits

RESAMPLES = 10_000
SEED = 0
"""Of the resampling, so that the same run has the same intervals."""
TAILS = (2.5, 97.5)
"""Percentiles at the ends of a 95% interval."""


@dataclass(frozen=True)
class Score:
    """The accuracy on one set of digits."""

    images: int
    wrong: int
    writers: int
    interval: Interval
    """The 95% interval of the accuracy."""

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return 1 - self.wrong / self.images


@dataclass(frozen=True)
class ExamResult:
    """Both scores of a network, and how far they are apart."""

    test: Score
    """On MNIST's test images."""
    exam: Score
    """On the other test digits."""
    writers: int
    """Who wrote digits of either set: these are resampled."""
    interval: Interval
    """The 95% interval of `difference`."""

    @property
    def difference(self) -> float:
        """Accuracy on the test images less that on the others: above 0 where choosing flattered it, too."""
        return self.test.accuracy - self.exam.accuracy

    @property
    def is_chance(self) -> bool:
        """Whether the interval of the difference includes 0."""
        return self.interval[0] <= 0 <= self.interval[1]


def right_of_known(run: Run, digits: "ExamDigits") -> "NDArray[np.bool_] | None":
    """Which of its test images the run has right, as it was chosen by; None where it kept no predictions.

    QMNIST's copies of MNIST's test images differ from them in some pixels. Raises `StorageError` for damaged
    predictions, `DataError` where the run's labels are not those of the first of the digits.
    """
    import numpy as np

    from mnist_tui.analysis.saved_predictions import FILE, read_predictions

    if not (run.folder / FILE).exists():
        return None
    saved = read_predictions(run.folder)
    if not np.array_equal(saved.labels, digits.labels[: digits.known]):
        raise DataError(f"{run.id}: was not tested on the digits that the exam's begin with")
    return saved.is_right


def score(is_right: "NDArray[np.bool_]", writers: "NDArray[np.int64]", known: int) -> ExamResult:
    """The result of a network on N digits, of which the first `known` are MNIST's test images.

    `is_right` (N,) says which it has right, `writers` (N,) who wrote them.
    """
    import numpy as np

    _, of_image = np.unique(writers, return_inverse=True)
    count = int(of_image.max()) + 1
    is_test = np.arange(len(is_right)) < known
    weights = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    scores, resampled = [], []
    for chosen in (is_test, ~is_test):
        right = np.bincount(of_image[chosen], is_right[chosen], minlength=count)
        total = np.bincount(of_image[chosen], minlength=count)
        accuracies = (weights @ right) / np.maximum(1, weights @ total)
        images, wrong = int(chosen.sum()), int((chosen & ~is_right).sum())
        scores.append(Score(images, wrong, int((total > 0).sum()), _interval(accuracies)))
        resampled.append(accuracies)
    return ExamResult(scores[0], scores[1], count, _interval(resampled[0] - resampled[1]))


def _interval(values: "NDArray[np.float64]") -> Interval:
    import numpy as np

    low, high = np.percentile(values, TAILS).tolist()
    return low, high
