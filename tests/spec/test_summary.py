"""The layer table: its totals, its JSON, and its texts."""

import math
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from helpers.pace import loop_seconds

from mnist_tui.spec import presets, recipe_words, summary
from mnist_tui.spec.calls import parse_lines
from mnist_tui.spec.network import infer_shapes
from mnist_tui.spec.recipe import Target
from mnist_tui.spec.run_spec import RunSpec, make_spec

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = presets.builtin_names()
MIB = 2**20


def spec_of(*layers: str, **more: Any) -> RunSpec:
    """A run of some layers."""
    return make_spec({"name": "x", "layers": "\n".join(layers), **more})


RESIDUAL = spec_of(
    "Conv2d(8, 3, padding=1)",
    "Residual(Conv2d(8, 3, padding=1), BatchNorm2d, ReLU)",
    "Residual(Conv2d(16, 3, padding=1, stride=2), GroupNorm(4), shortcut=Conv2d(16, 1, stride=2))",
    "AdaptiveAvgPool2d(1)",
    "Flatten()",
    "Linear(10)",
)


def _specs() -> dict[str, RunSpec]:
    return {name: presets.load(name) for name in NAMES} | {"residual": RESIDUAL}


@pytest.fixture(scope="module", params=[*NAMES, "residual"])
def spec(request: pytest.FixtureRequest) -> RunSpec:
    """Each preset, and a network with branches."""
    return _specs()[request.param]


def test_totals_are_the_sums_of_the_rows(spec: RunSpec) -> None:
    """Parameters, multiply-adds and memory; as JSON too."""
    totals, document = summary.totals(spec.rows), summary.as_json(spec)

    layers = document["layers"]
    assert totals.parameters == totals.trainable == spec.parameters == sum(layer["parameters"] for layer in layers)
    assert totals.multiply_adds == document["multiply_adds"] == sum(layer["multiply_adds"] for layer in layers)
    assert totals.forward_backward_mb * MIB == pytest.approx(2 * sum(layer["activation_bytes"] for layer in layers))
    assert totals.total_mb == pytest.approx(totals.input_mb + totals.forward_backward_mb + totals.parameters_mb)
    assert document["total_mb"] == totals.total_mb


def test_parameters_and_shares_add_up_in_the_text(spec: RunSpec) -> None:
    """What a reader adds up is what stands below: the column of parameters, and shares of about 100 %."""
    rows = [summary.columns(row, spec.parameters) for row in spec.rows]

    assert sum(int(row[3].replace(",", "") or 0) for row in rows) == spec.parameters
    assert sum(float(row[4].rstrip("%") or 0) for row in rows) == pytest.approx(100, abs=0.05 * len(rows))
    assert [row[0] for row in rows] == [str(index) for index in range(1, len(rows) + 1)]


