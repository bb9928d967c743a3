"""Images of 28x28 grey values and confusion matrices as lines of text, without colours and without a screen."""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise, zip_longest

from mnist_tui.analysis.confusion import Matrix
from mnist_tui.text import fitted, in_ascii

SIDE = 28
RAMP = " .:-=+*#%@"
"""Grey in ten steps, for terminals that have no colours or no blocks."""
BLOCKS = " ▀▄█"
"""Two pixels above each other in one cell: neither bright, the upper, the lower, both."""
BRIGHT = 96
"""Grey values from here on are drawn as a block: strokes of MNIST's digits stay closed, their soft edges stay thin."""
HEAT = " ░▒▓█"
ASCII_HEAT = " .+#@"
GAP = 2
"""Cells between two pictures."""

Grey = Sequence[Sequence[int]]
"""Rows of grey values, 0 to 255; an even number of rows."""


def pixels(digit: bytes, side: int = SIDE) -> list[list[int]]:
    """The grey values of 784 bytes in `side` rows; with fewer than 28 each is the mean of the area that it covers."""
    rows = [digit[row * SIDE : (row + 1) * SIDE] for row in range(SIDE)]
    if side == SIDE:
        return [list(row) for row in rows]
    areas = _areas(side)
    narrow = [[sum(share * row[old] for old, share in area) for area in areas] for row in rows]
    return [
        [round(sum(share * narrow[old][column] for old, share in area)) for column in range(side)] for area in areas
    ]


@lru_cache
def _areas(side: int) -> list[list[tuple[int, float]]]:
    """Which of 28 pixels each of `side` covers, and what share of it each of them is."""
    edges = [number * SIDE / side for number in range(side + 1)]
    return [
        [
            (old, (min(last, old + 1) - max(first, old)) / (last - first))
            for old in range(int(first), min(SIDE, math.ceil(last)))
        ]
        for first, last in pairwise(edges)
    ]


def ramp_lines(grey: Grey) -> list[str]:
    """Two rows of pixels in each line, their mean as one of ten characters."""
    pairs = zip(grey[::2], grey[1::2], strict=True)
    return [
        "".join(RAMP[(a + b) // 2 * len(RAMP) // 256] for a, b in zip(upper, lower, strict=True))
        for upper, lower in pairs
    ]


def block_lines(grey: Grey) -> list[str]:
    """Two rows of pixels in each line as half blocks in the terminal's own colour, black or white."""
    pairs = zip(grey[::2], grey[1::2], strict=True)
    return [
        "".join(BLOCKS[(a >= BRIGHT) + 2 * (b >= BRIGHT)] for a, b in zip(upper, lower, strict=True))
        for upper, lower in pairs
    ]


def grey_levels(values: Iterable[Iterable[float]], highest: float | None = None) -> list[list[int]]:
    """Numbers as grey values: 0 and less is black; `highest`, where it is None the largest of them, is white."""
    rows = [list(row) for row in values]
    top = max((value for row in rows for value in row), default=0.0) if highest is None else highest
    if not top > 0:
        return [[0] * len(row) for row in rows]
    return [[round(255 * min(1.0, max(0.0, value / top))) for value in row] for row in rows]


def gallery_lines(
    pictures: Sequence[tuple[bytes, Sequence[str]]], width: int, ascii_only: bool = False, side: int = SIDE
) -> list[str]:
    """Pictures of 784 grey values beside each other in `width` cells, each with its caption's lines below.

    At least one stands in a row; captions are cut to a picture's width. `side` is a picture's width.
    """
    across = max(1, (width + GAP) // (side + GAP))
    lines: list[str] = []
    for first in range(0, len(pictures), across):
        columns = [_captioned(*picture, side, ascii_only) for picture in pictures[first : first + across]]
        rows = zip_longest(*columns, fillvalue=" " * side)
        lines += [(" " * GAP).join(row).rstrip() for row in rows] + [""]
    return lines[:-1]


def _captioned(digit: bytes, caption: Sequence[str], side: int, ascii_only: bool) -> list[str]:
    draw = ramp_lines if ascii_only else block_lines
    words = [fitted(line, side) for line in caption]
    return [*draw(pixels(digit, side)), *(in_ascii(line) if ascii_only else line for line in words)]


def matrix_lines(matrix: Matrix, ascii_only: bool = False, signed: bool = False) -> list[str]:
    """A confusion matrix with its classes; behind each count off the diagonal its heat, as one of five characters.

    Heat is the count's size against the largest off the diagonal, where the few mistakes are: the diagonal, with
    nearly all images, would outshine them. `signed` marks a difference of two runs: `+3`, `-1`.
    """
    cells = [[f"{count:+d}" if signed and count else str(count) for count in row] for row in matrix]
    width = max(3, *(len(cell) for row in cells for cell in row))
    largest = max(abs(count) for label, row in enumerate(matrix) for other, count in enumerate(row) if label != other)
    head = "true \\ predicted"
    lines = [head + "".join(f"{label:>{width + 1}} " for label in range(len(matrix)))]
    for label, (counts, texts) in enumerate(zip(matrix, cells, strict=True)):
        line = f"{label:>{len(head)}}"
        for other, (count, text) in enumerate(zip(counts, texts, strict=True)):
            is_diagonal = label == other
            heat = " " if is_diagonal else _heat(abs(count), largest, ascii_only)
            line += f"{text if count or is_diagonal else '.':>{width + 1}}{heat}"
        lines.append(line)
    return [line.rstrip() for line in lines]


def _heat(count: int, largest: int, ascii_only: bool) -> str:
    """A character that is the fuller the larger the count; blank for 0."""
    steps = ASCII_HEAT if ascii_only else HEAT
    return steps[-(-count * (len(steps) - 1) // largest)] if count else steps[0]


def bar(share: float, width: int, ascii_only: bool = False) -> str:
    """A share of 0..1 as a bar of `width` cells."""
    full = round(min(1.0, max(0.0, share)) * width)
    return (("#" if ascii_only else "█") * full).ljust(width)
