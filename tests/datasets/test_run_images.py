"""The test images of a run without torch: the same pixels that it was tested on, of its data set alone."""

import os
import struct
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from mnist_tui.datasets import places, small_digits, test_images
from mnist_tui.datasets.published import MNIST as MNIST_DATA
from mnist_tui.datasets.published import PUBLISHED
from mnist_tui.datasets.record import DataFile
from mnist_tui.errors import DataError

MNIST, DIGITS = (test_images.SHA256[name] for name in ("mnist", "digits"))
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
LABELS = np.array([1, 1, 2], np.uint8)
FILES = dict(
    zip(
        [file.name for file in MNIST_DATA.files],
        [
            b"never read",
            b"never read",
            struct.pack(">4B3I", 0, 0, 8, 3, *PIXELS.shape) + PIXELS.tobytes(),
            struct.pack(">4BI", 0, 0, 8, 1, 3) + LABELS.tobytes(),
        ],
        strict=True,
    )
)


@pytest.fixture
def tiny_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose MNIST has three test images."""
    files = tuple(DataFile(name, len(content), sha256(content).hexdigest()) for name, content in FILES.items())
    monkeypatch.setitem(PUBLISHED, "mnist", replace(MNIST_DATA, files=files, test_images=3))
    monkeypatch.setattr(test_images, "_read", test_images._read.__wrapped__)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_mnists_test_images(tiny_mnist: Path) -> None:
    """The pixels at the indices, and the mean of a class; indices beyond the last image are left out."""
    images = test_images.read_test_images("mnist", MNIST, tiny_mnist, [2, 0, 3, -1])
    mean = test_images.class_mean("mnist", MNIST, tiny_mnist, 1)

    assert images == {2: PIXELS[2].tobytes(), 0: PIXELS[0].tobytes()}
    assert mean == PIXELS[:2].mean(axis=0).round().astype(np.uint8).tobytes()


@pytest.mark.parametrize("name", [file.name for file in MNIST_DATA.files[2:]])
def test_damaged_files_are_refused(name: str, tiny_mnist: Path) -> None:
    """A changed byte of the test images, or of their labels, is an error that names the file."""
    content = bytearray(FILES[name])
    content[-1] ^= 1
    (tiny_mnist / name).write_bytes(content)

    with pytest.raises(DataError, match=f"{name}.*SHA-256"):
        test_images.read_test_images("mnist", MNIST, tiny_mnist, [0])


@pytest.mark.parametrize(("name", "sha"), [("mnist", DIGITS), ("digits", MNIST), ("mnist", ""), ("", MNIST), ("x", "")])
def test_other_data_is_refused(name: str, sha: str, tiny_mnist: Path) -> None:
    """Images of a data set that is not the run's would be shown under wrong captions."""
    with pytest.raises(DataError, match=f"the run's data set, {name}, is not on this machine; --data-dir"):
        test_images.read_test_images(name, sha, tiny_mnist, [0])


def test_mnist_that_is_not_there(tmp_path: Path) -> None:
    """Nothing is downloaded, and the small digits do not stand in."""
    with pytest.raises(DataError, match="is not on this machine"):
        test_images.read_test_images("mnist", MNIST, tmp_path, [0])


def test_they_are_what_was_tested_on() -> None:
    """Of the small digits every test image and class mean is the one that torch has; so is the digest."""
    from mnist_tui.training.data import load_digits

    digits = load_digits()
    expected = {index: bytes(image.flatten().tolist()) for index, image in enumerate(digits.test.pixels)}
    means = [digits.test.pixels[digits.test.labels == label].float().mean(dim=0).round() for label in range(10)]

    assert test_images.read_test_images("digits", DIGITS, None, range(500)) == expected
    assert digits.sha256 == DIGITS
    for label, mean in enumerate(means):
        assert list(test_images.class_mean("digits", DIGITS, None, label)) == mean.flatten().tolist()


def test_the_digits_are_shuffled_as_by_torch() -> None:
    """The order is that of `torch.randperm` with the seed 0, which older run folders have."""
    import torch

    expected = torch.randperm(1797, generator=torch.Generator().manual_seed(0))

    assert small_digits._shuffled(1797).tolist() == expected.tolist()


def test_the_digits_are_enlarged_as_by_torch() -> None:
    """Bilinear interpolation as in torch, but for the rounding of its last bit, which differs between processors."""
    import torch

    small = np.random.default_rng(0).random((50, 8, 8), np.float32) * 255
    expected = torch.nn.functional.interpolate(torch.from_numpy(small)[:, None], size=(20, 20), mode="bilinear")

    assert np.abs(small_digits._enlarge(small) - expected[:, 0].numpy()).max() < 1e-3


@pytest.mark.skipif(
    not os.environ.get("MNIST_TUI_DATA_DIR"), reason="MNIST_TUI_DATA_DIR does not name a folder with MNIST"
)
def test_the_digest_of_the_real_mnist() -> None:
    """It is what a run on MNIST stores; the test images are found in the folder that the variable names."""
    from mnist_tui.spec.data_spec import ON_MNIST
    from mnist_tui.training import data

    raw = places.find(MNIST_DATA, None)
    assert raw is not None
    dataset = data.read(ON_MNIST, ON_MNIST.dataset, raw)

    assert dataset.sha256 == MNIST
    assert test_images.read_test_images("mnist", MNIST, None, [9_999]) == {
        9_999: dataset.test.pixels[9_999].numpy().tobytes()
    }


def test_without_torch(fresh_modules: set[str]) -> None:
    """Reading them loads numpy alone, in a process of its own."""
    assert "numpy" in fresh_modules
    assert "torch" not in fresh_modules


@pytest.fixture
def fresh_modules() -> set[str]:
    """The modules that a process has loaded after it has read the digits."""
    import subprocess

    code = (
        "import sys; from mnist_tui.datasets.test_images import *; "
        f"read_test_images('digits', '{DIGITS}', None, [0]); print(*sys.modules)"
    )
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
