"""The learning rate over the run, as a small curve in the recipe form."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from mnist_tui.analysis.axes import number

BLOCKS = " ▁▂▃▄▅▆▇█"
RAMP = " _.-=+*#"


class RatesSketch(Static):
    """The learning rate over the run in two lines."""

    DEFAULT_CSS = "RatesSketch { width: 1fr; height: 2; padding: 0 1; color: $primary; }"

    def __init__(self, ascii_only: bool) -> None:
        super().__init__(markup=False)
        self._ascii_only = ascii_only
        self._rates: Sequence[float] = ()

    def show(self, rates: Sequence[float] | None) -> None:
        """Draws rates, evenly spaced over the run."""
        self._rates = rates or ()
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        self.update(Content(sketch(self._rates, self.size.width - 2, self._ascii_only)), layout=False)


def sketch(rates: Sequence[float], width: int, ascii_only: bool) -> str:
    """One line of blocks, as high as the rate, and one of numbers: the first, the highest, the last."""
    if not rates or width < 4:
        return "" if rates else "the schedule, once PyTorch is loaded"[: max(0, width)]
    steps = RAMP if ascii_only else BLOCKS
    top = max(rates) or 1.0
    columns = [rates[index * len(rates) // width] for index in range(width)]
    line = "".join(steps[max(1, round(rate / top * (len(steps) - 1)))] if rate > 0 else steps[0] for rate in columns)
    ends = f"{number(rates[0])}", f"max {number(max(rates))}", f"{number(rates[-1])}"
    middle = ends[1].center(max(0, width - len(ends[0]) - len(ends[2])))
    return f"{line}\n{(ends[0] + middle + ends[2])[:width]}"
