"""Images as real pixels: what a terminal is sent decodes to the digit, is where it belongs, and is sent once."""

import sys
from io import StringIO

import numpy as np
import pytest
from helpers.terminal_images import decode_kitty, decode_sixel, difference
from textual_image.renderable import SixelImage, TGPImage

from mnist_tui.tui.diff_driver import ScreenMemory
from mnist_tui.tui.real_pixels import RealPixels
from mnist_tui.tui.sixels import MAX_IMAGES, SixelImages

rows, columns = np.mgrid[:28, :28]
RING = np.where(abs(np.hypot(rows - 13.5, columns - 13.5) - 8) < 2, 255, 0).astype(np.uint8).tobytes()
STROKE = np.where(abs(columns - 13) < 2, 255, 0).astype(np.uint8).tobytes()
A, B = "\x1bPqa\x1b\\", "\x1bPqb\x1b\\"


def frame(*texts: tuple[int, int, str]) -> str:
    """Texts at a row and a column, as textual writes them."""
    return "".join(f"\x1b[{row};{column}H\x1b[1m{text}\x1b[0m" for row, column, text in texts)


@pytest.fixture
def memory() -> ScreenMemory:
    """A terminal that shows nothing yet, and may have images."""
    memory = ScreenMemory()
    memory.sixels = SixelImages()
    return memory


def image(memory: ScreenMemory, data: str, row: int, column: int) -> list[tuple[int, int, str]]:
    """The texts of an image of 3x2 cells at a place."""
    assert memory.sixels is not None
    return [(row + line, column, text) for line, text in enumerate(memory.sixels.add(data, 3, 2))]


def test_an_image_is_written_once_where_it_belongs(memory: ScreenMemory) -> None:
    """Behind the text of its frame; the same frame again, and one in other colours, write nothing of it."""
    cells = image(memory, A, 2, 5)
    first = memory.reduce(frame(*cells, (2, 9, "text")))
    again = memory.reduce(frame(*cells, (2, 9, "text")))
    tinted = memory.reduce(frame(*cells).replace("[1m", "[31m"))

    assert first.count(A) == 1
    assert f"\x1b[2;5H{A}" in first
    assert "text" in first
    assert not any(ord(character) >= 0x100000 for character in first)
    assert A not in again + tinted


def test_a_covered_image_is_written_again(memory: ScreenMemory) -> None:
    """When one of its cells is uncovered; what covers it is written, and another image is left alone."""
    both = [*image(memory, A, 1, 1), *image(memory, B, 1, 10)]
    memory.reduce(frame(*both))
    covered = memory.reduce(frame((2, 2, "x")))
    uncovered = memory.reduce(frame(*both))

    assert "\x1b[2;2H" in covered
    assert A not in covered
    assert f"\x1b[1;1H{A}" in uncovered
    assert B not in uncovered


def test_an_image_moves(memory: ScreenMemory) -> None:
    """At another place it is written anew, and what stood beside the old one is not."""
    assert memory.sixels is not None
    lines = memory.sixels.add(A, 3, 2)
    memory.reduce(frame((1, 1, lines[0]), (2, 1, lines[1]), (3, 1, "beside")))
    moved = memory.reduce(frame((1, 1, "   "), (2, 1, "   "), (3, 1, "beside"), (5, 1, lines[0]), (6, 1, lines[1])))

    assert f"\x1b[5;1H{A}" in moved
    assert "beside" not in moved
    assert moved.count("   ") == 2


def test_after_a_forgotten_screen_it_is_written_again(memory: ScreenMemory) -> None:
    """As after another size of the terminal."""
    cells = image(memory, A, 1, 1)
    memory.reduce(frame(*cells))
    memory.forget()

    assert A in memory.reduce(frame(*cells))


def test_the_oldest_image_makes_room() -> None:
    """One more than fit: its characters stand for the new image; too large ones are refused."""
    images = SixelImages()
    lines = [images.add(str(number), 32, 16) for number in range(MAX_IMAGES + 1)]
    cell = images.cell(lines[-1][3][4])

    assert lines[0] == lines[-1]
    assert cell is not None
    assert (images.data(cell.number), cell.row, cell.column) == (str(MAX_IMAGES), 3, 4)
    assert {len(set(part)) for part in lines[5]} == {32}
    assert ord(max(lines[-2][-1])) < sys.maxunicode
    for size in ((33, 1), (1, 17), (0, 1)):
        with pytest.raises(ValueError, match="image"):
            images.add("", *size)


def test_sixels_decode_to_the_digit() -> None:
    """In the cells asked for; an image is encoded once."""
    real = RealPixels(SixelImage)
    for digit, other in ((RING, STROKE), (STROKE, RING)):
        lines = real.picture(digit, 14, 7)
        cell = real.sixels.cell(lines[0].plain[0])
        assert cell is not None
        decoded = decode_sixel(real.sixels.data(cell.number))

        assert [len(line.plain) for line in lines] == [14] * 7
        assert decoded.shape[0] == decoded.shape[1]
        assert difference(decoded, digit) < 12
        assert difference(decoded, other) > 30
        assert real.picture(digit, 14, 7) is lines


def test_kitty_gets_the_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and characters in the colour of its number; what is not kept any more is removed from the terminal."""
    sent = StringIO()
    monkeypatch.setattr(sys, "__stdout__", sent)
    real = RealPixels(TGPImage)
    lines = real.picture(RING, 14, 7)
    ((number, decoded),) = decode_kitty(sent.getvalue()).items()
    real.picture(RING, 14, 7)

    assert sent.getvalue().count("f=100") == 1
    assert difference(decoded, RING) < 12
    assert [line.cell_len for line in lines] == [14] * 7
    red, green, blue = number >> 16 & 255, number >> 8 & 255, number & 255
    assert {str(line.style) for line in lines} == {f"rgb({red}, {green}, {blue})"}
    for shade in range(MAX_IMAGES):
        real.picture(bytes([shade]) * 784, 14, 7)
    assert f"a=d,I={number}" in sent.getvalue()
    assert np.all(decode_kitty(sent.getvalue())[number + 5] == 4)
