"""A run as data: changed by text, refused with the field's name, unchanged by a round trip, free of torch."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mnist_tui.errors import SpecError, UnusedKnobError
from mnist_tui.spec.calls import parse
from mnist_tui.spec.recipe import Target, TrainSpec
from mnist_tui.spec.run_spec import RunSpec, make_spec

LAYERS = """
# the first block
Conv2d(width, 3)  # 26x26
ReLU
Flatten()
Dropout(dropout)
Linear(10)
"""

DOCUMENT: dict[str, Any] = {
    "name": "small",
    "title": "A small network",
    "source": "nobody",
    "layers": LAYERS,
    "knobs": {"width": 4, "dropout": 0.1},
    "train": {
        "epochs": 3,
        "optimizer": "SGD(0.1,  momentum=0.9)",
        "scheduler": "OneCycleLR(max_lr=0.1, epochs=epochs, steps_per_epoch=steps_per_epoch)",
        "augment": ["RandomApply([CenterCrop(22)], p=dropout)", "Resize(28)"],
    },
    "target": {"parameters": 30_000, "test_accuracy": 0.99},
    "reported": {"accuracy": 0.99, "notes": ["one", "two"]},
}

SPEC = make_spec(DOCUMENT)


def changed(**parts: Any) -> dict[str, Any]:
    """The document with some of its keys replaced; `train` is replaced key by key."""
    train = {**DOCUMENT["train"], **parts.pop("train", {})}
    return {**DOCUMENT, "train": train, **parts}


# --- what a spec tells -----------------------------------------------------------------------------------------------


def test_a_spec_counts() -> None:
    """A spec has the numbers of parameters, layers and steps."""
    assert SPEC.parameters == 40 + 4 * 26 * 26 * 10 + 10
    assert [row.type for row in SPEC.rows] == ["Conv2d", "ReLU", "Flatten", "Dropout", "Linear"]
    assert [str(call) for call in SPEC.resolved_layers][:2] == ["Conv2d(4, 3)", "ReLU()"]
    assert SPEC.calls[0].line == 3
    assert SPEC.steps_per_epoch() == 938
    assert SPEC.steps_per_epoch(64) == 1
    assert SPEC.steps_per_epoch(65) == 2


def test_the_recipe_may_use_epochs_and_steps() -> None:
    """`epochs` and `steps_per_epoch` are the run's own, also after a validation split."""
    split = SPEC.with_settings({"validation_images": "5000", "batch_size": "100"})
    assert split.train.scheduler is not None
    resolved = split.resolved(split.train.scheduler)

    assert dict(resolved.kwargs) == {"max_lr": 0.1, "epochs": 3, "steps_per_epoch": 550}


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text", "place", "value"),
    [
        ("epochs", "5", "train.epochs", 5),
        ("train.epochs", "5", "train.epochs", 5),
        ("batch_size", "1_000", "train.batch_size", 1000),
        ("optimizer", "Adam(lr=0.002)", "train.optimizer", "Adam(lr=0.002)"),
        ("optimizer.lr", "0.01", "train.optimizer", "SGD(0.01, momentum=0.9)"),
        ("optimizer.momentum", "0.5", "train.optimizer", "SGD(0.1, momentum=0.5)"),
        ("optimizer.nesterov", "True", "train.optimizer", "SGD(0.1, momentum=0.9, nesterov=True)"),
        ("train.optimizer.lr", "dropout / 2", "train.optimizer", "SGD(dropout/2, momentum=0.9)"),
        ("scheduler", "StepLR(2)", "train.scheduler", "StepLR(2)"),
        ("scheduler", "None", "train.scheduler", None),
        ("loss.label_smoothing", "0.1", "train.loss", "CrossEntropyLoss(label_smoothing=0.1)"),
        ("augment", "[RandomRotation(15), Pad(2)]", "train.augment", ["RandomRotation(15)", "Pad(2)"]),
        ("augment", "RandomRotation(15)", "train.augment", ["RandomRotation(15)"]),
        ("augment", "RandomOrder([Pad(2), Resize(28)])", "train.augment", ["RandomOrder([Pad(2), Resize(28)])"]),
        ("augment", "[]", "train.augment", []),
        ("normalize", "(0.5, 0.25)", "train.normalize", [0.5, 0.25]),
        ("normalize", "[0.5, 1/4]", "train.normalize", [0.5, 0.25]),
        ("precision", "bfloat16", "train.precision", "bfloat16"),
        ("scheduler_step", "burst", "train.scheduler_step", "burst"),
        ("patience", "3", "train.patience", 3),
        ("patience", "None", "train.patience", None),
        ("clip_grad_norm", "1", "train.clip_grad_norm", 1.0),
        ("average", "EMA(decay=0.99)", "train.average", "EMA(decay=0.99)"),
        ("mixup", "0.2", "train.mixup", 0.2),
        ("seed", "7", "train.seed", 7),
        ("width", "8", "knobs.width", 8),
        ("knobs.dropout", "1/4", "knobs.dropout", 0.25),
        ("target.parameters", "None", "target.parameters", None),
        ("target.last_epochs", "3", "target.last_epochs", 3),
        ("name", "other", "name", "other"),
        ("title", "Another", "title", "Another"),
    ],
)
def test_a_setting_lands_at_its_place(path: str, text: str, place: str, value: object) -> None:
    """One path changes one value of the document and nothing else."""
    old_document = SPEC.model_dump(mode="json")
    new_document = SPEC.with_settings({path: text}).model_dump(mode="json")
    *tables, key = place.split(".")
    old, new = old_document, new_document
    for table in tables:
        old, new = old[table], new[table]

    assert new[key] == value
    old[key] = value
    assert new_document == old_document


