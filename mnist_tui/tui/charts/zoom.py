"""One metric on the whole screen, with a cursor that reads the exact values."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from mnist_tui.analysis.axes import number
from mnist_tui.runs.metrics import CHARTS
from mnist_tui.tui.charts.chart import MAX_SECONDS, SHARE
from mnist_tui.tui.charts.curves import METRICS, SMOOTHINGS, Metric, unit_text
from mnist_tui.tui.charts.plot import AXIS, COLOURS, POINTS, Drawing, Picture, Plot
from mnist_tui.tui.help import help_on
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.repaint import LeanScreen

ZOOM = 1.6
"""Factor of one zoom step."""


class CursorPlot(Plot):
    """A plot in which a click moves the cursor."""

    class Clicked(Message):
        """Posted by a click at an epoch."""

        def __init__(self, epoch: float) -> None:
            super().__init__()
            self.epoch = epoch

    def on_click(self, event: events.Click) -> None:
        frame = self.drawing().frame()
        if frame is not None and event.x >= AXIS:
            self.post_message(self.Clicked(frame.x_at(event.x - AXIS)))


class Readout(Static):
    """The exact values under a cursor."""

    DEFAULT_CSS = "Readout { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }"

    def show(self, drawing: Drawing) -> None:
        """Reads every line at the point that is nearest to the cursor of a drawing."""
        cursor = drawing.view.cursor or 0.0
        text = Text(f" epoch {cursor:g}  ", "bold", no_wrap=True)
        for line in drawing.picture.lines:
            nearest = min(range(len(line.xs)), key=lambda index: abs(line.xs[index] - cursor))
            y = line.ys[nearest]
            value = unit_text(drawing.view.metric, y, "{:.5g}".format)
            marker = POINTS[line.role][drawing.ascii_only] or "-"
            at = f"@{number(line.xs[nearest])}" if abs(line.xs[nearest] - cursor) > 0.01 else ""
            colour = "foreground-muted" if line.role == "raw" else COLOURS[line.role]
            text.append(f"  {marker} {line.label} {value}{at}", drawing.style(colour))
        self.update(text, layout=False)


@dataclass(frozen=True)
class Zoomed:
    """The source of a zoom: called again whenever something has changed."""

    title: str
    picture: Callable[[Metric, float], Picture]
    """The picture of a metric with step losses averaged over so many epochs."""
    last_epoch: Callable[[], int]
    """The last epoch that is done."""


class ZoomScreen(LeanScreen[None]):
    """A metric over the epochs; the keys move a cursor and the visible part."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("left,h", "move(-1)", "Cursor", key_display="left/right"),
            Binding("right,l", "move(1)", "Right", show=False),
            Binding("home,g", "end(0)", "First epoch", show=False),
            Binding("end,G", "end(1)", "Last epoch", show=False),
            Binding("plus,equals_sign", "zoom(1)", "Zoom in"),
            Binding("minus", "zoom(-1)", "Zoom out"),
            Binding("0", "zoom(0)", "All"),
            Binding("down,n", "metric(1)", "Metric"),
            Binding("up,N", "metric(-1)", "Previous metric", show=False),
            Binding("Y", "log", "Log y"),
            Binding("w", "smooth", "Smooth", tooltip="step losses: none, over 0.1 or 0.5 epochs"),
            Binding("escape,q,z,ctrl+q", "dismiss", "Back"),
            Binding("question_mark,f1", "help", "Help"),
        ]
    )
    DEFAULT_CSS = "ZoomScreen #zoom-title { height: 1; text-style: bold; padding: 0 1; text-wrap: nowrap; }"

    def __init__(self, zoomed: Zoomed, metric: Metric, smoothing: float, ascii_only: bool) -> None:
        super().__init__()
        self._zoomed, self._smoothing = zoomed, smoothing
        self._plot = CursorPlot(metric, ascii_only, log_y=CHARTS[metric].is_log)
        # Kept, not looked up: events come while the screen is not yet, or no longer, what it is made of.
        self._heading, self._readout = Static(id="zoom-title"), Readout()
        self._is_whole = True
        self._shown_at = 0.0
        self._later: Timer | None = None

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self._plot
        yield self._readout
        yield KeyBar()

    def on_mount(self) -> None:
        self._show(cursor=float(self._zoomed.last_epoch()))

    def on_resize(self) -> None:
        self._show()

    def show_new(self) -> None:
        """Draws new events, as seldom as a chart does."""
        if not self.is_attached or self._later is not None:
            return
        pause = self._shown_at + min(MAX_SECONDS, self._plot.cost / SHARE) - time.monotonic()
        if pause <= 0:
            self._show()
        else:  # It may be the last event of the run.
            self._later = self.set_timer(pause, self._show)

    def _show(self, **view: object) -> None:
        self._shown_at = time.monotonic()
        if self._later is not None:
            self._later.stop()
            self._later = None
        metric = view.get("metric", self._plot.view.metric)
        picture = self._zoomed.picture(metric, self._smoothing)  # type: ignore[arg-type]
        if self._is_whole:
            view |= {"low_x": 0.0, "high_x": max(1.0, picture.x_max)}
        self._plot.show(picture, **view)
        words = f"{metric}{', log' if self._plot.view.log_y else ''}"
        if metric == "loss":
            words += f", steps averaged over {self._smoothing:g} epochs" if self._smoothing else ", steps as they are"
        self._heading.update(Text(f"{words}  {self._zoomed.title}"), layout=False)
        self._readout.show(self._plot.drawing())

    @property
    def _epochs(self) -> float:
        return max(1.0, self._plot.picture.x_max)

    def _move_to(self, cursor: float) -> None:
        """Moves the cursor to an epoch, and the visible part to the cursor."""
        view = self._plot.view
        cursor = min(self._epochs, max(0.0, cursor))
        low, width = view.low_x, view.high_x - view.low_x
        if not view.low_x <= cursor <= view.high_x:
            low = min(max(0.0, cursor - width / 2), max(0.0, self._epochs - width))
        self._show(cursor=cursor, low_x=low, high_x=low + width)

    def action_move(self, steps: int) -> None:
        """Moves the cursor by whole epochs."""
        self._move_to(float(round(self._plot.view.cursor or 0.0) + steps))

    @on(CursorPlot.Clicked)
    def _click(self, event: CursorPlot.Clicked) -> None:
        self._move_to(event.epoch)

    def action_end(self, end: int) -> None:
        """Moves the cursor to the first or the last epoch."""
        self._move_to(float(self._zoomed.last_epoch() if end else 0))

    def action_zoom(self, direction: int) -> None:
        """Zooms in or out at the cursor, or shows all epochs."""
        view = self._plot.view
        self._is_whole = direction == 0
        width = (view.high_x - view.low_x) / ZOOM**direction if direction else self._epochs
        width = min(max(width, 0.05), self._epochs)
        low = min(max(0.0, (view.cursor or 0.0) - width / 2), max(0.0, self._epochs - width))
        self._show(low_x=low, high_x=low + width)

    def action_metric(self, steps: int) -> None:
        """Switches to the next metric, or the previous one."""
        metric = METRICS[(METRICS.index(self._plot.view.metric) + steps) % len(METRICS)]
        self._show(metric=metric, log_y=CHARTS[metric].is_log)

    def action_log(self) -> None:
        """Switches between a logarithmic and a linear axis."""
        self._show(log_y=not self._plot.view.log_y)

    def action_smooth(self) -> None:
        """Switches to the next smoothing."""
        self._smoothing = SMOOTHINGS[(SMOOTHINGS.index(self._smoothing) + 1) % len(SMOOTHINGS)]
        self._show()

    def action_help(self) -> None:
        """Shows every key that works where the focus is."""
        self.app.push_screen(help_on(self, "Curves", {}))

    def on_mouse_scroll_up(self) -> None:
        self.action_zoom(1)

    def on_mouse_scroll_down(self) -> None:
        self.action_zoom(-1)
