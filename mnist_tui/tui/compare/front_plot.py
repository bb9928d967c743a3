"""The leaderboard as a plot: accuracy over parameters, the front, intervals, budgets, targets and published figures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from mnist_tui.analysis import leaderboard_scale as scale
from mnist_tui.analysis.leaderboard import BUDGETS, Entry, Leaderboard
from mnist_tui.analysis.leaderboard_scale import BELOW, SIGNS, Kind, Window
from mnist_tui.tui.charts.canvas import Canvas, Frame, axis_below, with_labels
from mnist_tui.tui.charts.plot import AXIS, SMALLEST
from mnist_tui.tui.themes import style_of

COLOURS: dict[Kind, str] = {
    "front": "primary",
    "behind": "foreground",
    "published": "secondary",
    "elsewhere": "secondary",
}
"""The theme's colour of each kind of point."""
TITLE = "params"


@dataclass(frozen=True)
class FrontDrawing:
    """A leaderboard in a terminal's cells and a theme's colours."""

    board: Leaderboard
    has_published: bool
    selected: Entry | None
    """The recipe under the cursor."""
    width: int
    height: int
    ascii_only: bool
    colours: Mapping[str, str] = field(repr=False)

    def text(self) -> Text:
        """The plot, the numbers of parameters in the last row; nothing where there is no room."""
        frame = self.frame()
        if frame is None:
            return Text()
        canvas = Canvas(frame)
        self._draw_runs(canvas)
        self._mark_points(canvas, frame)
        muted = self.style("foreground-muted")
        for budget in BUDGETS:
            canvas.line_at(math.log10(budget), ":" if self.ascii_only else "┊", muted)
        for target in self.board.targets:
            canvas.level(scale.height(target), "-" if self.ascii_only else "╌", muted)
        lines = with_labels(canvas.lines(), frame, self._accuracies(frame), muted, AXIS)
        return Text("\n").join([*lines, axis_below(frame, self._parameters(frame), TITLE, muted, AXIS)])

    def frame(self) -> Frame | None:
        """The part that is drawn: logarithms of parameters, heights of accuracies; None where there is no room."""
        width, height = self.width - AXIS, self.height - 1
        if self.width < SMALLEST[0] or height < SMALLEST[1]:
            return None
        shown = self._window
        return Frame(width, height, shown.low_x, shown.high_x, shown.low_y, shown.high_y)

    @property
    def _window(self) -> Window:
        return scale.window(self.board, self.has_published)

    def _draw_runs(self, canvas: Canvas) -> None:
        """The front as a staircase, and the intervals as upright bars."""
        if corners := scale.front_line(self.board):
            xs, ys = zip(*corners, strict=True)
            canvas.draw(xs, ys, self.style(COLOURS["front"]), "." if self.ascii_only else None)
        for entry in self.board.entries:
            if entry.interval:
                style = self.style(COLOURS["front" if entry.front else "behind"])
                ends = [scale.height(end) for end in entry.interval]
                canvas.draw([math.log10(entry.parameters)] * 2, ends, style, "|" if self.ascii_only else None)

    def _mark_points(self, canvas: Canvas, frame: Frame) -> None:
        """The points, that under the cursor last; published figures below the plot at its edge."""
        for point in scale.points(self.board, self.has_published):
            signs = SIGNS[point.kind] if point.y >= frame.low_y else BELOW
            canvas.mark(point.x, max(point.y, frame.low_y), signs[self.ascii_only], self.style(COLOURS[point.kind]))
        if self.selected is not None:
            kind: Kind = "front" if self.selected.front else "behind"
            style = self.style(COLOURS[kind]) + Style(reverse=True)
            x, y = math.log10(self.selected.parameters), scale.height(self.selected.accuracy)
            canvas.mark(x, y, SIGNS[kind][self.ascii_only], style)

    def _accuracies(self, frame: Frame) -> dict[float, str]:
        """The labels at the left: the targets, and round accuracies that are not beside one."""
        targets = {scale.height(target): scale.percent(target) for target in self.board.targets}
        near = {frame.row(y) // 4 + offset for y in targets for offset in (-1, 0, 1)}
        ticks = self._window.accuracy_ticks(max(2, frame.height // 3))
        apart = [tick for tick in ticks if frame.row(scale.height(tick)) // 4 not in near]
        return {scale.height(tick): scale.percent(tick) for tick in apart} | targets

    def _parameters(self, frame: Frame) -> dict[float, str]:
        """The labels below: the budgets, and round numbers where there is room between two of them."""
        labels: dict[float, str] = {}
        taken: list[tuple[int, int]] = []
        for tick in sorted(self._window.parameter_ticks(8), key=lambda tick: tick not in BUDGETS):
            label = scale.thousands(tick)
            start = min(max(0, frame.column(math.log10(tick)) // 2), frame.width - len(label))
            end = start + len(label)
            if all(end < other_start or start > other_end for other_start, other_end in taken):
                labels[math.log10(tick)] = label
                taken.append((start, end))
        return labels

    def style(self, name: str) -> Style:
        """The theme's colour of a name, as a foreground."""
        return style_of(name, self.colours)


class FrontPlot(Widget):
    """Draws a leaderboard, with a cursor on one of its recipes."""

    DEFAULT_CSS = "FrontPlot { height: 1fr; width: 1fr; min-height: 4; }"
    ALLOW_SELECT: ClassVar[bool] = False

    class Selected(Message):
        """The cursor is on another recipe."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only
        self._board: Leaderboard | None = None
        self._has_published = True
        self._selected = 0
        """The index of the recipe under the cursor, in the order of parameters."""

    @property
    def entry(self) -> Entry | None:
        """The recipe under the cursor; None where there is none."""
        return self._by_parameters[self._selected] if self._by_parameters else None

    @property
    def _by_parameters(self) -> list[Entry]:
        entries = self._board.entries if self._board else ()
        return sorted(entries, key=lambda entry: (entry.parameters, entry.accuracy))

    def show(self, board: Leaderboard, has_published: bool) -> None:
        """Draws a leaderboard; the cursor stays on its recipe, and begins on the highest accuracy."""
        previous = self.entry.arm.label if self.entry else None
        self._board, self._has_published = board, has_published
        labels = [entry.arm.label for entry in self._by_parameters]
        top = board.entries[0].arm.label if board.entries else None
        self._selected = next((labels.index(label) for label in (previous, top) if label in labels), 0)
        self.refresh()

    def move(self, steps: int) -> None:
        """The cursor to a recipe with more parameters, or with fewer."""
        self._select(self._selected + steps)

    def _select(self, index: int) -> None:
        self._selected = max(0, min(len(self._by_parameters) - 1, index))
        self.refresh()
        self.post_message(self.Selected())

    def drawing(self) -> FrontDrawing | None:
        """The drawing for the size of the widget; None before there is a leaderboard."""
        if self._board is None:
            return None
        width, height = self.size
        colours = self.app.theme_variables
        return FrontDrawing(self._board, self._has_published, self.entry, width, height, self._ascii_only, colours)

    def render(self) -> Text:
        drawing = self.drawing()
        return Text() if drawing is None else drawing.text()

    def on_click(self, event: Click) -> None:
        """Moves the cursor to the recipe nearest to the click."""
        drawing = self.drawing()
        frame = drawing.frame() if drawing else None
        if frame is None or not self._by_parameters:
            return

        def distance(entry: Entry) -> float:
            column, row = frame.column(math.log10(entry.parameters)) / 2, frame.row(scale.height(entry.accuracy)) / 4
            return math.hypot(column - (event.x - AXIS), 2 * (row - event.y))  # A cell is twice as high as wide.

        self._select(min(range(len(self._by_parameters)), key=lambda index: distance(self._by_parameters[index])))
