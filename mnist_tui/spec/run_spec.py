"""A run as data: `RunSpec` is what a preset holds, what a form edits, what `--batch` reads and what a run stores.

Everything is checked when a spec is made: a `RunSpec` that exists has layers that fit together, known optimizers with
known arguments, and sizes that a machine can hold. Nothing here needs torch.
"""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, core_schema

from mnist_tui.errors import CallError, LayerError, SpecError
from mnist_tui.spec import catalog
from mnist_tui.spec.calls import Call, Value, names_in, parse, parse_lines, resolve, resolve_call, show
from mnist_tui.spec.layers import LAYER_TYPES, LayerRow
from mnist_tui.spec.network import CLASSES, infer_shapes, resolve_layer
from mnist_tui.text import clean_line, did_you_mean, shorten

TRAIN_IMAGES = 60_000
MAX_STEP_BYTES = 64 * 2**30
"""Activations of one training step; far more than one accelerator of a small laboratory holds."""

UNUSED = "no layer and no argument uses it"
"""What is wrong with a knob that could be left out."""

RECIPE_NAMES = ("epochs", "steps_per_epoch")
"""Names that the recipe offers to its own arguments, beside the knobs."""


def _parse_field(value: object) -> Call:
    if isinstance(value, Call):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a call in quotes, such as Adam(lr=0.002)")
    return parse(value)


class _CallText:
    """How pydantic reads and writes a `Call`: as its text."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _parse_field, serialization=core_schema.to_string_ser_schema()
        )


CallField = Annotated[Call, _CallText]
Knob = StrictBool | StrictInt | StrictFloat
Fraction01 = Annotated[float, Field(ge=0, le=1)]


class Frozen(BaseModel):
    """Settings that refuse unknown keys, numbers that are not finite, and changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


class TrainSpec(Frozen):
    """The recipe."""

    epochs: StrictInt = Field(default=20, ge=1, le=10_000)
    """Passes over the training images."""
    batch_size: StrictInt = Field(default=64, ge=1, le=TRAIN_IMAGES)
    """Images per optimizer step; the last batch of an epoch may be smaller."""
    eval_batch_size: StrictInt = Field(default=250, ge=1, le=TRAIN_IMAGES)
    """Images per evaluation step; it changes the speed, not the result."""
    optimizer: CallField = parse("Adam(lr=0.001)")
    """A call of torch.optim, without the parameters."""
    scheduler: CallField | None = None
    """A call of torch.optim.lr_scheduler, without the optimizer; its arguments may use `epochs`, `steps_per_epoch`."""
    scheduler_step: Literal["auto", "batch", "epoch", "burst"] = "auto"
    """When the scheduler steps. auto: as PyTorch means each one; burst: a whole epoch's batch steps at its end."""
    loss: CallField = parse("CrossEntropyLoss()")
    """A call of torch.nn: CrossEntropyLoss or NLLLoss."""
    augment: tuple[CallField, ...] = ()
    """Calls of torchvision.transforms.v2 on 28x28 images, applied to training images only."""
    normalize: tuple[float, Annotated[float, Field(gt=0)]] = (0.1307, 0.3081)
    """Mean and standard deviation that pixels in 0..1 are normalised with."""
    validation_images: StrictInt = Field(default=0, ge=0, le=TRAIN_IMAGES - 1)
    """Images taken out of the 60,000 training images, by the seed, to choose the best epoch on."""
    seed: StrictInt = Field(default=0, ge=0, le=2**32 - 1)
    """Decides the initial weights, the split, the order of the images, augmentation and dropout."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: forward and backward under autocast; weights stay float32."""
    clip_grad_norm: Annotated[float, Field(gt=0)] | None = None
    """The gradient's largest allowed 2-norm."""
    patience: Annotated[StrictInt, Field(ge=1)] | None = None
    """Epochs without a better validation (without a split: test) accuracy after which the run stops."""
    stop_at_accuracy: Annotated[float, Field(gt=0, le=1)] | None = None
    """The validation (without a split: test) accuracy at which the run stops."""


