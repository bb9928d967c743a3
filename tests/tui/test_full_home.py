"""A disk without room for the user's own files, while the runs directory has room: the laboratory goes on."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import CannedJobs, lab, notices, runner, screen

from mnist_tui.settings import last_used


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    return CannedJobs(monkeypatch, tmp_path)


@pytest.mark.usefixtures("canned")
@pytest.mark.parametrize("is_full", [True, False], ids=["full", "control"])
async def test_a_design_that_cannot_be_kept_is_said_once(is_full: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, however often it is tried, and the design is trained all the same; with room nothing is said."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if is_full:
        monkeypatch.setattr(last_used, "write_atomically", full)
    async with lab() as pilot:
        await pilot.press("t")
        for _ in range(2):
            screen(pilot)._remember()
            await pilot.pause(0.2)
        said = [line for line in notices(pilot) if "is not kept for the next start" in line]

        assert len(runner(pilot).trained) == 1
        assert len(said) == int(is_full)
        assert all("last.json cannot be written: No space left on device" in line for line in said)
