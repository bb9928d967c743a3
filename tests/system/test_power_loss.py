"""A power cut at any moment leaves a run that loads, has every reported row and can be resumed (R2).

A short real run is recorded as the calls that change the disk. A small model of a disk then enumerates what POSIX
allows after each of them: of data that was not synced nothing, a half, zeros or all; of a folder's names that were not
synced any prefix of their changes (Pillai et al., OSDI 2014). Each such disk is written out and opened.
"""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from helpers.reliability import only_folder, resume, run, small_spec

from mnist_tui.errors import CheckpointError, StorageError
from mnist_tui.runs import storage
from mnist_tui.runs.events import EpochEnded, Event
from mnist_tui.runs.storage import RunFolder, load_run
from mnist_tui.training import checkpoint

Operation = tuple[str, Any, Any]
"""What happened, to which path or file, and what more there is to know."""

State = dict[str, bytes | None]
"""A disk after a power cut: what a path holds; None for a folder."""


class Recorder:
    """Notes what happens to the files below a folder, by standing before the functions of `os`.

    Files are numbers, since they keep their data when they are renamed. What is written with `open()` is not noted:
    nothing reads it but people.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.operations: list[Operation] = []
        self._patches = ExitStack()
        self._opened: dict[int, Any] = {}
        self._files: dict[str, int] = {}
        self._numbers = itertools.count()

    def __enter__(self) -> "Recorder":
        for name in ("open", "write", "fsync", "close", "replace", "rename", "unlink", "mkdir", "truncate"):
            call = partial(self._call, getattr(os, name), getattr(self, name))
            self._patches.enter_context(mock.patch.object(os, name, call))
        return self

    def __exit__(self, *error: object) -> None:
        self._patches.close()

    def _call(self, call: Any, note: Any, *arguments: Any, **named: Any) -> Any:
        result = call(*arguments, **named)
        note(result, *arguments)
        return result

    def _below(self, path: Any) -> str | None:
        """The path below the folder; None for a path outside."""
        below = os.path.relpath(path, self.root)
        return None if below.startswith("..") else below

    def open(self, descriptor: int, path: Any, flags: int, *mode: int) -> None:
        below = self._below(path)
        if below is None:
            return
        if flags & os.O_CREAT and below not in self._files:
            self._files[below] = next(self._numbers)
            self.operations.append(("name", below, self._files[below]))
        self._opened[descriptor] = self._files.get(below, below)

    def write(self, count: int, descriptor: int, content: bytes) -> None:
        if descriptor in self._opened:
            self.operations.append(("write", self._opened[descriptor], bytes(content[:count])))

    def fsync(self, nothing: None, descriptor: int) -> None:
        synced = self._opened.get(descriptor)
        if synced is not None:
            self.operations.append(("sync folder" if isinstance(synced, str) else "sync", synced, None))

    def close(self, nothing: None, descriptor: int) -> None:
        self._opened.pop(descriptor, None)

    def replace(self, nothing: None, source: Any, target: Any) -> None:
        old, new = self._below(source), self._below(target)
        if old in self._files and new is not None:
            self._files[new] = self._files.pop(old)
            self.operations.append(("rename", old, new))

    rename = replace

    def unlink(self, nothing: None, path: Any, **named: Any) -> None:
        if self._files.pop(self._below(path) or "", None) is not None:
            self.operations.append(("remove", self._below(path), None))

    def mkdir(self, nothing: None, path: Any, *mode: int) -> None:
        if below := self._below(path):
            self.operations.append(("name", below, None))

    def truncate(self, nothing: None, path: Any, size: int) -> None:
        self.operations.append(("truncate", self._files[self._below(path) or ""], size))


class Disk:
    """What is durable, and what is only promised: data by file, names by folder."""

    def __init__(self) -> None:
        self.synced: dict[int, bytes] = {}
        self.written: dict[int, bytes] = {}
        self.names: dict[str, dict[str, int | None]] = {}
        """Folder: its durable names, each with its file; None for a folder."""
        self.changes: dict[str, list[Operation]] = {}
        """Folder: what was done to its names since it was synced, in order."""

    def apply(self, operation: Operation) -> None:
        """Takes one operation."""
        kind, subject, more = operation
        if kind == "write":
            self.written[subject] = self.written.get(subject, b"") + more
        elif kind == "truncate":
            self.written[subject] = self.written[subject][:more]
        elif kind == "sync":
            self.synced[subject] = self.written.get(subject, b"")
        elif kind == "sync folder":
            for change in self.changes.pop(subject, []):
                _change(self.names.setdefault(subject, {}), change)
        else:
            self.changes.setdefault(str(Path(subject).parent), []).append(operation)

    def states(self) -> Iterator[State]:
        """Every disk that a power cut may leave now."""
        folders = sorted({*self.names, *self.changes})
        counts = [range(len(self.changes.get(folder, ())) + 1) for folder in folders]
        for kept in itertools.product(*counts):
            contents: dict[str, int | None] = {}
            for folder, count in zip(folders, kept, strict=True):
                if folder in (".", *contents):
                    names = dict(self.names.get(folder, {}))
                    for change in self.changes.get(folder, [])[:count]:
                        _change(names, change)
                    contents |= names
            yield from self._contents(contents)

    def _contents(self, names: dict[str, int | None]) -> Iterator[State]:
        choices = [[None] if file is None else self._versions(file) for file in names.values()]
        for contents in itertools.product(*choices):
            yield dict(zip(names, contents, strict=True))

    def _versions(self, file: int) -> list[bytes | None]:
        """What a file may hold: its synced data, and of what came after nothing, a half, zeros or all."""
        synced, written = self.synced.get(file, b""), self.written.get(file, b"")
        if not written.startswith(synced) or written == synced:
            return list({synced: None, written: None})
        tail = written[len(synced) :]
        return [synced, synced + tail[: len(tail) // 2], synced + bytes(len(tail)), written]


def _change(names: dict[str, int | None], change: Operation) -> None:
    kind, path, more = change
    if kind == "name":
        names[path] = more
    elif kind == "remove":
        names.pop(path, None)
    elif path in names:
        names[more] = names.pop(path)


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> list[Operation]:
    """What a run of three epochs does, that is stopped in the second and resumed; "report" where one is shown."""
    root = tmp_path_factory.mktemp("recorded")
    with Recorder(root) as recorder:
        for event in _stopped_and_resumed(root / "runs"):
            if isinstance(event, EpochEnded):
                recorder.operations.append(("report", event.epoch, None))
    return recorder.operations


def _stopped_and_resumed(runs_dir: Path) -> Iterator[Event]:
    yield from run(runs_dir, small_spec(epochs=3), steps=7)
    yield from resume(only_folder(runs_dir))


def damage(operations: list[Operation], folder: Path, most: int) -> Iterator[str]:
    """What is wrong after a power cut at any moment: a line for each disk ("" for a sound one), at most so many."""
    disk, reported, seen = Disk(), set(), set()
    for operation in operations:
        if operation[0] == "report":
            reported.add(operation[1])
            continue
        disk.apply(operation)
        for state in itertools.islice(disk.states(), most):
            key = (frozenset(state.items()), frozenset(reported))
            if key not in seen:
                seen.add(key)
                yield wrong_with(state, folder, reported)


def wrong_with(state: State, root: Path, reported: set[int]) -> str:
    """The promises that a disk in this state breaks."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for path, content in state.items():
        if content is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(content)
    runs = list(root.glob("runs/*/run.json"))
    if not runs:
        return f"the run is gone, with epochs {reported}" if reported else ""
    try:
        return _wrong_with_run(runs[0].parent, reported)
    except (StorageError, CheckpointError) as error:
        return str(error)


