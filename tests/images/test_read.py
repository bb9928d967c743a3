"""PNG and JPEG files of every kind are read as what a person sees, within bounds, or refused in one line."""

import io
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mnist_tui.errors import FileError, ImageError
from mnist_tui.images import read
from mnist_tui.images.drawing import Drawing
from mnist_tui.images.read import read_digit, read_grey

Grey = NDArray[np.uint8]


def page() -> Grey:
    """A dark L, whose orientation can be seen, on white, (120, 100)."""
    pixels = np.full((120, 100), 250, np.uint8)
    pixels[20:100, 30:40] = 20
    pixels[90:100, 30:70] = 20
    return pixels


def saved(image: Image.Image, path: Path, **options: Any) -> Path:
    """The path, once the image is there."""
    image.save(path, **options)
    return path


def alike(one: bytes, other: bytes) -> bool:
    """Whether two prepared digits differ by at most 3 grey levels in the mean."""
    difference = np.frombuffer(one, np.uint8).astype(float) - np.frombuffer(other, np.uint8)
    return float(np.abs(difference).mean()) < 3


@pytest.fixture
def reference(tmp_path: Path) -> bytes:
    """The digit of the page, from a grey PNG."""
    return read_digit(saved(Image.fromarray(page()), tmp_path / "reference.png"))


# --- kinds of files ---


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "CMYK"])
def test_every_mode(mode: str, reference: bytes, tmp_path: Path) -> None:
    """Grey, colours, palette, black and white: the same digit; CMYK as a JPEG."""
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")

    assert alike(read_digit(saved(Image.fromarray(page()).convert(mode, dither=Image.Dither.NONE), path)), reference)


def test_sixteen_bits(reference: bytes, tmp_path: Path) -> None:
    """16-bit images are scaled to 8 bits, not clipped at 255."""
    deep = Image.fromarray(page().astype(np.uint16) * 257)

    assert alike(read_digit(saved(deep, tmp_path / "deep.png")), reference)


@pytest.mark.parametrize("ink", [0, 255])
def test_transparent_paper(ink: int, reference: bytes, tmp_path: Path) -> None:
    """Black or white ink on nothing, with the other colour hidden below the transparent pixels."""
    alpha = 255 - page()
    grey = np.where(alpha > 128, ink, 255 - ink).astype(np.uint8)
    image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])

    assert alike(read_digit(saved(image, tmp_path / "ink.png")), reference)


def test_a_transparent_palette(reference: bytes, tmp_path: Path) -> None:
    """A colour of the palette that is transparent, as drawing programs save it."""
    image = Image.fromarray((page() < 128).astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 0, 0, 0])

    assert alike(read_digit(saved(image, tmp_path / "palette.png", transparency=0)), reference)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_was_turned(orientation: int, reference: bytes, tmp_path: Path) -> None:
    """The orientation in EXIF is applied."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = Image.fromarray(page())
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = image.transpose(undo[orientation]) if orientation in undo else image

    assert alike(read_digit(saved(turned, tmp_path / "photo.jpg", exif=exif, quality=95)), reference)


@pytest.mark.slow
def test_a_large_photo_is_read_small(reference: bytes, tmp_path: Path) -> None:
    """30 million pixels in colour: at most about 2,000 a side remain, in less than 2 s of processor time."""
    image = Image.fromarray(page()).convert("RGB").resize((5000, 6000))
    path = saved(image, tmp_path / "large.jpg")
    started = time.process_time()
    grey = read_grey(path)

    assert time.process_time() - started < 2
    assert max(grey.shape) <= 2 * read.WORKING_SIDE
    assert alike(read_digit(path), reference)


def test_a_saved_drawing_is_read_as_it_was(tmp_path: Path) -> None:
    """PNG from the canvas, prepared: as the canvas prepares it itself."""
    drawing = Drawing()
    drawing.press((8, 8))
    drawing.drag((20, 19))
    (tmp_path / "drawing.png").write_bytes(drawing.to_png())

    assert read_digit(tmp_path / "drawing.png") == drawing.prepared().pixels


# --- what is refused ---


def png_of_size(width: int, height: int) -> bytes:
    """A PNG file that says that it has so many pixels, and has none."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7_100, 12_000, 60_000])
def test_decompression_bombs(side: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Refused by their header, below and above Pillow's own limits, with nothing on the screen."""
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of_size(side, side))

    with pytest.raises(ImageError, match=r"bomb\.png: has more than 50,000,000 pixels; make it smaller first$"):
        read_grey(path)
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """A file above the limit is not read."""
    path = tmp_path / "large.png"
    with open(path, "wb") as file:
        file.truncate(read.MAX_BYTES + 1)

    with pytest.raises(FileError, match="is larger than"):
        read_digit(path)


def test_no_file(tmp_path: Path) -> None:
    """A missing file and a folder raise `ImageError`."""
    with pytest.raises(FileError, match="No such file"):
        read_digit(tmp_path / "nothing.png")
    with pytest.raises(FileError, match="is a folder"):
        read_digit(tmp_path)


@pytest.mark.parametrize("content", [b"", b"text", b"GIF89a", b"\xff\xd8\xff"])
def test_no_image(content: bytes, tmp_path: Path) -> None:
    """Text, an empty file and another image format raise `ImageError`."""
    path = tmp_path / "image.png"
    path.write_bytes(content)

    with pytest.raises(ImageError, match=r"image\.png: (is neither a PNG nor a JPEG image|is damaged)"):
        read_digit(path)


def test_a_blank_image_is_named(tmp_path: Path) -> None:
    """The error says which file shows nothing."""
    with pytest.raises(ImageError, match=r"blank\.png: nothing stands out"):
        read_digit(saved(Image.new("L", (50, 50), 255), tmp_path / "blank.png"))


def encoded(kind: str) -> bytes:
    """The page as a file."""
    file = io.BytesIO()
    Image.fromarray(page()).save(file, kind)
    return file.getvalue()


FILES = {kind: encoded(kind) for kind in ("PNG", "JPEG")}


@given(st.sampled_from(sorted(FILES)), st.data())
def test_damaged_files_end_in_one_error(kind: str, data: st.DataObject) -> None:
    """Bytes changed and cut off anywhere: grey values or `ImageError`, never anything else."""
    import tempfile

    content = bytearray(FILES[kind])
    for place, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=6)
    ):
        content[place] = byte
    del content[data.draw(st.integers(0, len(content))) :]
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(content)
        file.flush()
        try:
            assert read_grey(Path(file.name)).ndim == 2
        except ImageError as error:
            message = str(error)
        else:
            message = ""
    assert "\n" not in message
