"""Images and labels out of the files of data sets: IDX files alone and in an archive, and CIFAR's records."""

import io
import math
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from mnist_tui.datasets.record import DataSet, Part
from mnist_tui.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.uint8] | NDArray[np.int32]

Contents = Callable[[int], bytes]
"""Returns the verified content of a file of the data set, by its place among the files."""

MOST_LABEL_BYTES = 32
"""Per image: a label of QMNIST has 8 numbers of 4 bytes."""


class LabelledImages(NamedTuple):
    """N images with their labels."""

    pixels: "NDArray[np.uint8]"
    """(N, C, H, W), 0 to 255."""
    labels: "NDArray[np.int64]"
    """(N,), from 0."""


def read_idx(content: bytes) -> "Numbers":
    """The array of an IDX file (LeCun): 0, 0, type, number of dimensions, their sizes, then the numbers, big-endian.

    Raises `DataError` where it is none of uint8 or int32, or its size is not that of its header.
    """
    import numpy as np

    types: dict[int, np.dtype[Any]] = {8: np.dtype(np.uint8), 12: np.dtype(">i4")}
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in types:
        raise DataError("is no IDX file")
    dtype, header = types[content[2]], 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4))
    if len(content) != header + dtype.itemsize * math.prod(shape):
        raise DataError(f"is no IDX file of {' x '.join(map(str, shape))} numbers")
    numbers: Numbers = np.frombuffer(content, dtype, offset=header).reshape(shape)
    return numbers


def read_idx_files(data: DataSet, contents: Contents, part: Part) -> LabelledImages:
    """A part of a data set of four IDX files, packed or not: its images and labels."""
    first = 0 if part == "train" else 2
    pixels, labels = (read_idx(unpack(data, contents(index))) for index in (first, first + 1))
    if labels.ndim == 2:  # QMNIST's columns: class, NIST series, writer, digit, ...
        labels = labels[:, 0]
    return _check_images(data, part, pixels[:, None], labels)


def read_emnist(data: DataSet, contents: Contents, part: Part) -> LabelledImages:
    """A part of one of EMNIST's data sets: IDX files in an archive, with transposed images."""
    name = f"gzip/{data.name}-{part}"
    try:
        with zipfile.ZipFile(io.BytesIO(contents(0))) as archive:
            members = [archive.read(f"{name}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1")]
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"the archive of {data.title} cannot be read: {error}") from None
    pixels, labels = (read_idx(unpack(data, member)) for member in members)
    return _check_images(data, part, pixels.transpose(0, 2, 1)[:, None], labels)


def read_cifar(data: DataSet, contents: Contents, part: Part) -> LabelledImages:
    """A part of CIFAR-10, binary version: records of a label and of 3 x 32 x 32 pixels."""
    import numpy as np

    names = [f"data_batch_{number}.bin" for number in range(1, 6)] if part == "train" else ["test_batch.bin"]
    size, count = 1 + math.prod(data.shape), data.train_images if part == "train" else data.test_images
    records = b""
    try:
        with tarfile.open(fileobj=io.BytesIO(contents(0)), mode="r:gz") as archive:
            for name in names:
                member = archive.extractfile(f"cifar-10-batches-bin/{name}")
                records += member.read(size * count + 1) if member else b""
    except (tarfile.TarError, KeyError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"the archive of {data.title} cannot be read: {error}") from None
    if len(records) != size * count:
        raise DataError(f"the archive of {data.title} has not {count:,} {part} images")
    rows = np.frombuffer(records, np.uint8).reshape(count, size)
    return _check_images(data, part, rows[:, 1:].reshape(count, *data.shape), rows[:, 0])


def unpack(data: DataSet, content: bytes) -> bytes:
    """An IDX file as it is, or unpacked where it is packed, at most to the size that the data set's files have."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    limit = 64 + 6 * data.test_images * MOST_LABEL_BYTES
    limit += max(data.train_images, 6 * data.test_images) * max(math.prod(data.shape), MOST_LABEL_BYTES)
    try:
        unpacker = zlib.decompressobj(wbits=31)  # 31: gzip, with its checksum.
        unpacked = unpacker.decompress(content, limit)
    except zlib.error as error:
        raise DataError(f"a file of {data.title} cannot be unpacked: {error}") from None
    if not unpacker.eof:
        raise DataError(f"a file of {data.title} unpacks to more than {limit:,} bytes, or is cut off")
    return unpacked


def _check_images(data: DataSet, part: Part, pixels: "Numbers", labels: "Numbers") -> LabelledImages:
    """The first images of a part, as many as the data set has; raises `DataError` where they are not its images."""
    import numpy as np

    count = data.train_images if part == "train" else data.test_images
    if len(pixels) < count or len(labels) < count or pixels.shape[1:] != data.shape:
        raise DataError(f"{data.title}: its {part} files do not hold {count:,} images {list(data.shape)}")
    classes: NDArray[np.int64] = labels[:count].astype(np.int64) - data.first_label
    if classes.min() < 0 or classes.max() >= len(data.classes):
        raise DataError(f"{data.title}: its {part} files have labels beyond its {len(data.classes)} classes")
    return LabelledImages(np.ascontiguousarray(pixels[:count], np.uint8), classes)
