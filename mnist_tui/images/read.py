"""Image files as digits: PNG and JPEG of any size, read within bounds."""

from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.datasets import image_modes
from mnist_tui.errors import ImageError
from mnist_tui.files import read_bytes
from mnist_tui.images.prepare import prepare
from mnist_tui.text import clean_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

MAX_BYTES = 32 * 2**20
MAX_PIXELS = 50_000_000
"""Of the decoded image, read from its header: a file of a few kilobytes can say that it has billions."""
WORKING_SIDE = 1_000
"""Larger images are made smaller first; a digit of 20 pixels needs no more."""


def read_digit(path: Path) -> bytes:
    """The digit in an image file, prepared as MNIST's: 28 rows of 28 grey values, 0 (background) to 255.

    Raises `FileError` for a file that cannot be read, and `ImageError` for one that is no image or shows no digit.
    """
    grey = read_grey(path)
    try:
        return prepare(grey)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None


def read_grey(path: Path) -> "NDArray[np.uint8]":
    """The grey values (H, W) of a PNG or JPEG file, upright, at most about `WORKING_SIDE` pixels a side.

    Raises `FileError` and `ImageError`.
    """
    import io

    from PIL import Image, UnidentifiedImageError

    content = read_bytes(path, MAX_BYTES)
    image_modes.ignore_warnings()
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            _check_size(image)
            return _grey(image)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path}: is neither a PNG nor a JPEG image") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{path}: {_TOO_LARGE}") from None
    except Exception as error:  # Decoders raise OSError, SyntaxError, ValueError, struct.error, …
        raise ImageError(f"{path}: is damaged ({clean_line(str(error), 100)})") from None


_TOO_LARGE = f"has more than {MAX_PIXELS:,} pixels; make it smaller first"


def _check_size(image: "Image.Image") -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(_TOO_LARGE)


def _grey(image: "Image.Image") -> "NDArray[np.uint8]":
    import numpy as np
    from PIL import ImageOps

    image.draft("L", (WORKING_SIDE, WORKING_SIDE))  # A JPEG is decoded smaller and without colours; others stay.
    upright = ImageOps.exif_transpose(image)
    factor = max(1, max(upright.size) // WORKING_SIDE)
    if image_modes.has_16_bits(upright):
        return image_modes.as_8_bits(np.asarray(upright)[::factor, ::factor])
    if not upright.has_transparency_data:
        return np.asarray(upright.convert("L").reduce(factor), dtype=np.uint8)
    return image_modes.on_contrast(np.asarray(upright.convert("RGBA").convert("LA").reduce(factor)))[..., 0]
