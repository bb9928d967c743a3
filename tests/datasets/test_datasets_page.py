"""docs/datasets.md against the records of the data sets."""

from pathlib import Path

import pytest

from mnist_tui.datasets.published import PUBLISHED
from mnist_tui.datasets.record import DataSet

PAGE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| `")]


def row(data: DataSet) -> str:
    """The row of a data set."""
    download = f"{data.download_bytes / 1e6:.0f} MB" if data.files else "in the package"
    shape = "x".join(map(str, data.shape))
    cells = (f"`{data.name}`", len(data.classes), shape, f"{data.train_images:,}", f"{data.test_images:,}")
    return f"| {' | '.join(map(str, (*cells, data.licence, download)))} |"


def test_the_table() -> None:
    """A row for each data set, in their order, with its facts."""
    assert [row(data) for data in PUBLISHED.values()] == ROWS


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_record_is_whole(name: str) -> None:
    """Every data set says what it is, and every file has a digest by which it is known from all others."""
    data = PUBLISHED[name]

    assert (data.name, bool(data.title), bool(data.licence), bool(data.page)) == (name, True, True, True)
    assert len(set(data.classes)) == len(data.classes)
    assert 0 < data.mean < 1
    assert 0 < data.std < 1
    assert all(len(file.sha256) == 64 or len(file.md5) == 32 for file in data.files)
    assert bool(data.files) == bool(data.sources) == bool(data.folders) == bool(data.download_bytes)


def test_digests_are_those_of_torchvision() -> None:
    """MD5 sums and names of the packed files; torchvision has CIFAR-10 in another version only."""
    from torchvision import datasets

    qmnist = [resource for part in ("train", "test") for resource in datasets.QMNIST.resources[part]]
    known = {
        "fashion-mnist": datasets.FashionMNIST.resources,
        "kmnist": datasets.KMNIST.resources,
        "qmnist": [(address.rpartition("/")[2], md5) for address, md5 in qmnist],
        "emnist-digits": [(datasets.EMNIST.url.rpartition("/")[2], datasets.EMNIST.md5)],
    }

    assert {name: [(file.name, file.md5) for file in PUBLISHED[name].files] for name in known} == known


def test_digests_tell_files_apart() -> None:
    """No two files of different names in the table have one digest; EMNIST's data sets share their archive."""
    digests = {file.sha256 or file.md5: file.name for data in PUBLISHED.values() for file in data.files}
    files = {(data.folders[0], file.name) for data in PUBLISHED.values() for file in data.files}

    assert len(digests) == len(files)
