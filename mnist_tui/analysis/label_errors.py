"""The MNIST test images whose labels are wrong, and what that means for a test accuracy.

Northcutt, Athalye, Mueller 2021, "Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks"
(arXiv:2103.14749; data in cleanlab/label-errors): confident learning proposed labels that may be wrong, people on
Mechanical Turk checked them, and 15 of the 10,000 labels of MNIST's test set were found to be wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mnist_tui.analysis.saved_predictions import SavedPredictions
from mnist_tui.datasets.published import MNIST

TEST_IMAGES = MNIST.test_images


@dataclass(frozen=True)
class LabelError:
    """A test image with a wrong label."""

    index: int
    """Its place in the test set, from 0."""
    label: int
    """The label that MNIST gives it."""
    guess: int
    """What confident learning proposed instead, `our_guessed_label` in the study's data.

    People agreed that the label is wrong, not always that this one is right: of five asked about #3520 two saw the 6
    of its label, nobody the proposed 4, and three neither.
    """


LABEL_ERRORS: Mapping[int, LabelError] = {
    index: LabelError(index, label, guess)
    for index, label, guess in (
        (947, 8, 9),
        (1621, 0, 6),
        (1901, 9, 4),
        (2130, 4, 9),
        (2462, 2, 0),
        (2597, 5, 3),
        (2654, 6, 1),
        (3520, 6, 4),
        (3558, 5, 0),
        (5937, 5, 3),
        (6651, 0, 6),
        (6783, 1, 6),
        (8527, 4, 9),
        (9679, 6, 3),
        (9729, 5, 6),
    )
}
"""By index."""

CEILING = 1 - len(LABEL_ERRORS) / TEST_IMAGES
"""The test accuracy of a network that is right on all images but the 15: 0.9985. More means fitting wrong labels."""


@dataclass(frozen=True)
class Ceiling:
    """How a run does on the images with wrong labels and on the others."""

    counted_wrong: int
    """Of the 15 images: those whose prediction is not MNIST's label, so that they lower the test accuracy."""
    read_as_guessed: int
    """Of these: the ones whose prediction is the one that the study proposed."""
    accuracy_on_others: float
    """On the images whose labels are not in doubt, 9,985 of MNIST."""


def is_mnist_test_set(dataset: str | None, predictions: SavedPredictions) -> bool:
    """Whether these are MNIST's test images in their order: by the name in run.json and the labels at the 15 places."""
    return (
        dataset == MNIST.name
        and len(predictions) == TEST_IMAGES
        and all(predictions.labels[error.index] == error.label for error in LABEL_ERRORS.values())
    )


def ceiling(predictions: SavedPredictions) -> Ceiling:
    """What the wrong labels mean for a run; to be asked only where `is_mnist_test_set`."""
    answers = [(error, int(predictions.predictions[error.index])) for error in LABEL_ERRORS.values()]
    counted_wrong = sum(answer != error.label for error, answer in answers)
    right_of_others = int(predictions.is_right.sum()) - (len(answers) - counted_wrong)
    return Ceiling(
        counted_wrong=counted_wrong,
        read_as_guessed=sum(answer == error.guess for error, answer in answers),
        accuracy_on_others=right_of_others / (len(predictions) - len(answers)),
    )
