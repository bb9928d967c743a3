"""MNIST, or the small digits of this package that stand in for it, as tensors; and its seeded splits."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from mnist_tui.errors import DataError
from mnist_tui.images import mnist_files
from mnist_tui.images.mnist_files import read_raw
from mnist_tui.images.small_digits import TEST_DIGITS, read_digits
from mnist_tui.runs.events import Notice
from mnist_tui.spec.recipe import TRAIN_IMAGES
from mnist_tui.spec.run_options import Choice
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training.download import download

SPLIT_STREAM = 0x5917
"""Added to the seed of the run for the generator of the validation split."""


@dataclass(frozen=True)
class Images:
    """Labelled images: `pixels` uint8 (N, 1, 28, 28), 0 (background) to 255; `labels` int64 (N,), 0 to 9."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor) -> "Images":
        """The images at `index`, int64 (M,)."""
        return Images(self.pixels[index], self.labels[index])

    def to(self, device: torch.device) -> "Images":
        """The same images on `device`."""
        return Images(self.pixels.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """Training and test images, and where they come from."""

    name: Literal["mnist", "digits"]
    origin: str
    """The folder or the package that the images were read from."""
    train: Images
    test: Images

    @property
    def sha256(self) -> str:
        """SHA-256 of all pixels and labels."""
        digest = sha256()
        for images in (self.train, self.test):
            digest.update(images.pixels.numpy().tobytes())
            digest.update(images.labels.numpy().tobytes())
        return digest.hexdigest()


def load(
    choice: Choice = "auto", data_dir: Path | None = None, notify: Callable[[Notice], None] = lambda notice: None
) -> Dataset:
    """The data set; MNIST is downloaded where it is not found.

    `auto` falls back to the small digits of this package, with a warning that cannot be missed, where MNIST can be
    neither found nor fetched and no folder is named for it. Raises `DataError`: where MNIST is asked for, by `mnist` or
    by naming its folder, and not to be had; and always when files that are there are damaged: falling back would hide
    it.
    """
    if choice == "digits":
        return load_digits()
    raw = mnist_files.find(data_dir)
    if raw is None:
        try:
            raw = _download_folder(data_dir)
            download(raw)
        except OSError as error:
            if choice == "mnist" or mnist_files.named_folder(data_dir):
                raise DataError(_no_mnist(data_dir, error)) from None
            notify(Notice(_banner(error), is_warning=True))
            return load_digits()
    return load_mnist(raw)


def download_notice(choice: Choice, data_dir: Path | None) -> Notice | None:
    """A notice that `load` is going to download MNIST; None where it is not."""
    if choice == "digits" or mnist_files.find(data_dir) is not None:
        return None
    return Notice(f"MNIST is not in {_looked_in(data_dir)}; downloading it (11 MB) to {_download_folder(data_dir)}")


def _looked_in(data_dir: Path | None) -> str:
    places = mnist_files.folders(data_dir)
    missing = ", which does not exist" if len(places) == 1 and not places[0].is_dir() else ""
    return " or ".join(map(str, places)) + missing


def _download_folder(data_dir: Path | None) -> Path:
    return mnist_files.folders(data_dir)[0] / "MNIST" / "raw"


def _no_mnist(data_dir: Path | None, error: OSError) -> str:
    return (
        f"MNIST is not in {_looked_in(data_dir)}, and could not be downloaded ({error}). Put the four raw files into "
        "DIR/MNIST/raw and name DIR with --data-dir, MNIST_TUI_DATA_DIR or the setting data_dir, or train on "
        "--dataset digits."
    )


def _banner(error: OSError) -> str:
    return (
        "NOT MNIST. It was neither found nor fetched, so this run uses 1,797 small digits, "
        f"scaled to 28x28. Its accuracies mean nothing for MNIST and are never compared with an MNIST run. ({error}) "
        "For MNIST: --data-dir DIR, where DIR/MNIST/raw holds its four raw files."
    )


def load_mnist(raw: Path) -> Dataset:
    """MNIST from the four files in `raw`; raises `DataError` where one differs from the published file."""
    contents = (read_raw(raw, file) for file in mnist_files.RAW_FILES)
    pixels_train, labels_train, pixels_test, labels_test = contents
    return Dataset("mnist", str(raw), _images(pixels_train, labels_train), _images(pixels_test, labels_test))


def _images(pixels: bytes, labels: bytes) -> Images:
    """Images from two IDX files: headers of 16 and 8 bytes, then one byte per pixel and one per label."""
    image_bytes = torch.frombuffer(bytearray(pixels), dtype=torch.uint8)[mnist_files.IMAGES_HEADER :]
    label_bytes = torch.frombuffer(bytearray(labels), dtype=torch.uint8)[mnist_files.LABELS_HEADER :]
    return Images(image_bytes.reshape(-1, 1, 28, 28), label_bytes.long())


def load_digits() -> Dataset:
    """The small digits of this package; 360 are test images, the same ones whatever the seed.

    Raises `DataError` where the file in the package is damaged.
    """
    pixels, labels = (torch.from_numpy(array) for array in read_digits())
    pixels, labels = pixels[:, None], labels.long()
    train, test = Images(pixels[TEST_DIGITS:], labels[TEST_DIGITS:]), Images(pixels[:TEST_DIGITS], labels[:TEST_DIGITS])
    return Dataset("digits", "mnist-tui", train, test)


def split_for(spec: RunSpec, dataset: Dataset) -> tuple[Images, Images | None]:
    """The images that a run of the spec trains on, and its validation images; None where the recipe has no split.

    A data set smaller than MNIST gives the same share of its images to validation.
    """
    count = len(dataset.train)
    share = spec.train.validation_images / TRAIN_IMAGES
    return split(dataset.train, min(round(share * count), count - 1), spec.train.seed)


def split(images: Images, validation_images: int, seed: int) -> tuple[Images, Images | None]:
    """Training and validation images, selected by `seed`; None for validation where `validation_images` is 0."""
    if not validation_images:
        return images, None
    generator = torch.Generator().manual_seed(seed + SPLIT_STREAM)
    order = torch.randperm(len(images), generator=generator)
    return images.take(order[validation_images:]), images.take(order[:validation_images])
