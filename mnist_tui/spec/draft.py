"""A run while it is being designed: the texts of a form over a preset, checked as a whole at every keystroke.

The fields are made from the declarations of `TrainSpec` and `Target`, from PyTorch's signatures and from the knobs, so
that a new setting appears in the form by being declared.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args, get_origin

from mnist_tui.errors import CallError, SpecError
from mnist_tui.spec.calls import Call, parse, show, signature
from mnist_tui.spec.catalog import CATALOGS, default_of
from mnist_tui.spec.layers import LayerRow
from mnist_tui.spec.run_spec import (
    UNUSED,
    Knob,
    RunSpec,
    Target,
    TrainSpec,
    make_spec,
    read_value,
    transforms_in,
    unreadable,
)

CALLS = ("optimizer", "scheduler", "loss")
"""The settings that are one call of PyTorch's: a choice, and a field for each of its arguments."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "training": ("epochs", "batch_size", "seed"),
    "optimizer": ("optimizer",),
    "scheduler": ("scheduler", "scheduler_step"),
    "augmentation": ("augment",),
    "data": ("validation_images", "normalize", "eval_batch_size"),
    "loss": ("loss",),
    "stopping": ("patience", "stop_at_accuracy"),
    "numbers": ("precision", "clip_grad_norm"),
}
"""The order of the form; what is declared and not named here comes last."""

NONE = "None"


@dataclass(frozen=True)
class Field:
    """One field of the form."""

    path: str
    """As `--set` takes it: `epochs`, `optimizer.lr`, `knobs.dropout`, `target.parameters`."""
    label: str
    group: str
    text: str
    """What stands in it."""
    choices: tuple[str, ...] = ()
    """What may be chosen; empty where anything may be typed."""
    is_changed: bool = False
    """Whether the preset has another text here."""


@dataclass(frozen=True)
class DraftResult:
    """What the texts of a draft come to."""

    spec: RunSpec | None
    """The run; None while something is wrong."""
    rows: tuple[LayerRow, ...]
    """The layer table; the last valid one while a layer is wrong."""
    errors: Mapping[str, str]
    """What is wrong, by the path of its field."""
    layer_error: tuple[int, str] | None
    """The line of the layers that is wrong, from 1, and why."""
    unused: frozenset[str] = frozenset()
    """The paths of the knobs that could be removed."""


