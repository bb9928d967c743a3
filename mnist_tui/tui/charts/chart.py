"""A plot with a legend; a costly one is drawn less often, since drawing slows down the training."""

import time
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Click
from textual.message import Message
from textual.widgets import Static

from mnist_tui.tui.charts.curves import Metric
from mnist_tui.tui.charts.plot import Picture, Plot

SHARE = 0.02
"""Largest share of the time that drawing a chart may take."""
MAX_SECONDS = 2.0


class Chart(Vertical):
    """A legend and the plot below it; a click posts `Zoom`."""

    DEFAULT_CSS = """
    Chart { width: 1fr; height: 1fr; }
    Chart Static { height: 1; width: 1fr; text-wrap: nowrap; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    class Zoom(Message):
        """Request to open the metric on the whole screen."""

        def __init__(self, metric: Metric) -> None:
            super().__init__()
            self.metric = metric

    def __init__(self, metric: Metric, ascii_only: bool, name: str, log_y: bool = False) -> None:
        super().__init__(id=name)
        self.metric = metric
        self._legend = Static()
        self._drawn_legend: Text | None = None
        self._plot = Plot(metric, ascii_only, log_y)
        self._source: Callable[[], Picture] = Picture
        self._drawn_at = 0.0

    def compose(self) -> ComposeResult:
        yield self._legend
        yield self._plot

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._draw())

    def on_resize(self) -> None:
        self._draw()

    def on_show(self) -> None:
        self._draw()

    def show(self, source: Callable[[], Picture], at_once: bool = True) -> None:
        """Draws the picture of `source`, which is called again when the size changes.

        Unless `at_once`, only if the last drawing is old enough for its cost.
        """
        self._source = source
        pause = min(MAX_SECONDS, self._plot.cost / SHARE)
        if self.is_attached and self.is_on_screen and (at_once or time.monotonic() - self._drawn_at >= pause):
            self._draw()

    def toggle_log(self) -> None:
        """A logarithmic axis, or a linear one."""
        self._plot.show(self._plot.picture, log_y=not self._plot.view.log_y)
        self._draw()

    def _draw(self) -> None:
        """Draws the picture if it has changed."""
        self._drawn_at = time.monotonic()
        picture = self._source()
        if picture.key is None or picture.key != self._plot.picture.key:
            self._plot.show(picture, high_x=max(1.0, picture.x_max))
        if (legend := self._plot.drawing().legend()) != self._drawn_legend:
            self._drawn_legend = legend
            self._legend.update(legend, layout=False)

    def on_click(self, event: Click) -> None:
        event.stop()
        self.post_message(self.Zoom(self.metric))
