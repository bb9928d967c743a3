"""Keys: how they are written on the screen, an id for every binding, and what is wrong with a user's keymap."""

import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, format_key, key_to_character

import mnist_tui.tui
from mnist_tui.text import clean_line, did_you_mean

MODIFIERS = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
KNOWN_KEYS = (*(key.value for key in Keys), *KEY_NAME_REPLACEMENTS.values())


def with_ids(bindings: Iterable[BindingType]) -> list[BindingType]:
    """The bindings, each with its action as the id that a keymap names it by; an id that is there stays."""
    made = [binding if isinstance(binding, Binding) else Binding(*binding) for binding in bindings]
    return [replace(binding, id=binding.id or binding.action) for binding in made]


def key_label(key: str) -> str:
    """How a key is written on the screen: `?` for `question_mark`, `^s` for `ctrl+s`, `F9` for `f9`, `esc`, `space`."""
    *modifiers, name = key.split("+")
    label = format_key(name)
    label = name.upper() if re.fullmatch(r"f\d+", name) else label if label.isascii() else name  # No arrows in ASCII.
    return "".join("^" if modifier == "ctrl" else f"{modifier}-" for modifier in modifiers) + label


def usable(keymap: Mapping[str, str]) -> dict[str, str]:
    """The entries whose keys exist: the others would leave their action without a key."""
    return {action: keys for action, keys in keymap.items() if all(map(is_key, _split(keys)))}


def problems(keymap: Mapping[str, str]) -> Iterator[str]:
    """A sentence for every entry without such an action or key, and for every action that lost its last key."""
    yield from unknown(keymap)
    for bindings in _bound():
        yield from _lost(bindings, usable(keymap))


def unknown(keymap: Mapping[str, str]) -> Iterator[str]:
    """A sentence for every entry without such an action or key."""
    known = {binding.id for bindings in _bound() for binding in bindings if binding.id}
    for action, keys in keymap.items():
        if action not in known:
            near = did_you_mean(action, known) or "; mnist-tui knows " + ", ".join(sorted(known))
            yield f"keymap: there is no action {clean_line(action, 60)!r}{near}"
        for key in _split(keys):
            if not is_key(key):
                yield f"keymap.{action}: there is no key {clean_line(key, 60)!r}{did_you_mean(key, KNOWN_KEYS)}"


def is_key(key: str) -> bool:
    """Whether a terminal may send it: a character, a name such as `full_stop` or `f8`, with or without `ctrl+`."""
    *modifiers, name = key.split("+") if len(key) > 1 else [key]
    return MODIFIERS.issuperset(modifiers) and (len(name) == 1 or name in KNOWN_KEYS or bool(key_to_character(name)))


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",")]


def _bound() -> list[list[Binding]]:
    """The bindings of every screen and widget of the dashboard, those not looked at yet too."""
    for module in pkgutil.walk_packages(mnist_tui.tui.__path__, "mnist_tui.tui."):
        importlib.import_module(module.name)
    ours = [node_class for node_class in _below(DOMNode) if node_class.__module__.startswith("mnist_tui.")]
    return [[each for each in vars(node_class).get("BINDINGS", ()) if isinstance(each, Binding)] for node_class in ours]


def own_bindings(node_class: type[DOMNode]) -> Iterator[Binding]:
    """The bindings that a screen or widget has from this program, its own before those of the classes it is made of."""
    for each in node_class.__mro__:
        if each.__module__.startswith("mnist_tui."):
            yield from (one for one in vars(each).get("BINDINGS", ()) if isinstance(one, Binding))


def _below(node_class: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for child in node_class.__subclasses__():
        yield child
        yield from _below(child)


def _lost(bindings: Iterable[Binding], keymap: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each binding of one widget whose keys were all given to others."""
    taken = {
        key: binding.id for binding in bindings if binding.id in keymap for key in _normal(keymap[binding.id or ""])
    }
    for binding in bindings:
        keys = _normal(keymap.get(binding.id or "", binding.key))
        if all(taken.get(key, binding.id) != binding.id for key in keys):
            yield f"keymap: {binding.id or binding.action} has no key left: {keys[0]} is for {taken[keys[0]]}"


def _normal(keys: str) -> list[str]:
    """Keys by their names, `slash` for `/`."""
    return [binding.key for binding in Binding.make_bindings([Binding(keys, "")])]
