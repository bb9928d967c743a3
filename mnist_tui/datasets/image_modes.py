"""Images of Pillow that are neither 8-bit grey nor opaque colours: 16 bits a pixel, and transparency."""

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image


def ignore_warnings() -> None:
    """Keeps Pillow's warnings, of large images and of damaged metadata, from the terminal: errors say what is wrong."""
    warnings.filterwarnings("ignore", module=r"PIL\.")


def has_16_bits(image: "Image.Image") -> bool:
    """Whether the grey values are 0 to 65,535, which `Image.convert` would cut off at 255."""
    return image.mode.startswith("I")


def as_8_bits(values: "NDArray[np.integer]") -> "NDArray[np.uint8]":
    """Grey values 0 to 65,535 as 0 to 255."""
    import numpy as np

    grey: NDArray[np.uint8] = (np.clip(values, 0, 65_535) // 257).astype(np.uint8)
    return grey


def on_contrast(pixels: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """A transparent image (H, W, channels and alpha) as an opaque one, (H, W, channels), values 0 to 255.

    It stands on white, or on black where what is opaque is light.
    """
    import numpy as np

    colours, alpha = pixels[..., :-1].astype(np.float64), pixels[..., -1:] / 255
    mean = float((colours * alpha).mean(axis=-1).sum() / max(float(alpha.sum()), 1.0))
    ground = 0.0 if mean > 127 else 255.0
    return np.rint(colours * alpha + ground * (1 - alpha)).astype(np.uint8)
