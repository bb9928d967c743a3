"""Images and matrices as text."""

from mnist_tui.analysis.text_images import (
    BRIGHT,
    bar,
    block_lines,
    gallery_lines,
    grey_levels,
    matrix_lines,
    ramp_lines,
)
from mnist_tui.text import cell_width

DIGIT = bytes(255 if 4 <= place % 28 < 24 and 4 <= place // 28 < 24 else 0 for place in range(784))
"""A white square of 20x20 in the middle."""


def test_half_blocks() -> None:
    """The four half blocks; a pixel from `BRIGHT` on is drawn."""
    assert block_lines([[0, BRIGHT, BRIGHT - 1, 255], [0, 0, 255, BRIGHT]]) == [" ▀▄█"]


def test_ramp() -> None:
    """Two rows of pixels are averaged to one of ten characters."""
    assert ramp_lines([[0, 255, 255], [0, 0, 255]]) == [" =@"]


def test_grey_levels() -> None:
    """Scaled to the largest or to a given number, nothing below black or above white."""
    assert grey_levels([[-1, 0.5], [1, 2]]) == [[0, 64], [128, 255]]
    assert grey_levels([[-1, 0.5], [1, 2]], highest=1) == [[0, 128], [255, 255]]
    assert grey_levels([[-1.0, 0.0]]) == [[0, 0]]


def test_gallery() -> None:
    """As many beside each other as fit, captions of other lengths below, cut to the picture."""
    pictures = [(DIGIT, ["#1 4→9", "wrong"]), (DIGIT, ["x" * 40]), (DIGIT, [])]
    two, one, small = (gallery_lines(pictures, width) for width in (60, 57, 5))

    assert len(two) == 16 + 1 + 14
    assert two[5] == "    " + "█" * 20 + " " * 10 + "█" * 20
    assert two[14].startswith("#1 4→9" + " " * 24 + "xxx")
    assert two[15] == "wrong"
    assert max(map(cell_width, two)) <= 58
    assert len(one) == len(small) == 16 + 1 + 15 + 1 + 14


def test_gallery_in_ascii() -> None:
    """Nothing but ASCII, and half as wide where asked for."""
    lines = gallery_lines([(DIGIT, ["#1 4→9 and much more than fits"])] * 3, 46, ascii_only=True, side=14)

    assert "\n".join(lines).isascii()
    assert lines[3] == "  " + "      ".join(["@" * 10] * 3)
    assert len(lines) == 8


MATRIX = tuple(
    tuple(980 if label == other else 5 * (label == 4 and other == 9) for other in range(10)) for label in range(10)
)


def test_matrix() -> None:
    """A row for each true class; the heat of the largest count off the diagonal is a full block."""
    lines = matrix_lines(MATRIX)

    assert lines[0].split() == ["true", "\\", "predicted", *map(str, range(10))]
    assert lines[5].split() == ["4", *["."] * 4, "980", *["."] * 4, "5█"]
    assert len(lines) == 11
    assert "5@" in matrix_lines(MATRIX, ascii_only=True)[5]
    assert "\n".join(matrix_lines(MATRIX, ascii_only=True)).isascii()


def test_difference() -> None:
    """With signs; without any difference there is no heat."""
    changed = tuple(tuple((other == 1) * (label - 5) for other in range(10)) for label in range(10))
    nothing = tuple((0,) * 10 for _ in range(10))

    assert "-5█" in matrix_lines(changed, signed=True)[1]
    assert "+4█" in matrix_lines(changed, signed=True)[10]
    assert "█" not in "".join(matrix_lines(nothing, signed=True))


def test_columns_stand_below_their_classes() -> None:
    """The last digit of every count stands below the digit of its class."""
    lines = matrix_lines(tuple(tuple(range(10 * label, 10 * label + 10)) for label in range(1, 11)), ascii_only=True)
    ends = [lines[0].rindex(str(label)) for label in range(10)]

    assert all(line[end].isdigit() for line in lines[1:] for end in ends)


def test_bar() -> None:
    """Rounded to whole cells."""
    assert (bar(0.5, 4), bar(1.2, 4), bar(0, 4, True), bar(0.26, 4, True)) == ("██  ", "████", "    ", "#   ")
