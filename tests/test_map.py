"""The map of the house in the docstring of the package names files that exist."""

import re
from pathlib import Path

import mnist_tui

PACKAGE = Path(mnist_tui.__file__).parent


def test_every_file_on_the_map_exists() -> None:
    """So a file that is moved or renamed takes its place on the map with it."""
    named = set(re.findall(r"[a-z_]+\.py", mnist_tui.__doc__ or ""))

    assert len(named) > 100
    assert named - {path.name for path in PACKAGE.rglob("*.py")} == set()


def test_every_folder_is_on_the_map() -> None:
    """Each with its own line."""
    lines = (mnist_tui.__doc__ or "").splitlines()
    folders = [path.parent.name for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]

    assert len(folders) > 10
    assert [name for name in folders if not any(line.strip().startswith(f"{name}/") for line in lines)] == []
