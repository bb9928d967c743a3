"""The stand-alone script: its network is ours, its recipe is ours, and its text is as ruff leaves it."""

import re
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.exports import RICH, all_names, executed, script_of, unsaved_run, write_as_mnist
from helpers.layer_cases import CASES
from torch import nn

from mnist_tui.errors import RunError
from mnist_tui.export import script_layers
from mnist_tui.export.script import script
from mnist_tui.export.script_recipe import loss_source, optimizer_source, scheduler_source, transform_sources
from mnist_tui.export.source import Names, Source, layout
from mnist_tui.spec import catalog, presets
from mnist_tui.spec.layers import COMPOSITE_LAYERS, Shape
from mnist_tui.spec.layers.registry import TORCH_LAYERS
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import augment, build
from mnist_tui.training.data import Dataset

TAIL = "Flatten()\nLinear(10)"


def with_train(spec: RunSpec, **train: object) -> RunSpec:
    """A spec with other settings of its recipe."""
    document: dict[str, Any] = spec.model_dump(mode="json")
    return make_spec(document | {"train": document["train"] | train})


def around(layer: str, shape: Shape) -> RunSpec:
    """A network with a layer whose input has the given shape."""
    is_image = len(shape) == 3
    head = f"Conv2d({shape[0]}, ({29 - shape[1]}, {29 - shape[2]}))" if is_image else f"Flatten()\nLinear({shape[0]})"
    return make_spec({"layers": f"{head}\n{layer}\n{TAIL}"})


PRESETS = {name: presets.load(name) for name in presets.builtin_names()}
LAYERS = {f"{text} on {shape}": around(text, shape) for text, shape in CASES}
NESTED = """
Conv2d(8, 3, in_channels=1, bias=False)  # a comment that is much too long to stand behind the layer that it is about
Sequential(Residual(Conv2d(8, 3, padding=1), SqueezeExcite(2)), MaxPool2d(2))
Residual(ReLU(inplace=True), Conv2d(8, 3, padding=1), ReLU(True))
Repeat(2, Residual(Conv2d(8, 1), BatchNorm2d), Repeat(2, Conv2d(8, 1), GroupNorm(2)), MaxPool2d(2))
Parallel(Residual(Sequential(ReLU, Identity), shortcut=Parallel(Conv2d(4, 1), Conv2d(4, 1))), Conv2d(2, 1))  # short
"""
RECIPES: dict[str, dict[str, object]] = {
    "plateau on training": {"scheduler": "ReduceLROnPlateau()"},
    "plateau on accuracy": {"scheduler": 'ReduceLROnPlateau("max", patience=2)', "validation_images": 1000},
    "plateau on validation": {"scheduler": "ReduceLROnPlateau(mode='min')", "validation_images": 1000},
    "several schedules": {
        "scheduler": "SequentialLR([LinearLR(0.1, total_iters=2), MultiStepLR([3, 4])], milestones=[2])",
        "augment": ["RandomChoice([RandomRotation(7, 'bilinear'), Identity()], p=[0.3, 0.7])", "RandomErasing(0.2)"],
    },
    "stopping rules": {"patience": 3, "stop_at_accuracy": 0.99, "precision": "bfloat16", "clip_grad_norm": 0.5},
    "no decay": {"optimizer": "AdamW(lr=0.01)", "no_decay": ["norm", "bias"]},
    "no decay of biases": {"optimizer": "SGD(0.01, weight_decay=0.1)", "no_decay": ["bias"]},
    "average": {"average": "EMA(decay=1-1/epochs)", "scheduler": "OneCycleLR(0.1, epochs * steps_per_epoch)"},
    "average alone": {"average": "EMA()", "validation_images": 1000},
    "mixup": {"mixup": 0.2, "precision": "bfloat16"},
    "a burst": {"scheduler": "CosineAnnealingLR(20)", "scheduler_step": "burst", "normalize": [0.5, 0.5]},
    "names of the recipe": {"augment": ["RandomRotation(epochs)"], "loss": "CrossEntropyLoss(1/epochs)"},
}
SPECS = {
    **PRESETS,
    "rich": RICH,
    "nested": make_spec({"layers": NESTED + TAIL}),
    **LAYERS,
    **{name: with_train(PRESETS["iter5"], **train) for name, train in RECIPES.items()},
}


# --- its network ---


