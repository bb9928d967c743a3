"""What the file of a lock says: which process holds it, and whether it still does, as far as can be seen from here."""

import json
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mnist_tui.errors import FileError
from mnist_tui.files import file_system_time, read_text
from mnist_tui.processes import boot_id, is_alive, is_here, this_process
from mnist_tui.text import clean_line

LEASE = 60.0
"""Seconds after which another machine may take a lock that was not renewed."""
_MAX_BYTES = 4_096
_A_DAY = 86_400


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock, or did."""

    path: Path
    """The file of the lock."""
    text: str
    """What is in it; "" where it cannot be read."""
    record: Mapping[str, Any]
    """The text as `new_text` makes it; {} for another text, as version 0.1 wrote and as several writers may leave."""
    renewed: float
    """When the file was modified, in seconds by the clock of its file system."""

    def is_live(self, has_system_lock: bool) -> bool:
        """Whether it still holds the lock though the system's lock, if there is one, does not tell of it."""
        if not self.record or (has_system_lock and self.record.get("boot") == boot_id()):
            return False
        if is_here(self.record):
            return is_alive(self.record)
        if abs(time.time() - self.renewed) > _A_DAY:  # No clocks differ by as much.
            return False
        # A time in the future is that of a clock that was set since: a process that lives renews it by the new one.
        return abs(self.age) <= LEASE

    @cached_property
    def age(self) -> float:
        """Seconds since the lock was renewed, by the clock of its file system where it can be asked."""
        try:
            now = file_system_time(self.path.parent.parent)  # The folder of a run would look as if it had changed.
        except OSError:
            now = time.time()
        return now - self.renewed

    def __str__(self) -> str:
        """Such as `process 12 on vm`."""
        if not self.record:  # Version 0.1 wrote the words themselves.
            return clean_line(self.text, 200) if self.text.startswith("process ") else "another process"
        return clean_line(f"process {self.record.get('pid')} on {self.record.get('name')}", 200)

    @property
    def with_remedy(self) -> str:
        """The same, and for one of another machine when the lock is free if it has died."""
        if is_here(self.record):
            return str(self)
        left = LEASE - self.age
        return f"{self} (it renewed its lock {self.age:.0f} s ago; if it has died, try again in {left:.0f} s)"


def read_holder(path: Path) -> Holder:
    """What the file of a lock says; raises nothing."""
    text, record, renewed = "", {}, 0.0
    with suppress(FileError, OSError, ValueError, RecursionError):
        text = read_text(path, _MAX_BYTES, follow=False)
        renewed = os.lstat(path).st_mtime  # After the file was opened: then NFS asks its server for the time.
        loaded = json.loads(text)
        record = loaded if isinstance(loaded, dict) else {}
    return Holder(path, text, record, renewed)


def new_text() -> str:
    """What this process writes into a lock that it takes: no two such texts are equal."""
    return json.dumps({**this_process(), "name": os.uname().nodename, "boot": boot_id(), "id": secrets.token_hex(8)})
