"""One metric on the whole screen, with a cursor that reads the exact values; it goes on live."""

import time
from bisect import bisect_left, bisect_right
from typing import ClassVar

from rich.color import Color
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from mnist_tui.tui.canvas import Canvas, Frame, with_axis
from mnist_tui.tui.chart import COLOURS, MAX_SECONDS, MIN_SECONDS, POINTS, SHARE
from mnist_tui.tui.curves import METRICS, Curve, Metric, curves_of, limits, number, thin, ticks
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.repaint import LeanScreen
from mnist_tui.tui.themes import rgb
from mnist_tui.tui.track import Group, Track

AXIS = 9
"""Cells of the axis at the left."""
SMOOTHINGS = (0.0, 0.6, 0.9)
ZOOM = 1.6
"""Times that a press brings nearer."""


class Plot(Widget):
    """The canvas: curves, cursor, marks, and a line of epochs below."""

    DEFAULT_CSS = "Plot { height: 1fr; }"

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self.ascii_only = ascii_only
        self.metric: Metric = "loss"
        self.lines: list[Curve] = []
        self.marks: list[float] = []
        self.best: int | None = None
        self.log_y = True
        self.low_x, self.high_x = 0.0, 1.0
        self.cursor = 0.0
        self.cost = 0.0
        """Seconds that the last drawing took."""

    def frame(self) -> Frame | None:
        """What is seen; None where there is no room."""
        width, height = self.size.width - AXIS, self.size.height - 1
        if width < 4 or height < 2:
            return None
        seen = [self._inside(line, beyond=0) for line in self.lines]
        low, high = limits(self.metric, [line for line in seen if line.xs] or self.lines, self.log_y)
        return Frame(width, height, self.low_x, self.high_x, low, high, self.log_y)

    def _inside(self, line: Curve, beyond: int = 1) -> Curve:
        """The part of a line that is seen, and so many points beyond either edge: a line is drawn up to it."""
        first = max(0, bisect_left(line.xs, self.low_x) - beyond)
        last = bisect_right(line.xs, self.high_x) + beyond
        return Curve(line.label, line.role, line.xs[first:last], line.ys[first:last])

    def render(self) -> Text:
        started = time.thread_time()
        frame = self.frame()
        drawing = Text("too small to draw") if frame is None else self._drawn(frame)
        self.cost = time.thread_time() - started
        return drawing

    def _drawn(self, frame: Frame) -> Text:
        canvas = Canvas(frame)
        for line in self.lines:
            style = self._style(COLOURS[line.role])
            seen = self._inside(line)
            xs, ys = thin(seen.xs, seen.ys, 2 * frame.width)
            point = POINTS[line.role][self.ascii_only]
            canvas.draw(xs, ys, style, point or "." if self.ascii_only else None)
            if point and len(xs) < frame.width // 2:
                for x, y in zip(xs, ys, strict=True):
                    canvas.mark(x, y, point, style)
            if line.role == "test" and self.best is not None and self.best in xs:
                canvas.mark(self.best, ys[xs.index(self.best)], "*", self._style("foreground"))
        for mark in self.marks:
            canvas.line_at(mark, "|" if self.ascii_only else "┊", self._style("accent"))
        canvas.line_at(self.cursor, "|" if self.ascii_only else "│", self._style("foreground"))
        axis = ticks(frame.low_y, frame.high_y, max(2, frame.height // 3), self.log_y)
        lines = with_axis(canvas.lines(), frame, axis, self._style("foreground-muted"), AXIS)
        return Text("\n").join([*lines, self._epochs(frame)])

    def _epochs(self, frame: Frame) -> Text:
        cells = [" "] * frame.width
        for tick in ticks(frame.low_x, frame.high_x, max(2, frame.width // 10), False):
            label = f"{tick:g}"
            at = min(max(0, frame.column(tick) // 2), frame.width - len(label))
            cells[at : at + len(label)] = label
        return Text(f"{'epoch':>{AXIS - 1}} " + "".join(cells), self._style("foreground-muted"), no_wrap=True)

    def _style(self, name: str) -> Style:
        return Style(color=Color.from_rgb(*rgb(self.app.theme_variables, name)))

    def on_click(self, event: events.Click) -> None:
        frame = self.frame()
        if frame is not None and event.x >= AXIS:
            self.cursor = frame.x_at(event.x - AXIS)
            self.screen.query_one(Readout).show(self)
            self.refresh()


class Readout(Static):
    """The exact values under the cursor."""

    def show(self, plot: Plot) -> None:
        """Reads every line at the point that is nearest to the cursor."""
        text = Text(f" epoch {plot.cursor:g}  ", "bold", no_wrap=True, overflow="ellipsis")
        for line in plot.lines:
            nearest = min(range(len(line.xs)), key=lambda index: abs(line.xs[index] - plot.cursor))
            value = f"{line.ys[nearest]:.2f}%" if plot.metric == "accuracy" else f"{line.ys[nearest]:.5g}"
            marker = POINTS[line.role][plot.ascii_only] or "-"
            at = f"@{number(line.xs[nearest])}" if abs(line.xs[nearest] - plot.cursor) > 0.01 else ""
            text.append(f"  {marker} {line.label} {value}{at}", plot._style(COLOURS[line.role]))
        self.update(text)


class ZoomScreen(LeanScreen[None]):
    """A metric over the epochs; the keys move a cursor and the part that is seen."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("left,h", "move(-1)", "Cursor", key_display="left/right"),
            Binding("right,l", "move(1)", "Right", show=False),
            Binding("home,g", "end(0)", "First epoch", show=False),
            Binding("end,G", "end(1)", "Last epoch", show=False),
            Binding("plus,equals_sign", "zoom(1)", "Nearer"),
            Binding("minus", "zoom(-1)", "Farther"),
            Binding("0", "zoom(0)", "All"),
            Binding("down,n", "metric(1)", "Metric"),
            Binding("up,N", "metric(-1)", "Metric before", show=False),
            Binding("y", "log", "Log y"),
            Binding("w", "smooth", "Smooth"),
            Binding("escape,q,z", "dismiss", "Back"),
        ]
    )
    DEFAULT_CSS = "ZoomScreen Static { height: 1; } ZoomScreen #zoom-title { text-style: bold; padding: 0 1; }"

    def __init__(self, group: Group, pinned: Track | None, metric: Metric, smoothing: float, ascii_only: bool) -> None:
        super().__init__()
        self._group, self._pinned, self._smoothing = group, pinned, smoothing
        self._plot = Plot(ascii_only)
        self._plot.metric = metric
        self._is_whole = True
        self._is_waiting = False
        self._shown_at = 0.0

    def compose(self) -> ComposeResult:
        yield Static(id="zoom-title")
        yield self._plot
        yield Readout()
        yield KeyBar()

    def on_mount(self) -> None:
        self._plot.log_y = self._plot.metric == "loss"
        self._plot.cursor = float(self._last_epoch())
        self._show()

    def show(self, group: Group, pinned: Track | None) -> None:
        """Takes what is new, and draws it as seldom as a chart is: it is drawn on the screen's own thread."""
        self._group, self._pinned = group, pinned
        if not self._is_waiting:
            self._is_waiting = True
            pause = min(MAX_SECONDS, max(MIN_SECONDS, self._plot.cost / SHARE))
            self.set_timer(max(0.001, self._shown_at + pause - time.monotonic()), self._show)

    def _show(self) -> None:
        self._is_waiting, self._shown_at = False, time.monotonic()
        plot, group, pinned = self._plot, self._group, self._pinned
        track = group.tracks[-1] if group.tracks else pinned
        plot.lines = curves_of(plot.metric, group, pinned, self._smoothing)
        plot.marks = [x for x, _ in track.marks] if track else []
        plot.best = track.best.epoch if track and track.best else None
        if self._is_whole:
            plot.low_x, plot.high_x = 0.0, float(self._epochs())
        name = f"{track.name} seed {track.seed}" if track else ""
        words = f"{plot.metric}{', log' if plot.log_y else ''}, smoothing {self._smoothing:g}  {name}"
        self.query_one("#zoom-title", Static).update(Text(words))
        self.query_one(Readout).show(plot)
        plot.refresh()

    def _epochs(self) -> float:
        tracks = [*self._group.tracks, *([self._pinned] if self._pinned else [])]
        return max([1, *(track.started.epochs if track.started else len(track.rows) for track in tracks)])

    def _last_epoch(self) -> int:
        return max((len(track.rows) for track in self._group.tracks), default=0)

    def action_move(self, steps: int) -> None:
        """Moves the cursor by whole epochs, and what is seen with it."""
        plot = self._plot
        plot.cursor = min(self._epochs(), max(0.0, float(round(plot.cursor) + steps)))
        width = plot.high_x - plot.low_x
        if not plot.low_x <= plot.cursor <= plot.high_x:
            plot.low_x = min(max(0.0, plot.cursor - width / 2), max(0.0, self._epochs() - width))
            plot.high_x = plot.low_x + width
        self._show()

    def action_end(self, end: int) -> None:
        """To the first or the last epoch."""
        self._plot.cursor = float(self._last_epoch() if end else 0)
        self.action_move(0)

    def action_zoom(self, direction: int) -> None:
        """Nearer to the cursor, away from it, or back to the whole."""
        plot = self._plot
        self._is_whole = direction == 0
        width = (plot.high_x - plot.low_x) / ZOOM**direction if direction else self._epochs()
        width = min(max(width, 0.05), float(self._epochs()))
        plot.low_x = min(max(0.0, plot.cursor - width / 2), max(0.0, self._epochs() - width))
        plot.high_x = plot.low_x + width
        self._show()

    def action_metric(self, steps: int) -> None:
        """The next metric, or the one before."""
        plot = self._plot
        plot.metric = METRICS[(METRICS.index(plot.metric) + steps) % len(METRICS)]
        plot.log_y = plot.metric == "loss"
        self._show()

    def action_log(self) -> None:
        """A logarithmic axis, or a linear one."""
        self._plot.log_y = not self._plot.log_y
        self._show()

    def action_smooth(self) -> None:
        """The next smoothing."""
        self._smoothing = SMOOTHINGS[(SMOOTHINGS.index(self._smoothing) + 1) % len(SMOOTHINGS)]
        self._show()

    def on_mouse_scroll_up(self) -> None:
        self.action_zoom(1)

    def on_mouse_scroll_down(self) -> None:
        self.action_zoom(-1)