@pytest.mark.parametrize("text", ["norm, bias", '["norm", "bias"]', "(norm,bias,)", "'norm', \"bias\""])
def test_weights_without_decay_are_words(text: str) -> None:
    """With or without quotes and brackets; none of them, and the key is not written, as in version 0.1."""
    spec = make_spec(changed(train={"optimizer": "AdamW()"}))
    exempt = spec.with_settings({"no_decay": text})

    assert exempt.train.no_decay == ("norm", "bias")
    assert exempt.model_dump(mode="json")["train"]["no_decay"] == ["norm", "bias"]
    for none in ("[]", "None", ""):
        assert exempt.with_settings({"no_decay": none}) == spec
    assert "no_decay" not in spec.model_dump_json()


def test_another_seed() -> None:
    """As the setting of that name gives; nothing else is checked again."""
    assert SPEC.with_seed(7) == SPEC.with_settings({"seed": "7"})
    assert SPEC.with_seed(7).rows is SPEC.rows
    for seed in (-1, 2**32):
        with pytest.raises(SpecError, match=rf"train\.seed: must be from 0 to 4294967295, got {seed}"):
            SPEC.with_seed(seed)


def test_weights_without_decay_need_a_decay() -> None:
    """The default of an optimizer counts; one without the argument is named."""
    spec = make_spec(changed(train={"optimizer": "AdamW()", "no_decay": ["bias"]}))

    assert spec.train.no_decay == ("bias",)
    for optimizer, words in {"AdamW(weight_decay=0)": "set optimizer.weight_decay", "Rprop()": "such as AdamW"}.items():
        with pytest.raises(SpecError, match=words):
            spec.with_settings({"optimizer": optimizer})


def test_a_rule_is_set_with_its_epochs() -> None:
    """`rule` says what `last_epochs` means; the word needs no quotes."""
    spec = SPEC.with_settings({"target.last_epochs": "3", "target.rule": "mean"})

    assert (spec.target.last_epochs, spec.target.rule) == (3, "mean")


def test_layers_are_a_setting() -> None:
    """The whole network can be replaced by text."""
    spec = SPEC.with_settings({"layers": "Flatten()\nDropout(dropout)\nLinear(width)\nLinear(10)  # scores"})

    assert spec.parameters == 785 * 4 + 50
    assert spec.layers.endswith("# scores")


def test_settings_are_made_in_their_order() -> None:
    """An optimizer set first has its argument changed by the next setting."""
    spec = SPEC.with_settings({"optimizer": "Adam(lr=0.1)", "optimizer.lr": "0.2", "train.optimizer.eps": "1e-6"})

    assert str(spec.train.optimizer) == "Adam(lr=0.2, eps=1e-06)"


