"""Settings as a person types them: a path and a text, such as `optimizer.lr` and `0.01`, put into a spec's document."""

import shlex
from collections.abc import Mapping
from typing import Any

from mnist_tui.errors import CallError, SpecError
from mnist_tui.spec import catalog
from mnist_tui.spec.calls import Call, Value, parse, parse_arguments, resolve, show
from mnist_tui.spec.recipe import Target, TrainSpec
from mnist_tui.text import clean_line, did_you_mean


def put_setting(document: dict[str, Any], path: str, text: str) -> None:
    """Puts the value written in `text` at `path` of a dumped `RunSpec`; raises `SpecError`."""
    train, knobs = document["train"], document["knobs"]
    path_in_train = path.removeprefix("train.")
    head, _, rest = path_in_train.partition(".")
    if path_in_train in TrainSpec.model_fields:
        train[path_in_train] = _field_value(path_in_train, text)
    elif head in catalog.CALLS and rest:
        train[head] = _with_argument(train.get(head), head, rest, text)
    elif path in ("name", "title", "layers"):
        document[path] = text
    elif (knob := path.removeprefix("knobs.")) in knobs:
        knobs[knob] = read_value(path, text, knobs[knob])
    elif path.startswith("target.") and rest in Target.model_fields:
        document["target"][rest] = _field_value(path, text)
    else:
        in_target = [f"target.{name}" for name in Target.model_fields]
        known = [*TrainSpec.model_fields, *document["knobs"], "optimizer.lr", *in_target]
        same_end = [name for name in known if name.endswith(f".{path}")]
        near = f"; did you mean {same_end[0]!r}?" if same_end else did_you_mean(path, known)
        raise SpecError(f"there is no such setting{near}", (path,), place=f"--set {clean_line(path, 60)}")


def as_options(settings: Mapping[str, str]) -> str:
    """Settings as the command line takes them, quoted for a shell: `--set optimizer.lr=0.01 --set epochs=30`."""
    return " ".join(f"--set {shlex.quote(f'{path}={text}')}" for path, text in settings.items())


def _with_argument(call_text: str | None, setting: str, argument: str, text: str) -> str:
    """A call with another value for an argument; `setting` is the call's, such as `optimizer`."""
    where, place = (setting, argument), f"--set {setting}.{argument}"
    if call_text is None:
        raise SpecError(f"there is no {setting}; set {setting} itself", where, place=place)
    call = _known_call(call_text, setting)
    names = catalog.arguments(setting, call.name)
    if argument not in names:
        near = did_you_mean(argument, names) or f"; it takes {', '.join(names)}"
        raise SpecError(f"{call.name} has no argument {argument!r}{near}", where, place=place)
    try:
        value = _one_value(text)
    except CallError:
        given = dict(zip(names, call.args, strict=False)) | dict(call.kwargs)
        value_now = given.get(argument, catalog.default_of(setting, call.name, argument))
        raise SpecError(unreadable(text, value_now), where, place=place) from None
    position = names.index(argument)
    if position < len(call.args):
        args = (*call.args[:position], value, *call.args[position + 1 :])
        return str(Call(call.name, args, call.kwargs))
    return str(call.with_argument(argument, value))


def _known_call(text: str, setting: str) -> Call:
    where, place = ("train", setting), f"train.{setting}"
    try:
        call = parse(text)
    except CallError as error:
        raise SpecError(str(error), where, place=place) from None
    known = catalog.CATALOGS[setting]
    if call.name not in known:
        near = did_you_mean(call.name, known) or f"; known are {', '.join(known)}"
        raise SpecError(f"there is no {setting} {call.name!r}{near}", where, place=place)
    return call


def _one_value(text: str) -> Value:
    """The one value written in `text`; raises `CallError` where there is none, or more than one."""
    args, kwargs = parse_arguments(text)
    if len(args) != 1 or kwargs:
        raise CallError("expected one value")
    return args[0]


def read_value(path: str, text: str, example: Value = 0.001) -> Any:
    """The value that a person typed: number, word, list or tuple. Raises `SpecError`, with an example to enter."""
    try:
        return resolve(_one_value(text), {})
    except CallError:
        raise SpecError(unreadable(text, example), (path,), place=f"--set {path}") from None


def unreadable(text: str, example: Value) -> str:
    """The reason of an error about a text that is no value: `cannot read '1e'; enter a number such as 20`."""
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
    "no_decay": ("norm", "bias"),
    "mixup": 0.2,
    "clip_grad_norm": 1.0,
    "patience": 5,
    "stop_at_accuracy": 0.994,
    "parameters": 20_000,
    "test_accuracy": 0.994,
    "last_epochs": 3,
}
"""Values for the advice on fields whose default is None."""


def example(field: str) -> Value:
    """A value that a field of the recipe or of the target may have, for advice: its default where it has one."""
    default = TrainSpec.model_fields[field].default if field in TrainSpec.model_fields else None
    return EXAMPLES.get(field, 0.001) if default in (None, ()) else default


def _field_value(path: str, text: str) -> Any:
    """The value of a field as JSON: calls and words stay text, everything else is read as a number, list or None."""
    field = path.rpartition(".")[2]
    if field in (*catalog.CALLS, "precision", "scheduler_step", "rule"):
        return None if text == "None" else text
    if field == "augment":
        return [str(call) for call in transforms_in(text)]
    if field == "no_decay":
        return _words_in(text)
    return read_value(path, text, example(field))


def _words_in(text: str) -> list[str]:
    """The words of `norm, bias`, with or without quotes and brackets; none in `None` or an empty text."""
    text = text.strip()
    inside = text[1:-1] if text[:1] + text[-1:] in ("[]", "()") else text
    words = [word.strip().strip("\"'") for word in inside.split(",")]
    return [word for word in words if word not in ("", "None")]


def transforms_in(text: str) -> tuple[Call, ...]:
    """The calls of `[RandomRotation(15), Resize(28)]`, with or without the brackets; raises `SpecError`."""
    where, place = ("augment",), "--set augment"
    try:
        args, kwargs = parse_arguments(text)
    except CallError as error:
        raise SpecError(str(error), where, place=place) from None
    values = args[0] if len(args) == 1 and isinstance(args[0], tuple) else args
    transforms = tuple(value for value in values if isinstance(value, Call))
    if len(transforms) < len(values) or kwargs:
        reason = f"expected transforms, such as RandomRotation(15), got {clean_line(text, 60)!r}"
        raise SpecError(reason, where, place=place)
    return transforms
