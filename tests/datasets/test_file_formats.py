"""The formats of data sets: what is read is what was written, and what is damaged is one clear error."""

from pathlib import Path

import numpy as np
import pytest
from helpers.data_sets import idx, images_of, install, small

from mnist_tui.datasets import formats, places
from mnist_tui.datasets.published import PUBLISHED
from mnist_tui.datasets.read import read_part
from mnist_tui.datasets.record import Part
from mnist_tui.errors import DataError

FETCHED = [name for name, data in PUBLISHED.items() if data.files]


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("name", FETCHED)
def test_images_are_read_as_they_were_written(
    name: str, part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upright, in the colours and order of the files, with labels from 0 whatever the files begin with."""
    data = install(monkeypatch, tmp_path, name)
    pixels, labels = read_part(data, places.find(data, tmp_path), part)
    count, seed = (100, 0) if part == "train" else (40, 1)
    expected_pixels, expected_labels = images_of(data, count, seed)

    assert np.array_equal(pixels, expected_pixels)
    assert labels.tolist() == expected_labels.tolist()
    assert (pixels.dtype.name, labels.dtype.name) == ("uint8", "int64")


def test_the_small_digits() -> None:
    """Their record says how many there are, and what they look like."""
    data = PUBLISHED["digits"]
    train, test = (read_part(data, None, part) for part in ("train", "test"))

    assert (len(train.labels), len(test.labels)) == (data.train_images, data.test_images)
    assert train.pixels.shape[1:] == data.shape


def test_qmnist_tests_on_mnists_own_test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the extended test part only the first images are for choosing; the others are the exam's."""
    data, files = small("qmnist", train=20, test=60)
    few = PUBLISHED["qmnist"].__class__(**{**vars(data), "test_images": 10})
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    assert len(read_part(few, tmp_path, "test").labels) == 10


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is no IDX file"),
        (b"\0\0\x08", "is no IDX file"),
        (b"\0\1\x08\1" + bytes(8), "is no IDX file"),
        (b"\0\0\x09\1" + bytes(8), "is no IDX file"),
        (idx(np.zeros((3, 2), np.uint8))[:-1], "is no IDX file of 3 x 2 numbers"),
        (idx(np.zeros((3, 2), np.uint8)) + b"!", "is no IDX file of 3 x 2 numbers"),
        (b"\0\0\x08\x04" + b"\xff" * 16, "is no IDX file of"),
    ],
)
def test_what_is_no_idx_file(content: bytes, reason: str) -> None:
    """A header that is not LeCun's, or that promises another size, is refused before anything is allocated."""
    with pytest.raises(DataError, match=reason):
        formats.read_idx(content)


@pytest.mark.parametrize("name", ["fashion-mnist", "emnist-letters", "cifar-10", "qmnist"])
def test_files_with_other_contents_than_the_record(name: str) -> None:
    """Fewer images than published, or labels beyond the classes, are an error even with the right digests."""
    data, files = small(name, train=20, test=10)
    more = PUBLISHED[name].__class__(**{**vars(data), "train_images": 25})
    fewer_classes = PUBLISHED[name].__class__(**{**vars(data), "classes": data.classes[:3]})
    read = list(files.values()).__getitem__
    reader = {"emnist": formats.read_emnist, "cifar": formats.read_cifar}.get(data.format, formats.read_idx_files)

    with pytest.raises(DataError, match="25"):
        reader(more, read, "train")
    with pytest.raises(DataError, match="beyond its 3 classes"):
        reader(fewer_classes, read, "train")


@pytest.mark.parametrize("name", ["fashion-mnist", "emnist-letters", "cifar-10"])
@pytest.mark.parametrize("damage", ["cut", "not packed"])
def test_archives_that_cannot_be_read(name: str, damage: str) -> None:
    """One error, whatever the archive is."""
    data, files = small(name, train=20, test=10)
    damaged = [content[:-30] if damage == "cut" else b"PK\3\4 nothing" for content in files.values()]
    reader = {"emnist": formats.read_emnist, "cifar": formats.read_cifar}.get(data.format, formats.read_idx_files)

    with pytest.raises(DataError):
        reader(data, damaged.__getitem__, "train")


def test_a_file_that_unpacks_to_too_much() -> None:
    """Nothing is unpacked beyond what the images of the data set take."""
    import gzip

    data, files = small("fashion-mnist", train=20, test=10)
    bomb = gzip.compress(bytes(50_000_000))
    read = [bomb, *list(files.values())[1:]].__getitem__

    with pytest.raises(DataError, match="unpacks to more than"):
        formats.read_idx_files(data, read, "train")
