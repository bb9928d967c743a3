"""A run as facts for tables and comparisons, out of the files of its folder; slow ones are read when asked for.

Nothing in a file is believed to be of the right kind: a fact that is missing or wrong is None. No torch.
"""

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

from mnist_tui.errors import CallError, LayerError, SpecError, StorageError
from mnist_tui.runs.annotations import read_notes, read_tags
from mnist_tui.runs.events import EpochEnded, best_of
from mnist_tui.runs.storage import read_history
from mnist_tui.runs.verdict import Whole, whole
from mnist_tui.spec.calls import Call, Value, parse, parse_lines, resolve, signature
from mnist_tui.spec.catalog import OPTIMIZERS
from mnist_tui.spec.layers import LayerRow
from mnist_tui.spec.network import infer_shapes
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.spec.summary import layers_in_words
from mnist_tui.text import clean_line

T = TypeVar("T")

ENDED = ("completed", "stopped", "diverged", "failed")
"""How a run says that it ended; `training` and `interrupted` are the states of one that does not."""
NO_RUN = ("damaged", "half written", "newer format", "link", "no run")
"""The states of folders that hold no run that this version can read."""
VERSIONS = ("mnist-tui", "torch", "torchvision")
"""The packages whose versions may change a result."""
LAST_EPOCHS = 3
"""Epochs that the mean of the last ones is over, where the target does not say otherwise."""


