"""A live chart of one metric, drawn by plotext, as seldom as it must be."""

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from mnist_tui.tui.curves import Curve, Metric, Role, limits, number, thin, ticks

if TYPE_CHECKING:
    from textual_plotext.plot import Plot

MIN_SECONDS = 0.25
"""Between two drawings."""
SHARE = 0.02
"""Of the event loop's time that drawing one chart may take."""
MAX_SECONDS = 2.0
SMALLEST = (18, 6)
"""Columns and rows below which the last values stand in words."""

COLOURS: dict[Role, str] = {
    "train": "primary",
    "test": "secondary",
    "val": "accent",
    "raw": "foreground-disabled",
    "band": "warning-muted",
    "pinned": "foreground-muted",
}
"""The theme's colour of each role."""

POINTS: dict[Role, tuple[str, str]] = {
    "train": ("", "."),
    "test": ("●", "o"),
    "val": ("✕", "x"),
    "raw": ("", "'"),
    "band": ("", "-"),
    "pinned": ("◇", "+"),
}
"""The marker at the points of each role, with and without Unicode; "" draws a thin line alone."""


class Chart(Widget):
    """Curves of a metric over the epochs, with a legend, the best epoch and changes of the rate marked."""

    DEFAULT_CSS = "Chart { width: 1fr; height: 1fr; }"
    can_focus = False

    class Zoom(Message):
        """Somebody wants the metric on the whole screen."""

        def __init__(self, metric: Metric) -> None:
            super().__init__()
            self.metric = metric

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, metric: Metric, ascii_only: bool, id: str, log_y: bool = False) -> None:  # noqa: A002
        super().__init__(id=id)
        self.metric = metric
        self.ascii_only = ascii_only
        self.log_y = log_y
        self._lines: Sequence[Curve] = ()
        self._marks: Sequence[float] = ()
        self._best: int | None = None
        self._x_max = 1.0
        self._drawing = Text()
        self._drawn_size = (-1, -1)
        self._drawn_at = 0.0
        self._cost = 0.0
        self._is_waiting = False
        self._figure: Plot | None = None

    def show(self, lines: Sequence[Curve], marks: Sequence[float], best: int | None, x_max: float) -> None:
        """Takes new curves; they are drawn when it is time, and only where they are seen."""
        self._lines, self._marks, self._best, self._x_max = lines, marks, best, max(1.0, x_max)
        if not self._is_waiting and self.is_attached:
            self._is_waiting = True
            pause = min(MAX_SECONDS, max(MIN_SECONDS, self._cost / SHARE))
            self.set_timer(max(0.001, self._drawn_at + pause - time.monotonic()), self._draw)

    def toggle_log(self) -> None:
        """A logarithmic axis, or a linear one."""
        self.log_y = not self.log_y
        self._draw()

    def on_click(self, event: Click) -> None:
        event.stop()
        self.post_message(self.Zoom(self.metric))

    def _draw(self) -> None:
        self._is_waiting = False
        if self.size.area and self.is_on_screen:
            self._drawn_size = (-1, -1)
            self.refresh()

    def render(self) -> Text:
        size = (self.size.width, self.size.height)
        if size != self._drawn_size:
            started = time.monotonic()
            self._drawing = self._built(*size)
            self._drawn_size = size
            self._drawn_at = time.monotonic()
            self._cost = self._drawn_at - started
        return self._drawing

    def _built(self, width: int, height: int) -> Text:
        legend = self._legend(width)
        if width < SMALLEST[0] or height < SMALLEST[1] or not self._lines:
            return legend
        plot = self._plot
        plot.clear_figure()
        plot.plotsize(width, height - 1)
        plot._set_size(width, height - 1)  # textual-plotext does the same: plotsize alone forgets it.
        plot.canvas_color("default")
        plot.axes_color("default")
        plot.ticks_color(self._rgb("foreground-muted"))
        plot.frame(False)
        plot.xaxes(True, False) if not self.ascii_only else None
        self._draw_axes(width, height - 1)
        self._draw_lines(width)
        drawn = Text.from_ansi(plot.build())
        drawn.no_wrap = True
        return Text("\n").join([legend, drawn])

    @property
    def _plot(self) -> "Plot":
        """A figure of its own: plotext has one for the whole process, textual-plotext one for each widget."""
        if self._figure is None:
            from textual_plotext.plot import Plot  # 15 ms, which the first frame does not wait for.

            self._figure = Plot()
        return self._figure

    def _draw_axes(self, width: int, height: int) -> None:
        plot = self._plot
        low, high = limits(self.metric, self._lines, self.log_y)
        plot.xlim(0, self._x_max)
        plot.ylim(self._y(low), self._y(high))
        y_ticks = ticks(low, high, max(2, height // 3), self.log_y) or [low, high]
        plot.yticks([self._y(tick) for tick in y_ticks], [number(tick) for tick in y_ticks])
        x_ticks = [tick for tick in ticks(0, self._x_max, max(2, width // 8), False) if tick == int(tick)]
        plot.xticks(x_ticks, [f"{tick:.0f}" for tick in x_ticks])
        for mark in self._marks:
            plot.vline(mark, self._rgb("accent"))

    def _y(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.log_y else value

    def _draw_lines(self, width: int) -> None:
        for line in self._lines:
            xs, ys = thin(line.xs, line.ys, width)
            finite = [(x, self._y(y)) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
            if not finite:
                continue
            xs, ys = [x for x, _ in finite], [y for _, y in finite]
            colour, point = self._rgb(COLOURS[line.role]), POINTS[line.role][self.ascii_only]
            if not self.ascii_only and line.role != "pinned":
                self._plot.plot(xs, ys, marker="braille", color=colour)
            if point:
                every = max(1, 3 * len(xs) // width)
                self._plot.scatter(xs[::every], ys[::every], marker=point, color=colour)
            if line.role == "test" and self._best is not None and self._best in line.xs:
                at = list(line.xs).index(self._best)
                self._plot.scatter([self._best], [self._y(line.ys[at])], marker="*", color=self._rgb("foreground"))

    def _rgb(self, name: str) -> tuple[int, int, int]:
        from textual.color import Color

        text = self.app.theme_variables.get(name, "#808080")
        colour = Color.parse(text.split(" ")[0]) if not text.startswith("auto") else Color.parse("#808080")
        return colour.rgb

    def _legend(self, width: int) -> Text:
        """The metric, and every line with its marker and its last value."""
        legend = Text(f" {self.metric}{' (log)' if self.log_y else ''}", "bold", no_wrap=True, overflow="ellipsis")
        for line in self._lines:
            if line.role in ("raw", "band"):
                continue
            marker = POINTS[line.role][self.ascii_only] or "─"
            unit = "%" if self.metric == "accuracy" else ""
            value = f"{line.ys[-1]:.2f}{unit}" if unit else number(line.ys[-1])
            red, green, blue = self._rgb(COLOURS[line.role])
            legend.append(f"  {marker} {line.label} {value}", f"not bold rgb({red},{green},{blue})")
        if self._best is not None:
            legend.append(f"  * best {self._best}", "not bold")
        legend.truncate(width)
        return legend
