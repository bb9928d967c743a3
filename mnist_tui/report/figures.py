"""The figures of a report: curves, confusion matrices and mistakes, drawn when a template shows them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mnist_tui.analysis.comparison import Arm
from mnist_tui.report.confusion_svg import confusion_svg
from mnist_tui.report.curves_svg import curves_svg
from mnist_tui.report.images_png import mistakes_png
from mnist_tui.report.model import Figure, Predictions
from mnist_tui.report.predictions import Picture
from mnist_tui.runs.metrics import ChartName


@dataclass(frozen=True)
class StepFigures:
    """The figures of one step, under names that begin with its number."""

    number: int
    arm: Arm

    def curves(self, chart: ChartName) -> Figure | None:
        """A chart over the epochs; None where no epoch was finished."""
        if not any(run.rows for run in self.arm.runs):
            return None
        spec = self.arm.runs[0].spec
        target = spec.target.test_accuracy if spec else None
        alt = f"{chart.capitalize()} of {self.arm.label} over the epochs"
        return self._figure(f"{chart}.svg", alt, lambda: curves_svg([self.arm], chart, target).encode())

    def confusion_matrix(self, predictions: Predictions | None) -> Figure | None:
        """The matrix of the first run; None where its predictions are not saved."""
        if predictions is None:
            return None
        matrix, classes = predictions.matrix, predictions.classes
        alt = f"Confusion matrix of {self.arm.runs[0].title}: {predictions.wrong} of {predictions.images:,} wrong"
        return self._figure("confusion.svg", alt, lambda: confusion_svg(matrix, classes).encode())

    def worst_mistakes(self, pictures: Sequence[Picture]) -> Figure | None:
        """The pictures of the first run's worst mistakes; None where there are none."""
        if not pictures:
            return None
        named = ", ".join(caption for _, caption in pictures[:5])
        alt = f"The {len(pictures)} worst mistakes of {self.arm.runs[0].title}: {named}, …"
        return self._figure("mistakes.png", alt, lambda: mistakes_png(pictures))

    def _figure(self, ending: str, alt: str, draw: Callable[[], bytes]) -> Figure:
        return Figure(f"{self.number}-{_file_name(self.arm.runs[0].name)}-{ending}", alt, draw)


def overview(arms: Sequence[Arm]) -> Figure | None:
    """The test accuracy of all steps over the epochs; None where there is nothing to compare."""
    drawn = [arm for arm in arms if any(run.rows for run in arm.runs)]
    if len(drawn) < 2:
        return None
    return Figure("accuracy.svg", "Test accuracy of the steps over the epochs", lambda: curves_svg(drawn).encode())


def _file_name(name: str) -> str:
    """A run's name as part of a file's name that every file system and link takes."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[:60] or "run"
