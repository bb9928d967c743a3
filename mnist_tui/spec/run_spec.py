"""A run as data: `RunSpec` is what a preset holds, what a form edits, what `--batch` reads and what a run stores.

Everything is checked when a spec is made: a `RunSpec` that exists has layers that fit together, known optimizers with
known arguments, and sizes that a machine can hold. Nothing here needs torch.
"""

import math
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from mnist_tui.datasets.names import AUTO
from mnist_tui.datasets.published import MNIST, SMALL_DIGITS
from mnist_tui.datasets.record import DataSet
from mnist_tui.errors import CallError, LayerError, SpecError, UnusedKnobError
from mnist_tui.spec import catalog
from mnist_tui.spec.calls import Call, names_in, parse_lines, resolve_call
from mnist_tui.spec.data_spec import ON_MNIST, SAVED, DataSpec
from mnist_tui.spec.layers import LAYER_TYPES, LayerRow, Shape
from mnist_tui.spec.network import infer_shapes, resolve_layer
from mnist_tui.spec.recipe import MAX_SEED, Frozen, Knob, Reported, Target, TrainSpec
from mnist_tui.spec.typed_settings import put_setting
from mnist_tui.spec.validation_errors import first_error
from mnist_tui.text import clean_line

MAX_STEP_BYTES = 64 * 2**30
"""Activations of one training step; far more than one accelerator of a small laboratory holds."""

UNUSED = "no layer and no argument uses it"
"""The reason of an `UnusedKnobError`."""

RECIPE_NAMES = ("epochs", "steps_per_epoch")
"""Names that the recipe offers to its own arguments, beside the knobs."""


def _is_mnist(data: DataSpec) -> bool:
    return data == ON_MNIST


