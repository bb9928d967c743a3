"""A plot of a metric over the epochs: curves, axes, target, best epoch, cursor. Every chart uses it."""

import math
import time
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.color import Color
from rich.style import Style, StyleType
from rich.text import Text
from textual.widget import Widget

from mnist_tui.analysis.axes import number, thin, ticks
from mnist_tui.runs.events import accuracies_of
from mnist_tui.runs.metrics import CHARTS
from mnist_tui.spec.recipe import Target
from mnist_tui.tui.charts.canvas import Canvas, Frame, axis_below, with_axis
from mnist_tui.tui.charts.curves import (
    Curve,
    Metric,
    Role,
    curves_of,
    limits,
    quantile_band,
    unit_text,
)
from mnist_tui.tui.charts.run_curves import RunCurves, SeedGroup
from mnist_tui.tui.themes import rgb

AXIS = 7
"""Cells of the axis at the left."""
SMALLEST = (18, 3)
"""Columns and rows below which only the legend is drawn."""

COLOURS: dict[Role, str] = {
    "train": "primary",
    "test": "secondary",
    "val": "accent",
    "weights": "secondary",
    "raw": "chart-band",
    "seed": "chart-seed",
    "pinned": "foreground-muted",
}
"""The theme's colour of each role."""

POINTS: dict[Role, tuple[str, str]] = {
    "train": ("", "."),
    "test": ("●", "o"),
    "val": ("✕", "x"),
    "weights": ("◆", "#"),
    "raw": ("", ":"),
    "seed": ("○", "'"),
    "pinned": ("◇", "+"),
}
"""The marker at the points of each role, with and without Unicode; "" draws a thin line alone."""


@dataclass(frozen=True)
class Picture:
    """The content of a plot."""

    lines: Sequence[Curve] = ()
    marks: Sequence[float] = ()
    """Where the learning rate was changed by hand, in epochs done."""
    best: int | None = None
    """The best epoch."""
    x_max: float = 1.0
    target: float | None = None
    """The target value, in the metric's unit."""
    judged: tuple[float, float] | None = None
    """First and last epoch in which the target must hold."""
    key: object = None
    """Equal for pictures that look the same."""


def picture_of(
    metric: Metric, group: SeedGroup, pinned: RunCurves | None, smoothing: float, target: Target | None
) -> Picture:
    """The picture of a metric: the runs of a group, a pinned run, and the target of the newest run."""
    run = group.runs[-1] if group.runs else None
    target_accuracy = target.test_accuracy if target and metric == "accuracy" else None
    held_for = target.last_epochs if target and target_accuracy is not None else None
    x_max = float(_axis_end(run) if run else len(pinned.rows) if pinned else 1)
    planned = float(run.planned_epochs if run else x_max)
    marks = [x for x, _ in run.marks] if run else []
    steps = len(run.points) if run and CHARTS[metric].has_steps else 0
    return Picture(
        lines=curves_of(metric, group, pinned, smoothing),
        marks=marks,
        best=run.best.epoch if run and run.best else None,
        x_max=x_max,
        target=None if target_accuracy is None else 100 * target_accuracy,
        judged=(planned - held_for + 0.5, planned) if held_for else None,
        key=(
            run and run.run,
            x_max,
            steps,
            _epochs_of(group),
            *marks,
            pinned and pinned.run,
            smoothing,
            target_accuracy,
            held_for,
        ),
    )


def _axis_end(run: RunCurves) -> int:
    """The last epoch of the axis, which doubles while the run trains, up to its number of epochs."""
    if run.ended is not None or run.started is None:
        return run.planned_epochs
    return int(min(run.planned_epochs, 2 ** math.ceil(math.log2(max(2.0, 2 * run.epochs_done)))))


def _epochs_of(group: SeedGroup) -> tuple[tuple[int, float], ...]:
    """A key that changes with every epoch, and if an epoch is trained again after a resume."""
    return tuple((len(run.rows), sum(accuracies_of(run.rows))) for run in group.runs)


@dataclass(frozen=True)
class View:
    """The visible part of a picture, and its axis."""

    metric: Metric = "loss"
    log_y: bool = False
    low_x: float = 0.0
    high_x: float = 1.0
    cursor: float | None = None
    """The epoch that exact values are read at."""