WRONG_SETTINGS = [
    ("epoch", "3", "there is no such setting; did you mean 'epochs'?"),
    ("optimzer.lr", "3", "did you mean 'optimizer.lr'?"),
    ("droput", "0.1", "did you mean 'dropout'?"),
    ("target.test_acuracy", "0.9", "did you mean 'target.test_accuracy'?"),
    ("target", "1", "there is no such setting"),
    ("train", "1", "there is no such setting"),
    ("reported.accuracy", "1", "there is no such setting"),
    ("knobs.height", "1", "there is no such setting"),
    ("knobs.epochs", "5", "there is no such setting"),
    ("knobs.name", "x", "there is no such setting"),
    ("train.width", "5", "there is no such setting"),
    ("train.title", "x", "there is no such setting"),
    ("train.target.parameters", "5", "there is no such setting"),
    ("", "3", "there is no such setting"),
    ("\x1b[31m", "3", "there is no such setting"),
    ("optimizer.lrr", "3", "SGD has no argument 'lrr'; did you mean 'lr'?"),
    ("optimizer.", "3", "optimizer"),
    ("scheduler.gamma", "3", "OneCycleLR has no argument 'gamma'"),
    ("epochs", "nan", "epochs: cannot read 'nan'"),
    ("epochs", "x", "epochs: cannot read 'x'"),
    ("epochs", "", "--set epochs: enter a number such as 20"),
    ("epochs", "1e", "--set epochs: cannot read '1e'; enter a number such as 20"),
    ("patience", ".", "--set patience: cannot read '.'; enter a number such as 5"),
    ("normalize", "0..1", "cannot read '0..1'; enter a value such as (0.1307, 0.3081)"),
    ("target.test_accuracy", "99,4", "cannot read '99,4'; enter a number such as 0.994"),
    ("optimizer.lr", "0.0.1", "--set optimizer.lr: cannot read '0.0.1'; enter a number such as 0.1"),
    ("optimizer.momentum", " ", "--set optimizer.momentum: enter a number such as 0"),
    ("optimizer.nesterov", "No, Yes", "cannot read 'No, Yes'; enter True or False"),
    ("scheduler.anneal_strategy", "'", 'enter a value such as "cos"'),
    ("scheduler.epochs", "1 2", "cannot read '1 2'; enter one value"),
    ("optimizer", "SGD(lr=0.0.1)", "cannot read 'SGD(lr=0.0.1)': '0.0.1' is not a number; enter one such as 0.001"),
    ("augment", "Resize(2.8.1)", "augment: cannot read 'Resize(2.8.1)': '2.8.1' is not a number"),
    ("layers", "Flatten()\nLinear(08)", "cannot read 'Linear(08)': '08' is not a number"),
    ("epochs", "3, 4", "epochs: cannot read '3, 4'"),
    ("epochs", "3) + f(4", "epochs: cannot read"),
    ("epochs", "x=3", "epochs: cannot read 'x=3'"),
    ("epochs", "3, x=3", "epochs: cannot read"),
    ("epochs", "-1", "train.epochs: should be greater than or equal to 1, got -1"),
    ("epochs", "2.5", "train.epochs: should be a whole number, got 2.5"),
    ("epochs", "True", "train.epochs: should be a whole number"),
    ("epochs", "'3'", "train.epochs: should be a whole number"),
    ("epochs", "f(3)", "train.epochs: should be a whole number"),
    ("epochs", "1e400", "epochs: cannot read '1e400'"),
    ("batch_size", "0", "train.batch_size: should be greater than or equal to 1"),
    ("batch_size", "1000000000", "train.batch_size: should be less than or equal to 60000"),
    ("batch_size", "9" * 30, "batch_size: cannot read"),
    ("validation_images", "60000", "train.validation_images: should be less than or equal to 59999"),
    ("seed", "-1", "train.seed: should be greater than or equal to 0"),
    ("seed", "4294967296", "train.seed: should be less"),
    ("clip_grad_norm", "inf", "clip_grad_norm: cannot read 'inf'"),
    ("clip_grad_norm", "0", "train.clip_grad_norm: should be greater than 0"),
    (
        "no_decay",
        "norm",
        "train.no_decay: SGD has no weight decay here; set optimizer.weight_decay, or remove no_decay",
    ),
    ("average", "EMA(decay=2)", "train.average: EMA: decay=2 must be between 0 and 1"),
    ("average", "SWA()", "train.average: there is no average 'SWA'"),
    ("mixup", "0", "train.mixup: should be greater than 0"),
    ("mixup", "yes", "mixup: cannot read 'yes'; enter a number such as 0.2"),
    ("average.decay", "0.9", "there is no average; set average itself"),
    ("no_decay", "norm, biases", "train.no_decay.1: should be 'norm' or 'bias', got 'biases'"),
    ("no_decay", "[norm", "train.no_decay.0: should be 'norm' or 'bias', got '[norm'"),
    ("stop_at_accuracy", "99.5", "train.stop_at_accuracy: should be less than or equal to 1"),
    ("target.rule", "mean", "target: rule needs last_epochs"),
    ("target.rule", "median", "target.rule: should be 'each' or 'mean', got 'median'"),
    ("normalize", "(0.5, 0)", "train.normalize.1: should be greater than 0"),
    ("normalize", "0.5, 0.5", "normalize"),
    ("precision", "float16", "train.precision: should be 'float32' or 'bfloat16', got 'float16'"),
    ("scheduler_step", "week", "train.scheduler_step: should be"),
    ("optimizer", "Adm(lr=0.1)", "train.optimizer: there is no optimizer 'Adm'; did you mean 'Adam'?"),
    ("optimizer", "Adam(", "train.optimizer: cannot read 'Adam('"),
    ("optimizer", "None", "train.optimizer"),
    ("optimizer", "", "train.optimizer: expected one call"),
    ("optimizer.lr", "nan", "train.optimizer: SGD: unknown name 'nan'"),
    ("optimizer.lr", "1e400", "optimizer.lr: cannot read '1e400'"),
    ("optimizer.lr", "0.1, 0.2", "optimizer.lr: cannot read '0.1, 0.2'"),
    ("optimizer.lr", "-1", "train.optimizer: SGD: lr=-1 must be between 0 and 10000"),
    ("optimizer.lr", "'x'", "train.optimizer: SGD: lr must be a number"),
    ("loss", "MSELoss()", "train.loss: there is no loss 'MSELoss'"),
    ("loss", "NLLLoss()", "train.loss: NLLLoss needs log-probabilities, but the network ends in Linear"),
    ("augment", "RandomRotatoin(15)", "train.augment: there is no transform 'RandomRotatoin'; did you mean"),
    ("augment", "15", "augment"),
    ("augment", "None", "augment"),
    ("augment", "RandomRotation", "augment"),
    ("augment", "Resize(28), 15", "augment"),
    ("augment", "x=Resize(28)", "augment"),
    ("augment", "[Resize(28)", "augment"),
    ("dropout", "x", "dropout: cannot read 'x'"),
    ("dropout", ",", "--set dropout: cannot read ','; enter a number such as 0.1"),
    ("dropout", "0.1, 0.2", "dropout: cannot read '0.1, 0.2'"),
    ("dropout", "None", "knobs.dropout: must be a finite number, got None"),
    ("dropout", "1.5", "Dropout: p=1.5 must be between 0 and 1"),
    ("width", "0", "Conv2d: out_channels=0 must be a whole number of at least 1"),
    ("width", "10**9", "width: cannot read"),
    ("width", "1000000000", "the limit is"),
    ("layers", "Flatten()\nLinear(10)", "knobs.width: no layer and no argument uses it"),
    ("layers", "Conv2d(width, dropout)", "kernel_size=0.1 must be a whole number"),
    ("name", "", "name"),
    ("name", "a" * 101, "name"),
]