@pytest.mark.parametrize("name", ["iter5", "v3", "exp19", "step4", "residual"])
def test_the_megabytes_are_those_of_a_real_model(name: str) -> None:
    """By torchsummary's own formulas, with the outputs and weights of the modules that PyTorch runs."""
    import torch

    from mnist_tui.training import build

    spec = _specs()[name]
    model = build.network(spec).eval()
    outputs: list[int] = []

    def note(module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        outputs.append(output.numel())

    for module in model.modules():
        # torchsummary counts every module but containers; a sum of branches is a layer of ours.
        if not isinstance(module, torch.nn.Sequential | torch.nn.Identity):
            module.register_forward_hook(note)
    with torch.inference_mode():
        model(torch.zeros(1, 1, 28, 28))
    weights = sum(parameter.numel() for parameter in model.parameters())

    totals = summary.totals(spec.rows)
    assert totals.parameters == weights
    assert totals.input_mb == pytest.approx(abs(math.prod((1, 28, 28)) * 4.0 / 1024**2))
    assert totals.forward_backward_mb == pytest.approx(2.0 * sum(outputs) * 4.0 / 1024**2)
    assert totals.parameters_mb == pytest.approx(weights * 4.0 / 1024**2)


def test_torchsummary_counts_as_the_table_does(spec: RunSpec) -> None:
    """The rows of the classic form add up to its own total."""
    lines = summary.torchsummary(spec).splitlines()
    rows = lines[3 : lines.index("=" * 64, 3)]

    counted = sum(int(line.rsplit(maxsplit=1)[1].replace(",", "")) for line in rows)
    assert len(rows) == len(spec.rows)
    assert f"Total params: {counted:,}" in lines
    assert f"Trainable params: {counted:,}" in lines
    assert f"Estimated Total Size (MB): {summary.totals(spec.rows).total_mb:.2f}" in lines
    assert max(map(len, lines)) <= 80


def test_a_table_keeps_its_columns(spec: RunSpec) -> None:
    """Every layer is one line, and all of them end where the heading ends, as numbers to the right do."""
    lines = summary.table(spec).splitlines()
    rules = [index for index, line in enumerate(lines) if line and set(line) == {"-"}]
    heading, rows = lines[rules[0] - 1], lines[rules[0] + 1 : rules[1]]

    assert tuple(heading.split()) == summary.HEADINGS
    assert len(rows) == len(spec.rows)
    assert {len(line) for line in rows} == {len(heading)}


def test_json_is_made_of_plain_values(spec: RunSpec) -> None:
    """Shapes leave the batch out; the spec in it makes the same run again."""
    document = summary.as_json(spec)

    assert make_spec(document["spec"]) == spec
    assert [tuple(layer["output_shape"]) for layer in document["layers"]] == [row.output_shape for row in spec.rows]
    assert document["layers"][-1]["output_shape"] == [10]
    assert {type(layer["receptive_field"]) for layer in document["layers"]} <= {int, list}


FIELDS = {
    "smaller than the image": (
        ["Conv2d(4, 3)", "ReLU()", "MaxPool2d(2)", "Flatten()", "Linear(10)"],
        ["after layer 3 (MaxPool2d)", "4x4 of 28 px (14%)"],
    ),
    "more than the image": (
        ["Conv2d(4, 15, padding=7)", "Conv2d(4, 15, padding=7)", "Conv2d(4, 5)", "Flatten()", "Linear(10)"],
        ["after layer 3 (Conv2d)", "33x33 px", "the whole of the 28 px image"],
    ),
    "just the image": (
        ["Conv2d(4, 28, padding=14)", "Flatten()", "Linear(10)"],
        ["after layer 1 (Conv2d)", "28x28 px", "the whole of the 28 px image"],
    ),
    "one pixel less": (
        ["Conv2d(4, 27, padding=14)", "Flatten()", "Linear(10)"],
        ["after layer 1 (Conv2d)", "27x27 of 28 px (96%)"],
    ),
    "strides and dilation": (
        ["Conv2d(4, 3, stride=2)", "Conv2d(4, 3, dilation=2)", "Flatten()", "Linear(10)"],
        ["after layer 2 (Conv2d)", "11x11 of 28 px (39%)"],
    ),
    "a global pool as the head": (
        ["Conv2d(10, 5)", "AdaptiveAvgPool2d(1)", "Flatten()"],
        ["after layer 1 (Conv2d)", "5x5 of 28 px (18%)"],
    ),
    "a convolution over the whole map as the head": (
        ["Conv2d(4, 14)", "Conv2d(10, 15)", "Flatten()"],
        ["after layer 1 (Conv2d)", "14x14 of 28 px (50%)"],
    ),
    "wider than high": (["Conv2d(4, (1, 5))", "Flatten()"], ["after layer 1 (Conv2d)", "1x5 of 28 px (18%)"]),
    "no head": (["Conv2d(4, 3)", "Conv2d(4, 3)"], ["after layer 2 (Conv2d)", "5x5 of 28 px (18%)"]),
    "linear layers only": (["Flatten()", "Linear(32)", "ReLU()", "Linear(10)"], ["all 28x28 px at once"]),
    "a global pool first": (["AdaptiveAvgPool2d(1)", "Flatten()", "Linear(10)"], ["all 28x28 px at once"]),
}


@pytest.mark.parametrize(("layers", "says"), FIELDS.values(), ids=FIELDS)
def test_the_receptive_field_in_a_sentence(layers: list[str], says: list[str]) -> None:
    """What a unit sees before the head, in pixels and as a share, and where that is."""
    sentence = summary.receptive_field_sentence(infer_shapes(parse_lines("\n".join(layers)), {}))

    assert [part for part in says if part not in sentence] == []


def test_a_table_of_nothing_has_no_field() -> None:
    """Half-typed networks have tables too."""
    assert summary.layer_counts(()) == {}
    assert "at once" in summary.receptive_field_sentence(())
    assert summary.totals(()).parameters == 0


def test_layers_are_counted_by_family() -> None:
    """In a fixed order, nested ones included, families without a layer left out."""
    network = spec_of(
        "Conv2d(8, 3)",
        "ConvTranspose2d(8, 3)",
        "BatchNorm2d()",
        "GroupNorm(2)",
        "Residual(Conv2d(8, 3, padding=1), BatchNorm2d, Dropout2d(0.1))",
        "MaxPool2d(2)",
        "AvgPool2d(2)",
        "AdaptiveAvgPool2d(2)",
        "LPPool2d(2, 2)",
        "Flatten()",
        "Dropout(0.1)",
        "AlphaDropout(0.1)",
        "Linear(20)",
        "BatchNorm1d()",
        "LayerNorm()",
        "Linear(10)",
    )

    assert list(summary.layer_counts(network.rows).items()) == [
        ("convolutions", 3),
        ("pools", 4),
        ("linear", 2),
        ("batch norms", 3),
        ("other norms", 2),
        ("dropouts", 3),
    ]
    assert summary.layer_counts(spec_of("Flatten()", "Linear(10)").rows) == {"linear": 1}


def test_one_layer_is_singular() -> None:
    """Counts of one layer are in the singular; without layers there are none."""
    one = spec_of("Conv2d(4, 3)", "MaxPool2d(4)", "BatchNorm2d()", "Dropout(0.1)", "Flatten()", "Linear(10)")
    two = spec_of("Conv2d(4, 3)", "Conv2d(4, 3)", "Flatten()", "Linear(20)", "Linear(10)")

    assert summary.layers_in_words(one.rows) == "1 convolution, 1 pool, 1 linear, 1 batch norm, 1 dropout"
    assert summary.layers_in_words(two.rows) == "2 convolutions, 2 linear"
    assert summary.layers_in_words(()) == ""


def test_the_counts_are_those_of_the_types(spec: RunSpec) -> None:
    """Against a plain count by PyTorch's names."""
    types = Counter(row.type for row in spec.rows)
    counts = summary.layer_counts(spec.rows)

    assert counts.get("linear", 0) == types["Linear"]
    assert counts.get("convolutions", 0) == types["Conv2d"] + types["ConvTranspose2d"]
    assert counts.get("batch norms", 0) == types["BatchNorm2d"] + types["BatchNorm1d"]
    assert counts.get("dropouts", 0) == types["Dropout"] + types["Dropout2d"]


@pytest.mark.parametrize(
    ("text", "file"),
    [
        (lambda spec: f"{summary.table(spec)}\n{recipe_words.recipe(spec)}\n", "iter5.txt"),
        (lambda spec: f"{summary.torchsummary(spec)}\n", "iter5-torchsummary.txt"),
    ],
    ids=["table", "torchsummary"],
)
def test_iter5_reads_as_it_did(text: Any, file: str) -> None:
    """To the letter; whoever changes the form changes tests/golden with it and looks at the difference."""
    assert text(presets.load("iter5")) == (GOLDEN / file).read_text(encoding="utf-8")


def test_the_recipe_is_shown_in_full() -> None:
    """Schedule, knobs, validation split, target and report, where a run has them."""
    full = spec_of(
        "Flatten()",
        "Dropout(rate)",
        "Linear(10)",
        knobs={"rate": 0.25},
        train={
            "epochs": 3,
            "batch_size": 100,
            "scheduler": "OneCycleLR(max_lr=0.1, epochs=epochs, steps_per_epoch=steps_per_epoch)",
            "scheduler_step": "burst",
            "augment": ["RandomRotation(7)"],
            "validation_images": 10_000,
            "seed": 5,
        },
        target={"parameters": 9_000, "test_accuracy": 0.994, "last_epochs": 2, "epochs": 15},
        reported={"accuracy": 0.9, "epoch": 2, "notes": ["One.", "Two."]},
    )

    lines = dict(line.split(None, 1) for line in recipe_words.recipe(full).splitlines())
    notes = [line for line in recipe_words.recipe(full).splitlines() if line.startswith("note ")]
    assert lines["epochs"] == "3, batch size 100, 500 steps an epoch, 1,500 in all"
    assert lines["scheduler"].endswith("steps_per_epoch=steps_per_epoch) in bursts")
    assert (lines["augment"], lines["knobs"]) == ("RandomRotation(7)", "rate=0.25")
    assert lines["validation"] == "10,000 of the 60,000 training images, by seed 5"
    assert lines["target"] == (
        "fewer than 9,000 parameters, 99.40% on the test set, in each of the last 2 epochs, at most 15 epochs"
    )
    assert lines["reported"] == "90.00% on 10,000 test images, epoch 2"
    assert len(notes) == 2


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"epochs": 1}, "at most 1 epoch"),
        ({"test_accuracy": 0.99, "last_epochs": 1}, "99.00% on the test set, in the last epoch"),
        (
            {"test_accuracy": 0.99, "last_epochs": 3, "rule": "mean"},
            "99.00% on the test set, as the mean of the last 3 epochs",
        ),
        ({}, ""),
    ],
)
def test_a_target_in_words(target: dict[str, object], words: str) -> None:
    """One epoch is the last epoch, and a mean is called one."""
    assert recipe_words.target_words(Target.model_validate(target)) == words


def test_a_table_follows_typing() -> None:
    """From text to table in some 2 ms: the fastest of many against a loop, since machines differ."""
    document = presets.load("v2").model_dump(mode="json", exclude_none=True)
    seconds = []
    for _ in range(30):
        spec = make_spec(document)
        started = time.perf_counter()
        spec.__dict__.pop("rows", None)  # The table that the checks have made already.
        summary.table(spec)
        seconds.append(time.perf_counter() - started)

    assert min(seconds) < 3 * loop_seconds()


def test_another_data_set_is_named() -> None:
    """Its images and classes, and that target and published figures are of the preset's own."""
    moved = presets.load("iter5").for_dataset("fashion-mnist")
    lines = dict(re.split("  +", line, maxsplit=1) for line in recipe_words.recipe(moved).splitlines() if "  " in line)

    assert lines["data"] == "Fashion-MNIST: 60,000 training and 10,000 test images, 1x28x28, 10 classes"
    assert lines["target"].endswith("of MNIST, not judged on Fashion-MNIST")
    assert "of MNIST" in lines["reported"]
    assert "data  " not in recipe_words.recipe(presets.load("iter5"))
