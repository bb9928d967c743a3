"""Each rule on a run that shows what it speaks of, and on one that just does not."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.saved_runs import make_run
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.analysis.coach.evidence import Advice, Evidence, evidence_of, usable_rows
from mnist_tui.analysis.coach.rules import RULES, advise, explain
from mnist_tui.errors import UsageError
from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.reader import read_run
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec, make_spec

EXP19 = (0.9602, 0.9848, 0.9881, 0.9897, 0.9874, 0.9939, 0.9938, 0.9912, 0.9931, 0.9910, 0.9949, 0.9948, 0.9953,
         0.9950, 0.9955, 0.9952, 0.9951, 0.9952, 0.9951, 0.9956)  # fmt: skip
"""Test accuracies of the published experiment 19, whose learning rate drops to a tenth after epoch 10."""

PLAIN = """
Conv2d(20, 3, padding=1, bias=False)
BatchNorm2d()
ReLU()
MaxPool2d(2)
Conv2d(20, 3, padding=1, bias=False)
BatchNorm2d()
ReLU()
MaxPool2d(2)
Conv2d(20, 3, padding=1, bias=False)
BatchNorm2d()
ReLU()
Conv2d(20, 3, padding=1, bias=False)
BatchNorm2d()
ReLU()
AdaptiveAvgPool2d(1)
Flatten()
Linear(10)
"""


def spec_of(layers: str = PLAIN, target: dict[str, Any] | None = None, **train: Any) -> RunSpec:
    """A spec of which no rule on layers has anything to say."""
    knobs = {"p": train.pop("p")} if "p" in train else {}
    return make_spec({"layers": layers, "knobs": knobs, "target": target or {}, "train": train})


def curve(
    test: Sequence[float],
    train: Sequence[float] | float = 0.0,
    train_loss: Sequence[float] | None = None,
    test_loss: Sequence[float] | None = None,
    rates: Sequence[float] | float = 0.001,
) -> tuple[EpochEnded, ...]:
    """Epochs with these numbers; `train` as one number is the training less the test accuracy."""
    count = len(test)
    trains = [one + train for one in test] if isinstance(train, float) else train
    rate = [rates] * count if isinstance(rates, float) else rates
    losses = train_loss or [1 - one + 0.01 for one in test]
    tests = test_loss or losses
    return tuple(
        EpochEnded(n + 1, losses[n], trains[n], None, None, tests[n], test[n], rate[n], 9.0, 7e3) for n in range(count)
    )


def evidence(
    rows: Sequence[EpochEnded], spec: RunSpec | None = None, state: str = "completed", **changes: Any
) -> Evidence:
    """A run on MNIST."""
    return Evidence(spec or spec_of(epochs=max(1, len(rows))), tuple(rows), state, changes.pop("seeds", {}), **changes)


def only(name: str, run: Evidence) -> Advice | None:
    """The advice of the rule of this name, if any."""
    (rule,) = [rule for rule in RULES if rule.name == name]
    advice = rule.check(run)
    assert advice is None or advice.rule == name
    return advice


def said(name: str, run: Evidence) -> Advice:
    """What the rule of this name says, when it must say something that fits the spec."""
    advice = only(name, run)
    assert advice is not None
    if advice.settings is not None:
        assert run.spec.with_settings(advice.settings) != run.spec
    return advice


GOOD = curve([0.975, 0.985, 0.988, 0.990, 0.9907, 0.9915, 0.992, 0.9921, 0.9922, 0.9921], 0.002)


def test_a_good_run() -> None:
    """No rule gives advice for a good run."""
    assert advise(evidence(GOOD)) == []


# --- curves ---


def without_gradient(*norms: float, loss: float = 2.3026) -> tuple[EpochEnded, ...]:
    """An epoch for each norm of the gradient, all of one accuracy and loss."""
    rows = curve([0.098] * len(norms), 0.0, train_loss=[loss] * len(norms))
    return tuple(replace(row, gradient_norm=norm) for row, norm in zip(rows, norms, strict=True))


def test_zero_gradient() -> None:
    """It is all that is said: the other rules would take chance for a weakness of the recipe."""
    run = evidence(without_gradient(0.004, *[0.0] * 7))
    advice = said("zero-gradient", run)

    assert "the gradient was 0 in all steps of 7 epochs" in advice.sentence
    assert "the training loss stays at 2.3026" in advice.sentence
    assert advice.settings == {"optimizer.lr": "0.00033"}
    assert advise(run) == [advice]
    assert [each.rule for each in advise(evidence(without_gradient(*[0.004] * 8)))] == ["underfitting"]


def test_zero_gradient_behind_the_class_scores() -> None:
    """An activation there is the cause; one further up is not touched."""
    spec = presets.load("step1")
    advice = said("zero-gradient", evidence(without_gradient(0.004, 0.0), spec))
    layers = (advice.settings or {})["layers"]

    assert "ReLU on the class scores (layer 15)" in advice.sentence
    assert spec.layers.count("ReLU()") == layers.count("ReLU()") + 1
    assert "Conv2d(10, 1)\n  # on the class scores" in layers


@pytest.mark.parametrize(
    "rows",
    [
        without_gradient(0.0, 0.0, 0.004),
        without_gradient(0.0, 0.0, loss=0.0),
        curve([0.098, 0.098], 0.0),
        (),
    ],
    ids=["it came back", "everything is learned", "a run without norms", "no epoch"],
)
def test_no_zero_gradient(rows: tuple[EpochEnded, ...]) -> None:
    """No advice where the last epoch had a gradient, needs none, or does not say."""
    assert only("zero-gradient", evidence(rows)) is None


def overfitted(rise: float = 1.3, train: float = 0.004, test_accuracy: float = 0.985) -> tuple[EpochEnded, ...]:
    """A held-out loss that is lowest in epoch 3 and `rise` times that at the end."""
    losses = [0.3, 0.1, 0.05, 0.02, 0.01, train, train, train]
    tests = [0.2, 0.08, 0.06, 0.062, 0.065, 0.06 * rise, 0.06 * rise, 0.06 * rise]
    accuracies = [0.94, 0.975, 0.984, 0.985, 0.985, test_accuracy, test_accuracy, test_accuracy]
    return curve(accuracies, [0.92, 0.97, 0.985, 0.993, 0.997, 0.999, 0.999, 0.999], losses, tests)


def test_overfitting() -> None:
    """Since the epoch of the lowest held-out loss, with both losses and the gap."""
    advice = said("overfitting", evidence(overfitted()))

    assert advice.sentence.startswith("Over-fitting since epoch 3: the held-out loss rose from 0.0600 to 0.0780")
    assert "the accuracy gap is 1.40 points and grew by 0.26 points an epoch" in advice.sentence
    assert advice.settings == {"augment": "[RandomAffine(7, translate=(0.07, 0.07))]"}


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ({"augment": ["RandomRotation(10)"], "optimizer": "Adam(lr=0.002)"}, {"optimizer.weight_decay": "0.0005"}),
        ({"augment": ["RandomRotation(10)"], "optimizer": "AdamW()"}, {"epochs": "3"}),
        ({"augment": ["RandomRotation(10)"], "optimizer": "Rprop()"}, {"epochs": "3"}),
    ],
)
def test_overfitting_with_other_recipes(train: dict[str, Any], expected: dict[str, str]) -> None:
    """The first remedy that is not in use yet."""
    assert said("overfitting", evidence(overfitted(), spec_of(epochs=8, **train))).settings == expected


@pytest.mark.parametrize(
    "rows",
    [
        overfitted(rise=1.09),
        overfitted(train=0.041),
        overfitted(test_accuracy=0.995),
        overfitted()[:5],
        (),
    ],
    ids=["a loss that hardly rises", "training stands still", "no gap", "just now", "no epoch"],
)
def test_no_overfitting(rows: tuple[EpochEnded, ...]) -> None:
    """Where one of its signs is missing."""
    assert only("overfitting", evidence(rows)) is None


FLAT = curve([0.9, 0.94, 0.95, 0.955, 0.955, 0.955, 0.955, 0.955], 0.001)


def test_underfitting() -> None:
    """Training and test accuracy stay below the goal together."""
    advice = said("underfitting", evidence(FLAT))

    assert "the training accuracy stays at 95.60 %" in advice.sentence
    assert "below 99.00 %" in advice.sentence
    assert "Conv2d(40, 3, padding=1, bias=False)" in (advice.settings or {})["layers"]


def test_underfitting_with_dropout() -> None:
    """Less of it is the first thing to try: a knob, or a number in the layers with its comment."""
    dropped = PLAIN.replace("AdaptiveAvg", "Dropout(p)\nAdaptiveAvg")
    advice = said("underfitting", evidence(FLAT, spec_of(dropped, p=0.25)))
    written = said("underfitting", evidence(FLAT, spec_of(dropped.replace("(p)", "(p=0.5)  # much"))))

    assert advice.settings == {"knobs.p": "0.12"}
    assert "\nDropout(p=0.25)  # much\n" in (written.settings or {})["layers"]


@pytest.mark.parametrize(
    "rows",
    [
        curve([0.9, 0.94, 0.95, 0.955, 0.96, 0.965, 0.97, 0.975], 0.001),
        curve([0.9, 0.94, 0.95, 0.955, 0.955, 0.955, 0.955, 0.955], 0.006),
        curve([0.98, 0.985, 0.99, 0.991, 0.991, 0.991, 0.991], 0.001),
        curve([0.9, 0.94, 0.95, 0.955, 0.955, 0.955, 0.955, 0.955], 0.001, rates=[1e-3] * 4 + [1e-6] * 4),
        FLAT[:5],
    ],
    ids=["still falls", "a gap", "the goal is met", "a frozen schedule", "too few epochs"],
)
def test_no_underfitting(rows: tuple[EpochEnded, ...]) -> None:
    """No advice where something else explains the low accuracy, or where it is not low."""
    assert only("underfitting", evidence(rows)) is None


RISING = [0.90, 0.93, 0.945, 0.955, 0.962, 0.968, 0.973, 0.977]


def test_still_improving() -> None:
    """Half as many epochs more; a cosine or a one-cycle schedule that is written for the old number goes with them."""
    advice = said("still-improving", evidence(curve(RISING)))
    cosine = said("still-improving", evidence(curve(RISING), spec_of(epochs=8, scheduler="CosineAnnealingLR(T_max=8)")))
    one_cycle = spec_of(epochs=8, scheduler="OneCycleLR(0.01, epochs=8, steps_per_epoch=steps_per_epoch)")

    assert advice.settings == {"epochs": "12"}
    assert "is 1.87 points above that of the 3 before (97.27 %)" in advice.sentence
    assert cosine.settings == {"epochs": "12", "scheduler.T_max": "epochs"}
    assert said("still-improving", evidence(curve(RISING), one_cycle)).settings == {
        "epochs": "12",
        "scheduler.epochs": "epochs",
    }


def test_still_improving_within_the_target() -> None:
    """As many epochs as it allows, and none more."""
    rows = curve(RISING)
    advice = said("still-improving", evidence(rows, spec_of(epochs=8, target={"epochs": 10})))

    assert advice.settings == {"epochs": "10"}
    assert only("still-improving", evidence(rows, spec_of(epochs=8, target={"epochs": 8}))) is None
    assert only("still-improving", evidence(rows, spec_of(epochs=8, target={"test_accuracy": 0.97}))) is None


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        (curve(RISING), "stopped"),
        (curve(RISING[:5]), "completed"),
        (curve([0.9, 0.95, 0.96, 0.9700, 0.9701, 0.9702, 0.9710, 0.9712, 0.9714]), "completed"),
        (curve(RISING, rates=[1e-3] * 6 + [1e-4] * 2), "completed"),
        (curve(RISING, train_loss=[0.1] * 8), "completed"),
    ],
    ids=["stopped", "too few epochs", "within two standard errors", "a drop of the rate", "training stands still"],
)
def test_not_improving(rows: tuple[EpochEnded, ...], state: str) -> None:
    """No advice where it is unknown whether more epochs would help."""
    assert only("still-improving", evidence(rows, state=state)) is None


def losses(*values: float, rates: Sequence[float] | float = 0.001) -> tuple[EpochEnded, ...]:
    """Epochs with these training losses."""
    return curve([0.97] * len(values), train_loss=values, rates=rates)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (evidence(GOOD[:3], state="diverged"), "no longer finite after epoch 3, at a rate of 0.001"),
        (evidence((), state="diverged"), "no longer finite in the first epoch"),
        (evidence(losses(0.3, 0.34, 0.2)), "the training loss rose from 0.3000 to 0.3400 in epoch 2"),
        (evidence(curve([0.39, 0.97], [0.58, 0.97])), "epoch 1 had 39.00 % on held-out images against 58.00 %"),
        (
            evidence(losses(0.3, 0.2, 0.1, 0.09, 0.08, 0.13, 0.07, 0.12)),
            "the training loss rose by half or more in 2 epochs (6, 8)",
        ),
    ],
)
def test_learning_rate_too_high(found: Evidence, words: str) -> None:
    """Each of its signs; a third of the rate is suggested."""
    advice = said("learning-rate-too-high", found)

    assert words in advice.sentence
    assert advice.settings == {"optimizer.lr": "0.00033"}


@pytest.mark.parametrize(
    "found",
    [
        evidence(losses(0.3, 0.32, 0.2)),
        evidence(losses(0.02, 0.026, 0.02)),
        evidence(losses(0.3, 0.34, 0.2, rates=[0.001, 0.002, 0.002])),
        evidence(curve([0.49, 0.97], [0.58, 0.97])),
        evidence(curve([0.39, 0.97], [0.58, 0.97]), train_images=1_437),
        evidence(losses(0.3, 0.2, 0.1, 0.09, 0.08, 0.13, 0.07, 0.09)),
    ],
    ids=["hardly rises", "small", "a schedule that rises", "a small gap", "few steps", "one spike"],
)
def test_learning_rate_not_too_high(found: Evidence) -> None:
    """Where each sign just is not there."""
    assert only("learning-rate-too-high", found) is None


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ({"optimizer": "SGD(0.3, momentum=0.9)"}, {"optimizer.lr": "0.1"}),
        ({"optimizer": "Adam(lr=p)", "p": 0.3}, {"knobs.p": "0.1"}),
        ({"optimizer": "Adam(lr=2*p)", "p": 0.3}, None),
        ({"optimizer": "Adadelta()"}, {"optimizer.lr": "0.33"}),
        ({"scheduler": "OneCycleLR(max_lr=0.3, total_steps=9999)"}, {"scheduler.max_lr": "0.1"}),
        ({"scheduler": "OneCycleLR(p, total_steps=9999)", "p": 0.3}, {"knobs.p": "0.1"}),
    ],
)
def test_where_the_learning_rate_is(train: dict[str, Any], expected: dict[str, str] | None) -> None:
    """In the optimizer, in a knob, or in the scheduler that sets it; a formula is left to the user."""
    advice = said("learning-rate-too-high", evidence(losses(0.3, 0.4), spec_of(**train)))

    assert advice.settings == expected


def creeping(rate: float, best: float = 0.92) -> tuple[EpochEnded, ...]:
    """A training loss that falls by a twentieth in every epoch."""
    accuracies = [best - 0.01 * n for n in range(9, -1, -1)]
    return curve(accuracies, train_loss=[0.95**n for n in range(10)], rates=rate)


def test_learning_rate_too_low() -> None:
    """Five times below the usual one and not there yet."""
    advice = said("learning-rate-too-low", evidence(creeping(0.0002), spec_of(optimizer="Adam(lr=0.0002)")))

    assert "at 0.0002 (0.001 is usual for Adam) the training loss fell in each of 10 epochs" in advice.sentence
    assert advice.settings == {"optimizer.lr": "0.0006"}


def test_learning_rate_too_low_for_sgd() -> None:
    """PyTorch's default of 0.001 is low without momentum."""
    assert said("learning-rate-too-low", evidence(creeping(0.001), spec_of(optimizer="SGD()"))).settings == {
        "optimizer.lr": "0.003"
    }


