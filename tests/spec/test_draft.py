"""A draft: texts over a preset become a spec, or every mistake is reported at its field."""

import pytest

from mnist_tui.spec import presets
from mnist_tui.spec.catalog import CATALOGS
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.recipe import Target, TrainSpec
from mnist_tui.spec.run_spec import RunSpec


@pytest.fixture(scope="module")
def base() -> RunSpec:
    """A preset with a knob, a scheduler and a target."""
    return presets.load("iter6")


@pytest.mark.parametrize("name", presets.builtin_names())
def test_every_preset_is_a_draft_of_itself(name: str) -> None:
    """Nothing is typed, nothing is changed, and the fields show the preset's values."""
    spec = presets.load(name)
    draft = Draft.of(spec, spec)

    assert draft.changed_count == 0
    assert draft.result.spec == spec
    assert not any(field.is_changed for field in draft.fields)


def test_every_setting_has_a_field(base: RunSpec) -> None:
    """Every field that is declared in a spec is in the form, without being listed a second time."""
    paths = {field.path for field in Draft(base).fields}

    assert paths >= set(TrainSpec.model_fields)
    assert paths >= {f"target.{name}" for name in Target.model_fields}
    assert paths >= {f"knobs.{name}" for name in base.knobs}


def test_a_word_that_may_be_left_out_is_chosen(base: RunSpec) -> None:
    """None is among the choices; a rule without its epochs is an error at its field."""
    draft = Draft(base)
    (field,) = [field for field in draft.fields if field.path == "target.rule"]

    assert field.choices == ("None", "each", "mean")
    assert "needs last_epochs" in draft.with_text("target.rule", "mean").result.errors["target.rule"]


def test_words_that_go_together_are_chosen_together(base: RunSpec) -> None:
    """`no_decay`: none, each of them, or both; in any order they are the same recipe."""
    draft = Draft(base).with_text("optimizer", "AdamW")
    (field,) = [field for field in draft.fields if field.path == "no_decay"]
    both = draft.with_text("no_decay", "norm, bias").result.spec

    assert (field.text, field.choices) == ("None", ("None", "norm", "bias", "norm, bias"))
    assert both is not None
    assert both.train.no_decay == ("norm", "bias")
    assert both.with_settings({"no_decay": "bias, norm, bias"}) == both
    assert Draft(both).with_text("no_decay", "None").result.spec == draft.result.spec
    assert "set optimizer.weight_decay" in Draft(base).with_text("no_decay", "norm").result.errors["no_decay"]


def test_an_average_is_chosen_like_a_scheduler(base: RunSpec) -> None:
    """None or a call, whose argument has a field of its own; mixup is a number."""
    draft = Draft(base).with_text("average", "EMA")
    spec = draft.with_text("average.decay", "0.99").with_text("mixup", "0.2").result.spec

    assert draft.text_of("average.decay") == "0.999"
    assert spec is not None
    assert (str(spec.train.average), spec.train.mixup) == ("EMA(decay=0.99)", 0.2)
    assert "between 0 and 1" in draft.with_text("average.decay", "3").result.errors["average.decay"]


def test_the_text_of_every_field_can_be_typed_again(base: RunSpec) -> None:
    """Typing the text that a field shows leaves the run as it is."""
    for field in Draft(base).fields:
        assert Draft(base).with_text(field.path, field.text).result.spec == base, field.path


@pytest.mark.parametrize(
    ("path", "text", "where", "words"),
    [
        ("epochs", "0", "epochs", "greater than or equal to 1"),
        ("epochs", "many", "epochs", "cannot read 'many'"),
        ("optimizer.lr", "nan", "optimizer.lr", "finite"),
        ("optimizer.lr", "", "optimizer.lr", "enter a number such as 0.001"),
        ("optimizer.lr", "0.0.1", "optimizer.lr", "cannot read '0.0.1'; enter a number such as 0.001"),
        ("optimizer.lr", "0.1) + f(2", "optimizer.lr", "enter a number such as 0.001"),
        ("optimizer.betas", "0.9, 0.99", "optimizer.betas", "enter a value such as (0.9, 0.999)"),
        ("optimizer.amsgrad", "", "optimizer.amsgrad", "enter True or False"),
        ("knobs.dropout", "0,1", "knobs.dropout", "cannot read '0,1'; enter a number such as 0."),
        ("optimizer.lr", "-1", "optimizer.lr", "between 0 and"),
        ("optimizer.betas", "0.9", "optimizer.betas", ""),
        ("scheduler", "ExponentialLR", "scheduler.gamma", "is missing"),
        ("augment", "RandomRotate(5)", "augment", "did you mean 'RandomRotation'"),
        ("knobs.dropout", "2", "knobs.dropout", "between 0 and 1"),
        ("loss.label_smoothing", "3", "loss.label_smoothing", "between 0 and 1"),
        ("target.test_accuracy", "99.4", "target.test_accuracy", "less than or equal to 1"),
        ("validation_images", "60000", "validation_images", "less than or equal to"),
    ],
)
def test_a_wrong_text_is_reported_at_its_field(path: str, text: str, where: str, words: str, base: RunSpec) -> None:
    """With its reason, and no spec is made."""
    result = Draft(base).with_text(path, text).result

    if text == "0.9":  # Only PyTorch itself looks at it.
        return
    assert result.spec is None
    assert words in result.errors.get(where, result.layer_error[1] if result.layer_error else ""), result


