"""Completion of the names of layers and of their arguments, and their signatures."""

import re
from collections.abc import Sequence
from functools import cache

from mnist_tui.spec.layers import LAYER_TYPES, describe_layers, takes_layers


@cache
def signatures() -> dict[str, str]:
    """The signature of every layer type, by its name."""
    return {line.partition("(")[0]: line for line in describe_layers()}


def arguments_of(layer: str) -> list[str]:
    """The names of a layer's arguments; none for an unknown layer."""
    inside = signatures().get(layer, "").partition("(")[2]
    return re.findall(r"(?:^|, )\*?([a-z_]\w*)", inside)


def names_at(line: str) -> tuple[str, list[str], str]:
    """The word at the end of a line cut at the cursor, the names that can complete it, and what follows a name."""
    match = re.search(r"[A-Za-z_]\w*$", line)
    word = match[0] if match else ""
    text_before = line[: len(line) - len(word)]
    if "#" in line or re.search(r"[\w.)\]=]\s*$", text_before):
        return word, [], ""
    name, inside = open_call(text_before)
    given = inside.split(",")[:-1]
    if name is not None and takes_layers(name) and len(given) < signatures()[name].partition("*")[0].count(","):
        return word, [], ""  # How often `Repeat` applies its layers: a number, which has no name before layers.
    if name is None or takes_layers(name) or word[:1].isupper():
        return word, sorted(LAYER_TYPES), "("
    taken = {argument.partition("=")[0].strip() for argument in given}
    free = arguments_of(name or "")[sum("=" not in argument for argument in given) :]
    return word, [argument for argument in free if argument not in taken], "="


def completion(line: str) -> str:
    """The rest of the layer's or argument's name at the end of a line cut at the cursor; "" for no completion."""
    word, names, end = names_at(line)
    return _rest(word, sorted(names, key=len) if end == "(" else names, end)


def open_call(text: str) -> tuple[str | None, str]:
    """The innermost call that is open at the end of `text`: its name, and its arguments without inner calls."""
    inside = ""
    depth = 0
    for index in range(len(text) - 1, -1, -1):
        depth += {")": 1, "]": 1, "(": -1, "[": -1}.get(text[index], 0)
        if depth < 0:
            name = re.search(r"\w+$", text[:index])
            return (name[0] if name else ""), inside
        inside = text[index] + inside if depth == 0 else inside
    return None, inside


def _rest(word: str, names: Sequence[str], end: str) -> str:
    if word in names:
        return ""
    match = next((name for name in names if name.startswith(word)), None)
    return match[len(word) :] + end if match and len(word) > 1 else ""
