"""The plot of a learning-rate range test: the smoothed loss over the learning rate, on a logarithmic axis."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from mnist_tui.analysis.axes import thin, ticks
from mnist_tui.runs.lr_range import DIVERGED, HIGHEST, LOWEST, Suggestion
from mnist_tui.tui.charts.canvas import Canvas, Frame, axis_below, with_axis
from mnist_tui.tui.charts.plot import AXIS, SMALLEST
from mnist_tui.tui.themes import style_of

LABEL_CELLS = 8
"""Cells of the axis that a power of ten takes."""


@dataclass(frozen=True)
class RatesDrawing:
    """The losses of a range test in a terminal's cells and a theme's colours."""

    rates: Sequence[float]
    losses: Sequence[float]
    """Smoothed; one for every rate."""
    suggestions: Sequence[Suggestion]
    selected: int
    """Index of the suggestion that Enter takes."""
    width: int
    height: int
    ascii_only: bool
    colours: Mapping[str, str] = field(repr=False)

    def text(self) -> Text:
        """A line with the name of each suggestion, the curve, and the rates; nothing where there is no room."""
        rows = self.height - 1 - len(self.suggestions)
        if self.width < SMALLEST[0] or rows < SMALLEST[1]:
            return Text()
        if not self.rates:
            return Text("  no step yet"[: self.width], self._style("foreground-muted"))
        low, high = self._limits()
        frame = Frame(self.width - AXIS, rows, math.log10(LOWEST), math.log10(HIGHEST), low, high)
        muted = self._style("foreground-muted")
        curve = with_axis(self._curve(frame), frame, ticks(low, high, max(2, rows // 3), False), muted, AXIS)
        names = [self._name(index, frame) for index in range(len(self.suggestions))]
        return Text("\n").join([*names, *curve, axis_below(frame, _rate_labels(frame), "rate", muted, AXIS)])

    def _limits(self) -> tuple[float, float]:
        """The lowest loss, and the highest; of a loss that diverges only what the test waits for."""
        lowest = min(self.losses)
        start = max(self.losses[: self.losses.index(lowest) + 1])
        high = min(max(self.losses), max(1.1 * start, DIVERGED * lowest))
        return (lowest, high) if high > lowest else (0.9 * lowest, 1.1 * lowest + 1e-6)

    def _curve(self, frame: Frame) -> list[Text]:
        canvas = Canvas(frame)
        xs, ys = thin([math.log10(rate) for rate in self.rates], self.losses, 2 * frame.width)
        canvas.draw(xs, ys, self._style("primary"), "." if self.ascii_only else None)
        for index, suggestion in enumerate(self.suggestions):
            signs = ("|", "│") if index == self.selected else (":", "┊")
            canvas.line_at(math.log10(suggestion.rate), signs[not self.ascii_only], self._suggestion_style(index))
        return canvas.lines()

    def _name(self, index: int, frame: Frame) -> Text:
        """The name and the rate of a suggestion, beside a mark over its place on the axis."""
        suggestion = self.suggestions[index]
        mark, words = "v" if self.ascii_only else "▾", f"{suggestion.rule} {suggestion.rate:.3g}"
        column = AXIS + frame.column(math.log10(suggestion.rate)) // 2
        is_right = column + 2 + len(words) <= self.width
        line = f"{'':{column}}{mark} {words}" if is_right else f"{f'{words} {mark}':>{column + 1}}"
        return Text(line, self._suggestion_style(index), no_wrap=True, overflow="crop")

    def _suggestion_style(self, index: int) -> Style:
        if index == self.selected:
            return self._style("accent") + Style(bold=True)
        return self._style("foreground-muted")

    def _style(self, name: str) -> Style:
        return style_of(name, self.colours)


def _rate_labels(frame: Frame) -> dict[float, str]:
    """Powers of ten as learning rates, by their places on the axis, as many as there is room for."""
    powers = range(round(frame.low_x), round(frame.high_x) + 1)
    every = max(1, math.ceil(len(powers) * LABEL_CELLS / frame.width))
    return {power: f"1e{power}" if power < -3 else f"{10.0**power:g}" for power in powers[::every]}


class RatesPlot(Widget):
    """Draws a range test while it runs, and its suggestions at the end."""

    DEFAULT_CSS = "RatesPlot { width: 1fr; height: 1fr; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only
        self._rates: Sequence[float] = ()
        self._losses: Sequence[float] = ()
        self._suggestions: Sequence[Suggestion] = ()
        self._selected = 0

    def show(self, rates: Sequence[float], losses: Sequence[float], suggestions: Sequence[Suggestion] = ()) -> None:
        """Draws the smoothed losses of the rates so far."""
        self._rates, self._losses, self._suggestions = rates, losses, suggestions
        self.refresh()

    def select(self, index: int) -> None:
        """Highlights another suggestion."""
        self._selected = index
        self.refresh()

    def render(self) -> Text:
        width, height = self.size
        return RatesDrawing(
            self._rates,
            self._losses,
            self._suggestions,
            self._selected,
            width,
            height,
            self._ascii_only,
            self.app.theme_variables,
        ).text()
