"""The leaderboard as rows of text, as sentences and as records, for the command line and the dashboard."""

from collections.abc import Sequence
from typing import Any

from mnist_tui.analysis.comparison import MEASURES, Measure
from mnist_tui.analysis.leaderboard import BUDGETS, Entry, Leaderboard, Published
from mnist_tui.analysis.leaderboard_scale import thousands

HEADS = ("front", "name", "params", "test acc", "95% interval", "seeds", "below", "reaches", "remark")
IS_RIGHT = (True, False, True, True, False, True, True, True, False)
PUBLISHED_HEADS = ("name", "params", "accuracy", "below", "reaches", "measured on")
PUBLISHED_IS_RIGHT = (False, True, True, True, True, False)
NO_RUN = "no run is on the leaderboard yet: it needs one on MNIST that has ended, such as mnist-tui --batch step4"

FIGURES: dict[Measure, str] = {"best": "best epoch", "last": "last epoch"}
"""What the published figures are; of the mean of the last epochs there is none."""


def rows(board: Leaderboard) -> list[list[str]]:
    """A heading row, then a row for each recipe, the highest accuracy first."""
    return [list(HEADS), *(_row(entry, board.goals) for entry in board.entries)]


def _row(entry: Entry, goals: Sequence[float]) -> list[str]:
    return [
        str(entry.front or ""),
        entry.arm.label,
        f"{entry.parameters:,}",
        accuracy_words(entry, goals),
        interval_words(entry),
        str(entry.seeds),
        _below(entry.parameters),
        _reaches(entry.accuracy, goals),
        entry.remark,
    ]


def accuracy_words(entry: Entry, goals: Sequence[float]) -> str:
    """An accuracy with two decimals; with more where they would round a mean up to a goal that it misses."""
    digits = 2
    while digits < 6 and any(entry.accuracy < goal <= round(entry.accuracy, digits + 2) for goal in goals):
        digits += 1
    return f"{entry.accuracy:.{digits}%}"


def interval_words(entry: Entry) -> str:
    """The interval of a mean in percent, `99.38–99.44%`; "" where there is none."""
    return f"{100 * entry.interval[0]:.2f}–{entry.interval[1]:.2%}" if entry.interval else ""


def published_rows(board: Leaderboard) -> list[list[str]]:
    """A heading row, then a row for each published figure, the highest accuracy first."""
    return [list(PUBLISHED_HEADS), *(_published_row(each, board.goals) for each in board.published)]


def _published_row(each: Published, goals: Sequence[float]) -> list[str]:
    # A figure of other images reaches no goal that is set for the test images.
    reaches = _reaches(each.accuracy, goals) if each.is_on_test_images else ""
    accuracy = f"{each.accuracy:.2%}{' ' if each.is_on_test_images else '*'}"
    return [each.name, f"{each.parameters:,}", accuracy, _below(each.parameters), reaches, each.measured_on]


def _below(parameters: int) -> str:
    """The smallest budget that a number of parameters stays below."""
    return next((thousands(budget) for budget in BUDGETS if parameters < budget), "")


def _reaches(accuracy: float, goals: Sequence[float]) -> str:
    """The highest goal that an accuracy reaches."""
    return next((f"{100 * goal:g}%" for goal in goals if accuracy >= goal), "")


def sentences(board: Leaderboard) -> list[str]:
    """What is ranked, what is not, and what the published figures are."""
    lines = [
        f"ranked by the {MEASURES[board.measure]}; on the front, no recipe as small is better, and none as good is smaller"
    ]
    if board.left_out:
        counts = ", ".join(f"{count} {reason}" for reason, count in board.left_out.items())
        lines.append(f"not ranked: {counts}")
    if board.measure in FIGURES:
        others = sum(not each.is_on_test_images for each in board.published)
        remark = f"; {others} of them (*) measured on other images than the test images" if others else ""
        lines.append(f"{len(board.published)} published figures of the {FIGURES[board.measure]}, not ranked{remark}")
    return lines


def as_json(board: Leaderboard) -> dict[str, Any]:
    """The leaderboard as one JSON object; accuracies are fractions."""
    return {
        "measure": board.measure,
        "entries": [_record(entry, board.goals) for entry in board.entries],
        "published": [
            {
                "name": each.name,
                "parameters": each.parameters,
                "accuracy": each.accuracy,
                "measured_on": each.measured_on,
            }
            for each in board.published
        ],
        "budgets": list(BUDGETS),
        "goals": list(board.goals),
        "left_out": dict(board.left_out),
    }


def _record(entry: Entry, goals: Sequence[float]) -> dict[str, Any]:
    return {
        "front": entry.front,
        "name": entry.arm.label,
        "runs": [run.id for run in entry.arm.runs],
        "parameters": entry.parameters,
        "accuracy": entry.accuracy,
        "interval": entry.interval,
        "seeds": entry.seeds,
        "budgets": list(entry.budgets),
        "goals": [goal for goal in goals if entry.accuracy >= goal],
        "remark": entry.remark,
    }
