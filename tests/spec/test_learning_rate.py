"""A learning rate is put where the run takes it from: the optimizer, a OneCycleLR, a knob."""

from typing import Any

import pytest

from mnist_tui.errors import SpecError
from mnist_tui.spec.learning_rate import learning_rate_settings
from mnist_tui.spec.run_spec import RunSpec, make_spec


def spec_of(knobs: dict[str, float] | None = None, **recipe: Any) -> RunSpec:
    """A run with a recipe."""
    return make_spec({"layers": "Flatten()\nLinear(10)", "knobs": knobs or {}, "train": recipe})


ONE_CYCLE = "epochs=epochs, steps_per_epoch=steps_per_epoch"


@pytest.mark.parametrize(
    ("spec", "optimizer", "scheduler"),
    [
        (spec_of(), "Adam(lr=0.0123)", "None"),
        (spec_of(optimizer="SGD()"), "SGD(lr=0.0123)", "None"),
        (spec_of(optimizer="SGD(0.1, 0.9)", scheduler="StepLR(5)"), "SGD(0.0123, 0.9)", "StepLR(5)"),
        (
            spec_of(scheduler=f"OneCycleLR(0.1, {ONE_CYCLE})"),
            "Adam(lr=0.0123)",
            f"OneCycleLR(0.0123, {ONE_CYCLE})",
        ),
        (
            spec_of(scheduler=f"OneCycleLR({ONE_CYCLE}, max_lr=0.1)"),
            "Adam(lr=0.0123)",
            f"OneCycleLR({ONE_CYCLE}, max_lr=0.0123)",
        ),
        (
            spec_of(scheduler="SequentialLR([LinearLR(), OneCycleLR(0.1, 100)], [5])"),
            "Adam(lr=0.0123)",
            "SequentialLR([LinearLR(), OneCycleLR(max_lr=0.0123, total_steps=100)], (5,))",
        ),
        (
            spec_of(scheduler="SequentialLR([LinearLR(), StepLR(5)], [5])"),
            "Adam(lr=0.0123)",
            "SequentialLR([LinearLR(), StepLR(5)], [5])",
        ),
    ],
)
def test_the_rate_is_set(spec: RunSpec, optimizer: str, scheduler: str) -> None:
    """With three digits, by position and by name, and nothing else is changed."""
    train = spec.with_settings(learning_rate_settings(spec, 0.0123456)).train

    assert (str(train.optimizer), str(train.scheduler)) == (optimizer, scheduler)


def test_a_knob_is_set_in_its_place() -> None:
    """Where the rate is a knob, the calls stay as they are."""
    spec = spec_of({"peak": 0.1}, optimizer="SGD(peak)", scheduler=f"OneCycleLR(peak, {ONE_CYCLE})")
    changed = spec.with_settings(learning_rate_settings(spec, 1e-5))

    assert changed.knobs == {"peak": 1e-5}
    assert changed.train.optimizer == spec.train.optimizer
    assert changed.train.scheduler == spec.train.scheduler


def test_a_knob_that_would_be_left_over() -> None:
    """Arithmetic on a knob is not solved for it: the error names the knob."""
    spec = spec_of({"peak": 0.1}, optimizer="SGD(2*peak)")

    with pytest.raises(SpecError, match=r"knobs\.peak: no layer and no argument uses it"):
        spec.with_settings(learning_rate_settings(spec, 0.01))
