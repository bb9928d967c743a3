"""The tree of errors, and the docstring that shows it."""

import re

from mnist_tui import errors
from mnist_tui.errors import ExitCode, MnistTuiError

Tree = set[tuple[int, str, ExitCode]]
"""Depth, name and exit code of each class."""


def below(error: type[MnistTuiError], depth: int = 0) -> Tree:
    """A class and those that are derived from it."""
    children = [child for child in error.__subclasses__() if child.__module__ == errors.__name__]
    return {(depth, error.__name__, error.exit_code)}.union(*(below(child, depth + 1) for child in children))


def shown(text: str) -> Tree:
    """The tree that a docstring shows: a class without an exit code has that of the class above it."""
    tree: Tree = set()
    codes: dict[int, ExitCode] = {}
    for indent, name, code in re.findall(r"^    ( *)([A-Z]\w+Error) +(\d?)", text, re.MULTILINE):
        depth = len(indent) // 2
        codes[depth] = ExitCode(int(code)) if code else codes[depth - 1]
        tree.add((depth, name, codes[depth]))
    return tree


def test_the_docstring_shows_every_error_in_its_place() -> None:
    """With the exit code that the process ends with."""
    assert shown(errors.__doc__ or "") == below(MnistTuiError)
