"""What all pilot tests share, and which of them `scripts/check.py --fast` runs."""

import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import RenderableType
from textual import _compositor, screen
from textual.notifications import Notification

HERE = Path(__file__).parent

QUICK_FILES = (
    "test_charts.py",
    "test_diff_driver.py",
    "test_fitting.py",
    "test_messages.py",
    "test_repaint.py",
    "test_runner_queue.py",
    "test_status.py",
    "test_telemetry.py",
    "test_widgets.py",
)
"""Tests of functions and of single widgets; all other files open the whole dashboard, half a second and more a test."""

GOLDEN = re.compile(r"looks.*\b120x40\]")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of the whole dashboard slow, but for the comparison of each screen with its file in golden/."""
    for item in items:
        if item.path.parent == HERE and item.path.name not in QUICK_FILES and not GOLDEN.search(item.name):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _no_reference_runs(reference_dir: Path) -> None:
    """What screens show does not depend on the reference runs that are shipped."""


@pytest.fixture(autouse=True)
def _fewer_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Screens are drawn 20 times a second, not 60 times: an eighth of the processor time of these tests."""
    monkeypatch.setattr(screen, "UPDATE_PERIOD", 1 / 20)


@pytest.fixture(autouse=True)
def _painted_on_demand(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes is laid out, but painted only where a test takes a picture: a quarter of the processor time.

    Textual also paints where there is no terminal. Tests marked `painted` paint every frame.
    """
    if request.node.get_closest_marker("painted"):
        return
    paint = _compositor.Compositor.render_update

    def render_update(self: _compositor.Compositor, full: bool = False, **options: Any) -> RenderableType | None:
        if full:
            return paint(self, full=True, **options)
        self._dirty_regions.clear()
        return None

    monkeypatch.setattr(_compositor.Compositor, "render_update", render_update)


@pytest.fixture(autouse=True)
def _lasting_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notices do not expire, so that a test on a slow machine still finds them."""
    monkeypatch.setattr(Notification, "has_expired", False)
