"""MNIST's own preparation of a digit, for an image of any size: background, bounding box, scale, position.

As MNIST was made of NIST's scans (LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document
recognition", section III-A; LeCun, Cortes, Burges, "The MNIST database"): the digit is scaled into 20x20 pixels, with
its aspect ratio kept and with anti-aliasing, and lies in 28x28 with its centre of mass in the middle. The test images'
centres of mass are between 13.5 and 14.5 (rows and columns counted from 0): MNIST shifted by whole pixels towards 14.
"""

from typing import TYPE_CHECKING

from mnist_tui.errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 28
BOX = 20
CENTRE = 14.0

MIN_CONTRAST = 23.5
"""Grey levels between background and ink; with less an image is blank. Not a whole number: the fitted background is a
few hundredths off, and a contrast of 24 levels must not be blank by such an error."""
NOISE_FACTOR = 8.0
"""What is no farther from the background than so many times the border's lower quartile is background: 2.5 standard
deviations of normal noise. The quartile, since up to half of the border of a closely cropped digit is ink."""
BLANK_FACTOR = 20.0
"""Where nothing is farther than this, the image is blank: 6.4 standard deviations, one normal pixel in ten billion."""
MAX_BORDER = 2_000
"""About so many pixels of the border are looked at: more take longer and change nothing."""
EDGE = 0.25
"""Share of the full ink from which a pixel belongs to the bounding box: held against MNIST, enlarged and made small."""


def prepare(grey: "NDArray[np.uint8]") -> bytes:
    """A digit as MNIST has it: 28 rows of 28 grey values, 0 (background) to 255, from grey values of (H, W).

    Dark on light and light on dark are told apart by the border, which has to be mostly background. Raises `ImageError`
    where nothing stands out of the background.
    """
    import numpy as np

    ink = _ink(grey.astype(np.float64))
    is_digit = ink >= EDGE * ink.max()
    rows, columns = np.flatnonzero(is_digit.any(axis=1)), np.flatnonzero(is_digit.any(axis=0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    small = _averages(digit.shape[0], height) @ digit @ _averages(digit.shape[1], width).T
    return _centre(small / small.max()).tobytes()


def _ink(grey: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """How far each pixel is from the background, on the side of it where the digit is; 0 for background.

    The digit's side is that of the third moment: few pixels, far away.
    """
    import numpy as np

    if not grey.size:
        raise ImageError("the image has no pixels")
    difference = grey - _background(grey)
    if np.mean(difference**3) < 0:
        difference = -difference
    noise = float(np.quantile(np.abs(difference)[_border(grey.shape)], 0.25))
    if difference.max() < max(MIN_CONTRAST, BLANK_FACTOR * noise):
        raise ImageError("nothing stands out of the background; leave a margin of background around a digit")
    return np.where(difference > NOISE_FACTOR * noise, difference, 0.0)


def _border(shape: tuple[int, ...]) -> "NDArray[np.bool_]":
    """Which pixels of (H, W) are on the border: a frame of a twentieth of the shorter side, at least one pixel."""
    import numpy as np

    width = max(1, min(shape) // 20)
    border = np.ones(shape, dtype=np.bool_)
    border[width:-width, width:-width] = False
    return border


def _background(grey: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The background's grey everywhere: a plane, since light falls from one side, fitted to the border.

    Fitted with least absolute deviations, by reweighted least squares, so that a stroke that touches the border does
    not count for more than its length.
    """
    import numpy as np

    rows, columns = (np.linspace(-1.0, 1.0, side) for side in grey.shape)
    positions = np.argwhere(_border(grey.shape))
    positions = positions[:: len(positions) // MAX_BORDER | 1]  # An odd stride meets the left and the right side.
    values = grey[positions[:, 0], positions[:, 1]]
    terms = np.column_stack([np.ones(len(values)), rows[positions[:, 0]], columns[positions[:, 1]]])
    weights = np.ones(len(values))
    for _ in range(20):
        plane = np.linalg.lstsq(terms * weights[:, None], values * weights, rcond=None)[0]
        weights = 1 / np.sqrt(np.maximum(np.abs(values - terms @ plane), 0.1))
    background: NDArray[np.float64] = plane[0] + plane[1] * rows[:, None] + plane[2] * columns
    return background


def _averages(before: int, after: int) -> "NDArray[np.float64]":
    """The matrix (after, before) that resamples a side: each new pixel is the mean of the old ones that it covers."""
    import numpy as np

    edges = np.arange(after)[:, None] * (before / after)
    pixels = np.arange(before)
    covered = np.minimum(edges + before / after, pixels + 1) - np.maximum(edges, pixels)
    weights: NDArray[np.float64] = np.clip(covered, 0, None) * (after / before)
    return weights


def _centre(digit: "NDArray[np.float64]") -> "NDArray[np.uint8]":
    """A digit of up to (20, 20), 0 to 1, as uint8 (28, 28) with its centre of mass in the middle."""
    import numpy as np

    image = np.zeros((SIDE, SIDE), dtype=np.uint8)
    place = []
    for axis, side in enumerate(digit.shape):
        centre = float(digit.sum(axis=1 - axis) @ np.arange(side)) / float(digit.sum())
        first = min(max(int(np.floor(CENTRE - centre + 0.5)), 0), SIDE - side)
        place.append(slice(first, first + side))
    image[tuple(place)] = np.rint(digit * 255)
    return image
