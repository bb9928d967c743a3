"""Small data sets in the formats of the published ones, with digests of their own."""

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mnist_tui.datasets.published import PUBLISHED
from mnist_tui.datasets.record import DataFile, DataSet

Pixels = NDArray[np.uint8]

WRITERS = 4
"""Writers of the digits of a small QMNIST, each as often as the others."""


def idx(array: NDArray[np.uint8] | NDArray[np.int32]) -> bytes:
    """An array as an IDX file."""
    kind, dtype = (8, np.uint8) if array.dtype == np.uint8 else (12, ">i4")
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.astype(dtype).tobytes()


def images_of(data: DataSet, count: int, seed: int) -> tuple[Pixels, Pixels]:
    """Images (count, C, H, W) that show their labels (count,): noise with a bright row for the class."""
    generator = np.random.default_rng(seed)
    labels = (np.arange(count) % len(data.classes)).astype(np.uint8)
    pixels = generator.integers(0, 60, (count, *data.shape), np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[:, label % data.shape[1]] = 255
    return pixels, labels


def contents(data: DataSet, train: int, test: int) -> dict[str, bytes]:
    """The files of a data set with so many images, by name."""
    parts = {"train": images_of(data, train, 0), "test": images_of(data, test, 1)}
    if data.format == "emnist":
        return {data.files[0].name: _emnist(data, parts)}
    if data.format == "cifar":
        return {data.files[0].name: _cifar(parts)}
    arrays = [array for pixels, labels in parts.values() for array in (idx(pixels[:, 0]), _labels(data, labels))]
    packed = [
        content if file.sha256 else gzip.compress(content) for content, file in zip(arrays, data.files, strict=True)
    ]
    return dict(zip([file.name for file in data.files], packed, strict=True))


def _labels(data: DataSet, labels: Pixels) -> bytes:
    if data.format != "qmnist":
        return idx(labels)
    rows = np.zeros((len(labels), 8), np.int32)
    rows[:, 0], rows[:, 2] = labels, 100 + np.arange(len(labels)) % WRITERS
    return idx(rows)


def _emnist(data: DataSet, parts: Mapping[str, tuple[Pixels, Pixels]]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for part, (pixels, labels) in parts.items():
            turned = idx(np.ascontiguousarray(pixels[:, 0].transpose(0, 2, 1)))
            file.writestr(f"gzip/{data.name}-{part}-images-idx3-ubyte.gz", gzip.compress(turned))
            numbers = gzip.compress(idx(labels + np.uint8(data.first_label)))
            file.writestr(f"gzip/{data.name}-{part}-labels-idx1-ubyte.gz", numbers)
    return archive.getvalue()


def _cifar(parts: Mapping[str, tuple[Pixels, Pixels]]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as file:
        for part, (pixels, labels) in parts.items():
            rows = np.concatenate([labels[:, None], pixels.reshape(len(labels), -1)], axis=1)
            batches = np.split(rows, 5) if part == "train" else [rows]
            for number, batch in enumerate(batches, start=1):
                name = f"data_batch_{number}.bin" if part == "train" else "test_batch.bin"
                member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                member.size = batch.size
                file.addfile(member, io.BytesIO(batch.tobytes()))
    return archive.getvalue()


def small(name: str, train: int = 100, test: int = 40) -> tuple[DataSet, dict[str, bytes]]:
    """The record of a data set with so few images, and its files."""
    data = PUBLISHED[name]
    files = contents(data, train, test)
    return replace(
        data, files=tuple(map(_file, data.files, files.values())), train_images=train, test_images=test
    ), files


def _file(file: DataFile, content: bytes) -> DataFile:
    if file.sha256:
        return replace(file, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    return replace(file, md5=hashlib.md5(content, usedforsecurity=False).hexdigest())


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, train: int = 100, test: int = 40) -> DataSet:
    """Makes a data set a small one in this test, and writes its files to where they belong below a data folder."""
    data, files = small(name, train, test)
    monkeypatch.setitem(PUBLISHED, name, data)
    raw = folder / data.folders[0]
    raw.mkdir(parents=True, exist_ok=True)
    for file_name, content in files.items():
        (raw / file_name).write_bytes(content)
    return data


def write_images(folder: Path, classes: Mapping[str, int], side: int = 20) -> None:
    """A folder for each class with so many images, PNG and JPEG in turn: a bright row for the class, and noise."""
    generator = np.random.default_rng(0)
    for label, (name, count) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 60, (side, side, 3), np.uint8)
            pixels[4 * label : 4 * label + 4] = 255
            ending = "png" if number % 2 else "jpg"
            Image.fromarray(pixels).save(folder / name / f"{number:03}.{ending}")
