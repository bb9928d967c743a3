"""The leaderboard as SVG: accuracy over parameters, the front, intervals, budgets, targets and published figures."""

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from mnist_tui.analysis import axes
from mnist_tui.analysis import leaderboard_scale as scale
from mnist_tui.analysis.comparison import MEASURES
from mnist_tui.analysis.leaderboard import BUDGETS, Entry, Leaderboard
from mnist_tui.analysis.leaderboard_scale import NAMES, Kind, Point, Window
from mnist_tui.analysis.leaderboard_text import NO_RUN, accuracy_words, interval_words
from mnist_tui.report import svg
from mnist_tui.report.svg_chart import CHARACTER, LINE, Axes, LegendEntry, draw_axes, draw_legend, legend_rows
from mnist_tui.text import cell_width, fitted

WIDTH, PLOT_HEIGHT = 720.0, 320.0
LEFT, RIGHT, BELOW_AXIS = 58.0, 24.0, 44.0
MARGIN = 18.0
NAMED = 16
"""Recipes of the front that have their name beside them."""
LABEL = 24
"""Characters of a name."""
DESCRIBED = 8
"""Recipes that the description names."""
TICK_ROOM = 26.0
"""Room between the labels of two numbers of parameters."""
CAP = 4.0
"""Half the width of the ends of an interval."""

STYLES: dict[Kind, tuple[str, str, float]] = {
    "front": ("circle", "f-fill1", 5.0),
    "behind": ("circle", "f-fill5", 3.5),
    "published": ("circle", "f-hollow0", 4.0),
    "elsewhere": ("square", "f-hollow0", 3.5),
}
"""Shape, class and radius of each kind of point."""


def leaderboard_svg(board: Leaderboard) -> str:
    """The leaderboard as a standalone SVG; without a run it says what is needed for one."""
    rows = legend_rows(_legend(board), WIDTH - LEFT - RIGHT)
    top = 46 + LINE * len(rows)
    height = top + PLOT_HEIGHT + BELOW_AXIS if board.entries else 2 * LINE
    root = svg.figure("Leaderboard", _description(board), WIDTH, height)
    if not board.entries:
        svg.write(root, MARGIN, 1.2 * LINE, NO_RUN, "f-muted")
        return svg.as_text(root)
    draw_legend(root, rows, LEFT, 10)
    window = scale.window(board)
    plot = Axes(LEFT, top, WIDTH - LEFT - RIGHT, PLOT_HEIGHT, window.low_x, window.high_x, window.low_y, window.high_y)
    _draw_axes(root, plot, window, board.targets)
    _draw_limits(root, plot, board.targets)
    corners = scale.front_line(board)
    svg.draw(root, [(plot.x(x), plot.y(y)) for x, y in corners], "f-curve f-stroke1")
    for entry in board.entries:
        _draw_interval(root, plot, entry)
    for point in scale.points(board):
        _draw_point(root, plot, point)
    _write_names(root, plot, board)
    return svg.as_text(root)


def _draw_axes(root: Element, plot: Axes, window: Window, targets: Sequence[float]) -> None:
    accuracies = {scale.height(tick): f"{100 * tick:.6g}" for tick in window.accuracy_ticks(8)}
    near = [plot.y(scale.height(target)) for target in targets]
    apart = {y: label for y, label in accuracies.items() if all(abs(plot.y(y) - other) > LINE / 2 for other in near)}
    labels = apart | {scale.height(target): scale.percent(target) for target in targets}
    by_budget = sorted(window.parameter_ticks(8), key=lambda tick: tick not in BUDGETS)
    ticks = axes.spaced(by_budget, lambda tick: plot.x(math.log10(tick)), TICK_ROOM)
    parameters = {math.log10(tick): scale.thousands(tick) for tick in ticks}
    draw_axes(root, plot, parameters, labels, "parameters", "test accuracy, %")


def _draw_limits(root: Element, plot: Axes, targets: Sequence[float]) -> None:
    """The budgets as upright lines, the targets as level ones."""
    for budget in BUDGETS:
        x = plot.x(math.log10(budget))
        svg.draw(root, [(x, plot.top), (x, plot.bottom)], "f-axis f-dotted")
    for target in targets:
        y = plot.y(scale.height(target))
        svg.draw(root, [(plot.left, y), (plot.left + plot.width, y)], "f-target f-dashed")


def _draw_interval(root: Element, plot: Axes, entry: Entry) -> None:
    if entry.interval is None:
        return
    x = plot.x(math.log10(entry.parameters))
    low, high = (plot.y(scale.height(end)) for end in entry.interval)
    style = f"f-interval f-stroke{1 if entry.front else 5}"
    svg.draw(root, [(x, low), (x, high)], style)
    for y in (low, high):
        svg.draw(root, [(x - CAP, y), (x + CAP, y)], style)


def _draw_point(root: Element, plot: Axes, point: Point) -> None:
    """A point; one below the plot as a triangle at its edge."""
    shape, style, radius = STYLES[point.kind]
    if point.y < plot.low_y:
        svg.mark(root, "below", plot.x(point.x), plot.bottom - 5, style, 3.5)
    else:
        svg.mark(root, shape, plot.x(point.x), plot.y(point.y), style, radius)


def _write_names(root: Element, plot: Axes, board: Leaderboard) -> None:
    """The names of the recipes on the front, above their points: to the right, or where that is outside to the left."""
    taken: list[tuple[float, float, float]] = []
    for entry in sorted(board.front, key=lambda entry: entry.front or 0)[:NAMED]:
        name = fitted(entry.arm.label, LABEL).rstrip() if cell_width(entry.arm.label) > LABEL else entry.arm.label
        width = CHARACTER * cell_width(name)
        x, y = plot.x(math.log10(entry.parameters)), plot.y(scale.height(entry.accuracy)) - 7
        left = x + 7 if x + 7 + width < plot.left + plot.width else x - 7 - width
        if all(left > end or left + width < start or abs(y - other) > 12 for start, end, other in taken):
            taken.append((left, left + width, y))
            svg.write(root, left, y, name, "f-name")


# --- words ---


def _legend(board: Leaderboard) -> list[LegendEntry]:
    entries = [LegendEntry(NAMES[kind], "", STYLES[kind][0], STYLES[kind][1]) for kind in scale.kinds(board)]
    if any(entry.interval for entry in board.entries):
        entries.append(LegendEntry("95% interval of the mean of seeds", "f-interval f-stroke5"))
    return [*entries, LegendEntry("target", "f-target f-dashed"), LegendEntry("budget", "f-axis f-dotted")]


def _description(board: Leaderboard) -> str:
    """The front in words, and what else there is."""
    if not board.entries:
        return f"{NO_RUN}."
    front = board.front[::-1]
    named = "; ".join(_words(entry, board.targets) for entry in front[:DESCRIBED])
    more = f"; and {len(front) - DESCRIBED} more" if len(front) > DESCRIBED else ""
    behind = len(board.entries) - len(front)
    return (
        f"Recipes by the {MEASURES[board.measure]} and by parameters. On the front: {named}{more}. "
        f"{behind} behind it, and {len(board.published)} published figures, which are not ranked."
    )


def _words(entry: Entry, targets: Sequence[float]) -> str:
    interval = interval_words(entry)
    extra = f", {entry.seeds} seeds, 95% interval {interval}" if interval else ""
    return f"{entry.arm.label}, {entry.parameters:,} parameters, {accuracy_words(entry, targets)}{extra}"
