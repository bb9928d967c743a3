"""A run while it is being designed: the texts of a form over a preset, checked as a whole at every keystroke."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from mnist_tui.datasets.names import AUTO
from mnist_tui.errors import SpecError, UnusedKnobError
from mnist_tui.spec.catalog import CALLS
from mnist_tui.spec.draft_check import DraftResult, DraftTexts, check_texts
from mnist_tui.spec.draft_fields import (
    Field,
    choices_of,
    default_texts,
    flag_choices,
    knob_path,
    setting_groups,
    spec_texts,
    target_choices,
    value_text,
)
from mnist_tui.spec.layers import LayerRow
from mnist_tui.spec.recipe import Knob, Target
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.spec.typed_settings import read_value, transforms_in


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
    """Transforms that are not used now: their positions among all transforms, and their calls."""
    own_knobs: Mapping[str, Knob] | None = None
    """The knobs with their values before anything was typed; None: the preset's."""
    dataset: str = AUTO
    """The data set that is chosen for the run; auto: the preset's."""

    @classmethod
    def of(cls, spec: RunSpec, base: RunSpec) -> "Draft":
        """The draft over `base` whose result is `spec`."""
        knobs = {name: base.knobs.get(name, value) for name, value in spec.knobs.items()}
        layers = None if spec.layers == base.layers else spec.layers
        draft = cls(base, {}, layers, spec.rows, own_knobs=knobs)
        typed = {path: text for path, text in spec_texts(spec).items() if draft._preset_texts.get(path) != text}
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
        """The draft of `as_record`; for anything else raises `SpecError`, or what Python raises for such values.

        That is `KeyError`, `TypeError`, `ValueError`, `AttributeError` or `OverflowError`.
        """
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
        if path == "optimizer" and rate != default_texts("optimizer", text).get("lr", rate):
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
        transforms = [(str(call), True) for call in transforms_in(self.text_of("augment"))]
        for place, text in self.switched_off:
            transforms.insert(place, (text, False))
        return transforms

    def with_transforms(self, transforms: Sequence[tuple[str, bool]]) -> "Draft":
        """The draft with these transforms, each with whether it is used."""
        off = tuple((place, text) for place, (text, is_on) in enumerate(transforms) if not is_on)
        return replace(self, switched_off=off).with_text(
            "augment", ", ".join(text for text, is_on in transforms if is_on)
        )

    def text_of(self, path: str) -> str:
        """The text in a field: the typed one, or the preset's, or PyTorch's default."""
        if path in self.typed:
            return self.typed[path]
        name, _, argument = path.partition(".")
        if name not in CALLS or not argument:
            return self._preset_texts.get(path, "")
        given = self._preset_texts.get(path) if name not in self.typed else None
        return default_texts(name, self.text_of(name)).get(argument, "") if given is None else given

    def with_knob(self, name: str, text: str) -> "Draft":
        """The draft with another knob; raises `SpecError`, at `knobs` for its name and inside `knobs` for its value."""
        if name in self.knobs:
            raise SpecError(f"there is a knob {name} already", ("knobs",))
        try:
            value = read_value(knob_path(name), text)
            self.base.with_settings({}, {**self.base.knobs, name: value})
        except SpecError as error:
            if error.where[0].startswith("knobs") and not isinstance(error, UnusedKnobError):
                raise SpecError(error.reason, error.where) from None
        knobs = {**self.knobs, name: self.base.knobs.get(name, value)}
        return replace(self, own_knobs=knobs).with_text(knob_path(name), text)

    def without_knob(self, name: str) -> "Draft":
        """The draft without a knob that nothing uses."""
        typed = {path: text for path, text in self.typed.items() if path != knob_path(name)}
        knobs = {knob: value for knob, value in self.knobs.items() if knob != name}
        return replace(self, typed=typed, own_knobs=knobs, last_rows=self._last_rows)

    @property
    def _last_rows(self) -> tuple[LayerRow, ...]:
        """The newest layer table that was computed: drafts between two key presses are not all checked."""
        return self.result.rows if "result" in vars(self) else self.last_rows

    @property
    def changed_count(self) -> int:
        """How many settings differ from the preset, the layers counted as one."""
        knobs = {knob_path(name) for name in self.knobs.keys() ^ self.base.knobs.keys()}
        return len(self.typed.keys() | knobs) + (self.typed_layers is not None)

    @cached_property
    def _preset_texts(self) -> dict[str, str]:
        """The text of every field that is not typed over."""
        return spec_texts(self.base) | {knob_path(name): value_text(value) for name, value in self.knobs.items()}

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Every field of the form, in its order; a call's arguments are those of its current choice."""
        return tuple(self._fields())

    def _fields(self) -> Iterator[Field]:
        for group, names in setting_groups().items():
            for name in names:
                yield self._field(name, name.replace("_", " "), group, choices_of(name))
                if name in CALLS:
                    yield from self._argument_fields(name, group)
        for name in self.knobs:
            yield self._field(knob_path(name), name, "knobs")
        for name in Target.model_fields:
            yield self._field(f"target.{name}", name.replace("_", " "), "target", target_choices(name))

    def _field(self, path: str, label: str, group: str, choices: tuple[str, ...] = ()) -> Field:
        is_new = group == "knobs" and label not in self.base.knobs
        return Field(path, label, group, self.text_of(path), choices, path in self.typed or is_new)

    def _argument_fields(self, name: str, group: str) -> Iterator[Field]:
        for argument, default in default_texts(name, self.text_of(name)).items():
            path = f"{name}.{argument}"
            yield Field(path, f"  {argument}", group, self.text_of(path), flag_choices(default), path in self.typed)

    @property
    def knobs(self) -> Mapping[str, Knob]:
        """The knobs that the layers or the recipe may use, with their values before anything was typed."""
        return self.base.knobs if self.own_knobs is None else self.own_knobs

    @cached_property
    def result(self) -> DraftResult:
        """The spec, or all that is wrong."""
        texts = DraftTexts(self.base, self.typed, self.layers, self.knobs, self.dataset)
        return check_texts(texts, self.last_rows or self.base.rows, self._has_field)

    def _has_field(self, path: str) -> bool:
        return any(one.path == path for one in self.fields)


def _are_knobs(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(number, int | float) and math.isfinite(number)
        for name, number in value.items()
    )
