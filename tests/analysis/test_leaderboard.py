"""The leaderboard: what is ranked together, what is on the front, and what published figures are shown beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers.saved_runs import MNIST, make_run
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.analysis import statistics
from mnist_tui.analysis.leaderboard import BUDGETS, Leaderboard, front_places, load_presets, make_leaderboard
from mnist_tui.runs.index import RunIndex
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec

POINTS = st.lists(st.tuples(st.integers(1, 6), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0])), max_size=12)
"""Few values, so that many points share one."""


def board(runs_dir: Path, measure: str = "best", specs: Sequence[RunSpec] = ()) -> Leaderboard:
    """The leaderboard of all runs of a folder."""
    index = RunIndex(runs_dir)
    index.refresh()
    return make_leaderboard(index.all, specs, measure)  # type: ignore[arg-type]


def save(runs_dir: Path, name: str, accuracy: float, seed: int = 0, **changes: Any) -> Path:
    """Saves a run of a preset."""
    return make_run(runs_dir, presets.load(name), seed, accuracy, **changes)


# --- the front ---


@given(POINTS)
def test_the_front_is_what_no_other_point_beats(points: list[tuple[int, float]]) -> None:
    """By its definition, point against point: none as small is better, and none as good is smaller."""
    places = front_places(points)
    on_front = [not any((p <= q and a >= b) and (p, a) != (q, b) for p, a in points) for q, b in points]

    assert [place is not None for place in places] == on_front


@given(POINTS)
def test_places_count_from_the_highest_accuracy(points: list[tuple[int, float]]) -> None:
    """1 for it, then one more for each distinct accuracy of the front; equal points share a place."""
    pairs = [(accuracy, place) for (_, accuracy), place in zip(points, front_places(points), strict=True) if place]
    accuracies = sorted({accuracy for accuracy, _ in pairs}, reverse=True)

    assert all(place == accuracies.index(accuracy) + 1 for accuracy, place in pairs)


def test_ties() -> None:
    """Equal points are all on the front; of as many parameters only the best is, of one accuracy only the smallest."""
    assert front_places([(5, 0.9), (5, 0.9), (5, 0.8), (9, 0.9), (3, 0.7)]) == [1, 1, None, None, 2]


# --- what is ranked ---


def test_recipes_are_ranked_by_the_mean_of_their_seeds(tmp_path: Path) -> None:
    """The highest first, whatever the order on the disk; the interval is that of the mean."""
    for seed, accuracy in enumerate((0.9940, 0.9944, 0.9946)):
        save(tmp_path, "step4", accuracy, seed, index=seed)
    save(tmp_path, "iter5", 0.9950, index=10)
    save(tmp_path, "step3", 0.9930, index=11)
    made = board(tmp_path)
    first, second, third = made.entries

    assert [entry.arm.label for entry in made.entries] == ["iter5 s0", "step4 ×3", "step3 s0"]
    assert [entry.front for entry in made.entries] == [1, 2, 3]
    assert [entry.arm.label for entry in made.front] == ["step3 s0", "step4 ×3", "iter5 s0"]
    assert second.accuracy == pytest.approx((0.9940 + 0.9944 + 0.9946) / 3)
    assert second.interval == statistics.mean_interval(second.arm.values("best"))
    assert (first.seeds, second.seeds, third.seeds) == (1, 3, 1)
    assert made.left_out == {}


def test_a_single_seed_has_no_interval(tmp_path: Path) -> None:
    """One run says nothing about the spread of its recipe; neither do seeds that are all equal."""
    save(tmp_path, "iter5", 0.994)
    for seed in range(2):
        save(tmp_path, "step4", 0.993, seed, index=1 + seed)

    assert [entry.interval for entry in board(tmp_path).entries] == [None, None]


def test_repeats_count_once(tmp_path: Path) -> None:
    """The same recipe and seed twice is one observation."""
    for index in range(2):
        save(tmp_path, "iter5", 0.994, index=index)
    (entry,) = board(tmp_path).entries

    assert entry.seeds == 1
    assert entry.arm.label == "iter5 s0"


def test_what_is_not_ranked(tmp_path: Path) -> None:
    """Other data, other test images, what has not ended, and what is no run, with the reason of each."""
    for seed in range(2):
        save(tmp_path, "iter5", 0.990, seed, index=seed)
    save(tmp_path, "step4", 0.999, index=3, dataset={**MNIST, "name": "digits"})
    save(tmp_path, "step4", 0.999, index=4, dataset={**MNIST, "sha256": "1" * 64})
    save(tmp_path, "step4", 0.999, index=5, dataset={})
    (save(tmp_path, "step4", 0.999, index=6) / "end.json").unlink()
    (save(tmp_path, "step4", 0.999, index=7) / "run.json").write_text("{")
    for index, parameters in enumerate((None, 0, -5, 10**400)):
        save(tmp_path, "step4", 0.999, index=10 + index, parameters=parameters)
    save(tmp_path, "step4", 99.9, index=20)
    (tmp_path / "pictures").mkdir()
    made = board(tmp_path)

    assert [entry.arm.label for entry in made.entries] == ["iter5 ×2"]
    assert made.left_out == {
        "not readable": 2,
        "without a number of parameters": 4,
        "without an accuracy from 0 to 1": 1,
        "not ended": 1,
        "not on MNIST": 2,
        "on other test images": 1,
    }


def test_imported_logs_are_not_ranked(tmp_path: Path) -> None:
    """Nobody knows what their accuracies were measured on."""
    from dataclasses import replace

    save(tmp_path, "iter5", 0.999)
    index = RunIndex(tmp_path)
    index.refresh()
    made = make_leaderboard([replace(run, state="imported") for run in index.all], [])

    assert made.entries == ()
    assert made.left_out == {"imported": 1}


def test_runs_that_were_not_completed(tmp_path: Path) -> None:
    """They are ranked by what they reached, each on its own, and say so."""
    save(tmp_path, "iter5", 0.994, 0, index=0, outcome="stopped", epochs=3)
    save(tmp_path, "iter5", 0.993, 1, index=1, outcome="failed", epochs=1)

    assert [entry.remark for entry in board(tmp_path).entries] == ["stopped after 3 epochs", "failed after 1 epoch"]


def test_what_flatters_is_told_apart(tmp_path: Path) -> None:
    """A best epoch chosen on validation images is not chosen on the test images, as the others are."""
    save(tmp_path, "iter5", 0.994, dataset={**MNIST, "val_images": 10_000})
    save(tmp_path, "step4", 0.993, index=1)

    assert [entry.remark for entry in board(tmp_path, "last").entries] == ["", ""]
    with_validation, without = board(tmp_path).entries
    assert with_validation.remark == "best epoch chosen on validation images"
    assert without.remark == ""


def test_too_few_epochs_for_the_mean(tmp_path: Path) -> None:
    """The mean of the last three needs three."""
    save(tmp_path, "iter5", 0.994, epochs=2)
    save(tmp_path, "step4", 0.993, index=1)
    made = board(tmp_path, "mean")

    assert [entry.arm.label for entry in made.entries] == ["step4 s0"]
    assert made.entries[0].accuracy < 0.993
    assert made.left_out == {"with too few epochs": 1}


def test_budgets(tmp_path: Path) -> None:
    """Fewer parameters than asked for, not as many."""
    for index, parameters in enumerate((7_999, 8_000, 20_000)):
        save(tmp_path, "iter5", 0.994 - index / 1000, index=index, seed=index, parameters=parameters, epochs=5 + index)

    assert [entry.budgets for entry in board(tmp_path).entries] == [BUDGETS, BUDGETS[1:], ()]


# --- published figures ---


@pytest.mark.parametrize(("measure", "accuracy"), [("best", 0.9947), ("last", 0.9946), ("mean", None)])
def test_published_figures_are_of_the_measure(measure: str, accuracy: float | None, tmp_path: Path) -> None:
    """The best epoch, or the last; of the mean of the last there is none."""
    made = board(tmp_path, measure, [presets.load("step4")])

    assert [each.accuracy for each in made.published] == ([] if accuracy is None else [accuracy])


def test_published_figures_are_never_ranked(tmp_path: Path) -> None:
    """However good they are, they do not push a run from the front; what was not measured as ours is told apart."""
    save(tmp_path, "iter5", 0.9)
    made = board(tmp_path, specs=[presets.load(name) for name in ("v1", "iter4", "step4")])
    told_apart = {each.name: each.is_on_test_images for each in made.published}

    assert [entry.front for entry in made.entries] == [1]
    assert told_apart == {"iter4": False, "step4": True, "v1": True}
    assert list(told_apart) == ["iter4", "step4", "v1"]  # The highest accuracy first.
    assert made.targets == (0.994,)


def test_which_presets_it_is_held_against(tmp_path: Path) -> None:
    """One's own and the published; not the house models, whose targets are goals of ours, and no broken file."""
    (tmp_path / "broken.toml").write_text("layers = ")
    (tmp_path / "mine.toml").write_text((presets.builtin_folder() / "iter5.toml").read_text())

    assert [spec.name for spec in load_presets(tmp_path)] == [*presets.published_names(), "mine"]
