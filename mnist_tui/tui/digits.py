"""What the network is really fed: a strip of training digits after augmentation, drawn in half blocks."""

from collections.abc import Sequence
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
        caption = Text(self._caption, "dim", no_wrap=True)
        caption.truncate(max(0, width), overflow="crop" if self.ascii_only else "ellipsis")
        if not self._digits or height < SIDE // 4 + 1:
            return caption
        factor = 1 if height > SIDE // 2 + 1 and width >= 2 * SIDE + GAP else 2
        side = SIDE // factor
        count = max(1, min(len(self._digits), (width + GAP) // (side + GAP)))
        draw = ramp if self.ascii_only else half_blocks
        columns = [draw(pixels(digit, factor)) for digit in self._digits[:count]]
        gap = Text(" " * GAP)
        lines = [gap.join(parts) for parts in zip(*columns, strict=True)]
        if height > len(lines) + 1:
            lines.append(gap.join(Text(f"{label:^{side}}", "bold") for label in self._labels[:count]))
        return Text("\n", no_wrap=True).join([*lines, caption])