@pytest.mark.parametrize("name", SPECS)
def test_the_network_is_the_same(name: str) -> None:
    """The same weights from a seed, under the same names, and with them the same outputs in both modes."""
    spec = SPECS[name]
    torch.manual_seed(7)
    ours = build.network(spec)
    torch.manual_seed(7)
    theirs = executed(script_of(spec))["Net"]()
    images = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))

    weights = {f"layers.{key}": value for key, value in all_names(ours).items()}
    assert list(weights) == list(theirs.state_dict())
    assert all(torch.equal(weights[key], value) for key, value in theirs.state_dict().items())
    assert len(list(ours.parameters())) == len(list(theirs.parameters()))
    for is_training in (True, False):
        torch.manual_seed(9)
        expected = ours.train(is_training)(images)
        torch.manual_seed(9)
        assert torch.equal(theirs.train(is_training)(images), expected) or expected.isnan().any()


def test_every_layer_type_is_covered() -> None:
    """By the networks above; and every composite layer has its source."""
    assert {text.partition("(")[0] for text, _ in CASES} == set(TORCH_LAYERS)
    assert set(script_layers.COMPOSITES) == set(COMPOSITE_LAYERS)
    assert script_layers.composites_in(RICH) == set(COMPOSITE_LAYERS) - {"Sequential"}


def test_the_trained_weights(rich_run: Any, tmp_path: Path) -> None:
    """The file beside the script is what its `load_network` reads: outputs are those of the run's network."""
    from mnist_tui.export.script import script_files
    from mnist_tui.training.predict import load_network

    path = tmp_path / "rich.py"
    text, weights = script_files(rich_run, path)
    (tmp_path / "rich.pt").write_bytes(weights)
    images = torch.randn(3, 1, 28, 28)
    network = executed(text.decode(), path)["load_network"]()

    assert not network.training
    assert torch.equal(network(images), load_network(rich_run.folder)(images))


# --- its recipe ---


def evaluated(source: Source, **names: object) -> Any:
    """What an expression of the script is."""
    from torch import optim
    from torch.optim import lr_scheduler
    from torchvision.transforms import v2

    known = {"nn": nn, "optim": optim, "lr_scheduler": lr_scheduler, "v2": v2, **names}
    return eval("\n".join(layout(source)), known)


OPTIMIZERS = [f"{name}()" for name in catalog.OPTIMIZERS] + ["SGD(0.1, 0.9, nesterov=True)", "Adam(rate, (0.8, beta))"]
SCHEDULERS = [
    "StepLR(2)",
    "MultiStepLR([1, 3], gamma=0.5)",
    "MultiStepLR(4)",
    "ExponentialLR(gamma=rate)",
    "ConstantLR(1/2)",
    "LinearLR(0.1, total_iters=3)",
    "PolynomialLR(epochs)",
    "CosineAnnealingLR(T_max=epochs, eta_min=rate/10)",
    "CosineAnnealingWarmRestarts(2, 2)",
    "OneCycleLR(1.0, epochs=epochs, steps_per_epoch=steps_per_epoch)",
    "OneCycleLR(rate, epochs*steps_per_epoch)",
    "CyclicLR(0.1, 1.0, step_size_up=2)",
    "ReduceLROnPlateau('max', patience=0)",
    "SequentialLR([LinearLR(0.1, total_iters=2), ExponentialLR(0.5)], milestones=[2])",
    "SequentialLR(StepLR(2), ())",
]
TRANSFORMS = [
    *[
        f"{name}()"
        for name in ("RandomPerspective", "RandAugment", "AugMix", "ColorJitter", "Identity", "RandomInvert")
    ],
    "AutoAugment('svhn', fill=3)",
    "RandomRotation((-10, 10), 'bilinear', fill=5)",
    "RandomAffine(0, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=(1, 2, 3, 4), interpolation='nearest')",
    "RandomResizedCrop(28, scale=(0.8, 1.0), interpolation='bicubic')",
    "Resize([28, 28], 'nearest-exact', antialias=False)",
    "ColorJitter(0.4, (0.5, 1.5), hue=0.1)",
    "RandomGrayscale(0.2)",
    "RandomApply(CenterCrop(22), 0.1)",
    "RandomOrder([RandomApply([Pad(2), CenterCrop(28)], p=rate), GaussianBlur(3)])",
]
NAMES: Names = {"rate": "RATE", "beta": 0.9, "epochs": 20, "steps_per_epoch": 938}
"""What names stand for: a variable of the script, and numbers."""


def recipe(**train: object) -> RunSpec:
    """A run with a recipe that has the knobs `rate` and `beta`, one of which the network uses, too."""
    names = " ".join(map(str, train.values()))
    knobs = {name: value for name, value in {"rate": 0.5, "beta": 0.9}.items() if name in names}
    return make_spec({"layers": TAIL, "knobs": knobs, "train": train})


