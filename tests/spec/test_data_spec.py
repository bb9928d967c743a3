"""The data set of a spec: what `[data]` takes, what `--dataset` changes, and that MNIST's specs stay the same text."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.data_sets import write_images

from mnist_tui.datasets.published import PUBLISHED
from mnist_tui.errors import SpecError
from mnist_tui.spec import presets
from mnist_tui.spec.data_spec import DataSpec
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_spec import RunSpec, make_spec

LINEAR = {"name": "linear", "layers": "Flatten()\nLinear(10)"}


def spec_on(data: object, classes: int = 10, **train: object) -> RunSpec:
    """A linear network with so many outputs on a data set."""
    return make_spec({"layers": f"Flatten()\nLinear({classes})", "data": data, "train": train})


# --- MNIST stays as it was -------------------------------------------------------------------------------------------


def test_a_spec_without_data_is_the_same_text() -> None:
    """Old checkpoints and comparisons hold the text of a spec, which knows no data set."""
    spec = make_spec(LINEAR)

    assert "data" not in json.loads(spec.model_dump_json())
    assert make_spec({**LINEAR, "data": {"name": "mnist"}}).model_dump_json() == spec.model_dump_json()
    assert spec.train.normalize == (0.1307, 0.3081)
    assert spec.target_data == "mnist"


@pytest.mark.parametrize("choice", ["auto", "mnist", "digits"])
def test_the_small_digits_stand_in_for_mnist(choice: str) -> None:
    """A run of MNIST is the same recipe on them."""
    spec = presets.load("iter5")

    assert spec.for_dataset(choice) is spec


# --- what a preset says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_data_set(name: str) -> None:
    """Images and outputs are its own, pixels are normalised by its own mean and deviation, steps are counted on it."""
    data = PUBLISHED[name]
    spec = spec_on({"name": name}, len(data.classes), batch_size=100)

    assert spec.rows[0].output_shape == (data.shape[0] * data.shape[1] * data.shape[2],)
    assert spec.train.normalize == (data.mean, data.std)
    assert spec.steps_per_epoch() == -(-data.train_images // 100)
    assert make_spec(json.loads(spec.model_dump_json())) == spec


def test_a_normalization_of_its_own_stays(tmp_path: Path) -> None:
    """Only what a preset leaves out is the data set's, also after it was saved and read again."""
    spec = spec_on({"name": "fashion-mnist"}, normalize=(0.1307, 0.3081))
    path = tmp_path / "own.toml"
    path.write_text(presets.as_toml(spec))

    assert spec.train.normalize == (0.1307, 0.3081)
    assert presets.load_file(path).train == spec.train
    assert presets.load_file(path).data == spec.data


MISTAKES: list[tuple[Any, int, str]] = [
    ({"name": "fashon"}, 10, r"data.name: there is no data set 'fashon'; did you mean 'fashion-mnist'\?"),
    ({"nam": "mnist"}, 10, r"data.nam: there is no such key; did you mean 'name'\?"),
    ({"name": 3}, 10, "data.name: should be a text in quotes"),
    ("fashion-mnist", 10, "data: should be a table"),
    ({"name": "kmnist", "size": 32}, 10, "data.size: belongs to folder:PATH; kmnist has its own"),
    ({"name": "kmnist", "classes": ["a", "b"]}, 10, "data.classes: belongs to folder:PATH"),
    ({"name": "folder:"}, 10, "data.name: there is no data set 'folder:'"),
    ({"name": "folder:/nowhere"}, 10, "data.name: /nowhere: cannot be read"),
    ({"name": "emnist-letters"}, 10, "the output must be 26 logits, .26., one for each of the 26 classes of EMNIST l"),
    ({"name": "cifar-10"}, 9, "the output must be 10 logits"),
]


@pytest.mark.parametrize(("data", "classes", "reason"), MISTAKES)
def test_mistakes(data: object, classes: int, reason: str) -> None:
    """One line that names the key, or what the data set needs."""
    with pytest.raises(SpecError, match=reason):
        spec_on(data, classes)


def test_validation_images_are_those_of_the_data_set() -> None:
    """CIFAR-10 has 50,000 training images, EMNIST's digits 240,000."""
    assert spec_on({"name": "emnist-digits"}, validation_images=200_000).train_images == 40_000
    with pytest.raises(SpecError, match="validation_images: should be less than or equal to 49999, got 50000"):
        spec_on({"name": "cifar-10"}, validation_images=50_000)


# --- what --dataset changes ------------------------------------------------------------------------------------------