@dataclass(frozen=True)
class Drawing:
    """A picture and a view of it, in a terminal's cells and a theme's colours."""

    picture: Picture
    view: View
    width: int
    height: int
    ascii_only: bool
    colours: Mapping[str, str]

    def text(self) -> Text:
        """The plot, its epochs in the last row; nothing where there is no room."""
        frame = self.frame()
        if frame is None:
            return Text()
        if not self.picture.lines:
            return Text(f"  {self._why_empty()}"[: self.width], self.style("foreground-muted"))
        canvas = Canvas(frame)
        self._draw_grounds(canvas, frame)
        for line in self.picture.lines:
            if line.role != "raw":
                self._draw_line(canvas, frame, line)
        self._draw_clipped(canvas, frame)
        for mark in self.picture.marks:
            canvas.line_at(mark, "|" if self.ascii_only else "┊", self.style("accent"))
        if self.view.cursor is not None:
            canvas.line_at(self.view.cursor, "|" if self.ascii_only else "│", self.style("foreground"))
        if self.picture.target is not None:
            canvas.level(self.picture.target, "-" if self.ascii_only else "╌", self.style("foreground-muted"))
        muted = self.style("foreground-muted")
        lines = with_axis(canvas.lines(), frame, self._ticks(frame), muted, AXIS)
        return Text("\n").join([*lines, epoch_axis(frame, self.style("foreground-muted"))])

    def _why_empty(self) -> str:
        if self.picture.best is not None:  # Of an epoch that has other metrics.
            return "not measured in this run"
        return "no step yet" if CHARTS[self.view.metric].has_steps else "no epoch yet"

    def frame(self) -> Frame | None:
        """The visible part of the data; None where there is no room."""
        width, height = self.width - AXIS, self.height - 1
        if self.width < SMALLEST[0] or height < SMALLEST[1] - 1:
            return None
        visible = [self._inside(line, beyond=0) for line in self.picture.lines]
        lines = [line for line in visible if line.xs] or self.picture.lines
        low, high = limits(self.view.metric, lines, self.view.log_y, self.picture.target)
        return Frame(width, height, self.view.low_x, self.view.high_x, low, high, self.view.log_y)

    def _ticks(self, frame: Frame) -> list[float]:
        positions = ticks(frame.low_y, frame.high_y, max(2, frame.height // 3), self.view.log_y)
        target = self.picture.target
        if target is None or not frame.low_y <= target <= frame.high_y:
            return positions
        near = {frame.row(target) // 4 + offset for offset in (-1, 0, 1)}
        return [*(tick for tick in positions if frame.row(tick) // 4 not in near), target]

    def _inside(self, line: Curve, beyond: int = 1) -> Curve:
        """The visible part of a line, and `beyond` points outside either edge, up to which it is drawn."""
        first = max(0, bisect_left(line.xs, self.view.low_x) - beyond)
        last = bisect_right(line.xs, self.view.high_x) + beyond
        return replace(line, xs=line.xs[first:last], ys=line.ys[first:last])

    def _draw_grounds(self, canvas: Canvas, frame: Frame) -> None:
        """Shades the epochs in which the target must hold, and where most step losses lie."""
        if self.picture.judged is not None and not self.ascii_only:
            canvas.shade_columns(*self.picture.judged, self._colour("chart-judged"))
        for line in self.picture.lines:
            if line.role == "raw":
                edges = [frame.x_at(column) for column in range(frame.width + 1)]
                for column, band in enumerate(quantile_band(line, edges)):
                    if band is not None and not self.ascii_only:
                        canvas.shade_band(column, *band, self._colour(COLOURS["raw"]))

    def _draw_line(self, canvas: Canvas, frame: Frame, line: Curve) -> None:
        style = self.style(COLOURS[line.role])
        visible = self._inside(line)
        xs, ys = thin(visible.xs, visible.ys, 2 * frame.width)
        point = POINTS[line.role][self.ascii_only]
        if line.role != "pinned" or self.ascii_only:
            canvas.draw(xs, ys, style, point or "." if self.ascii_only else None)
        if point:
            every = max(1, 3 * len(xs) // frame.width)
            for x, y in list(zip(xs, ys, strict=True))[::-every]:  # From the newest, which is always marked.
                canvas.mark(x, y, point, style)
        if line.role == "test" and self.picture.best is not None and self.picture.best in xs:
            canvas.mark(self.picture.best, ys[xs.index(self.picture.best)], "*", self.style("foreground"))

    def _draw_clipped(self, canvas: Canvas, frame: Frame) -> None:
        """Marks points below the visible range, so that they are not missed."""
        for line in self.picture.lines:
            visible = self._inside(line, beyond=0)
            for x, y in zip(visible.xs, visible.ys, strict=True):
                if line.role in ("train", "test", "val") and math.isfinite(y) and y < frame.low_y:
                    canvas.mark(x, frame.low_y, "v" if self.ascii_only else "▾", self.style(COLOURS[line.role]))

    def style(self, name: str) -> Style:
        """The theme's colour of a name, as a foreground."""
        return Style(color=self._colour(name))

    def _colour(self, name: str) -> Color:
        return Color.from_rgb(*rgb(self.colours, name))

    # --- words ---

    def legend(self) -> Text:
        """The last values, the test value first, since the end may be cut; then the best epoch and the seeds."""
        text = Text(" ", no_wrap=True)
        order = ("test", "val", "train", "weights", "pinned")
        lines = [line for role in order for line in self.picture.lines if line.role == role]
        for line in lines[:1]:
            self._append_value(text, line)
        text.append(f"  {self.view.metric}{' (log)' if self.view.log_y else ''}", "bold")
        for line in lines[1:]:
            self._append_value(text, line)
        if self.picture.best is not None:
            text.append(f"  * best {self.picture.best}")
        if seeds := sum(line.role == "seed" for line in self.picture.lines):
            style = self.style(COLOURS["seed"])
            text.append(f"  {POINTS['seed'][self.ascii_only]} {seeds} earlier seed{'s' if seeds > 1 else ''}", style)
        text.truncate(self.width, overflow="crop" if self.ascii_only else "ellipsis")
        return text

    def _append_value(self, text: Text, line: Curve) -> None:
        marker = POINTS[line.role][self.ascii_only] or "─"
        gap = "" if text.cell_len == 1 else "  "
        text.append(f"{gap}{marker} {line.label} {self.shown(line.ys[-1])}", self.style(COLOURS[line.role]))

    def shown(self, value: float) -> str:
        """A value with its unit, short."""
        return unit_text(self.view.metric, value, number)


class Plot(Widget):
    """Draws a picture; its owner draws the more seldom, the higher `cost` is."""

    DEFAULT_CSS = "Plot { width: 1fr; height: 1fr; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, metric: Metric, ascii_only: bool, log_y: bool = False) -> None:
        super().__init__()
        self.ascii_only = ascii_only
        self.picture = Picture()
        self.view = View(metric, log_y)
        self.cost = 0.0
        """Seconds of computing that the last drawing took."""

    def drawing(self) -> Drawing:
        """The drawing for the size of the widget."""
        size = self.size
        return Drawing(self.picture, self.view, size.width, size.height, self.ascii_only, self.app.theme_variables)

    def show(self, picture: Picture, **view: object) -> None:
        """Draws another picture, or another part of it: the fields of `View`."""
        self.picture = picture
        self.view = replace(self.view, **view)  # type: ignore[arg-type]
        self.refresh()

    def render(self) -> Text:
        started = time.thread_time()
        drawn = self.drawing().text()
        self.cost = time.thread_time() - started
        return drawn


def epoch_axis(frame: Frame, style: StyleType) -> Text:
    """The line below a plot: whole epochs, or fractions if fewer than two are visible."""
    positions = ticks(frame.low_x, frame.high_x, max(2, frame.width // 8), False)
    whole = [tick for tick in positions if tick == int(tick)]
    labels = {tick: f"{tick:g}" for tick in (whole if len(whole) > 1 else positions)}
    return axis_below(frame, labels, "epoch", style, AXIS)
