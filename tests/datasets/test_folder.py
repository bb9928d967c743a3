"""`folder:PATH`: a folder for each class; the same split for the same seed; one clear error for everything else."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.data_sets import write_images
from numpy.typing import NDArray
from PIL import Image

from mnist_tui.datasets.folder import _read as _read_image
from mnist_tui.datasets.folder import read_facts, read_folder
from mnist_tui.datasets.record import FolderOptions
from mnist_tui.errors import DataError


@pytest.fixture
def options(tmp_path: Path) -> FolderOptions:
    """A folder with 30 images of three classes."""
    write_images(tmp_path / "shots", {"cat": 12, "dog": 10, "owl": 8})
    return FolderOptions(tmp_path / "shots", 28, 1, 0.2, 0)


def test_what_a_folder_holds(options: FolderOptions) -> None:
    """Classes are folders by name; a fifth of each is for testing; mean and deviation are those of the pixels."""
    facts = read_facts(options)
    train, test = read_folder(options, "train"), read_folder(options, "test")

    assert facts.classes == ("cat", "dog", "owl")
    assert (facts.train_images, facts.test_images) == (24, 6)
    assert train.pixels.shape == (24, 1, 28, 28)
    assert test.pixels.shape == (6, 1, 28, 28)
    assert np.bincount(test.labels).tolist() == [2, 2, 2]
    assert facts.mean == pytest.approx(train.pixels.mean() / 255, abs=1e-4)
    assert facts.std == pytest.approx(train.pixels.std() / 255, abs=1e-4)


def test_images_that_are_added_are_counted(options: FolderOptions) -> None:
    """In this process, too; without a change the images are not read again."""
    before = read_facts(options)
    again = read_facts(options)
    Image.fromarray(np.full((28, 28), 255, np.uint8)).save(options.path / "cat" / "one-more.png")
    os.utime(options.path / "cat", ns=(0, 1))  # A file system may keep times in steps of some milliseconds.
    after = read_facts(options)

    assert again is before
    assert before.train_images + before.test_images == 30
    assert after.train_images + after.test_images == 31


def test_the_split_is_the_seeds(options: FolderOptions) -> None:
    """The same seed draws the same images, another one others; no image is in both parts."""
    first, again, other = (read_folder(replace(options, seed=seed), "test").pixels for seed in (0, 0, 1))
    train = {image.tobytes() for image in read_folder(options, "train").pixels}

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not train & {image.tobytes() for image in first}


def test_colours_and_size(options: FolderOptions) -> None:
    """Three channels are red, green and blue; sides are what is asked for."""
    pixels, _ = read_folder(replace(options, channels=3, size=16), "test")

    assert pixels.shape == (6, 3, 16, 16)
    assert len({pixels[0, channel].tobytes() for channel in range(3)}) == 3


def test_other_files_are_not_images(options: FolderOptions) -> None:
    """Hidden files and folders, notes and links to nowhere are left out."""
    (options.path / ".thumbnails").mkdir()
    (options.path / "notes.txt").write_text("mine")
    (options.path / "cat" / ".hidden.png").write_bytes(b"")
    (options.path / "cat" / "notes.txt").write_text("mine")
    (options.path / "cat" / "gone.png").symlink_to(options.path / "nowhere.png")

    assert read_facts(options).train_images + read_facts(options).test_images == 30


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (lambda path: path.rename(path.with_name("other")), "cannot be read: No such file or directory"),
    "a file": (lambda path: (path.rename(path.with_name("other")), path.write_text("")), "cannot be read: Not a dir"),
    "one class": (lambda path: [(path / name).rename(path.parent / name) for name in ("cat", "dog")], "has 1 folder;"),
    "empty class": (lambda path: (path / "ant").mkdir(), "shots/ant: has 0 PNG or JPEG images"),
    "not an image": (lambda path: (path / "cat" / "000.jpg").write_bytes(b"GIF89a"), "cat/000.jpg: is no PNG or JPEG"),
    "empty image": (lambda path: (path / "cat" / "000.jpg").write_bytes(b""), "cat/000.jpg: is no PNG or JPEG"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_folders_that_are_no_data_set(damage: str, options: FolderOptions) -> None:
    """One sentence that names the place and what must be there."""
    make, reason = DAMAGES[damage]
    make(options.path)
    with pytest.raises(DataError, match=reason):
        [read_folder(options, part) for part in ("train", "test")]


def test_an_image_that_is_too_large(options: FolderOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused by its header, before its pixels are made."""
    monkeypatch.setattr("mnist_tui.datasets.folder.MOST_PIXELS", 1_000)
    Image.new("L", (40, 40)).save(options.path / "cat" / "large.png")

    with pytest.raises(DataError, match="has more than 1,000 pixels"):
        [read_folder(options, part) for part in ("train", "test")]


def test_an_image_of_16_bits_keeps_its_greys(options: FolderOptions) -> None:
    """The 65,536 grey values become 256, as those of a drawn digit do; they are not cut off at 255."""
    _fill(options, np.linspace(0, 65_535, 28 * 28).reshape(28, 28).astype(np.uint16))
    greys = np.linspace(0, 255, 28 * 28).reshape(28, 28)

    pixels, _ = read_folder(options, "train")
    assert np.abs(pixels[0, 0] - greys).max() <= 1


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0)], ids=["black ink", "white ink"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_image_shows_its_ink(channels: int, ink: int, ground: int, options: FolderOptions) -> None:
    """What is transparent contrasts with it; below many a transparent pixel stands black."""
    image = np.zeros((28, 28, 4), np.uint8)
    image[10:20, 10:20] = (ink, ink, ink, 255)
    _fill(options, image)

    pixels, _ = read_folder(replace(options, channels=channels), "train")
    assert (pixels[:, :, 12:18, 12:18] == ink).all()
    assert (pixels[:, :, :8] == ground).all()


def test_damaged_metadata_is_a_damaged_image(options: FolderOptions, recwarn: pytest.WarningsRecorder) -> None:
    """Whatever Pillow makes of it: it raises any class of exception, and its warnings would stand on the screen."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a title" * 10
    image.save(options.path / "cat" / "000.jpg", exif=exif)
    content = (options.path / "cat" / "000.jpg").read_bytes()
    refused = 0
    for place in range(content.index(b"Exif"), content.index(b"Exif") + 80):
        for value in (0x00, 0x02, 0x7F, 0xFF):
            (options.path / "cat" / "000.jpg").write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
            try:
                _read_image(options, options.path / "cat" / "000.jpg")
            except DataError:
                refused += 1

    assert refused
    assert [str(warning.message) for warning in recwarn] == []


def _fill(options: FolderOptions, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Puts one image in the place of all."""
    for path in options.path.glob("*/*"):
        path.unlink()
        Image.fromarray(pixels).save(path.with_suffix(".png"))
