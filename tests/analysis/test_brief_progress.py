"""Which run reaches which step of a brief, which does not and why, and how runs are put in the order of the steps."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers.saved_runs import MNIST, make_run
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.analysis import brief_text
from mnist_tui.analysis.brief_progress import Attempt, StepProgress, assign, current_step, not_counted, why_not_counted
from mnist_tui.runs.index import RunIndex
from mnist_tui.runs.record import Run
from mnist_tui.spec import briefs, presets
from mnist_tui.spec.briefs import Brief, make_brief
from mnist_tui.spec.recipe import Target

STEADY = {"test_accuracy": 0.994, "last_epochs": 3, "parameters": 8_000, "epochs": 5}
REACHES = (0.98, 0.99, 0.994, 0.995, 0.994)
"""Test accuracies that reach `STEADY` with few enough parameters."""


def brief_of(*targets: dict[str, Any]) -> Brief:
    """A brief whose steps have these targets."""
    steps = [{"name": f"Step {index}", "asked": "It.", "target": target} for index, target in enumerate(targets)]
    return make_brief({"title": "A brief", "steps": steps})


def a_run(
    *accuracies: float, index: int = 0, parameters: int | None = 7_074, state: str = "completed", **record: Any
) -> Run:
    """A run in memory, begun `index` minutes into 2026, with these test accuracies."""
    begun = f"2026-01-01T00:{index:02}:00+00:00"
    spec = {"layers": "", "train": {"epochs": len(accuracies)}}
    facts = {"created": begun, "name": "x", "seed": index, "parameters": parameters, "dataset": MNIST, "spec": spec}
    run = Run(Path(f"20260101T00{index:02}00Z-x-s{index}-{index:04x}"), state, record=facts | record)
    vars(run)["accuracies"] = accuracies
    return run


def progress_of(run: Run, target: dict[str, Any]) -> StepProgress:
    """The progress of one run with a brief of one step."""
    (progress,) = assign(brief_of(target), [run])
    return progress


# --- one run and one step -------------------------------------------------------------------------------------------


def test_a_run_that_meets_every_rule_reaches_the_step() -> None:
    """The last epochs reach the accuracy exactly, the epochs are as many as allowed."""
    progress = progress_of(a_run(*REACHES, parameters=7_999), STEADY)

    assert progress.reached_by is not None
    assert progress.best_attempt is None
    assert (progress.reached_by.accuracy, progress.reached_by.shortfalls) == (0.994, {})


MISSED: dict[str, tuple[Run, dict[str, float], str]] = {
    "an epoch of the last ones": (
        a_run(0.98, 0.995, 0.994, 0.9938, 0.995),
        {"test_accuracy": 0.0002},
        "99.38% in the lowest of the last 3 epochs, 0.02 below; 7,074 parameters; 5 epochs",
    ),
    "too few epochs": (
        a_run(0.995, 0.995),
        {"test_accuracy": 0.0},
        "99.50% in the lowest of the last 3 epochs, of 3 epochs only 2; 7,074 parameters; 2 epochs",
    ),
    "parameters": (
        a_run(*REACHES, parameters=8_000),
        {"parameters": 1},
        "99.40% in the lowest of the last 3 epochs; 8,000 parameters, 1 too many; 5 epochs",
    ),
    "unknown parameters": (
        a_run(*REACHES, parameters=None),
        {"parameters": 0},
        "99.40% in the lowest of the last 3 epochs; unknown parameters; 5 epochs",
    ),
    "epochs": (
        a_run(0.9, *REACHES),
        {"epochs": 1},
        "99.40% in the lowest of the last 3 epochs; 7,074 parameters; 6 epochs, 1 too many",
    ),
    "no epoch": (
        a_run(state="stopped"),
        {"test_accuracy": 0.994, "epochs": 0},
        "no epoch finished; 7,074 parameters; 0 epochs",
    ),
    "everything": (
        a_run(*[0.99] * 7, parameters=10_000),
        {"test_accuracy": 0.004, "parameters": 2_001, "epochs": 2},
        "99.00% in the lowest of the last 3 epochs, 0.40 below; 10,000 parameters, 2,001 too many; "
        "7 epochs, 2 too many",
    ),
}
"""What is missed: the run, by how much each part is missed, and the words."""


@pytest.mark.parametrize(("run", "shortfalls", "words"), MISSED.values(), ids=MISSED)
def test_a_run_that_misses_one_rule_does_not_reach_the_step(run: Run, shortfalls: dict[str, float], words: str) -> None:
    """The step is not reached; the attempt says what is missing, and by how much."""
    progress = progress_of(run, STEADY)

    assert progress.reached_by is None
    assert progress.best_attempt is not None
    assert progress.best_attempt.run is run
    assert progress.best_attempt.shortfalls == pytest.approx(shortfalls)
    assert brief_text.attempt_words(progress.best_attempt) == words


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"test_accuracy": 0.995}, "99.40% in the best epoch, 0.10 below"),
        ({"test_accuracy": 0.995, "last_epochs": 1}, "99.20% in the last epoch, 0.30 below"),
        (
            {"test_accuracy": 0.995, "last_epochs": 3, "rule": "mean"},
            "99.267% as the mean of the last 3 epochs, 0.23 below",
        ),
        (
            {"test_accuracy": 0.9927, "last_epochs": 3, "rule": "mean"},
            "99.267% as the mean of the last 3 epochs, 0.0033 below",
        ),
        ({"parameters": 5}, "99.40% in the best epoch"),
    ],
)
def test_which_epochs_are_judged(target: dict[str, Any], words: str) -> None:
    """The best, the last, or the mean; a little too little is not called 0.00."""
    attempt = progress_of(a_run(0.991, 0.994, 0.992, 0.992), target).best_attempt

    assert attempt is not None
    assert brief_text.attempt_words(attempt).partition(";")[0] == words


NOT_COUNTED: dict[str, tuple[Run, str]] = {
    "digits": (
        a_run(*REACHES, dataset={"name": "digits", "test_images": 360}),
        "on digits, not MNIST",
    ),
    "unknown images": (a_run(*REACHES, dataset=None), "on unknown images"),
    "a part of the test images": (
        a_run(*REACHES, dataset=MNIST | {"test_images": 1_000}),
        "not on MNIST's 10,000 test images",
    ),
    "imported": (a_run(*REACHES, state="imported"), "imported, not trained here"),
    "training": (a_run(*REACHES, state="training"), "has not ended"),
    "interrupted": (a_run(*REACHES, state="interrupted"), "has not ended"),
    "a state of a later version": (a_run(*REACHES, state="copied"), "copied, not trained here"),
}


@pytest.mark.parametrize(("run", "reason"), NOT_COUNTED.values(), ids=NOT_COUNTED)
def test_a_run_that_does_not_count_reaches_nothing(run: Run, reason: str) -> None:
    """It is no attempt either; but it belongs to a step, so that a report has it."""
    progress = progress_of(run, STEADY)

    assert why_not_counted(run) == reason
    assert (progress.reached_by, progress.best_attempt, progress.runs) == (None, None, (run,))
    assert not_counted([run, run, a_run(*REACHES)]) == {reason: 2}


@pytest.mark.parametrize("state", ["completed", "stopped", "diverged", "failed"])
def test_a_run_counts_however_it_ended(state: str) -> None:
    """As the verdict on its own target does: a run that was stopped in time has its epochs."""
    assert progress_of(a_run(*REACHES, state=state), STEADY).reached_by is not None


def test_a_folder_without_a_run_is_left_out() -> None:
    """It is neither an attempt nor assigned."""
    progress = progress_of(a_run(*REACHES, state="damaged"), STEADY)

    assert (progress.attempts, progress.runs) == ((), ())


TARGETS = st.fixed_dictionaries(
    {"test_accuracy": st.sampled_from([0.2, 0.5, 0.9])},
    optional={"parameters": st.just(8_000), "epochs": st.integers(1, 12)},
).flatmap(
    lambda target: st.sampled_from(
        [target, *(target | {"last_epochs": count, "rule": rule} for count in (1, 3) for rule in ("each", "mean"))]
    )
)
ACCURACIES = st.lists(st.integers(0, 10_000), min_size=1, max_size=12)


@given(target=TARGETS, correct=ACCURACIES, data=st.data())
def test_higher_accuracies_reach_what_lower_ones_reach(
    target: dict[str, Any], correct: list[int], data: st.DataObject
) -> None:
    """Whatever the rule; and an attempt that rises is never farther away."""
    raised = [data.draw(st.integers(count, 10_000)) for count in correct]
    lower = Attempt(a_run(*(count / 10_000 for count in correct)), Target.model_validate(target))
    higher = Attempt(a_run(*(count / 10_000 for count in raised)), Target.model_validate(target))

    assert higher.is_reached >= lower.is_reached
    assert higher.distance <= lower.distance


# --- several runs ---------------------------------------------------------------------------------------------------


def test_the_earliest_run_that_reaches_a_step_is_named() -> None:
    """Whatever the order in which the runs are given, and however good the later ones are."""
    late, early = a_run(*REACHES, index=5), a_run(0.9, *REACHES[2:], index=3)
    best = a_run(0.999, 0.999, 0.999, index=9)
    misses = a_run(0.9, index=1)

    for runs in ([late, best, early, misses], [misses, early, late, best]):
        (progress,) = assign(brief_of(STEADY), runs)

        assert progress.reached_by is not None
        assert progress.reached_by.run is early


def test_the_best_attempt_misses_the_fewest_rules() -> None:
    """Then it is short of the least accuracy, of the fewest parameters and epochs; of equal ones the earliest."""
    two_rules = a_run(*[0.9939] * 3, parameters=8_000, index=1)
    far = a_run(*[0.99] * 3, index=2)
    near, later = a_run(*[0.9935] * 3, index=3), a_run(*[0.9935] * 3, index=4)
    (progress,) = assign(brief_of(STEADY), [later, far, two_rules, near])

    assert progress.best_attempt is not None
    assert progress.best_attempt.run is near


def test_seeds_of_the_recipe_that_reach_the_step_are_counted() -> None:
    """Each seed once, also where it was trained twice; runs of other recipes and on other data are not counted."""
    seeds = [a_run(*REACHES, index=1), a_run(*REACHES, index=2), a_run(*[0.9] * 5, index=3)]
    repeat = a_run(*[0.9] * 5, index=4, seed=3)
    other = a_run(*REACHES, index=5, spec={"layers": "Flatten()", "train": {"epochs": 5}})
    digits = a_run(*REACHES, index=6, dataset={"name": "digits", "test_images": 360})
    (progress,) = assign(brief_of(STEADY), [*seeds, repeat, other, digits])

    assert progress.reached_by is not None
    assert progress.seeds_of(progress.reached_by) == (2, 3)
    assert progress.seeds_of(Attempt(other, progress.step.target)) == (1, 1)


THREE = ({"test_accuracy": 0.98}, {"test_accuracy": 0.99, "parameters": 20_000}, {"test_accuracy": 0.994})


def steps_of(runs: Sequence[Run], *targets: dict[str, Any]) -> list[list[str]]:
    """The ends of the names of the runs of each step."""
    return [[run.id[-1] for run in each.runs] for each in assign(brief_of(*targets), runs)]


def test_each_run_belongs_to_one_step() -> None:
    """To the last that it reaches, or to the first that was still open, where those that miss it stand too."""
    runs = [
        a_run(0.97, index=1),  # Misses step 1.
        a_run(0.985, index=2, parameters=190_442),  # Reaches it.
        a_run(0.989, index=3),  # Reaches step 1 again: an attempt at step 2.
        a_run(0.985, index=4, dataset={"name": "digits", "test_images": 360}),  # Does not count; at that time step 2.
        a_run(0.991, index=5),  # Reaches step 2.
        a_run(0.992, index=6),  # An attempt at step 3.
    ]

    assert steps_of(runs, *THREE) == [["1", "2"], ["3", "4", "5"], ["6"]]
    assert steps_of(runs[::-1], *THREE) == [["1", "2"], ["3", "4", "5"], ["6"]]


def test_a_run_may_reach_several_steps_and_leave_one_open() -> None:
    """It belongs to the last of them; later runs belong to the one that is open."""
    large = a_run(0.995, index=1, parameters=190_442)
    runs = [large, a_run(0.985, index=2), a_run(0.991, index=3), a_run(0.5, index=4), a_run(0.985, index=5)]
    first, second, third = assign(brief_of(*THREE), runs)

    assert [each.reached_by and each.reached_by.run.id[-1] for each in (first, second, third)] == ["1", "3", "1"]
    assert [[run.id[-1] for run in each.runs] for each in (first, second, third)] == [["5"], ["2", "3"], ["1", "4"]]


@given(st.lists(st.tuples(st.integers(9_000, 10_000), st.booleans(), st.booleans()), max_size=12))
def test_every_run_belongs_somewhere_once(facts: list[tuple[int, bool, bool]]) -> None:
    """Whatever the runs are; in each step from the earliest to the newest."""
    runs = [
        a_run(
            count / 10_000,
            index=index,
            parameters=7_000 if is_small else 200_000,
            dataset=MNIST if is_mnist else {"name": "digits"},
        )
        for index, (count, is_small, is_mnist) in enumerate(facts)
    ]
    progress = assign(brief_of(*THREE), runs)

    assert sorted(run.id for each in progress for run in each.runs) == [run.id for run in runs]
    assert all(list(each.runs) == sorted(each.runs, key=lambda run: run.id) for each in progress)


def test_the_current_step_is_the_first_that_is_open() -> None:
    """None once all are reached, or of a brief whose every step is."""
    runs = [a_run(0.985, index=1)]
    current = current_step(assign(brief_of(*THREE), runs))

    assert current is not None
    assert current.number == 2
    assert current_step(assign(brief_of(*THREE), [*runs, a_run(0.995, index=2)])) is None


def test_the_runs_of_the_four_steps_stand_in_their_order(tmp_path: Path) -> None:
    """Run folders with the published parameters and accuracies of step1 to step4: each reaches the step of its name."""
    published = {
        "step1": (0.9898, 20),
        "step2": (0.9935, 20),
        "step3": (0.9934, 20),
        "step4": (0.9946, 15),
    }
    for index, (name, (accuracy, epochs)) in enumerate(published.items()):
        make_run(tmp_path, presets.load(name), 0, index=index, accuracies=[*[0.98] * (epochs - 3), *[accuracy] * 3])
    make_run(tmp_path, presets.load("step1"), 1, index=9, dataset={"name": "digits", "test_images": 360})
    runs = RunIndex(tmp_path)
    runs.refresh()
    progress = assign(briefs.load("steps"), runs.all)

    assert [each.reached_by and each.reached_by.run.name for each in progress] == list(published)
    assert [[run.name for run in each.runs] for each in progress] == [
        ["step1"],
        ["step2"],
        ["step3"],
        ["step4", "step1"],
    ]
    lines = "\n".join(brief_text.brief_lines(briefs.load("steps"), progress, not_counted(runs.all)))
    assert len(re.findall(r"\(reached\)", lines)) == 4
    assert lines.endswith("not counted: 1 run on digits, not MNIST")
