"""The data set: found in the documented order, refused where damaged, never silently another one; and its splits."""

import dataclasses
import gzip
import itertools
import os
import runpy
import struct
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from mnist_tui.datasets import places, small_digits
from mnist_tui.datasets.published import MNIST, PUBLISHED
from mnist_tui.datasets.record import DataFile
from mnist_tui.errors import DataError, DownloadError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Downloading, Notice
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.training import data, session
from mnist_tui.training.data import Dataset, Images

LAYOUTS = ("MNIST/raw", "raw", ".")


def idx(values: torch.Tensor) -> bytes:
    """A uint8 tensor in the format of MNIST's files."""
    return struct.pack(f">BBBB{values.dim()}I", 0, 0, 8, values.dim(), *values.shape) + values.numpy().tobytes()


def tiny_files() -> dict[str, bytes]:
    """MNIST's four files with 5 training and 3 test images."""
    generator = torch.Generator().manual_seed(0)
    parts = []
    for count in (5, 3):
        parts.append(torch.randint(256, (count, 28, 28), generator=generator).to(torch.uint8))
        parts.append(torch.randint(10, (count,), generator=generator).to(torch.uint8))
    return {file.name: idx(part) for file, part in zip(MNIST.files, parts, strict=True)}


TINY = tiny_files()
NAMES = list(TINY)


def write_tiny(raw: Path) -> None:
    """Puts the four small files into a folder."""
    raw.mkdir(parents=True, exist_ok=True)
    for name, content in TINY.items():
        (raw / name).write_bytes(content)


class Machine:
    """A machine whose MNIST is `TINY` and whose folders are those of the test."""

    def __init__(self, root: Path) -> None:
        self.named = root / "named"
        """What `--data-dir` names."""
        self.places = [self.named, root / "env", root / "home" / "cache" / "mnist-tui" / "data", root / "here" / "data"]
        """What --data-dir names, what the variable names, and where MNIST is looked for where neither does."""
        self.downloads: list[Path] = []
        self.notices: list[Notice] = []

    def load(self, choice: str = "auto", data_dir: Path | None = None) -> Dataset:
        """Loads, noting what the user is told."""
        return data.load(choice, data_dir, self.notices.append)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without MNIST and without a network."""
    made = Machine(tmp_path)

    def no_network(folder: Path, *args: object, **kwargs: object) -> None:
        made.downloads.append(folder)
        raise DownloadError("no network")

    files = tuple(DataFile(name, len(content), sha256(content).hexdigest()) for name, content in TINY.items())
    tiny = dataclasses.replace(MNIST, files=files, train_images=5, test_images=3)
    monkeypatch.setitem(PUBLISHED, "mnist", tiny)
    monkeypatch.setattr(data, "downloading", no_network)
    monkeypatch.setenv("MNIST_TUI_DATA_DIR", str(tmp_path / "env"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return made


# --- where it is found -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(4))
def test_the_order_of_places(first: int, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """--data-dir, then MNIST_TUI_DATA_DIR; where neither names one the user's cache, then ./data."""
    for place in machine.places[first:]:
        write_tiny(place / "MNIST" / "raw")
    if first > 1:
        monkeypatch.delenv("MNIST_TUI_DATA_DIR")
    named = machine.named if first == 0 else None
    folder = places.find(PUBLISHED["mnist"], named)

    assert folder is not None
    assert folder.resolve() == machine.places[first] / "MNIST" / "raw"
    assert machine.load("mnist", named).origin == str(folder)
    assert machine.downloads == []
    assert machine.notices == []


@pytest.mark.parametrize("choice", ["auto", "mnist"])
@pytest.mark.parametrize("by", ["argument", "variable"])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_named_folder_is_never_passed_over(is_there: bool, by: str, choice: str, machine: Machine) -> None:
    """MNIST in another place is not taken for it, and neither are the digits: it is downloaded there, or an error."""
    named = machine.named if by == "argument" else None
    for place in machine.places[1 if named else 2 :]:
        write_tiny(place)
    folder = named or machine.places[1]
    if is_there:
        folder.mkdir()
    with pytest.raises(DataError) as error:
        machine.load(choice, named)

    assert machine.downloads == [folder / "MNIST" / "raw"]
    assert str(error.value).startswith(f"MNIST is not in {folder}{'' if is_there else ', which does not exist'}, and ")
    assert folder.exists() is is_there
    assert [notice for notice in machine.notices if notice.is_warning] == []


