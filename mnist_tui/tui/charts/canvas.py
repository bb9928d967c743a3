"""A canvas of braille dots, two columns and four rows in every cell, for several curves.

A cell shows the dots of all the curves that pass through it, in the colour of the last one; without braille, the marker
of the last one.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.color import Color
from rich.style import Style, StyleType
from rich.text import Text

from mnist_tui.analysis.axes import number

BRAILLE = 0x2800
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of every dot, by its column and row in a cell (Unicode, Braille Patterns)."""


@dataclass(frozen=True)
class Frame:
    """The part of the data that a canvas shows, and its size in cells."""

    width: int
    height: int
    low_x: float
    high_x: float
    low_y: float
    high_y: float
    log_y: bool = False

    def column(self, x: float) -> int:
        """The dot column of a value, from 0 at the left; may lie outside."""
        return round((x - self.low_x) / (self.high_x - self.low_x) * (2 * self.width - 1))

    def row(self, y: float) -> int:
        """The dot row of a value, from 0 at the top; may lie outside."""
        low, high, at = (self._scaled(value) for value in (self.low_y, self.high_y, y))
        return round((high - at) / (high - low) * (4 * self.height - 1))

    def x_at(self, cell: int) -> float:
        """The value in the middle of a cell's column."""
        return self.low_x + (cell + 0.5) / self.width * (self.high_x - self.low_x)

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.log_y else value


class Canvas:
    """Cells to draw on; `lines` gives them as text."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._dots = [[0] * frame.width for _ in range(frame.height)]
        self._styles: list[list[Style | None]] = [[None] * frame.width for _ in range(frame.height)]
        self._marks: dict[tuple[int, int], str] = {}
        self._grounds: dict[tuple[int, int], Color] = {}

    def shade(self, cells: Iterable[tuple[int, int]], colour: Color) -> None:
        """Gives cells, by row and column, a background; those outside are ignored."""
        self._grounds |= dict.fromkeys(cells, colour)

    def shade_columns(self, low_x: float, high_x: float, colour: Color) -> None:
        """Gives all cells between two values of x a background."""
        columns = range(self.frame.column(low_x) // 2, self.frame.column(high_x) // 2 + 1)
        self.shade(((row, column) for row in range(self.frame.height) for column in columns), colour)

    def shade_band(self, column: int, low: float, high: float, colour: Color) -> None:
        """Gives the cells of a column between two values of y a background."""
        top, bottom = self.frame.row(high) // 4, self.frame.row(low) // 4
        self.shade(((row, column) for row in range(max(0, top), min(self.frame.height, bottom + 1))), colour)

    def draw(self, xs: Sequence[float], ys: Sequence[float], style: Style, ascii_marker: str | None = None) -> None:
        """Joins the points by straight lines; with a marker, in plain characters."""
        frame = self.frame
        previous: tuple[int, int] | None = None
        for x, y in zip(xs, ys, strict=True):
            if not math.isfinite(y):
                previous = None
                continue
            point = (frame.column(x), frame.row(y))
            self._segment(previous or point, point, style, ascii_marker)
            previous = point

    def mark(self, x: float, y: float, character: str, style: Style) -> None:
        """Puts one character at a point; none where `y` is not finite."""
        if not math.isfinite(y):
            return
        column, row = self.frame.column(x) // 2, self.frame.row(y) // 4
        if 0 <= column < self.frame.width and 0 <= row < self.frame.height:
            self._marks[row, column] = character
            self._styles[row][column] = style

    def line_at(self, x: float, character: str, style: Style) -> None:
        """A vertical line of characters, under the curves."""
        column = self.frame.column(x) // 2
        if 0 <= column < self.frame.width:
            for row in range(self.frame.height):
                if not self._dots[row][column] and (row, column) not in self._marks:
                    self._marks[row, column] = character
                    self._styles[row][column] = style

    def level(self, y: float, character: str, style: Style) -> None:
        """A horizontal line of characters, under the curves."""
        row = self.frame.row(y) // 4
        if 0 <= row < self.frame.height:
            for column in range(self.frame.width):
                if not self._dots[row][column] and (row, column) not in self._marks:
                    self._marks[row, column] = character
                    self._styles[row][column] = style

    def _segment(self, start: tuple[int, int], end: tuple[int, int], style: Style, marker: str | None) -> None:
        width, height = 2 * self.frame.width, 4 * self.frame.height
        across, down = end[0] - start[0], end[1] - start[1]
        steps = max(abs(across), abs(down), 1)
        # Only visible dots are computed: zoomed in, a line of two points may be a thousand screens long.
        in_x, in_y = _inside(start[0], across, width, steps), _inside(start[1], down, height, steps)
        for step in range(max(in_x.start, in_y.start), min(in_x.stop, in_y.stop)):
            x, y = start[0] + across * step // steps, start[1] + down * step // steps
            if 0 <= x < width and 0 <= y < height:
                self._dot(x, y, style, marker)

    def _dot(self, x: int, y: int, style: Style, marker: str | None) -> None:
        row, column = y // 4, x // 2
        self._styles[row][column] = style
        if marker is not None:
            self._marks[row, column] = marker
        else:
            self._dots[row][column] |= DOTS[x % 2][y % 4]

    def lines(self) -> list[Text]:
        """The cells, row by row from the top."""
        return [self._line(row) for row in range(self.frame.height)]

    def _line(self, row: int) -> Text:
        cells = [
            self._marks.get((row, column)) or (chr(BRAILLE + dots) if dots else " ")
            for column, dots in enumerate(self._dots[row])
        ]
        grounds = [self._grounds.get((row, column)) for column in range(self.frame.width)]
        text, column = Text(no_wrap=True), 0
        # A span for every cell takes 2.5 times as long.
        for (style, ground), run in groupby(zip(self._styles[row], grounds, strict=True)):
            width = len(list(run))
            shaded = style if ground is None else (style or Style()) + Style(bgcolor=ground)
            text.append("".join(cells[column : column + width]), shaded)
            column += width
        return text


def _inside(start: int, change: int, size: int, steps: int) -> range:
    """The steps, of `steps` that lead from `start` over `change`, that may lie in 0 to `size`."""
    if change == 0:
        return range(steps + 1 if 0 <= start < size else 0)
    ends = sorted((-start * steps // change, (size - start) * steps // change))
    return range(max(0, ends[0] - 1), min(steps, ends[1] + 1) + 1)


def with_axis(lines: list[Text], frame: Frame, ticks: Sequence[float], style: Style, width: int) -> list[Text]:
    """The lines with values at their left, `width` cells wide."""
    return with_labels(lines, frame, {tick: number(tick) for tick in ticks}, style, width)


def with_labels(lines: list[Text], frame: Frame, labels: Mapping[float, str], style: Style, width: int) -> list[Text]:
    """The lines with labels at their left, each in the line of its value of y."""
    by_row = {min(frame.height - 1, max(0, frame.row(y) // 4)): label for y, label in labels.items()}
    return [
        Text.assemble((f"{by_row.get(row, ''):>{width - 1}} ", style), line, no_wrap=True)
        for row, line in enumerate(lines)
    ]


def axis_below(frame: Frame, labels: Mapping[float, str], title: str, style: StyleType, width: int) -> Text:
    """The line below a canvas: `title` in the first `width` cells, and each label at its value of x."""
    cells = [" "] * frame.width
    for x, label in labels.items():
        at = min(max(0, frame.column(x) // 2), frame.width - len(label))
        cells[at : at + len(label)] = label
    return Text(f"{title:>{width - 1}} " + "".join(cells), style, no_wrap=True)