class Target(Frozen):
    """What a run is judged by."""

    parameters: Annotated[StrictInt, Field(ge=1)] | None = None
    """The network must have fewer."""
    test_accuracy: Fraction01 | None = None
    """At least this, on the 10,000 test images."""
    last_epochs: Annotated[StrictInt, Field(ge=1)] | None = None
    """The accuracy must hold in each of so many last epochs; without it, in the best one."""
    epochs: Annotated[StrictInt, Field(ge=1)] | None = None
    """At most so many."""


class Reported(Frozen):
    """What the author of a preset published."""

    parameters: Annotated[StrictInt, Field(ge=1)] | None = None
    accuracy: Fraction01 | None = None
    """In the best epoch."""
    epoch: Annotated[StrictInt, Field(ge=1)] | None = None
    """The best epoch."""
    last_accuracy: Fraction01 | None = None
    """In the last epoch."""
    train_accuracy: Fraction01 | None = None
    """The best running accuracy in train mode."""
    measured_on: str = "10,000 test images"
    """The images that `accuracy` was measured on."""
    notes: tuple[str, ...] = ()
    """Where paper and code disagree, and what this preset does about it."""


class RunSpec(Frozen):
    """A network, its recipe, what it is judged by and what its author reported."""

    name: str = Field(default="unnamed", min_length=1, max_length=100)
    title: str = ""
    source: str = ""
    """Whose work it is."""
    layers: str = Field(max_length=65_536)
    """One call of torch.nn a line, as written; comments stay."""
    knobs: dict[str, Knob] = {}
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
        for field in ("optimizer", "scheduler", "loss", "augment"):
            self._check_calls(field)
        self._check_knobs_used()
        _check_loss(self)
        return self

    def _check_network(self) -> None:
        shape = self.rows[-1].output_shape if self.rows else ()
        if shape != (CLASSES,):
            advice = "; put Flatten() at the end" if shape and math.prod(shape) == CLASSES else ""
            raise LayerError(
                f"the network ends in {list(shape)}; {CLASSES} scores, [{CLASSES}], are needed{advice}",
                self.calls[-1].line if self.calls else 1,
            )
        needed = 8 * self.train.batch_size * sum(row.activations for row in self.rows)
        if needed > MAX_STEP_BYTES:
            raise SpecError(
                f"one step of {self.train.batch_size:,} images needs about {needed / 2**30:,.0f} GB",
                ("train", "batch_size"),
            )

    def _check_calls(self, field: str) -> None:
        kind = "transform" if field == "augment" else field
        value = getattr(self.train, field)
        for call in value if isinstance(value, tuple) else (value,):
            if call is not None:
                try:
                    catalog.check(kind, self.resolved(call))
                except CallError as error:
                    raise SpecError(str(error), ("train", field)) from None

    def _check_knobs_used(self) -> None:
        used = {name for call in (*self.calls, *self._calls()) for name in names_in(call)}
        for name in self.knobs:
            if name not in used:
                raise SpecError(UNUSED, ("knobs", name))

    def _calls(self) -> tuple[Call, ...]:
        train = self.train
        return tuple(call for call in (train.optimizer, train.scheduler, train.loss, *train.augment) if call)

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """The layers as calls, knobs not yet replaced."""
        return parse_lines(self.layers)

    @cached_property
    def rows(self) -> tuple[LayerRow, ...]:
        """The layer table."""
        return infer_shapes(self.calls, self.knobs)

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
            _set(document, path, text)
        return make_spec(document)


def _check_loss(spec: RunSpec) -> None:
    last = spec.calls[-1].name
    if spec.train.loss.name == "NLLLoss" and last != "LogSoftmax":
        raise SpecError(
            f"NLLLoss needs log-probabilities, but the network ends in {last}; "
            "end it in LogSoftmax(1), or use CrossEntropyLoss()",
            ("train", "loss"),
        )