@pytest.mark.parametrize(
    "rows",
    [creeping(0.00021), creeping(0.0002, best=0.991), (*creeping(0.0002)[:8], *creeping(0.0002)[6:8])],
    ids=["a usual rate", "the goal is met", "not in every epoch"],
)
def test_learning_rate_not_too_low(rows: tuple[EpochEnded, ...]) -> None:
    """No advice where the network limits the accuracy, or nothing does."""
    assert only("learning-rate-too-low", evidence(rows)) is None


def step_two(frozen: int, gain: float = 0.0) -> tuple[EpochEnded, ...]:
    """exp05: best in epoch 6 with 98.66 %, then frozen at 1e-6, here for so many epochs of a gain in the last."""
    accuracies = [0.96, 0.975, 0.983, 0.985, 0.986, 0.9866, *([0.9863] * (frozen - 1)), 0.9863 + gain]
    rates = [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5, *([1e-6] * frozen)]
    return curve(accuracies[: len(rates)], rates=rates)


def test_schedule_frozen() -> None:
    """StepLR(step_size=2), as in exp05: from epoch 7 on nothing changes."""
    spec = spec_of(epochs=18, scheduler="StepLR(step_size=2, gamma=0.1)")
    advice = said("schedule-frozen", evidence(step_two(12), spec))

    assert "from epoch 7 on the learning rate was at most 1e-06, under 1 % of 0.001" in advice.sentence
    assert advice.settings == {"scheduler.step_size": "6"}


