"""Published figures beside ours: measured on the same images, with the spread over the seeds."""

from pathlib import Path

import pytest
from helpers.saved_runs import make_reference, make_run

from mnist_tui.analysis import published
from mnist_tui.runs.index import read_runs
from mnist_tui.spec import presets


def test_each_figure_is_held_against_ours_on_the_same_images(reference_dir: Path) -> None:
    """iter5 on the augmented training images, over batches, as its author printed it too; step4 on the test images."""
    for seed, accuracy in enumerate((0.990, 0.994)):
        for name in ("iter5", "step4"):
            make_reference(reference_dir, presets.load(name), seed, accuracy)

    iter5, step4, era5 = published.replications(
        map(presets.load, ("iter5", "step4", "era5")), published.reference_runs()
    )

    assert (iter5.images, iter5.published) == ("train", 0.995)
    assert numbers(iter5.ours) == pytest.approx((0.993, 0.991, 0.995))
    assert iter5.is_reached is True  # By one of two seeds.
    assert (step4.images, step4.published, step4.is_reached) == ("test", 0.9947, False)
    assert numbers(step4.ours) == pytest.approx((0.992, 0.990, 0.994))
    assert step4.last == step4.ours
    assert (era5.runs, era5.ours, era5.last, era5.is_reached) == ((), None, None, None)


def numbers(spread: published.Spread | None) -> tuple[float, float, float]:
    """Mean, lowest and highest."""
    assert spread is not None
    return spread.mean, spread.low, spread.high


def test_the_best_epoch_on_the_test_images_counts_also_with_validation_images(tmp_path: Path) -> None:
    """exp17's author quoted the best epoch by the test set, where ours is chosen by validation."""
    preset = presets.load("exp17").with_settings({"epochs": "3"})
    make_run(
        tmp_path,
        preset,
        42,
        accuracies=[0.97, 0.99, 0.98],
        val_accuracies=[0.9, 0.9, 0.99],
        dataset={"name": "mnist", "val_images": 10_000, "test_images": 10_000},
    )

    (exp17,) = published.replications([preset], read_runs(tmp_path))

    assert exp17.ours is not None
    assert exp17.last is not None
    assert (exp17.ours.mean, exp17.last.mean) == (0.99, 0.98)


def test_where_nothing_was_published_the_last_epoch_counts(tmp_path: Path) -> None:
    """The best epoch on the test images would flatter."""
    preset = presets.load("step4").model_copy(update={"reported": None}).with_settings({"epochs": "3"})
    make_run(tmp_path, preset, 0, accuracies=[0.97, 0.99, 0.98])

    (own,) = published.replications([preset], read_runs(tmp_path))

    assert (numbers(own.ours)[0], own.published, own.is_reached) == (0.98, None, None)


def test_only_completed_runs_of_the_recipe_count(reference_dir: Path) -> None:
    """Another rate or fewer epochs are another recipe; seeds are in order, and a repeat counts once."""
    preset = presets.load("iter5")
    made = reference_dir.parent / "made"
    for seed in (2, 0):
        make_run(made, preset, seed)
    make_run(made, preset.with_settings({"optimizer.lr": "0.5"}), 3)
    make_run(made, preset, 4, epochs=3)
    make_run(made, preset, 5, outcome="failed")
    make_run(made, preset, 0, index=9)

    (iter5,) = published.replications([preset], read_runs(made))

    assert iter5.seeds == [0, 2]


def test_the_runs_of_one_preset_are_read_alone(reference_dir: Path) -> None:
    """Of iter1, not those of iter10; a name with a star is no pattern."""
    for name in ("iter1", "iter5"):
        make_reference(reference_dir, presets.load(name))

    assert [run.name for run in published.reference_runs_of("iter1")] == ["iter1"]
    assert published.reference_runs_of("iter*") == published.reference_runs_of("nosuch") == []
