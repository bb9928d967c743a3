"""A disk without room for the user's own files, while the runs directory has room: the laboratory goes on."""

import errno
import os
from pathlib import Path

import pytest
from helpers.lab_pilot import CannedJobs, lab, notices, runner, screen, until

from mnist_tui.files import write_atomically
from mnist_tui.settings import last_used


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    return CannedJobs(monkeypatch, tmp_path)


@pytest.mark.usefixtures("canned")
@pytest.mark.parametrize("is_full", [True, False], ids=["full", "control"])
async def test_a_design_that_cannot_be_kept_is_said_once(is_full: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, however often it is tried, and the design is trained all the same; with room nothing is said."""
    tries: list[Path] = []

    def write(path: Path, content: bytes) -> None:
        tries.append(path)
        if is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_atomically(path, content)

    monkeypatch.setattr(last_used, "write_atomically", write)
    async with lab() as pilot:
        await pilot.press("t")
        for _ in range(2):
            tries.clear()
            screen(pilot)._remember()
            await until(pilot, lambda: bool(tries))
            await pilot.pause(0.1)  # What it has to say comes back from the worker thread.
        said = [line for line in notices(pilot) if "is not kept for the next start" in line]

        assert len(runner(pilot).trained) == 1
        assert len(said) == int(is_full)
        assert all("last.json cannot be written: No space left on device" in line for line in said)
