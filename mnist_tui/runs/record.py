"""A run as facts for tables and comparisons; what is slow to read is read on first use.

No file is trusted: a fact that is missing or of the wrong type is None. Training needs more than that:
`storage.load_run` refuses a run of which anything is wrong. No torch.
"""

from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

from pydantic import ValidationError

from mnist_tui.datasets.published import PUBLISHED
from mnist_tui.datasets.record import DataSet, OwnFolder
from mnist_tui.errors import SpecError, StorageError
from mnist_tui.runs import reference, spec_text
from mnist_tui.runs.annotations import read_notes, read_tags
from mnist_tui.runs.events import EpochEnded, accuracies_of, best_of
from mnist_tui.runs.history import read_history
from mnist_tui.runs.numbers import count, finite_number, fraction
from mnist_tui.runs.spec_text import Knobs
from mnist_tui.runs.verdict import Whole, whole
from mnist_tui.spec.calls import Call
from mnist_tui.spec.data_spec import ON_MNIST, SAVED, DataSpec
from mnist_tui.spec.layers import LayerRow
from mnist_tui.spec.run_spec import RunSpec, make_saved_spec
from mnist_tui.spec.summary import layers_in_words
from mnist_tui.text import clean_line

T = TypeVar("T")

ENDED = ("completed", "stopped", "diverged", "failed")
"""The states of runs that have ended, as end.json says."""
OPEN = ("training", "interrupted")
"""The states of runs that have not ended."""
RESUMABLE = ("interrupted", "stopped", "failed")
"""The states of runs whose recipe is not done and that can go on."""
IMPORTED = "imported"
"""The state of the log of another program: curves without a network, a recipe or weights (imported.py)."""
NO_RUN = ("damaged", "half written", "newer format", "link", "no run")
"""The states of folders that hold no run that this version can read."""
VERSIONS = ("mnist-tui", "torch", "torchvision")
"""The packages whose versions may change a result."""
LAST_EPOCHS = 3
"""The number of last epochs that are averaged, where the target does not say otherwise."""


