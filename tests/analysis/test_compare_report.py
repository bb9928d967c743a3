"""The report of Compare as text: its tables fit the width they are given, and the arms stand beside each other."""

from pathlib import Path
from typing import Any

import pytest
from helpers.saved_runs import make_run
from rich.cells import cell_len

from mnist_tui.analysis import comparison
from mnist_tui.analysis.comparison import Arm
from mnist_tui.runs.index import RunIndex
from mnist_tui.spec import presets
from mnist_tui.tui.compare.report import _table, report

WIDTHS = (40, 58, 80, 118)


def tint(slot: int) -> tuple[str, str]:
    """A marker and a colour."""
    return "●■▲◆✕"[slot], "red"


@pytest.fixture
def arms(tmp_path: Path) -> list[tuple[int, Arm]]:
    """Three seeds each of two presets, one of which has a name in characters two cells wide."""
    wide = presets.load("iter4").model_copy(update={"name": "测试测试测试测试"})
    for index, spec in enumerate((presets.load("iter5"), wide)):
        for seed in range(3):
            make_run(tmp_path, spec, seed, 0.99 + 0.001 * index + 0.0002 * seed, 3 * index + seed)
    runs = RunIndex(tmp_path)
    runs.refresh()
    groups = [[run for run in runs.all if run.name == name] for name in ("iter5", wide.name)]
    return list(enumerate(comparison.labelled(groups)))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("only", [True, False])
def test_two_arms_stand_beside_each_other(only: bool, width: int, arms: list[tuple[int, Arm]]) -> None:
    """No table is wider than its place, and both arms have their columns in it."""
    lines = report(arms, "best", only, width, tint).plain.splitlines()
    headings = [line for line in lines if "●" in line]

    assert len(headings) == (1 if only else 2)
    assert all("■" in line for line in headings)
    start = lines.index(headings[0])
    tables = [line for line in lines[start:] if not line.startswith(("layers,", "  ~", "  +", "  -"))]
    assert max(map(cell_len, tables)) <= width


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_table_of_any_size_fits(count: int, width: int) -> None:
    """Every value begins where its heading does, cut where needed; arms without room go below."""
    rows = [["settings", *(f"arm {n}" for n in range(count))]]
    rows += [[f"name {'x' * length}", *["值" * length] * count] for length in (1, 6, 40)]
    arms: Any = [(index, None) for index in range(count)]
    lines = _table(rows, arms, width, tint).plain.splitlines()
    blocks = -(-count // max(1, min(count, (width - min(45, max(12, 3 * width // 10))) // 14)))

    assert len(lines) == blocks * len(rows)
    assert max(map(cell_len, lines)) <= width
    for block in range(blocks):
        heading, *below = lines[block * len(rows) : (block + 1) * len(rows)]
        start = cell_len(heading[: min(heading.find(sign) for sign in "●■▲◆✕" if sign in heading)])
        assert {cell_len(line[: line.find("值")]) for line in below} == {start}


def test_where_all_fits_nothing_is_cut() -> None:
    """With enough room nothing is cut, and no column is wider than its text."""
    rows = [
        ["results", "a", "b"],
        ["> best epoch", "99.41% (99.38–99.44%)", "99.32%"],
        ["parameters", "18,422", "20,514"],
    ]
    text = _table(rows, [(0, None), (1, None)], 80, tint).plain  # type: ignore[list-item]  # the tint is ours

    assert text.splitlines() == [
        "results       ● a                    ■ b   ",
        "> best epoch  99.41% (99.38–99.44%)  99.32%",
        "parameters    18,422                 20,514",
    ]
