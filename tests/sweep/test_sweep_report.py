"""The report of a sweep: which configuration is the best, and whether that can be told."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.saved_runs import make_run
from helpers.sweeps import lr_plan, lr_sweep, make_point

from mnist_tui.spec import presets
from mnist_tui.sweep import folder, status, sweep_file
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.plan import Point
from mnist_tui.sweep.report import SweepReport, make_report
from mnist_tui.sweep.report_text import chosen_words, effects_sentences, heading, sentences, table
from mnist_tui.training.data import load_digits, split_for


def filled(runs_dir: Path, accuracies: Sequence[Sequence[float]], **more: Any) -> Sweep:
    """A sweep of learning rates 0, 1, … whose runs have these validation accuracies, and lower test accuracies."""
    sweep = lr_sweep(runs_dir, *map(str, range(len(accuracies))), seeds=len(accuracies[0]), **more)
    for point in sweep.plan.all_points():
        accuracy = accuracies[point.number][point.seed]
        make_point(sweep, point, accuracy, test=accuracy - 0.1 * point.number)
    return sweep


def words(report: SweepReport) -> str:
    """All sentences."""
    return " ".join(sentences(report))


def test_the_best_is_chosen_by_validation(tmp_path: Path) -> None:
    """Though another is better on the test images; its own test accuracy is told after the choice."""
    report = make_report(filled(tmp_path, [[0.95, 0.951], [0.97, 0.971]]))

    assert [each.values["optimizer.lr"] for each in report.ranked] == ["1", "0"]
    assert report.is_tested
    assert not report.ties
    assert "Best: optimizer.lr 1, 97.05%" in words(report)
    assert "It is better than the other" in words(report)
    assert "Its test accuracy, looked at once, after choosing: 87.05%, the mean of 2 seeds" in words(report)
    assert "--set validation_images=0 --seed 2 --seeds 5" in words(report)
    assert "the test images are not used to choose" in chosen_words(report.sweep.plan)


def test_chosen_on_the_test_images_every_report_says_so(tmp_path: Path) -> None:
    """And the order is that of the test accuracy."""
    report = make_report(filled(tmp_path, [[0.95, 0.951], [0.97, 0.971]], choose_on="test"))

    assert [each.values["optimizer.lr"] for each in report.ranked] == ["0", "1"]
    assert chosen_words(report.sweep.plan).startswith("CHOSEN ON THE TEST IMAGES")
    assert table(report)[0][0][3] == "test acc"


def test_as_many_validation_images_as_will_be_split_off(tmp_path: Path) -> None:
    """Before anything is trained: of the small digits the same share as of MNIST, and as many as a run has."""
    plan = lr_plan("0.1", "0.2")
    digits = plan.model_copy(update={"dataset": "digits"})
    _, validation = split_for(digits.base, load_digits())

    assert "on 10,000 validation images" in chosen_words(plan)
    assert validation is not None
    assert f"on {len(validation):,} validation images" in chosen_words(digits)


def test_what_may_be_noise_is_said(tmp_path: Path) -> None:
    """Seeds that overlap; and one seed each, of which nothing can be told."""
    overlapping = make_report(filled(tmp_path / "a", [[0.95, 0.97], [0.96, 0.975], [0.5, 0.51]]))
    single = make_report(filled(tmp_path / "b", [[0.95], [0.97]]))

    assert [each.values["optimizer.lr"] for each in overlapping.ties] == ["0"]
    assert "CANNOT TELL it from 1 of the other 2, such as optimizer.lr 0" in words(overlapping)
    assert not single.is_tested
    assert "takes two seeds or more" in words(single)


def test_many_configurations_are_not_better_by_chance(tmp_path: Path) -> None:
    """Of 40 that are equally good, the luckiest is not called better than all others."""
    from random import Random

    chance = Random(0)
    accuracies = [[0.95 + chance.gauss(0, 0.002) for _ in range(3)] for _ in range(40)]
    report = make_report(filled(tmp_path, accuracies))

    assert len(report.ties) == 39


def test_points_without_a_result_are_counted_and_listed(tmp_path: Path) -> None:
    """Waiting, failed, diverged; runs of nobody's sweep are not counted."""
    sweep = lr_sweep(tmp_path, "1", "2", "3", "4")
    first, second, third, _ = sweep.plan.all_points()
    make_point(sweep, first)
    make_point(sweep, second, outcome="failed")
    make_point(sweep, third, outcome="diverged")
    make_run(tmp_path, presets.load("iter5"), index=7_000)
    report = make_report(sweep)

    assert dict(report.states) == {"completed": 1, "failed": 1, "diverged": 1, "waiting": 1}
    assert (report.done, report.planned) == (2, 4)
    assert {each.state for each in report.failed} == {"failed", "diverged"}
    assert heading(report) == "sweep iter5: 2 of 4 runs done (1 diverged, 1 failed, 1 waiting)"


def test_points_whose_run_cannot_be_read_are_counted_too(tmp_path: Path) -> None:
    """A state that no training ends in is named behind the others."""
    report = replace(
        make_report(filled(tmp_path, [[0.9], [0.91]])), states={"newer format": 1, "completed": 1, "waiting": 2}
    )

    assert heading(report) == "sweep iter5: 1 of 2 runs done (2 waiting, 1 newer format)"


def test_the_front_of_parameters_and_accuracy(tmp_path: Path) -> None:
    """Where networks differ in size."""
    plan = sweep_file.plan_of(presets.load("iter5"), {"layers": ("iter4", "iter5", "step4")}, {})
    sweep = folder.start(tmp_path, plan)
    for point, accuracy in zip(plan.all_points(), (0.96, 0.97, 0.95), strict=True):
        make_point(sweep, point, accuracy)
    report = make_report(sweep)

    assert [each.values["layers"] for each in report.ranked if each.front] == ["iter5", "step4"]
    assert "Front, on which none as small is better: 7,416 parameters 95.00%" in words(report) or "Front" in words(
        report
    )


@pytest.mark.slow
def test_the_status_of_ten_thousand_points(tmp_path: Path) -> None:
    """A grid of 100 by 100 of which nothing is trained is listed at once."""
    rates = tuple(f"{0.001 * index:.3f}" for index in range(1, 101))
    vary: dict[str, tuple[str, ...] | str] = {"optimizer.lr": rates, "batch_size": "16..115 step 1"}
    sweep = folder.start(tmp_path, sweep_file.plan_of(presets.load("iter5"), vary, {}))
    points = status.points_of(sweep)

    assert len(points) == 10_000
    assert status.heading(sweep, points) == "sweep iter5: 10,000 points: 10,000 waiting"
    assert len(status.points_table(sweep, points)[0]) == 10_001


def test_a_search_tells_no_effects(tmp_path: Path) -> None:
    """Its configurations are those that promised much; a design of the same values tells them."""
    search = {"sampler": "random", "trials": 4}
    for more, has_effects in (({}, True), ({"search": search}, False)):
        sweep = lr_sweep(tmp_path / str(has_effects), *"1234", seeds=2, **more)
        for number, rate in enumerate("1234"):
            for seed in (0, 1):
                point = Point(number, seed, {"optimizer.lr": rate})
                make_point(sweep, point, 0.9 + 0.01 * number + 0.001 * seed)
        report = make_report(sweep)

        assert (report.effects is not None) == has_effects
        assert ("tells no effects" in " ".join(effects_sentences(report))) != has_effects
