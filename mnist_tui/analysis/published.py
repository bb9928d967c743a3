"""What the authors of presets published beside what the reference runs reached, measured on the same images. No torch.

A figure that was measured on the augmented training images (iter1 to iter7) is held against the accuracy over the
epoch's training batches, which those authors printed too; every other figure against the best epoch on the test images.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from mnist_tui.runs import reference
from mnist_tui.runs.folders import reference_names
from mnist_tui.runs.index import read_runs
from mnist_tui.runs.numbers import fraction
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run, observations
from mnist_tui.runs.spec_text import numeric_knobs, recipe_key
from mnist_tui.spec.recipe import Reported
from mnist_tui.spec.run_spec import RunSpec

Images = Literal["test", "train"]
RECORD_KEYS = (
    *("images", "published", "mean", "low", "high", "is_reached"),
    *("last_mean", "last_low", "last_high", "seeds"),
)


@dataclass(frozen=True)
class Spread:
    """An accuracy over seeds, as fractions."""

    mean: float
    low: float
    high: float

    @property
    def range_text(self) -> str:
        """`99.31–99.40`, in percent; "" where all seeds are equal."""
        return "" if self.low == self.high else f"{100 * self.low:.2f}–{100 * self.high:.2f}"


@dataclass(frozen=True)
class Replication:
    """A preset with its reference runs: published figures, trained for again by another program, this one."""

    spec: RunSpec
    runs: tuple[Run, ...]
    """By seed; () where it was not trained yet."""

    @property
    def images(self) -> Images:
        """The images that the published figure was measured on, and ours beside it."""
        reported = self.spec.reported or Reported()
        return "test" if reported.is_on_test_images or reported.train_accuracy is None else "train"

    @property
    def published(self) -> float | None:
        """The published figure on `images`, a fraction: on training images that over an epoch's batches."""
        reported = self.spec.reported or Reported()
        if self.images == "train":
            return reported.train_accuracy
        return reported.accuracy if reported.is_on_test_images else None

    @property
    def ours(self) -> Spread | None:
        """Our accuracy on `images` in the best epoch, as published; in the last where nothing was published."""
        if self.published is None:
            return self.last
        return _spread(map(_best_on_test if self.images == "test" else _best_on_train, self.runs))

    @property
    def last(self) -> Spread | None:
        """Our accuracy on the test images in the last epoch."""
        return _spread(run.last_accuracy for run in self.runs)

    @property
    def seeds(self) -> list[int]:
        """The seeds of the runs."""
        return [run.seed for run in self.runs if run.seed is not None]

    @property
    def is_reached(self) -> bool | None:
        """Whether any seed reaches the published figure; None without one of the two."""
        return None if self.ours is None or self.published is None else self.ours.high >= self.published


def reference_runs() -> list[Run]:
    """Every reference run, the newest first."""
    return read_runs(reference.runs_dir())


def reference_runs_of(preset: str) -> list[Run]:
    """The reference runs of one preset's name; the others are not read."""
    return [read_run(reference.runs_dir() / name) for name in reference_names(preset)]


def replications(specs: Iterable[RunSpec], runs: Sequence[Run]) -> list[Replication]:
    """Each preset with those of the runs that were trained by its recipe as it is now."""
    by_recipe: dict[str, list[Run]] = {}
    for run in runs:
        if run.state == "completed" and run.is_judged:
            by_recipe.setdefault(run.recipe, []).append(run)
    return [Replication(spec, _by_seed(by_recipe.get(recipe_of(spec), ()))) for spec in specs]


def recipe_of(spec: RunSpec) -> str:
    """The `Run.recipe` of a run of this spec: equal for specs that differ in nothing but the seed."""
    train = spec.model_dump(mode="json")["train"]
    return recipe_key(spec.name, spec.layers, numeric_knobs(spec.knobs), train)


def _by_seed(runs: Sequence[Run]) -> tuple[Run, ...]:
    return tuple(sorted(observations(runs), key=lambda run: run.seed or 0))


def _best_on_test(run: Run) -> float | None:
    """The highest accuracy on the test images, also where validation images choose the best epoch."""
    return run.best_accuracy if run.chosen_by == "test" else max(run.accuracies, default=None)


def _best_on_train(run: Run) -> float | None:
    return max((value for row in run.rows if (value := fraction(row.train_accuracy)) is not None), default=None)


def _spread(values: Iterable[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread(fmean(known), min(known), max(known)) if known else None


# --- as rows and records ---

HEADS = ("name", "published", "on", "ours", "seeds' range", "reached", "ours, last", "seeds' range", "seeds")
IS_RIGHT = (False, True, False, True, True, False, True, True, True)
EXPLAINED = (
    "on: test, the 10,000 test images, best epoch; train, the augmented training images, over the batches of an epoch.",
    "ours, last: on the test images in the last epoch. Ours are means over the seeds.",
)


def table_row(each: Replication) -> list[str]:
    """The texts under `HEADS`."""
    ours, last = each.ours, each.last
    return [
        each.spec.name,
        percent(each.published),
        each.images if each.published is not None else "",
        percent(ours.mean if ours else None),
        ours.range_text if ours else "",
        {True: "yes", False: "no", None: ""}[each.is_reached],
        percent(last.mean if last else None),
        last.range_text if last else "",
        str(len(each.runs)) if each.runs else "not trained yet",
    ]


def percent(value: float | None) -> str:
    """`99.40%`; "" for None."""
    return "" if value is None else f"{value:.2%}"


def as_record(each: Replication) -> Mapping[str, Any]:
    """The values under `RECORD_KEYS`."""
    return {
        "images": each.images,
        "published": each.published,
        **_spread_record("", each.ours),
        "is_reached": each.is_reached,
        **_spread_record("last_", each.last),
        "seeds": each.seeds,
    }


def _spread_record(prefix: str, spread: Spread | None) -> dict[str, float | None]:
    return {f"{prefix}{name}": getattr(spread, name, None) for name in ("mean", "low", "high")}
