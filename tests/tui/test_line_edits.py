"""Edits of whole lines of the layers: duplicate, move, and a layer after every layer of one type."""

from collections import Counter
from pathlib import Path

import pytest
from helpers.lab_pilot import CannedJobs, area, lab, look, notices, on_top, screen, until
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.tui.dialogs import AskDialog
from mnist_tui.tui.lab.line_edits import duplicate, layer_type_of, move, with_layer_after

LINES = st.lists(
    st.sampled_from(["Conv2d(8, 3)", "  Conv2d(16, 1)", "ReLU()", "# Conv2d(1)", "", "Conv2d"]), min_size=1
)


@st.composite
def lines_and_row(draw: st.DrawFn) -> tuple[list[str], int]:
    """Some lines, and the number of one of them."""
    lines = draw(LINES)
    return lines, draw(st.integers(0, len(lines) - 1))


# --- the edits ---


@given(lines_and_row())
def test_a_duplicated_line_stands_below_itself(where: tuple[list[str], int]) -> None:
    """There is one line more, and without it all is as before."""
    lines, row = where
    result = duplicate(lines, row)

    assert result[row] == result[row + 1] == lines[row]
    assert [*result[:row], *result[row + 1 :]] == lines


@given(lines_and_row(), st.integers(-50, 50))
def test_a_moved_line_passes_the_others(where: tuple[list[str], int], steps: int) -> None:
    """It comes as far as there are lines; the others keep their order, and the same steps back undo it."""
    lines, row = where
    result, to = move(lines, row, steps)

    assert to == max(0, min(row + steps, len(lines) - 1))
    assert result[to] == lines[row]
    assert [*result[:to], *result[to + 1 :]] == [*lines[:row], *lines[row + 1 :]]
    assert move(result, to, row - to) == (lines, row)


@given(LINES)
def test_a_layer_after_every_layer_of_a_kind(lines: list[str]) -> None:
    """Each stands right below such a layer, as far to the right as it; no other line is touched."""
    result = with_layer_after(lines, "Conv2d", "BatchNorm2d()")
    places = [index for index, line in enumerate(result) if line.strip() == "BatchNorm2d()"]
    above = [result[index - 1] for index in places]

    assert [line for line in result if line.strip() != "BatchNorm2d()"] == lines
    assert Counter(above) == Counter(line for line in lines if layer_type_of(line) == "Conv2d")
    assert all(result[index].startswith(" ") == result[index - 1].startswith(" ") for index in places)


@pytest.mark.parametrize(
    ("line", "layer_type"),
    [
        ("Conv2d(8, 3)", "Conv2d"),
        ("  Conv2d (8)", "Conv2d"),
        ("Residual(Conv2d(8, 3), ReLU())", "Residual"),
        ("# Conv2d(8, 3)", ""),
        ("Conv2d", ""),
        ("", ""),
    ],
)
def test_the_layer_type_that_a_line_calls(line: str, layer_type: str) -> None:
    """A comment and half a word call none."""
    assert layer_type_of(line) == layer_type


# --- in the editor ---

THREE = "Conv2d(8, 3)\nReLU()\nFlatten()\nLinear(10)"


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    return CannedJobs(monkeypatch, tmp_path)


async def test_the_keys_of_lines() -> None:
    """Ctrl-D doubles the line of the cursor, Alt with an arrow moves it; the cursor stays in it; each is one undo."""
    async with lab() as pilot:
        await pilot.press("f3")
        area(pilot).text = THREE
        area(pilot).move_cursor((1, 3))
        seen = []
        for key in ("ctrl+d", "alt+down", "alt+up", "ctrl+z", "ctrl+z", "ctrl+z", "ctrl+y"):
            await pilot.press(key)
            seen.append((area(pilot).text, area(pilot).cursor_location))

        twice = THREE.replace("ReLU()", "ReLU()\nReLU()")
        lower = THREE.replace("ReLU()\nFlatten()", "ReLU()\nFlatten()\nReLU()")
        assert seen[:3] == [(twice, (2, 3)), (lower, (3, 3)), (twice, (2, 3))]
        assert [text for text, _ in seen[3:]] == [lower, twice, THREE, twice]
        assert screen(pilot).design.draft.layers == twice


async def test_a_layer_after_every_layer_of_the_kind_at_the_cursor() -> None:
    """Ctrl-T asks which; a wrong one is refused and stays; then the layer table has all of them, and one undo none.

    On a line without a layer it says what to do.
    """
    async with lab() as pilot:
        before = area(pilot).text
        count = sum(layer_type_of(line) == "Conv2d" for line in before.splitlines())
        await pilot.press("f3")
        area(pilot).move_cursor((0, 0))
        await pilot.press("ctrl+t")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskDialog))
        dialog = look(pilot)
        await pilot.press(*"Dr", "enter")
        await until(pilot, lambda: on_top(pilot, "#dialog-error"))
        refused = on_top(pilot, "#dialog-error")
        await pilot.press(*"opout()", "enter")
        await until(pilot, lambda: area(pilot).text != before)
        after = area(pilot).text
        await pilot.press("ctrl+z")
        await until(pilot, lambda: area(pilot).text == before)
        unchanged = screen(pilot).design.draft.changed_count
        area(pilot).text = f"\n{before}"
        area(pilot).move_cursor((0, 0))
        await pilot.press("ctrl+t")
        await until(pilot, lambda: notices(pilot))

        assert "Insert which layer after every Conv2d?" in dialog
        assert f"After {count} lines." in dialog
        assert "'Dr'" in refused
        assert after.splitlines() == with_layer_after(before.splitlines(), "Conv2d", "Dropout()")
        assert unchanged == 0
        assert pilot.app.screen is screen(pilot)
        assert notices(pilot)[-1].startswith("put the cursor on a layer")