def test_a_schedule_that_counts_batches() -> None:
    """The advice is in epochs, so that the scheduler has to count them too."""
    frozen = spec_of(epochs=18, scheduler="StepLR(step_size=938, gamma=0.1)", scheduler_step="batch")
    plateau = spec_of(epochs=20, scheduler="StepLR(step_size=14070, gamma=0.1)", scheduler_step="batch")

    assert said("schedule-frozen", evidence(step_two(12), frozen)).settings == {
        "scheduler.step_size": "6",
        "scheduler_step": "epoch",
    }
    assert said("plateau", evidence(exp19(10), plateau)).settings == {
        "scheduler.step_size": "6",
        "scheduler_step": "epoch",
    }


def test_a_frozen_schedule_of_another_kind() -> None:
    """A cosine over all epochs, stepped as cosines are."""
    spec = spec_of(epochs=18, scheduler="MultiStepLR([2, 4, 6])", scheduler_step="epoch")
    expected = {"scheduler": "CosineAnnealingLR(T_max=epochs)", "scheduler_step": "auto"}

    assert said("schedule-frozen", evidence(step_two(12), spec)).settings == expected


@pytest.mark.parametrize(
    "rows",
    [
        step_two(2),
        step_two(12, gain=0.003),
        curve([0.99] * 20, rates=[0.0005 * (1 + math.cos(math.pi * n / 20)) for n in range(20)]),
        curve([0.99] * 20, rates=0.001),
    ],
    ids=["two epochs", "they gained", "a cosine", "a constant rate"],
)
def test_schedule_not_frozen(rows: tuple[EpochEnded, ...]) -> None:
    """Where the rate is low for a short while, or still does something."""
    assert only("schedule-frozen", evidence(rows)) is None


