"""The fields of the form: their order, their texts and what may be chosen in them.

They are made from the declarations of `TrainSpec` and `Target`, from PyTorch's signatures and from the knobs, so that
a new setting appears in the form by being declared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, get_args, get_origin

from mnist_tui.spec.calls import Call, show, signature
from mnist_tui.spec.catalog import CALLS, CATALOGS
from mnist_tui.spec.recipe import Target, TrainSpec
from mnist_tui.spec.run_spec import RunSpec

GROUPS: Mapping[str, tuple[str, ...]] = {
    "training": ("epochs", "batch_size", "seed"),
    "optimizer": ("optimizer", "no_decay", "average"),
    "scheduler": ("scheduler", "scheduler_step"),
    "augmentation": ("augment", "mixup"),
    "data": ("validation_images", "normalize", "eval_batch_size"),
    "loss": ("loss",),
    "stopping": ("patience", "stop_at_accuracy"),
    "numbers": ("precision", "clip_grad_norm"),
}
"""The order of the form; what is declared and not named here comes last."""

NONE = "None"
"""The choice of no scheduler or average, and the text of a setting without a value."""


@dataclass(frozen=True)
class Field:
    """One field of the form."""

    path: str
    """As `--set` takes it: `epochs`, `optimizer.lr`, `knobs.dropout`, `target.parameters`."""
    label: str
    group: str
    text: str
    """The text in the field."""
    choices: tuple[str, ...] = ()
    """What may be chosen; empty where anything may be typed."""
    is_changed: bool = False
    """Whether the preset has another text here."""


def setting_groups() -> dict[str, tuple[str, ...]]:
    """The settings of the recipe by the group of the form that they are in, in the form's order."""
    grouped = {name for names in GROUPS.values() for name in names}
    return {**GROUPS, "more": tuple(name for name in TrainSpec.model_fields if name not in grouped)}


def choices_of(name: str) -> tuple[str, ...]:
    """What may be chosen for a setting of the recipe; empty where anything may be typed."""
    if name in CALLS:
        is_optional = TrainSpec.model_fields[name].default is None
        return (NONE, *CATALOGS[name]) if is_optional else tuple(CATALOGS[name])
    hint = TrainSpec.model_fields[name].annotation
    words = _words_of(hint)
    if words and get_origin(hint) is tuple:  # Any of the words, together.
        several = (combinations(words, count) for count in range(1, len(words) + 1))
        return (NONE, *(", ".join(chosen) for of_count in several for chosen in of_count))
    return words


def target_choices(name: str) -> tuple[str, ...]:
    """What may be chosen for a part of the target; empty where anything may be typed."""
    words = _words_of(Target.model_fields[name].annotation)
    return (NONE, *words) if words else ()


def _words_of(hint: Any) -> tuple[str, ...]:
    """The words of a Literal, also of one that may be None or is the type of a tuple's items; empty otherwise."""
    literals = [each for each in (hint, *get_args(hint)) if get_origin(each) is Literal]
    return tuple(map(str, get_args(literals[0]))) if literals else ()


def flag_choices(default: str) -> tuple[str, ...]:
    """True and False for an argument whose default is one of them; else empty."""
    return ("True", "False") if default in ("True", "False") else ()


def knob_path(knob: str) -> str:
    """The path of a knob's field; a knob may be called like another setting."""
    return f"knobs.{knob}"


def default_texts(name: str, choice: str) -> dict[str, str]:
    """The arguments of a call of the catalog as texts; "" for one that must be given; none for an unknown call."""
    parameters = signature(CATALOGS[name][choice]).parameters if choice in CATALOGS[name] else {}
    return {key: "" if value.default is value.empty else show(value.default) for key, value in parameters.items()}


def argument_texts(name: str, call: Call) -> dict[str, str]:
    """The arguments that a call of the catalog gives, as texts by their names."""
    names = list(signature(CATALOGS[name][call.name]).parameters)
    by_position = {argument: show(value) for argument, value in zip(names, call.args, strict=False)}
    return by_position | {argument: show(value) for argument, value in call.kwargs}


def spec_texts(spec: RunSpec) -> dict[str, str]:
    """Every setting of a spec as the text of its field, by path; arguments only where they are given."""
    texts: dict[str, str] = {}
    for name in TrainSpec.model_fields:
        value = getattr(spec.train, name)
        texts[name] = value_text(value) or (NONE if choices_of(name) else "")
        if name in CALLS and value is not None:
            texts[name] = value.name
            texts |= {f"{name}.{argument}": text for argument, text in argument_texts(name, value).items()}
    texts |= {knob_path(name): value_text(value) for name, value in spec.knobs.items()}
    return texts | {f"target.{name}": value_text(getattr(spec.target, name)) for name in Target.model_fields}


def value_text(value: Any) -> str:
    """A setting's value as its field shows it: several calls or words with commas between them."""
    if isinstance(value, tuple) and all(isinstance(item, Call | str) for item in value):
        return ", ".join(map(str, value))
    return str(value)
