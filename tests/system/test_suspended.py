"""A trainer that is stopped for a while, as by a suspended laptop or a debugger, and clocks that jump."""

import os
import signal
import time
from pathlib import Path

import pytest
from helpers.reliability import holder, only_folder, options, patched_session, small_spec

from mnist_tui.errors import LockedError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, RunEnded
from mnist_tui.runs.lock import is_running
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.storage import RunFolder
from mnist_tui.training import session


def test_a_stopped_process_keeps_its_run(tmp_path: Path) -> None:
    """On this machine nobody takes it over, however long ago its lock was renewed; it goes on when it continues."""
    folder = RunFolder.create(tmp_path, small_spec(), {})
    folder.close()
    process, connection = holder(folder.folder)
    assert connection.recv() == "held"
    os.kill(process.pid, signal.SIGSTOP)
    try:
        an_hour_ago = time.time() - 3600
        os.utime(folder.folder / "run.lock", (an_hour_ago, an_hour_ago))
        with pytest.raises(LockedError, match=f"is being trained by process {process.pid}"):
            RunFolder(folder.folder)
        state = read_run(folder.folder).state
    finally:
        os.kill(process.pid, signal.SIGCONT)
    connection.send("go")
    process.join(30)

    assert state == "training"
    assert process.exitcode == 0
    assert not is_running(folder.folder)


@pytest.mark.parametrize("hours", [9, -9])
def test_the_wall_clock_jumps(hours: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds of epochs and of the run are those that passed."""
    now = time.time
    began = time.perf_counter()
    with patched_session():
        for event in session.run(small_spec(), options(tmp_path), Control()):
            if isinstance(event, EpochEnded):
                monkeypatch.setattr(time, "time", lambda: now() + hours * 3600)
    passed = time.perf_counter() - began
    run = read_run(only_folder(tmp_path))

    assert isinstance(event, RunEnded)
    assert event.outcome == run.state == "completed"
    assert 0 < event.seconds <= passed
    assert all(0 < row.seconds <= passed for row in run.rows)
