"""Training digits after augmentation, drawn in half blocks, each with its label and the network's prediction."""

import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar

from rich.style import StyleType
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from mnist_tui.analysis.text_images import SIDE, pixels
from mnist_tui.datasets.published import MNIST
from mnist_tui.tui.pixels import picture

if TYPE_CHECKING:
    from mnist_tui.training.predict import Prediction

GAP = 1
"""Cells between two digits."""
WHOLE_DIGITS = 4
HIGHEST = 0.99
"""The highest probability that is shown: 0.996 would be rounded to a certainty."""
LEGEND = "label>prediction; "
"""In the caption while a visible prediction is wrong."""


def label_text(
    label: int,
    prediction: "Prediction | None",
    width: int,
    wrong: StyleType,
    names: Sequence[str] = MNIST.classes,
) -> Text:
    """The line under a digit, `width` cells: `7`, with a right prediction `7 99%`, with a wrong one `7>1 63%`.

    A wrong one has the style `wrong`; `names` are those of the classes.
    """
    is_wrong = prediction is not None and prediction.label != label
    named = [names[each] if each < len(names) else str(each) for each in (label, prediction.label if prediction else 0)]
    classes = ">".join(named) if is_wrong else named[0]
    probability = "" if prediction is None else f" {min(prediction.probability, HIGHEST):.0%}"
    text = Text.assemble((classes, wrong if is_wrong else "bold"), (probability, wrong if is_wrong else "dim"))
    text.truncate(width)
    text.pad_left((width - text.cell_len) // 2)
    text.pad_right(width - text.cell_len)
    return text


def layout(width: int, height: int) -> tuple[int, int, int]:
    """The side of a digit (28 pixels, or 14 where they are reduced), their number per row, and the number of rows.

    They are reduced unless at least `WHOLE_DIGITS` fit: an augmentation is judged by looking at several digits.
    """
    for side in (SIDE, SIDE // 2):
        across, down = (width + GAP) // (side + GAP), height // (side // 2 + 1)
        if across * down >= WHOLE_DIGITS:
            return side, across, down
    return SIDE // 2, max(1, across), max(1, down)


class DigitsStrip(Widget, can_focus=True):
    """As many digits as fit, each with its label and its prediction below; a click draws others."""

    DEFAULT_CSS = """
    DigitsStrip { height: 1fr; }
    DigitsStrip > .digits--wrong { color: $error; text-style: bold reverse; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"digits--wrong"}
    ALLOW_SELECT: ClassVar[bool] = False

    class Redraw(Message):
        """Posted by a click: other digits are to be drawn."""

    class Changed(Message):
        """Posted when other digits are shown, or none."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self.ascii_only = ascii_only
        self.digits: Sequence[bytes] = ()
        """The digits shown, 784 grey values each."""
        self._labels: Sequence[int] = ()
        self._names: Sequence[str] = MNIST.classes
        self._caption = "after PyTorch is loaded"
        self._predictions: Sequence[Prediction] = ()

    def show(
        self, digits: Sequence[bytes], labels: Sequence[int], caption: str, names: Sequence[str] = MNIST.classes
    ) -> None:
        """Shows digits of 784 grey values each; `names` are those of the classes."""
        self._names = names
        self.digits, self._labels, self._caption = digits, labels, caption
        self.show_predictions(())
        self.post_message(self.Changed())

    def show_predictions(self, predictions: Sequence["Prediction"]) -> None:
        """Shows the prediction below each digit; without any, the labels alone."""
        self._predictions = predictions
        self.refresh()

    def show_reason(self, reason: str) -> None:
        """Shows why there are no digits."""
        self.digits, self._caption = (), reason
        self.show_predictions(())
        self.post_message(self.Changed())

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Redraw())

    def render(self) -> Text:
        width, height = self.size.width, self.size.height
        lines: list[Text] = []
        caption = self._caption
        if self.digits and height > SIDE // 4:
            side, across, down = layout(width, height - 1)
            count = min(len(self.digits), across * down)
            has_labels = height > side // 2 + 1
            for first in range(0, count, across):
                lines += self._row(slice(first, first + across), side, has_labels)
            caption = self._legend(count) + caption
        return Text("\n", no_wrap=True).join([*lines, *self._caption_lines(caption, width, height - len(lines))])

    def _legend(self, count: int) -> str:
        """The legend for wrong predictions, if one of the first `count` digits has one; else ""."""
        labelled = zip(self._labels[:count], self._predictions, strict=False)
        return LEGEND if any(prediction.label != label for label, prediction in labelled) else ""

    def _caption_lines(self, caption: str, width: int, height: int) -> list[Text]:
        """The caption in at most `height` lines; the last one is cut."""
        whole = textwrap.wrap(caption, max(1, width))
        last = Text(" ".join(whole[height - 1 :]), "dim", no_wrap=True)
        last.truncate(max(0, width), overflow="crop" if self.ascii_only else "ellipsis")
        return [*(Text(line, "dim", no_wrap=True) for line in whole[: height - 1]), last][:height]

    def _row(self, part: slice, side: int, has_labels: bool) -> list[Text]:
        """Digits beside each other, and their labels below."""
        gap = Text(" " * GAP)
        columns = [picture(pixels(digit, side), self.ascii_only) for digit in self.digits[part]]
        lines = [gap.join(parts) for parts in zip(*columns, strict=True)]
        if not has_labels:
            return lines
        wrong = self.get_component_rich_style("digits--wrong", partial=True)
        labelled = zip_longest(self._labels[part], self._predictions[part])
        return [
            *lines,
            gap.join(label_text(label, prediction, side, wrong, self._names) for label, prediction in labelled),
        ]
