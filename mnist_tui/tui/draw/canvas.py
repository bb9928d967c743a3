"""A canvas for the mouse and for keys: 28x28 pixels, as large as there is room."""

from typing import ClassVar, Literal

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import MouseDown, MouseMove, MouseUp
from textual.geometry import Offset
from textual.message import Message
from textual.widget import Widget

from mnist_tui.analysis.text_images import RAMP, SIDE, pixels, ramp_lines
from mnist_tui.images.drawing import Drawing, Point
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.pixels import Pixel, half_blocks, wide_blocks

Scale = Literal[0, 1, 2]
CELLS: dict[Scale, tuple[int, int]] = {0: (SIDE, SIDE // 2), 1: (2 * SIDE, SIDE), 2: (4 * SIDE, 2 * SIDE)}
"""Columns and lines of the canvas at each scale; at 0 a cell holds two pixels, one above the other."""
PEN = (230, 159, 0)
"""The colour of the pixel under the pen."""


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
            self._lift_pen()
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
            self.refresh()

    def _point(self, place: Offset) -> Point:
        """The middle of a cell in pixels of the drawing."""
        width, height = CELLS[self._scale]
        return ((place.x + 0.5) * SIDE / width, (place.y + 0.5) * SIDE / height)

    # --- keys ---

    def action_toggle_pen(self) -> None:
        """Puts the pen down, which makes a dot, or lifts it."""
        if not self.is_pen_down:
            self.is_pen_down = True
            self.drawing.press(self._pen_point, erase=self.is_erasing)
            self._draw_change()
            self._show_pen()
        else:
            self._lift_pen()

    def action_toggle_eraser(self) -> None:
        """Makes the pen an eraser, or a pen again; lifts it."""
        self.is_erasing = not self.is_erasing
        self._lift_pen()

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

    def _lift_pen(self) -> None:
        """Ends the stroke of the keys: the arrows draw on only where the pen was put down since."""
        self.is_pen_down = False
        self.drawing.release()
        self._show_pen()

    def _show_pen(self) -> None:
        self.refresh()
        self.post_message(self.PenMoved())

    def action_clear(self) -> None:
        """Empties the canvas."""
        self._lift_pen()
        self.drawing.clear()
        self._draw_change()

    def action_undo(self) -> None:
        """Takes the last change back."""
        self._lift_pen()
        if self.drawing.undo():
            self._draw_change()

    def action_shift(self, columns: int, rows: int) -> None:
        """Moves the digit."""
        self._lift_pen()
        self.drawing.shift(columns, rows)
        self._draw_change()

    def action_rotate(self, degrees: int) -> None:
        """Turns the digit, anticlockwise for positive degrees."""
        self._lift_pen()
        self.drawing.rotate(degrees)
        self._draw_change()

    def _draw_change(self) -> None:
        self.refresh()
        self.post_message(self.Changed())

    # --- drawing ---

    def render(self) -> Text:
        return Text("\n", no_wrap=True).join(self._ascii_lines() if self._ascii_only else self._colour_lines())

    def _colour_lines(self) -> list[Text]:
        rows: list[list[Pixel]] = [list(row) for row in pixels(self.drawing.pixels)]
        if self._is_pen_seen:
            rows[self._pen[1]][self._pen[0]] = PEN
        if self._scale == 0:
            return half_blocks(rows)
        return [line for row in rows for line in [wide_blocks(row, 2 * self._scale)] * self._scale]

    def _ascii_lines(self) -> list[Text]:
        grey = pixels(self.drawing.pixels)
        if self._scale == 0:
            lines, width, rows_in_line = ramp_lines(grey), 1, 2
        else:
            width, rows_in_line = 2 * self._scale, 1
            lines = ["".join(RAMP[value * len(RAMP) // 256] * width for value in row) for row in grey]
        if self._is_pen_seen:
            number, start = self._pen[1] // rows_in_line, self._pen[0] * width
            line = lines[number]
            lines[number] = line[:start] + "+" * width + line[start + width :]
        return [Text(line, no_wrap=True) for line in lines for _ in range(max(1, self._scale))]

    @property
    def _is_pen_seen(self) -> bool:
        """Whether the pen that the keys move is drawn."""
        return self.has_focus and not self._is_dragging
