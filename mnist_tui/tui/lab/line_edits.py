"""Edits of the layers, line by line: duplicate, move, and a layer after every layer of one type."""

import re
from collections.abc import Sequence


def duplicate(lines: Sequence[str], row: int) -> list[str]:
    """The lines with a line twice."""
    return [*lines[: row + 1], lines[row], *lines[row + 1 :]]


def move(lines: Sequence[str], row: int, steps: int) -> tuple[list[str], int]:
    """The lines with one of them moved down (below 0: up) by a number of lines, and its new index."""
    to = max(0, min(row + steps, len(lines) - 1))
    rest = [*lines[:row], *lines[row + 1 :]]
    return [*rest[:to], lines[row], *rest[to:]], to


def layer_type_of(line: str) -> str:
    """The name of the layer that a line calls; "" for a line without a call."""
    match = re.match(r"\s*(\w+)\s*\(", line)
    return match[1] if match else ""


def with_layer_after(lines: Sequence[str], layer_type: str, layer: str) -> list[str]:
    """The lines with a layer after each line that calls a layer of this type."""
    result: list[str] = []
    for line in lines:
        result.append(line)
        if layer_type_of(line) == layer_type:
            result.append(f"{line[: len(line) - len(line.lstrip())]}{layer}")
    return result