def test_places_that_are_not_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --data-dir and with an empty variable two places are left."""
    monkeypatch.setenv("MNIST_TUI_DATA_DIR", "")

    assert [place.resolve() for place in places.folders(None)] == machine.places[2:]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, machine: Machine) -> None:
    """The folders of torchvision, or the folder with the files itself, may be named; pixels and labels are theirs."""
    write_tiny(machine.named / layout)
    dataset = machine.load("mnist", machine.named)

    assert dataset.name == "mnist"
    assert dataset.train.pixels.shape == (5, 1, 28, 28)
    assert dataset.test.pixels.shape == (3, 1, 28, 28)
    assert dataset.train.pixels.numpy().tobytes() == TINY[NAMES[0]][16:]
    assert dataset.test.pixels.numpy().tobytes() == TINY[NAMES[2]][16:]
    assert dataset.train.labels.tolist() == list(TINY[NAMES[1]][8:])
    assert dataset.test.labels.tolist() == list(TINY[NAMES[3]][8:])
    assert dataset.train.labels.dtype == torch.int64


@pytest.mark.parametrize("missing", NAMES)
def test_an_incomplete_folder_is_passed_over(missing: str, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of the four files are not MNIST; where no folder is named, a later place that has all is used."""
    monkeypatch.delenv("MNIST_TUI_DATA_DIR")
    for place in machine.places[2:]:
        write_tiny(place)
    (machine.places[2] / missing).unlink()
    folder = places.find(PUBLISHED["mnist"], None)

    assert folder is not None
    assert folder.resolve() == machine.places[3]


# --- damaged files ---------------------------------------------------------------------------------------------------


def flip_a_bit(path: Path) -> None:
    """Changes one pixel, or one label."""
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)


def make_a_folder(path: Path) -> None:
    """Puts a folder in the file's place."""
    path.unlink()
    path.mkdir()


def make_a_pipe(path: Path) -> None:
    """Puts a pipe in the file's place, which nobody writes to."""
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped": flip_a_bit,
    "empty": lambda path: path.write_bytes(b""),
    "short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "long": lambda path: path.write_bytes(path.read_bytes() + b"!"),
    "folder": make_a_folder,
    "pipe": make_a_pipe,
}


