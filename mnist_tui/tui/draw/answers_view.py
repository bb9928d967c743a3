"""What runs say about a drawing: the digit as their networks get it, a bar for each class, and how stable that is."""

from itertools import zip_longest
from textwrap import wrap

from rich.text import Text
from textual.widgets import Static

from mnist_tui.analysis.text_images import SIDE, pixels
from mnist_tui.text import cell_width, fitted
from mnist_tui.tui.draw.jobs import Answers, RunAnswer
from mnist_tui.tui.pixels import picture

LONGEST_BAR = 16
LONGEST_NAME = 12
"""Cells of the name of a class."""
BAR_CHROME = 9
"""Cells of a bar's line beside the bar: the class, the percent and the blanks between."""
GAP = 2
"""Cells between two runs."""
HINT = """\
Draw a digit with the mouse,
or with the keys: space puts the
pen down, the arrows move it."""


class AnswersView(Static):
    """The probabilities of the classes, run beside run."""

    DEFAULT_CSS = "AnswersView { width: 1fr; height: auto; padding: 0 1; }"

    def __init__(self, ascii_only: bool) -> None:
        super().__init__(Text(HINT, "dim"), markup=False)
        self._ascii_only = ascii_only
        self._answers: Answers | None = None

    def show(self, answers: Answers | None) -> None:
        """Shows answers; None for a blank canvas."""
        self._answers = answers
        if answers is None:
            self.update(Text(HINT, "dim"))
        else:
            self._draw()

    def show_error(self, error: str) -> None:
        """Says why there is no answer."""
        self._answers = None
        self.update(Text(f"! {error}"))

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._answers is None:
            return
        width, count = self.content_size.width, len(self._answers.runs)
        cells = max(BAR_CHROME, min(LONGEST_BAR + BAR_CHROME, (width - GAP * (count - 1)) // count))
        blocks = [self._run_lines(run, cells) for run in self._answers.runs]
        prepared = [Text("as MNIST's", "dim"), *picture(pixels(self._answers.digit, SIDE // 2), self._ascii_only)]
        if count * (cells + GAP) + SIDE // 2 <= width:
            lines = _side_by_side([*blocks, prepared])
        else:
            lines = [*_side_by_side(blocks), *prepared]
        self.update(Text("\n", no_wrap=True).join(lines))

    def _run_lines(self, run: RunAnswer, cells: int) -> list[Text]:
        """What one run says, each line `cells` wide."""
        if not run.probabilities:
            return _padded([Text(run.title, "bold"), *map(Text, wrap(f"! {run.error}", cells))], cells)
        best = max(range(len(run.probabilities)), key=lambda label: run.probabilities[label])
        widest = min(LONGEST_NAME, max(map(cell_width, run.classes)))
        full, room = "#" if self._ascii_only else "█", max(1, cells - BAR_CHROME - widest + 1)
        lines = [Text(f"{fitted(run.title, cells - 3).rstrip()}: {run.classes[best]}", "bold")]
        for label, probability in enumerate(run.probabilities):
            bar = full * round(probability * room)
            name = fitted(run.classes[label], widest)
            lines.append(Text(f"{name} {bar:<{room}} {probability:>6.1%}", "bold" if label == best else ""))
        if run.stability is not None:
            low, high = run.stability.range
            count = len(run.stability.variants)
            agreeing = round(run.stability.agreement * count)
            said = f"moved {count} times, {agreeing} say {run.classes[best]}, at {low:.1%} to {high:.1%}"
            lines += map(Text, wrap(said, cells))
        return _padded(lines, cells)


def _padded(lines: list[Text], cells: int) -> list[Text]:
    for line in lines:
        line.truncate(cells, pad=True)
    return lines


def _side_by_side(blocks: list[list[Text]]) -> list[Text]:
    """Blocks of lines beside each other; each but the last has lines of one width."""
    blanks = [Text(" " * block[0].cell_len) for block in blocks]
    return [
        Text(" " * GAP).join(line or blank for line, blank in zip(row, blanks, strict=True))
        for row in zip_longest(*blocks)
    ]
