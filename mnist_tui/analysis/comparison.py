"""Comparisons of runs: whether their results differ by more than noise, and which runs must not be compared.

An arm is one run, or several seeds of one recipe; repeats of a seed count as one observation. The statistics are
scipy's.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from statistics import fmean
from typing import Literal

from mnist_tui.analysis import statistics
from mnist_tui.analysis.saved_predictions import check_same_images, read_predictions
from mnist_tui.analysis.statistics import Interval, Paired, Unpaired
from mnist_tui.errors import StorageError
from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.history import TIMINGS
from mnist_tui.runs.record import Run, observations
from mnist_tui.table import cut_apart

Measure = Literal["best", "last", "mean"]
MEASURES: dict[Measure, str] = {
    "best": "test accuracy of the best epoch",
    "last": "test accuracy of the last epoch",
    "mean": "mean test accuracy of the last epochs",
}
TITLE_CELLS = 60
"""Most cells of the title of a run."""
SIGNIFICANT = 0.05
"""The p value below which a difference is reported: without one, one comparison in twenty falls below it."""


@dataclass(frozen=True)
class Arm:
    """One run, or several seeds of one recipe."""

    label: str
    runs: tuple[Run, ...]
    """One run for each observation."""
    repeats: tuple[Run, ...] = ()
    """Older runs that those in `runs` repeat; they are not counted."""

    @property
    def is_imported(self) -> bool:
        """Whether it is the log of another program, which is shown beside the others but not judged with them."""
        return self.runs[0].is_imported

    def values(self, measure: Measure) -> list[float]:
        """The accuracies of its runs, as fractions; runs without one are left out."""
        return [value for run in self.runs if (value := value_of(run, measure)) is not None]

    def mean(self, measure: Measure) -> float | None:
        """The mean accuracy over its seeds; None without any."""
        values = self.values(measure)
        return fmean(values) if values else None

    def interval(self, measure: Measure) -> Interval | None:
        """The 95% interval of the mean over all seeds; of one run that of its accuracy over all images of this kind.

        None where it cannot be told: without an accuracy, and for seeds that are all equal.
        """
        values = self.values(measure)
        if len(values) > 1:
            return statistics.mean_interval(values)
        images = self.runs[0].data[2]
        if not values or not images or measure == "mean":
            return None
        return statistics.wilson(round(values[0] * images), images)


def value_of(run: Run, measure: Measure) -> float | None:
    """The accuracy of a run, as a fraction."""
    match measure:
        case "best":
            return run.best_accuracy
        case "last":
            return run.last_accuracy
        case "mean":
            return run.mean_of_last


def labelled(groups: Sequence[Sequence[Run]]) -> list[Arm]:
    """Arms with distinct labels: the name, the seed of a single run, and the end of the folder's name where needed."""
    arms = [_arm(runs) for runs in groups]
    count = Counter(arm.label for arm in arms)
    return [replace(arm, label=f"{arm.label} {arm.runs[0].id[-4:]}") if count[arm.label] > 1 else arm for arm in arms]


def distinct_titles(runs: Sequence[Run]) -> list[str]:
    """The name and seed of each run, safe to show, with the end of its folder's name where several have the same."""
    labels = [arm.label for arm in labelled([[run] for run in runs])]
    shown = cut_apart(labels, TITLE_CELLS)
    return [shown[label] for label in labels]


def _arm(runs: Sequence[Run]) -> Arm:
    counted = observations(runs)
    return Arm(_label(counted), tuple(counted), tuple(run for run in runs if run not in counted))


def _label(runs: Sequence[Run]) -> str:
    run = runs[0]
    if len(runs) == 1:
        return run.title
    return f"{run.name} ×{len(runs)}{' (reference)' if run.is_reference else ''}"


