"""The section of a report on a course brief: what each step asks for, and the step of the report that reaches it."""

from collections.abc import Sequence

from mnist_tui.analysis.brief_progress import Attempt, StepProgress, assign
from mnist_tui.analysis.brief_text import attempt_words
from mnist_tui.report.model import BriefSection, BriefStep
from mnist_tui.runs.record import Run
from mnist_tui.spec.briefs import Brief
from mnist_tui.spec.recipe_words import target_words


def in_order_of(brief: Brief, runs: Sequence[Run]) -> list[Run]:
    """The runs in the order of the brief's steps, in each step by time."""
    return [run for each in assign(brief, runs) for run in each.runs]


def chosen_for(brief: Brief, runs: Sequence[Run]) -> list[Run]:
    """For each step the run that reaches it, with the other seeds of its recipe, or else the best attempt."""
    by_id: dict[str, Run] = {}
    for each in assign(brief, runs):
        if (attempt := _attempt(each)) is not None:
            seeds = [other.run for other in each.attempts if other.run.group == attempt.run.group]
            by_id |= {run.id: run for run in seeds}
    return list(by_id.values())


def make_brief_section(brief: Brief, runs: Sequence[Run]) -> BriefSection:
    """How far the runs of a report are with a brief."""
    return BriefSection(brief.title, brief.source, tuple(map(_make_step, assign(brief, runs))))


def _make_step(progress: StepProgress) -> BriefStep:
    attempt = _attempt(progress)
    return BriefStep(
        number=progress.number,
        name=progress.step.name,
        asked=progress.step.asked,
        target=target_words(progress.step.target),
        is_reached=progress.reached_by is not None,
        run=attempt.run.title if attempt else "",
        result=attempt_words(attempt) if attempt else "",
    )


def _attempt(progress: StepProgress) -> Attempt | None:
    return progress.reached_by or progress.best_attempt
