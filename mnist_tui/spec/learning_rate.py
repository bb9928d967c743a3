"""The settings in which a run's learning rate is written, so that one number can be put in their place."""

from dataclasses import replace

from mnist_tui.spec import catalog
from mnist_tui.spec.calls import Call, Name, Value, bind, signature
from mnist_tui.spec.run_spec import RunSpec

CYCLES = frozenset({"OneCycleLR"})
"""Schedulers that have the highest rate as an argument of their own and take no notice of the optimizer's."""


def learning_rate_settings(spec: RunSpec, rate: float) -> dict[str, str]:
    """What `RunSpec.with_settings` changes so that the run trains at `rate`, rounded to three digits: paths and texts.

    They are the optimizer's `lr` and the `max_lr` of a OneCycleLR; where one is a knob, the knob; a OneCycleLR inside
    a SequentialLR is changed with the whole scheduler. Of a rate that is written as arithmetic on a knob, such as
    `2*peak`, the arithmetic is replaced; where nothing else uses that knob, `with_settings` refuses to leave it over.
    """
    text = f"{rate:.3g}"
    settings = {_path(spec, "optimizer", spec.train.optimizer, "lr"): text}
    scheduler = spec.train.scheduler
    if scheduler is None:
        return settings
    if scheduler.name in CYCLES:
        settings[_path(spec, "scheduler", scheduler, "max_lr")] = text
    elif (changed := _with_max_lr(scheduler, float(text))) != scheduler:
        settings["scheduler"] = str(changed)
    return settings


def _path(spec: RunSpec, field: str, call: Call, argument: str) -> str:
    """The path of a call's argument, or of the knob that it is."""
    value = bind(call, signature(catalog.CATALOGS[field][call.name]))[argument]
    return value.id if isinstance(value, Name) and value.id in spec.knobs else f"{field}.{argument}"


def _with_max_lr(value: Value, rate: float) -> Value:
    """A value of a scheduler's arguments, with `max_lr=rate` in every OneCycleLR in it."""
    match value:
        case Call(name=name) if name in CYCLES:
            names = catalog.arguments("scheduler", name)
            given = dict(zip(names, value.args, strict=False)) | dict(value.kwargs) | {"max_lr": rate}
            return Call(name, (), tuple(given.items()))
        case Call():
            args = tuple(_with_max_lr(item, rate) for item in value.args)
            kwargs = tuple((name, _with_max_lr(item, rate)) for name, item in value.kwargs)
            is_same = (args, kwargs) == (value.args, value.kwargs)
            return value if is_same else replace(value, args=args, kwargs=kwargs, text="")
        case tuple():
            return tuple(_with_max_lr(item, rate) for item in value)
    return value
