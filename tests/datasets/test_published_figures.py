"""The figures of the table of data sets, as far as they can be checked without the files of all of them."""

import os
from pathlib import Path

import numpy as np
import pytest

from mnist_tui.datasets import places
from mnist_tui.datasets.published import CIFAR_10, FASHION_MNIST, KMNIST, MNIST, PUBLISHED, SMALL_DIGITS
from mnist_tui.datasets.read import read_part
from mnist_tui.datasets.record import DataSet, Part


def raw_mnist() -> Path | None:
    """The folder of MNIST's files on the machine that tests; None where it has none."""
    named = os.environ.get("MNIST_TUI_DATA_DIR")
    return places.find(MNIST, Path(named)) if named else None


needs_mnist = pytest.mark.skipif(raw_mnist() is None, reason="MNIST_TUI_DATA_DIR names no folder with MNIST")
FILES = [pytest.param(MNIST, marks=needs_mnist, id="mnist"), pytest.param(SMALL_DIGITS, id="digits")]


@pytest.mark.parametrize("data", FILES)
def test_what_is_in_the_files(data: DataSet) -> None:
    """As many images as the record says, of its shape, and each class in both parts."""
    parts: list[Part] = ["train", "test"]
    raw = raw_mnist() if data.files else None
    train, test = (read_part(data, raw, part) for part in parts)

    assert train.pixels.shape == (data.train_images, *data.shape)
    assert test.pixels.shape == (data.test_images, *data.shape)
    for labels in (train.labels, test.labels):
        assert np.unique(labels).tolist() == list(range(len(data.classes)))


@pytest.mark.slow
@needs_mnist
def test_mean_and_deviation_of_mnist() -> None:
    """To the four digits of the record, over all pixels of the 60,000 training images."""
    pixels = read_part(MNIST, raw_mnist(), "train").pixels / np.float64(255)

    assert (round(pixels.mean(), 4), round(pixels.std(), 4)) == (MNIST.mean, MNIST.std)


def test_who_is_normalised_as_mnist() -> None:
    """QMNIST, whose training images are MNIST's, and the small digits, which stand in for them."""
    like_mnist = {data.name for data in PUBLISHED.values() if (data.mean, data.std) == (MNIST.mean, MNIST.std)}

    assert like_mnist == {"mnist", "qmnist", "digits"}


def test_mean_and_deviation_of_cifar_10() -> None:
    """They follow from those of the three channels, which are in common use."""
    means, deviations = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2470, 0.2435, 0.2616])
    variance = (deviations**2).mean() + means.var()

    assert (CIFAR_10.mean, CIFAR_10.std) == (round(means.mean(), 4), round(variance**0.5, 4))


def test_classes_are_those_of_torchvision() -> None:
    """The names of the classes, in the order of the labels."""
    from torchvision import datasets

    emnist = datasets.EMNIST.classes_split_dict
    letters = [name.upper() for name in emnist["letters"] if name != "N/A"]

    assert list(FASHION_MNIST.classes) == datasets.FashionMNIST.classes
    assert list(KMNIST.classes) == datasets.KMNIST.classes
    assert list(PUBLISHED["emnist-digits"].classes) == list(emnist["digits"])
    assert list(PUBLISHED["emnist-letters"].classes) == letters
    assert list(PUBLISHED["emnist-balanced"].classes) == list(emnist["balanced"])
    assert [name[0] for name in datasets.MNIST.classes] == list(MNIST.classes)
