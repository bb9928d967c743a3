"""The queue on disk: its order, who trains what of it, and what is left when a process dies."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_tui.errors import StorageError
from mnist_tui.runs import lock
from mnist_tui.runs.queue import Queue, QueuedDesign, wait_words
from mnist_tui.spec import presets

ROOT = Path(__file__).parents[2]


def queued(runs_dir: Path, *names: str) -> Queue:
    """A queue of these presets."""
    queue = Queue(runs_dir)
    for name in names:
        queue.add(QueuedDesign(spec=presets.load(name)))
    return queue


def order(queue: Queue) -> list[str]:
    """The names of the entries."""
    return [entry.name for entry in queue.entries()]


def test_what_is_put_in_comes_out(tmp_path: Path) -> None:
    """The spec, seeds, device and data of a design; the name of a sweep, which waits once."""
    queue = Queue(tmp_path)
    spec = presets.load("iter5").with_settings({"optimizer.lr": "0.003", "seed": "4"})
    design = QueuedDesign(spec=spec, seeds=3, device="cpu", dataset="digits")
    queue.add(design)
    queue.add_sweep("lr")
    queue.add_sweep("lr")
    first, second = Queue(tmp_path).entries()

    assert (first.design, first.waits, first.name) == (design, True, "iter5")
    assert [spec.train.seed for spec in design.specs] == [4, 5, 6]
    assert (second.sweep, second.design, second.name) == ("lr", None, "lr")
    assert wait_words([first, second]) == "1 design and 1 sweep wait"


def test_an_empty_queue(tmp_path: Path) -> None:
    """Nothing is made by looking at it."""
    queue = Queue(tmp_path)

    assert (queue.entries(), queue.take(), queue.is_paused) == ([], None, False)
    assert list(tmp_path.iterdir()) == []


def test_moved(tmp_path: Path) -> None:
    """Up and down, not beyond the ends; what is trained stays where it is."""
    queue = queued(tmp_path, "iter3", "iter4", "iter5", "v1")
    taken = queue.take()
    assert taken is not None
    queue.move(queue.entries()[3], -1)
    assert order(queue) == ["iter3", "iter4", "v1", "iter5"]
    queue.move(queue.entries()[1], -5)
    assert order(queue) == ["iter3", "iter4", "v1", "iter5"]
    queue.move(queue.entries()[1], 5)
    queue.move(taken.entry, 2)

    assert order(queue) == ["iter3", "v1", "iter5", "iter4"]


def test_an_entry_is_removed_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into its lock."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    queue = queued(tmp_path, "iter4")
    monkeypatch.setattr(lock, "open", full, raising=False)
    queue.remove(queue.entries()[0])

    assert queue.entries() == []


def test_moved_among_entries_of_one_number(tmp_path: Path) -> None:
    """Two processes may have put something in at the same moment."""
    queue = queued(tmp_path, "iter4", "iter5")
    second = queue.entries()[1].path
    second.rename(second.with_name(f"00001-{second.name.partition('-')[2]}"))
    before = order(queue)
    queue.move(queue.entries()[0], 1)

    assert order(queue) == before[::-1]


def test_taken_out(tmp_path: Path) -> None:
    """But not while a process trains it."""
    queue = queued(tmp_path, "iter4", "iter5")
    taken = queue.take()
    first, second = queue.entries()
    queue.remove(second)
    with pytest.raises(StorageError, match="iter4 is being trained"):
        queue.remove(first)
    assert order(queue) == ["iter4"]
    assert taken is not None
    taken.end()

    assert list(queue.folder.iterdir()) == []


def test_paused(tmp_path: Path) -> None:
    """Nothing is taken, by whichever process, until it goes on."""
    queue = queued(tmp_path, "iter4")
    queue.pause()
    assert Queue(tmp_path).take() is None
    Queue(tmp_path).unpause()

    assert queue.take() is not None


def test_given_back_it_waits_with_its_runs(tmp_path: Path) -> None:
    """So that the next process resumes them."""
    queue = queued(tmp_path, "iter4")
    taken = queue.take()
    assert taken is not None
    taken.note_run("20260101T000000Z-iter4-s0-0000")
    taken.note_run("20260101T000000Z-iter4-s0-0000")
    assert [entry.is_taken for entry in queue.entries()] == [True]
    taken.give_back()
    (entry,) = queue.entries()

    assert (entry.waits, entry.runs) == (True, ("20260101T000000Z-iter4-s0-0000",))


TAKE = """
import sys
import time
from pathlib import Path
from mnist_tui.runs.queue import Queue
queue = Queue(Path(sys.argv[1]))
print("ready", flush=True)
while queue.is_paused or queue.entries():
    taken = queue.take()
    if taken is not None:
        print(taken.entry.id, flush=True)
        time.sleep(0.01)
        taken.end()