# --- changing a spec by text ---


def _set(document: dict[str, Any], path: str, text: str) -> None:
    """Puts `text` at `path` of a dumped spec."""
    train, knobs = document["train"], document["knobs"]
    path_in_train = path.removeprefix("train.")
    head, _, rest = path_in_train.partition(".")
    if path_in_train in TrainSpec.model_fields:
        train[path_in_train] = _plain(path_in_train, text)
    elif head in ("optimizer", "scheduler", "loss") and rest:
        train[head] = _with_argument(train.get(head), head, rest, text)
    elif path in ("name", "title", "layers"):
        document[path] = text
    elif (knob := path.removeprefix("knobs.")) in knobs:
        knobs[knob] = read_value(path, text, knobs[knob])
    elif path.startswith("target.") and rest in Target.model_fields:
        document["target"][rest] = _plain(path, text)
    else:
        known = [
            *TrainSpec.model_fields,
            *document["knobs"],
            "optimizer.lr",
            *(f"target.{f}" for f in Target.model_fields),
        ]
        ends = [name for name in known if name.endswith(f".{path}")]
        near = f"; did you mean {ends[0]!r}?" if ends else did_you_mean(path, known)
        raise SpecError(f"--set {clean_line(path, 60)}: there is no such setting{near}", (path,))


def _with_argument(call: str | None, head: str, argument: str, text: str) -> str:
    if call is None:
        raise SpecError(f"--set {head}.{argument}: there is no {head}; set {head} itself", (head, argument))
    try:
        named = parse(call)
    except CallError as error:
        raise SpecError(f"train.{head}: {error}", ("train", head)) from None
    known = catalog.CATALOGS[head]
    if named.name not in known:
        near = did_you_mean(named.name, known) or f"; known are {', '.join(known)}"
        raise SpecError(f"train.{head}: there is no {head} {named.name!r}{near}", ("train", head))
    names = catalog.arguments(head, named.name)
    if argument not in names:
        near = did_you_mean(argument, names) or f"; it takes {', '.join(names)}"
        raise SpecError(f"--set {head}.{argument}: {named.name} has no argument {argument!r}{near}", (head, argument))
    try:
        value = _one_value(text)
    except CallError:
        given = dict(zip(names, named.args, strict=False)) | dict(named.kwargs)
        advice = unreadable(text, given.get(argument, catalog.default_of(head, named.name, argument)))
        raise SpecError(f"--set {head}.{argument}: {advice}", (head, argument)) from None
    position = names.index(argument)
    if position < len(named.args):
        args = (*named.args[:position], value, *named.args[position + 1 :])
        return str(Call(named.name, args, named.kwargs))
    return str(named.with_argument(argument, value))


def _one_value(text: str) -> Value:
    """The one value written in `text`; raises `CallError` where there is none, or more than one."""
    call = parse(f"f({text})")
    if len(call.args) != 1 or call.kwargs:
        raise CallError("expected one value")
    return call.args[0]


def read_value(path: str, text: str, example: Value = 0.001) -> Any:
    """A number or word typed by a user; lists and tuples too. Raises `SpecError`, with an example of what to enter."""
    try:
        return resolve(_one_value(text), {})
    except CallError:
        raise SpecError(f"--set {path}: {unreadable(text, example)}", (path,)) from None


def unreadable(text: str, example: Value) -> str:
    """What to enter instead of a text that is no value: `cannot read '1e'; enter a number such as 20`."""
    match example:
        case bool():
            advice = "enter True or False"
        case int() | float():
            advice = f"enter a number such as {example}"
        case str() | tuple():
            advice = f"enter a value such as {show(example)}"
        case _:
            advice = "enter one value"
    return f"cannot read {clean_line(text, 60)!r}; {advice}" if text.strip() else advice


EXAMPLES: Mapping[str, Value] = {
    "clip_grad_norm": 1.0,
    "patience": 5,
    "stop_at_accuracy": 0.994,
    "parameters": 20_000,
    "test_accuracy": 0.994,
    "last_epochs": 3,
}
"""Values of the fields whose default is none."""


