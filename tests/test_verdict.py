"""Whether a run met its target."""

import pytest

from mnist_tui import verdict
from mnist_tui.events import EpochEnded
from mnist_tui.spec import RunSpec, make_spec


def spec_with(**target: float) -> RunSpec:
    """7,850 parameters, two epochs, and a target."""
    return make_spec({"layers": "Flatten()\nLinear(10)", "train": {"epochs": 2}, "target": target})


def rows(*accuracies: float) -> list[EpochEnded]:
    """Epochs with these test accuracies."""
    return [
        EpochEnded(epoch, 0.1, 0.9, None, None, 0.1, accuracy, 0.001, 1.0, 1.0)
        for epoch, accuracy in enumerate(accuracies, start=1)
    ]


@pytest.mark.parametrize(
    ("target", "accuracies", "parts"),
    [
        ({"parameters": 7_850}, [0.9], {"parameters": False}),
        ({"parameters": 7_851}, [0.9], {"parameters": True}),
        ({"epochs": 2}, [0.9, 0.9], {"epochs": True}),
        ({"epochs": 1}, [0.9, 0.9], {"epochs": False}),
        ({"epochs": 1}, [], {"epochs": False}),
        ({"test_accuracy": 0.99}, [0.99, 0.98], {"test_accuracy": True}),
        ({"test_accuracy": 0.99}, [0.98], {"test_accuracy": False}),
        ({"test_accuracy": 0.99}, [], {"test_accuracy": False}),
        ({"test_accuracy": 0.99, "last_epochs": 2}, [0.98, 0.99, 0.99], {"test_accuracy": True}),
        ({"test_accuracy": 0.99, "last_epochs": 2}, [0.99, 0.99, 0.98], {"test_accuracy": False}),
        ({"test_accuracy": 0.99, "last_epochs": 2}, [0.99], {"test_accuracy": False}),
        ({}, [0.99], None),
    ],
)
def test_each_part_is_judged(
    target: dict[str, float], accuracies: list[float], parts: dict[str, bool | None] | None
) -> None:
    """Fewer parameters, at most so many epochs, the accuracy in the best or in each of the last epochs."""
    assert verdict.after_training(spec_with(**target), rows(*accuracies), is_mnist=True) == parts


def test_other_images_are_not_judged_by_an_accuracy() -> None:
    """What the network decides alone is judged all the same; the whole is not met."""
    parts = verdict.after_training(spec_with(parameters=9_000, test_accuracy=0.1), rows(1.0), is_mnist=False)

    assert parts == {"parameters": True, "test_accuracy": None}
    assert verdict.in_words(parts).startswith("target not judged: parameters met, test_accuracy not judged")


@pytest.mark.parametrize(("parts", "whole"), [({"a": True}, "met"), ({"a": True, "b": False, "c": None}, "MISSED")])
def test_the_whole_is_met_where_every_part_is(parts: dict[str, bool | None], whole: str) -> None:
    """One part missed is all missed."""
    assert verdict.in_words(parts).startswith(f"target {whole}: a met")
