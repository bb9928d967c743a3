"""Which process trains which point of a sweep: a file for each claim, made exclusively, renewed while it is held.

`claims/00012-s3.1` is the first claim on point 12 with seed 3. Who holds it sets its modification time anew a few times
a minute. A claim that is not renewed for the sweep's lease, or whose process is gone from this machine, is taken over
by making `00012-s3.2`: of two processes that try, the file system lets one succeed. Claims are never removed, so none
can be made twice. No server is needed, and no lock, which some shared file systems lack: a file that is made with
O_EXCL is made once on NFS, too, from version 3 on (open(2)).

Times are compared with that of a file touched at the same moment, since the clocks of machines differ.
"""

import json
import os
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mnist_tui.errors import FileError, StorageError
from mnist_tui.files import file_system_time, read_text, write_unsynced
from mnist_tui.processes import is_alive, is_here, this_process
from mnist_tui.temporary_files import remove_leftovers

MAX_BYTES = 65_536
MAX_DEATHS = 10
"""A point on which so many processes died, without another epoch, is given up."""
RENEWALS = 6
"""How often a claim is renewed in the time of its lease."""

State = Literal["held", "released", "dead"]


@dataclass(frozen=True)
class Claim:
    """A claim on a point, as its file tells it."""

    key: str
    """The point's."""
    generation: int
    """1 for the first claim on the point."""
    state: State
    values: Mapping[str, str] | None = None
    """The configuration of the point: of a search, other processes learn here what was proposed."""
    error: str = ""
    """Why its run has no end, where that is known."""
    host: str = ""


class Claims:
    """The claims of a sweep, and those that this process holds; `close` ends their renewal."""

    def __init__(self, folder: Path, lease: float) -> None:
        self._folder, self._lease = folder, lease
        self._generations: dict[str, int] = {}
        """By the key of a point the newest claim that is known."""
        self._held: dict[str, int] = {}
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self.lost: set[str] = set()
        """Points that another process took over, because this one did not renew its claim in time."""
        remove_leftovers(folder)
        self.refresh()
        threading.Thread(target=self._renew, daemon=True).start()

    def refresh(self) -> None:
        """Looks for claims of other processes; raises `StorageError`."""
        try:
            with os.scandir(self._folder) as entries:
                names = [entry.name for entry in entries]
        except OSError as error:
            raise StorageError(f"{self._folder}: {error.strerror}") from None
        for name in names:
            if match := re.fullmatch(r"(\d{5}-s\d+)\.(\d{1,6})", name):
                self._generations[match[1]] = max(int(match[2]), self._generations.get(match[1], 0))

    def is_claimed(self, key: str) -> bool:
        """Whether any process has ever claimed a point, as far as is known."""
        return key in self._generations

    def holds(self, key: str) -> bool:
        """Whether this process holds the claim."""
        return key in self._held

    def newest(self, key: str) -> Claim | None:
        """The newest claim on a point that is known; None without one."""
        generation = self._generations.get(key)
        return None if generation is None else self._read(key, generation)

    def take(self, key: str, values: Mapping[str, str] | None = None) -> bool:
        """Claims a point on which there is no claim, or one that is not held any more; returns whether it succeeded.

        Raises `StorageError` where the folder cannot be written.
        """
        generation = self._generations.get(key, 0) + 1
        content = json.dumps({**this_process(), **({} if values is None else {"values": dict(values)})})
        try:
            descriptor = os.open(self._path(key, generation), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            with open(descriptor, "w") as file:
                file.write(content)
        except FileExistsError:
            self._generations[key] = generation
            return False
        except OSError as error:
            raise StorageError(f"cannot write to {self._folder}: {error.strerror}") from None
        with self._lock:
            self._generations[key] = self._held[key] = generation
            self.lost.discard(key)
        return True

    def release(self, key: str, error: str = "") -> None:
        """Gives a claim back, so that others may take the point; `error` is why it has no end."""
        with self._lock:
            generation = self._held.pop(key, None)
        if generation is not None:
            claim = self._read(key, generation)
            values = {} if claim.values is None else {"values": dict(claim.values)}
            document = {**this_process(), **values, "released": True, "error": error}
            with suppress(OSError):  # Then it is taken over when its lease ends.
                write_unsynced(self._path(key, generation), json.dumps(document).encode())

    def close(self) -> None:
        """Ends the renewal; what is still held is taken over by others when its lease ends, or this process does."""
        self._is_closed.set()

    def deaths(self, key: str, since: float = 0.0) -> int:
        """How many claims on a point ended without having been given back, after `since`, a time of the file system."""
        newest = self._generations.get(key, 0)
        return sum(self._died_after(key, generation, since) for generation in range(1, newest + 1))

    def _died_after(self, key: str, generation: int, since: float) -> bool:
        with suppress(OSError):
            is_later = os.lstat(self._path(key, generation)).st_mtime > since
            return is_later and self._read(key, generation).state == "dead"
        return False

    def _path(self, key: str, generation: int) -> Path:
        return self._folder / f"{key}.{generation}"

    def _read(self, key: str, generation: int) -> Claim:
        path = self._path(key, generation)
        document: dict[str, Any] = {}
        with suppress(FileError, ValueError, RecursionError):
            loaded = json.loads(read_text(path, MAX_BYTES, follow=False))
            document = loaded if isinstance(loaded, dict) else {}
        values = document.get("values")
        values = {str(path): str(text) for path, text in values.items()} if isinstance(values, dict) else None
        host, error = str(document.get("host", "")), str(document.get("error") or "")
        state: State = "released" if document.get("released") is True else self._liveness(path, document)
        return Claim(key, generation, state, values, error, host)

    def _liveness(self, path: Path, document: Mapping[str, Any]) -> State:
        """Held while its process is there, as far as this machine can tell, and while it is renewed."""
        if is_here(document):
            return "held" if is_alive(document) else "dead"
        try:
            age = file_system_time(self._folder) - os.lstat(path).st_mtime
        except OSError:
            return "held"  # Nothing is known: better to wait than to train a point twice.
        # A time in the future is that of a clock that was set since: a process that lives renews it by the new one.
        return "dead" if abs(age) > self._lease else "held"

    def _renew(self) -> None:
        while not self._is_closed.wait(self._lease / RENEWALS):
            with self._lock:
                held = dict(self._held)
            for key, generation in held.items():
                with suppress(OSError):
                    os.utime(self._path(key, generation))
                if os.path.lexists(self._path(key, generation + 1)):
                    self.lost.add(key)
