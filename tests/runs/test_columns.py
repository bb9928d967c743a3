"""The columns of the table of runs: their texts for what a run folder may hold."""

import time
from pathlib import Path

import pytest

from mnist_tui.runs import columns
from mnist_tui.runs.record import Run


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "UTC"])
@pytest.mark.parametrize("created", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "yesterday"])
def test_a_time_that_the_calendar_lacks_is_shown_as_it_stands(
    created: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the clock is set otherwise, the first and the last year may be over the edge of the calendar."""
    run = Run(Path("run"), "completed", record={"created": created})
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        shown = columns.column("when").of([run])
    time.tzset()

    assert shown == created
