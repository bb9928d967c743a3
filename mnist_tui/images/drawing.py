"""A canvas of 28x28 pixels to draw a digit on: a soft round brush, erase, undo, clear, shift, rotate."""

import io
import math
from collections import deque
from typing import Self

from mnist_tui.errors import ImageError
from mnist_tui.images import move
from mnist_tui.images.prepare import SIDE

RADIUS = 1.1
"""Of the brush, in pixels, without its soft edge: strokes of 2 to 3 pixels, as MNIST's are."""
EDGE = 1.0
"""Width in pixels over which the brush goes from full to nothing."""
MAX_UNDO = 100

Point = tuple[float, float]
"""Column and row in pixels; the middle of the first pixel is (0.5, 0.5), the canvas ends at (28, 28)."""


class Drawing:
    """The pixels, and what they were before each change. A stroke is one `press` and any number of `drag`."""

    def __init__(self, pixels: bytes = bytes(SIDE * SIDE)) -> None:
        """`pixels`: 28 rows of 28 grey values, 0 (background) to 255; raises `ImageError` for fewer or more."""
        if len(pixels) != SIDE * SIDE:
            raise ImageError(f"a drawing has {SIDE * SIDE} pixels, these are {len(pixels)}")
        self._pixels = bytearray(pixels)
        self._previous: deque[bytes] = deque(maxlen=MAX_UNDO)
        self._pen: Point | None = None
        self._erases = False

    @property
    def pixels(self) -> bytes:
        """28 rows of 28 grey values, 0 (background) to 255."""
        return bytes(self._pixels)

    @property
    def is_blank(self) -> bool:
        """Whether nothing is drawn."""
        return not any(self._pixels)

    def copy(self) -> Self:
        """The same pixels, without what undo goes back to."""
        return type(self)(self.pixels)

    def press(self, point: Point, erase: bool = False) -> None:
        """Begins a stroke with a dot; with `erase` the stroke takes away."""
        self._remember()
        self._pen, self._erases = point, erase
        self._paint(point, point)

    def drag(self, point: Point) -> None:
        """Draws on from where the stroke is; without a stroke, begins one."""
        if self._pen is None:
            self.press(point)
            return
        self._paint(self._pen, point)
        self._pen = point

    def release(self) -> None:
        """Ends the stroke."""
        self._pen = None

    def undo(self) -> bool:
        """Takes the last change back, a whole stroke at once; False where there is none."""
        self._pen = None
        if not self._previous:
            return False
        self._pixels[:] = self._previous.pop()
        return True

    def clear(self) -> None:
        """Empties the canvas; can be undone."""
        self._replace(bytes(SIDE * SIDE))

    def shift(self, right: int, down: int) -> None:
        """Moves what is drawn by whole pixels."""
        self._replace(move.shift(self.pixels, right, down))

    def rotate(self, degrees: float) -> None:
        """Turns what is drawn anticlockwise about the middle."""
        self._replace(move.rotate(self.pixels, degrees))

    def to_png(self) -> bytes:
        """A PNG file of 28x28 grey pixels."""
        from PIL import Image

        file = io.BytesIO()
        Image.frombytes("L", (SIDE, SIDE), self.pixels).save(file, "PNG")
        return file.getvalue()

    def prepared(self) -> Self:
        """The drawing prepared as MNIST's digits are (`images.prepare`); raises `ImageError` where it is blank."""
        import numpy as np

        from mnist_tui.images.prepare import prepare

        return type(self)(prepare(np.frombuffer(self.pixels, dtype=np.uint8).reshape(SIDE, SIDE)))

    def _replace(self, pixels: bytes) -> None:
        self._remember()
        self._pen = None
        self._pixels[:] = pixels

    def _remember(self) -> None:
        if not self._previous or self._previous[-1] != self._pixels:
            self._previous.append(self.pixels)

    def _paint(self, start: Point, end: Point) -> None:
        """Lays the brush along a line; overlaps do not add up, so that a slow stroke is no thicker."""
        reach = RADIUS + EDGE
        rows, columns = (_range(start[axis], end[axis], reach) for axis in (1, 0))
        for row in rows:
            for column in columns:
                distance = _distance((column + 0.5, row + 0.5), start, end)
                ink = round(255 * min(1.0, max(0.0, (reach - distance) / EDGE)))
                place = row * SIDE + column
                old = self._pixels[place]
                self._pixels[place] = min(old, 255 - ink) if self._erases else max(old, ink)


def _range(one: float, other: float, reach: float) -> range:
    """The pixels of a side that a brush between two positions touches."""
    low, high = min(one, other) - reach, max(one, other) + reach
    return range(max(0, math.floor(min(low, SIDE))), min(SIDE, math.ceil(max(high, 0))))


def _distance(point: Point, start: Point, end: Point) -> float:
    """From a point to the nearest one of a line."""
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    from_x, from_y = point[0] - start[0], point[1] - start[1]
    squared = along_x**2 + along_y**2
    share = min(1.0, max(0.0, (from_x * along_x + from_y * along_y) / squared)) if squared else 0.0
    return math.hypot(from_x - share * along_x, from_y - share * along_y)
