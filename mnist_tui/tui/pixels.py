"""Images as lines of half blocks, or as characters where there are no colours: two rows of pixels in each line."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from rich.color import Color
from rich.style import Style
from rich.text import Text

from mnist_tui.analysis.text_images import ramp_lines

Pixel = int | tuple[int, int, int]
"""A grey value, 0 to 255, or red, green and blue."""


def picture(grey: Sequence[Sequence[int]], ascii_only: bool) -> list[Text]:
    """Rows of grey values as half blocks; in ASCII as characters."""
    return ramp(grey) if ascii_only else half_blocks(grey)


def half_blocks(rows: Sequence[Sequence[Pixel]]) -> list[Text]:
    """The upper half of a cell is its character, the lower its background, which an odd last row leaves as it is.

    Neighbours of one colour are one span: the terminal gets fewer colours, and textual fewer segments to cut and join.
    """
    lines = []
    for number in range(0, len(rows), 2):
        upper = rows[number]
        lower = rows[number + 1] if number + 1 < len(rows) else [None] * len(upper)
        line = Text(no_wrap=True)
        for colours, cells in groupby(zip(upper, lower, strict=True)):
            line.append("▀" * len(list(cells)), _style(*colours))
        lines.append(line)
    return lines


def wide_blocks(row: Sequence[Pixel], width: int) -> Text:
    """One row of pixels in a line, each `width` cells wide."""
    line = Text(no_wrap=True)
    for pixel, cells in groupby(row):
        line.append(" " * width * len(list(cells)), _background(pixel))
    return line


def ramp(grey: Sequence[Sequence[int]]) -> list[Text]:
    """Each pair of pixels as one of ten characters; an odd last row is paired with itself."""
    even = [*grey, grey[-1]] if len(grey) % 2 else grey
    return [Text(line, no_wrap=True) for line in ramp_lines(even)]


def _color(pixel: Pixel) -> Color:
    return Color.from_rgb(pixel, pixel, pixel) if isinstance(pixel, int) else Color.from_rgb(*pixel)


@lru_cache(maxsize=2**16)
def _style(top: Pixel, bottom: Pixel | None) -> Style:
    return Style(color=_color(top), bgcolor=None if bottom is None else _color(bottom))


@lru_cache(maxsize=2**10)
def _background(pixel: Pixel) -> Style:
    return Style(bgcolor=_color(pixel))
