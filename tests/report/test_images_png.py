"""Mistakes as PNG: every pixel of every image, dark on white, and its caption."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mnist_tui.report.images_png import CAPTION, GAP, MARGIN, SCALE, mistakes_png

DIGITS = np.random.default_rng(0).integers(0, 256, (10, 28, 28), np.uint8)
STEP_X, STEP_Y = 28 * SCALE + GAP, 28 * SCALE + CAPTION + GAP


def sheet(count: int, caption: str = "#947 8→9", columns: int = 8) -> NDArray[np.uint8]:
    """The grey values of a sheet with the first digits."""
    file = mistakes_png([(digit.tobytes(), caption) for digit in DIGITS[:count]], columns)
    with Image.open(io.BytesIO(file)) as image:
        assert image.format == "PNG"
        assert image.mode == "L"
        return np.asarray(image)


def caption_of(pixels: NDArray[np.uint8], index: int = 0) -> NDArray[np.uint8]:
    """The part of a sheet below an image of the first row, as wide as the space that it has."""
    left, top = MARGIN + index * STEP_X - GAP // 2, MARGIN + 28 * SCALE + 2
    return pixels[top : top + CAPTION, left : left + STEP_X]


def test_every_pixel_is_there() -> None:
    """Inverted, enlarged without smoothing, row by row in the order given."""
    pixels = sheet(10, columns=4)

    assert pixels.shape == (2 * MARGIN + 3 * STEP_Y - GAP, 2 * MARGIN + 4 * STEP_X - GAP)
    for index, digit in enumerate(DIGITS):
        top, left = MARGIN + index // 4 * STEP_Y, MARGIN + index % 4 * STEP_X
        drawn = pixels[top : top + 28 * SCALE, left : left + 28 * SCALE]
        assert (drawn == 255 - np.kron(digit, np.ones((SCALE, SCALE), np.uint8))).all(), index


def test_fewer_images_than_columns() -> None:
    """The sheet is only as wide as they are."""
    assert sheet(2).shape[1] == 2 * MARGIN + 2 * STEP_X - GAP


def test_captions_differ_and_stay_below_their_image() -> None:
    """Each caption has ink, within the width of its image and half a gap; an arrow is drawn as one."""
    plain, arrow = caption_of(sheet(2, "#947 8 9")), caption_of(sheet(2, "#947 8→9"))
    long = sheet(2, "W" * 500)

    assert plain.min() < 100
    assert (plain != arrow).any()
    assert (long[:, MARGIN + STEP_X - GAP // 2] == 255).all()
    assert caption_of(long).min() < 100


@pytest.mark.parametrize("caption", ["", "→", "→→→→→→→→→→", "字" * 20, "a\nb\x1b[31m", "\ud800"])
def test_any_caption(caption: str) -> None:
    """No caption breaks the sheet."""
    assert sheet(1, caption).shape == sheet(1).shape


def test_what_cannot_be_drawn() -> None:
    """No image, and one of another size, are refused."""
    with pytest.raises(ValueError, match="there is no image to draw"):
        mistakes_png([])
    with pytest.raises(ValueError, match="not enough image data"):
        mistakes_png([(bytes(783), "short")])