@dataclass(frozen=True)
class Run:
    """A folder among the runs."""

    folder: Path
    state: str
    """One of `ENDED` or `NO_RUN`, or `training` or `interrupted`."""
    reason: str = ""
    """Why it ended, or what is wrong with it."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """run.json; {} where there is none."""
    end: Mapping[str, Any] = field(default_factory=dict)
    """end.json; {} where there is none."""

    @property
    def is_run(self) -> bool:
        """Whether it can be opened and compared."""
        return self.state not in NO_RUN

    @cached_property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    # --- what run.json says ---

    @cached_property
    def name(self) -> str:
        """The preset's name; of a folder that is no run, the folder's."""
        return clean_line(_get(self.record, str, "name") or self.folder.name, 100)

    @cached_property
    def created(self) -> str:
        """When it began, in UTC, as ISO 8601; "" where it is not known."""
        return clean_line(_get(self.record, str, "created") or "", 40)

    @property
    def seed(self) -> int | None:
        return _get(self.record, int, "seed")

    @cached_property
    def parameters(self) -> int | None:
        return _get(self.record, int, "parameters")

    @cached_property
    def dataset(self) -> str | None:
        """Of MNIST, or of the small digits: mnist, digits."""
        return _text(_get(self.record, str, "dataset", "name"))

    @property
    def data(self) -> tuple[str | None, str | None, int | None]:
        """What makes two results comparable: the data's name and SHA-256, and how many test images there are."""
        sha = _get(self.record, str, "dataset", "sha256")
        return self.dataset, sha, _get(self.record, int, "dataset", "test_images")

    @property
    def device(self) -> str | None:
        return _text(_get(self.record, str, "device_name") or _get(self.record, str, "device"))

    @property
    def extends(self) -> str | None:
        """The run that it goes on from, where it is an extension."""
        return _text(_get(self.record, str, "extends"))

    # --- what the recipe in it says ---

    @property
    def planned_epochs(self) -> int | None:
        return self._recipe(int, "epochs")

    @property
    def batch_size(self) -> int | None:
        return self._recipe(int, "batch_size")

    @property
    def optimizer(self) -> str | None:
        """Its name alone."""
        call = self._call("optimizer")
        return call.name if call else None

    @property
    def learning_rate(self) -> float | None:
        """The optimizer's; of a schedule the rate that it is a factor of."""
        call = self._call("optimizer")
        return _learning_rate(call, self.knobs) if call else None

    @property
    def scheduler(self) -> str | None:
        call = self._call("scheduler")
        return call.name if call else None

    @property
    def augmentation(self) -> str | None:
        """The names of the transforms; "none" where the training images are as they are."""
        calls = self._recipe(list, "augment")
        if calls is None:
            return None
        return ", ".join(clean_line(str(call).partition("(")[0], 40) for call in calls[:20]) or "none"

    @property
    def dropout(self) -> tuple[float, ...]:
        """The rates of the dropout layers, each once."""
        return _dropout_rates(self.layer_text, self.knobs)

    @property
    def layers(self) -> tuple[LayerRow, ...]:
        """The layer table; () where it cannot be read."""
        return _layer_rows(self.layer_text, self.knobs)

    @property
    def layer_kinds(self) -> str:
        """How many layers of each kind."""
        return layers_in_words(self.layers)

    @property
    def layer_text(self) -> str:
        """The layers as they were written."""
        return _get(self.record, str, "spec", "layers") or ""

    @property
    def knobs(self) -> tuple[tuple[str, float], ...]:
        """Names and numbers."""
        knobs = _get(self.record, dict, "spec", "knobs") or {}
        return tuple((name, value) for name, value in knobs.items() if isinstance(value, int | float))

    def section(self, name: str) -> Mapping[str, Any]:
        """A part of the spec that has parts of its own, such as `train`; {} where there is none."""
        return _get(self.record, dict, "spec", name) or {}

    def part(self, name: str) -> Mapping[str, Any]:
        """A part of run.json that has parts of its own, such as `versions`; {} where there is none."""
        return _get(self.record, dict, name) or {}

    def _recipe(self, kind: type[T], name: str) -> T | None:
        return _get(self.record, kind, "spec", "train", name)

    def _call(self, name: str) -> Call | None:
        return _parsed(self._recipe(str, name) or "")

    @cached_property
    def spec(self) -> RunSpec | None:
        """The whole spec, checked; None where this version cannot read it."""
        with suppress(SpecError, KeyError, TypeError):
            return make_spec(self.record["spec"])
        return None

    @cached_property
    def recipe(self) -> str:
        """Equal for runs that were set to do the same, but for the seed."""
        train = {name: value for name, value in self.section("train").items() if name != "seed"}
        return json.dumps([self.layer_text, self.knobs, train, self.name], sort_keys=True)

    @cached_property
    def group(self) -> Hashable:
        """Equal for completed runs of one recipe on the same data; a steered one is alone."""
        is_alone = self.is_steered or self.state != "completed"
        return self.recipe, self.data, self.id if is_alone else ""

    @cached_property
    def observation(self) -> Hashable:
        """Equal for runs that repeat one another: one recipe and seed, on the same data, device and versions.

        They draw the same random numbers, so together they say no more than one of them. A steered run repeats none.
        """
        versions = [str(self.part("versions").get(name)) for name in VERSIONS]
        device = f"{_get(self.record, str, 'device')}".partition(":")[0], self.device
        is_alone = self.is_steered or self.seed is None or not self.is_run
        return self.recipe, self.data, self.seed, device, *versions, self.id if is_alone else ""

    # --- what came out ---

    @cached_property
    def rows(self) -> list[EpochEnded]:
        """The epochs, in order; [] where the history cannot be read."""
        return self._history()

    @cached_property
    def accuracies(self) -> tuple[float, ...]:
        """The test accuracy of each epoch; much less to keep of ten thousand runs than their `rows`."""
        return tuple(row.test_accuracy for row in self._history())

    @property
    def has_accuracies(self) -> bool:
        """Whether `accuracies` were read already."""
        return "accuracies" in vars(self)

    def _history(self) -> list[EpochEnded]:
        if self.is_run:
            with suppress(StorageError):
                return read_history(self.folder)
        return []

    @cached_property
    def epochs(self) -> int:
        """Epochs done."""
        if self.end:
            return _get(self.end, int, "epochs") or 0
        return len(self.rows) if self.is_run else 0

    @cached_property
    def best(self) -> Mapping[str, Any]:
        """The best epoch, as a row of the history; {} before the first."""
        return self._row("best") or self._of(best_of(self.rows))

    @cached_property
    def last(self) -> Mapping[str, Any]:
        """The last epoch, as a row of the history; {} before the first."""
        return self._row("last") or self._of(self.rows[-1] if self.rows else None)

    def _row(self, name: str) -> Mapping[str, Any]:
        return _get(self.end, dict, name) or {}

    @staticmethod
    def _of(row: EpochEnded | None) -> Mapping[str, Any]:
        return {} if row is None else vars(row)

    @cached_property
    def best_accuracy(self) -> float | None:
        """On the test images, in the best epoch."""
        return _number(self.best.get("test_accuracy"))

    @property
    def best_epoch(self) -> int | None:
        return _get(self.best, int, "epoch")

    @cached_property
    def last_accuracy(self) -> float | None:
        return _number(self.last.get("test_accuracy"))

    @property
    def mean_of_last(self) -> float | None:
        """Of the test accuracies of the last epochs, as many as `last_epochs`; None where there are fewer."""
        found = self.accuracies[-self.last_epochs :]
        return fmean(found) if len(found) == self.last_epochs else None

    @property
    def last_epochs(self) -> int:
        """Last epochs that count: the target's, or `LAST_EPOCHS`."""
        count = _get(self.record, int, "spec", "target", "last_epochs") or LAST_EPOCHS
        return count if 1 <= count <= 10_000 else LAST_EPOCHS

    @property
    def measured_on(self) -> str | None:
        """What the accuracies were measured on, and what the best epoch was chosen on."""
        if not self.is_run:
            return None
        count = self.data[2]
        chosen = _get(self.end, str, "chosen_by") or ("validation" if self._has_validation else "test")
        on = {"test": "the test set", "validation": "the validation images"}.get(chosen, clean_line(chosen, 20))
        return f"{self.dataset} test{f' {count:,}' if count else ''}, best epoch chosen on {on}"

    @property
    def chosen_by(self) -> str:
        """On which images the best epoch is the best: validation, or test."""
        return "validation" if self._has_validation else "test"

    @property
    def _has_validation(self) -> bool:
        return bool(_get(self.record, int, "dataset", "val_images"))

    @property
    def gap(self) -> float | None:
        """Train − test accuracy in the last epoch: how much it overfits."""
        train, test = _number(self.last.get("train_accuracy")), self.last_accuracy
        return None if train is None or test is None else train - test

    @property
    def seconds(self) -> float | None:
        """Of training and evaluation, as the run counted them."""
        if self.end:
            return _number(self.end.get("seconds"))
        return sum(row.seconds for row in self.rows) if self.rows else None

    @cached_property
    def target_parts(self) -> Mapping[str, bool | None]:
        """Whether each part of the target is met, None where it is not judged; {} without one and before the end."""
        parts = _get(self.end, dict, "target") or {}
        if not self.epochs:
            parts = {part: met if part == "parameters" else None for part, met in parts.items()}
        return {str(part): met if isinstance(met, bool) else None for part, met in parts.items()}

    @cached_property
    def target_verdict(self) -> Whole | None:
        """The verdict on the target; None without a target and before the end."""
        return whole(self.target_parts) if self.target_parts else None

    @property
    def target_met(self) -> bool | None:
        """Whether every part of the target is met; None without a target, before the end, or where not judged."""
        return {"met": True, "MISSED": False}.get(self.target_verdict or "")

    @cached_property
    def is_steered(self) -> bool:
        """Whether somebody changed the learning rate by hand."""
        return self.last.get("steered") is True

    # --- what people added ---

    @cached_property
    def tags(self) -> tuple[str, ...]:
        return read_tags(self.folder) if self.is_run else ()

    @cached_property
    def note(self) -> str:
        """The first line of the analysis in notes.md."""
        if not self.is_run:
            return ""
        try:
            analysis = read_notes(self.folder).analysis.strip()
        except StorageError as error:
            return f"! {clean_line(str(error), 200)}"
        return clean_line(analysis.partition("\n")[0], 200)