@pytest.mark.parametrize("call", OPTIMIZERS)
def test_optimizers(call: str) -> None:
    """The same class with the same settings, but for the choice of a kernel."""
    spec, network = recipe(optimizer=call), nn.Linear(2, 2)
    built = build.optimizer(spec, list(network.parameters()))
    written = evaluated(optimizer_source(spec, NAMES), network=network, RATE=0.5)

    assert type(written) is type(built)
    assert written.defaults | {"fused": None} == built.defaults | {"fused": None}


@pytest.mark.parametrize("call", SCHEDULERS)
def test_schedulers(call: str) -> None:
    """The same class in the same state, with names that the script has."""
    spec = recipe(scheduler=call, optimizer="SGD(lr=0.5, momentum=0.9)")
    optimizers = [torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5, momentum=0.9) for _ in range(2)]
    built = build.scheduler(spec, optimizers[0], 60_000)
    source = scheduler_source(spec, {**NAMES, "epochs": "epochs", "steps_per_epoch": "steps_per_epoch"})
    assert built is not None
    assert source is not None
    written = evaluated(source, optimizer=optimizers[1], RATE=0.5, epochs=20, steps_per_epoch=938)

    assert type(written) is type(built)
    assert state_of(written) == state_of(built)


def state_of(scheduler: Any) -> dict[str, object]:
    """Every number of a scheduler and of those in it."""
    state = {key: value for key, value in scheduler.state_dict().items() if key not in ("_schedulers", "_anneal_func")}
    state = {key: tuple(value) if isinstance(value, list) else value for key, value in state.items()}
    return {**state, "inner": [state_of(each) for each in getattr(scheduler, "_schedulers", ())]}


@pytest.mark.parametrize("call", TRANSFORMS)
def test_transforms(call: str) -> None:
    """The same transforms of torchvision that run image by image here."""
    spec = recipe(augment=[call])
    (source,) = transform_sources(spec, NAMES)
    resolved = spec.resolved(spec.train.augment[0])
    if call.startswith("RandomApply(CenterCrop"):  # torchvision takes a list only, and the batched form a call, too.
        resolved = replace(resolved, args=((resolved.args[0],), *resolved.args[1:]))

    assert described(evaluated(source, RATE=0.5)) == described(augment._torchvision(resolved))


def described(transform: object) -> str:
    """A transform in words that are the same for lists and tuples, and for the names of interpolations."""
    text = repr(transform).lower().replace("interpolationmode.", "").replace("nearest_exact", "nearest-exact")
    return text.translate(str.maketrans("[]", "()"))


@pytest.mark.parametrize(
    "call", ["CrossEntropyLoss()", "CrossEntropyLoss(0.1)", "CrossEntropyLoss(label_smoothing=0.2)"]
)
def test_losses(call: str) -> None:
    """An argument without its name is the one that presets give, not PyTorch's first."""
    spec = recipe(loss=call)

    assert evaluated(loss_source(spec, NAMES)).label_smoothing == build.loss(spec).label_smoothing


