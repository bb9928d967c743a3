"""A run that was really trained, once for all tests of exports."""

import pytest
from helpers.exports import RICH, train_on_digits

from mnist_tui.runs.record import Run


@pytest.fixture(scope="session")
def rich_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A completed run of `RICH` on the small digits; tests do not change it."""
    return train_on_digits(RICH, tmp_path_factory.mktemp("rich") / "runs")
