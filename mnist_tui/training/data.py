"""The images of a data set as tensors, downloaded where they are missing; and their seeded splits."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from mnist_tui.datasets import places
from mnist_tui.datasets.names import AUTO
from mnist_tui.datasets.published import MNIST, SMALL_DIGITS
from mnist_tui.datasets.read import read_part
from mnist_tui.datasets.record import DataSet, Part
from mnist_tui.errors import DataError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Downloading, Notice
from mnist_tui.spec.data_spec import ON_MNIST, DataSpec
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training.download import SECONDS, SLOWEST, downloading

SPLIT_STREAM = 0x5917
"""Added to the seed of the run for the generator of the validation split."""


@dataclass(frozen=True)
class Images:
    """Labelled images: `pixels` uint8 (N, C, H, W), 0 to 255; `labels` int64 (N,), from 0."""

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

    name: str
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
    choice: str = AUTO,
    data_dir: Path | None = None,
    notify: Callable[[Notice], None] = lambda notice: None,
    data: DataSpec = ON_MNIST,
) -> Dataset:
    """The data set that `loading` returns; `notify` gets its notices."""
    load_events = LoadEvents(loading(choice, data_dir, data))
    for event in load_events:
        if isinstance(event, Notice):
            notify(event)
    assert load_events.dataset is not None  # Only a `control` stops it.
    return load_events.dataset


class LoadEvents:
    """The events of `loading`, and once all of them were iterated over, the data set that it returned."""

    def __init__(self, events: Generator[Notice | Downloading, None, Dataset | None]) -> None:
        self._events = events
        self.dataset: Dataset | None = None

    def __iter__(self) -> Iterator[Notice | Downloading]:
        self.dataset = yield from self._events


def loading(
    choice: str = AUTO, data_dir: Path | None = None, data: DataSpec = ON_MNIST, control: Control | None = None
) -> Generator[Notice | Downloading, None, Dataset | None]:
    """Returns the data set `data` of a spec, or the small digits where `choice` is `digits`.

    It is downloaded where it is not found, which the events tell of; None where `control` is stopped meanwhile.

    For MNIST `auto` falls back to the small digits of this package, with a warning that cannot be missed, where MNIST
    can be neither found nor fetched and no folder is named for it. Raises `DataError`: where a data set is asked for,
    by its name or by naming its folder, and not to be had; and always when files that are there are damaged: falling
    back would hide it.
    """
    dataset = data.dataset_for(choice)
    if not dataset.files:
        return read(data, dataset, None)
    raw = places.find(dataset, data_dir)
    if raw is None:
        raw = places.download_folder(dataset, data_dir)
        size = f"{dataset.download_bytes / 1e6:,.0f} MB"
        yield Notice(f"{dataset.title} is not in {_looked_in(data_dir)}; downloading it ({size}) to {raw}")
        try:
            seconds = dataset.download_bytes / SLOWEST + SECONDS
            with closing(downloading(raw, dataset.files, dataset.sources, seconds=seconds)) as reports:
                for report in reports:
                    yield report
                    if control is not None and control.should_stop:
                        yield Notice(f"the download of {dataset.title} was stopped")
                        return None
        except OSError as error:
            if choice != AUTO or dataset.name != MNIST.name or places.named_folder(data_dir):
                raise DataError(_not_found(dataset, data_dir, error)) from None
            yield Notice(_banner(error), is_warning=True)
            return load_digits()
    return read(data, dataset, raw)


def _looked_in(data_dir: Path | None) -> str:
    searched = places.folders(data_dir)
    missing = ", which does not exist" if len(searched) == 1 and not searched[0].is_dir() else ""
    return " or ".join(map(str, searched)) + missing


def _not_found(dataset: DataSet, data_dir: Path | None, error: OSError) -> str:
    files = "the four raw files" if len(dataset.files) == 4 else ", ".join(file.name for file in dataset.files)
    return (
        f"{dataset.title} is not in {_looked_in(data_dir)}, and could not be downloaded ({error}). Put {files} into "
        f"{Path('DIR') / dataset.folders[0]} and name DIR with --data-dir, MNIST_TUI_DATA_DIR or the setting data_dir, "
        "or train on --dataset digits."
    )


def _banner(error: OSError) -> str:
    return (
        "NOT MNIST. It was neither found nor fetched, so this run uses 1,797 small digits, "
        f"scaled to 28x28. Its accuracies mean nothing for MNIST and are never compared with an MNIST run. ({error}) "
        "For MNIST: --data-dir DIR, where DIR/MNIST/raw holds its four raw files."
    )


def read(data: DataSpec, dataset: DataSet, raw: Path | None) -> Dataset:
    """A data set from its files in `raw`; raises `DataError` where one differs from the published file."""
    train, test = (_images(data, dataset, raw, part) for part in ("train", "test"))
    origin = str(raw) if raw is not None else str(data.folder.path) if data.folder is not None else "mnist-tui"
    return Dataset(dataset.name, origin, train, test)


def _images(data: DataSpec, dataset: DataSet, raw: Path | None, part: Part) -> Images:
    pixels, labels = read_part(dataset, raw, part, data.folder)
    return Images(torch.from_numpy(pixels.copy()), torch.from_numpy(labels.copy()))


def load_digits() -> Dataset:
    """The small digits of this package; 360 are test images, the same ones whatever the seed.

    Raises `DataError` where the file in the package is damaged.
    """
    return read(ON_MNIST, SMALL_DIGITS, None)


def split_for(spec: RunSpec, dataset: Dataset) -> tuple[Images, Images | None]:
    """The images that a run of the spec trains on, and its validation images; None where the recipe has no split.

    The small digits that stand in for a larger data set give the same share of their images to validation.
    """
    return split(dataset.train, spec.validation_images_of(len(dataset.train)), spec.train.seed)


def split(images: Images, validation_images: int, seed: int) -> tuple[Images, Images | None]:
    """Training and validation images, selected by `seed`; None for validation where `validation_images` is 0."""
    if not validation_images:
        return images, None
    generator = torch.Generator().manual_seed(seed + SPLIT_STREAM)
    order = torch.randperm(len(images), generator=generator)
    return images.take(order[validation_images:]), images.take(order[:validation_images])
