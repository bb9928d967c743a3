"""What a redraw of the live chart costs, with our braille canvas and with plotext: `python benchmarks/charts.py`.

Both draw three accuracy curves with markers at their points, axes and ticks, in the same number of cells and over the
same range, and end in a `rich.text.Text`, which is what Textual puts on the screen. plotext ends in a string with ANSI
sequences: its time is given to the string, and to the `Text` that is read from it.
"""

import argparse
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import plotext
from rich.style import Style
from rich.text import Text

from mnist_tui.analysis.axes import ticks
from mnist_tui.tui.charts.canvas import Canvas, Frame
from mnist_tui.tui.charts.curves import Curve, Role
from mnist_tui.tui.charts.plot import COLOURS, POINTS, Drawing, Picture, View
from mnist_tui.tui.themes import DARK, rgb

SIZES = ((60, 15), (160, 40))
"""Cells of a chart: width and height."""
EPOCHS = (20, 100)
REDRAWS = 100
ROLES: tuple[Role, ...] = ("train", "val", "test")
THEME = DARK.to_color_system().generate()


def main() -> None:
    """Prints a row for each length and size, then what either draws where two curves pass through one cell."""
    print("milliseconds of processor time, median")
    print(f"{'epochs':>6} {'cells':>7}  {'ours':>8} {'plotext':>8} {'and Text':>8}")
    for epochs in EPOCHS:
        for width, height in SIZES:
            drawing = drawing_of(curves_over(epochs), width, height)
            draw: list[Callable[[], object]] = [drawing.text, partial(with_plotext, drawing), partial(as_text, drawing)]
            cells = f"{width}x{height}"
            print(f"{epochs:>6} {cells:>7}  {' '.join(f'{milliseconds(each):>8.2f}' for each in draw)}")
    print(f"two level curves through one row of cells: ours {shared_cells()!r}, plotext {shared_cells_of_plotext()!r}")


def curves_over(epochs: int) -> list[Curve]:
    """Accuracies in percent that rise as those of a run do, each with its own small swings."""
    xs = [float(epoch) for epoch in range(1, epochs + 1)]
    return [
        Curve(role, role, xs, [99 + index / 4 - 6 / x + 0.2 * math.sin(3 * x + index) for x in xs])
        for index, role in enumerate(ROLES)
    ]


def drawing_of(curves: Sequence[Curve], width: int, height: int) -> Drawing:
    """The chart of the dashboard for these curves."""
    last = curves[0].xs[-1]
    view = View("accuracy", high_x=last)
    return Drawing(Picture(curves, x_max=last), view, width, height, ascii_only=False, colours=THEME)


def with_plotext(drawing: Drawing) -> str:
    """The same chart by plotext, as a string with ANSI sequences."""
    frame = drawing.frame()
    assert frame is not None
    plotext.clear_figure()
    plotext.plot_size(drawing.width, drawing.height)
    plotext.frame(False)
    plotext.xlim(frame.low_x, frame.high_x)
    plotext.ylim(frame.low_y, frame.high_y)
    plotext.xticks(ticks(frame.low_x, frame.high_x, max(2, frame.width // 8), False))
    plotext.yticks(ticks(frame.low_y, frame.high_y, max(2, frame.height // 3), False))
    for curve in drawing.picture.lines:
        colour = rgb(THEME, COLOURS[curve.role])
        plotext.plot(curve.xs, curve.ys, marker="braille", color=colour)
        if point := POINTS[curve.role][False]:
            every = max(1, 3 * len(curve.xs) // frame.width)
            plotext.scatter(curve.xs[::-every], curve.ys[::-every], marker=point, color=colour)
    text: str = plotext.build()
    return text


def as_text(drawing: Drawing) -> Text:
    """The chart by plotext, as what Textual draws."""
    return Text.from_ansi(with_plotext(drawing))


def milliseconds(draw: Callable[[], object]) -> float:
    """The median of the processor time of a redraw; the first ones fill caches."""
    times = []
    for _ in range(REDRAWS + 5):
        began = time.process_time()
        draw()
        times.append(1000 * (time.process_time() - began))
    return median(times[5:])


LEVELS = (2.05, 1.7)
"""Of two level curves, in the middle of 0 to 4: within one of five rows of cells, in two rows of dots."""


def shared_cells() -> str:
    """A row of our canvas through which two curves pass."""
    canvas = Canvas(Frame(width=4, height=5, low_x=0, high_x=3, low_y=-0.5, high_y=4.5))
    for level in LEVELS:
        canvas.draw([0, 3], [level, level], Style())
    return canvas.lines()[2].plain


def shared_cells_of_plotext() -> str:
    """The same row by plotext."""
    plotext.clear_figure()
    plotext.plot_size(4, 5)
    plotext.frame(False)
    plotext.xticks([])
    plotext.yticks([])
    plotext.xlim(0, 3)
    plotext.ylim(0, 4)
    for level in LEVELS:
        plotext.plot([0, 3], [level, level], marker="braille")
    return str(plotext.uncolorize(plotext.build()).splitlines()[2])


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
