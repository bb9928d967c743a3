"""MNIST, or the small digits of this package that stand in for it, as tensors; and its seeded splits."""

import gzip
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import platformdirs
import torch
from torch import Tensor

from mnist_tui.errors import DataError, DownloadError, FileError
from mnist_tui.files import read_bytes
from mnist_tui.runs.events import Notice
from mnist_tui.spec.recipe import TRAIN_IMAGES
from mnist_tui.spec.run_options import Choice
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training.download import RAW_FILES, RawFile, download, verify

SPLIT_STREAM = 0x5917
"""Added to the seed of the run for the generator of the validation split."""

DIGITS_FILE = Path(__file__).parents[1] / "data" / "digits.gz"
MAX_DIGITS_BYTES = 100_000


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


def folders(data_dir: Path | None) -> list[Path]:
    """The folders searched for MNIST: only the named one; where none is named, the user's cache folder and `./data`."""
    named = _named(data_dir)
    return [named] if named else [platformdirs.user_cache_path("mnist-tui") / "data", Path("data")]


def _named(data_dir: Path | None) -> Path | None:
    """The folder the user named: `data_dir`, else `MNIST_TUI_DATA_DIR`."""
    variable = os.environ.get("MNIST_TUI_DATA_DIR")
    return data_dir or (Path(variable) if variable else None)


def raw_folder(folder: Path) -> Path | None:
    """The folder with all four raw files: torchvision's `MNIST/raw` below `folder`, or `folder` itself."""
    for candidate in (folder / "MNIST" / "raw", folder / "raw", folder):
        if all((candidate / file.name).exists() for file in RAW_FILES):
            return candidate
    return None


def find(data_dir: Path | None) -> Path | None:
    """The raw folder that will be used, or None where MNIST is not on this machine."""
    return next((raw for folder in folders(data_dir) if (raw := raw_folder(folder))), None)


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
    raw = find(data_dir)
    if raw is None:
        try:
            raw = _download_folder(data_dir)
            download(raw)
        except OSError as error:
            if choice == "mnist" or _named(data_dir):
                raise DataError(_no_mnist(data_dir, error)) from None
            notify(Notice(_banner(error), is_warning=True))
            return load_digits()
    return load_mnist(raw)


def download_notice(choice: Choice, data_dir: Path | None) -> Notice | None:
    """A notice that `load` is going to download MNIST; None where it is not."""
    if choice == "digits" or find(data_dir) is not None:
        return None
    return Notice(f"MNIST is not in {_looked_in(data_dir)}; downloading it (11 MB) to {_download_folder(data_dir)}")


def _looked_in(data_dir: Path | None) -> str:
    places = folders(data_dir)
    missing = ", which does not exist" if len(places) == 1 and not places[0].is_dir() else ""
    return " or ".join(map(str, places)) + missing


def _download_folder(data_dir: Path | None) -> Path:
    return folders(data_dir)[0] / "MNIST" / "raw"


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
    pixels_train, labels_train, pixels_test, labels_test = (_read(raw / file.name, file) for file in RAW_FILES)
    return Dataset("mnist", str(raw), _images(pixels_train, labels_train), _images(pixels_test, labels_test))


def _read(path: Path, file: RawFile) -> bytes:
    try:
        content = read_bytes(path, file.bytes)
        verify(content, file)
    except FileError as error:
        raise DataError(f"{error}; delete it and MNIST is fetched anew") from None
    except DownloadError as error:
        raise DataError(f"{path}: {error}; delete it and MNIST is fetched anew") from None
    return content


def _images(pixels: bytes, labels: bytes) -> Images:
    """Images from two IDX files: headers of 16 and 8 bytes, then one byte per pixel and one per label."""
    image_bytes = torch.frombuffer(bytearray(pixels), dtype=torch.uint8)[16:]
    label_bytes = torch.frombuffer(bytearray(labels), dtype=torch.uint8)[8:]
    return Images(image_bytes.reshape(-1, 1, 28, 28), label_bytes.long())


def load_digits() -> Dataset:
    """1,797 real handwritten 8x8 digits (Alpaydin, Kaynak 1998; mnist_tui/data/README.md), scaled to 28x28.

    They are enlarged to 20x20 and centred, as MNIST's are. 360 are test images, the same ones whatever the seed. Raises
    `DataError` where the file in the package is damaged.
    """
    rows = _read_digits()
    small = rows[:, :64].reshape(-1, 1, 8, 8).float() * (255 / 16)
    large = torch.nn.functional.interpolate(small, size=(20, 20), mode="bilinear", align_corners=False)
    pixels = torch.nn.functional.pad(large, (4, 4, 4, 4)).round().clamp(0, 255).to(torch.uint8)
    images = Images(pixels, rows[:, 64].long())
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return Dataset("digits", "mnist-tui", images.take(order[360:]), images.take(order[:360]))


def _read_digits() -> Tensor:
    """Uint8 (1797, 65): 64 pixels, 0 to 16, and the label."""
    try:
        content = gzip.decompress(read_bytes(DIGITS_FILE, MAX_DIGITS_BYTES))
        if len(content) != 1797 * 65:
            raise EOFError("is not whole")
    except (OSError, FileError, EOFError, zlib.error) as error:
        raise DataError(f"{DIGITS_FILE} cannot be read ({error}); install mnist-tui again") from None
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).reshape(-1, 65)


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