def refusals(arms: Sequence[Arm], measure: Measure) -> list[str]:
    """The reasons why arms must not be compared, a sentence each; [] where they may be.

    An imported log is never a reason: it is shown beside the others, and `compare` says why it is not judged.
    """
    reasons = []
    runs = [run for arm in arms for run in arm.runs]
    for run in runs:
        if not run.is_run:
            reasons.append(f"{run.id}: {run.state}: {run.reason}")
        elif value_of(run, measure) is None and not run.is_imported:
            reasons.append(f"{run.id} has no {MEASURES[measure]}: {run.epochs} epochs are done")
    reasons += _find_shared_runs(arms)
    if reasons:
        return list(dict.fromkeys(reasons))
    runs = [arm.runs[0] for arm in arms if not arm.is_imported]  # The seeds of an arm are all alike in this.
    for run in runs[1:]:
        first = runs[0]
        if run.data != first.data:
            reasons.append(
                f"{_data(first)} and {_data(run)}: other images give other accuracies; they are not compared"
            )
        elif measure == "best" and run.chosen_by != first.chosen_by:
            reasons.append(
                f"the best epoch of {first.title} was chosen on the {first.chosen_by} images, that of {run.title} on "
                f"the {run.chosen_by} images: choosing on the test images flatters; compare the last epochs"
            )
    return list(dict.fromkeys(reasons))


def _find_shared_runs(arms: Sequence[Arm]) -> Iterator[str]:
    """Yields a sentence for two arms that share runs, or repeats of one seed; two single runs may repeat each other."""
    for one, other in combinations(arms, 2):
        by_observation = {run.observation: run for run in other.runs}
        pairs = [(run, by_observation[run.observation]) for run in one.runs if run.observation in by_observation]
        if same := [run.id for run, twin in pairs if run.id == twin.id]:
            more = f" and {len(same) - 3} more" if len(same) > 3 else ""
            yield f"{', '.join(same[:3])}{more}: on both arms; name two different runs, presets or filters"
        elif pairs and not is_repeat(one, other):
            run, twin = pairs[0]
            yield f"{run.id} and {twin.id} are {REPEATS}, so they cannot be on two arms"


REPEATS = "repeats of one seed (same recipe, data, device and versions)"


def is_repeat(one: Arm, other: Arm) -> bool:
    """Whether both arms are single runs of which one repeats the other."""
    return len(one.runs) == len(other.runs) == 1 and one.runs[0].observation == other.runs[0].observation


def _data(run: Run) -> str:
    name, sha, images = run.data
    return f"{run.title} was tested on {images or 'unknown'} images of {name or 'unknown'} ({(sha or '?')[:8]})"


@dataclass(frozen=True)
class Verdict:
    """The outcome of comparing two arms."""

    sentence: str
    better: str | None
    """The label of the better arm; None where the difference may be noise."""
    test: Paired | Unpaired | None
    p: float | None
    """The p value that is judged: adjusted by Holm's method where several comparisons are made at once."""


def compare(arms: Sequence[Arm], measure: Measure) -> list[Verdict]:
    """Compares the first arm with each of the others; call it only where `refusals` returns nothing."""
    tests = [_run_test(arms[0], arm, measure) for arm in arms[1:]]
    adjusted = holm([None if test is None else test.p for test in tests])
    pairs = zip(arms[1:], tests, adjusted, strict=True)
    return [_verdict(arms[0], arm, test, p, measure, len(tests)) for arm, test, p in pairs]


def _run_test(first: Arm, second: Arm, measure: Measure) -> Paired | Unpaired | None:
    if is_repeat(first, second) or first.is_imported or second.is_imported:
        return None
    if len(first.runs) == len(second.runs) == 1:
        return paired(first.runs[0], second.runs[0]) if measure == "best" else None
    return statistics.welch(first.values(measure), second.values(measure))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """The p values adjusted for several comparisons, so that the chance of any false difference stays that of one.

    Holm, Scandinavian Journal of Statistics 6 (1979) 65.
    """
    known = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[index] = largest
    return adjusted


def paired(first: Run, second: Run) -> Paired | None:
    """McNemar's test on the answers of two runs' best epochs; None where they are not stored, or of other images."""
    try:
        one, two = read_predictions(first.folder), read_predictions(second.folder)
        check_same_images(one, two)
    except StorageError:
        return None
    return statistics.mcnemar(one.is_right.tolist(), two.is_right.tolist())


# --- sentences ---