class RunSpec(Frozen):
    """A network, its recipe, its target and what its author reported."""

    name: str = Field(default="unnamed", min_length=1, max_length=100)
    title: str = ""
    source: str = ""
    """The author, and where it was published."""
    layers: str = Field(max_length=65_536)
    """One call of torch.nn a line, as written; comments stay."""
    knobs: dict[str, Knob] = Field(default={})
    """Numbers by name, for the arguments of layers and recipe."""
    data: DataSpec = Field(default=ON_MNIST, exclude_if=_is_mnist)
    """The data set; left out where it is MNIST, so that older recipes stay the same text."""
    train: TrainSpec = TrainSpec()
    target: Target = Target()
    reported: Reported | None = None

    @model_validator(mode="before")
    @classmethod
    def _normalise_by_data(cls, document: Any, info: ValidationInfo) -> Any:
        """Mean and standard deviation of the data set, where the recipe has none and the data set is not MNIST."""
        if not isinstance(document, Mapping) or not isinstance(data := document.get("data"), Mapping | DataSpec):
            return document
        train = document.get("train", {})
        if not isinstance(train, Mapping) or train.get("normalize") is not None:
            return document
        try:
            dataset = DataSpec.model_validate(data, context=info.context).dataset
        except ValidationError:
            return document  # The field's own check says what is wrong.
        return {**document, "train": {**train, "normalize": (dataset.mean, dataset.std)}}

    @field_validator("name", "title", "source")
    @classmethod
    def _clean(cls, value: str) -> str:
        return clean_line(value)

    @field_validator("knobs")
    @classmethod
    def _check_knobs(cls, knobs: dict[str, Knob]) -> dict[str, Knob]:
        for name, value in knobs.items():
            if not name.isidentifier() or name in RECIPE_NAMES or name in LAYER_TYPES:
                raise ValueError(f"{clean_line(name, 60)!r} cannot be the name of a knob")
            if abs(value) > 1e12 or not math.isfinite(value):
                raise SpecError("must be a finite number", ("knobs", name))
        return knobs

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_network()
        for field in (*catalog.CALLS, "augment"):
            self._check_calls(field)
        self._check_knobs_used()
        _check_loss(self)
        _check_no_decay(self)
        return self

    def _check_network(self) -> None:
        shape = self.rows[-1].output_shape if self.rows else ()
        classes = len(self.dataset.classes)
        if shape != (classes,):
            why = "" if self.dataset == MNIST else f", one for each of the {classes} classes of {self.dataset.title}"
            advice = "; put Flatten() at the end" if shape and math.prod(shape) == classes else ""
            raise LayerError(
                f"the network ends in {list(shape)}; the output must be {classes} logits, [{classes}]{why}{advice}",
                self.calls[-1].line if self.calls else 1,
            )
        most = self.dataset.train_images - 1
        if self.train.validation_images > most:
            reason = f"should be less than or equal to {most}, got {self.train.validation_images}"
            raise SpecError(reason, ("train", "validation_images"))
        needed = 8 * self.train.batch_size * sum(row.activations for row in self.rows)
        if needed > MAX_STEP_BYTES:
            raise SpecError(
                f"one step of {self.train.batch_size:,} images needs about {needed / 2**30:,.0f} GB",
                ("train", "batch_size"),
            )

    def _check_calls(self, field: str) -> None:
        catalog_name = "transform" if field == "augment" else field
        value = getattr(self.train, field)
        for call in value if isinstance(value, tuple) else (value,):
            if call is not None:
                try:
                    catalog.check(catalog_name, self.resolved(call))
                except CallError as error:
                    raise SpecError(str(error), ("train", field), argument=error.argument) from None

    def _check_knobs_used(self) -> None:
        used = {name for call in (*self.calls, *self._calls()) for name in names_in(call)}
        for name in self.knobs:
            if name not in used:
                raise UnusedKnobError(UNUSED, ("knobs", name))

    def _calls(self) -> tuple[Call, ...]:
        train = self.train
        calls = (train.optimizer, train.scheduler, train.loss, train.average, *train.augment)
        return tuple(call for call in calls if call)

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """The layers as calls, knobs not yet replaced."""
        return _parse_layers(self.layers)

    @cached_property
    def rows(self) -> tuple[LayerRow, ...]:
        """The layer table."""
        knobs = tuple((name, value, type(value)) for name, value in self.knobs.items())
        return _infer_rows(self.layers, knobs, self.dataset.shape)

    @cached_property
    def resolved_layers(self) -> tuple[Call, ...]:
        """The layers with numbers for knobs."""
        return tuple(resolve_layer(call, self.knobs) for call in self.calls)

    @property
    def parameters(self) -> int:
        """The number of the network's parameters; all of them are trained."""
        return sum(row.parameters for row in self.rows)

    @property
    def dataset(self) -> DataSet:
        """The record of the data set that the run is for."""
        return self.data.dataset

    @property
    def target_data(self) -> str:
        """The name of the data set that target and reported figures are of."""
        return self.data.target_data

    def is_judged_on(self, dataset: str | None) -> bool:
        """Whether accuracies on the data set of this name are judged by the target."""
        return dataset == self.target_data

    @property
    def train_images(self) -> int:
        """Images in a pass over the training part of the data set, without those for validation."""
        return self.dataset.train_images - self.train.validation_images

    def validation_images_of(self, train_images: int) -> int:
        """How many of `train_images` images are for validation: the same share as of those of the data set."""
        share = self.train.validation_images / self.dataset.train_images
        return min(round(share * train_images), train_images - 1)

    def steps_per_epoch(self, train_images: int | None = None) -> int:
        """Optimizer steps in a pass over `train_images` images; without it, over those of the data set."""
        return -(-(train_images or self.train_images) // self.train.batch_size)

    def resolved(self, call: Call, train_images: int | None = None) -> Call:
        """A call of the recipe with numbers for knobs, `epochs` and `steps_per_epoch`."""
        names = {"epochs": self.train.epochs, "steps_per_epoch": self.steps_per_epoch(train_images)}
        return resolve_call(call, {**self.knobs, **names})

    def has_setting(self, name: str) -> bool:
        """Whether `with_settings` knows the setting called `name`, a name without dots."""
        return name in self.knobs or name in TrainSpec.model_fields or name in ("name", "title", "layers")

    def for_dataset(self, choice: str) -> "RunSpec":
        """The same run on the data set of `--dataset`; itself for `auto`, for its own, and for what stands in for it.

        That is the small digits for MNIST. Unless the recipe has a normalization of its own, the other data set's is
        used, and validation gets the same share of the images. Target and reported figures stay those of the first data
        set (`target_data`). Raises `SpecError` where the network does not fit the other one's images or classes.
        """
        if (data := self.data_for(choice)) == self.data:
            return self
        try:
            return self.with_settings({}, dataset=choice)
        except SpecError as error:
            raise SpecError(f"{self.name} on {data.dataset.title}: {error}", error.where, error.line) from None

    def data_for(self, choice: str) -> DataSpec:
        """The data set of the run where `--dataset` says `choice`; raises `SpecError` for one that is not there."""
        if choice in (AUTO, self.data.name) or (choice, self.data.name) == (SMALL_DIGITS.name, MNIST.name):
            return self.data
        try:
            data = DataSpec(name=choice)
        except ValidationError as error:
            raise first_error(error, DataSpec) from None
        if data.name == self.data.name:
            return self.data
        return data.model_copy(update={"target_of": None if self.target_data == data.name else self.target_data})

    def with_settings(
        self, settings: Mapping[str, str], knobs: Mapping[str, Knob] | None = None, dataset: str = AUTO
    ) -> "RunSpec":
        """The same run with settings changed by their path: `{"optimizer.lr": "0.01", "dropout": "0.2"}`.

        `knobs` are those that it then has, where they are others; `dataset` is what `for_dataset` takes. Raises
        `SpecError` for an unknown path, with the nearest known one, and for a value that does not fit.
        """
        document = self.model_dump(mode="json", exclude_none=True)
        if (data := self.data_for(dataset)) != self.data:
            document["data"] = data.model_dump(exclude_none=True)
            document["train"] |= self._scaled_to(data.dataset)
        if knobs is not None:
            document["knobs"] = dict(knobs)
        for path, text in settings.items():
            put_setting(document, path, text)
        return make_spec(document)

    def with_seed(self, seed: int) -> "RunSpec":
        """The same run with another seed; raises `SpecError` where that is none.

        Nothing else is checked again, so that a thousand of them cost nothing.
        """
        if not 0 <= seed <= MAX_SEED:
            raise SpecError(f"must be from 0 to {MAX_SEED}, got {seed}", ("train", "seed"), place="train.seed")
        return self.model_copy(update={"train": self.train.model_copy(update={"seed": seed})})

    def _scaled_to(self, dataset: DataSet) -> dict[str, Any]:
        """What the recipe has in other numbers on another data set."""
        normalize = self.train.normalize
        is_own = normalize != (self.dataset.mean, self.dataset.std)
        return {
            "validation_images": self.validation_images_of(dataset.train_images),
            "normalize": normalize if is_own else (dataset.mean, dataset.std),
        }


@lru_cache(maxsize=256)
def _parse_layers(layers: str) -> tuple[Call, ...]:
    return parse_lines(layers)


@lru_cache(maxsize=256)
def _infer_rows(layers: str, knobs: tuple[tuple[str, Knob, type], ...], shape: Shape) -> tuple[LayerRow, ...]:
    """The layer table; the types tell True from 1. Specs that differ in their recipe alone share it."""
    return infer_shapes(_parse_layers(layers), {name: value for name, value, _ in knobs}, shape)


def _check_loss(spec: RunSpec) -> None:
    last = spec.calls[-1].name
    if spec.train.loss.name == "NLLLoss" and last != "LogSoftmax":
        raise SpecError(
            f"NLLLoss needs log-probabilities, but the network ends in {last}; "
            "end it in LogSoftmax(1), or use CrossEntropyLoss()",
            ("train", "loss"),
        )


def _check_no_decay(spec: RunSpec) -> None:
    call = spec.resolved(spec.train.optimizer)
    if spec.train.no_decay and not catalog.check("optimizer", call).get("weight_decay"):
        has_argument = "weight_decay" in catalog.arguments("optimizer", call.name)
        advice = "set optimizer.weight_decay" if has_argument else "choose an optimizer that has, such as AdamW"
        raise SpecError(f"{call.name} has no weight decay here; {advice}, or remove no_decay", ("train", "no_decay"))


def make_spec(document: Mapping[str, Any]) -> RunSpec:
    """The `RunSpec` of a document (a parsed TOML or JSON file); raises `SpecError` for its first mistake."""
    return _validate(document)


def make_saved_spec(document: Mapping[str, Any]) -> RunSpec:
    """The same of a document in a run folder, for which no folder of images is looked at: it must be complete."""
    return _validate(document, SAVED)


def _validate(document: Mapping[str, Any], context: str | None = None) -> RunSpec:
    try:
        return RunSpec.model_validate(document, context=context)
    except CallError as error:
        raise SpecError(str(error), ("layers",), error.line) from None
    except ValidationError as error:
        raise first_error(error, RunSpec) from None
