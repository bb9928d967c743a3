"""The queue of a runs directory: designs and sweeps that wait to be trained, by whichever dashboard is free.

.queue/00003-5f0c9a1b.json    an entry, written whole; the number gives the order, the rest of the name is its own
.queue/.5f0c9a1b.lock         held by the process that trains the entry, and freed by the system when that dies
.queue/paused                 while it is there, no process begins an entry

An entry is removed when its runs have ended, so one whose process dies waits again; it names the runs that were begun,
which are then resumed rather than trained again. No torch.
"""

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from mnist_tui.errors import FileError, LockedError, StorageError
from mnist_tui.files import read_text, write_atomically
from mnist_tui.runs.lock import Lock, hold, is_held
from mnist_tui.spec.recipe import Frozen
from mnist_tui.spec.run_options import Dataset, Device
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.spec.validation_errors import first_error
from mnist_tui.text import clean_line

QUEUE = ".queue"
PAUSED = "paused"
FORMAT = 1
MAX_BYTES = 8 * 2**20
MAX_SEEDS = 1_000
_NAME = re.compile(r"(\d{5,9})-([0-9a-f]{8})\.json")


class QueuedDesign(Frozen):
    """A design as it was queued."""

    spec: RunSpec
    seeds: Annotated[int, Field(ge=1, le=MAX_SEEDS)] = 1
    """Runs, with seeds in a row from that of `spec`."""
    device: Device = "auto"
    dataset: Dataset = "auto"

    @property
    def specs(self) -> list[RunSpec]:
        """The spec of each run."""
        first = self.spec.train.seed
        return [self.spec.with_seed(first + index) for index in range(self.seeds)]


class _Document(Frozen):
    """The content of an entry's file."""

    format: Literal[1]
    created: str
    host: str
    design: QueuedDesign | None = None
    sweep: str | None = None
    runs: tuple[Annotated[str, Field(pattern=r"^[^./][^/]*$")], ...] = ()


@dataclass(frozen=True)
class Entry:
    """Something that waits, or is trained."""

    path: Path
    created: str = ""
    """In UTC, as ISO 8601."""
    host: str = ""
    """The machine that it was queued on."""
    design: QueuedDesign | None = None
    sweep: str = ""
    """The name of a sweep of the same runs directory, where it is no design."""
    runs: tuple[str, ...] = ()
    """Folders of its runs that were begun."""
    error: str = ""
    """Why it cannot be trained: its file is damaged."""
    is_taken: bool = False
    """Whether some process trains it."""

    @property
    def id(self) -> str:
        """What stays when it is moved."""
        match = _NAME.fullmatch(self.path.name)
        return match[2] if match else self.path.name

    @property
    def number(self) -> int:
        """What it is ordered by."""
        match = _NAME.fullmatch(self.path.name)
        return int(match[1]) if match else 0

    @property
    def waits(self) -> bool:
        """Whether it can be taken."""
        return not (self.error or self.is_taken)

    @property
    def name(self) -> str:
        """Of its preset, or of its sweep; of a damaged one that of its file."""
        return clean_line(self.design.spec.name if self.design else self.sweep or self.path.name, 60)