@dataclass(frozen=True)
class Draft:
    """The texts that a person typed, over the preset they began with."""

    base: RunSpec
    typed: Mapping[str, str] = field(default_factory=dict)
    """By path; only where they differ from the preset."""
    typed_layers: str | None = None
    last_rows: tuple[LayerRow, ...] = field(default=(), compare=False)
    """The layer table before a layer became wrong."""
    switched_off: tuple[tuple[int, str], ...] = ()
    """Transforms that are not used now: their places among all transforms, and their calls."""
    own_knobs: Mapping[str, Knob] | None = None
    """The knobs with what stands in them until it is typed over; None: the preset's."""

    @classmethod
    def of(cls, spec: RunSpec, base: RunSpec) -> "Draft":
        """The draft over `base` that comes to `spec`."""
        knobs = {name: base.knobs.get(name, value) for name, value in spec.knobs.items()}
        layers = None if spec.layers == base.layers else spec.layers
        draft = cls(base, {}, layers, spec.rows, own_knobs=knobs)
        typed = {path: text for path, text in _texts(spec).items() if draft._preset_texts.get(path) != text}
        return replace(draft, typed=typed)

    def as_record(self) -> dict[str, Any]:
        """The draft as JSON: the preset, and every text that was typed, right or wrong."""
        return {
            "base": self.base.model_dump(mode="json", exclude_none=True),
            "typed": dict(self.typed),
            "layers": self.typed_layers,
            "knobs": None if self.own_knobs is None else dict(self.own_knobs),
            "switched_off": [list(one) for one in self.switched_off],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Draft":
        """The draft of `as_record`; raises `SpecError`, `KeyError`, `TypeError` or `ValueError` for anything else."""
        layers, knobs = record["layers"], record["knobs"]
        if not isinstance(layers, str | None) or not (knobs is None or _are_knobs(knobs)):
            raise TypeError("layers must be text, knobs numbers by name")
        typed = {str(path): str(text) for path, text in record["typed"].items()}
        switched_off = tuple((int(place), str(text)) for place, text in record.get("switched_off", ()))
        draft = cls(make_spec(record["base"]), typed, layers, (), switched_off, knobs)
        known = {field.path for field in draft.fields}  # Another version may have had other fields.
        return replace(draft, typed={path: text for path, text in typed.items() if path in known})

    @property
    def layers(self) -> str:
        """The layers as text."""
        return self.base.layers if self.typed_layers is None else self.typed_layers

    def with_layers(self, text: str) -> "Draft":
        """The draft with other layers."""
        return replace(self, typed_layers=None if text == self.base.layers else text, last_rows=self._last_rows)

    def with_text(self, path: str, text: str) -> "Draft":
        """The draft with another text in a field; another choice of a call brings its own arguments."""
        typed = {key: value for key, value in self.typed.items() if key != path}
        if path in CALLS:
            typed = {key: value for key, value in typed.items() if not key.startswith(f"{path}.")}
        changed = replace(self, typed=typed, last_rows=self._last_rows)
        if text == changed.text_of(path):
            return changed
        return replace(changed, typed={**typed, path: text})._with_arguments(self.taken_over(path, text))

    def taken_over(self, path: str, text: str) -> dict[str, str]:
        """The arguments that another choice of a call begins with, where they are not PyTorch's defaults, by path.

        An optimizer takes over the learning rate; OneCycleLR, which has no default length and peak, gets the run's
        own length and the optimizer's rate.
        """
        rate = self.text_of("optimizer.lr")
        if path == "optimizer" and rate != _defaults("optimizer", text).get("lr", rate):
            return {"optimizer.lr": rate}
        if path == "scheduler" and text == "OneCycleLR":
            length = {f"scheduler.{name}": name for name in ("epochs", "steps_per_epoch")}
            return {"scheduler.max_lr": rate, **length}
        return {}

    def _with_arguments(self, arguments: Mapping[str, str]) -> "Draft":
        new = {path: text for path, text in arguments.items() if text != self.text_of(path)}
        return replace(self, typed={**self.typed, **new})

    def transforms(self) -> list[tuple[str, bool]]:
        """Every transform as the text of its call, and whether it is used; raises `SpecError` for what is no call."""
        found = [(str(call), True) for call in transforms_in(self.text_of("augment"))]
        for place, text in self.switched_off:
            found.insert(place, (text, False))
        return found

    def with_transforms(self, transforms: Sequence[tuple[str, bool]]) -> "Draft":
        """The draft with these transforms, each with whether it is used."""
        off = tuple((place, text) for place, (text, is_on) in enumerate(transforms) if not is_on)
        return replace(self, switched_off=off).with_text(
            "augment", ", ".join(text for text, is_on in transforms if is_on)
        )

    def text_of(self, path: str) -> str:
        """What stands in a field: what was typed, or the preset's, or PyTorch's default."""
        if path in self.typed:
            return self.typed[path]
        name, _, argument = path.partition(".")
        if name not in CALLS or not argument:
            return self._preset_texts.get(path, "")
        given = self._preset_texts.get(path) if name not in self.typed else None
        return _defaults(name, self.text_of(name)).get(argument, "") if given is None else given

    def with_knob(self, name: str, text: str) -> "Draft":
        """The draft with another knob; raises `SpecError`, at `knobs` for its name and inside `knobs` for its value."""
        if name in self.knobs:
            raise SpecError(f"there is a knob {name} already", ("knobs",))
        try:
            value = read_value(_path(name), text)
            self.base.with_settings({}, {**self.base.knobs, name: value})
        except SpecError as error:
            if error.where[0].startswith("knobs") and not _is_unused(error):
                raise SpecError(_reason(error, _path(name)), error.where) from None
        knobs = {**self.knobs, name: self.base.knobs.get(name, value)}
        return replace(self, own_knobs=knobs).with_text(_path(name), text)

    def without_knob(self, name: str) -> "Draft":
        """The draft without a knob, which nothing may use."""
        typed = {path: text for path, text in self.typed.items() if path != _path(name)}
        knobs = {knob: value for knob, value in self.knobs.items() if knob != name}
        return replace(self, typed=typed, own_knobs=knobs, last_rows=self._last_rows)

    @property
    def _last_rows(self) -> tuple[LayerRow, ...]:
        """The newest layer table that was shown: a draft that nobody looked at, between two keys, is not checked."""
        return self.result.rows if "result" in vars(self) else self.last_rows

    @property
    def changed_count(self) -> int:
        """How many settings differ from the preset, the layers counted as one."""
        knobs = {_path(name) for name in self.knobs.keys() ^ self.base.knobs.keys()}
        return len(self.typed.keys() | knobs) + (self.typed_layers is not None)

    @cached_property
    def _preset_texts(self) -> dict[str, str]:
        """The text of every field that is not typed over."""
        return _texts(self.base) | {_path(name): _text(value) for name, value in self.knobs.items()}

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Every field of the form, in its order; a call's arguments are those of the call that is chosen."""
        return tuple(self._fields())

    def _fields(self) -> Iterator[Field]:
        declared = [name for name in TrainSpec.model_fields if not any(name in names for names in GROUPS.values())]
        for group, names in (*GROUPS.items(), ("more", tuple(declared))):
            for name in names:
                yield self._field(name, name.replace("_", " "), group, _choices(name))
                if name in CALLS:
                    yield from self._argument_fields(name, group)
        for name in self.knobs:
            yield self._field(_path(name), name, "knobs")
        for name in Target.model_fields:
            yield self._field(f"target.{name}", name.replace("_", " "), "target")

    def _field(self, path: str, label: str, group: str, choices: tuple[str, ...] = ()) -> Field:
        is_new = group == "knobs" and label not in self.base.knobs
        return Field(path, label, group, self.text_of(path), choices, path in self.typed or is_new)

    def _argument_fields(self, name: str, group: str) -> Iterator[Field]:
        for argument, default in _defaults(name, self.text_of(name)).items():
            path = f"{name}.{argument}"
            yield Field(path, f"  {argument}", group, self.text_of(path), _flags(default), path in self.typed)

    @property
    def knobs(self) -> Mapping[str, Knob]:
        """The knobs that the layers or the recipe may use, with what stands in them until it is typed over."""
        return self.base.knobs if self.own_knobs is None else self.own_knobs

    # --- what it all comes to ---

    @cached_property
    def result(self) -> DraftResult:
        """The spec, or all that is wrong: what is found wrong is noted and put back, and the rest looked at again."""
        errors: dict[str, str] = {}
        unused: set[str] = set()
        typed, layers, knobs = dict(self.typed), self.layers, dict(self.knobs)
        layer_error: tuple[int, str] | None = None
        while True:
            try:
                spec = self._spec(typed, layers, knobs)
                break
            except SpecError as error:
                blamed = self._blamed_knob(error, typed, layers, knobs) or _blamed(error, typed)
                place = ".".join(part for part in error.where if part != "train")
                if _is_unused(error) and error.where[1] in knobs:
                    del knobs[error.where[1]]
                    typed.pop(_path(error.where[1]), None)
                    if layer_error is None:  # While the layers are wrong, who knows what they use.
                        unused.add(_path(error.where[1]))
                elif blamed is not None:
                    is_nearer = place.startswith(f"{blamed}.") and any(item.path == place for item in self.fields)
                    errors[place if is_nearer else blamed] = _reason(error, blamed)
                    typed = {path: text for path, text in typed.items() if path != blamed}
                elif layer_error is None and (layers != self.base.layers or place == "layers"):
                    layer_error = (error.line or 1, _reason(error, "layers"))
                    layers, knobs = self.base.layers, {**self.base.knobs, **knobs}
                else:
                    errors[place] = _reason(error, place)
                    return DraftResult(None, self.last_rows or self.base.rows, errors, layer_error)
        errors |= dict.fromkeys(unused - errors.keys(), UNUSED)
        is_right = not errors and layer_error is None
        rows = spec.rows if layer_error is None else self.last_rows or self.base.rows
        return DraftResult(spec if is_right else None, rows, errors, layer_error, frozenset(unused))

    def _blamed_knob(
        self, error: SpecError, typed: Mapping[str, str], layers: str, knobs: Mapping[str, Knob]
    ) -> str | None:
        """The typed knob without which a layer would not be wrong; None where no knob is to blame."""
        if error.where[:1] != ("layers",):
            return None
        for knob in (path for path in typed if path.startswith("knobs.")):
            try:
                self._spec({path: text for path, text in typed.items() if path != knob}, layers, knobs)
            except SpecError as other:
                if (other.where, other.line) == (error.where, error.line):
                    continue
            return knob
        return None

    def _spec(self, typed: Mapping[str, str], layers: str, knobs: Mapping[str, Knob]) -> RunSpec:
        """The spec of the texts; raises `SpecError` for the first that is wrong."""
        settings = {
            path: text for path, text in typed.items() if path not in CALLS and path.partition(".")[0] not in CALLS
        }
        for name in CALLS:
            text = self._call_text(name, typed)
            if text is not None:
                settings[name] = text
        if layers != self.base.layers:
            settings["layers"] = layers
        return self.base.with_settings(settings, knobs) if settings or knobs != self.base.knobs else self.base

    def _call_text(self, name: str, typed: Mapping[str, str]) -> str | None:
        """The call that a choice and its arguments come to; None where the preset's stands."""
        own = {path.partition(".")[2]: text for path, text in typed.items() if path.startswith(f"{name}.")}
        if name not in typed and not own:
            return None
        chosen = typed.get(name, self._preset_texts[name])
        if chosen == NONE or chosen not in CATALOGS[name]:
            return chosen
        kept = {} if name in typed else self._given_arguments(name)
        defaults = _defaults(name, chosen)
        arguments = {**kept, **{argument: text for argument, text in own.items() if text != defaults.get(argument)}}
        for argument, text in own.items():
            if text == defaults.get(argument):
                arguments.pop(argument, None)
            else:
                _check_value(name, chosen, argument, text)
        _check_required(name, defaults, arguments)
        return f"{chosen}({', '.join(f'{argument}={text}' for argument, text in arguments.items())})"

    def _given_arguments(self, name: str) -> dict[str, str]:
        """The arguments that the preset's call gives, by name."""
        call = getattr(self.base.train, name)
        names = list(signature(CATALOGS[name][call.name]).parameters) if call is not None else []
        return {} if call is None else _given(call, names)


def _are_knobs(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(number, int | float) and math.isfinite(number)
        for name, number in value.items()
    )


def _given(call: Call, names: list[str]) -> dict[str, str]:
    by_position = {name: show(value) for name, value in zip(names, call.args, strict=False)}
    return by_position | {name: show(value) for name, value in call.kwargs}


def _check_value(name: str, chosen: str, argument: str, text: str) -> None:
    with suppress(CallError):
        call = parse(f"f({argument}={text})")
        if not call.args and [key for key, _ in call.kwargs] == [argument]:
            return
    raise SpecError(unreadable(text, default_of(name, chosen, argument)), ("train", name, argument))


def _check_required(name: str, defaults: Mapping[str, str], arguments: Mapping[str, str]) -> None:
    for argument, default in defaults.items():
        if not default and argument not in arguments:
            raise SpecError("is missing", ("train", name, argument))


def _defaults(name: str, chosen: str) -> dict[str, str]:
    """The arguments of a call of the catalog as texts; "" for one that must be given; none for an unknown call."""
    parameters = signature(CATALOGS[name][chosen]).parameters if chosen in CATALOGS[name] else {}
    return {key: "" if value.default is value.empty else show(value.default) for key, value in parameters.items()}


def _flags(default: str) -> tuple[str, ...]:
    return ("True", "False") if default in ("True", "False") else ()


def _choices(name: str) -> tuple[str, ...]:
    """What may be chosen for a setting; empty where anything may be typed."""
    if name in CALLS:
        return (NONE, *CATALOGS[name]) if name == "scheduler" else tuple(CATALOGS[name])
    hint = TrainSpec.model_fields[name].annotation
    return tuple(map(str, get_args(hint))) if get_origin(hint) is Literal else ()


def _texts(spec: RunSpec) -> dict[str, str]:
    """Every setting of a spec as the text of its field."""
    texts: dict[str, str] = {}
    for name in TrainSpec.model_fields:
        value = getattr(spec.train, name)
        texts[name] = _text(value)
        if name in CALLS and value is not None:
            texts[name] = value.name
            known = list(signature(CATALOGS[name][value.name]).parameters)
            texts |= {f"{name}.{argument}": text for argument, text in _given(value, known).items()}
    texts |= {_path(name): _text(value) for name, value in spec.knobs.items()}
    return texts | {f"target.{name}": _text(getattr(spec.target, name)) for name in Target.model_fields}


def _text(value: Any) -> str:
    if isinstance(value, tuple) and all(isinstance(item, Call) for item in value):
        return ", ".join(map(str, value))
    return str(value)


def _path(knob: str) -> str:
    """A knob may be called like another setting."""
    return f"knobs.{knob}"


def _is_unused(error: SpecError) -> bool:
    return error.where[:1] == ("knobs",) and str(error).endswith(UNUSED)


def _blamed(error: SpecError, typed: Mapping[str, str]) -> str | None:
    """The path of the typed text that an error is about; None for the layers, and where none can be named."""
    where = [part for part in error.where if part != "train"]
    candidates = [".".join(where[:length]) for length in range(len(where), 0, -1)]
    for candidate in candidates:
        if candidate in typed:
            return candidate
    # An error of a call as a whole is blamed on an argument that was typed, on the one that the words name.
    head = where[0] if where else ""
    own = [path for path in typed if path.startswith(f"{head}.") or path == head]
    named = [path for path in own if path.partition(".")[2] and path.partition(".")[2] in str(error)]
    if named or own:
        return (named or own)[-1]
    return None if head == "layers" or not typed else _only(typed, head)


def _only(typed: Mapping[str, str], head: str) -> str | None:
    """Where two settings do not fit together, the one that was typed last."""
    return list(typed)[-1] if head else None


def _reason(error: SpecError, path: str) -> str:
    """The message without what the field's own place says already."""
    text = str(error).removeprefix("--set ")
    for place in (*error.where, ".".join(error.where), path, f"train.{path}"):
        text = text.removeprefix(f"{place}: ")
    return text
