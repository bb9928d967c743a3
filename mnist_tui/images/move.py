"""A digit of 28x28 pixels, shifted or turned: 28 rows of 28 grey values, 0 to 255, as bytes; what comes in is 0."""

from mnist_tui.images.prepare import SIDE


def shift(pixels: bytes, right: int, down: int) -> bytes:
    """The digit moved by whole pixels; what leaves the image is lost."""
    right, down = (max(-SIDE, min(SIDE, pixels_moved)) for pixels_moved in (right, down))
    moved = bytearray(SIDE * SIDE)
    for row in range(max(0, down), min(SIDE, SIDE + down)):
        source = pixels[(row - down) * SIDE : (row - down + 1) * SIDE]
        first, last = max(0, right), min(SIDE, SIDE + right)
        moved[row * SIDE + first : row * SIDE + last] = source[first - right : last - right]
    return bytes(moved)


def rotate(pixels: bytes, degrees: float) -> bytes:
    """The digit turned anticlockwise about the middle of the image, with bilinear interpolation."""
    from PIL import Image

    image = Image.frombytes("L", (SIDE, SIDE), pixels)
    return image.rotate(degrees, Image.Resampling.BILINEAR).tobytes()
