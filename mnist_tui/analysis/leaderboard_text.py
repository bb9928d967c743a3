"""The leaderboard as rows of text, as sentences and as records, for the command line and the dashboard."""

from collections.abc import Sequence
from typing import Any

from mnist_tui.analysis.comparison import MEASURES, Measure
from mnist_tui.analysis.leaderboard import BUDGETS, Entry, Leaderboard, Published
from mnist_tui.analysis.leaderboard_scale import thousands
from mnist_tui.table import aligned

HEADS = ("front", "name", "params", "test acc", "95% interval", "seeds", "below", "reaches", "remark")
IS_RIGHT = (True, False, True, True, False, True, True, True, False)
PUBLISHED_HEADS = ("name", "params", "accuracy", "below", "reaches", "measured on")
MAX_REMARK = 200
"""Terminal cells of a remark, the last cell of its line."""
PUBLISHED_IS_RIGHT = (False, True, True, True, True, False)
FRONT = "on the front, no recipe as small is better, and none as good is smaller"
NO_RUN = "no run to rank: it takes one on MNIST that has ended; mnist-tui --batch step4 trains one"

FIGURES: dict[Measure, str] = {"best": "best epoch", "last": "last epoch"}
"""What the published figures are; of the mean of the last epochs there is none."""


def rows(board: Leaderboard) -> list[list[str]]:
    """A heading row, then a row for each recipe, the highest accuracy first."""
    return [list(HEADS), *(_row(entry, board.targets) for entry in board.entries)]


def _row(entry: Entry, targets: Sequence[float]) -> list[str]:
    return [
        str(entry.front or ""),
        entry.arm.label,
        f"{entry.parameters:,}",
        accuracy_words(entry, targets),
        interval_words(entry),
        str(entry.seeds),
        _below(entry.parameters),
        _reaches(entry.accuracy, targets),
        entry.remark,
    ]


def accuracy_words(entry: Entry, targets: Sequence[float]) -> str:
    """An accuracy with two decimals; with more where they would round a mean up to a target that it misses."""
    digits = 2
    while digits < 6 and any(entry.accuracy < target <= round(entry.accuracy, digits + 2) for target in targets):
        digits += 1
    return f"{entry.accuracy:.{digits}%}"


def interval_words(entry: Entry) -> str:
    """The interval of a mean in percent, `99.38–99.44%`; "" where there is none."""
    return f"{100 * entry.interval[0]:.2f}–{entry.interval[1]:.2%}" if entry.interval else ""


def entry_words(entry: Entry, targets: Sequence[float]) -> str:
    """A recipe on one line: `step4 ×5  7,074 params  99.41% (99.38–99.44%)  5 seeds  front 4  below 8k`."""
    interval, below, reaches = interval_words(entry), _below(entry.parameters), _reaches(entry.accuracy, targets)
    parts = [
        entry.arm.label,
        f"{entry.parameters:,} params",
        accuracy_words(entry, targets) + (f" ({interval})" if interval else ""),
        f"{entry.seeds} seeds" if entry.seeds > 1 else "1 seed",
        f"front {entry.front}" if entry.front else "",
        f"below {below}" if below else "",
        f"reaches {reaches}" if reaches else "",
        entry.remark,
    ]
    return "  ".join(part for part in parts if part)


def published_rows(board: Leaderboard) -> list[list[str]]:
    """A heading row, then a row for each published figure, the highest accuracy first."""
    return [list(PUBLISHED_HEADS), *(_published_row(each, board.targets) for each in board.published)]


def _published_row(each: Published, targets: Sequence[float]) -> list[str]:
    # A figure of other images reaches no target that is set for the test images.
    reaches = _reaches(each.accuracy, targets) if each.is_on_test_images else ""
    accuracy = f"{each.accuracy:.2%}{' ' if each.is_on_test_images else '*'}"
    return [each.name, f"{each.parameters:,}", accuracy, _below(each.parameters), reaches, each.measured_on]


def _below(parameters: int) -> str:
    """The smallest budget that a number of parameters stays below."""
    return next((thousands(budget) for budget in BUDGETS if parameters < budget), "")


def _reaches(accuracy: float, targets: Sequence[float]) -> str:
    """The highest target that an accuracy reaches."""
    return next((f"{100 * target:g}%" for target in targets if accuracy >= target), "")


def table_lines(table: Sequence[Sequence[str]], is_right: Sequence[bool]) -> list[str]:
    """The lines of a table whose first row is its heading; columns without a cell are left out."""
    filled = [index for index, column in enumerate(zip(*table, strict=True)) if any(column[1:])]
    cells = [[row[index] for index in filled] for row in table]
    return aligned(cells, [is_right[index] for index in filled], max_cell=MAX_REMARK)


def sentences(board: Leaderboard) -> list[str]:
    """What is ranked, what is not and why, and what the published figures are."""
    lines = [f"ranked by the {MEASURES[board.measure]}; {FRONT}"] if board.entries else [NO_RUN]
    if len(board.entries) > 1:
        lines.append("a lead may be noise: mnist-tui compare tests it")
    if board.left_out:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in board.left_out.items())
        lines.append(f"not ranked: {counts}")
    if board.published:
        others = sum(not each.is_on_test_images for each in board.published)
        remark = f"; {others} of them (*) measured on other images than the test images" if others else ""
        lines.append(f"{len(board.published)} published figures of the {FIGURES[board.measure]}, not ranked{remark}")
    return lines


def as_json(board: Leaderboard) -> dict[str, Any]:
    """The leaderboard as one JSON object; accuracies are fractions."""
    return {
        "measure": board.measure,
        "entries": [_record(entry, board.targets) for entry in board.entries],
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
        "targets": list(board.targets),
        "left_out": dict(board.left_out),
    }


ENTRY_KEYS = (
    *("front", "name", "runs", "parameters", "accuracy", "interval_low", "interval_high"),
    *("seeds", "budgets", "targets", "remark"),
)
"""The keys of `entry_records`."""


def entry_records(board: Leaderboard) -> list[dict[str, Any]]:
    """The ranked recipes as flat records, for CSV."""
    ends = [entry.interval or (None, None) for entry in board.entries]
    return [
        {**_record(entry, board.targets), "interval_low": low, "interval_high": high}
        for entry, (low, high) in zip(board.entries, ends, strict=True)
    ]


def _record(entry: Entry, targets: Sequence[float]) -> dict[str, Any]:
    return {
        "front": entry.front,
        "name": entry.arm.label,
        "runs": [run.id for run in entry.arm.runs],
        "parameters": entry.parameters,
        "accuracy": entry.accuracy,
        "interval": entry.interval,
        "seeds": entry.seeds,
        "budgets": list(entry.budgets),
        "targets": [target for target in targets if entry.accuracy >= target],
        "remark": entry.remark,
    }
