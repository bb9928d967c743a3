"""Which run reaches which step of a course brief, and what the best attempt at a step is short of.

A run counts for a step if it has ended, was trained here on MNIST, and meets every part of the step's target, as
`runs.verdict` judges it. Everything follows from the brief and the runs: nothing is stored.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from mnist_tui.datasets.published import MNIST
from mnist_tui.runs import verdict
from mnist_tui.runs.record import ENDED, NO_RUN, OPEN, Run, observations
from mnist_tui.spec.briefs import Brief, Step
from mnist_tui.spec.recipe import Target

TEST_IMAGES = MNIST.test_images
"""MNIST's test images."""


@dataclass(frozen=True)
class Attempt:
    """A run, judged by the target of a step."""

    run: Run
    target: Target

    @cached_property
    def parts(self) -> Mapping[str, bool | None]:
        """For each part of the target whether the run meets it; None where that cannot be judged."""
        return verdict.judge(self.target, self.run.parameters, self.run.accuracies, is_judged=True)

    @property
    def is_reached(self) -> bool:
        """Whether the run meets every part."""
        return all(self.parts.values())

    @property
    def epochs(self) -> int:
        """The number of epochs done."""
        return len(self.run.accuracies)

    @cached_property
    def accuracy(self) -> float | None:
        """The test accuracy that the target asks about, without one that of the best epoch; None without an epoch.

        With fewer epochs than the target asks about, that of those there are.
        """
        count = self.target.last_epochs
        if count and self.epochs:
            judged = self.target.model_copy(update={"last_epochs": min(count, self.epochs)})
            return verdict.accuracy_for(judged, self.run.accuracies)
        return verdict.accuracy_for(self.target, self.run.accuracies)

    @cached_property
    def shortfalls(self) -> Mapping[str, float]:
        """By how much each part is missed: an accuracy as a fraction, parameters and epochs as numbers too many.

        0.0 for an accuracy that is high enough, but in fewer epochs than the target asks about.
        """
        by_how_much = {
            "test_accuracy": (self.target.test_accuracy or 0.0) - (self.accuracy or 0.0),
            "parameters": (self.run.parameters or 0) - (self.target.parameters or 0) + 1,
            "epochs": self.epochs - (self.target.epochs or 0),
        }
        return {part: max(0.0, by_how_much[part]) for part, is_met in self.parts.items() if is_met is not True}

    @property
    def distance(self) -> tuple[float, ...]:
        """Smaller for an attempt that is nearer to the step.

        Compared are the number of parts missed, then by how much accuracy, parameters and epochs are missed, then the
        accuracy itself.
        """
        by_how_much = (self.shortfalls.get(part, 0.0) for part in ("test_accuracy", "parameters", "epochs"))
        return (len(self.shortfalls), *by_how_much, -(self.accuracy or 0.0))


@dataclass(frozen=True)
class StepProgress:
    """A step and its runs, each list from the earliest run to the newest."""

    number: int
    """From 1."""
    step: Step
    runs: tuple[Run, ...]
    """The runs that belong to the step, also those that do not count: see `assign`."""
    attempts: tuple[Attempt, ...]
    """Every run that counts, judged by this step."""

    @cached_property
    def reached_by(self) -> Attempt | None:
        """The earliest attempt that reaches the step."""
        return next((attempt for attempt in self.attempts if attempt.is_reached), None)

    @cached_property
    def best_attempt(self) -> Attempt | None:
        """The attempt that is nearest to an unreached step; of equal ones the earliest."""
        if self.reached_by is not None:
            return None
        return min(self.attempts, key=lambda attempt: attempt.distance, default=None)

    def seeds_of(self, attempt: Attempt) -> tuple[int, int]:
        """How many seeds of the attempt's recipe reach the step, and how many there are; repeats are not counted."""
        by_id = {each.run.id: each for each in self.attempts}
        seeds = observations([each.run for each in self.attempts if each.run.group == attempt.run.group])
        return sum(by_id[run.id].is_reached for run in seeds), len(seeds)


def assign(brief: Brief, runs: Sequence[Run]) -> list[StepProgress]:
    """The steps of a brief with their runs.

    Each run belongs to one step: the last one that it reaches or, if that comes later, the first one that no earlier
    run had reached. So the runs that miss a step stand beside the one that reaches it. A run that reaches none once all
    are reached belongs to the last. Folders that hold no run are left out.
    """
    ordered = sorted((run for run in runs if run.is_run), key=lambda run: (run.created, run.id))
    attempts = {run.id: [Attempt(run, step.target) for step in brief.steps] for run in ordered if counts(run)}
    belonging: list[list[Run]] = [[] for _ in brief.steps]
    open_steps = set(range(len(brief.steps)))
    for run in ordered:
        reached = {index for index, attempt in enumerate(attempts.get(run.id, ())) if attempt.is_reached}
        candidates = [max(reached, default=None), min(open_steps, default=None)]
        belonging[max((index for index in candidates if index is not None), default=-1)].append(run)
        open_steps -= reached
    return [
        StepProgress(index + 1, step, tuple(belonging[index]), tuple(each[index] for each in attempts.values()))
        for index, step in enumerate(brief.steps)
    ]


def current_step(progress: Sequence[StepProgress]) -> StepProgress | None:
    """The first step that is not reached; None where all are."""
    return next((each for each in progress if each.reached_by is None), None)


def counts(run: Run) -> bool:
    """Whether a run counts for the steps whose target it meets."""
    return why_not_counted(run) is None


def why_not_counted(run: Run) -> str | None:
    """Why a run counts for no step, in a few words; None for one that counts."""
    if run.state in NO_RUN:
        return "no run"
    if run.state in OPEN:
        return "has not ended"
    if run.state not in ENDED:
        return f"{run.state}, not trained here"
    if run.dataset != MNIST.name:
        return f"on {run.dataset}, not MNIST" if run.dataset else "on unknown images"
    return None if run.data[2] == TEST_IMAGES else f"not on MNIST's {TEST_IMAGES:,} test images"


def not_counted(runs: Sequence[Run]) -> dict[str, int]:
    """How many runs count for no step, by the reason."""
    reasons = (why_not_counted(run) for run in runs if run.is_run)
    return dict(Counter(reason for reason in reasons if reason is not None))
