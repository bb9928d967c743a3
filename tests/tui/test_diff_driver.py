"""The driver that writes only what changed: a terminal that gets less shows the same."""

import random

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.tui.diff_driver import ScreenMemory

SIZE = (24, 6)
STYLES = ("", "1", "31", "38;2;10;20;30", "48;5;16", "7;38;5;250;48;5;235")

runs = st.lists(
    st.tuples(
        st.integers(1, SIZE[1]),
        st.integers(1, SIZE[0] - 8),
        st.sampled_from(STYLES),
        st.text(alphabet="abcXYZ 01─█⠿…测é", min_size=1, max_size=4),
    ),
    max_size=12,
)


def frame(cells: list[tuple[int, int, str, str]]) -> str:
    """A frame as textual writes it: a position, a styled text, and at the end the cursor."""
    parts = [
        f"\x1b[{row};{column}H" + (f"\x1b[{style}m{text}\x1b[0m" if style else text) + "\n"
        for row, column, style, text in cells
    ]
    return f"\x1b[?2026h{''.join(parts)}\x1b[1;1H\x1b[?2026l"


class Terminal:
    """What a terminal shows."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(*SIZE)
        self._stream = pyte.Stream(self.screen)
        self.received = 0

    def write(self, data: str) -> None:
        """Takes data in; a line break would move a real screen, and textual's always follow a position."""
        self.received += len(data)
        self._stream.feed(data.replace("\n", ""))

    def cells(self) -> list[list[pyte.screens.Char]]:
        """Every cell with its style, and where the cursor is."""
        return [[self.screen.buffer[row][column] for column in range(SIZE[0])] for row in range(SIZE[1])]

    def cursor(self) -> tuple[int, int]:
        """Its row and column."""
        return self.screen.cursor.y, self.screen.cursor.x


@given(st.lists(runs, min_size=1, max_size=6))
def test_less_is_written_and_the_same_is_shown(frames: list[list[tuple[int, int, str, str]]]) -> None:
    """Cell by cell, with colours and the cursor, after every frame."""
    plain, reduced, memory = Terminal(), Terminal(), ScreenMemory()
    for cells in frames:
        if _overlaps_wide(cells):
            continue
        plain.write(frame(cells))
        reduced.write(memory.reduce(frame(cells)))

        assert reduced.cells() == plain.cells()
        assert reduced.cursor() == plain.cursor()


def _overlaps_wide(cells: list[tuple[int, int, str, str]]) -> bool:
    """Half of a wide character cannot be written over in pyte as in a terminal; textual never does."""
    return any("测" in text for *_, text in cells) and len(cells) > 1


def test_a_frame_that_changes_nothing_is_next_to_nothing() -> None:
    """Twice the same whole screen: the second is the marks of a frame alone."""
    memory, chance = ScreenMemory(), random.Random(1)
    cells = [(row, 1, chance.choice(STYLES), "x" * SIZE[0]) for row in range(1, SIZE[1] + 1)]
    first, second = memory.reduce(frame(cells)), memory.reduce(frame(cells))

    assert len(first) > 150
    assert len(second) <= len("\x1b[?2026h\x1b[?2026l\x1b[1;1H")


def test_one_cell_is_one_cell() -> None:
    """Of a line of which one character is another, that character is written."""
    memory = ScreenMemory()
    memory.reduce(frame([(2, 1, "31", "loss 0.1234")]))
    written = memory.reduce(frame([(2, 1, "31", "loss 0.1235")]))

    assert "5" in written
    assert "loss" not in written


@pytest.mark.parametrize("unknown", ["\x1b[2J", "\x1b[?1049h", "\x1b[6n", "\x1bc", "\x1b[3;10r"])
def test_what_may_change_the_screen_makes_everything_unknown(unknown: str) -> None:
    """Then the whole frame is written again; the clipboard, the bell and the modes of the mouse change nothing."""
    cells = [(1, 1, "", "abc"), (2, 1, "31", "def")]
    memory = ScreenMemory()
    first = memory.reduce(frame(cells))
    memory.reduce("\x1b]52;c;YWJj\x07\x07\x1b[?1003h")
    same = memory.reduce(frame(cells))
    memory.reduce(unknown)
    again = memory.reduce(frame(cells))

    assert "abc" not in same
    assert "abc" in again
    assert "def" in again
    assert len(again) == pytest.approx(len(first), abs=8)


def test_forgetting_writes_all_of_it_again() -> None:
    """As after another size of the terminal."""
    memory = ScreenMemory()
    memory.reduce(frame([(1, 1, "", "abc")]))
    memory.forget()

    assert "abc" in memory.reduce(frame([(1, 1, "", "abc")]))
