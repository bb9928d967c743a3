"""Facts parsed out of the text of a spec, cached by the text, since many runs share one. No torch.

What cannot be parsed has no value: tables list runs of other versions, and damaged ones, too.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from mnist_tui.errors import CallError, LayerError, SpecError
from mnist_tui.runs.numbers import finite_number
from mnist_tui.spec.calls import Call, Value, parse, parse_lines, resolve, signature
from mnist_tui.spec.catalog import OPTIMIZERS
from mnist_tui.spec.layers import LayerRow, Shape
from mnist_tui.spec.network import infer_shapes

Knobs = tuple[tuple[str, float], ...]
"""Names and values of the knobs, hashable."""


def numeric_knobs(knobs: Mapping[str, Any]) -> Knobs:
    """The knobs that are numbers; others of a damaged spec are left out."""
    return tuple((name, value) for name, value in knobs.items() if finite_number(value) is not None)


def recipe_key(name: str, layers: str, knobs: Knobs, train: Mapping[str, Any]) -> str:
    """A key that is equal for specs that differ in nothing but the seed."""
    settings = {setting: value for setting, value in train.items() if setting != "seed"}
    return json.dumps([layers, knobs, settings, name], sort_keys=True)


@lru_cache(maxsize=20_000)
def parse_call(text: str) -> Call | None:
    """The call of a text; None where it is none."""
    with suppress(CallError):
        return parse(text)
    return None


@lru_cache(maxsize=20_000)
def learning_rate(call: Call, knobs: Knobs) -> float | None:
    """The base learning rate of an optimizer's call, its default filled in."""
    argument = call.args[0] if call.args else dict(call.kwargs).get("lr")
    if argument is None and call.name in OPTIMIZERS:
        argument = signature(OPTIMIZERS[call.name]).parameters["lr"].default
    with suppress(CallError):
        return finite_number(resolve(argument, dict(knobs)))
    return None


@lru_cache(maxsize=20_000)
def _parse_layers(layers: str) -> tuple[Call, ...]:
    with suppress(CallError):
        return parse_lines(layers)
    return ()


@lru_cache(maxsize=20_000)
def dropout_rates(layers: str, knobs: Knobs) -> tuple[float, ...]:
    """The rates of the dropout layers in a text of layers, each once, sorted."""
    rates: set[float] = set()
    for call in _parse_layers(layers):
        if "Dropout" in call.name:
            argument: Value = call.args[0] if call.args else dict(call.kwargs).get("p", 0.5)
            with suppress(CallError):
                rates |= {rate for rate in [finite_number(resolve(argument, dict(knobs)))] if rate is not None}
    return tuple(sorted(rates))


@lru_cache(maxsize=2_000)
def layer_rows(layers: str, knobs: Knobs, shape: Shape) -> tuple[LayerRow, ...]:
    """The layer table of a text of layers on images of a shape; () where it cannot be inferred."""
    with suppress(CallError, LayerError, SpecError):
        return infer_shapes(_parse_layers(layers), dict(knobs), shape)
    return ()