def observations(runs: Sequence[Run]) -> list[Run]:
    """The runs without repeats: of those that repeat one another the newest, in the place of the first."""
    if len(runs) == 1:
        return list(runs)
    newest: dict[Hashable, Run] = {}
    for run in runs:
        known = newest.get(run.observation, run)
        newest[run.observation] = max(known, run, key=lambda each: (each.created, each.id))
    return list(newest.values())


def _text(value: str | None) -> str | None:
    return None if value is None else clean_line(value, 100)


def _get(document: Any, kind: type[T], *path: str) -> T | None:
    """What stands at a path of nested objects, if it is of the kind that it should be."""
    for name in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    is_right = isinstance(document, kind) and not (kind is int and isinstance(document, bool))
    return document if is_right else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


# Many runs share their recipes: what is read out of a text is kept by the text.


@lru_cache(maxsize=20_000)
def _parsed(text: str) -> Call | None:
    with suppress(CallError):
        return parse(text)
    return None


@lru_cache(maxsize=20_000)
def _learning_rate(call: Call, knobs: tuple[tuple[str, float], ...]) -> float | None:
    given = call.args[0] if call.args else dict(call.kwargs).get("lr")
    if given is None and call.name in OPTIMIZERS:
        given = signature(OPTIMIZERS[call.name]).parameters["lr"].default
    with suppress(CallError):
        return _number(resolve(given, dict(knobs)))
    return None


@lru_cache(maxsize=20_000)
def _calls(layers: str) -> tuple[Call, ...]:
    with suppress(CallError):
        return parse_lines(layers)
    return ()


@lru_cache(maxsize=20_000)
def _dropout_rates(layers: str, knobs: tuple[tuple[str, float], ...]) -> tuple[float, ...]:
    rates: set[float] = set()
    for call in _calls(layers):
        if "Dropout" in call.name:
            given: Value = call.args[0] if call.args else dict(call.kwargs).get("p", 0.5)
            with suppress(CallError):
                rates |= {rate for rate in [_number(resolve(given, dict(knobs)))] if rate is not None}
    return tuple(sorted(rates))


@lru_cache(maxsize=2_000)
def _layer_rows(layers: str, knobs: tuple[tuple[str, float], ...]) -> tuple[LayerRow, ...]:
    with suppress(CallError, LayerError, SpecError):
        return infer_shapes(_calls(layers), dict(knobs))
    return ()
