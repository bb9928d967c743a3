"""The registry of the metrics of an epoch: logs, tables, charts and comparisons show what stands here.

A new metric is a field of `EpochEnded`, its computation in `training`, and one line in `METRICS`. It then has a column
in the epoch log, in `mnist-tui open` and in Markdown, and a line in the chart that it names. JSON has every field.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from mnist_tui.runs.events import EpochEnded

ChartName = Literal["accuracy", "loss", "learning rate", "norms"]
Role = Literal["train", "val", "test", "weights"]
"""What a metric is measured on: images in training, on validation or test images, or the weights alone."""


@dataclass(frozen=True)
class ChartKind:
    """How the metrics of a chart are drawn together."""

    unit: str = ""
    is_log: bool = False
    """Whether the axis is logarithmic at first."""
    has_steps: bool = False
    """Whether a run that is trained has a value for every step, beside one for every epoch."""


CHARTS: dict[ChartName, ChartKind] = {
    "accuracy": ChartKind(unit="%"),
    "loss": ChartKind(is_log=True, has_steps=True),
    "learning rate": ChartKind(has_steps=True),
    "norms": ChartKind(is_log=True),
}
"""The charts, in the order in which the zoom turns through them."""


@dataclass(frozen=True)
class Metric:
    """One number of an epoch."""

    name: str
    """The field of `EpochEnded`; of a metric that is computed from others a name of its own."""
    heading: str
    """The heading of its column in tables."""
    log_heading: str
    """The heading of its column in the epoch log, whose cells show no unit."""
    format: str
    """The format specification of its value, as in `format(value, ".2f")`."""
    cells: int
    """Characters that its values usually take."""
    rank: int
    """Columns of the epoch log with the highest rank are left out first where there is no room; 0 always stays."""
    unit: str = ""
    """`%` for a fraction that is shown in percent, `points` for a difference of two of these, `s`, or none."""
    chart: ChartName | None = None
    role: Role | None = None
    line: str = ""
    """The name of its line in the legend, where that is not the role."""
    narrow_heading: str = ""
    """The heading in a narrow epoch log, where it differs."""
    compute: Callable[[EpochEnded], float | None] | None = None
    """Computes a metric that is no field of `EpochEnded`; tables leave it out, since they show what it comes from."""

    def of(self, row: EpochEnded) -> float | None:
        """The value in an epoch, accuracies as fractions; None where it was not measured."""
        if self.compute is not None:
            return self.compute(row)
        value: float | None = None if self.name in row.unknown else getattr(row, self.name)
        return value

    def scaled(self, row: EpochEnded) -> float | None:
        """The value in the unit that charts draw: accuracies in percent."""
        value = self.of(row)
        return None if value is None else value * self._scale

    def number(self, value: float | None) -> str:
        """A value without its unit; `-` where it was not measured."""
        return "-" if value is None else format(value * self._scale, self.format)

    def text(self, value: float | None) -> str:
        """A value as it stands under a heading that does not name its unit: accuracies with a percent sign."""
        return self.number(value) + ("%" if self.unit == "%" and value is not None else "")

    @property
    def _scale(self) -> int:
        return 100 if self.unit in ("%", "points") else 1


def _gap(row: EpochEnded) -> float | None:
    """Train − test accuracy: how much the network overfits."""
    gap = row.train_accuracy - row.test_accuracy
    return None if math.isnan(gap) else gap


METRICS = (
    Metric("train_loss", "train loss", "train loss", ".4f", 6, 4, "", "loss", "train", narrow_heading="loss"),
    Metric("train_accuracy", "train acc", "train %", ".2f", 5, 0, "%", "accuracy", "train"),
    Metric("val_loss", "val loss", "val loss", ".4f", 6, 5, "", "loss", "val"),
    Metric("val_accuracy", "val acc", "val %", ".2f", 5, 1, "%", "accuracy", "val"),
    Metric("test_loss", "test loss", "test loss", ".4f", 6, 5, "", "loss", "test"),
    Metric("test_accuracy", "test acc", "test %", ".2f", 5, 0, "%", "accuracy", "test"),
    Metric("gap", "gap", "gap", "+z.2f", 5, 2, "points", compute=_gap),
    Metric("learning_rate", "lr", "rate", ".3g", 7, 4, chart="learning rate", role="train", line="rate"),
    Metric("seconds", "s", "s", ".1f", 4, 3, "s"),
    Metric("gradient_norm", "grad norm", "grad norm", "#.4g", 9, 6, chart="norms", role="train", line="gradient"),
    Metric("weight_norm", "weight norm", "weight norm", "#.4g", 9, 6, chart="norms", role="weights"),
)
"""Every metric, in the order of columns."""

_BY_NAME = {metric.name: metric for metric in METRICS}


def metric(name: str) -> Metric:
    """The metric of a name."""
    return _BY_NAME[name]


def texts(row: EpochEnded) -> dict[str, str]:
    """The text of every metric of an epoch, by its name."""
    return {each.name: each.text(each.of(row)) for each in METRICS}


def measured(rows: Sequence[EpochEnded]) -> list[Metric]:
    """The metrics that any of the epochs has; without an epoch those that every epoch has."""
    return [each for each in METRICS if any(each.of(row) is not None for row in rows or [_PLAIN])]


_PLAIN = EpochEnded(1, 0.0, 0.0, None, None, 0.0, 0.0, 0.0, 0.0, 0.0)


def lines_of(chart: ChartName) -> list[Metric]:
    """The metrics that are drawn together in a chart."""
    return [each for each in METRICS if each.chart == chart]


def main_line(chart: ChartName) -> Metric:
    """The metric of a chart that stands for a run which has one line in it: on the test images, else the first."""
    lines = lines_of(chart)
    return next((each for each in lines if each.role == "test"), lines[0])


def comparable() -> dict[str, Metric]:
    """The metrics by which runs are drawn over each other, by their names on the screen; accuracy comes first."""
    tests: dict[str, Metric] = {chart: main for chart in CHARTS if (main := main_line(chart)).role == "test"}
    others = [each for each in METRICS if each.compute or (each.chart and each.chart not in tests)]
    return {**tests, **{each.name.replace("_", " "): each for each in others}}


def points_of(rows: Sequence[EpochEnded], wanted: Metric) -> list[tuple[float, float]]:
    """The epochs that have a metric, with its values in the unit that charts draw.

    Where an imported log tells nothing of the test images, it is drawn by its validation images.
    """
    points = [(float(row.epoch), y) for row in rows if (y := wanted.scaled(row)) is not None]
    if points or wanted.role != "test":
        return points
    validation = metric(wanted.name.replace("test_", "val_"))
    return [(float(row.epoch), y) for row in rows if (y := validation.scaled(row)) is not None]
