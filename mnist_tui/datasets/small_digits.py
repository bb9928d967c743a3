"""The small digits of this package, which stand in for MNIST: 1,797 real handwritten 8x8 digits, scaled to 28x28.

Their source is mnist_tui/data/README.md.
"""

import gzip
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.errors import DataError, FileError
from mnist_tui.files import read_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIGITS_FILE = Path(__file__).parents[1] / "data" / "digits.gz"
MAX_DIGITS_BYTES = 100_000
DIGITS, SMALL_SIDE, LARGE_SIDE, MARGIN = 1797, 8, 20, 4
TEST_DIGITS = 360


def read_digits() -> "tuple[NDArray[np.uint8], NDArray[np.uint8]]":
    """Pixels (1797, 28, 28), 0 (background) to 255, and labels (1797,); the first `TEST_DIGITS` are the test images.

    As MNIST's, the digits are 20x20 in the middle of their image. Raises `DataError` where the file is damaged.
    """
    import numpy as np

    rows = np.frombuffer(_unpack(), np.uint8).reshape(DIGITS, -1)[_shuffled(DIGITS)]
    small = rows[:, : SMALL_SIDE**2].reshape(-1, SMALL_SIDE, SMALL_SIDE).astype(np.float32) * np.float32(255 / 16)
    large = np.round(_enlarge(small)).clip(0, 255).astype(np.uint8)
    return np.pad(large, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN))), rows[:, -1]


def _unpack() -> bytes:
    """For each digit 64 pixels, 0 to 16, and the label."""
    try:
        content = gzip.decompress(read_bytes(DIGITS_FILE, MAX_DIGITS_BYTES))
        if len(content) != DIGITS * (SMALL_SIDE**2 + 1):
            raise EOFError("is not whole")
    except (OSError, FileError, EOFError, zlib.error) as error:
        raise DataError(f"{DIGITS_FILE} cannot be read ({error}); install mnist-tui again") from None
    return content


def _shuffled(count: int) -> "NDArray[np.int64]":
    """The numbers below `count` in the order of `torch.randperm` with the seed 0: Fisher and Yates on MT19937."""
    import numpy as np

    order = np.arange(count)
    draws = np.random.RandomState(0).randint(0, 2**32, count - 1, dtype=np.uint32)
    for index, draw in enumerate(draws.tolist()):
        other = index + draw % (count - index)
        order[[index, other]] = order[[other, index]]
    return order


def _enlarge(small: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """(N, 8, 8) to (N, 20, 20), bilinear, as `interpolate(size=20, mode="bilinear")` of torch.

    To the last bit as torch computes it on a CPU with fused multiply-add (AVX2): run folders hold a digest of the
    pixels, and many values lie half-way between two grey values.
    """
    import numpy as np

    ratio = np.float32(SMALL_SIDE / LARGE_SIDE)
    place = np.maximum(_fused(np.arange(LARGE_SIDE, dtype=np.float32) + np.float32(0.5), ratio, np.float32(-0.5)), 0)
    first = place.astype(np.int64)
    share = place - first.astype(np.float32)
    ends = [(first, np.float32(1) - share), (np.minimum(first + 1, SMALL_SIDE - 1), share)]
    corners = [(small[:, rows][:, :, columns], high[:, None] * wide) for rows, high in ends for columns, wide in ends]
    (upper_left, left_weight), (upper_right, right_weight), *lower = corners
    large = _fused(upper_left, left_weight, upper_right * right_weight)
    for pixels, weight in lower:
        large = _fused(pixels, weight, large)
    return large


def _fused(
    factor: "NDArray[np.float32]", other: "NDArray[np.float32] | np.float32", term: "NDArray[np.float32] | np.float32"
) -> "NDArray[np.float32]":
    """`factor * other + term`, rounded once, at the end."""
    import numpy as np

    # The product of two float32 is exact in float64.
    return (factor.astype(np.float64) * other + term).astype(np.float32)
