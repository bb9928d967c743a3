"""The types of layers' arguments: each annotation carries the function that checks a value and brings it to full form.

`stride: Pair` in the rule of a layer means that the rule gets `(2, 2)` for both `stride=2` and `stride=(2, 2)`.
"""

from collections.abc import Callable
from typing import Annotated, Any

from mnist_tui.errors import CallError
from mnist_tui.spec.calls import Call, Value, show
from mnist_tui.text import shorten


def _count(value: Value) -> int:
    return _integer(value, 1)


def _integer(value: Value, low: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise CallError(f"must be a whole number of at least {low}")
    return value


def _number(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CallError("must be a number")
    return float(value)


def _probability(value: Value) -> float:
    if not 0 <= _number(value) <= 1:
        raise CallError("must be between 0 and 1")
    return _number(value)


def _positive(value: Value) -> float:
    if _number(value) <= 0:
        raise CallError("must be greater than 0")
    return _number(value)


def _flag(value: Value) -> bool:
    if not isinstance(value, bool):
        raise CallError("must be True or False")
    return value


def _pair_of(low: int) -> Callable[[Value], tuple[int, int]]:
    def pair(value: Value) -> tuple[int, int]:
        values = value if isinstance(value, tuple) else (value, value)
        if len(values) != 2:
            raise CallError("must be one number or a pair of numbers")
        return _integer(values[0], low), _integer(values[1], low)

    return pair


def _scale(value: Value) -> tuple[float, float]:
    values = value if isinstance(value, tuple) else (value, value)
    if len(values) != 2:
        raise CallError("must be one number or a pair of numbers")
    if max(_positive(values[0]), _positive(values[1])) > 1_000:
        raise CallError("must be at most 1,000")
    return _positive(values[0]), _positive(values[1])


def _edges(value: Value) -> tuple[int, int, int, int]:
    values = value if isinstance(value, tuple) else (value,) * 4
    if len(values) != 4:
        raise CallError("must be one number or four: left, right, top, bottom")
    left, right, top, bottom = (_integer(item, 0) for item in values)
    return left, right, top, bottom


def _sizes(value: Value) -> tuple[int, ...]:
    if not isinstance(value, tuple) or not value:
        raise CallError("must be a list of sizes")
    return tuple(_integer(item, 1) for item in value)


def _size_or_sizes(value: Value) -> tuple[int, ...]:
    return _sizes(value if isinstance(value, tuple) else (value,))


def _sizes_or_same(value: Value) -> tuple[int | None, int | None]:
    values = value if isinstance(value, tuple) else (value, value)
    if len(values) != 2:
        raise CallError("must be one number or a pair of numbers")
    height, width = (None if item is None else _integer(item, 1) for item in values)
    return height, width


def _padding(value: Value) -> tuple[int, int] | str:
    return _one_of("same", "valid")(value) if isinstance(value, str) else _pair_of(0)(value)


def _one_of(*choices: str) -> Callable[[Value], str]:
    def choice(value: Value) -> str:
        if value not in choices:
            raise CallError(f"must be one of {', '.join(choices)}")
        return str(value)

    return choice


def _layer(value: Value) -> Call:
    if not isinstance(value, Call):
        raise CallError("must be a layer, such as ReLU")
    return value


def _layers(value: Value) -> tuple[Call, ...]:
    """The layers of `*layers`; at least one."""
    if not isinstance(value, tuple) or not value:
        raise CallError("must be one layer or more, such as Conv2d(8, 1), ReLU")
    for item in value:
        if not isinstance(item, Call):
            advice = "; write several in a row as Sequential(…)" if isinstance(item, tuple) else ""
            raise CallError(f"must all be layers, such as ReLU, but one is {shorten(show(item))}{advice}")
    return tuple(item for item in value if isinstance(item, Call))


def _optional(check: Callable[[Value], Any]) -> Callable[[Value], Any]:
    return lambda value: None if value is None else check(value)


Count = Annotated[int, _count]
MaybeCount = Annotated[int | None, _optional(_count)]
Integer = Annotated[int, lambda value: _integer(value, -10)]
Number = Annotated[float, _number]
MaybeNumber = Annotated[float | None, _optional(_number)]
Positive = Annotated[float, _positive]
Probability = Annotated[float, _probability]
Flag = Annotated[bool, _flag]
MaybeFlag = Annotated[bool | None, _optional(_flag)]
Pair = Annotated[tuple[int, int], _pair_of(1)]
MaybePair = Annotated[tuple[int, int] | None, _optional(_pair_of(1))]
Pair0 = Annotated[tuple[int, int], _pair_of(0)]
Padding = Annotated[tuple[int, int] | str, _padding]
Edges = Annotated[tuple[int, int, int, int], _edges]
Sizes = Annotated[tuple[int, ...], _sizes]
MaybeSizes = Annotated[tuple[int, ...] | None, _optional(_size_or_sizes)]
SizesOrSame = Annotated[tuple[int | None, int | None], _sizes_or_same]
MaybeScale = Annotated[tuple[float, float] | None, _optional(_scale)]
PaddingMode = Annotated[str, _one_of("zeros", "reflect", "replicate", "circular")]
Approximation = Annotated[str, _one_of("none", "tanh")]
UpsampleMode = Annotated[str, _one_of("nearest", "nearest-exact", "bilinear", "bicubic")]
MaybeLayer = Annotated[Call | None, _optional(_layer)]
Layers = Annotated[Call, _layers]
"""Of `*layers`: the annotation is for each of them, the check for all."""
