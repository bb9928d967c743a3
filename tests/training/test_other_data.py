"""Runs on other data sets than MNIST, from end to end: trained, judged, resumed and analysed on their own images."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.data_sets import install, write_images

from mnist_tui.analysis.run_analysis import analyse
from mnist_tui.datasets import test_images
from mnist_tui.datasets.published import PUBLISHED
from mnist_tui.datasets.test_images import read_test_images
from mnist_tui.errors import DataError, InputError, SpecError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, RunEnded
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.runs.storage import load_run
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import preview, resume, session
from mnist_tui.training.classify import Classifier
from mnist_tui.training.predict import load_network

GREY = ["fashion-mnist", "kmnist", "qmnist", "emnist-letters"]


def tiny_spec(classes: int, **more: Any) -> RunSpec:
    """A small network with so many outputs, for two epochs."""
    train = {"epochs": 2, "batch_size": 20, "optimizer": "Adam(lr=0.01)"}
    layers = f"Conv2d(4, 3, stride=2)\nReLU()\nFlatten()\nLinear({classes})"
    document = {"name": "tiny", "layers": layers, "train": train, "target": {"test_accuracy": 0.1}}
    return make_spec({**document, **more, "train": {**train, **more.get("train", {})}})


def options(folder: Path, **more: Any) -> Options:
    """Options of a run in a folder whose data is in `data`."""
    return Options(device="cpu", data_dir=folder / "data", runs_dir=folder / "runs", threads=1, **more)


def train(spec: RunSpec, options: Options) -> tuple[Run, RunEnded]:
    """Trains a spec; its run folder and its last event."""
    *_, ended = session.run(spec, options, Control())
    assert isinstance(ended, RunEnded)
    (folder,) = options.runs_dir.iterdir()
    return read_run(folder), ended


@pytest.mark.parametrize("name", [*GREY, "cifar-10"])
def test_a_preset_of_a_data_set(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It learns, is judged by its own target, and says on which images; the first prediction is one of its classes."""
    data = install(monkeypatch, tmp_path / "data", name, train=200, test=60)
    classes = len(data.classes)
    spec = tiny_spec(classes, data={"name": name}, train={"augment": ["RandomAffine(2)"]})
    run, ended = train(spec, options(tmp_path))
    analysis = analyse(run)

    assert ended.outcome == "completed"
    assert ended.best is not None
    assert ended.best.test_accuracy > 2 / classes
    assert ended.target is not None
    assert ended.target["test_accuracy"] is not None
    assert (run.dataset, run.is_judged) == (name, True)
    assert run.measured_on == f"{name} test 60, best epoch chosen on the test set"
    assert len(analysis.matrix) == classes
    assert sum(map(sum, analysis.matrix)) == 60
    assert analysis.ceiling is None
    assert next(load_network(run.folder).parameters()).shape[1] == data.shape[0]


def test_another_data_set_than_the_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An MNIST preset on Fashion-MNIST: the target is not judged, and the saved spec is that of Fashion-MNIST."""
    install(monkeypatch, tmp_path / "data", "fashion-mnist", train=200, test=60)
    run, ended = train(tiny_spec(10), options(tmp_path, dataset="fashion-mnist"))

    assert ended.target == {"test_accuracy": None}
    assert not run.is_judged
    assert run.spec is not None
    assert (run.spec.data.name, run.target_data) == ("fashion-mnist", "mnist")
    assert run.spec.train.normalize == (PUBLISHED["fashion-mnist"].mean, PUBLISHED["fashion-mnist"].std)
    assert "the target is of another data set" in (run.folder / "notes.md").read_text()


def test_a_network_of_other_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before a folder is made."""
    install(monkeypatch, tmp_path / "data", "emnist-letters")
    with pytest.raises(SpecError, match="26 classes of EMNIST letters"):
        train(tiny_spec(10), options(tmp_path, dataset="emnist-letters"))

    assert not (tmp_path / "runs").exists()