def test_the_argument_that_is_wrong_is_named_by_the_error(base: RunSpec) -> None:
    """Not by its name in the message: the letter d, an argument of Adafactor, is in every message on Adafactor."""
    draft = Draft(base).with_text("optimizer", "Adafactor").with_text("optimizer.lr", "-1")
    result = draft.with_text("optimizer.d", "2.0").result

    assert result.errors == {"optimizer.lr": "Adafactor: lr=-1 must be between 0 and 10000"}


def test_a_knob_may_be_called_like_the_words_of_an_error(base: RunSpec) -> None:
    """Only a knob that nothing uses is reported as unused."""
    unused = Draft(base).with_knob("it", "1").result
    wrong = Draft(base).with_text("knobs.dropout", "no layer and no argument uses it").result

    assert unused.unused == {"knobs.it"}
    assert wrong.unused == frozenset()
    assert "enter a number such as" in wrong.errors["knobs.dropout"]


def test_all_mistakes_at_once(base: RunSpec) -> None:
    """Every wrong field is named, and the wrong line of the layers; the table stays the last valid one."""
    draft = Draft(base).with_text("epochs", "0").with_text("batch_size", "x").with_text("optimizer.lr", "nan")
    result = draft.with_layers(base.layers.replace("MaxPool2d(2)", "MaxPool2d(two)", 1)).result

    assert set(result.errors) == {"epochs", "batch_size", "optimizer.lr"}
    assert result.layer_error is not None
    assert result.layer_error[0] == 4
    assert result.rows == base.rows
    assert result.spec is None


def test_another_optimizer_takes_over_the_rate_and_nothing_else(base: RunSpec) -> None:
    """Another choice drops the other arguments; the preset's choice again brings the preset's arguments again."""
    adam = Draft(base).with_text("optimizer.lr", "0.5")
    sgd = adam.with_text("optimizer", "SGD").with_text("optimizer.momentum", "0.9")
    again = sgd.with_text("optimizer.lr", Draft(base).text_of("optimizer.lr")).with_text("optimizer", "Adam")
    fields = {field.path for field in sgd.fields if field.path.startswith("optimizer.")}

    assert adam.taken_over("optimizer", "SGD") == {"optimizer.lr": "0.5"}
    assert str(sgd.result.spec and sgd.result.spec.train.optimizer) == "SGD(lr=0.5, momentum=0.9)"
    assert fields == {f"optimizer.{name}" for name in ("lr", "momentum", "dampening", "weight_decay", "nesterov")}
    assert again.result.spec == base


def test_one_cycle_begins_with_the_length_of_the_run(base: RunSpec) -> None:
    """And with the optimizer's learning rate as its peak, so that the choice alone is a valid run."""
    draft = Draft(base).with_text("scheduler", "OneCycleLR")
    spec = draft.result.spec

    assert spec is not None
    assert str(spec.train.scheduler) == f"OneCycleLR(max_lr={draft.text_of('optimizer.lr')}, epochs=epochs, " + (
        "steps_per_epoch=steps_per_epoch)"
    )


def test_a_text_that_is_the_default_again_is_no_change(base: RunSpec) -> None:
    """Of a preset's argument, and of one that PyTorch has a default for."""
    draft = Draft(base)
    for path in ("epochs", "optimizer.lr", "optimizer.eps"):
        first_text = draft.text_of(path)
        draft = draft.with_text(path, "7").with_text(path, first_text)

    assert draft == Draft(base)
    assert draft.changed_count == 0


def test_transforms_are_switched_off_and_on_in_their_places(base: RunSpec) -> None:
    """A transform that is off is not used, and keeps its position."""
    listed = [("RandomRotation(7)", False), ("RandomErasing(p=0.1)", True), ("RandomInvert()", False)]
    draft = Draft(base).with_transforms(listed)
    spec = draft.result.spec

    assert spec is not None
    assert [str(call) for call in spec.train.augment] == ["RandomErasing(p=0.1)"]
    assert draft.transforms() == listed
    assert draft.with_transforms([(text, True) for text, _ in listed]).switched_off == ()


@pytest.mark.parametrize("name", CATALOGS["optimizer"])
def test_every_optimizer_can_be_chosen(name: str, base: RunSpec) -> None:
    """Each is a run with its own defaults as soon as it is chosen."""
    spec = Draft(base).with_text("optimizer", name).result.spec

    assert spec is not None
    assert spec.train.optimizer.name == name


def test_no_scheduler(base: RunSpec) -> None:
    """The choice "none" removes the scheduler."""
    spec = Draft(base).with_text("scheduler", "None").result.spec

    assert spec is not None
    assert spec.train.scheduler is None


def test_a_draft_of_another_run(base: RunSpec) -> None:
    """The differences from the preset are the typed texts; the result is the other run."""
    other = base.with_settings({"optimizer.lr": "0.01", "epochs": "3", "dropout": "0.2", "scheduler": "None"})
    draft = Draft.of(other, base)

    assert draft.result.spec == other
    assert draft.changed_count == 4


def test_typing_back_is_no_change(base: RunSpec) -> None:
    """A field that has the preset's text again is not marked."""
    draft = Draft(base).with_text("epochs", "3").with_text("epochs", str(base.train.epochs))

    assert draft.changed_count == 0
    assert draft.with_layers("Flatten()\nLinear(10)").with_layers(base.layers).changed_count == 0
