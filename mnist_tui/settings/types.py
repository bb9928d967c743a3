"""The kinds of settings: what each may be, in a file, a variable or an argument."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_tui.text import clean_line


@dataclass(frozen=True)
class SettingType:
    """What a setting may be."""

    must_be: str
    is_right: Callable[[Any], bool]
    """Whether a file may say so."""
    from_text: Callable[[str], Any] = str
    """What a file would say, of the text of a variable or an argument."""
    value: Callable[[Any], Any] = lambda value: value
    """What the program uses, of what a file says."""


def one_of(*words: str) -> SettingType:
    """One of several words."""
    return SettingType(f"one of {', '.join(words)}", lambda value: value in words)


def is_line(value: object) -> bool:
    """Whether it is a text that can be shown on one line as it is."""
    return isinstance(value, str) and value.strip() == value != "" and clean_line(value, 4_096) == value


def _is_device(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]+)?", value) is not None


def _is_count(value: object) -> bool:
    return type(value) is int and 1 <= value <= 1024


def _is_path(value: object) -> bool:
    if not isinstance(value, str) or not value or "\0" in value:
        return False
    try:
        return bool(Path(value).expanduser())
    except RuntimeError:  # There is no such user.
        return False


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(is_line(name) and "," not in name for name in value)


def _are_keys(value: object) -> bool:
    return is_line(value) and all(key and not re.search(r"\s", key) for key in str(value).split(","))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _pairs(text: str) -> dict[str, str]:
    return {name: keys for name, _, keys in (pair.partition("=") for pair in text.split())}


NAME = SettingType("a name", is_line)
BOOLEAN = SettingType(
    "one of true, false",
    lambda value: isinstance(value, bool),
    lambda text: {"true": True, "false": False}.get(text, text),
)
DEVICE = SettingType("auto, cpu, cuda, cuda:0, cuda:1, … or mps", _is_device)
COUNT = SettingType(
    "a whole number between 1 and 1024", _is_count, lambda text: int(text) if re.fullmatch("[0-9]{1,4}", text) else text
)
PATH = SettingType("a path", _is_path, value=lambda text: Path(text).expanduser())
COLUMNS = SettingType("a list of columns", _are_names, _names, tuple)
KEYMAP = SettingType('a table of actions and their keys, such as start = "ctrl+t"', lambda value: False, _pairs)
KEYS = SettingType("keys, such as ctrl+t or t,f8", _are_keys)