def exp19(epochs: int, rates: Sequence[float] | float = 0.2) -> tuple[EpochEnded, ...]:
    """The first epochs of exp19; training losses as a plateau has them, since the author printed none."""
    return curve(EXP19[:epochs], train_loss=[0.2, 0.08, 0.06, *([0.05] * 17)][:epochs], rates=rates)


def test_plateau() -> None:
    """exp19 before its drop: up and down for four epochs after the best."""
    sgd = spec_of(epochs=20, optimizer="SGD(lr=0.2, momentum=0.9)")
    advice = said("plateau", evidence(exp19(10), sgd))

    assert advice.sentence.startswith("A plateau since epoch 6: at a rate of 0.2")
    assert "between 99.10 % and 99.38 % for 4 epochs" in advice.sentence
    assert advice.settings == {"scheduler": "StepLR(step_size=6, gamma=0.1)", "scheduler_step": "auto"}
    later = spec_of(epochs=20, scheduler="StepLR(step_size=15, gamma=0.1)")
    assert said("plateau", evidence(exp19(10), later)).settings == {"scheduler.step_size": "6"}


@pytest.mark.parametrize(
    "rows",
    [
        exp19(9),
        exp19(20, [0.2] * 10 + [0.02] * 10),
        curve([0.96, 0.98, 0.985, 0.99, 0.989, 0.988, 0.987, 0.986, 0.985], train_loss=[0.05] * 9),
        curve(EXP19[:10], train_loss=[0.9**n for n in range(10)]),
    ],
    ids=["three epochs", "after the drop", "only down", "loss still falls"],
)
def test_no_plateau(rows: tuple[EpochEnded, ...]) -> None:
    """No advice where the rate has dropped already, or where a drop would not help."""
    assert only("plateau", evidence(rows, spec_of(epochs=20))) is None


