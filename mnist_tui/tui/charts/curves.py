"""Runs as curves: which lines a metric has, how they are told apart, smoothed and thinned."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from mnist_tui.analysis import axes
from mnist_tui.runs import metrics
from mnist_tui.runs.metrics import CHARTS, ChartName
from mnist_tui.tui.charts.run_curves import RunCurves, SeedGroup

Metric = ChartName
"""What one chart shows; its lines stand in the registry, runs/metrics.py."""
METRICS: tuple[Metric, ...] = tuple(CHARTS)

Role = metrics.Role | Literal["raw", "seed", "pinned"]
"""What a line is; a role has one colour and one marker everywhere."""

SMOOTHINGS = (0.0, 0.1, 0.5)
"""Epochs over which step losses are averaged."""
MOST_SEEDS = 12
"""Earlier seeds of an action that are drawn, the newest of them."""


@dataclass(frozen=True)
class Curve:
    """A line: x in epochs done, y in the metric's own unit (accuracies in percent)."""

    label: str
    role: Role
    xs: Sequence[float]
    ys: Sequence[float]


def curves_of(metric: Metric, group: SeedGroup, pinned: RunCurves | None, smoothing: float) -> list[Curve]:
    """The lines of a chart, those drawn last on top; those without a point are left out."""
    *earlier, newest = group.runs or (None,)
    main = metrics.main_line(metric)
    lines: list[Curve] = []
    if pinned is not None:
        lines.append(_per_epoch(pinned.label, "pinned", pinned, main))
    if metric != "learning rate":  # The seeds of an action share their schedule.
        seeds = [run for run in earlier if run is not None][-MOST_SEEDS:]
        lines += [_per_epoch(f"seed {run.seed}", "seed", run, main) for run in seeds]
    lines += [] if newest is None else _lines(metric, newest, smoothing)
    return [line for line in lines if line.xs]


def _lines(metric: Metric, run: RunCurves, smoothing: float) -> list[Curve]:
    """The lines of the newest run: of its steps, where the chart has them and they are known, else of its epochs."""
    lines = [_per_epoch(each.line or each.role, each.role, run, each) for each in metrics.lines_of(metric) if each.role]
    # A pinned or watched run may have no steps left: then its epochs' means are its training curve.
    if not CHARTS[metric].has_steps or not run.points:
        return lines
    return [*_step_lines(metric, run, smoothing), *lines[1:]]


def _step_lines(metric: Metric, run: RunCurves, smoothing: float) -> list[Curve]:
    """The first line of a chart, step by step; the loss averaged, before it the losses as they are."""
    xs = [point.epoch for point in run.points]
    if metric == "learning rate":
        return [Curve("rate", "train", xs, [point.learning_rate for point in run.points])]
    losses = [point.loss for point in run.points]
    raw = [Curve("steps", "raw", xs, losses)] if smoothing else []
    return [*raw, Curve("train", "train", xs, smooth(xs, losses, smoothing))]


def _per_epoch(label: str, role: Role, run: RunCurves, metric: metrics.Metric) -> Curve:
    points = [(float(row.epoch), y) for row in run.rows if (y := metric.scaled(row)) is not None]
    return Curve(label, role, [x for x, _ in points], [y for _, y in points])


def unit_text(metric: Metric, value: float, plain: Callable[[float], str]) -> str:
    """A value with the unit of its chart: percent with two digits, other numbers as `plain` writes them."""
    return f"{value:.2f}%" if CHARTS[metric].unit == "%" else plain(value)


def smooth(xs: Sequence[float], ys: Sequence[float], epochs: float) -> list[float]:
    """An exponential moving average in which a value `epochs` ago counts 1/e of the newest; 0 averages nothing.

    Without the pull to its start, as TensorBoard smooths. What is not finite stays, and the average goes on over it.
    """
    if epochs <= 0:
        return list(ys)
    smoothed, average, total, previous_x = [], 0.0, 0.0, xs[0] if xs else 0.0
    for x, y in zip(xs, ys, strict=True):
        if not math.isfinite(y):
            smoothed.append(y)
            continue
        weight = math.exp((previous_x - x) / epochs)
        average, total, previous_x = weight * average + y, weight * total + 1, x
        smoothed.append(average / total)
    return smoothed


def quantile_band(curve: Curve, edges: Sequence[float]) -> list[tuple[float, float] | None]:
    """Between two edges each, in which most values lie: the 10 % and the 90 % quantile; None without five values."""
    bands: list[tuple[float, float] | None] = []
    for low, high in pairwise(edges):
        values = sorted(curve.ys[bisect_left(curve.xs, low) : bisect_left(curve.xs, high)])
        values = [value for value in values if math.isfinite(value)]
        last = len(values) - 1
        bands.append((values[round(0.1 * last)], values[round(0.9 * last)]) if last >= 4 else None)
    return bands


def limits(metric: Metric, lines: Sequence[Curve], log_y: bool, target: float | None = None) -> tuple[float, float]:
    """The lowest and highest value to draw, as `axes.limits`; the values that a smoothed line averages do not count."""
    values = [line.ys for line in lines if line.role != "raw"]
    return axes.limits(values, log_y, target, is_accuracy=metric == "accuracy")