def test_a_data_set_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stands in for it, also not for `auto`: the error says where it was looked for, and what to do."""
    install(monkeypatch, tmp_path / "elsewhere", "fashion-mnist")
    monkeypatch.setattr("mnist_tui.training.download.SECONDS", 1.0)
    monkeypatch.setattr("mnist_tui.training.download.open_https", no_network)
    with pytest.raises(DataError, match=r"Fashion-MNIST is not in .*data.*--data-dir"):
        train(tiny_spec(10, data={"name": "fashion-mnist"}), options(tmp_path))


def no_network(url: str) -> None:
    """Opens nothing."""
    raise OSError("no network")


def test_a_run_is_resumed_on_its_own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the same numbers as without the pause; on other files it is refused."""
    install(monkeypatch, tmp_path / "data", "fashion-mnist", train=200, test=60)
    spec = tiny_spec(10, data={"name": "fashion-mnist"})
    whole, _ = train(spec, options(tmp_path))
    half = tmp_path / "half"
    control = Control()
    for event in session.run(spec, Options(**vars(options(tmp_path)) | {"runs_dir": half}), control):
        if isinstance(event, EpochEnded):
            control.stop()
    (folder,) = half.iterdir()
    list(resume.resume(load_run(folder), options(tmp_path), Control()))

    assert [row.test_loss for row in read_run(folder).rows] == [row.test_loss for row in whole.rows]
    install(monkeypatch, tmp_path / "data", "fashion-mnist", train=180, test=60)
    with pytest.raises(DataError, match="trained on other data"):
        list(resume.loading_same_dataset(load_run(folder), options(tmp_path), Control()))


def test_a_folder_of_images(tmp_path: Path) -> None:
    """Trained, and its test images read again; where they have changed they are not those of the run."""
    write_images(tmp_path / "shots", {"cat": 40, "dog": 40, "owl": 40})
    spec = tiny_spec(10).with_settings({"layers": "Flatten()\nLinear(10)"})
    fitting = make_spec({**json.loads(spec.model_dump_json()), "layers": "Flatten()\nLinear(3)"} | folder(tmp_path))
    run, ended = train(fitting, options(tmp_path))
    name, sha256, _ = run.data
    images = read_test_images(name or "", sha256 or "", None, [0, 5], run.own_folder)

    assert ended.best is not None
    assert ended.best.test_accuracy > 0.5
    assert run.dataset_record.classes == ("cat", "dog", "owl")
    assert [len(image) for image in images.values()] == [784, 784]
    test_images._read_own.cache_clear()
    shutil.copy(tmp_path / "shots" / "cat" / "001.png", tmp_path / "shots" / "owl" / "001.png")
    with pytest.raises(DataError, match="are not those that the run was tested on"):
        read_test_images(name or "", sha256 or "", None, [1], run.own_folder)
    (tmp_path / "shots" / "owl").rename(tmp_path / "shots" / "ant")
    with pytest.raises(DataError, match="its folders are not the classes that the spec names"):
        list(resume.loading_same_dataset(load_run(run.folder), options(tmp_path), Control()))


def folder(path: Path) -> dict[str, object]:
    """The data of a spec on the folder `shots`."""
    return {"data": {"name": f"folder:{path / 'shots'}"}, "train": {"epochs": 2, "batch_size": 16}}


def test_what_is_grey_and_28_pixels_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network for colours does not get drawn digits; its pictures are made grey and scaled."""
    install(monkeypatch, tmp_path / "data", "cifar-10", train=100, test=40)
    run, _ = train(tiny_spec(10, data={"name": "cifar-10"}), options(tmp_path))
    name, sha256, _ = run.data
    sample = preview.sample_augmented(load_run(run.folder).spec, options(tmp_path), 4, 0)

    with pytest.raises(InputError, match=r"takes images of CIFAR-10, 3x32x32"):
        Classifier(run.folder)
    assert [len(image) for image in sample.digits] == [784] * 4
    assert sample.classes == PUBLISHED["cifar-10"].classes
    assert len(read_test_images(name or "", sha256 or "", tmp_path / "data", [3])[3]) == 784
