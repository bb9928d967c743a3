"""Sixel images among the cells of a screen: private characters stand in their place until the driver writes the image.

So an image is written again only where it was covered, and what covers it is written as any other text. Kitty's own
protocol does the same in the terminal ("Unicode placeholders", https://sw.kovidgoyal.net/kitty/graphics-protocol/).
"""

from typing import NamedTuple

_FIRST = 0x100000
"""The first character of Unicode's last private plane."""
_COLUMNS = 32
_ROWS = 16
_CELLS = _COLUMNS * _ROWS
MAX_IMAGES = 127
"""So many fit into the plane; one more replaces the oldest."""


class SixelCell(NamedTuple):
    """What a private character stands for."""

    number: int
    """The image, 0 to 126."""
    row: int
    column: int


class SixelImages:
    """The sixel data of images of at most 32x16 cells."""

    def __init__(self) -> None:
        self._data: dict[int, str] = {}
        self._next = 0

    def add(self, data: str, width: int, height: int) -> list[str]:
        """Lines of private characters that stand for an image of `width` x `height` cells."""
        if not (0 < width <= _COLUMNS and 0 < height <= _ROWS):
            raise ValueError(f"an image of {width}x{height} cells")
        first = _FIRST + self._next * _CELLS
        self._data[self._next] = data
        self._next = (self._next + 1) % MAX_IMAGES
        return ["".join(chr(first + row * _COLUMNS + column) for column in range(width)) for row in range(height)]

    def data(self, number: int) -> str:
        """The sixel data of an image."""
        return self._data[number]

    def cell(self, character: str) -> SixelCell | None:
        """What a character stands for; None for any that is not part of an image."""
        place = ord(character[0]) - _FIRST
        if place < 0 or place // _CELLS not in self._data:
            return None
        return SixelCell(place // _CELLS, place % _CELLS // _COLUMNS, place % _COLUMNS)
