"""Which files are which: digests decide, and files of another data set are refused by name."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.data_sets import install

from mnist_tui.datasets import places
from mnist_tui.datasets.published import MNIST, PUBLISHED
from mnist_tui.datasets.read import read_part
from mnist_tui.errors import DataError


def test_the_same_names_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with Fashion-MNIST's files is Fashion-MNIST; for KMNIST, whose names they are too, it is refused."""
    fashion = install(monkeypatch, tmp_path, "fashion-mnist")
    monkeypatch.setitem(PUBLISHED, "kmnist", replace(PUBLISHED["kmnist"], train_images=100, test_images=40))
    raw = tmp_path / fashion.folders[0]

    assert len(read_part(fashion, places.find(fashion, raw), "train").labels) == 100
    with pytest.raises(DataError, match=r"files of Fashion-MNIST, not of Kuzushiji-MNIST: .*--dataset fashion-mnist"):
        read_part(PUBLISHED["kmnist"], places.find(PUBLISHED["kmnist"], raw), "train")


@pytest.mark.slow
def test_unpacked_files_under_mnists_names(tmp_path: Path) -> None:
    """They have no published digest, but Fashion-MNIST's labels begin as no others do."""
    (tmp_path / "train-images-idx3-ubyte").write_bytes(bytes(MNIST.files[0].size))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(bytes(8) + places.FIRST_LABELS["fashion-mnist"] + bytes(59_990))
    for file in MNIST.files[2:]:
        (tmp_path / file.name).write_bytes(bytes(file.size))

    with pytest.raises(DataError, match="files of Fashion-MNIST, not of MNIST"):
        read_part(MNIST, places.find(MNIST, tmp_path), "train")


def test_a_damaged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed byte of a packed file is an error that names the file and what to do."""
    data = install(monkeypatch, tmp_path, "fashion-mnist")
    path = tmp_path / data.folders[0] / data.files[0].name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    with pytest.raises(
        DataError, match=r"train-images-idx3-ubyte.gz has the wrong MD5 sum.*delete it and Fashion-MNIST"
    ):
        read_part(data, places.find(data, tmp_path), "train")


def test_without_its_digest_damage_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: nothing else tells that these are other labels."""
    data = install(monkeypatch, tmp_path, "fashion-mnist")
    raw = tmp_path / data.folders[0]
    shutil.copy(raw / data.files[3].name, raw / data.files[1].name)
    monkeypatch.setattr(places, "find_damage", lambda content, file: "")

    with pytest.raises(DataError, match="do not hold 100 images"):
        read_part(data, raw, "train")


def test_an_incomplete_folder_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of the four files are not the data set."""
    data = install(monkeypatch, tmp_path, "fashion-mnist")
    (tmp_path / data.folders[0] / data.files[2].name).unlink()

    assert places.find(data, tmp_path) is None


def test_data_sets_without_files_are_nowhere(tmp_path: Path) -> None:
    """The small digits are in this package."""
    assert places.find(PUBLISHED["digits"], tmp_path) is None