@pytest.mark.parametrize(("path", "text", "words"), WRONG_SETTINGS)
def test_a_wrong_setting_is_explained(path: str, text: str, words: str) -> None:
    """The error names the setting and says what is wrong; it is harmless to show."""
    with pytest.raises(SpecError) as caught:
        SPEC.with_settings({path: text})
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "texts",
    [
        {"optimizer": "Adm(lr=0.1)", "optimizer.lr": "0.2"},
        {"optimizer": "Adam(", "optimizer.lr": "0.2"},
        {"optimizer": "", "optimizer.lr": "0.2"},
        {"scheduler": "None", "scheduler.gamma": "0.2"},
        {"loss": "MSELoss", "loss.label_smoothing": "0.2"},
    ],
)
def test_an_argument_of_a_wrong_call_is_an_error_like_any_other(texts: dict[str, str]) -> None:
    """A setting after an invalid one does not raise another type of error."""
    with pytest.raises(SpecError, match=next(iter(texts))):
        SPEC.with_settings(texts)


PATHS = st.sampled_from(
    [
        *TrainSpec.model_fields,
        *("width", "dropout", "knobs.width", "optimizer.lr", "optimizer.momentum", "scheduler.max_lr", "loss.x"),
        *(f"target.{name}" for name in Target.model_fields),
        *("name", "title", "layers", "train.", ".", "optimizer.."),
    ]
)
TEXTS = st.sampled_from([text for _, text, _ in WRONG_SETTINGS]) | st.text("[](),=.03-+*/'\"#\n \\\x00an_", max_size=12)


