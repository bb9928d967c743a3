"""What the network is really fed: a strip of training digits after augmentation, drawn in half blocks."""

import textwrap
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.color import Color
from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

SIDE = 28
RAMP = " .:-=+*#%@"
"""Grey in ten steps, for terminals that have no colours or no blocks."""
GAP = 1
"""Cells between two digits."""
WHOLE_DIGITS = 4

Draw = Callable[[Sequence[Sequence[int]]], list[Text]]
"""Grey values as lines of text."""


def pixels(digit: bytes, factor: int) -> list[list[int]]:
    """The grey values row by row; with `factor` 2 every value is the mean of 2x2 pixels."""
    if factor == 1:
        return [list(digit[row * SIDE : (row + 1) * SIDE]) for row in range(SIDE)]
    half = SIDE // 2
    return [
        [
            sum(digit[(2 * row + y) * SIDE + 2 * column + x] for y in (0, 1) for x in (0, 1)) // 4
            for column in range(half)
        ]
        for row in range(half)
    ]


def half_blocks(grey: Sequence[Sequence[int]]) -> list[Text]:
    """Two rows of pixels in each line: the upper half of a cell is its character, the lower its background."""
    lines = []
    for upper, lower in zip(grey[::2], grey[1::2], strict=True):
        line = Text(no_wrap=True)
        for top, bottom in zip(upper, lower, strict=True):
            line.append("▀", Style(color=Color.from_rgb(top, top, top), bgcolor=Color.from_rgb(bottom, bottom, bottom)))
        lines.append(line)
    return lines


def ramp(grey: Sequence[Sequence[int]]) -> list[Text]:
    """Two rows of pixels in each line, as one of ten characters."""
    lines = []
    for upper, lower in zip(grey[::2], grey[1::2], strict=True):
        lines.append(Text("".join(RAMP[(a + b) // 2 * len(RAMP) // 256] for a, b in zip(upper, lower, strict=True))))
    return lines


def layout(width: int, height: int) -> tuple[int, int, int]:
    """By what digits are made smaller, how many stand side by side, and how many rows of them there are.

    Whole where at least `WHOLE_DIGITS` have room: rotated and shifted digits are told by looking at several.
    """
    for factor in (1, 2):
        side = SIDE // factor
        across, down = (width + GAP) // (side + GAP), height // (side // 2 + 1)
        if across * down >= WHOLE_DIGITS:
            return factor, across, down
    return 2, max(1, across), max(1, down)


class DigitsStrip(Widget):
    """As many digits as fit, each with its label below; a click draws others."""

    DEFAULT_CSS = "DigitsStrip { height: 1fr; }"
    ALLOW_SELECT: ClassVar[bool] = False

    class Redraw(Message):
        """Somebody wants other digits."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self.ascii_only = ascii_only
        self._digits: Sequence[bytes] = ()
        self._labels: Sequence[int] = ()
        self._caption = "after PyTorch is loaded"

    def show(self, digits: Sequence[bytes], labels: Sequence[int], caption: str) -> None:
        """Shows digits of 784 grey values each."""
        self._digits, self._labels, self._caption = digits, labels, caption
        self.refresh()

    def show_waiting(self, reason: str) -> None:
        """Shows why there are none."""
        self._digits, self._caption = (), reason
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Redraw())

    def render(self) -> Text:
        width, height = self.size.width, self.size.height
        newline = Text("\n", no_wrap=True)
        if not self._digits or height < SIDE // 4 + 1:
            return newline.join(self._caption_lines(width, height))
        factor, across, down = layout(width, height - 1)
        draw = ramp if self.ascii_only else half_blocks
        lines: list[Text] = []
        for first in range(0, min(len(self._digits), across * down), across):
            lines += self._row(slice(first, first + across), factor, draw, has_labels=height > SIDE // 2 // factor + 1)
        return newline.join([*lines, *self._caption_lines(width, height - len(lines))])

    def _caption_lines(self, width: int, height: int) -> list[Text]:
        """The caption in as many lines as there are; what has no room in the last is cut."""
        whole = textwrap.wrap(self._caption, max(1, width))
        last = Text(" ".join(whole[height - 1 :]), "dim", no_wrap=True)
        last.truncate(max(0, width), overflow="crop" if self.ascii_only else "ellipsis")
        return [*(Text(line, "dim", no_wrap=True) for line in whole[: height - 1]), last][:height]

    def _row(self, part: slice, factor: int, draw: Draw, has_labels: bool) -> list[Text]:
        """Digits beside each other, and their labels below."""
        gap = Text(" " * GAP)
        columns = [draw(pixels(digit, factor)) for digit in self._digits[part]]
        lines = [gap.join(parts) for parts in zip(*columns, strict=True)]
        labels = gap.join(Text(f"{label:^{SIDE // factor}}", "bold") for label in self._labels[part])
        return [*lines, labels] if has_labels else lines
