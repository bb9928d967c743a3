"""What the texts of a draft come to: a spec, or every mistake at its field.

A spec reports its first mistake only. So each mistake is noted, the preset's text put in its place, and the spec made
again, until it can be made.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from mnist_tui.datasets.names import AUTO
from mnist_tui.errors import CallError, SpecError, UnusedKnobError
from mnist_tui.spec.calls import Call, parse_arguments
from mnist_tui.spec.catalog import CALLS, CATALOGS, default_of
from mnist_tui.spec.draft_fields import NONE, argument_texts, default_texts, knob_path
from mnist_tui.spec.layers import LayerRow
from mnist_tui.spec.recipe import Knob
from mnist_tui.spec.run_spec import UNUSED, RunSpec
from mnist_tui.spec.typed_settings import unreadable

T = TypeVar("T")


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
class DraftTexts:
    """What is typed over a preset."""

    base: RunSpec
    typed: Mapping[str, str]
    """By the path of the field."""
    layers: str
    knobs: Mapping[str, Knob]
    dataset: str = AUTO
    """As `RunSpec.for_dataset` takes it."""

    def without(self, path: str) -> "DraftTexts":
        """The texts with the preset's again in one field."""
        return replace(self, typed=_without(self.typed, path))

    def without_knob(self, name: str) -> "DraftTexts":
        """The texts less a knob."""
        return replace(self, typed=_without(self.typed, knob_path(name)), knobs=_without(self.knobs, name))

    def with_base_layers(self) -> "DraftTexts":
        """The texts with the preset's layers again, and the knobs that those use."""
        return replace(self, layers=self.base.layers, knobs={**self.base.knobs, **self.knobs})

    def make_spec(self) -> RunSpec:
        """The spec of the texts; raises `SpecError` for the first that is wrong."""
        settings = {path: text for path, text in self.typed.items() if path.partition(".")[0] not in CALLS}
        for name in CALLS:
            text = self._call_text(name)
            if text is not None:
                settings[name] = text
        if self.layers != self.base.layers:
            settings["layers"] = self.layers
        is_changed = settings or self.knobs != self.base.knobs or self.base.data_for(self.dataset) != self.base.data
        return self.base.with_settings(settings, self.knobs, self.dataset) if is_changed else self.base

    def _call_text(self, name: str) -> str | None:
        """The call that a choice and its arguments come to; None where the preset's stands."""
        typed = {path.partition(".")[2]: text for path, text in self.typed.items() if path.startswith(f"{name}.")}
        if name not in self.typed and not typed:
            return None
        call: Call | None = getattr(self.base.train, name)
        choice = self.typed.get(name, call.name if call else NONE)
        if choice == NONE or choice not in CATALOGS[name]:
            return choice
        arguments = {} if name in self.typed or call is None else argument_texts(name, call)
        defaults = default_texts(name, choice)
        for argument, text in typed.items():
            if text == defaults.get(argument):
                arguments.pop(argument, None)
            else:
                _check_value(name, choice, argument, text)
                arguments[argument] = text
        _check_required(name, defaults, arguments)
        return f"{choice}({', '.join(f'{argument}={text}' for argument, text in arguments.items())})"


def check_texts(texts: DraftTexts, last_rows: tuple[LayerRow, ...], has_field: Callable[[str], bool]) -> DraftResult:
    """The spec, or all mistakes; `last_rows` is the table while a layer is wrong, `has_field` knows all paths."""
    errors: dict[str, str] = {}
    unused: set[str] = set()
    layer_error: tuple[int, str] | None = None
    try:
        texts.base.data_for(texts.dataset)
    except SpecError as error:
        errors["dataset"] = error.reason
        texts = replace(texts, dataset=AUTO)
    while True:
        try:
            spec = texts.make_spec()
            break
        except SpecError as error:
            place = ".".join(part for part in error.where if part != "train")
            wrong_path = _wrong_knob(error, texts) or _wrong_path(error, texts.typed)
            if isinstance(error, UnusedKnobError) and error.where[1] in texts.knobs:
                texts = texts.without_knob(error.where[1])
                if layer_error is None:  # While the layers are wrong, nobody knows which knobs they use.
                    unused.add(knob_path(error.where[1]))
            elif wrong_path is not None:
                is_nearer = place.startswith(f"{wrong_path}.") and has_field(place)
                errors[place if is_nearer else wrong_path] = error.reason
                texts = texts.without(wrong_path)
            elif layer_error is None and (texts.layers != texts.base.layers or place == "layers"):
                layer_error = (error.line or 1, error.reason)
                texts = texts.with_base_layers()
            else:
                errors[place] = error.reason
                return DraftResult(None, last_rows, errors, layer_error)
    errors |= dict.fromkeys(unused - errors.keys(), UNUSED)
    is_valid = not errors and layer_error is None
    rows = spec.rows if layer_error is None else last_rows
    return DraftResult(spec if is_valid else None, rows, errors, layer_error, frozenset(unused))


def _wrong_knob(error: SpecError, texts: DraftTexts) -> str | None:
    """The path of the typed knob without which a layer would not be wrong; None where no knob is the cause."""
    if error.where[:1] != ("layers",):
        return None
    for path in (path for path in texts.typed if path.startswith("knobs.")):
        try:
            texts.without(path).make_spec()
        except SpecError as other:
            if (other.where, other.line) == (error.where, error.line):
                continue
        return path
    return None


def _wrong_path(error: SpecError, typed: Mapping[str, str]) -> str | None:
    """The path of the typed text that an error is about; None for the layers, and where none can be named."""
    where = [part for part in error.where if part != "train"]
    prefixes = [".".join(where[:length]) for length in range(len(where), 0, -1)]
    setting = where[0] if where else ""
    of_call = [path for path in typed if path == setting or path.startswith(f"{setting}.")]
    candidates = [f"{setting}.{error.argument}", *prefixes, *reversed(of_call)]
    wrong_path = next((path for path in candidates if path in typed), None)
    if wrong_path is None and setting not in ("", "layers") and typed:
        return list(typed)[-1]  # Where two settings do not fit together, the one that was typed last.
    return wrong_path


def _check_value(name: str, choice: str, argument: str, text: str) -> None:
    with suppress(CallError):
        args, kwargs = parse_arguments(f"{argument}={text}")
        if not args and list(kwargs) == [argument]:
            return
    raise SpecError(unreadable(text, default_of(name, choice, argument)), ("train", name, argument))


def _check_required(name: str, defaults: Mapping[str, str], arguments: Mapping[str, str]) -> None:
    for argument, default in defaults.items():
        if not default and argument not in arguments:
            raise SpecError("is missing", ("train", name, argument))


def _without(values: Mapping[str, T], key: str) -> dict[str, T]:
    return {name: value for name, value in values.items() if name != key}
