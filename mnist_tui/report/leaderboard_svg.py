"""The leaderboard as SVG: accuracy over parameters, the front, intervals, budgets, goals and published figures."""

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from mnist_tui.analysis import leaderboard_scale as scale
from mnist_tui.analysis.comparison import MEASURES
from mnist_tui.analysis.leaderboard import BUDGETS, Entry, Leaderboard
from mnist_tui.analysis.leaderboard_scale import BELOW, NAMES, Kind, Point
from mnist_tui.analysis.leaderboard_text import NO_RUN, accuracy_words, interval_words
from mnist_tui.report import svg
from mnist_tui.report.svg_chart import CHARACTER, LINE, Axes, LegendEntry, draw_axes, draw_legend, legend_rows
from mnist_tui.text import cell_width, fitted

WIDTH, PLOT_HEIGHT = 720.0, 320.0
LEFT, RIGHT, BELOW_AXIS = 58.0, 24.0, 44.0
NAMED = 16
"""Recipes of the front that have their name beside them."""
LABEL = 24
"""Characters of a name."""
DESCRIBED = 8
"""Recipes that the description names."""
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
    top = 56 + LINE * len(rows)
    root = svg.figure("Leaderboard", _description(board), WIDTH, top + PLOT_HEIGHT + BELOW_AXIS)
    if not board.entries:
        svg.write(root, LEFT, top, NO_RUN, "f-muted")
        return svg.as_text(root)
    draw_legend(root, rows, LEFT, 10)
    shown = scale.window(board)
    plot = Axes(LEFT, top, WIDTH - LEFT - RIGHT, PLOT_HEIGHT, shown.low_x, shown.high_x, shown.low_y, shown.high_y)
    _draw_axes(root, plot, shown)
    _draw_lines(root, plot, board.goals)
    corners = scale.front_line(board)
    svg.draw(root, [(plot.x(x), plot.y(y)) for x, y in corners], "f-curve f-stroke1")
    for entry in board.entries:
        _draw_interval(root, plot, entry)
    for point in scale.points(board):
        _draw_point(root, plot, point)
    _write_names(root, plot, board)
    return svg.as_text(root)