def _wrong_with_run(folder: Path, reported: set[int]) -> str:
    for moment in ("as it was left", "after healing"):
        if lost := reported - {row.epoch for row in load_run(folder).rows}:
            return f"the history lacks epochs {lost} {moment}"
        RunFolder(folder).close()
    contents = [checkpoint.read(content) for _, content in storage.readable_checkpoints(folder)]
    kept = {row["epoch"] for row in contents[0][1]["rows"]} if contents else set()
    return f"the newest checkpoint lacks epochs {reported - kept}" if reported - kept else ""


def test_a_power_cut_loses_nothing_that_was_reported(operations: list[Operation], tmp_path: Path) -> None:
    """Every disk that may be left loads, holds the reported rows, and only whole checkpoints."""
    damages = list(damage(operations, tmp_path / "disk", most=10_000))

    assert [operation[1] for operation in operations if operation[0] == "report"] == [1, 2, 3]
    assert len(damages) > 60
    assert set(damages) == {""}


@pytest.mark.parametrize("protection", ["sync", "sync folder"])
def test_without_syncing_a_power_cut_loses_epochs(operations: list[Operation], tmp_path: Path, protection: str) -> None:
    """Negative control: without syncing files, or folders, the same check finds reported epochs lost."""
    unprotected = [operation for operation in operations if operation[0] != protection]

    assert any(damage(unprotected, tmp_path / "disk", most=20))
