"""The changes to a spec that the coach suggests, as settings; each is tried before it is suggested."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from mnist_tui.errors import InputError
from mnist_tui.spec import catalog
from mnist_tui.spec.calls import Call, Name, Value, resolve
from mnist_tui.spec.layers import LayerRow
from mnist_tui.spec.run_spec import RunSpec

Settings = Mapping[str, str]

_LINE_END = re.compile("\r\n|\r|\n")
RATE_STEP = 3
"""What a learning rate is multiplied with or divided by: the spacing of a coarse search (Bengio 2012, section 3.3)."""
WIDER = (2.0, 1.75, 1.5, 1.4, 1.3, 1.2, 1.1)
"""Factors by which channels are multiplied, the largest that fits the parameters."""


def applicable(spec: RunSpec, settings: Settings | None) -> Settings | None:
    """The settings, where the spec takes them and is another one then; None where it does not."""
    if settings is None:
        return None
    try:
        changed = spec.with_settings(settings)
    except InputError:
        return None
    limit = spec.target.parameters
    is_too_large = limit is not None and changed.parameters >= limit > spec.parameters
    return None if changed == spec or is_too_large else settings


# --- the recipe ---


def scale_rate(spec: RunSpec, factor: float) -> Settings | None:
    """The learning rate times `factor`: of the optimizer, or of the scheduler that sets its highest rate."""
    scheduler = spec.train.scheduler
    if scheduler is not None and scheduler.name in catalog.STEPPED_PER_BATCH:
        return applicable(spec, _scale_argument(spec, "scheduler", scheduler, "max_lr", factor))
    return applicable(spec, _scale_argument(spec, "optimizer", spec.train.optimizer, "lr", factor))


def _scale_argument(spec: RunSpec, setting: str, call: Call, argument: str, factor: float) -> Settings | None:
    given = _given(call, catalog.arguments(setting, call.name), argument)
    value = catalog.default_of(setting, call.name, argument) if given is None else given
    if isinstance(value, Name) and value.id in spec.knobs:
        return {f"knobs.{value.id}": _short(spec.knobs[value.id] * factor)}
    number = _number(value)
    return None if number is None else {f"{setting}.{argument}": _short(number * factor)}


def _given(call: Call, names: Sequence[str], argument: str) -> Value:
    """An argument as it is written; None where it is left out."""
    return (dict(zip(names, call.args, strict=False)) | dict(call.kwargs)).get(argument)


def _number(value: Value) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]  # `is_number` has seen to it.


def _short(number: float) -> str:
    """Two significant digits."""
    return f"{number:.2g}"


def longer(spec: RunSpec, epochs: int) -> Settings | None:
    """So many epochs, the schedule stretched with them where it is written for the old number."""
    settings = {"epochs": str(epochs)}
    scheduler = spec.train.scheduler
    if scheduler is not None:
        names = catalog.arguments("scheduler", scheduler.name)
        for argument in ("T_max", "epochs"):
            if _given(scheduler, names, argument) == spec.train.epochs:
                settings[f"scheduler.{argument}"] = "epochs"
        if _given(scheduler, names, "total_steps") is not None:
            return None
    return applicable(spec, settings)


def scale_dropout(spec: RunSpec, factor: float) -> Settings | None:
    """Every dropout rate times `factor`; None where there is none."""
    settings: dict[str, str] = {}
    changes: list[tuple[Call, Call]] = []
    for call, _ in outer_layers(spec):
        rate = (call.args[0] if call.args else dict(call.kwargs).get("p", 0.5)) if is_dropout(call) else None
        if isinstance(rate, Name) and rate.id in spec.knobs:
            settings[f"knobs.{rate.id}"] = _short(spec.knobs[rate.id] * factor)
        elif (number := _number(rate)) is not None:
            changes.append((call, _with_first(call, "p", float(_short(number * factor)))))
    if changes:
        settings["layers"] = replace_calls(spec.layers, changes)
    return applicable(spec, settings) if settings else None


def is_dropout(call: Call) -> bool:
    """Whether a layer is dropout of any kind."""
    return "Dropout" in call.name


def dropout_rate(spec: RunSpec, call: Call) -> float:
    """The probability of a dropout layer."""
    rate: Value = call.args[0] if call.args else dict(call.kwargs).get("p", 0.5)
    return _number(resolve(rate, spec.knobs)) or 0.0


def _with_first(call: Call, name: str, value: Value) -> Call:
    """The call with its first argument changed, in the form in which it was given."""
    if call.args:
        return Call(call.name, (value, *call.args[1:]), call.kwargs, call.line)
    return call.with_argument(name, value)


def halve_rotation(spec: RunSpec) -> Settings | None:
    """The augmentation with every angle halved; where no transform has one, without the last transform."""
    calls = [_halved(call) for call in spec.train.augment]
    if tuple(calls) == spec.train.augment:
        calls = calls[:-1]
    return applicable(spec, {"augment": f"[{', '.join(map(str, calls))}]"})


def _halved(call: Call) -> Call:
    degrees = _number(call.args[0] if call.args else dict(call.kwargs).get("degrees"))
    if call.name not in ("RandomRotation", "RandomAffine") or degrees is None or degrees < 2:
        return call
    return _with_first(call, "degrees", math.floor(degrees / 2))


# --- the layers ---


def outer_layers(spec: RunSpec) -> Iterator[tuple[Call, LayerRow]]:
    """Each line of the layers with its row of the layer table; of a `Residual` the row of its sum."""
    yield from zip(spec.calls, (row for row in spec.rows if row.depth == 0), strict=True)


def replace_calls(text: str, changes: Sequence[tuple[Call, Call | None]]) -> str:
    """The text of the layers with some calls replaced, or taken out for None; comments stay where they are."""
    lines = _LINE_END.split(text)
    for old, new in changes:
        line = lines[old.line - 1]
        lines[old.line - 1] = line.replace(old.text, "" if new is None else str(new), 1)
    return "\n".join(lines)


def insert_before(text: str, additions: Sequence[tuple[Call, Sequence[str]]]) -> str:
    """The text of the layers with new lines before some calls."""
    lines = _LINE_END.split(text)
    for call, new in sorted(additions, key=lambda addition: -addition[0].line):
        old = lines[call.line - 1]
        indent = old[: len(old) - len(old.lstrip())]
        lines[call.line - 1 : call.line - 1] = [indent + line for line in new]
    return "\n".join(lines)


def widen(spec: RunSpec, limit: int | None) -> Settings | None:
    """More channels for every convolution but the one that ends in the classes, with fewer parameters than `limit`."""
    last = max((row.index for row in spec.rows if row.parameters), default=0)
    convolutions = [
        (call, call.args[0])
        for call, row in outer_layers(spec)
        if call.name == "Conv2d" and row.index != last and call.args and isinstance(call.args[0], int)
    ]
    for factor in WIDER if convolutions else ():
        changes = [
            (call, _with_first(call, "out_channels", round(channels * factor))) for call, channels in convolutions
        ]
        settings = applicable(spec, {"layers": replace_calls(spec.layers, changes)})
        if settings and (limit is None or spec.with_settings(settings).parameters < limit):
            return settings
    return None
