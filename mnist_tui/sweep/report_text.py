"""The report of a sweep as rows of text and as sentences."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from mnist_tui.analysis.comparison import SIGNIFICANT
from mnist_tui.analysis.statistics import Interval
from mnist_tui.runs.columns import data_warning
from mnist_tui.runs.record import Run
from mnist_tui.sweep.effects import Effect
from mnist_tui.sweep.plan import SweepPlan, in_words
from mnist_tui.sweep.report import Ranked, SweepReport
from mnist_tui.text import clean_line

BY = {"best": "the best epoch", "last": "the last epoch", "mean": "the mean of the last epochs"}
STATES = ("completed", "pruned", "diverged", "failed", "training", "interrupted", "stopped", "waiting")
"""States in the order in which they are named."""
TEST_WARNING = (
    "CHOSEN ON THE TEST IMAGES: the best of several is chosen by chance too, so its test accuracy is too high; "
    "measure the winner with new seeds, and say so where you report it."
)


def heading(report: SweepReport) -> str:
    """`sweep iter5: 27 of 27 runs done (2 failed)`."""
    others = state_words({state: count for state, count in report.states.items() if state != "completed"})
    more = f" ({', '.join(others)})" if others else ""
    return f"sweep {report.sweep.name}: {report.done:,} of {report.planned:,} runs done{more}"


def state_words(states: Mapping[str, int]) -> list[str]:
    """`2 training`, `13 waiting`: how many points are in each state, those of `STATES` first."""
    order = [*STATES, *(state for state in states if state not in STATES)]
    return [f"{states[state]:,} {state}" for state in order if states.get(state)]


def chosen_words(plan: SweepPlan, run: Run | None = None) -> str:
    """What the configurations are judged by; `run` is one of the sweep, which tells how many images there were."""
    data = data_warning(run) if run else ""
    more = f" These are {data}." if data else ""
    if plan.choose_on == "test":
        return TEST_WARNING + more
    count = (run and run.images("val")) or plan.validation_images
    return (
        f"Configurations are judged by {BY[plan.by]} on {count:,} validation images, split off the training images; "
        f"the test images are not used to choose.{more}"
    )


# --- the table ---


def table(report: SweepReport, limit: int | None = None) -> tuple[list[list[str]], list[bool]]:
    """Rows with headings, the best configuration first, and which columns are aligned to the right."""
    plan = report.sweep.plan
    on = "test acc" if plan.choose_on == "test" else "val acc"
    heads = ["rank", *plan.vary, "params", on, "95% interval", "seeds", "front"]
    rows = [_row(place, each, plan) for place, each in enumerate(report.ranked[:limit], start=1)]
    return [heads, *rows], [True, *[True] * len(plan.vary), True, True, False, True, True]


def _row(place: int, each: Ranked, plan: SweepPlan) -> list[str]:
    values = [each.values.get(path, "") for path in plan.vary]
    front = str(each.front) if each.front else ""
    accuracy = f"{each.accuracy:.2%}"
    seeds = str(len(each.accuracies))
    return [str(place), *values, f"{each.parameters:,}", accuracy, _interval_words(each.interval), seeds, front]


def _interval_words(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval[0]:.2%} to {interval[1]:.2%}"


# --- the effects ---


def effects_table(report: SweepReport) -> tuple[list[list[str]], list[bool]]:
    """A row for each effect, in points of accuracy."""
    heads = ["setting", "value", "against", "effect", "95% interval", ""]
    effects = report.effects.effects if report.effects else ()
    return [heads, *map(_effect_row, effects)], [False, True, True, True, False, False]


def _effect_row(effect: Effect) -> list[str]:
    interval, note = "-", ""
    if effect.interval is not None:
        low, high = (100 * end for end in effect.interval)
        interval = f"{low:+.2f} to {high:+.2f}"
        note = "" if low <= 0 <= high else "better" if low > 0 else "worse"
    return [effect.setting, effect.value, effect.against, f"{100 * effect.difference:+.2f}", interval, note]


def effects_sentences(report: SweepReport) -> Iterator[str]:
    """How the effects were found, and what they leave out."""
    effects = report.effects
    if effects is None:
        if report.sweep.plan.search:
            yield "A search tries what promises much, so it tells no effects of settings; a sweep with a design does."
        elif len(report.ranked) > 1:
            yield "Effects cannot be told yet: too few configurations are done, or settings changed only together."
        return
    noise = {
        "seeds": "the noise is that between seeds of one configuration",
        "model": "with one run each, what the effects leave over counts as noise; --seeds 3 would measure it",
        "": "noise cannot be measured, so there is no interval; train more seeds",
    }[effects.noise]
    yield f"Effects in points of accuracy, by least squares over all configurations; {noise}."
    if effects.interaction is not None and effects.interaction < SIGNIFICANT:
        yield (
            f"The settings do not act alone (lack of fit, p = {effects.interaction:.3f}): "
            "an effect depends on the others; read the table of configurations."
        )


# --- the best ---


def best_sentences(report: SweepReport) -> Iterator[str]:
    """Which configuration is the best, whether that can be told, and what to do next."""
    if not report.ranked:
        yield "No run has ended yet."
        return
    best = report.ranked[0]
    yield f"Best: {in_words(best.values)}, {best.accuracy:.2%} with {best.parameters:,} parameters."
    if len(report.ranked) > 1:
        yield _tie_words(report)
    if report.sweep.plan.choose_on == "validation" and best.test_accuracy is not None:
        count = len(best.runs)
        mean = f", the mean of {count} seeds" if count > 1 else ""
        yield f"Its test accuracy, looked at once, after choosing: {best.test_accuracy:.2%}{mean}."
    yield from _next_words(report, best)


def _tie_words(report: SweepReport) -> str:
    others = len(report.ranked) - 1
    if not report.is_tested:
        search = report.sweep.plan.search
        more = "train the first ones with several" if search and search.prune != "none" else "--seeds 3 adds them"
        return (
            "CANNOT TELL whether it is better than the others: that takes two seeds or more of each configuration; "
            f"{more}."
        )
    if not report.ties:
        few = "the other" if others == 1 else f"each of the other {others}"
        return f"It is better than {few} (Welch's t test, p by Holm below 0.05)."
    second = report.ties[0]
    which = "any" if len(report.ties) == others else f"{len(report.ties)}"
    return (
        f"CANNOT TELL it from {which} of the other {others}, such as {in_words(second.values)} with "
        f"{second.accuracy:.2%} (Welch's t test, p by Holm); take the smallest of them, or train more seeds."
    )


def _next_words(report: SweepReport, best: Ranked) -> Iterator[str]:
    plan, run = report.sweep.plan, best.runs[0]
    if plan.choose_on == "validation" and run.short_id:
        seed = plan.seed_range.stop
        yield (
            "To report it, train it on all training images with new seeds: "
            f"mnist-tui --batch {run.short_id} --set validation_images=0 --seed {seed} --seeds 5"
        )


def front_sentence(report: SweepReport) -> Iterator[str]:
    """The configurations on the front of parameters and accuracy, where sizes differ."""
    front = sorted((each for each in report.ranked if each.front), key=lambda each: each.parameters)
    if len({each.parameters for each in report.ranked}) > 1:
        parts = (f"{each.parameters:,} parameters {each.accuracy:.2%}" for each in front)
        yield f"Front, on which none as small is better: {'; '.join(parts)}."


def failed_lines(report: SweepReport) -> list[str]:
    """A line for each point without a result."""
    return [
        f"{each.state}: {clean_line(in_words(each.values), 100)} s{each.seed}: {clean_line(each.reason, 200)}"
        for each in report.failed
    ]


def sentences(report: SweepReport) -> list[str]:
    """What the report says beside its tables."""
    return [*best_sentences(report), *front_sentence(report)]


# --- all of it ---

Table = Callable[[Sequence[Sequence[str]], Sequence[bool]], list[str]]


def lines(report: SweepReport, make_table: Table, wrap: Callable[[str], list[str]], limit: int | None) -> Iterator[str]:
    """The whole report but its heading; `make_table` and `wrap` make lines of rows and of a sentence."""
    run = report.ranked[0].runs[0] if report.ranked else None
    yield from wrap(chosen_words(report.sweep.plan, run))
    yield ""
    if report.ranked:
        yield from make_table(*table(report, limit))
        if limit and len(report.ranked) > limit:
            yield f"and {len(report.ranked) - limit:,} more: mnist-tui sweep report {report.sweep.name} --limit N"
        yield ""
    if report.effects is not None:
        yield from make_table(*effects_table(report))
        yield ""
    for sentence in [*effects_sentences(report), *sentences(report)]:
        yield from wrap(sentence)
        yield ""
    yield from failed_lines(report)