def _verdict(
    first: Arm, second: Arm, test: Paired | Unpaired | None, p: float | None, measure: Measure, count: int
) -> Verdict:
    several = f" (p for {count} comparisons at once, by Holm)" if count > 1 and p is not None else ""
    match test:
        case Paired():
            sentence, better = _paired_words(first, second, test, p or 0.0)
        case Unpaired():
            sentence, better = _unpaired_words(first, second, test, p, measure)
        case _ if first.is_imported or second.is_imported:
            sentence, better = _imported_words(first, second, measure), None
        case _ if is_repeat(first, second):
            sentence, better = _repeat_words(first, second), None
        case _:
            sentence, better = _untested_words(first, second, measure), None
    return Verdict(sentence + several, better, test, p)


def _paired_words(first: Arm, second: Arm, test: Paired, p: float) -> tuple[str, str | None]:
    counts = (
        f"{second.label} is right on {test.only_second} test images that {first.label} misses, "
        f"and misses {test.only_first} that {first.label} has right"
    )
    if test.only_first == test.only_second or p >= SIGNIFICANT:
        return f"Cannot tell: {counts}; {_chance(p)} if both were equally good (exact McNemar).", None
    better = second if test.only_second > test.only_first else first
    return (
        f"{better.label} is better on these images: {counts}; {_chance(p)} if both were equally good (exact McNemar). "
        "That holds for these two trained networks; other seeds may come out otherwise.",
        better.label,
    )


def _unpaired_words(
    first: Arm, second: Arm, test: Unpaired, p: float | None, measure: Measure
) -> tuple[str, str | None]:
    higher, lower = (second, first) if test.difference > 0 else (first, second)
    means = " against ".join(f"{_percent(arm.mean(measure))} of {arm.label}" for arm in (higher, lower))
    points = f"{100 * abs(test.difference):.2f} points"
    if p is None or test.interval is None:
        return f"Cannot tell: {means}; both arms need two seeds or more, and some spread.", None
    low, high = sorted(100 * (end if test.difference > 0 else -end) for end in test.interval)
    facts = f"{means}, 95% interval of the difference {low:+.2f} to {high:+.2f} points; {_chance(p)} (Welch's t)"
    if p >= SIGNIFICANT:
        needed = f" About {test.seeds_needed:,} seeds each would be needed to tell." if test.seeds_needed else ""
        return f"Cannot tell: the difference of {points} may be noise: {facts}.{needed}", None
    return f"{higher.label} is better by {points}: {facts}.", higher.label


def _repeat_words(first: Arm, second: Arm) -> str:
    """A sentence on two repeats: whether their numbers are the same."""
    rows = [[_numbers(row) for row in arm.runs[0].rows] for arm in (first, second)]
    epochs = min(map(len, rows))
    same = next((n for n, pair in enumerate(zip(*rows, strict=False)) if pair[0] != pair[1]), epochs)
    what = f"{first.label} and {second.label} are {REPEATS}"
    if same == epochs:
        return f"Nothing to compare: {what}, with the same numbers in every epoch that both have."
    threads = [arm.runs[0].record.get("threads") for arm in (first, second)]
    why = f" ({threads[0]} and {threads[1]} threads round differently)" if threads[0] != threads[1] else ""
    return (
        f"Nothing to compare: {what}; their numbers differ from epoch {same + 1} on{why}. "
        "They count as one observation; train other seeds to compare recipes."
    )


def _numbers(row: EpochEnded) -> Hashable:
    """The values of a row but for its timings, to compare repeats by."""
    return tuple((name, repr(value)) for name, value in asdict(row).items() if name not in TIMINGS)


def _imported_words(first: Arm, second: Arm, measure: Measure) -> str:
    """A sentence on a pair with an imported log: both accuracies, and why they are not judged."""
    means = " and ".join(f"{_percent(arm.mean(measure))} of {arm.label}" for arm in (second, first))
    logs = {arm.label: arm.runs[0].measured_on for arm in (first, second) if arm.is_imported}
    measured = "; ".join(f"{label} was measured on {words or 'unknown images'}" for label, words in logs.items())
    return f"Not judged: {means}; {measured}, by another program."


def _untested_words(first: Arm, second: Arm, measure: Measure) -> str:
    means = " against ".join(f"{_percent(arm.mean(measure))} of {arm.label}" for arm in (second, first))
    advice = (
        "these runs store no answers to the same images"
        if measure == "best"
        else "the answers are stored for the best epoch alone"
    )
    return f"Cannot tell: {means}, one run each, and {advice}; train each with several seeds."


def _chance(p: float) -> str:
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
