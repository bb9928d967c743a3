"""The curves of runs as SVG: accuracy or loss over the epochs, of one run, several, or the seeds of one recipe."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from xml.etree.ElementTree import Element

from mnist_tui.analysis import axes
from mnist_tui.analysis.comparison import Arm
from mnist_tui.analysis.palette import COLOURS
from mnist_tui.report import svg
from mnist_tui.report.svg_chart import LINE, Axes, LegendEntry, clipped, draw_axes, draw_legend, labelled, legend_rows
from mnist_tui.runs import metrics
from mnist_tui.runs.metrics import CHARTS, ChartName, Metric
from mnist_tui.text import fitted

WIDTH, PLOT_HEIGHT = 720.0, 260.0
"""Size in user units, without legend and axis; a page may show it at any size."""
LEFT, RIGHT, BELOW = 58.0, 18.0, 44.0
"""Room beside and below the axes."""
MAX_ARMS = 12
"""Runs or groups of seeds that are drawn; more cannot be told apart."""
MAX_ALL_LINES = 3
"""Up to so many of them, training and validation are drawn too, else the test images alone."""
MARKS = 22
"""At most so many markers on a line."""
LOG_ROOM = 1.1
"""A logarithmic axis ends by this factor beyond its values."""
ACCURACY_ROOM = 0.1
"""Percentage points between the target and the edge."""
LABEL = 40
"""Characters of a name in the legend."""

DASHES: Mapping[str, str] = {"train": "f-curve f-thin f-dashed", "val": "f-curve f-thin f-dotted"}
"""How the lines beside the main one differ from it, also without colours."""


@dataclass(frozen=True)
class _Line:
    """A metric of an arm: the mean over its seeds in each epoch, and the range of the seeds."""

    arm: Arm
    metric: Metric
    color: int
    has_marks: bool
    """Whether it has the arm's markers; its metric is then the main one of the chart."""
    points: Sequence[tuple[float, float]]
    """Epoch and value; NaN where no run has a finite one, which interrupts the line."""
    band: Sequence[tuple[float, float, float]]
    """Epoch, lowest and highest value, where two seeds or more have the epoch."""

    @property
    def known(self) -> list[tuple[float, float]]:
        """Its points that can be drawn."""
        return [point for point in self.points if math.isfinite(point[1])]

    @property
    def style(self) -> str:
        """The classes of its line."""
        return f"{DASHES.get(self.metric.role or '', 'f-curve')} f-stroke{self.color % len(COLOURS)}"

    @property
    def shape(self) -> str:
        """The shape of its markers."""
        return svg.SHAPES[self.color % len(svg.SHAPES)]

    @property
    def fill(self) -> str:
        """The class of its markers and its band."""
        return f"f-fill{self.color % len(COLOURS)}"


def curves_svg(arms: Sequence[Arm], chart: ChartName = "accuracy", target: float | None = None) -> str:
    """A chart of `arms` over the epochs as a standalone SVG; of more than `MAX_ARMS` the first ones.

    Of up to `MAX_ALL_LINES` arms it has the lines of training, validation and test; of more the test images alone. A
    group of seeds is its mean, with a band from the lowest to the highest. A single run's best epoch has a ring.
    `target` is an accuracy as a fraction; it is drawn in the chart of accuracies. The loss has a logarithmic axis.
    """
    lines = _lines(arms[:MAX_ARMS], chart)
    goal = 100 * target if target is not None and chart == "accuracy" else None
    rows = legend_rows(_legend(lines, arms, goal), WIDTH - LEFT - RIGHT)
    top = 40 + LINE * len(rows)
    title = f"{chart.capitalize()} over the epochs"
    height = top + PLOT_HEIGHT + BELOW if lines else 2 * LINE
    root = svg.figure(title, _description(lines, arms, goal), WIDTH, height)
    if not lines:
        svg.write(root, RIGHT, 1.2 * LINE, "no epoch was finished", "f-muted")
        return svg.as_text(root)
    draw_legend(root, rows, LEFT, 10)
    plot = _axes(lines, chart, goal, top)
    unit = f", {CHARTS[chart].unit}" if CHARTS[chart].unit else ""
    _draw_axes(root, plot, f"{chart}{unit}")
    inside = clipped(root, plot)
    for line in lines:
        _draw_band(inside, plot, line)
    if goal is not None:
        svg.draw(inside, [(plot.left, plot.y(goal)), (plot.left + plot.width, plot.y(goal))], "f-target f-dashed")
    for line in lines:
        _draw_line(inside, plot, line)
    for line in lines:
        if line.has_marks or len(line.known) == 1:  # A line of one point is not seen.
            _draw_marks(root, plot, line)
    return svg.as_text(root)


# --- lines ---


def _lines(arms: Sequence[Arm], chart: ChartName) -> list[_Line]:
    """The lines of a chart, those drawn last on top; those without a point are left out."""
    main = metrics.main_line(chart)
    beside = [each for each in metrics.lines_of(chart) if each is not main] if len(arms) <= MAX_ALL_LINES else []
    lines = [_line(arm, metric, color, main) for metric in (*beside, main) for color, arm in enumerate(arms)]
    return [line for line in lines if line.known]


def _line(arm: Arm, metric: Metric, color: int, main: Metric) -> _Line:
    by_epoch: dict[int, list[float]] = {}
    for run in arm.runs:
        for row in run.rows:
            if (value := metric.scaled(row)) is not None:
                by_epoch.setdefault(row.epoch, []).extend([value] if math.isfinite(value) else [])
    values = sorted(by_epoch.items())
    points = [(float(epoch), fmean(numbers) if numbers else math.nan) for epoch, numbers in values]
    band = [(float(epoch), min(numbers), max(numbers)) for epoch, numbers in values if len(numbers) > 1]
    return _Line(arm, metric, color, metric is main, points, band)