def augmented(train: float, test: float = 0.985, **changes: Any) -> Evidence:
    """A completed run with rotations by 15 degrees."""
    settings: dict[str, Any] = {"epochs": 8, "augment": ["RandomRotation(15)"]}
    spec = spec_of(**settings | changes)
    return evidence(curve([test] * 8, train - test, train_loss=[0.1] * 8), spec)


def test_strong_augmentation() -> None:
    """A training accuracy a point below the test accuracy: half the angle, or without the last transform."""
    advice = said("strong-augmentation", augmented(0.972))

    assert "the training accuracy is 97.20 %, 1.30 points below the held-out 98.50 %" in advice.sentence
    assert advice.settings == {"augment": "[RandomRotation(7)]"}
    transforms = ["RandomAffine(degrees=20, translate=(0.1, 0.1))", "RandomErasing()"]
    assert said("strong-augmentation", augmented(0.97, augment=transforms)).settings == {
        "augment": "[RandomAffine(degrees=10, translate=(0.1, 0.1)), RandomErasing()]"
    }
    assert said("strong-augmentation", augmented(0.97, augment=["RandomErasing()"])).settings == {"augment": "[]"}


@pytest.mark.parametrize(
    "found",
    [
        augmented(0.976),
        augmented(0.97, 0.991),
        augmented(0.97, augment=[]),
        augmented(0.97, layers=PLAIN.replace("Flatten()", "Flatten()\nDropout(0.1)")),
        augmented(0.97, mixup=0.2),
    ],
    ids=["a small gap", "the goal is met", "none", "dropout", "mixup"],
)
def test_augmentation_that_is_not_too_strong(found: Evidence) -> None:
    """No advice where accuracy does not suffer, or dropout or mixup explains the gap."""
    assert only("strong-augmentation", found) is None


# --- layers ---


def layered(layers: str, rows: Sequence[EpochEnded] = (), **target: Any) -> Evidence:
    """A run of a network."""
    return evidence(rows, spec_of(layers, target))


NARROW = "Conv2d(8, 3)\nReLU()\nMaxPool2d(2)\nConv2d(8, 3)\nReLU()\n{}Flatten()\nLinear(10)"


def test_small_receptive_field() -> None:
    """Before a pooling head under 20 pixels: as many convolutions as bring it there."""
    narrow = layered(NARROW.format("AdaptiveAvgPool2d(1)  # head\n"))
    advice = said("small-receptive-field", narrow)
    layers = (advice.settings or {})["layers"]

    assert "(AdaptiveAvgPool2d, layer 6) a unit sees 8 of 28 pixels" in advice.sentence
    assert layers.count("Conv2d(8, 3, padding=1)\nReLU()\n") == 3
    assert "AdaptiveAvgPool2d(1)  # head" in layers
    changed = Evidence(narrow.spec.with_settings({"layers": layers}), (), "completed", {})
    assert only("small-receptive-field", changed) is None


def test_a_receptive_field_before_a_head_with_weights() -> None:
    """Ten pixels are enough there; and what meets its target is left alone."""
    assert said("small-receptive-field", layered(NARROW.format(""))).settings is not None
    assert only("small-receptive-field", layered(NARROW.format("Conv2d(8, 3)\n"))) is None
    assert only("small-receptive-field", layered(NARROW.format(""), GOOD, test_accuracy=0.99)) is None
    assert only("small-receptive-field", layered("Flatten()\nLinear(10)")) is None


def test_a_goal_for_the_last_epochs() -> None:
    """It is met as the verdict says, not by the best epoch alone; with too few epochs nothing was missed by so much."""
    narrow = NARROW.format("")
    met = layered(narrow, GOOD, test_accuracy=0.9921, last_epochs=3)
    missed = layered(narrow, GOOD, test_accuracy=0.9922, last_epochs=3)
    short = evidence(GOOD, spec_of(target={"test_accuracy": 0.9925, "last_epochs": 11}, epochs=10))

    assert (met.has_met_goal, missed.has_met_goal) == (True, False)
    assert only("small-receptive-field", met) is None
    assert said("small-receptive-field", missed).settings is not None
    assert only("within-seed-spread", short) is None


def test_heavy_layer() -> None:
    """iter5 has three quarters of its parameters behind its last map; where the field covers a digit, pool it all."""
    iter5 = presets.load("iter5")
    advice = said("heavy-layer", evidence((), iter5))
    wide = (
        PLAIN.replace("AdaptiveAvgPool2d(1)\n", "")
        .replace("20, 3", "8, 3")
        .replace("Linear(10)", "Linear(32)\nLinear(10)")
    )
    global_pool = said("heavy-layer", layered(wide))

    assert (
        "75% of the 18,422 parameters are in layer 16, Linear, behind a map of 28x7x7 (1,372 inputs)" in advice.sentence
    )
    assert "MaxPool2d(2)\nFlatten()" in (advice.settings or {})["layers"]
    assert "AdaptiveAvgPool2d(1)\nFlatten()" in (global_pool.settings or {})["layers"]


def test_no_heavy_layer() -> None:
    """A third of the parameters (exp01), and a network with few of them."""
    assert only("heavy-layer", evidence((), presets.load("exp01"))) is None
    assert only("heavy-layer", layered("Conv2d(1, 3)\nMaxPool2d(3)\nFlatten()\nLinear(10)")) is None