def test_another_data_set() -> None:
    """The recipe moves: its normalization and its share of validation images; the target stays MNIST's."""
    spec = make_spec({**LINEAR, "train": {"validation_images": 6_000}, "target": {"test_accuracy": 0.9}})
    moved = spec.for_dataset("cifar-10")

    assert moved.dataset == PUBLISHED["cifar-10"]
    assert moved.train.validation_images == 5_000
    assert moved.train.normalize == (0.4734, 0.2516)
    assert (moved.target, moved.target_data) == (spec.target, "mnist")
    assert moved.for_dataset("auto") is moved
    assert moved.for_dataset("cifar-10") is moved
    assert moved.for_dataset("mnist") == spec


def test_a_preset_of_another_data_set() -> None:
    """Its target is its own: judged on it, and on no other."""
    spec = spec_on({"name": "fashion-mnist"})

    assert (spec.target_data, spec.data.target_of) == ("fashion-mnist", None)
    assert spec.for_dataset("kmnist").target_data == "fashion-mnist"
    assert spec.for_dataset("digits").data.name == "digits"
    assert spec.for_dataset("kmnist").for_dataset("fashion-mnist") == spec


def test_a_network_that_does_not_fit() -> None:
    """The error names the preset, the data set and its classes."""
    with pytest.raises(SpecError, match=r"linear on EMNIST letters: the network ends in \[10\]; the output must be 26"):
        make_spec(LINEAR).for_dataset("emnist-letters")


def test_a_draft_on_another_data_set() -> None:
    """The form checks against the chosen data set, so that a network of 26 outputs can be typed."""
    draft = Draft(make_spec(LINEAR), dataset="emnist-letters")
    fitting = draft.with_layers("Flatten()\nLinear(26)")

    assert draft.result.layer_error is not None
    assert "26 logits" in draft.result.layer_error[1]
    assert fitting.result.spec is not None
    assert fitting.result.spec.dataset.name == "emnist-letters"
    assert (
        Draft(make_spec(LINEAR), {"epochs": "3"}, dataset="fashon").result.errors["dataset"].startswith("there is no")
    )


# --- a folder of one's own -------------------------------------------------------------------------------------------


def test_a_folder_is_described_in_the_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its facts are written with the run, which is read where the folder is not; the path becomes absolute."""
    write_images(tmp_path / "shots", {"cat": 5, "dog": 5, "owl": 5})
    monkeypatch.chdir(tmp_path)
    spec = spec_on({"name": "folder:shots", "size": 16, "channels": 3, "split_seed": 4}, 3)
    document = json.loads(spec.model_dump_json())
    shutil.rmtree(tmp_path / "shots")

    assert spec.data.name == f"folder:{tmp_path / 'shots'}"
    assert spec.dataset.shape == (3, 16, 16)
    assert spec.dataset.classes == ("cat", "dog", "owl")
    assert (spec.dataset.train_images, spec.dataset.test_images) == (12, 3)
    assert spec.train.normalize == (spec.data.mean, spec.data.std)
    assert make_spec(document) == spec


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"size": 3}, "data.size: should be greater than or equal to 4"),
        ({"size": "large"}, "data.size: should be a whole number"),
        ({"channels": 2}, "data.channels: should be 1 or 3"),
        ({"test_share": 1.0}, "data.test_share: should be less than 1"),
        ({"split_seed": -1}, "data.split_seed: should be greater than or equal to 0"),
    ],
)
def test_options_of_a_folder(extra: dict[str, object], reason: str, tmp_path: Path) -> None:
    """Wrong ones are named at their key."""
    write_images(tmp_path, {"cat": 3, "dog": 3})
    with pytest.raises(SpecError, match=reason):
        spec_on({"name": f"folder:{tmp_path}", **extra}, 2)


def test_class_names_that_cannot_be_shown() -> None:
    """A run folder from elsewhere cannot drive the terminal by the names of its classes."""
    facts = {"size": 28, "channels": 1, "test_share": 0.2, "split_seed": 0, "train_images": 8, "test_images": 2}
    with pytest.raises(SpecError, match="a class has a name that cannot be shown"):
        spec_on_folder(**facts, classes=["cat", "dog\x1b[2J"], mean=0.5, std=0.2)


def spec_on_folder(**facts: object) -> RunSpec:
    """A spec on a folder with these facts."""
    return spec_on({"name": "folder:/gone", **facts}, 2)


def test_a_data_spec_is_hashable() -> None:
    """Previews are cached by it."""
    assert len({DataSpec(), DataSpec(name="mnist"), DataSpec(name="kmnist")}) == 2