def _axes(lines: Sequence[_Line], chart: ChartName, goal: float | None, top: float) -> Axes:
    is_log = CHARTS[chart].is_log and any(y > 0 for line in lines for _, y in line.points)
    values = [[y for _, y in line.points] for line in lines]
    ranges = [[y for _, low, high in line.band for y in (low, high)] for line in lines]
    low, high = axes.limits([*values, *ranges], is_log, goal, is_accuracy=chart == "accuracy")
    low, high = (low / LOG_ROOM, high * LOG_ROOM) if is_log else (low, high)
    low = low if goal is None else min(low, goal - ACCURACY_ROOM)
    epochs = [x for line in lines for x, _ in line.points]
    # A single epoch needs an axis around it.
    first, last = (min(epochs), max(epochs)) if max(epochs) > min(epochs) else (min(epochs) - 1, max(epochs) + 1)
    return Axes(LEFT, top, WIDTH - LEFT - RIGHT, PLOT_HEIGHT, first, last, low, high, log_y=is_log)


def _draw_axes(root: Element, plot: Axes, name: str) -> None:
    epochs = [tick for tick in axes.ticks(plot.low_x, plot.high_x, 10, False) if tick == int(tick)]
    if epochs and plot.x(epochs[0]) - plot.left > 24:
        epochs = [plot.low_x, *epochs]
    values = axes.ticks(plot.low_y, plot.high_y, 6, plot.log_y)
    draw_axes(root, plot, labelled(epochs), labelled(values, plot.log_y), "epoch", name)


def _draw_band(parent: Element, plot: Axes, line: _Line) -> None:
    if not line.has_marks or not line.band:
        return
    edge = [(x, high) for x, _, high in line.band] + [(x, low) for x, low, _ in reversed(line.band)]
    points = [(plot.x(x), plot.y(y)) for x, y in edge if math.isfinite(plot.y(y))]
    svg.draw(parent, points, f"f-band {line.fill}")


def _draw_line(parent: Element, plot: Axes, line: _Line) -> None:
    xs, ys = axes.thin([x for x, _ in line.points], [y for _, y in line.points], int(plot.width))
    svg.draw(parent, [(plot.x(x), plot.y(y)) for x, y in zip(xs, ys, strict=True)], line.style)


def _draw_marks(parent: Element, plot: Axes, line: _Line) -> None:
    """The markers of a line, and the ring around the best epoch."""
    every = -(-len(line.points) // MARKS)
    for x, y in line.points[::-every]:  # From the newest, which is always marked.
        if plot.low_y <= y <= plot.high_y:
            svg.mark(parent, line.shape, plot.x(x), plot.y(y), line.fill)
    if (best := _best(line)) is not None and plot.low_y <= best[1] <= plot.high_y:
        svg.mark(parent, "circle", plot.x(best[0]), plot.y(best[1]), f"f-ring f-stroke{line.color % len(COLOURS)}", 7)


def _best(line: _Line) -> tuple[float, float] | None:
    """The best epoch of a single run and its value; None for other lines."""
    if len(line.arm.runs) != 1 or not line.has_marks or line.metric.role != "test":
        return None
    epoch = line.arm.runs[0].best_epoch
    return next(((x, y) for x, y in line.points if x == epoch), None)


# --- words ---


def _legend(lines: Sequence[_Line], arms: Sequence[Arm], goal: float | None) -> list[LegendEntry]:
    """The arms first, then how the other lines differ, the target, and how many arms are not drawn."""
    main = [line for line in lines if line.has_marks]
    entries = [LegendEntry(_name(line), line.style, line.shape, line.fill) for line in main]
    beside = {line.metric.role: line for line in lines if not line.has_marks}
    for role, line in beside.items():
        color = f" f-stroke{line.color}" if len(arms) == 1 else " f-axis"
        entries.append(LegendEntry(line.metric.line or str(role), f"{DASHES.get(role or '', 'f-curve')}{color}"))
    if goal is not None:
        entries.append(LegendEntry(f"target {goal:.4g}%", "f-target f-dashed"))
    if any(_best(line) for line in main):
        entries.append(LegendEntry("best epoch", "", "circle", "f-ring f-axis"))
    if len(arms) > MAX_ARMS:
        entries.append(LegendEntry(f"and {len(arms) - MAX_ARMS} more, not drawn"))
    return entries


def _name(line: _Line) -> str:
    seeds = f", {len(line.arm.runs)} seeds" if len(line.arm.runs) > 1 else ""
    what = f", {line.metric.role}" if line.metric.role == "test" else ""
    return fitted(line.arm.label, LABEL).rstrip() + what + seeds


def _description(lines: Sequence[_Line], arms: Sequence[Arm], goal: float | None) -> str:
    """What the chart says, in sentences."""
    sentences = [_sentence(line) for line in lines if line.has_marks] or ["No epoch was finished."]
    if goal is not None:
        sentences.append(f"The target is {goal:.4g}%.")
    if len(arms) > MAX_ARMS:
        sentences.append(f"{len(arms) - MAX_ARMS} more are not drawn.")
    return " ".join(sentences)


def _sentence(line: _Line) -> str:
    (first, start), (last, end) = line.known[0], line.known[-1]
    text = f"{_name(line)}: {_value(line, start)} in epoch {first:g}, {_value(line, end)} in epoch {last:g}"
    best = _best(line)
    return text + (f", {_value(line, best[1])} in the best epoch, {best[0]:g}." if best else ".")


def _value(line: _Line, value: float) -> str:
    return f"{value:.2f}%" if line.metric.unit == "%" else axes.number(value)
