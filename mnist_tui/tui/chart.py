"""A live chart of one metric, drawn by plotext: as seldom as it must be, and not on the screen's own thread."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from mnist_tui.text import clean_line
from mnist_tui.tui.bench import Bench
from mnist_tui.tui.curves import Curve, Metric, Role, limits, number, thin, ticks
from mnist_tui.tui.themes import rgb

if TYPE_CHECKING:
    from textual_plotext.plot import Plot

MIN_SECONDS = 0.25
"""Between two drawings."""
SHARE = 0.02
"""Of the time that drawing one chart may take, since the run pays for it."""
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
    "band": ("╌", "-"),
    "pinned": ("◇", "+"),
}
"""The marker at the points of each role, with and without Unicode; "" draws a thin line alone."""


@dataclass(frozen=True)
class Picture:
    """What a chart shows."""

    lines: Sequence[Curve] = ()
    marks: Sequence[float] = ()
    """Where the learning rate was changed by hand."""
    best: int | None = None
    """The best epoch."""
    x_max: float = 1.0
    key: object = None
    """Equal for pictures that look the same."""


@dataclass(frozen=True)
class Look:
    """How a chart is drawn."""

    metric: Metric
    width: int
    height: int
    ascii_only: bool
    log_y: bool
    colours: Mapping[str, str]


class Chart(Widget):
    """Curves of a metric over the epochs, with a legend, the best epoch and changes of the rate marked."""

    DEFAULT_CSS = "Chart { width: 1fr; height: 1fr; }"
    ALLOW_SELECT: ClassVar[bool] = False

    class Zoom(Message):
        """Somebody wants the metric on the whole screen."""

        def __init__(self, metric: Metric) -> None:
            super().__init__()
            self.metric = metric

    class Drawn(Message):
        """A drawing is done."""

        def __init__(self, look: Look, drawing: Text, key: object, seconds: float) -> None:
            super().__init__()
            self.look, self.drawing, self.key, self.seconds = look, drawing, key, seconds

    def __init__(self, metric: Metric, ascii_only: bool, bench: Bench, name: str, log_y: bool = False) -> None:
        super().__init__(id=name)
        self.metric = metric
        self.log_y = log_y
        self._ascii_only = ascii_only
        self._bench = bench
        self._source: Callable[[], Picture] = Picture
        self._drawing = Text()
        self._drawn: tuple[Look, object] | None = None
        self._drawn_at = 0.0
        self._cost = 0.0
        self._is_waiting = False
        self._figure: Plot | None = None

    def show(self, source: Callable[[], Picture]) -> None:
        """Something is new: `source` is asked for the picture when it is time to draw, where the chart is seen."""
        self._source = source
        if not self._is_waiting and self.is_attached and self.is_on_screen:
            self._is_waiting = True
            pause = min(MAX_SECONDS, max(MIN_SECONDS, self._cost / SHARE))
            self.set_timer(max(0.001, self._drawn_at + pause - time.monotonic()), self._draw)

    def toggle_log(self) -> None:
        """A logarithmic axis, or a linear one."""
        self.log_y = not self.log_y
        self._draw()

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._draw())

    def on_resize(self) -> None:
        self._draw()

    def on_show(self) -> None:
        self._draw()

    def on_click(self, event: Click) -> None:
        event.stop()
        self.post_message(self.Zoom(self.metric))

    def _draw(self) -> None:
        """Has the picture drawn, where it is another one than is seen."""
        self._is_waiting = False
        if not self.size.area:
            return
        look = self._look()
        source, drawn = self._source, self._drawn

        def draw() -> None:
            started = time.thread_time()
            picture = source()
            if drawn != (look, picture.key):
                drawing = self._built(look, picture)
                self.post_message(self.Drawn(look, drawing, picture.key, time.thread_time() - started))

        self._drawn_at = time.monotonic()
        self._bench.ask(str(self.id), draw, lambda result: None, self._failed)

    def _failed(self, error: Exception) -> None:
        """A drawing that could not be made is shown as what is wrong."""
        words = Text(clean_line(f"! cannot draw: {error}", 200))
        self.post_message(self.Drawn(self._look(), words, None, 0.0))

    def _look(self) -> Look:
        size = self.size
        return Look(self.metric, size.width, size.height, self._ascii_only, self.log_y, self.app.theme_variables)

    @on(Drawn)
    def _take(self, event: Drawn) -> None:
        event.stop()
        self._drawing, self._cost = event.drawing, event.seconds
        self._drawn = (event.look, event.key)
        self.refresh()

    def render(self) -> Text:
        return self._drawing

    # --- from here on in the bench's thread ---

    def _built(self, look: Look, picture: Picture) -> Text:
        legend = _legend(look, picture)
        if look.width < SMALLEST[0] or look.height < SMALLEST[1] or not picture.lines:
            return legend
        if self._figure is None:
            from textual_plotext.plot import Plot  # 15 ms, which the first frame does not wait for.

            self._figure = Plot()  # A figure of its own: plotext itself has one for the whole process.
        plot = self._figure
        plot.clear_figure()
        plot.plotsize(look.width, look.height - 1)
        plot._set_size(look.width, look.height - 1)  # textual-plotext does the same: plotsize alone forgets it.
        plot.canvas_color("default")
        plot.axes_color("default")
        plot.ticks_color(_rgb(look, "foreground-muted"))
        plot.frame(False)
        _draw_axes(plot, look, picture)
        for line in picture.lines:
            _draw_line(plot, look, picture, line)
        ansi = plot.build()
        drawn = Text.from_ansi(ansi.replace("│", "|") if look.ascii_only else ansi)  # Vertical lines have no marker.
        drawn.no_wrap = True
        return Text("\n").join([legend, drawn])


def _draw_axes(plot: "Plot", look: Look, picture: Picture) -> None:
    low, high = limits(look.metric, picture.lines, look.log_y)
    plot.xlim(0, picture.x_max)
    plot.ylim(_y(look, low), _y(look, high))
    y_ticks = ticks(low, high, max(2, look.height // 3), look.log_y) or [low, high]
    plot.yticks([_y(look, tick) for tick in y_ticks], [number(tick) for tick in y_ticks])
    x_ticks = [tick for tick in ticks(0, picture.x_max, max(2, look.width // 8), False) if tick == int(tick)]
    plot.xticks(x_ticks, [f"{tick:.0f}" for tick in x_ticks])
    plot.xaxes(not look.ascii_only, False)
    for mark in picture.marks:
        plot.vline(mark, _rgb(look, "accent"))


def _draw_line(plot: "Plot", look: Look, picture: Picture, line: Curve) -> None:
    finite = [(x, y) for x, y in zip(line.xs, line.ys, strict=True) if math.isfinite(y)]
    if not finite:
        return
    xs, ys = thin([x for x, _ in finite], [_y(look, y) for _, y in finite], look.width)
    colour, point = _rgb(look, COLOURS[line.role]), POINTS[line.role][look.ascii_only]
    if not look.ascii_only and line.role != "pinned":
        plot.plot(xs, ys, marker="braille", color=colour)
    if point:
        every = max(1, 3 * len(xs) // look.width)
        plot.scatter(xs[::every], ys[::every], marker=point, color=colour)
    if line.role == "test" and picture.best is not None and picture.best in line.xs:
        best = line.ys[list(line.xs).index(picture.best)]
        plot.scatter([picture.best], [_y(look, best)], marker="*", color=_rgb(look, "foreground"))


def _y(look: Look, value: float) -> float:
    return math.log10(max(value, 1e-12)) if look.log_y else value


def _rgb(look: Look, name: str) -> tuple[int, int, int]:
    return rgb(look.colours, name)


def _legend(look: Look, picture: Picture) -> Text:
    """The metric, and every line with its marker and its last value."""
    legend = Text(f" {look.metric}{' (log)' if look.log_y else ''}", "bold", no_wrap=True)
    for line in picture.lines:
        if line.role in ("raw", "band"):
            continue
        marker = POINTS[line.role][look.ascii_only] or "─"
        value = f"{line.ys[-1]:.2f}%" if look.metric == "accuracy" else number(line.ys[-1])
        red, green, blue = _rgb(look, COLOURS[line.role])
        legend.append(f"  {marker} {line.label} {value}", f"not bold rgb({red},{green},{blue})")
    if picture.best is not None:
        legend.append(f"  * best {picture.best}", "not bold")
    legend.truncate(look.width, overflow="crop" if look.ascii_only else "ellipsis")
    return legend