@dataclass(frozen=True)
class Run:
    """A folder among the runs."""

    folder: Path
    state: str
    """One of `ENDED`, `OPEN`, `IMPORTED` or `NO_RUN`."""
    reason: str = ""
    """Why it ended, or what is wrong with it."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """run.json; {} where there is none."""
    end: Mapping[str, Any] = field(default_factory=dict)
    """end.json; {} where there is none."""
    short_id: str = field(default="", compare=False)
    """The shortest end of its name that no other run of the runs directory has; "" where the others are not known."""

    @property
    def is_run(self) -> bool:
        """Whether it can be opened and compared."""
        return self.state not in NO_RUN

    @property
    def is_imported(self) -> bool:
        """Whether it is the log of another program, which can be drawn beside other runs but not judged with them."""
        return self.state == IMPORTED

    @cached_property
    def is_reference(self) -> bool:
        """Whether it was shipped with the program: read-only, and without weights (reference.py)."""
        return reference.is_reference(self.folder)

    @cached_property
    def id(self) -> str:
        """The folder's name; of a reference run `reference/NAME`, which every command takes too."""
        return f"{reference.PREFIX}{self.folder.name}" if self.is_reference else self.folder.name

    # --- what run.json says ---

    @property
    def title(self) -> str:
        """Name and seed, `iter5 s0 (reference)`; of an imported log, whose seed is unknown, `S7 (imported)`.

        With `validation`, where the log tells nothing of test images, so that its validation accuracy stands for it.
        """
        if not self.is_imported:
            return f"{self.name} s{self.seed}{' (reference)' if self.is_reference else ''}"
        return f"{self.name} (imported{'' if self._is_tested else ', validation'})"

    @cached_property
    def name(self) -> str:
        """The preset's name; of a folder that is no run, the folder's."""
        return clean_line(_get(self.record, str, "name") or self.folder.name, 100)

    @cached_property
    def created(self) -> str:
        """The time it began, in UTC, as ISO 8601; "" where it is not known."""
        return clean_line(_get(self.record, str, "created") or "", 40)

    @property
    def seed(self) -> int | None:
        return _get(self.record, int, "seed")

    @cached_property
    def parameters(self) -> int | None:
        return _get(self.record, int, "parameters")

    @cached_property
    def dataset(self) -> str | None:
        """Name of the data set, such as mnist; digits also where they stood in for it."""
        return _text(_get(self.record, str, "dataset", "name"))

    @cached_property
    def data_spec(self) -> DataSpec:
        """The data set that its spec names; MNIST where it names none, or one that this version does not know."""
        data = _get(self.record, dict, "spec", "data")
        with suppress(SpecError, ValidationError):
            return ON_MNIST if data is None else DataSpec.model_validate(data, context=SAVED)
        return ON_MNIST

    @property
    def dataset_record(self) -> DataSet:
        """Shape and classes of its images; those of MNIST where the data set is not known."""
        return PUBLISHED.get(self.dataset or "") or self.data_spec.dataset

    @property
    def own_folder(self) -> OwnFolder | None:
        """The folder of images that it was trained on; None for a published data set."""
        folder = self.data_spec.folder
        return OwnFolder(self.data_spec.dataset, folder) if folder is not None else None

    @property
    def target_data(self) -> str:
        """The name of the data set that its target is of."""
        return self.data_spec.target_data

    @property
    def is_judged(self) -> bool:
        """Whether its accuracies are of the data set that its target is of."""
        return self.dataset == self.target_data

    @property
    def data(self) -> tuple[str | None, str | None, int | None]:
        """Name and SHA-256 of the data set, and its number of test images: equal where two results can be compared."""
        sha = _get(self.record, str, "dataset", "sha256")
        return self.dataset, sha, self.images("test")

    def images(self, part: str) -> int | None:
        """The number of train, val or test images; None where it is not known."""
        return _get(self.record, int, "dataset", f"{part}_images")

    @property
    def device(self) -> str | None:
        return _text(_get(self.record, str, "device_name") or _get(self.record, str, "device"))

    @property
    def extends(self) -> str | None:
        """The id of the run that this one extends; None where it began from its seed."""
        return _text(_get(self.record, str, "extends"))

    @property
    def reproduces(self) -> str | None:
        """The id of the run that this one was trained to reproduce; None for most runs."""
        return _text(_get(self.record, str, "reproduces"))

    @property
    def sweep(self) -> str | None:
        """The name of the sweep that it belongs to, and what was varied: `iter5: optimizer.lr 0.01`; None for most."""
        name, values = _get(self.record, str, "sweep", "name"), _get(self.record, dict, "sweep", "values")
        if name is None:
            return None
        return clean_line(f"{name}: {', '.join(f'{path} {text}' for path, text in (values or {}).items())}", 200)

    # --- what the recipe in it says ---

    @property
    def planned_epochs(self) -> int | None:
        return self._recipe(int, "epochs")

    @property
    def batch_size(self) -> int | None:
        return self._recipe(int, "batch_size")

    @property
    def optimizer(self) -> str | None:
        """The optimizer's name, without its arguments."""
        call = self._call("optimizer")
        return call.name if call else None

    @property
    def learning_rate(self) -> float | None:
        """The optimizer's base learning rate."""
        call = self._call("optimizer")
        return spec_text.learning_rate(call, self.knobs) if call else None

    @property
    def scheduler(self) -> str | None:
        call = self._call("scheduler")
        return call.name if call else None

    @property
    def augmentation(self) -> str | None:
        """The names of the transforms; "none" without any."""
        calls = self._recipe(list, "augment")
        if calls is None:
            return None
        return ", ".join(clean_line(str(call).partition("(")[0], 40) for call in calls[:20]) or "none"

    @property
    def dropout(self) -> tuple[float, ...]:
        """The rates of the dropout layers, each once."""
        return spec_text.dropout_rates(self.layer_text, self.knobs)

    @property
    def layers(self) -> tuple[LayerRow, ...]:
        """The layer table; () where it cannot be read."""
        return spec_text.layer_rows(self.layer_text, self.knobs, self.dataset_record.shape)

    @property
    def layer_types(self) -> str:
        """The number of layers of each type, in words."""
        return layers_in_words(self.layers)

    @property
    def layer_text(self) -> str:
        """The text of the layers, as it was written."""
        return _get(self.record, str, "spec", "layers") or ""

    @property
    def knobs(self) -> Knobs:
        """Names and values of the knobs."""
        return spec_text.numeric_knobs(_get(self.record, dict, "spec", "knobs") or {})

    def section(self, name: str) -> Mapping[str, Any]:
        """A table of the spec, such as `train`; {} where there is none."""
        return _get(self.record, dict, "spec", name) or {}

    def part(self, name: str) -> Mapping[str, Any]:
        """An object in run.json, such as `versions`; {} where there is none."""
        return _get(self.record, dict, name) or {}

    def _recipe(self, value_type: type[T], name: str) -> T | None:
        return _get(self.record, value_type, "spec", "train", name)

    def _call(self, name: str) -> Call | None:
        return spec_text.parse_call(self._recipe(str, name) or "")

    @cached_property
    def spec(self) -> RunSpec | None:
        """The validated spec; None where this version cannot read it."""
        with suppress(SpecError, KeyError, TypeError):
            return make_saved_spec(self.record["spec"])
        return None

    @cached_property
    def recipe(self) -> str:
        """A key that is equal for runs whose specs differ in nothing but the seed."""
        return spec_text.recipe_key(self.name, self.layer_text, self.knobs, self.section("train"))

    @cached_property
    def group(self) -> Hashable:
        """A key that is equal for completed runs of one recipe on the same data, reference runs apart from others;
        one whose learning rate was changed by hand has a key of its own.
        """
        is_alone = self.is_rate_changed or self.state != "completed"
        return self.recipe, self.data, self.is_reference, self.id if is_alone else ""

    @cached_property
    def observation(self) -> Hashable:
        """A key that is equal for repeats: runs of one recipe and seed, on the same data, device and versions.

        They draw the same random numbers, so together they count as one observation. A run whose learning
        rate was changed by hand is no repeat.
        """
        versions = [str(self.part("versions").get(name)) for name in VERSIONS]
        device = f"{_get(self.record, str, 'device')}".partition(":")[0], self.device
        is_alone = self.is_rate_changed or self.seed is None or not self.is_run
        return self.recipe, self.data, self.seed, device, *versions, self.id if is_alone else ""

    # --- what came out ---

    @cached_property
    def rows(self) -> list[EpochEnded]:
        """The epochs, in order; [] where the history cannot be read."""
        return self._read_history()

    @cached_property
    def accuracies(self) -> tuple[float, ...]:
        """The test accuracy of each epoch; takes much less memory than `rows`, for tables of ten thousand runs.

        Of an imported log without test figures, its validation accuracies; epochs without either are left out.
        """
        return tuple(accuracies_of(self.rows if "rows" in vars(self) else self._read_history()))

    @property
    def has_accuracies(self) -> bool:
        """Whether `accuracies` were read from the disk already."""
        return "accuracies" in vars(self)

    def _read_history(self) -> list[EpochEnded]:
        if self.is_run:
            with suppress(StorageError):
                return read_history(self.folder)
        return []

    @cached_property
    def epochs(self) -> int:
        """The number of epochs done."""
        if self.end:
            return _get(self.end, int, "epochs") or 0
        return len(self.rows) if self.is_run else 0

    @cached_property
    def best(self) -> Mapping[str, Any]:
        """The best epoch, as a row of the history; {} before the first."""
        return self._stored_row("best") or self._as_mapping(best_of(self.rows))

    @cached_property
    def last(self) -> Mapping[str, Any]:
        """The last epoch, as a row of the history; {} before the first."""
        return self._stored_row("last") or self._as_mapping(self.rows[-1] if self.rows else None)

    def _stored_row(self, name: str) -> Mapping[str, Any]:
        return _get(self.end, dict, name) or {}

    @staticmethod
    def _as_mapping(row: EpochEnded | None) -> Mapping[str, Any]:
        return {} if row is None else vars(row)

    @cached_property
    def best_accuracy(self) -> float | None:
        """The test accuracy in the best epoch; of an imported log without one, its validation accuracy."""
        return self._accuracy_in(self.best)

    @property
    def best_epoch(self) -> int | None:
        return _get(self.best, int, "epoch")

    @cached_property
    def last_accuracy(self) -> float | None:
        """The test accuracy in the last epoch; of an imported log without one, its validation accuracy."""
        return self._accuracy_in(self.last)

    def _accuracy_in(self, row: Mapping[str, Any]) -> float | None:
        return fraction(row.get("test_accuracy" if self._is_tested else "val_accuracy"))

    @cached_property
    def _is_tested(self) -> bool:
        return not self.is_imported or any("test_accuracy" not in row.unknown for row in self.rows)

    @property
    def mean_of_last(self) -> float | None:
        """The mean test accuracy of the last `last_epochs` epochs; None where there are fewer."""
        last = self.accuracies[-self.last_epochs :]
        return fmean(last) if len(last) == self.last_epochs else None

    @property
    def last_epochs(self) -> int:
        """The number of epochs that `mean_of_last` averages: the target's, or `LAST_EPOCHS`."""
        epochs = _get(self.record, int, "spec", "target", "last_epochs") or LAST_EPOCHS
        return epochs if epochs <= 10_000 else LAST_EPOCHS

    @property
    def measured_on(self) -> str | None:
        """A sentence on which images measured the accuracies, and on which the best epoch was chosen."""
        if not self.is_run:
            return None
        if self.is_imported:
            return _text(_get(self.record, str, IMPORTED, "measured_on"))
        images = self.data[2]
        basis = _get(self.end, str, "chosen_by") or ("validation" if self._has_validation else "test")
        on = {"test": "the test set", "validation": "the validation images"}.get(basis, clean_line(basis, 20))
        return f"{self.dataset} test{f' {images:,}' if images else ''}, best epoch chosen on {on}"

    @property
    def chosen_by(self) -> str:
        """The images whose accuracy chose the best epoch: validation or test."""
        return "validation" if self._has_validation else "test"

    @property
    def _has_validation(self) -> bool:
        has_split = bool(self.images("val"))
        return has_split or (self.is_imported and fraction(self.best.get("val_accuracy")) is not None)

    @property
    def gap(self) -> float | None:
        """Train − test accuracy in the last epoch, as a fraction: how much the network overfits."""
        train, test = fraction(self.last.get("train_accuracy")), self.last_accuracy
        return None if train is None or test is None else train - test

    @property
    def seconds(self) -> float | None:
        """Seconds of training and evaluation, as the run measured them."""
        if self.end:
            return finite_number(self.end.get("seconds"))
        return finite_number(sum(row.seconds for row in self.rows)) if self.rows else None

    @cached_property
    def target_parts(self) -> Mapping[str, bool | None]:
        """For each part of the target whether it is met, None where it is not judged; {} without a target or an end."""
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
    def is_rate_changed(self) -> bool:
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
    """The runs without repeats: of runs with equal `observation` the newest, in the place of the first."""
    if len(runs) == 1:
        return list(runs)
    newest: dict[Hashable, Run] = {}
    for run in runs:
        previous = newest.get(run.observation, run)
        newest[run.observation] = max(previous, run, key=lambda each: (each.created, each.id))
    return list(newest.values())


def _text(value: str | None) -> str | None:
    return None if value is None else clean_line(value, 100)


def _get(document: Any, value_type: type[T], *path: str) -> T | None:
    """The value at a path in nested objects; None where it is missing or not a `value_type`. Integers are counts."""
    for name in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    is_right = isinstance(document, value_type) and (value_type is not int or count(document) is not None)
    return document if is_right else None
