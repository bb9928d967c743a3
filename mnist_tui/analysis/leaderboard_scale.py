"""How a leaderboard is drawn, in text, on the screen and in reports: what is a point, where it stands, round ticks.

To the right the logarithm of the number of parameters; upwards the accuracy, on a scale that is logarithmic in the
error: 99.5 % is as far from 99 % as 95 % is from 90 %.
"""

import math
from dataclasses import dataclass
from typing import Literal

from mnist_tui.analysis import axes
from mnist_tui.analysis.leaderboard import BUDGETS, Leaderboard

SMALLEST_ERROR = 0.00005
"""Half of one image of 10,000: where an accuracy of 1 is drawn."""
SHOWN_FROM = 0.98
"""Published accuracies below this that are also below every run are marked at the edge: they would flatten the rest."""
ROOM = 0.06
"""Room beside the outermost points, as a share of the axis."""

Kind = Literal["front", "behind", "published", "elsewhere"]
SIGNS: dict[Kind, tuple[str, str]] = {
    "front": ("●", "#"),
    "behind": ("•", "x"),
    "published": ("○", "o"),
    "elsewhere": ("□", "+"),
}
"""The marker of each kind of point, with and without Unicode: runs are filled, published figures hollow."""
BELOW = ("▾", "v")
"""The marker of a published figure that is below what is drawn."""
NAMES: dict[Kind, str] = {
    "front": "on the front",
    "behind": "other recipes",
    "published": "published",
    "elsewhere": "published, other images",
}


@dataclass(frozen=True)
class Point:
    """A run's recipe or a published figure."""

    kind: Kind
    name: str
    parameters: int
    accuracy: float

    @property
    def x(self) -> float:
        """The logarithm of its parameters."""
        return math.log10(self.parameters)

    @property
    def y(self) -> float:
        """Its place on the scale of accuracies."""
        return height(self.accuracy)


def points(board: Leaderboard, has_published: bool = True) -> list[Point]:
    """Every point, those drawn last on top: published figures, then recipes behind the front, then the front."""
    published = [
        Point("published" if each.is_on_test_images else "elsewhere", each.name, each.parameters, each.accuracy)
        for each in (reversed(board.published) if has_published else ())
    ]
    runs = [
        Point("front" if entry.front else "behind", entry.arm.label, entry.parameters, entry.accuracy)
        for entry in reversed(board.entries)
    ]
    return [*published, *sorted(runs, key=lambda point: point.kind == "front")]


def kinds(board: Leaderboard, has_published: bool = True) -> list[Kind]:
    """The kinds of point that there are, in the order of a legend."""
    present = {point.kind for point in points(board, has_published)}
    return [kind for kind in SIGNS if kind in present]


def legend(board: Leaderboard, ascii_only: bool) -> str:
    """What the signs are, on one line."""
    return "  ".join(f"{SIGNS[kind][ascii_only]} {NAMES[kind]}" for kind in kinds(board))


def front_line(board: Leaderboard) -> list[tuple[float, float]]:
    """The corners of the front as a staircase: up to each number of parameters what is the highest accuracy."""
    corners: list[tuple[float, float]] = []
    for entry in board.front:
        x, y = math.log10(entry.parameters), height(entry.accuracy)
        corners += [(x, corners[-1][1])] if corners else []
        corners.append((x, y))
    return corners


def height(accuracy: float) -> float:
    """Where an accuracy, a fraction, stands on its scale: the negative logarithm of the error, to the base 10."""
    return -math.log10(max(1 - accuracy, SMALLEST_ERROR))


@dataclass(frozen=True)
class Window:
    """The part of a leaderboard that is drawn: logarithms of parameters, and heights of accuracies."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float

    def parameter_ticks(self, count: int) -> list[int]:
        """The budgets, and about `count` round numbers of parameters."""
        ticks = axes.ticks(10**self.low_x, 10**self.high_x, count, True)
        return sorted({*BUDGETS, *(round(tick) for tick in ticks)})

    def accuracy_ticks(self, count: int) -> list[float]:
        """At most about `count` round accuracies, fractions.

        Of round errors where the scale is a power of ten or longer, as 90, 95, 98, 99 %; else evenly spaced.
        """
        if self.high_y - self.low_y >= 1:
            return sorted(1 - error for error in axes.ticks(10**-self.high_y, 10**-self.low_y, count, True))
        low, high = (100 * (1 - 10**-y) for y in (self.low_y, self.high_y))
        return [tick / 100 for tick in axes.ticks(low, high, count, False)]


def window(board: Leaderboard, has_published: bool = True) -> Window:
    """A window with all runs and their intervals, the budgets and targets, and the published figures from 98 % on."""
    all_points = points(board, has_published)
    ends = [end for entry in board.entries for end in entry.interval or ()]
    runs = [entry.accuracy for entry in board.entries]
    parameters = [*BUDGETS, *(point.parameters for point in all_points)]
    accuracies = [
        *runs,
        *ends,
        *board.targets,
        *(point.accuracy for point in all_points if point.accuracy >= SHOWN_FROM),
    ]
    lowest, highest = min(accuracies, default=SHOWN_FROM), max(accuracies, default=1.0)
    low_x, high_x = _with_room(math.log10(min(parameters)), math.log10(max(parameters)))
    low_y, high_y = _with_room(height(lowest), height(highest))
    return Window(low_x, high_x, low_y, high_y)


def _with_room(low: float, high: float) -> tuple[float, float]:
    room = ROOM * (high - low) or ROOM
    return low - room, high + room


def percent(accuracy: float) -> str:
    """A round accuracy as a label, without its unit: `99.5`."""
    return f"{100 * accuracy:.6g}"


def thousands(parameters: int) -> str:
    """A round number of parameters as a label: `500`, `20k`, `1.5M`."""
    if parameters >= 1_000_000:
        return f"{parameters / 1_000_000:g}M"
    return f"{parameters / 1_000:g}k" if parameters >= 1_000 else str(parameters)
