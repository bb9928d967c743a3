"""The spec of a saved run: there, damaged, or none at all."""

from pathlib import Path

import pytest
from helpers.saved_runs import make_run

from mnist_tui.errors import RunError, StorageError
from mnist_tui.runs.reader import parse_spec, read_run, spec_of
from mnist_tui.spec import presets


def test_the_spec_of_a_run(tmp_path: Path) -> None:
    """As it was trained."""
    folder = make_run(tmp_path, presets.load("iter5"), 3)

    assert spec_of(read_run(folder)) == presets.load("iter5").with_settings({"seed": "3"})


@pytest.mark.parametrize(
    ("record", "error", "message"),
    [
        ({}, RunError, "holds no network and no recipe: this program did not train it"),
        ({"spec": None}, RunError, "holds no network and no recipe"),
        ({"spec": {"layers": "Conv2d("}}, StorageError, "run.json: "),
        ({"spec": {}}, StorageError, "run.json: layers"),
    ],
)
def test_a_run_without_a_spec(record: dict[str, object], error: type[Exception], message: str) -> None:
    """A run that was not trained here is wrong input, a damaged one a fault of the folder."""
    with pytest.raises(error, match=message) as raised:
        parse_spec(Path("runs/a"), record)

    assert type(raised.value) is error