@pytest.mark.parametrize("choice", ["auto", "mnist"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named(damage: str, name: str, choice: str, machine: Machine) -> None:
    """A damaged file is an error that names it: auto would hide it behind other images."""
    write_tiny(machine.named)
    DAMAGES[damage](machine.named / name)
    with pytest.raises(DataError) as error:
        machine.load(choice, machine.named)

    assert str(error.value).startswith(str(machine.named / name))
    assert "delete it" in str(error.value)
    assert machine.notices == []


@pytest.mark.parametrize("name", NAMES)
def test_without_verification_damage_is_trained_on(
    name: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the digest is what finds a flipped bit."""
    write_tiny(machine.named)
    whole = machine.load("mnist", machine.named)
    flip_a_bit(machine.named / name)
    monkeypatch.setattr(places, "find_damage", lambda content, file: "")

    assert machine.load("mnist", machine.named).sha256 != whole.sha256


# --- not there -------------------------------------------------------------------------------------------------------


def test_it_is_downloaded_where_it_is_not_found(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to the first place, which the user is told before; afterwards there is nothing to tell."""

    def downloading(raw: Path, *args: object, **kwargs: object) -> Iterator[Downloading]:
        yield Downloading("one", 3, 12)
        write_tiny(raw)

    monkeypatch.setattr(data, "downloading", downloading)
    told, report = itertools.islice(data.loading("auto", machine.named), 2)
    dataset = machine.load("auto", machine.named)

    assert dataset.name == "mnist"
    assert Path(dataset.origin) == machine.named / "MNIST" / "raw"
    assert machine.notices == [told]
    assert str(machine.named / "MNIST" / "raw") in machine.notices[0].text
    assert report == Downloading("one", 3, 12)
    assert [*data.loading("auto", machine.named), *data.loading("digits")] == []


def test_a_download_that_is_stopped(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop ends the download at its next report, and there is no run; nothing stands in for the data set."""
    control, ended = Control(), []

    def downloading(raw: Path, *args: object, **kwargs: object) -> Iterator[Downloading]:
        try:
            while True:
                yield Downloading("one", 3, 12)
                control.stop()
        finally:
            ended.append(raw)

    monkeypatch.setattr(data, "downloading", downloading)
    spec = make_spec({"layers": "Flatten()\nLinear(10)"})
    events = list(session.run(spec, Options(data_dir=machine.named, runs_dir=machine.named / "runs"), control))

    assert events[1:3] == [Downloading("one", 3, 12)] * 2
    assert events[3:] == [Notice("the download of MNIST was stopped")]
    assert ended == [machine.named / "MNIST" / "raw"]
    assert not (machine.named / "runs").exists()


@pytest.mark.parametrize("failure", [DownloadError("no network"), PermissionError("read-only"), OSError("disk full")])
def test_auto_falls_back_with_one_warning(failure: OSError, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where MNIST is neither found nor fetched, auto trains on the digits and says so once, as a warning."""
    monkeypatch.delenv("MNIST_TUI_DATA_DIR")

    def fail(folder: Path, *args: object, **kwargs: object) -> None:
        raise failure

    monkeypatch.setattr(data, "downloading", fail)
    dataset = machine.load("auto")
    warnings = [notice.text for notice in machine.notices if notice.is_warning]

    assert dataset.name == "digits"
    assert len(warnings) == 1
    assert warnings[0].startswith("NOT MNIST.")
    assert str(failure) in warnings[0]


def test_mnist_is_never_replaced(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for MNIST gets it, or an error with every place that was searched and what to do."""
    monkeypatch.delenv("MNIST_TUI_DATA_DIR")
    with pytest.raises(DataError) as error:
        machine.load("mnist")

    assert f"{machine.places[2]} or data" in str(error.value)
    assert "no network" in str(error.value)
    assert "--data-dir" in str(error.value)
    assert [notice for notice in machine.notices if notice.is_warning] == []


def test_digits_need_no_search(machine: Machine) -> None:
    """The digits are taken at once where they are asked for, without a warning."""
    write_tiny(machine.named)

    assert machine.load("digits", machine.named).name == "digits"
    assert machine.downloads == []
    assert machine.notices == []


# --- what is in it ---------------------------------------------------------------------------------------------------


def test_the_digits(digits: Dataset) -> None:
    """All 1,797 images with their labels, as MNIST's are: 28x28, centred, with a margin of 4 pixels."""
    pixels = torch.cat([digits.train.pixels, digits.test.pixels])
    labels = torch.cat([digits.train.labels, digits.test.labels])

    assert digits.name == "digits"
    assert (len(digits.train), len(digits.test)) == (1437, 360)
    assert (pixels.shape, pixels.dtype) == ((1797, 1, 28, 28), torch.uint8)
    assert labels.dtype == torch.int64
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert digits.test.labels.bincount(minlength=10).min() >= 25
    assert pixels[:, :, 4:24, 4:24].amax() == 255
    assert pixels.sum() == pixels[:, :, 4:24, 4:24].sum()


def test_the_digits_are_scikit_learns(digits: Dataset) -> None:
    """Each image, made small again, is the one that scikit-learn has for the same label."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(0))
    of_test = torch.from_numpy(bunch.images).float()[order[:360]]
    small = torch.nn.functional.adaptive_avg_pool2d(digits.test.pixels[:, :, 4:24, 4:24].float(), 8)[:, 0]
    alike = torch.corrcoef(torch.stack([of_test.flatten(), small.flatten()]))[0, 1]

    assert torch.equal(digits.test.labels, torch.from_numpy(bunch.target)[order[:360]])
    assert alike > 0.95


def test_the_digits_are_the_same_as_in_older_runs(digits: Dataset) -> None:
    """Their digest is the one in run.json of version 0.1, which read them from scikit-learn, so those runs resume."""
    assert digits.sha256 == "96d3bb0514e624432c3477ab1e31cc9e1ff935c01c52628222af8b82e1144774"


def test_the_script_writes_the_file_that_is_shipped() -> None:
    """All pixels and labels of scikit-learn's digits, in at most 100 KB."""
    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "make_digits.py"))

    assert gzip.decompress(small_digits.DIGITS_FILE.read_bytes()) == script["digit_rows"]()
    assert script["FILE"] == small_digits.DIGITS_FILE
    assert small_digits.DIGITS_FILE.stat().st_size <= small_digits.MAX_DIGITS_BYTES == 100_000


@pytest.mark.parametrize(
    "content", [b"", b"not gzip", small_digits.DIGITS_FILE.read_bytes()[:-9]], ids=["empty", "text", "cut"]
)
def test_a_damaged_file_of_digits(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that names the file and what to do."""
    damaged = tmp_path / "digits.gz"
    damaged.write_bytes(content)
    monkeypatch.setattr(small_digits, "DIGITS_FILE", damaged)

    with pytest.raises(DataError, match=r"digits\.gz cannot be read .*install mnist-tui again"):
        data.load_digits()


def test_the_digest_is_of_every_pixel_and_label(digits: Dataset) -> None:
    """Loaded again it is the same, whatever numbers were drawn before; one pixel or label changes it."""
    torch.manual_seed(123)
    again = data.load_digits()
    pixels, labels = again.test.pixels.clone(), again.train.labels.clone()
    pixels[-1, 0, -1, -1] += 1
    labels[0] = (labels[0] + 1) % 10
    other_pixel = dataclasses.replace(again, test=Images(pixels, again.test.labels))
    other_label = dataclasses.replace(again, train=Images(again.train.pixels, labels))

    assert again.sha256 == digits.sha256
    assert len({digits.sha256, other_pixel.sha256, other_label.sha256}) == 3


@pytest.mark.skipif(
    not os.environ.get("MNIST_TUI_DATA_DIR"), reason="MNIST_TUI_DATA_DIR does not name a folder with MNIST"
)
def test_the_real_mnist() -> None:
    """The four files of MNIST load under the pinned digests, with the published number of each digit."""
    dataset = data.load("mnist", Path(os.environ["MNIST_TUI_DATA_DIR"]))

    assert dataset.name == "mnist"
    assert (dataset.train.pixels.shape, dataset.test.pixels.shape) == ((60_000, 1, 28, 28), (10_000, 1, 28, 28))
    assert dataset.train.labels.bincount().tolist() == [
        *(5923, 6742, 5958, 6131, 5842),
        *(5421, 5918, 6265, 5851, 5949),
    ]
    assert dataset.test.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


# --- splits ----------------------------------------------------------------------------------------------------------


def numbered(count: int) -> Images:
    """Images that can be told apart by their label."""
    return Images(torch.zeros(count, 1, 28, 28, dtype=torch.uint8), torch.arange(count))


def test_no_split_without_validation_images() -> None:
    """All images are trained on."""
    images = numbered(10)

    assert data.split(images, 0, 0) == (images, None)


@pytest.mark.parametrize(("wanted", "held_out"), [(0, 0), (6_000, 20), (59_999, 199)])
def test_the_split_of_a_recipe(wanted: int, held_out: int) -> None:
    """Fewer images than MNIST's give the same share of theirs to validation, and keep one to train on."""
    images = numbered(200)
    spec = make_spec({"layers": "Flatten()\nLinear(10)", "train": {"validation_images": wanted, "seed": 3}})
    train, val = data.split_for(spec, Dataset("digits", "random", images, images))

    assert torch.equal(train.labels, data.split(images, held_out, 3)[0].labels)
    assert (0 if val is None else len(val)) == held_out


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_a_split_parts_the_images(seed: int) -> None:
    """Each image is in one of the two parts; pixels stay with their labels."""
    images = Images(torch.arange(200, dtype=torch.uint8).view(200, 1, 1, 1).expand(200, 1, 28, 28), torch.arange(200))
    train, val = data.split(images, 40, seed)

    assert val is not None
    assert (len(train), len(val)) == (160, 40)
    assert sorted([*train.labels.tolist(), *val.labels.tolist()]) == list(range(200))
    assert torch.equal(train.pixels[:, 0, 5, 5].long(), train.labels)
    assert torch.equal(val.pixels[:, 0, 5, 5].long(), val.labels)


def validation_labels(seed: int) -> list[int]:
    """The numbers of the 40 of 200 images that a seed takes out."""
    val = data.split(numbered(200), 40, seed)[1]
    assert val is not None
    return val.labels.tolist()


def test_a_split_is_the_seeds() -> None:
    """The same seed draws the same images, whatever torch drew before; other seeds draw others."""
    splits = [validation_labels(seed) for seed in range(5)]
    torch.manual_seed(99)

    assert [validation_labels(seed) for seed in range(5)] == splits
    assert len({tuple(sorted(labels)) for labels in splits}) == 5


def test_a_split_leaves_torchs_generator_alone() -> None:
    """Weights are the same with and without a split."""
    state = torch.get_rng_state()
    data.split(numbered(200), 40, 0)

    assert torch.equal(torch.get_rng_state(), state)
