"""A canvas for the mouse and for keys: 28x28 pixels, as large as there is room."""

from typing import ClassVar, Literal

from rich.color import Color
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import MouseDown, MouseMove, MouseUp
from textual.geometry import Offset
from textual.message import Message
from textual.widget import Widget

from mnist_tui.analysis.images import RAMP, SIDE
from mnist_tui.images.drawing import Drawing, Point
from mnist_tui.tui.keys import with_ids

Scale = Literal[0, 1, 2]
CELLS: dict[Scale, tuple[int, int]] = {0: (SIDE, SIDE // 2), 1: (2 * SIDE, SIDE), 2: (4 * SIDE, 2 * SIDE)}
"""Columns and lines of the canvas at each scale; at 0 a cell holds two pixels, one above the other."""
PEN = Color.from_rgb(230, 159, 0)


class DrawCanvas(Widget, can_focus=True):
    """White strokes on black, as MNIST has them."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("space", "toggle_pen", "Pen", tooltip="down or up; the arrow keys move it"),
            Binding("e", "toggle_eraser", "Eraser", tooltip="draws with black, or white again"),
            Binding("up", "move(0, -1)", "Up", show=False),
            Binding("down", "move(0, 1)", "Down", show=False),
            Binding("left", "move(-1, 0)", "Left", show=False),
            Binding("right", "move(1, 0)", "Right", show=False),
            Binding("c", "clear", "Clear"),
            Binding("ctrl+z,backspace", "undo", "Undo", tooltip="the last stroke"),
            Binding("H", "shift(-1, 0)", "Shift left", show=False),
            Binding("L", "shift(1, 0)", "Shift right", show=False),
            Binding("K", "shift(0, -1)", "Shift up", show=False),
            Binding("J", "shift(0, 1)", "Shift down", show=False),
            Binding("less_than_sign", "rotate(5)", "Turn left", show=False),
            Binding("greater_than_sign", "rotate(-5)", "Turn right", show=False),
        ]
    )
    DEFAULT_CSS = """
    DrawCanvas { width: auto; height: auto; border: round $frame; }
    DrawCanvas:focus { border: round $primary; }
    .-ascii DrawCanvas { border: ascii $foreground; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    class Changed(Message):
        """The drawing is another one."""

    class PenMoved(Message):
        """The pen is elsewhere, up, down, or an eraser."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self.drawing = Drawing()
        self.is_erasing = False
        self.is_pen_down = False
        self._ascii_only = ascii_only
        self._scale: Scale = 1
        self._pen = (SIDE // 2, SIDE // 2)
        """Column and row of the pixel under the pen that the keys move."""
        self._is_dragging = False

    def use_room(self, columns: int, lines: int) -> None:
        """Takes the largest scale that fits into so many cells."""
        fitting = [scale for scale, (width, height) in CELLS.items() if width <= columns and height <= lines]
        self._scale = max(fitting, default=0)
        self.refresh(layout=True)

    def get_content_width(self, container: object, viewport: object) -> int:
        return CELLS[self._scale][0]

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return CELLS[self._scale][1]

    # --- the mouse ---

    def on_mouse_down(self, event: MouseDown) -> None:
        place = event.get_content_offset(self)
        if place is not None:
            event.stop()
            self._is_dragging = True
            self.capture_mouse()
            self.drawing.press(self._point(place), erase=self.is_erasing or event.button == 3)
            self._draw_change()

    def on_mouse_move(self, event: MouseMove) -> None:
        if self._is_dragging:
            event.stop()
            self.drawing.drag(self._point(event.get_content_offset_capture(self)))
            self._draw_change()

    def on_mouse_up(self, event: MouseUp) -> None:
        if self._is_dragging:
            self._is_dragging = False
            self.release_mouse()
            self.drawing.release()

    def _point(self, place: Offset) -> Point:
        """The middle of a cell in pixels of the drawing."""
        width, height = CELLS[self._scale]
        return ((place.x + 0.5) * SIDE / width, (place.y + 0.5) * SIDE / height)

    # --- keys ---

    def action_toggle_pen(self) -> None:
        """Puts the pen down, which makes a dot, or lifts it."""
        self.is_pen_down = not self.is_pen_down
        if self.is_pen_down:
            self.drawing.press(self._pen_point, erase=self.is_erasing)
            self._draw_change()
        else:
            self.drawing.release()
        self._show_pen()

    def action_toggle_eraser(self) -> None:
        """Makes the pen an eraser, or a pen again; lifts it."""
        self.is_erasing, self.is_pen_down = not self.is_erasing, False
        self.drawing.release()
        self._show_pen()

    def action_move(self, columns: int, rows: int) -> None:
        """Moves the pen by a pixel; it draws where it is down."""
        column, row = self._pen
        self._pen = (min(SIDE - 1, max(0, column + columns)), min(SIDE - 1, max(0, row + rows)))
        if self.is_pen_down:
            self.drawing.drag(self._pen_point)
            self._draw_change()
        self._show_pen()

    @property
    def _pen_point(self) -> Point:
        return (self._pen[0] + 0.5, self._pen[1] + 0.5)

    def _show_pen(self) -> None:
        self.refresh()
        self.post_message(self.PenMoved())

    def action_clear(self) -> None:
        """Empties the canvas."""
        self.drawing.clear()
        self._draw_change()

    def action_undo(self) -> None:
        """Takes the last stroke back."""
        if self.drawing.undo():
            self._draw_change()

    def action_shift(self, columns: int, rows: int) -> None:
        """Moves the digit."""
        self.drawing.shift(columns, rows)
        self._draw_change()

    def action_rotate(self, degrees: int) -> None:
        """Turns the digit, anticlockwise for positive degrees."""
        self.drawing.rotate(degrees)
        self._draw_change()

    def replace(self, drawing: Drawing) -> None:
        """Draws on from another drawing."""
        self.drawing = drawing
        self._draw_change()

    def _draw_change(self) -> None:
        self.refresh()
        self.post_message(self.Changed())

    # --- drawing ---

    def render(self) -> Text:
        rows = [self.drawing.pixels[start : start + SIDE] for start in range(0, SIDE * SIDE, SIDE)]
        if self._scale == 0:
            lines = [self._half_line(row, rows[row], rows[row + 1]) for row in range(0, SIDE, 2)]
        else:
            lines = [line for row in range(SIDE) for line in [self._line(row, rows[row])] * self._scale]
        return Text("\n", no_wrap=True).join(lines)

    def _half_line(self, row: int, upper: bytes, lower: bytes) -> Text:
        """Two rows of pixels in one line."""
        line = Text(no_wrap=True)
        for column, (top, bottom) in enumerate(zip(upper, lower, strict=True)):
            if self._ascii_only:
                line.append("+" if self._is_pen(column, row, row + 1) else RAMP[(top + bottom) // 2 * len(RAMP) // 256])
            else:
                colours = (self._colour(column, row, top), self._colour(column, row + 1, bottom))
                line.append("▀", Style(color=colours[0], bgcolor=colours[1]))
        return line

    def _line(self, row: int, values: bytes) -> Text:
        """One row of pixels, each as wide as two of its lines are high."""
        width = 2 * self._scale
        line = Text(no_wrap=True)
        for column, value in enumerate(values):
            if self._ascii_only:
                line.append(("+" if self._is_pen(column, row) else RAMP[value * len(RAMP) // 256]) * width)
            else:
                line.append(" " * width, Style(bgcolor=self._colour(column, row, value)))
        return line

    def _colour(self, column: int, row: int, value: int) -> Color:
        return PEN if self._is_pen(column, row) else Color.from_rgb(value, value, value)

    def _is_pen(self, column: int, *rows: int) -> bool:
        """Whether the pen that the keys move is on one of these pixels, and to be seen."""
        return self.has_focus and not self._is_dragging and column == self._pen[0] and self._pen[1] in rows