def test_early_pooling() -> None:
    """4x4 after one convolution, and pooling the raw image."""
    four = said("early-pooling", layered("Conv2d(8, 3)\nMaxPool2d(4)\nFlatten()\nLinear(10)"))
    raw = said("early-pooling", layered("AvgPool2d(2)\nConv2d(8, 3)\nFlatten()\nLinear(10)"))

    assert "Layer 2, MaxPool2d(4), pools too early: its units see 6 pixels and are 4 apart" in four.sentence
    assert "MaxPool2d(2)" in (four.settings or {})["layers"]
    assert "AvgPool2d" not in (raw.settings or {})["layers"]


@pytest.mark.parametrize(
    ("pool", "instead"),
    [
        ("MaxPool2d(2, 2)", ""),
        ("MaxPool2d(kernel_size=2)", ""),
        ("LPPool2d(2, 2)", ""),
        ("AdaptiveMaxPool2d(14)", ""),
        ("MaxPool2d(4, 4)", "MaxPool2d(2)"),
        ("AdaptiveAvgPool2d(7)", "AvgPool2d(2)"),
        ("LPPool2d(2, 4)", "MaxPool2d(2)"),
    ],
)
def test_early_pooling_in_other_words(pool: str, instead: str) -> None:
    """A pool by 2 or less is left out, a stronger one becomes 2x2, however it is written."""
    advice = said("early-pooling", layered(f"{pool}\nConv2d(8, 3)\nFlatten()\nLinear(10)"))

    assert advice.suggestion.startswith("Pool 2x2" if instead else "Leave it out")
    assert (advice.settings or {})["layers"].splitlines()[0] == instead


@pytest.mark.parametrize(
    "layers",
    [
        "Conv2d(8, 3)\nMaxPool2d(2)\nFlatten()\nLinear(10)",
        "Conv2d(8, 5)\nMaxPool2d(4)\nFlatten()\nLinear(10)",
        "Conv2d(8, 3)\nAdaptiveAvgPool2d(1)\nFlatten()\nLinear(10)",
        "Conv2d(8, 3, stride=2)\nFlatten()\nLinear(10)",
    ],
)
def test_no_early_pooling(layers: str) -> None:
    """Units that see at least twice what they are apart, the head's pool, and convolutions, which learn."""
    assert only("early-pooling", layered(layers)) is None


def test_late_pooling() -> None:
    """step1: four convolutions on the full image, and 14 pixels before the head."""
    advice = said("late-pooling", evidence((), presets.load("step1")))

    assert "4 convolutions on the full image take 92% of the multiply-adds" in advice.sentence
    assert "ReLU()\nMaxPool2d(2)\nConv2d(128, 3)" in (advice.settings or {})["layers"]


@pytest.mark.parametrize("name", ["exp01", "iter5", "step4", "v2"])
def test_no_late_pooling(name: str) -> None:
    """Three convolutions on the full image, or a field that covers a digit all the same."""
    assert only("late-pooling", evidence((), presets.load(name))) is None


def test_missing_batch_norm() -> None:
    """iter1 began with 91.75 % in training; batch norm goes behind each convolution, comments stay."""
    iter1 = presets.load("iter1")
    advice = said("missing-batch-norm", evidence(curve([0.9702], [0.9175]), iter1))
    changed = iter1.with_settings(advice.settings or {})

    assert "5 convolutions without batch norm had 91.75 % in the first epoch" in advice.sentence
    assert [call.name for call in changed.calls][:6] == [
        "Conv2d",
        "BatchNorm2d",
        "ReLU",
        "MaxPool2d",
        "Conv2d",
        "BatchNorm2d",
    ]
    assert sum(call.name == "BatchNorm2d" for call in changed.calls) == 5
    assert ("#" in iter1.layers) == ("#" in changed.layers)


def test_batch_norm_that_is_not_missed() -> None:
    """A fast start, a network that has it, two convolutions, and no first epoch."""
    iter1 = presets.load("iter1")
    assert only("missing-batch-norm", evidence(curve([0.97], [0.951]), iter1)) is None
    assert only("missing-batch-norm", evidence(curve([0.97], [0.9175]), presets.load("iter5"))) is None
    assert only("missing-batch-norm", layered(NARROW.format(""), curve([0.97], [0.9175]))) is None
    assert only("missing-batch-norm", evidence((), iter1)) is None


def test_bias_before_batch_norm() -> None:
    """iter5's two convolutions with batch norm lose their 24 biases, and no answer changes."""
    iter5 = presets.load("iter5")
    advice = said("bias-before-batch-norm", evidence((), iter5))
    changed = iter5.with_settings(advice.settings or {})

    assert advice.sentence.startswith("24 of 18,422 parameters learn nothing: 2 convolutions have a bias")
    assert changed.parameters == iter5.parameters - 24
    assert only("bias-before-batch-norm", evidence((), changed)) is None


def dropped(channels: int, rate: float, train: float) -> Evidence:
    """A run with dropout on so many channels; `train` is the training less the test accuracy."""
    layers = f"Conv2d({channels}, 3, padding=1)\nReLU()\nDropout2d(p)\n{PLAIN}"
    return evidence(curve([0.985] * 6, train), spec_of(layers, p=rate))