@given(PATHS, TEXTS | st.text(max_size=12))
def test_any_setting_makes_a_spec_or_an_error(path: str, text: str) -> None:
    """Whatever is typed anywhere, there is a valid run or a `SpecError`."""
    try:
        spec = SPEC.with_settings({path: text})
    except SpecError:
        return

    assert make_spec(spec.model_dump(mode="json")) == spec


# --- documents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "where", "words"),
    [
        ({}, ("layers",), "layers: is missing"),
        (changed(layrs=""), ("layrs",), "did you mean 'layers'?"),
        (changed(train={"epoch": 3}), ("train", "epoch"), "did you mean 'epochs'?"),
        (changed(train={"epochs": "3"}), ("train", "epochs"), "should be a whole number, got '3'"),
        (changed(train={"normalize": [0.5]}), ("train", "normalize", "1"), "is missing"),
        (changed(train={"normalize": [float("nan"), 1]}), ("train", "normalize", "0"), "finite"),
        (changed(train={"clip_grad_norm": float("inf")}), ("train", "clip_grad_norm"), "finite"),
        (changed(train={"optimizer": 3}), ("train", "optimizer"), "must be a call in quotes"),
        (changed(train={"augment": "Resize(28)"}), ("train", "augment"), "a list"),
        (changed(train={"augment": ["Resize(28)", "x y"]}), ("train", "augment", "1"), "cannot read 'x y'"),
        (changed(train={"optimizer": "Adam(lr=widht)"}), ("train", "optimizer"), "did you mean 'width'?"),
        (changed(train={"scheduler": "StepLR(step_per_epoch)"}), ("train", "scheduler"), "'steps_per_epoch'?"),
        ({**DOCUMENT, "train": 3}, ("train",), "train"),
        (changed(target={"parameters": 0}), ("target", "parameters"), "greater than or equal to 1"),
        (changed(reported={"acuracy": 0.9}), ("reported", "acuracy"), "did you mean 'accuracy'?"),
        (changed(knobs={"width": float("nan"), "dropout": 0.1}), ("knobs", "width"), "must be a finite number"),
        (changed(knobs={"width": float("inf"), "dropout": 0.1}), ("knobs", "width"), "must be a finite number"),
        (changed(knobs={"width": 10**400, "dropout": 0.1}), ("knobs", "width"), "must be a finite number"),
        (changed(knobs={"width": "dropout", "dropout": 0.1}), ("knobs", "width"), "finite number, got 'dropout'"),
        (changed(knobs={"width": "width", "dropout": 0.1}), ("knobs", "width"), "finite number, got 'width'"),
        (changed(knobs={"width": [4], "dropout": 0.1}), ("knobs", "width"), "must be a finite number"),
        (changed(knobs={"width": 4, "dropout": 0.1, "x": 1}), ("knobs", "x"), "no layer and no argument uses it"),
        (changed(knobs={"width": 4, "dropout": 0.1, "ReLU": 1}), ("knobs",), "'ReLU' cannot be the name of a knob"),
        (changed(knobs={"width": 4, "dropout": 0.1, "epochs": 1}), ("knobs",), "cannot be the name of a knob"),
        (changed(knobs={"width": 4, "dropout": 0.1, "a b": 1}), ("knobs",), "cannot be the name of a knob"),
        (changed(knobs={"width": 4}), ("layers",), "unknown name 'dropout'"),
        (changed(layers=3), ("layers",), "layers"),
        (changed(layers="x" * 70_000), ("layers",), "at most 65536"),
        (changed(layers="ReLU\ud800"), ("layers",), "layers"),
    ],
)
def test_a_wrong_document_is_explained(document: dict[str, Any], where: tuple[str, ...], words: str) -> None:
    """The error has the path of the field, in its text and as data."""
    with pytest.raises(SpecError) as caught:
        make_spec(document)
    assert caught.value.where == where
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "place", "argument", "reason"),
    [
        ({"optimizer.lr": "-1"}, "train.optimizer", "lr", "SGD: lr=-1 must be between 0 and 10000"),
        ({"optimizer": "Adam(lr=-1)"}, "train.optimizer", "lr", "Adam: lr=-1 must be between 0 and 10000"),
        ({"optimizer": "Adam(eps=x)"}, "train.optimizer", "eps", "Adam: unknown name 'x'; known names are width"),
        ({"optimizer": "Adam(amsgard=True)"}, "train.optimizer", "amsgard", "Adam has no argument 'amsgard'"),
        ({"epochs": "0"}, "train.epochs", "", "should be greater than or equal to 1, got 0"),
        ({"epochs": "x"}, "--set epochs", "", "cannot read 'x'; enter a number such as 20"),
        ({"scheduler.gama": "1"}, "--set scheduler.gama", "", "OneCycleLR has no argument 'gama'"),
    ],
)
def test_an_error_has_its_place_and_its_argument_as_data(
    settings: dict[str, str], place: str, argument: str, reason: str
) -> None:
    """The form shows the reason at the field; the message has both."""
    with pytest.raises(SpecError) as caught:
        SPEC.with_settings(settings)

    assert caught.value.place == place
    assert caught.value.argument == argument
    assert caught.value.reason.startswith(reason)
    assert str(caught.value) == f"{place}: {caught.value.reason}"


