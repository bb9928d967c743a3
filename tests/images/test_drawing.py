"""A canvas for a digit: strokes are soft, whole and quick, and every change can be taken back."""

import time

import numpy as np
import pytest
from helpers.pace import loop_seconds
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnist_tui.errors import ImageError
from mnist_tui.images import move
from mnist_tui.images.drawing import MAX_UNDO, Drawing, Point
from mnist_tui.images.prepare import SIDE

POINTS = st.tuples(st.floats(-50, 80), st.floats(-50, 80))


def grey(drawing: Drawing) -> NDArray[np.uint8]:
    """The canvas as (28, 28)."""
    return np.frombuffer(drawing.pixels, np.uint8).reshape(SIDE, SIDE)


def stroke(*points: Point, erase: bool = False, on: Drawing | None = None) -> Drawing:
    """A canvas with one stroke more."""
    drawing = on or Drawing()
    drawing.press(points[0], erase)
    for point in points[1:]:
        drawing.drag(point)
    drawing.release()
    return drawing


# --- the brush ---


def test_a_dot_is_round_and_soft() -> None:
    """Full in the middle, fading to nothing, the same in all directions."""
    pixels = grey(stroke((14.0, 14.0)))

    assert pixels[13:15, 13:15].min() == 255
    assert 0 < pixels[13, 12] < 255
    assert np.array_equal(pixels, pixels.T)
    assert np.array_equal(pixels, pixels[::-1, ::-1])
    assert pixels[:11].max() == pixels[17:].max() == 0


def test_a_stroke_has_no_gaps() -> None:
    """However far apart two points are, the line between them has the same width as a slow one."""
    quick = grey(stroke((4.0, 5.0), (23.0, 20.0)))
    points = [(4.0 + 19 * share / 40, 5.0 + 15 * share / 40) for share in range(41)]
    slow = grey(stroke(*points))

    assert np.abs(quick.astype(int) - slow).max() <= 1
    assert (quick[5:20].max(axis=1) > 200).all()


def test_the_width_is_mnists() -> None:
    """A vertical stroke has as much ink in a row as MNIST's ones: 2 to 4 pixels."""
    row = grey(stroke((14.0, 4.0), (14.0, 24.0)))[14]

    assert 2 <= row.sum() / 255 <= 4


def test_erase_takes_away() -> None:
    """Erasing clears pixels under the stroke and no others."""
    drawing = stroke((4.0, 14.0), (24.0, 14.0))
    before = grey(drawing)
    stroke((14.0, 14.0), erase=True, on=drawing)
    after = grey(drawing)

    assert after[13:15, 13:15].max() == 0
    assert np.array_equal(after[:, :11], before[:, :11])
    assert (after <= before).all()


@given(st.lists(POINTS, min_size=1, max_size=5))
def test_points_may_be_outside(points: list[Point]) -> None:
    """A mouse that leaves the canvas while it draws: pixels stay pixels, and ink is only near the line."""
    drawing = stroke(*points)

    assert len(drawing.pixels) == SIDE * SIDE
    if all(x < -3 for x, _ in points):
        assert drawing.is_blank


def test_a_drag_without_a_press_begins_a_stroke() -> None:
    """A drag without a press begins a stroke, as when the button went down outside the canvas."""
    drawing = Drawing()
    drawing.drag((14.0, 14.0))

    assert drawing.pixels == stroke((14.0, 14.0)).pixels
    drawing.release()
    drawing.drag((20.0, 20.0))
    assert grey(drawing)[17, 17] == 0


def test_a_stroke_follows_the_mouse() -> None:
    """The longest one, over the whole canvas, in some 2 ms: the fastest of 20 against a loop, since machines differ."""
    drawing, seconds = Drawing(), []
    for _ in range(20):
        drawing.press((0.0, 0.0))
        started = time.perf_counter()
        drawing.drag((28.0, 28.0))
        seconds.append(time.perf_counter() - started)

    assert min(seconds) < 3 * loop_seconds()


# --- changes and undo ---


def test_undo_takes_back_whole_strokes() -> None:
    """Strokes, erasing, clear, shift and rotation, one by one, to the blank canvas; then there is nothing to undo."""
    drawing = Drawing()
    states = [drawing.pixels]
    for change in (
        lambda: stroke((5.0, 5.0), (9.0, 20.0), (20.0, 20.0), on=drawing),
        lambda: stroke((9.0, 20.0), erase=True, on=drawing),
        lambda: drawing.shift(2, -1),
        lambda: drawing.rotate(7),
        drawing.clear,
    ):
        change()
        states.append(drawing.pixels)

    assert len(set(states)) == len(states) - 1  # Cleared, it is as at first.
    for state in reversed(states[:-1]):
        assert drawing.undo()
        assert drawing.pixels == state
    assert not drawing.undo()


def test_undo_ends_the_stroke_under_way() -> None:
    """A drag after undo is a stroke of its own."""
    drawing = Drawing()
    drawing.press((5.0, 5.0))
    drawing.undo()
    drawing.drag((20.0, 20.0))

    assert drawing.pixels == stroke((20.0, 20.0)).pixels


def test_undo_is_bounded() -> None:
    """The oldest changes are forgotten."""
    drawing = Drawing()
    for number in range(MAX_UNDO + 20):
        drawing.press((number % 28, number // 28 * 5))
    undone = sum(drawing.undo() for _ in range(MAX_UNDO + 20))

    assert undone == MAX_UNDO


@given(st.binary(min_size=784, max_size=784), st.integers(-30, 30), st.integers(-30, 30))
def test_shift_is_numpys(pixels: bytes, right: int, down: int) -> None:
    """Pixel by pixel; what is moved out is lost, what comes in is background."""
    padded = np.pad(np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE), 30)
    expected = np.roll(padded, (down, right), axis=(0, 1))[30:58, 30:58]

    assert move.shift(pixels, right, down) == expected.tobytes()


def test_rotate_is_anticlockwise_about_the_middle() -> None:
    """A quarter turn is exact; a small one moves the top to the left; there and back it is nearly the same."""
    drawing = stroke((14.0, 4.0), (14.0, 14.0))
    pixels = drawing.pixels

    assert move.rotate(pixels, 90) == np.rot90(grey(drawing)).tobytes()
    top = np.frombuffer(move.rotate(pixels, 10), np.uint8).reshape(SIDE, SIDE)[5]
    assert top[:13].sum() > top[15:].sum()
    back = np.frombuffer(move.rotate(move.rotate(pixels, 10), -10), np.uint8).astype(int)
    assert np.abs(back - np.frombuffer(pixels, np.uint8)).mean() < 5


# --- to and from bytes ---


def test_from_bytes() -> None:
    """The pixels of a drawing make the same one; other numbers of them are refused."""
    drawing = stroke((5.0, 5.0), (20.0, 20.0))

    assert Drawing(drawing.pixels).pixels == drawing.pixels
    assert Drawing().is_blank
    assert not drawing.is_blank
    with pytest.raises(ImageError, match="784 pixels, these are 3"):
        Drawing(b"abc")


def test_prepared_is_centred() -> None:
    """What is drawn in a corner is MNIST's size and in the middle; a blank canvas is refused."""
    drawing = stroke((2.0, 2.0), (7.0, 2.0), (7.0, 10.0))
    rows = np.flatnonzero(grey(drawing.prepared()).any(axis=1))

    assert len(rows) == 20
    with pytest.raises(ImageError, match="nothing stands out"):
        Drawing().prepared()