def test_dropout_on_few_channels() -> None:
    """A tenth of 16 channels, while nothing over-fits."""
    advice = said("dropout-on-few-channels", dropped(16, 0.1, -0.005))

    assert "Dropout of 10% on 16 channels (layer 3, Dropout2d)" in advice.sentence
    assert "0.50 points below the held-out accuracy" in advice.sentence
    assert advice.settings == {"knobs.p": "0.05"}


@pytest.mark.parametrize("found", [dropped(17, 0.1, -0.005), dropped(16, 0.09, -0.005), dropped(16, 0.1, 0.0)])
def test_dropout_that_fits(found: Evidence) -> None:
    """No advice with more channels, a lower rate, or where the run over-fits."""
    assert only("dropout-on-few-channels", found) is None


# --- targets ---


def missed(target: dict[str, Any], seeds: dict[int, float] | None = None, **changes: Any) -> Evidence:
    """A run with 99.22 % at its best."""
    spec = spec_of(changes.pop("layers", PLAIN), target, epochs=10)
    return evidence(GOOD, spec, seeds=seeds or {}, **changes)


def test_within_the_seed_spread() -> None:
    """By one seed as its images allow; by several as they differ; the next seed is one that was not trained."""
    one = said("within-seed-spread", missed({"test_accuracy": 0.993}))
    several = said("within-seed-spread", missed({"test_accuracy": 0.9934}, {0: 0.9922, 1: 0.9936, 2: 0.991}))

    assert "The target of 99.30 % was missed by 0.08 points; what 10,000 images can tell is 0.09 points" in one.sentence
    assert one.settings == {"seed": "1"}
    assert "the spread of 3 seeds is 0.13 points" in several.sentence
    assert several.settings == {"seed": "3"}


def test_the_seed_spread_is_of_the_test_images() -> None:
    """Neither a small validation split nor seeds that happen to agree change what the test images can tell."""
    split = missed({"test_accuracy": 0.993}, held_out_images=100)
    equal = missed({"test_accuracy": 0.993}, {0: 0.9922, 1: 0.9922})
    few = missed({"test_accuracy": 0.995}, test_images=900)

    for found, words in ((split, "10,000 images can tell is 0.09"), (equal, "10,000 images can tell is 0.09")):
        assert f"missed by 0.08 points; what {words} points" in said("within-seed-spread", found).sentence
    assert "missed by 0.28 points; what 900 images can tell is 0.29" in said("within-seed-spread", few).sentence
    assert only("within-seed-spread", missed({"test_accuracy": 0.9935}, held_out_images=100)) is None


@pytest.mark.parametrize(
    "found",
    [
        missed({"test_accuracy": 0.9932}),
        missed({"test_accuracy": 0.992}),
        missed({"test_accuracy": 0.9932}, {0: 0.9922, 1: 0.99225}),
        missed({"test_accuracy": 0.993}, is_judged=False),
        missed({"test_accuracy": 0.993}, state="stopped"),
        missed({"parameters": 99_999}),
    ],
    ids=["missed by more", "met", "a small spread", "other images", "stopped", "no accuracy asked for"],
)
def test_not_within_the_seed_spread(found: Evidence) -> None:
    """Where another seed would not help, or nothing was missed."""
    assert only("within-seed-spread", found) is None


def test_unused_budget() -> None:
    """Unused parameters are reported first, then unused epochs."""
    parameters = said("unused-budget", missed({"test_accuracy": 0.995, "parameters": 20_000}))
    changed = spec_of(target={"parameters": 20_000}).with_settings(parameters.settings or {})
    epochs = said("unused-budget", missed({"test_accuracy": 0.995, "parameters": 12_000, "epochs": 15}))

    assert "missed by 0.28 points with 11,350 of 20,000 allowed parameters (57%)" in parameters.sentence
    assert 15_000 < changed.parameters < 20_000
    assert "in 10 of 15 allowed epochs" in epochs.sentence
    assert epochs.settings == {"epochs": "15"}


@pytest.mark.parametrize(
    "target",
    [
        {"test_accuracy": 0.995, "parameters": 15_000},
        {"test_accuracy": 0.993, "parameters": 20_000},
        {"test_accuracy": 0.995, "epochs": 10},
        {"parameters": 20_000},
    ],
)
def test_no_unused_budget(target: dict[str, Any]) -> None:
    """Used up, missed by what a seed changes, or no accuracy asked for."""
    assert only("unused-budget", missed(target)) is None


def test_no_more_parameters_for_what_overfits() -> None:
    """A gap of half a point says that the network is large enough."""
    spec = spec_of(target={"test_accuracy": 0.995, "parameters": 20_000})

    assert only("unused-budget", evidence(curve([0.99] * 4, 0.0051), spec)) is None
    assert only("unused-budget", evidence(curve([0.99] * 4, 0.0049), spec)) is not None