def test_an_unused_knob_is_an_error_of_its_own() -> None:
    """An unused knob has its own error class, so that no code reads the message."""
    with pytest.raises(UnusedKnobError, match=r"^knobs\.x: no layer and no argument uses it$") as caught:
        make_spec(changed(knobs={"width": 4, "dropout": 0.1, "x": 1}))

    assert caught.value.where == ("knobs", "x")


@pytest.mark.parametrize("document", [None, [], 3, "layers"])
def test_a_document_that_is_no_table_is_refused(document: Any) -> None:
    """A JSON document that is not an object is refused."""
    with pytest.raises(SpecError):
        make_spec(document)


@pytest.mark.parametrize(
    ("layers", "line", "words"),
    [
        ("", 1, "the network ends in []"),
        ("ReLU()", 1, "the network ends in [1, 28, 28]; the output must be 10 logits, [10]"),
        ("\nConv2d(10, 28)\n# end", 2, "[10, 1, 1]; the output must be 10 logits, [10]; put Flatten() at the end"),
        ("Flatten()\n\nLinear(11)", 3, "[11]"),
        ("Linear(10)", 1, "put Flatten() before it"),
        ("Conv2d(4, 3)\n\nConv2d(4,", 3, "cannot read 'Conv2d(4,'"),
        ("Conv2d(4, 3)\nConv3d(4, 3)", 2, "did you mean 'Conv2d'?"),
        ("ReLU\nimport os", 2, "Python statement"),
        ("ReLU\n\n__import__('os').system('x')", 3, "not allowed"),
        ("ReLU\n__import__('os')", 2, "there is no layer '__import__'"),
    ],
)
def test_wrong_layers_are_explained_with_their_line(layers: str, line: int, words: str) -> None:
    """The line counts inside the value of `layers`."""
    with pytest.raises(SpecError) as caught:
        make_spec({"layers": layers})
    assert caught.value.where == ("layers",)
    assert caught.value.line == line
    assert words in str(caught.value)


def test_a_step_that_no_machine_holds_is_refused() -> None:
    """Layer sizes and batch size are each allowed; together they are not."""
    layers = "Conv2d(256, 3)\nAdaptiveAvgPool2d(1)\nFlatten()\nLinear(10)"
    fitting = make_spec({"layers": layers, "train": {"batch_size": 256}})

    with pytest.raises(SpecError, match=r"train.batch_size: one step of 60,000 images needs about \d\d GB") as caught:
        fitting.with_settings({"batch_size": "60000"})
    assert caught.value.where == ("train", "batch_size")