class Queue:
    """The queue of a runs directory. Methods raise `StorageError` where it cannot be read or written."""

    def __init__(self, runs_dir: Path) -> None:
        self.folder = runs_dir / QUEUE
        self._read_before: dict[str, tuple[object, Entry]] = {}
        """By the name of a file: its signature, and the entry."""

    # --- what is in it ---

    def entries(self) -> list[Entry]:
        """Every entry in its order, damaged ones too; [] where there is no queue."""
        try:
            with os.scandir(self.folder) as found:
                names = [each.name for each in found if each.name.endswith(".json") and not each.name.startswith(".")]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"{self.folder}: {error.strerror}") from None
        read = {name: self._read(name) for name in names}
        self._read_before = {name: each for name, each in read.items() if each is not None}
        entries = [replace(each[1], is_taken=self._is_taken(each[1])) for each in read.values() if each is not None]
        return sorted(entries, key=lambda entry: (entry.number, entry.path.name))

    @property
    def is_paused(self) -> bool:
        """Whether no process may begin an entry."""
        return os.path.lexists(self.folder / PAUSED)

    def _is_taken(self, entry: Entry) -> bool:
        return is_held(self._lock_path(entry))

    def _read(self, name: str) -> tuple[object, Entry] | None:
        """The signature of a file and its entry; None where it is gone."""
        path = self.folder / name
        try:
            status = os.lstat(path)
        except OSError:
            return None
        signature = (status.st_ino, status.st_mtime_ns, status.st_size)
        known = self._read_before.get(name)
        return known if known is not None and known[0] == signature else (signature, read_entry(path))

    # --- changing it ---

    def add(self, design: QueuedDesign) -> Entry:
        """Puts a design at the end."""
        return self._add(_document(design=design.model_dump(mode="json", exclude_none=True)))

    def add_sweep(self, name: str) -> Entry:
        """Puts a sweep at the end, unless it waits already."""
        waiting = next((entry for entry in self.entries() if entry.sweep == name and entry.waits), None)
        return waiting or self._add(_document(sweep=name))

    def remove(self, entry: Entry) -> None:
        """Takes an entry out that nobody trains."""
        with self._held(entry):
            self._delete(entry)

    def move(self, entry: Entry, steps: int) -> None:
        """Moves an entry by so many places among those that wait; a negative number moves it to the front."""
        waiting = [each for each in self.entries() if not each.is_taken]
        at = next((index for index, each in enumerate(waiting) if each.id == entry.id), None)
        if at is None:
            return
        numbers = sorted(each.number for each in waiting)
        waiting.insert(max(0, at + steps), waiting.pop(at))
        last = 0
        for each, number in zip(waiting, numbers, strict=True):
            last = max(number, last + 1)  # Two that were queued at the same moment have one number.
            if each.number != last and _NAME.fullmatch(each.path.name):
                self._renumber(each, last)

    def pause(self) -> None:
        """Lets no process begin another entry."""
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / PAUSED).touch()

    def unpause(self) -> None:
        """Takes `pause` back."""
        with self._writing():
            (self.folder / PAUSED).unlink(missing_ok=True)

    def _add(self, document: Mapping[str, Any]) -> Entry:
        number = max((entry.number for entry in self.entries()), default=0) + 1
        path = self.folder / f"{number:05d}-{secrets.token_hex(4)}.json"
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, _as_bytes(document))
        return read_entry(path)

    def _renumber(self, entry: Entry, number: int) -> None:
        with suppress(StorageError), self._held(entry), self._writing():
            entry.path.rename(self.folder / f"{number:05d}-{entry.id}.json")

    def _delete(self, entry: Entry) -> None:
        with self._writing():
            entry.path.unlink(missing_ok=True)
            self._lock_path(entry).unlink(missing_ok=True)  # Ids are not used again, so nobody waits for it.

    # --- training it ---

    def take(self) -> "Taken | None":
        """The first entry that waits, held by this process; None where none waits, and while the queue is paused."""
        if self.is_paused:
            return None
        for entry in self.entries():
            if not entry.error and (taken := self._try_to_take(entry)):
                return taken
        return None

    def _try_to_take(self, entry: Entry) -> "Taken | None":
        lock = Lock(self._lock_path(entry), entry.name)
        try:
            lock.acquire()
        except LockedError:
            return None
        except OSError as error:
            raise StorageError(f"{self.folder}: {error.strerror}") from None
        for now in self.entries():  # It may have ended, or was moved, before the lock was held.
            if now.id == entry.id and not now.error:
                return Taken(self, now, lock)
        self._lock_path(entry).unlink(missing_ok=True)  # While it is held: afterwards it may be another's.
        lock.release()
        return None

    def _held(self, entry: Entry) -> AbstractContextManager[None]:
        return hold(self._lock_path(entry), entry.name)

    def _lock_path(self, entry: Entry) -> Path:
        return self.folder / f".{entry.id}.lock"

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"cannot write to {self.folder}: {error.strerror}") from None


class Taken:
    """An entry that this process trains; nobody else changes it until it is given back."""

    def __init__(self, queue: Queue, entry: Entry, lock: Lock) -> None:
        self.entry = entry
        self._queue, self._lock = queue, lock

    def note_run(self, run: str) -> None:
        """Writes down that a run was begun, so that whoever takes the entry next resumes it."""
        if run in self.entry.runs:
            return
        self.entry = replace(self.entry, runs=(*self.entry.runs, run))
        with suppress(OSError, FileError, ValueError):  # Then the run is not resumed, but begun anew.
            document = json.loads(read_text(self.entry.path, MAX_BYTES, follow=False))
            write_atomically(self.entry.path, _as_bytes({**document, "runs": self.entry.runs}))

    def end(self) -> None:
        """Removes the entry, and gives it back; raises `StorageError`."""
        try:
            self._queue._delete(self.entry)
        finally:
            self._lock.release()

    def give_back(self) -> None:
        """Lets others take the entry."""
        self._lock.release()


def read_entry(path: Path) -> Entry:
    """An entry by its file, with the reason where it is damaged."""
    try:
        document = _Document.model_validate(json.loads(read_text(path, MAX_BYTES, follow=False)))
    except FileError as error:
        return Entry(path, error=clean_line(error.why, 200))
    except ValidationError as error:
        return Entry(path, error=clean_line(str(first_error(error, _Document)), 200))
    except (ValueError, RecursionError) as error:
        return Entry(path, error=f"is damaged: {clean_line(str(error), 200)}")
    if not _NAME.fullmatch(path.name):
        return Entry(path, error="its name is not that of an entry, such as 00001-5f0c9a1b.json")
    if (document.design is None) == (document.sweep is None):
        return Entry(path, error="must have either design or sweep")
    created, host = clean_line(document.created, 40), clean_line(document.host, 60)
    return Entry(path, created, host, document.design, document.sweep or "", document.runs)


def wait_words(waiting: Sequence[Entry]) -> str:
    """`2 designs wait`, `a sweep waits`, `2 designs and a sweep wait`."""
    sweeps = sum(1 for entry in waiting if entry.sweep)
    designs = len(waiting) - sweeps
    parts = [
        f"{count} {what}{'s' if count > 1 else ''}" for count, what in ((designs, "design"), (sweeps, "sweep")) if count
    ]
    return f"{' and '.join(parts)} wait{'s' if len(waiting) == 1 else ''}"


def _document(**content: object) -> dict[str, Any]:
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return {"format": FORMAT, "created": created, "host": os.uname().nodename, **content}


def _as_bytes(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1) + "\n").encode()