"""

WITHOUT_LOCK = """
import mnist_tui.runs.queue as module
class NoLock:
    def __init__(self, path, name): pass
    def acquire(self): pass
    def release(self): pass
module.Lock = NoLock
module.is_held = lambda path: False
"""


def begin(program: str, runs_dir: Path) -> "subprocess.Popen[str]":
    """A process that runs a program on a queue."""
    arguments = [sys.executable, "-c", program, str(runs_dir)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.mark.slow
@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_racing_processes_take_each_entry_once(protected: bool, tmp_path: Path) -> None:
    """Four processes and 40 entries; without the lock some entry is taken twice."""
    queue = queued(tmp_path, *["iter1"] * 40)
    ids = {entry.id for entry in queue.entries()}
    queue.pause()
    racers = [begin(("" if protected else WITHOUT_LOCK) + TAKE, tmp_path) for _ in range(4)]
    assert [racer.stdout.readline() for racer in racers if racer.stdout] == ["ready\n"] * 4
    queue.unpause()
    taken = [line for racer in racers for line in racer.communicate(timeout=60)[0].split()]

    assert [racer.returncode for racer in racers] == [0] * 4 or not protected
    assert set(taken) == ids
    assert (len(taken) == len(ids)) is protected
    assert queue.entries() == []


DIE = """
import os, signal, sys
from pathlib import Path
from mnist_tui.runs.queue import Queue
taken = Queue(Path(sys.argv[1])).take()
taken.note_run("a-run")
print("taken", flush=True)
signal.pause()
"""


@pytest.mark.slow
def test_the_entry_of_a_killed_process_waits_again(tmp_path: Path) -> None:
    """At once, with the run that it had begun; before that nobody else gets it."""
    queue = queued(tmp_path, "iter4")
    process = begin(DIE, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    meanwhile = queue.entries()[0].is_taken, queue.take()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    again = queue.take()

    assert meanwhile == (True, None)
    assert again is not None
    assert again.entry.runs == ("a-run",)


def rewrite(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    """Damages an entry by changing its document."""

    def damage(path: Path) -> None:
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return damage


def link(path: Path) -> None:
    """Puts a link in the place of an entry."""
    path.unlink()
    path.symlink_to("/etc/passwd")


def folder(path: Path) -> None:
    """Puts a folder in the place of an entry."""
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no JSON": (lambda path: path.write_text('{"format": 1'), "is damaged"),
    "a list": (lambda path: path.write_text("[]"), "should"),
    "nested": (lambda path: path.write_text("[" * 100_000), "is damaged"),
    "another format": (rewrite(lambda document: document.update(format=2)), "format: should be 1, got 2"),
    "no design": (rewrite(lambda document: document.pop("design")), "must have either design or sweep"),
    "both": (rewrite(lambda document: document.update(sweep="lr")), "must have either design or sweep"),
    "a run elsewhere": (rewrite(lambda document: document.update(runs=["../other"])), "runs.0"),
    "no seeds": (rewrite(lambda document: document["design"].update(seeds=0)), "design.seeds"),  # type: ignore[attr-defined]
    "a link": (link, "is a link"),
    "a folder": (folder, "is a folder"),
    "another name": (lambda path: path.rename(path.with_name("mine.json")), "its name is not that of an entry"),
    "a key": (rewrite(lambda document: document.update({"\x1b[2J": 1})), "no such key"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_shown_and_never_trained(damage: str, tmp_path: Path) -> None:
    """With its reason, without control characters; the others are trained."""
    queue = queued(tmp_path, "iter4", "iter5")
    change, reason = DAMAGES[damage]
    change(queue.entries()[0].path)
    (wrong,) = [entry for entry in queue.entries() if entry.error]
    taken = queue.take()

    assert reason in wrong.error
    assert "\x1b" not in wrong.error + wrong.name
    assert not wrong.waits
    assert taken is not None
    assert taken.entry.name == "iter5"
    taken.end()
    assert queue.take() is None


def test_a_damaged_file_can_be_taken_out(tmp_path: Path) -> None:
    """As any other entry."""
    queue = queued(tmp_path, "iter4")
    queue.entries()[0].path.write_text("{")
    queue.remove(queue.entries()[0])

    assert queue.entries() == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Is named in one sentence."""
    (tmp_path / ".queue").write_text("in the way")
    queue = Queue(tmp_path)
    for change in (lambda: queue.add_sweep("lr"), queue.pause, queue.entries, queue.take):
        with pytest.raises(StorageError, match=r"\.queue: "):
            change()