@pytest.mark.slow
@pytest.mark.parametrize("name", ["era5", "v3", *RECIPES])
def test_every_recipe_trains(name: str, digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To its end, on a few images; a rule that is met stops it before."""
    write_as_mnist(digits.train.take(torch.arange(120)), digits.test.take(torch.arange(30)), tmp_path)
    text = re.sub(r"sizes = \[1000, 59000\]", "sizes = [20, 100]", script_of(SPECS[name]))
    text = text.replace(">= 0.99", ">= 0.0")
    names = executed(text)
    torch.manual_seed(0)
    names["train"](Namespace(data_dir=str(tmp_path), epochs=3, workers=0, save=None), torch.device("cpu"))
    lines = capsys.readouterr().out.splitlines()

    assert len(lines) == (1 if name in ("era5", "stopping rules") else 3)
    assert all(line.startswith(f"epoch {epoch}/3  train ") for epoch, line in enumerate(lines, start=1))
    assert ("  val " in lines[0]) == ("sizes = " in text)


# --- its text ---


@pytest.mark.slow
def test_ruff_changes_and_finds_nothing(tmp_path: Path) -> None:
    """With its own configuration, as in the project of somebody else: the formatter, and the linter's default rules."""
    for index, spec in enumerate(SPECS.values()):
        (tmp_path / f"script_{index}.py").write_text(script_of(spec))
    for command in (["format", "--check", "--diff"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout[:3000] + done.stderr[:500]


def test_knobs() -> None:
    """Those that are no whole numbers are constants, under names that the script does not use; others are numbers."""
    knobs = {"seed": 0.5, "SEED": 0.25, "f": 0.1, "n": 12}
    spec = make_spec(
        {"layers": "Flatten\nLinear(2*n)\nDropout(seed)\nDropout(SEED*2)\nDropout(f)\nLinear(10)", "knobs": knobs}
    )
    text = script_of(spec)

    assert "\nSEED = 0\n" in text
    assert "\nSEED_ = 0.5\nSEED__ = 0.25\nF_ = 0.1\n" in text
    assert "nn.Linear(784, 24)" in text
    assert "nn.Dropout(SEED__ * 2)" in text
    assert [layer.p for layer in executed(text)["Net"]().layers if isinstance(layer, nn.Dropout)] == [0.5, 0.5, 0.1]


def test_comments_of_the_author_stay() -> None:
    """Behind their layer where they fit, else above it."""
    lines = [line.strip() for line in script_of(SPECS["nested"]).splitlines() + script_of(RICH).splitlines()]

    assert "nn.Conv2d(1, 8, 3, padding=1),  # 8x28x28, RF 3; twice the width" in lines
    assert lines[lines.index("nn.Conv2d(1, 8, 3, padding=1),  # 8x28x28, RF 3; twice the width") - 1] == "# the stem"
    assert "# a comment that is much too long to stand behind the layer that it is about" in lines
    assert lines[lines.index("# short") + 1] == "Parallel("


@pytest.mark.parametrize(
    "text", ['"""\nimport os', "\\", 'end"', "\\N{nothing}", "{{ 7 * 7 }}", "# fmt: off", "\x1b[2J\u202e"]
)
def test_texts_from_outside_are_only_texts(text: str) -> None:
    """Name, title and source of a run, and comments in it, run nothing and break nothing."""
    document = PRESETS["iter5"].model_dump(mode="json")
    comment = text.replace("\n", " ")
    layers = f"{document['layers']}".replace("ReLU()", f"ReLU()  # {comment}", 1)
    spec = make_spec(document | {"name": text, "title": text, "source": text, "layers": layers})
    script_text = script(unsaved_run(spec, device_name=text, versions={"torch": text}), Path("a b.py"))
    names = executed(script_text)

    assert set(names) == set(executed(script_of(PRESETS["iter5"])))
    assert "7 * 7" in names["__doc__"] or "7 * 7" not in text
    assert "python 'a b.py' --train" in names["__doc__"]


def test_what_the_docstring_says(rich_run: Any) -> None:
    """Which run it is, what its weights reach on which images, and that the data are others than MNIST."""
    text = " ".join((executed(script(rich_run, Path("rich.py")))["__doc__"]).split())

    assert rich_run.id in text
    assert f"test accuracy {rich_run.best_accuracy:.2%}" in text
    assert "digits test 360, best epoch chosen on the test set" in text
    assert "This script reads MNIST" in text


@pytest.mark.parametrize(
    ("name", "fused", "sentence"),
    [
        ("iter5", True, "random numbers, and the run's layers were fused, which rounds differently."),
        ("iter5", False, "not the same: the run's augmentation had other random numbers."),
        ("v3", True, "not the same: the run's layers were fused, which rounds differently."),
        ("v3", False, "The numbers are the same up to rounding."),
    ],
)
def test_what_training_again_gives(name: str, fused: bool, sentence: str) -> None:
    """As tests/export/test_script_alone.py measures it."""
    text = script(unsaved_run(PRESETS[name], fused=fused), Path("script.py"))

    assert sentence in " ".join(text.split())


def test_a_learning_rate_that_was_changed_by_hand(rich_run: Any, tmp_path: Path) -> None:
    """The script cannot repeat it, and says so."""
    folder = tmp_path / rich_run.folder.name
    folder.mkdir()
    (folder / "steering.jsonl").write_text('{"epoch": 2, "step": 5, "learning_rate": 0.001}\n')
    text = script(replace(rich_run, folder=folder), Path("rich.py"))

    assert "0.001 after step 5 of epoch 2" in " ".join(text.split())


@pytest.mark.parametrize(("name", "reader"), [("fashion-mnist", "FashionMNIST"), ("kmnist", "KMNIST")])
def test_a_data_set_with_the_files_of_mnist(name: str, reader: str) -> None:
    """The script reads the data set of the run, and says so."""
    spec = make_spec({"layers": TAIL, "data": {"name": name}})
    text = script(unsaved_run(spec), Path("mine.py"))

    assert f"datasets.{reader}(data_dir, True" in text
    assert f"a PyTorch network for {spec.dataset.title}." in text
    assert f"v2.Normalize(({spec.dataset.mean},), ({spec.dataset.std},))" in text
    assert "datasets.MNIST" not in text


def test_a_data_set_that_a_script_cannot_read() -> None:
    """It is refused, and told what to export instead."""
    spec = make_spec({"layers": TAIL, "data": {"name": "cifar-10"}})
    with pytest.raises(RunError, match="was trained on CIFAR-10; a script reads mnist, fashion-mnist, kmnist alone"):
        script(unsaved_run(spec), Path("mine.py"))