def example(field: str) -> Value:
    """A value that a field of the recipe or of the target may have."""
    default = TrainSpec.model_fields[field].default if field in TrainSpec.model_fields else None
    return EXAMPLES.get(field, 0.001) if default is None else default


def _plain(path: str, text: str) -> Any:
    """The value of a field: calls and words as they are typed, everything else read as a number, list or None."""
    field = path.rpartition(".")[2]
    if field in ("optimizer", "scheduler", "loss", "precision", "scheduler_step"):
        return None if text == "None" else text
    if field == "augment":
        return [str(call) for call in transforms_in(text)]
    return read_value(path, text, example(field))


def transforms_in(text: str) -> tuple[Call, ...]:
    """The calls of `[RandomRotation(15), Resize(28)]`, with or without the brackets; raises `SpecError`."""
    try:
        call = parse(f"f({text})")
    except CallError as error:
        reason = str(error).replace(shorten(f"f({text})"), shorten(text))
        raise SpecError(f"--set augment: {reason}", ("augment",)) from None
    values = call.args[0] if len(call.args) == 1 and isinstance(call.args[0], tuple) else call.args
    transforms = tuple(value for value in values if isinstance(value, Call))
    if len(transforms) < len(values) or call.kwargs:
        raise SpecError(
            f"--set augment: expected transforms, such as RandomRotation(15), got {clean_line(text, 60)!r}",
            ("augment",),
        )
    return transforms


# --- errors in the words of the house ---


def make_spec(document: Mapping[str, Any]) -> RunSpec:
    """The `RunSpec` of a document (a parsed TOML or JSON file); raises `SpecError` with the first thing wrong."""
    try:
        return RunSpec.model_validate(document)
    except LayerError as error:
        raise SpecError(str(error), ("layers",), error.line) from None
    except CallError as error:
        raise SpecError(str(error), ("layers",), error.line) from None
    except ValidationError as error:
        raise _first(error.errors()) from None


def _first(errors: list[ErrorDetails]) -> SpecError:
    error = errors[0]
    where = tuple(clean_line(str(part), 60) for part in error["loc"] if part not in ("bool", "int", "float"))
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, LayerError) or (isinstance(cause, CallError) and not where):
        return SpecError(str(cause), ("layers",), cause.line)
    if isinstance(cause, SpecError):
        return SpecError(f"{'.'.join(cause.where)}: {cause}", cause.where)
    name = ".".join(where)
    return SpecError(f"{name}: {_reason(error, where)}" if name else _reason(error, where), where)


_PLAIN_WORDS = {
    "Input should be": "should be",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid string": "a text in quotes",
    "a valid tuple": "a list",
    "a valid dictionary or instance of TrainSpec": "a table",
    "a valid dictionary or instance of Target": "a table",
    "a valid dictionary or instance of Reported": "a table",
    "a valid dictionary": "a table",
}


def _reason(error: ErrorDetails, where: tuple[str, ...]) -> str:
    if error["type"] == "extra_forbidden":
        models: Mapping[str, type[BaseModel]] = {"train": TrainSpec, "target": Target, "reported": Reported}
        known = models.get(where[0], RunSpec).model_fields if len(where) > 1 else RunSpec.model_fields
        return "there is no such key" + did_you_mean(where[-1], known)
    if error["type"] == "missing":
        return "is missing"
    if where[:1] == ("knobs",) and error["type"] != "value_error":
        return f"must be a finite number, got {clean_line(repr(error['input']), 60)}"
    message = error["msg"].removeprefix("Value error, ")
    for theirs, ours in _PLAIN_WORDS.items():
        message = message.replace(theirs, ours)
    given = error.get("input")
    shown = f", got {clean_line(repr(given), 60)}" if isinstance(given, str | int | float) else ""
    return message if error["type"] == "value_error" else message + shown
