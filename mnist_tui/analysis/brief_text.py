"""A course brief and how far the runs are with it, as text and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from mnist_tui.analysis.brief_progress import Attempt, StepProgress
from mnist_tui.errors import PresetError
from mnist_tui.spec import presets
from mnist_tui.spec.briefs import Brief
from mnist_tui.spec.recipe import Target
from mnist_tui.spec.recipe_words import target_words
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line

INDENT = 13
"""Cells before the texts of a step; their names stand in front."""


def brief_lines(
    brief: Brief, progress: Sequence[StepProgress], not_counted: Mapping[str, int], width: int = 100
) -> list[str]:
    """Title and source, a paragraph for each step, and the runs that do not count; longer texts wrapped at `width`."""
    lines = [f"{clean_line(brief.name, 60)}: {brief.title}", *([f"source: {brief.source}"] if brief.source else [])]
    for each in progress:
        state = "reached" if each.reached_by is not None else "not reached"
        lines += ["", f"step {each.number} of {len(progress)}  {each.step.name} ({state})"]
        for name, text in _step_texts(each):
            first, *others = wrap(text, max(20, width - INDENT)) or [""]
            lines += [f"  {name:<{INDENT - 2}}{first}", *(" " * INDENT + line for line in others)]
    reasons = [f"{count} run{'s' if count > 1 else ''} {reason}" for reason, count in not_counted.items()]
    return [*lines, *(["", f"not counted: {', '.join(reasons)}"] if reasons else [])]


def _step_texts(progress: StepProgress) -> Iterator[tuple[str, str]]:
    step = progress.step
    yield "asked", step.asked
    yield "target", target_words(step.target)
    if step.preset is not None and (published := _published(step.preset)):
        yield "published", published
    if progress.reached_by is not None:
        yield "reached by", f"{progress.reached_by.run.id}: {attempt_words(progress.reached_by)}{_seeds(progress)}"
    elif progress.best_attempt is not None:
        yield "best run", f"{progress.best_attempt.run.id}: {attempt_words(progress.best_attempt)}{_seeds(progress)}"
    else:
        yield "best run", "none that counts has been trained"


def _published(preset: str) -> str:
    """What is published about a step's solution; "" for a preset that cannot be used."""
    try:
        spec: RunSpec = presets.load(preset)
    except PresetError:
        return ""
    reported = spec.reported
    accuracy = "" if reported is None or reported.accuracy is None else f", {reported.accuracy:.2%}"
    on = f" on {reported.measured_on}" if reported is not None and accuracy else ""
    return f"{preset}: {spec.parameters:,} parameters{accuracy}{on}"


def _seeds(progress: StepProgress) -> str:
    attempt = progress.reached_by or progress.best_attempt
    reaching, count = progress.seeds_of(attempt) if attempt is not None else (0, 0)
    return f"; {reaching} of {count} seeds reach it" if count > 1 else ""


def attempt_words(attempt: Attempt) -> str:
    """Accuracy, parameters and epochs of an attempt, each with what it is short of.

    As in `99.38% in the lowest of the last 3 epochs, 0.02 below; 7,074 parameters; 18 epochs, 3 too many`.
    """
    parameters, epochs = attempt.run.parameters, attempt.epochs
    counted = "unknown parameters" if parameters is None else f"{parameters:,} parameters"
    return "; ".join(
        [
            f"{_accuracy(attempt)}{_below(attempt)}",
            f"{counted}{_too_many(attempt, 'parameters')}",
            f"{epochs} epoch{'s' if epochs != 1 else ''}{_too_many(attempt, 'epochs')}",
        ]
    )


def shortfall_words(attempt: Attempt) -> str:
    """What an attempt is short of, in a few words: `0.02 below, parameters over by 1,074`."""
    over = {part: attempt.shortfalls.get(part) for part in ("parameters", "epochs")}
    words = (f", {part} over by {count:,.0f}" for part, count in over.items() if count)
    return "".join([_below(attempt), *words]).removeprefix(", ")


def percent(accuracy: float | None) -> str:
    """An accuracy in percent, with the decimals that tell two runs on 10,000 images apart; a mean may need a third."""
    if accuracy is None:
        return "-"
    return f"{accuracy:.2%}" if abs(accuracy - round(accuracy, 4)) < 1e-9 else f"{accuracy:.3%}"


def _accuracy(attempt: Attempt) -> str:
    if attempt.accuracy is None:
        return "no epoch finished"
    return f"{percent(attempt.accuracy)} {_which_epochs(attempt.target)}"


def _which_epochs(target: Target) -> str:
    """The epochs that an accuracy is of."""
    match target.last_epochs, target.rule:
        case None, _:
            return "in the best epoch"
        case 1, _:
            return "in the last epoch"
        case count, "mean":
            return f"as the mean of the last {count} epochs"
        case count, _:
            return f"in the lowest of the last {count} epochs"


def _below(attempt: Attempt) -> str:
    """`, 0.02 below`, in percentage points; "" for an accuracy that is high enough or not asked for."""
    shortfall, count = attempt.shortfalls.get("test_accuracy"), attempt.target.last_epochs or 1
    if shortfall is None or attempt.accuracy is None:
        return ""
    points = f", {100 * shortfall:.2f} below" if shortfall >= 5e-5 else f", {100 * shortfall:.4f} below"
    too_few = f", of {count} epochs only {attempt.epochs}" if attempt.epochs < count else ""
    return f"{points if shortfall else ''}{too_few}"


def _too_many(attempt: Attempt, part: str) -> str:
    count = attempt.shortfalls.get(part)
    return "" if not count else f", {count:,.0f} too many"


# --- JSON ---


def as_record(brief: Brief, progress: Sequence[StepProgress], not_counted: Mapping[str, int]) -> dict[str, Any]:
    """A brief and its progress as a JSON object; accuracies are fractions."""
    return {
        "name": brief.name,
        "title": brief.title,
        "source": brief.source,
        "steps": [_step_record(each) for each in progress],
        "not_counted": dict(not_counted),
    }


def _step_record(progress: StepProgress) -> dict[str, Any]:
    step = progress.step
    return {
        "number": progress.number,
        "name": step.name,
        "asked": step.asked,
        "target": step.target.model_dump(exclude_none=True),
        "preset": step.preset,
        "reached_by": _attempt_record(progress, progress.reached_by),
        "best_attempt": _attempt_record(progress, progress.best_attempt),
        "runs": [run.id for run in progress.runs],
    }


def _attempt_record(progress: StepProgress, attempt: Attempt | None) -> dict[str, Any] | None:
    if attempt is None:
        return None
    reaching, seeds = progress.seeds_of(attempt)
    return {
        "run": attempt.run.id,
        "accuracy": attempt.accuracy,
        "parameters": attempt.run.parameters,
        "epochs": attempt.epochs,
        "met": dict(attempt.parts),
        "missing": {part: round(amount, 9) for part, amount in attempt.shortfalls.items()},
        "seeds": seeds,
        "seeds_reaching": reaching,
    }
