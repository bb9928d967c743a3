"""The curves of several runs over each other: a colour and a marker each, the seeds thin, their mean on top."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from rich.style import Style
from rich.text import Text
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from mnist_tui.analysis.axes import ticks
from mnist_tui.analysis.comparison import Arm
from mnist_tui.analysis.palette import colour, marker
from mnist_tui.runs import metrics
from mnist_tui.runs.metrics import Metric
from mnist_tui.text import cell_width, fitted
from mnist_tui.tui.charts.canvas import Canvas, Frame, with_axis
from mnist_tui.tui.charts.curves import Curve, limits
from mnist_tui.tui.charts.plot import epoch_axis

AXIS = 9
"""Cells of the axis at the left."""
COMPARED = metrics.comparable()
"""The metrics that can be drawn, by their names: on the test images, but for the gap and what has no images."""

Points = tuple[list[float], list[float]]


@dataclass(frozen=True)
class Lines:
    """The curves of an arm: one for each seed, and their mean where there are several."""

    label: str
    color: int
    seeds: Sequence[Points]
    mean: Points

    def at(self, epoch: float) -> float | None:
        """The mean in an epoch; None where no run of the arm has it."""
        xs, ys = self.mean
        index = bisect_left(xs, epoch)
        return ys[index] if index < len(xs) and xs[index] == epoch else None


def lines_of(arms: Sequence[tuple[int, Arm]], what: str) -> list[Lines]:
    """The curves of the arms in one of `COMPARED`; epochs without a value are left out."""
    return [Lines(arm.label, color, *_points(arm, COMPARED[what])) for color, arm in arms]


def _points(arm: Arm, metric: Metric) -> tuple[list[Points], Points]:
    """The points of each seed, and of their mean."""
    seeds: list[Points] = []
    by_epoch: dict[float, list[float]] = {}
    for run in arm.runs:
        points = metrics.points_of(run.rows, metric)
        seeds.append(([x for x, _ in points], [y for _, y in points]))
        for x, y in points:
            by_epoch.setdefault(x, []).append(y)
    epochs = sorted(by_epoch)
    return seeds, (epochs, [fmean(by_epoch[epoch]) for epoch in epochs])


class Overlay(Widget):
    """The canvas with a cursor; the exact values under it are in `legend`."""

    DEFAULT_CSS = "Overlay { height: 1fr; width: 1fr; min-height: 4; }"

    class Moved(Message):
        """The cursor is on another epoch."""

    class Resized(Message):
        """The canvas has another size."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self.ascii_only = ascii_only
        self.what = next(iter(COMPARED))
        self.lines: Sequence[Lines] = ()
        self.log_y = False
        self.cursor = 0.0

    @property
    def last_epoch(self) -> float:
        """The last that any run has."""
        return max((xs[-1] for lines in self.lines if (xs := lines.mean[0])), default=1.0)

    def show(self, lines: Sequence[Lines], what: str) -> None:
        """Draws other curves; the cursor stays inside them."""
        self.lines, self.what = lines, what
        self.cursor = (min(self.cursor, self.last_epoch) or self.last_epoch) if lines else 0.0
        self.refresh()

    def move(self, epochs: int) -> None:
        """The cursor by whole epochs."""
        self.cursor = max(1.0, min(self.last_epoch, self.cursor + epochs))
        self.refresh()
        self.post_message(self.Moved())

    def legend(self, width: int) -> Text:
        """Every arm with its marker, and its value under the cursor, in lines of `width` cells."""
        text = Text(f" {self.what}, epoch {self.cursor:g}", "bold", no_wrap=True)
        used = text.cell_len
        for lines in self.lines:
            y = lines.at(self.cursor)
            is_percent = COMPARED[self.what].unit in ("%", "points")
            value = "-" if y is None else f"{y:.2f}%" if is_percent else f"{y:.4g}"
            sign = marker(lines.color, self.ascii_only)
            label = fitted(lines.label, min(cell_width(lines.label), max(8, width - cell_width(f"   {sign}  {value}"))))
            part = f"{sign} {label} {value}"
            is_beside = used + 2 + cell_width(part) <= width
            text.append("  " if is_beside else "\n ").append(part, self._style(lines.color))
            used = (used + 2 if is_beside else 1) + cell_width(part)
        return text

    def _style(self, color: int, dim: bool = False) -> Style:
        return Style(color=colour(color, self.app.current_theme.dark), dim=dim)

    def frame(self) -> Frame | None:
        """What is seen; None where there is no room."""
        width, height = self.size.width - AXIS, self.size.height - 1
        if width < 4 or height < 2:
            return None
        curves = [Curve(lines.label, "test", *points) for lines in self.lines for points in lines.seeds if points[0]]
        low, high = limits("accuracy" if self.what == "accuracy" else "loss", curves, self.log_y)
        # Curves begin with the first epoch; a single one needs an axis around it.
        first = 1.0 if self.last_epoch > 1 else 0.0
        return Frame(width, height, first, max(1.0, self.last_epoch), low, high, self.log_y)

    def render(self) -> Text:
        frame = self.frame()
        if frame is None or not self.lines:
            return Text("")
        canvas = Canvas(frame)
        for lines in self.lines:
            if len(lines.seeds) > 1:
                for xs, ys in lines.seeds:
                    canvas.draw(xs, ys, self._style(lines.color, dim=True), "." if self.ascii_only else None)
        for lines in self.lines:
            self._draw(canvas, frame, lines)
        muted = Style(dim=True)
        canvas.line_at(self.cursor, "|" if self.ascii_only else "│", muted)
        axis = ticks(frame.low_y, frame.high_y, max(2, frame.height // 3), self.log_y)
        return Text("\n").join([*with_axis(canvas.lines(), frame, axis, muted, AXIS), epoch_axis(frame, muted)])

    def _draw(self, canvas: Canvas, frame: Frame, lines: Lines) -> None:
        xs, ys = lines.mean
        style, sign = self._style(lines.color), marker(lines.color, self.ascii_only)
        canvas.draw(xs, ys, style, sign if self.ascii_only else None)
        every = max(1, 6 * len(xs) // max(1, frame.width))
        for index in range(lines.color % every, len(xs), every):
            canvas.mark(xs[index], ys[index], sign, style)

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    def on_click(self, event: Click) -> None:
        frame = self.frame()
        if frame is not None and event.x >= AXIS:
            self.cursor = float(max(1, round(frame.x_at(event.x - AXIS))))
            self.refresh()
            self.post_message(self.Moved())
