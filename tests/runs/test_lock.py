"""The lock of a run where the system's lock does not tell: other machines, file systems without locks, suspension."""

import errno
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from helpers.python_processes import wait
from helpers.reliability import StopAfter, holder, only_folder, options, patched_session, race, small_spec

from mnist_tui.errors import LockedError, RunError, StorageError
from mnist_tui.processes import boot_id, this_process
from mnist_tui.runs import lock
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Event, LearningRateChanged, Notice, RunEnded
from mnist_tui.runs.lock import Lock, is_held, is_running
from mnist_tui.runs.lock_holder import LEASE
from mnist_tui.runs.queue import Queue, QueuedDesign
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.storage import RunFolder, load_run
from mnist_tui.training import session
from mnist_tui.training.resume import resume

NO_LOCKS = ["ENOLCK", "EOPNOTSUPP", "ENOSYS"]
ELSEWHERE = {"host": "vm2 another-boot 7", "pid": os.getpid(), "started": 1.0, "name": "vm2", "boot": "another-boot"}
"""A process of another machine, which has the number of one here."""


def without_system_locks(error: str = "ENOLCK") -> None:
    """From now on flock fails as it does on some shared file systems."""

    def refuse(*_: object) -> None:
        raise OSError(getattr(errno, error), os.strerror(getattr(errno, error)))

    mock.patch.object(fcntl, "flock", refuse).start()


@pytest.fixture(params=NO_LOCKS)
def no_locks(request: pytest.FixtureRequest) -> Any:
    """A file system without locks."""
    without_system_locks(request.param)
    yield
    mock.patch.stopall()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that nobody trains and that has no end."""
    folder = RunFolder.create(tmp_path / "runs", small_spec(), {})
    folder.close()
    return folder.folder


def row(epoch: int) -> EpochEnded:
    """A row of the history."""
    return EpochEnded(epoch, 0.5, 0.8, None, None, 0.4, 0.9, 0.01, 1.0, 7_000.0)


def written(run: Path, record: dict[str, Any], age: float = 0.0) -> None:
    """Another process has written itself into the lock of a run, so many seconds ago."""
    (run / "run.lock").write_text(json.dumps(record))
    os.utime(run / "run.lock", (time.time() - age, time.time() - age))


# --- file systems without locks ---


def test_one_writer_without_locks(run: Path, no_locks: None) -> None:
    """The second is refused with the first one's name until that has closed the run."""
    first = RunFolder(run)
    with pytest.raises(LockedError, match=f"is being trained by process {os.getpid()} on {os.uname().nodename}$"):
        RunFolder(run)
    held = is_running(run)
    first.close()

    assert held
    assert not is_running(run)
    RunFolder(run).close()


def test_a_run_without_locks_is_trained_and_says_so_once(
    tmp_path: Path, no_locks: None, recwarn: pytest.WarningsRecorder
) -> None:
    """Nothing else is said, by no library either, and the run completes."""
    with patched_session():
        events = list(session.run(small_spec(), options(tmp_path), Control()))
    said = [event.text for event in events if isinstance(event, Notice)]

    assert isinstance(events[-1], RunEnded)
    assert events[-1].outcome == "completed"
    assert len(said) == 1
    assert "its file system has no locks" in said[0]
    assert not recwarn.list


def test_the_queue_without_locks(tmp_path: Path, no_locks: None) -> None:
    """An entry is taken once, and can be removed when it was given back."""
    queue = Queue(tmp_path)
    entry = queue.add(QueuedDesign(spec=small_spec()))
    taken = queue.take()
    assert taken is not None
    assert queue.take() is None
    with pytest.raises(StorageError, match="is being trained"):
        queue.remove(entry)
    taken.give_back()
    queue.remove(entry)

    assert queue.entries() == []


