"""A run as data: `RunSpec` is what a preset holds, what a form edits, what `--batch` reads and what a run stores.

Everything is checked when a spec is made: a `RunSpec` that exists has layers that fit together, known optimizers with
known arguments, and sizes that a machine can hold. Nothing here needs torch.
"""

import math
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from mnist_tui.errors import CallError, LayerError, SpecError, UnusedKnobError
from mnist_tui.spec import catalog
from mnist_tui.spec.calls import Call, names_in, parse_lines, resolve_call
from mnist_tui.spec.layers import LAYER_TYPES, LayerRow
from mnist_tui.spec.network import CLASSES, infer_shapes, resolve_layer
from mnist_tui.spec.recipe import TRAIN_IMAGES, Frozen, Knob, Reported, Target, TrainSpec
from mnist_tui.spec.typed_settings import put_setting
from mnist_tui.spec.validation_errors import first_error
from mnist_tui.text import clean_line

MAX_STEP_BYTES = 64 * 2**30
"""Activations of one training step; far more than one accelerator of a small laboratory holds."""

UNUSED = "no layer and no argument uses it"
"""The reason of an `UnusedKnobError`."""

RECIPE_NAMES = ("epochs", "steps_per_epoch")
"""Names that the recipe offers to its own arguments, beside the knobs."""


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
    train: TrainSpec = TrainSpec()
    target: Target = Target()
    reported: Reported | None = None

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
        if shape != (CLASSES,):
            advice = "; put Flatten() at the end" if shape and math.prod(shape) == CLASSES else ""
            raise LayerError(
                f"the network ends in {list(shape)}; the output must be {CLASSES} logits, [{CLASSES}]{advice}",
                self.calls[-1].line if self.calls else 1,
            )
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
        return _infer_rows(self.layers, knobs)

    @cached_property
    def resolved_layers(self) -> tuple[Call, ...]:
        """The layers with numbers for knobs."""
        return tuple(resolve_layer(call, self.knobs) for call in self.calls)

    @property
    def parameters(self) -> int:
        """The number of the network's parameters; all of them are trained."""
        return sum(row.parameters for row in self.rows)

    @property
    def train_images(self) -> int:
        """Images in a pass over MNIST's training part."""
        return TRAIN_IMAGES - self.train.validation_images

    def steps_per_epoch(self, train_images: int | None = None) -> int:
        """Optimizer steps in a pass over `train_images` images; without it, over MNIST's."""
        return -(-(train_images or self.train_images) // self.train.batch_size)

    def resolved(self, call: Call, train_images: int | None = None) -> Call:
        """A call of the recipe with numbers for knobs, `epochs` and `steps_per_epoch`."""
        names = {"epochs": self.train.epochs, "steps_per_epoch": self.steps_per_epoch(train_images)}
        return resolve_call(call, {**self.knobs, **names})

    def has_setting(self, name: str) -> bool:
        """Whether `with_settings` knows the setting called `name`, a name without dots."""
        return name in self.knobs or name in TrainSpec.model_fields or name in ("name", "title", "layers")

    def with_settings(self, settings: Mapping[str, str], knobs: Mapping[str, Knob] | None = None) -> "RunSpec":
        """The same run with settings changed by their path: `{"optimizer.lr": "0.01", "dropout": "0.2"}`.

        `knobs` are those that it then has, where they are others. Raises `SpecError` for an unknown path, with the
        nearest known one, and for a value that does not fit.
        """
        document = self.model_dump(mode="json", exclude_none=True)
        if knobs is not None:
            document["knobs"] = dict(knobs)
        for path, text in settings.items():
            put_setting(document, path, text)
        return make_spec(document)


@lru_cache(maxsize=256)
def _parse_layers(layers: str) -> tuple[Call, ...]:
    return parse_lines(layers)


@lru_cache(maxsize=256)
def _infer_rows(layers: str, knobs: tuple[tuple[str, Knob, type], ...]) -> tuple[LayerRow, ...]:
    """The layer table; the types tell True from 1. Specs that differ in their recipe alone share it."""
    return infer_shapes(_parse_layers(layers), {name: value for name, value, _ in knobs})


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
    try:
        return RunSpec.model_validate(document)
    except CallError as error:
        raise SpecError(str(error), ("layers",), error.line) from None
    except ValidationError as error:
        raise first_error(error, RunSpec) from None
