"""A disk that fails at any call of a run: one clear sentence, nothing reported is lost, resume is exact (S1)."""

import errno
import os
from pathlib import Path

import pytest
from helpers.reliability import DiskFailures, FailingDisk, check_same, only_folder, state_on_disk

from mnist_tui import files
from mnist_tui.errors import CheckpointError, StorageError
from mnist_tui.runs import history

POINTS = 28

MODES = ("full", "short", "error")


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> DiskFailures:
    """The run, how many calls it makes, and where it ends on a disk that has room."""
    return DiskFailures(tmp_path_factory.mktemp("disk"))


@pytest.mark.parametrize("point", range(POINTS))
def test_a_failing_call_loses_nothing(failures: DiskFailures, point: int) -> None:
    """The run fails in one sentence, its folder loads, and with room again it ends in the same bits."""
    failure = failures.check(1 + point * failures.calls // POINTS, MODES[point % len(MODES)])

    assert failure.message


def test_the_points_cover_the_run(failures: DiskFailures) -> None:
    """The first call that fails leaves no run, the last one a run that has everything but its end."""
    first, last = failures.check(1, "full"), failures.check(failures.calls, "full")

    assert failures.calls > POINTS
    assert (first.folder, first.outcome) == (None, None)
    assert (last.outcome, last.reported) == ("failed", [1, 2])


class WithoutProgress(FailingDisk):
    """No line of progress can be written."""

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        if path.name == "steps.jsonl":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().open(path, flags, mode)


def test_a_run_does_not_end_for_want_of_its_progress(failures: DiskFailures, tmp_path: Path) -> None:
    """Only those who watch it miss something."""
    failure = failures.train(WithoutProgress(2**62, "error"), tmp_path)

    assert failure.outcome == "completed"
    assert failure.folder is not None
    assert not (failure.folder / "steps.jsonl").exists()
    check_same(state_on_disk(failure.folder), failures.wanted)


def runs_with_parts(failures: DiskFailures, runs_dir: Path) -> int:
    """Trains with one write after the other taking only half of what it is given; how many runs were damaged."""
    damaged = 0
    for fail_at in range(1, 24):
        failure = failures.train(FailingDisk(fail_at, "part"), runs_dir / str(fail_at))
        try:
            check_same(state_on_disk(only_folder(runs_dir / str(fail_at))), failures.wanted)
        except (AssertionError, StorageError, CheckpointError):
            damaged += 1
        assert failure.outcome == "completed"
    return damaged


def test_a_write_that_takes_a_part_is_continued(failures: DiskFailures, tmp_path: Path) -> None:
    """POSIX allows a write to store less than it was given; the rest is written after it."""
    assert runs_with_parts(failures, tmp_path) == 0


def test_a_careless_writer_is_detected(failures: DiskFailures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: a writer that does not look at how much was written damages runs."""

    def careless(path: Path, content: bytes, flags: int) -> None:
        os = vars(files)["os"]  # A `FailingDisk` while a run is trained.
        descriptor = os.open(path, flags, 0o644)
        os.write(descriptor, content)
        os.close(descriptor)

    monkeypatch.setattr(files, "write_all", careless)
    monkeypatch.setattr(history, "write_all", careless)

    assert runs_with_parts(failures, tmp_path) >= 3
