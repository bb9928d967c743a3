"""Tests leave the user's own folders alone, also by what their threads do after their end."""

import os
import tempfile
from pathlib import Path

import pytest

VARIABLES = [f"XDG_{kind}_HOME" for kind in ("CACHE", "CONFIG", "STATE")]
OUTSIDE = {variable: os.environ.get(variable) for variable in VARIABLES}
"""Between tests, when no fixture is in force."""


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_folders_of_the_user_are_elsewhere(variable: str, tmp_path: Path) -> None:
    """In the folder of a test, and between tests in one that is removed."""
    outside = OUTSIDE[variable]

    assert Path(os.environ[variable]).is_relative_to(tmp_path)
    assert outside is not None
    assert Path(outside).is_relative_to(tempfile.gettempdir())