# --- all of them ---

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
SHARES = st.one_of(st.floats(0, 1), NUMBERS)
ROWS = st.builds(
    EpochEnded,
    epoch=st.integers(1, 30),
    train_loss=NUMBERS,
    train_accuracy=SHARES,
    val_loss=st.none() | NUMBERS,
    val_accuracy=st.none() | SHARES,
    test_loss=NUMBERS,
    test_accuracy=SHARES,
    learning_rate=NUMBERS,
    seconds=NUMBERS,
    images_per_second=NUMBERS,
    steered=st.booleans(),
)
TRUE_ROWS = st.builds(
    EpochEnded,
    epoch=st.integers(1, 30),
    train_loss=st.floats(0, 3),
    train_accuracy=st.floats(0, 1),
    val_loss=st.none(),
    val_accuracy=st.none(),
    test_loss=st.floats(0, 3),
    test_accuracy=st.floats(0.9, 1),
    learning_rate=st.sampled_from([0.0, 1e-6, 1e-3, 0.1]),
    seconds=st.just(9.0),
    images_per_second=st.just(7e3),
)
STATES = st.sampled_from(["completed", "stopped", "diverged", "failed", "training", "interrupted"])
SPECS = [*presets.load_all(None), spec_of(), spec_of(PLAIN, {"test_accuracy": 0.999, "last_epochs": 3})]


@given(
    st.sampled_from(SPECS),
    st.one_of(st.lists(ROWS, max_size=12), st.lists(TRUE_ROWS, max_size=25)),
    STATES,
    st.dictionaries(st.integers(0, 5), st.floats(0, 1)),
    st.integers(1, 10_000),
)
def test_no_rule_raises(
    spec: RunSpec, rows: list[EpochEnded], state: str, seeds: dict[int, float], images: int
) -> None:
    """Whatever the history is; and every suggestion is accepted and changes something."""
    in_order = sorted(usable_rows(rows), key=lambda row: row.epoch)
    check_all(Evidence(spec, tuple(in_order), state, seeds, held_out_images=images))


def check_all(run: Evidence) -> set[str]:
    """Whether all that is said of a run is a sentence with a suggestion that fits; the names of the rules."""
    said_of_run = advise(run)
    for advice in said_of_run:
        assert "nan" not in advice.sentence
        assert advice.sentence.endswith(".")
        if advice.settings is not None:
            assert run.spec.with_settings(advice.settings) != run.spec
    return {advice.rule for advice in said_of_run}


def test_every_rule_has_something_to_say() -> None:
    """Runs of which, taken together, every rule speaks."""
    runs = [
        *(evidence(rows) for rows in (overfitted(), FLAT, curve(RISING), losses(0.3, 0.34, 0.2))),
        evidence(creeping(0.0002), spec_of(optimizer="Adam(lr=0.0002)")),
        evidence(step_two(12), spec_of(epochs=18, scheduler="StepLR(step_size=2, gamma=0.1)")),
        evidence(exp19(10), spec_of(epochs=20, optimizer="SGD(lr=0.2, momentum=0.9)")),
        augmented(0.972),
        layered(NARROW.format("")),
        layered("Conv2d(8, 3)\nMaxPool2d(4)\nFlatten()\nLinear(10)"),
        *(evidence((), presets.load(name)) for name in ("iter5", "step1")),
        evidence(curve([0.9702], [0.9175]), presets.load("iter1")),
        dropped(16, 0.1, -0.005),
        missed({"test_accuracy": 0.993}),
        missed({"test_accuracy": 0.995, "parameters": 20_000}),
        evidence(without_gradient(0.0)),
    ]

    assert set().union(*map(check_all, runs)) == {rule.name for rule in RULES}


def test_a_knob_that_is_called_like_a_setting() -> None:
    """The knob is changed, not the setting of its name."""
    layers = PLAIN.replace("AdaptiveAvg", "Dropout(1/batch_size)\nDropout(patience)\nAdaptiveAvg")
    spec = make_spec({"layers": layers, "knobs": {"batch_size": 9, "patience": 0.5}})
    advice = said("underfitting", evidence(FLAT, spec))

    assert advice.settings == {"knobs.patience": "0.25"}
    assert spec.with_settings(advice.settings).knobs == {"batch_size": 9, "patience": 0.25}


def test_rows_that_cannot_be_true() -> None:
    """Rows with impossible values are not used as evidence."""
    rows = curve([0.9, math.nan, 1.2, 0.95], train_loss=[0.1, 0.1, 0.1, math.inf])

    assert usable_rows(rows) == rows[:1]


def test_every_rule_is_explained() -> None:
    """Its reasoning and its source; an unknown name gets the nearest one."""
    for rule in RULES:
        text = explain(rule.name)
        assert len(rule.reasoning) > 150
        assert text.endswith(f"Source: {rule.source}")
    assert len({rule.name for rule in RULES}) == len(RULES) == 18
    with pytest.raises(UsageError, match="there is no rule 'overfiting'; did you mean 'overfitting'"):
        explain("overfiting")


def test_the_evidence_of_a_folder(tmp_path: Path) -> None:
    """Seeds of the same settings count, other runs do not."""
    spec = presets.load("iter5")
    runs = [read_run(make_run(tmp_path, spec, seed, 0.99 + seed / 1000, seed)) for seed in range(3)]
    other = read_run(make_run(tmp_path, presets.load("iter4"), 7, index=9))
    evidence = evidence_of(runs[0], [*runs, other])

    assert evidence is not None
    assert evidence.seeds == {seed: pytest.approx(0.99 + seed / 1000) for seed in range(3)}
    assert (len(evidence.rows), evidence.state) == (20, "completed")
    assert (evidence.held_out_images, evidence.test_images, evidence.train_images) == (10_000, 10_000, 60_000)
    assert evidence_of(read_run(tmp_path)) is None
