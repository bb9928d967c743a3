"""Curves as plots in text, for terminals without the dashboard and for log files: accuracies, and the range test."""

import math
from collections.abc import Mapping, Sequence

from mnist_tui.analysis import axes
from mnist_tui.analysis import leaderboard_scale as scale
from mnist_tui.analysis.leaderboard import BUDGETS, Leaderboard
from mnist_tui.text import in_ascii

SETTLED = 0.25
"""The share of the epochs, from the first, that may lie below the plot: they would flatten the rest."""
FRAME_LINES = 5
"""Lines of a figure that are not of its plot: its title, frame, ticks and the name of the axis."""
LABEL_CELLS = 4
"""Cells between two numbers of parameters below a plot, such as `8k` and `10k`, from middle to middle."""
MARKERS = ("dot", "x", "o", "+", "*")
"""One for each curve, so that curves differ without colours."""


def accuracy_plot(curves: Mapping[str, Sequence[float]], width: int, height: int, ascii_only: bool) -> list[str]:
    """The lines of a plot of `width` x `height` cells, without colours; [] where no curve has an epoch.

    `curves` holds, by the name in the legend, test accuracies in epochs 1, 2, … as fractions.
    """
    drawn = {name: [100 * value for value in values] for name, values in curves.items() if values}
    if not drawn:
        return []
    import plotext  # 0.2 s, and global state: one figure at a time.

    _begin_figure("test accuracy, %", "epoch", width, height)
    low, high = _limits(list(drawn.values()))
    plotext.ylim(low, high)
    last = max(map(len, drawn.values()))
    plotext.xlim(1, max(2, last))
    plotext.xticks(_epoch_ticks(last))
    markers = (".", *MARKERS[1:]) if ascii_only else MARKERS
    for (name, values), marker in zip(drawn.items(), markers * len(drawn), strict=False):
        visible = {epoch: value for epoch, value in enumerate(values, start=1) if value >= low}
        plotext.plot(
            list(visible), list(visible.values()), label=name, marker="." if ascii_only and marker == "dot" else marker
        )
    return _figure_lines(ascii_only)


def range_test_plot(
    rates: Sequence[float],
    losses: Sequence[float],
    marks: Mapping[str, float],
    width: int,
    height: int,
    ascii_only: bool,
) -> list[str]:
    """The lines of a plot of losses over learning rates on a logarithmic axis; [] where there is no loss.

    `marks` are learning rates to be marked on the curve, by their names in the title. A loss that diverges leaves the
    plot through its top, since it would flatten the rest.
    """
    if not losses:
        return []
    import plotext

    signs = dict(zip(marks, MARKERS[1:], strict=False))
    _begin_figure(
        ", ".join(["smoothed loss", *(f"{sign} {name}" for name, sign in signs.items())]),
        "learning rate",
        width,
        height,
    )
    exponents = [math.log10(rate) for rate in rates]
    lowest = min(losses)
    highest = max(losses[: losses.index(lowest) + 1])
    room = max(0.1 * (highest - lowest), 0.01 * highest, 0.01)
    plotext.ylim(lowest - room, highest + room)
    plotext.xlim(exponents[0], max(exponents[-1], exponents[0] + 1))
    inside = {exponent: loss for exponent, loss in zip(exponents, losses, strict=True) if loss <= highest + room}
    plotext.plot(list(inside), list(inside.values()), marker="." if ascii_only else MARKERS[0])
    for name, sign in signs.items():
        nearest = min(range(len(rates)), key=lambda step: abs(exponents[step] - math.log10(marks[name])))
        plotext.scatter([exponents[nearest]], [losses[nearest]], marker=sign)
    ticks = list(range(math.ceil(exponents[0] - 1e-9), math.floor(exponents[-1] + 1e-9) + 1))
    plotext.xticks(ticks, [f"{10.0**tick:g}" for tick in ticks])
    return _figure_lines(ascii_only)


def leaderboard_plot(board: Leaderboard, width: int, height: int, ascii_only: bool) -> list[str]:
    """The lines of a plot of test accuracy over the number of parameters, and above it what its signs are.

    A line joins the recipes on the front, upright bars are 95% intervals. Both axes are logarithmic, of accuracies the
    error is; a published figure below the plot is marked at its lower edge.
    """
    import plotext

    window = scale.window(board)
    _begin_figure("test accuracy, %", "parameters", width, height)
    plotext.xlim(window.low_x, window.high_x)
    plotext.ylim(window.low_y, window.high_y)
    for budget in BUDGETS:
        plotext.vline(math.log10(budget))
    for target in board.targets:
        plotext.hline(scale.height(target))
    if corners := scale.front_line(board):
        plotext.plot(*zip(*corners, strict=True), marker="." if ascii_only else "braille")
    for entry in board.entries:
        if entry.interval:
            plotext.plot([math.log10(entry.parameters)] * 2, [scale.height(end) for end in entry.interval], marker="┃")
    for point in scale.points(board):
        sign = scale.SIGNS[point.kind] if point.y >= window.low_y else scale.BELOW
        plotext.scatter([point.x], [max(point.y, window.low_y)], marker=sign[ascii_only])
    # Of labels in one place plotext draws any: budgets and targets, which have lines, go first.
    column, row = (window.high_x - window.low_x) / width, (window.high_y - window.low_y) / max(1, height - FRAME_LINES)
    by_budget = sorted(window.parameter_ticks(8), key=lambda tick: tick not in BUDGETS)
    parameters = axes.spaced(by_budget, math.log10, LABEL_CELLS * column)
    plotext.xticks([math.log10(tick) for tick in parameters], [scale.thousands(tick) for tick in parameters])
    accuracies = axes.spaced([*board.targets, *window.accuracy_ticks(8)], scale.height, row)
    plotext.yticks([scale.height(tick) for tick in accuracies], [scale.percent(tick) for tick in accuracies])
    return [scale.legend(board, ascii_only), *_figure_lines(ascii_only)]


def _begin_figure(title: str, xlabel: str, width: int, height: int) -> None:
    """An empty figure of plotext in place of the one before."""
    import plotext

    plotext.clear_figure()
    plotext.plot_size(width, height)
    plotext.title(title)
    plotext.xlabel(xlabel)


def _figure_lines(ascii_only: bool) -> list[str]:
    """The lines of plotext's figure, without colours."""
    import plotext

    text = plotext.uncolorize(plotext.build())
    text = in_ascii(text) if ascii_only else text
    return [line.rstrip() for line in text.splitlines()]


def _epoch_ticks(last: int) -> list[int]:
    """At most six whole numbers from the first epoch to the last."""
    step = max(1, -(-(last - 1) // 5))
    return sorted({*range(1, last + 1, step)})


def _limits(curves: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The lowest and the highest accuracy of the axis, with a little room between curve and frame."""
    settled = [value for values in curves for value in values[int(SETTLED * len(values)) :]]
    low, high = min(settled), max(value for values in curves for value in values)
    room = max(0.05 * (high - low), 0.01)
    return low - room, high + room
