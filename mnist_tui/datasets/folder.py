"""`folder:PATH`, a data set of a person's own: a folder for each class with PNG and JPEG images in it.

Images are resized to squares; a seeded share of each class is the test set. What must be known before training (the
classes, how many images there are, mean and standard deviation) is written into the spec, so that a run can be read
where its folder is not.
"""

import os
import random
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.datasets import image_modes
from mnist_tui.datasets.formats import LabelledImages
from mnist_tui.datasets.record import MOST_CLASSES, FolderOptions, Part
from mnist_tui.errors import DataError
from mnist_tui.text import clean_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

ENDINGS = (".png", ".jpg", ".jpeg")
MOST_IMAGES = 1_000_000
MOST_PIXELS = 50_000_000
"""Of one image before it is resized."""
MOST_LOOKED_AT = 10 * MOST_CLASSES
"""Entries of the folder that are looked at for a change."""
MEASURED = 500
"""Training images that mean and standard deviation are computed of, evenly among all."""


@dataclass(frozen=True)
class FolderFacts:
    """What a folder of images holds."""

    classes: tuple[str, ...]
    train_images: int
    test_images: int
    mean: float
    std: float


def read_facts(options: FolderOptions) -> FolderFacts:
    """What a folder holds; raises `DataError` where it is no data set.

    Kept until images are added, removed or renamed, since a form asks at each key press.
    """
    return _read_facts(options, _changed_at(options.path))


def _changed_at(folder: Path) -> tuple[int, ...]:
    """When a folder and those in it were changed last, in ns; () where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            folders = [entry for entry in islice(entries, MOST_LOOKED_AT) if entry.is_dir()]
        return (folder.stat().st_mtime_ns, *sorted(entry.stat().st_mtime_ns for entry in folders))
    except (OSError, ValueError):
        return ()


@lru_cache(maxsize=32)
def _read_facts(options: FolderOptions, changed_at: tuple[int, ...]) -> FolderFacts:
    import numpy as np

    files = _files(options)
    train = _split(options, files, "train")
    step = -(-len(train) // MEASURED)
    pixels = np.stack([_read(options, path) for path, _ in train[::step]]) / np.float64(255)
    return FolderFacts(
        classes=tuple(files),
        train_images=len(train),
        test_images=sum(map(len, files.values())) - len(train),
        mean=round(float(pixels.mean()), 4),
        std=max(0.0001, round(float(pixels.std()), 4)),
    )


def read_folder(options: FolderOptions, part: Part, classes: tuple[str, ...] | None = None) -> LabelledImages:
    """The training or the test images of a folder; raises `DataError`, also where its classes are not `classes`."""
    import numpy as np

    files = _files(options)
    if classes not in (None, tuple(files)):
        raise DataError(f"{clean_line(str(options.path), 200)}: its folders are not the classes that the spec names")
    images = _split(options, files, part)
    pixels = np.stack([_read(options, path) for path, _ in images])
    return LabelledImages(pixels, np.array([label for _, label in images], np.int64))


def _files(options: FolderOptions) -> dict[str, list[Path]]:
    """The images of each class, in the order of their names; raises `DataError`."""
    shown = clean_line(str(options.path), 200)
    try:
        folders = sorted(path for path in options.path.iterdir() if path.is_dir() and not path.name.startswith("."))
        files = {folder.name: _images(folder) for folder in folders[: MOST_CLASSES + 1]}
    except OSError as error:
        raise DataError(f"{shown}: cannot be read: {error.strerror}; it must hold one folder for each class") from None
    if not 2 <= len(files) <= MOST_CLASSES:
        count = len(files) if len(files) < 2 else f"more than {MOST_CLASSES}"
        words = "1 folder" if count == 1 else f"{count} folders"
        raise DataError(f"{shown}: has {words}; it must hold one for each class, 2 to {MOST_CLASSES}")
    if few := next((name for name, images in files.items() if len(images) < 2), None):
        raise DataError(
            f"{shown}/{clean_line(few, 60)}: has {len(files[few])} PNG or JPEG images; a class needs at least 2, "
            "one to train on and one to test on"
        )
    if sum(map(len, files.values())) > MOST_IMAGES:
        raise DataError(f"{shown}: has more than {MOST_IMAGES:,} images")
    return files


def _images(folder: Path) -> list[Path]:
    is_image = (path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and not path.name.startswith("."))
    return sorted(path for path in is_image if path.is_file())


def _split(options: FolderOptions, files: dict[str, list[Path]], part: Part) -> list[tuple[Path, int]]:
    """The images of a part with their labels: of each class a share is for testing, at least one image in each part."""
    chosen = []
    for label, images in enumerate(files.values()):
        shuffled = list(images)
        random.Random(f"{options.seed}/{label}").shuffle(shuffled)
        tests = min(max(1, round(options.test_share * len(images))), len(images) - 1)
        kept = set(shuffled[:tests] if part == "test" else shuffled[tests:])
        chosen += [(path, label) for path in images if path in kept]
    return chosen


def _read(options: FolderOptions, path: Path) -> "NDArray[np.uint8]":
    """The pixels (C, size, size) of an image file; raises `DataError`."""
    import numpy as np
    from PIL import Image, ImageOps

    image_modes.ignore_warnings()
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(f"{clean_line(str(path), 200)}: has more than {MOST_PIXELS:,} pixels")
            turned = ImageOps.exif_transpose(image)  # A copy, so decoded.
    except DataError:
        raise
    except Exception as error:  # Decoders raise OSError, SyntaxError, ValueError, TypeError, struct.error, …
        why = clean_line(str(error), 100)
        raise DataError(f"{clean_line(str(path), 200)}: is no PNG or JPEG image that can be read ({why})") from None
    pixels = _resized(turned, options)
    return np.ascontiguousarray(pixels.reshape(options.size, options.size, -1).transpose(2, 0, 1))


def _resized(image: "Image.Image", options: FolderOptions) -> "NDArray[np.uint8]":
    """An image of any mode as (size, size), grey, or (size, size, 3)."""
    import numpy as np
    from PIL import Image

    side, mode = (options.size, options.size), "L" if options.channels == 1 else "RGB"
    if image_modes.has_16_bits(image):
        image = Image.fromarray(image_modes.as_8_bits(np.asarray(image)))
    if not image.has_transparency_data:
        return np.asarray(image.convert(mode).resize(side, Image.Resampling.BILINEAR))
    transparent = image.convert("RGBA").convert("LA" if mode == "L" else "RGBA")
    return image_modes.on_contrast(np.asarray(transparent.resize(side, Image.Resampling.BILINEAR)))