def test_log_softmax_goes_with_nll() -> None:
    """The loss that needs log-probabilities is accepted where there are some."""
    spec = make_spec({"layers": "Flatten()\nLinear(10)\nLogSoftmax(1)", "train": {"loss": "NLLLoss"}})

    assert str(spec.train.loss) == "NLLLoss"


def test_names_are_made_harmless() -> None:
    """Control characters in names and titles do not reach a terminal."""
    spec = make_spec(changed(name="a\x1b[31m", title="two\nlines", source="\u202eright to left\ud800"))

    assert (spec.name + spec.title + spec.source).isprintable()


# --- round trips -----------------------------------------------------------------------------------------------------


def test_json_and_back_is_the_same_run() -> None:
    """What a run folder stores is the run, whether its tables were worked out before or not."""
    spec = make_spec(DOCUMENT)
    text = spec.model_dump_json()
    stored = RunSpec.model_validate_json(text)

    assert stored == spec
    assert stored.rows == spec.rows
    assert stored == spec
    assert stored.model_dump_json() == text
    assert make_spec(json.loads(text)) == spec
    assert make_spec(spec.model_dump(mode="json", exclude_none=True)) == spec


def test_what_was_written_stays_as_written() -> None:
    """Comments and spaces in layers and calls survive JSON and a change elsewhere."""
    spec = RunSpec.model_validate_json(SPEC.with_settings({"epochs": "5"}).model_dump_json())

    assert spec.layers == LAYERS
    assert str(spec.train.optimizer) == "SGD(0.1,  momentum=0.9)"
    assert spec.train.epochs == 5


def test_runs_that_differ_are_unequal() -> None:
    """Equality looks at the values, not at how a call was written."""
    assert SPEC.with_settings({"optimizer": "SGD(0.1, momentum=0.9)"}) == SPEC
    assert SPEC.with_settings({"optimizer.lr": "0.2"}) != SPEC
    assert SPEC.with_settings({"dropout": "0.2"}) != SPEC


@pytest.mark.parametrize("place", ["name", "layers", "knobs", "train", "target", "reported"])
def test_a_spec_is_frozen(place: str) -> None:
    """A run cannot be changed, only made anew."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(SPEC, place, getattr(SPEC, place))


def test_the_parts_of_a_spec_are_frozen() -> None:
    """Neither recipe nor target nor a call inside can be changed."""
    with pytest.raises(ValidationError, match="frozen"):
        SPEC.train.epochs = 4  # type: ignore[misc]  # The test.
    with pytest.raises(ValidationError, match="frozen"):
        SPEC.target.parameters = 4  # type: ignore[misc]  # The test.
    with pytest.raises(AttributeError):
        SPEC.train.optimizer.name = "Adam"  # type: ignore[misc]


def test_with_settings_leaves_its_spec_alone() -> None:
    """The run it was called on keeps its knobs and its recipe."""
    first_json = SPEC.model_dump_json()
    SPEC.with_settings({"dropout": "0.5", "optimizer.lr": "0.5", "augment": "[]", "target.epochs": "3"})

    assert SPEC.model_dump_json() == first_json


def test_a_default_spec_needs_only_layers() -> None:
    """Everything but the network has a default, and specs do not share their defaults."""
    first, second = (make_spec({"layers": "Flatten()\nLinear(10)"}) for _ in range(2))

    assert first.train.optimizer == parse("Adam(lr=0.001)")
    assert first == second
    assert first.knobs is not second.knobs


# --- imports ---------------------------------------------------------------------------------------------------------


def test_nothing_heavy_is_imported() -> None:
    """A layer table and `--list` must not wait for torch; a late import shows only in a fresh process."""
    program = """
import sys
import mnist_tui.spec.catalog, mnist_tui.spec.network, mnist_tui.spec.presets, mnist_tui.spec.run_spec
mnist_tui.spec.run_spec.make_spec({"layers": "Flatten()\\nLinear(10)"}).rows
print(*sorted({"torch", "torchvision", "numpy", "textual"} & set(sys.modules)))
print("pydantic" in sys.modules)
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert output == "\nTrue\n"
