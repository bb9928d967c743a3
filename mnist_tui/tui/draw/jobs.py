"""The jobs of the background worker: plain functions that load torch and read run folders."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.analysis.comparison import distinct_titles
from mnist_tui.datasets.published import MNIST
from mnist_tui.errors import ImageError, MnistTuiError
from mnist_tui.images.drawing import Drawing
from mnist_tui.runs.index import RunIndex
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line

if TYPE_CHECKING:
    from mnist_tui.training.classify import Classifier, Stability

MOST_RUNS = 3
"""Runs that are asked at once: more do not fit beside each other."""


@dataclass(frozen=True)
class RunAnswer:
    """What one run says about a digit."""

    title: str
    probabilities: tuple[float, ...]
    """Of the classes; () where the run's weights cannot be read."""
    error: str = ""
    stability: "Stability | None" = None
    classes: tuple[str, ...] = MNIST.classes
    """The names of the classes, as many as there are probabilities."""


@dataclass(frozen=True)
class Answers:
    """What the chosen runs say about a drawing."""

    digit: bytes
    """The drawing prepared as MNIST's digits: 784 grey values."""
    runs: tuple[RunAnswer, ...]


class Classifiers:
    """The networks of the chosen runs, loaded when first asked; used by the worker's thread alone."""

    def __init__(self) -> None:
        self._loaded: dict[Path, Classifier] = {}

    def choose(self, index: RunIndex, names: Sequence[str]) -> list[Run]:
        """Up to `MOST_RUNS` of the named runs; without them the newest with an epoch. Raises `RunError` for none.

        Forgets the networks, since a run may have had a better epoch.
        """
        self._loaded.clear()
        return index.choose(names, lambda run: bool(run.epochs) and not run.is_imported)[:MOST_RUNS]

    def answer(self, runs: Sequence[Run], drawing: Drawing, with_stability: bool) -> Answers | None:
        """What the runs say about a drawing; None for a blank one."""
        try:
            digit = drawing.prepared().pixels
        except ImageError:
            return None
        return Answers(
            digit,
            tuple(
                self._ask(run, title, digit, with_stability)
                for run, title in zip(runs, distinct_titles(runs), strict=True)
            ),
        )

    def _ask(self, run: Run, title: str, digit: bytes, with_stability: bool) -> RunAnswer:
        try:
            classifier = self._classifier(run.folder)
        except MnistTuiError as error:
            return RunAnswer(title, (), clean_line(str(error), 200))
        stability = classifier.stability(digit) if with_stability else None
        (probabilities,) = classifier.classify([digit])
        classes = tuple(map(run.dataset_record.class_name, range(len(probabilities))))
        return RunAnswer(title, probabilities, stability=stability, classes=classes)

    def _classifier(self, folder: Path) -> "Classifier":
        if folder not in self._loaded:
            self._loaded[folder] = self._load(folder)
        return self._loaded[folder]

    @staticmethod
    def _load(folder: Path) -> "Classifier":
        from mnist_tui.training.classify import Classifier

        return Classifier(folder)
