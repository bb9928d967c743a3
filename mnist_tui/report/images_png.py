"""Test images with captions as one PNG: crisp pixels on a light ground that stands on any page."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mnist_tui.analysis.text_images import SIDE
from mnist_tui.text import clean_line, in_ascii

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

    _Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SCALE = 4
"""Pixels of the file for each pixel of an image: at half its size, as on a screen of high resolution, 56 points."""
GAP, MARGIN, CAPTION = 20, 20, 34
FONT_PIXELS = 21
PAPER, INK, MUTED = 255, 31, 222
"""Grey values of the ground, of text, and of the frame around an image."""
ARROW, ARROW_PIXELS = "→", 26
"""The sign for an arrow in a caption, and the width that it is drawn in."""


def mistakes_png(images: Sequence[tuple[bytes, str]], columns: int = 8) -> bytes:
    """The content of a PNG file with `columns` images in a row: of each its 784 grey values and a caption.

    Strokes are dark on white, as on paper. A caption such as `#947 8→9` stands on one line, cut to the image's width.
    Raises `ValueError` without an image, and for an image that has not 784 values.
    """
    if not images:
        raise ValueError("there is no image to draw")
    from PIL import Image, ImageDraw, ImageFont

    across = max(1, min(columns, len(images)))
    down = -(-len(images) // across)
    step_x, step_y = SIDE * SCALE + GAP, SIDE * SCALE + CAPTION + GAP
    size = (2 * MARGIN + across * step_x - GAP, 2 * MARGIN + down * step_y - GAP)
    sheet = Image.new("L", size, PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_PIXELS)
    for index, (grey, caption) in enumerate(images):
        place = (MARGIN + index % across * step_x, MARGIN + index // across * step_y)
        _draw_digit(sheet, draw, grey, place)
        middle, top = place[0] + SIDE * SCALE / 2, place[1] + SIDE * SCALE + 4
        _write_caption(draw, font, caption, middle, top, SIDE * SCALE + GAP - 4)
    file = io.BytesIO()
    sheet.save(file, "PNG")  # Optimized, it takes eight times as long for a file that is a twentieth smaller.
    return file.getvalue()


def _draw_digit(sheet: "Image.Image", draw: "ImageDraw.ImageDraw", grey: bytes, place: tuple[int, int]) -> None:
    from PIL import Image, ImageOps

    digit = ImageOps.invert(Image.frombytes("L", (SIDE, SIDE), grey))
    side = SIDE * SCALE
    sheet.paste(digit.resize((side, side), Image.Resampling.NEAREST), place)
    left, top = place
    draw.rectangle((left - 1, top - 1, left + side, top + side), outline=MUTED)


def _write_caption(
    draw: "ImageDraw.ImageDraw", font: "_Font", caption: str, middle: float, top: float, room: float
) -> None:
    """The caption on one line around `middle`, cut to `room`; arrows are drawn, since Pillow's font has none."""
    parts = in_ascii(clean_line(caption).replace(ARROW, "\n")).split("\n")
    while _caption_width(font, parts) > room:
        parts[-1] = parts[-1][:-1]
        parts = parts if parts[-1] or len(parts) == 1 else parts[:-1]
    x = middle - _caption_width(font, parts) / 2
    for index, part in enumerate(parts):
        if index:
            _draw_arrow(draw, x, top + FONT_PIXELS * 0.65)
            x += ARROW_PIXELS
        draw.text((x, top), part, fill=INK, font=font)
        x += font.getlength(part)


def _caption_width(font: "_Font", parts: Sequence[str]) -> float:
    return sum(map(font.getlength, parts)) + ARROW_PIXELS * (len(parts) - 1)


def _draw_arrow(draw: "ImageDraw.ImageDraw", x: float, y: float) -> None:
    start, end = x + 4, x + ARROW_PIXELS - 4
    draw.line((start, y, end, y), fill=INK, width=2)
    draw.line((end - 5, y - 5, end, y, end - 5, y + 5), fill=INK, width=2)