def test_two_that_write_at_the_same_moment_without_locks(
    run: Path, no_locks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a longer record behind a shorter one: neither of both trains, and the next one does."""

    def write_too(seconds: float) -> None:
        (run / "run.lock").write_text((run / "run.lock").read_text() + '"}')

    monkeypatch.setattr(lock, "time", mock.Mock(wraps=time, sleep=write_too))
    with pytest.raises(LockedError, match=r"is being trained by another process$"):
        RunFolder(run)
    monkeypatch.undo()
    RunFolder(run).close()


@pytest.mark.slow
def test_one_of_many_trains_without_locks(run: Path) -> None:
    """Of processes that take a run at the same time."""
    assert race(run, 5, without_system_locks) == 1


@pytest.mark.slow
def test_a_killed_process_holds_nothing_without_locks(run: Path) -> None:
    """Its number is gone from this machine, so the run is free at once."""
    process, connection = holder(run, without_system_locks)
    assert connection.recv() == "held"
    try:
        without_system_locks()
        held = is_running(run)
        process.kill()
        process.join()
        connection.close()

        assert held
        assert read_run(run).state == "interrupted"
        RunFolder(run).close()
    finally:
        mock.patch.stopall()


# --- process numbers ---


def test_a_number_that_is_used_again(run: Path, no_locks: None) -> None:
    """A process of the recorded number that began at another time trains nothing; control: the same one does."""
    ours = {**this_process(), "name": "vm", "boot": "this"}
    written(run, ours)
    same = read_run(run).state
    written(run, ours | {"started": 1.0})

    assert (same, read_run(run).state) == ("training", "interrupted")
    RunFolder(run).close()


def test_who_is_refused_leaves_the_record(run: Path) -> None:
    """Another machine, for which the system's lock may not count, still reads who trains the run."""
    first = RunFolder(run)
    before = (run / "run.lock").read_text()
    with pytest.raises(LockedError):
        RunFolder(run)
    after = (run / "run.lock").read_text()
    first.close()

    assert json.loads(before)["pid"] == os.getpid()
    assert after == before


def test_a_lock_that_is_removed_by_its_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After another process has opened it and before that locks it, which takes the file that is there then."""
    left, flock = [tmp_path / ".entry.lock"], fcntl.flock

    def remove_and_lock(descriptor: int, operation: int) -> None:
        while left:
            left.pop().unlink()
        flock(descriptor, operation)

    taken = Lock(tmp_path / ".entry.lock", "it")
    monkeypatch.setattr(fcntl, "flock", remove_and_lock)
    taken.acquire()
    held = is_held(taken.path)
    taken.release()

    assert held


def test_a_lock_that_nobody_has_any_more(run: Path) -> None:
    """Whoever drops it unreleased leaves neither the system's lock nor a thread."""
    threads = set(threading.enumerate())
    dropped = Lock(run / "run.lock", run)
    dropped.acquire()
    (renewal,) = set(threading.enumerate()) - threads
    held = is_running(run)
    del dropped

    assert held
    assert not is_running(run)
    wait(lambda: not renewal.is_alive())


def test_the_system_knows_its_own_processes(run: Path) -> None:
    """What the file says of this machine counts for nothing where there are locks: whoever died holds none."""
    written(run, {**this_process(), "name": "vm", "boot": boot_id()})

    assert read_run(run).state == "interrupted"
    RunFolder(run).close()


# --- other machines ---


@pytest.mark.parametrize(
    ("age", "state"),
    [(0, "training"), (LEASE - 5, "training"), (LEASE + 5, "interrupted"), (-10_800, "interrupted")],
    ids=["just renewed", "soon over", "over", "of a clock that was three hours ahead"],
)
def test_a_run_of_another_machine(age: float, state: str, run: Path) -> None:
    """It is trained as long as its lock is renewed, whatever its process number means here."""
    written(run, ELSEWHERE, age)

    assert read_run(run).state == state
    if state == "interrupted":
        RunFolder(run).close()
        return
    with pytest.raises(
        LockedError, match=rf"process {os.getpid()} on vm2 \(it .* \d+ s ago; if it has died, try again in \d+ s\)"
    ):
        RunFolder(run)


def test_a_wrong_clock_here_matters_not(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system's own clock is asked, of which this machine's may be hours off."""
    written(run, ELSEWHERE)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3 * 3600)
    renewed = read_run(run).state
    os.utime(run / "run.lock", (now - 100, now - 100))

    assert (renewed, read_run(run).state) == ("training", "interrupted")


def test_a_holder_renews_its_lock(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few times in the time of the lease, and no more once it is released."""
    monkeypatch.setattr(lock, "LEASE", 0.3)
    threads = set(threading.enumerate())
    folder = RunFolder(run)
    (renewal,) = set(threading.enumerate()) - threads
    os.utime(run / "run.lock", (1, 1))
    wait(lambda: (run / "run.lock").stat().st_mtime > 1)
    folder.close()
    os.utime(run / "run.lock", (1, 1))
    wait(lambda: not renewal.is_alive())

    assert (run / "run.lock").stat().st_mtime == 1
    assert (run / "run.lock").read_text() == ""


# --- taken over by another machine, since this process was suspended ---


def test_nothing_is_written_to_a_run_that_another_machine_took_over(run: Path) -> None:
    """Neither checkpoint, rate, row nor end; control: before that all of them are."""
    folder = RunFolder(run)
    folder.append(row(1))
    written(run, ELSEWHERE)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    ended = RunEnded("completed", "", 1, None, None, "test", None, 1.0)
    writes: list[Callable[[], object]] = [
        lambda: folder.append(row(2)),
        lambda: folder.save_checkpoint(b"x", 7, None),
        lambda: folder.save_rate_changes([LearningRateChanged(1, 2, 0.1)]),
        lambda: folder.end(ended, "# notes"),
    ]
    for write in writes:
        with pytest.raises(LockedError, match=r"this process was suspended, process \d+ on vm2 has begun to train"):
            write()
    folder.close()

    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_training_that_was_taken_over_ends_in_one_sentence(tmp_path: Path) -> None:
    """It has failed here, and its folder, which another machine goes on with, has no end."""
    last: Event | None = None
    with patched_session():
        for last in session.run(small_spec(), options(tmp_path), Control()):
            if isinstance(last, EpochEnded) and last.epoch == 1:
                written(only_folder(tmp_path), ELSEWHERE)
    folder = only_folder(tmp_path)

    assert isinstance(last, RunEnded)
    assert last.outcome == "failed"
    assert "has begun to train the run; nothing more is written to it here" in last.message
    assert not (folder / "end.json").exists()
    assert read_run(folder).state == "training"
    assert len((folder / "history.jsonl").read_text().splitlines()) == 1


def test_a_run_that_ended_meanwhile_is_not_resumed(tmp_path: Path) -> None:
    """Two processes resume a run at the same time, and the second gets the lock when the first is done."""
    with patched_session():
        list(session.run(small_spec(), options(tmp_path), StopAfter(1)))
        stopped = load_run(only_folder(tmp_path))
        list(resume(stopped, options(tmp_path), Control()))
        end = (stopped.folder / "end.json").read_bytes()

        with pytest.raises(RunError, match="has completed; there is nothing to resume"):
            list(resume(stopped, options(tmp_path), Control()))

    assert (stopped.folder / "end.json").read_bytes() == end
    assert not is_running(stopped.folder)


# --- what cannot be locked ---


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_held_by_nobody(make: Callable[[Path], None], tmp_path: Path) -> None:
    """A pipe does not hold up who looks, and cannot be taken either."""
    make(tmp_path / "run.lock")

    assert not is_held(tmp_path / "run.lock")
    with pytest.raises(OSError, match=r"."):
        Lock(tmp_path / "run.lock", "it").acquire()


def test_a_socket_is_held_by_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As other programs leave them."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("run.lock")

    assert not is_held(tmp_path / "run.lock")


def test_a_read_only_folder_is_listed_as_it_is(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted run is not taken for one that somebody trains, only because its lock cannot be written."""
    opened = os.open

    def read_only(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *arguments, **named)

    monkeypatch.setattr(os, "open", read_only)

    assert read_run(run).state == "interrupted"
    with pytest.raises(StorageError, match=r"cannot write to .*: Read-only file system"):
        RunFolder(run)
    with pytest.raises(StorageError, match=r"cannot write to .*: Read-only file system"), lock.hold_run(run):
        pass


def test_a_run_is_held_on_a_full_disk(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it can be deleted to make room: nothing is written into its lock."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(lock, "open", full, raising=False)
    with lock.hold_run(run):
        assert is_running(run)
    with pytest.raises(StorageError, match="No space left"):
        RunFolder(run)

    assert not is_running(run)


def test_who_is_refused_or_fails_leaves_no_thread(run: Path) -> None:
    """Nor a descriptor."""
    first = RunFolder(run)
    threads, descriptors = set(threading.enumerate()), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(LockedError):
            RunFolder(run)
    threads_after, descriptors_after = set(threading.enumerate()), len(list(Path("/proc/self/fd").iterdir()))
    first.close()

    assert threads_after <= threads  # One of another test may have ended meanwhile.
    assert descriptors_after == descriptors
