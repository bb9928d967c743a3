"""Temporary files beside those that are written: their names, and the removal of those that a kill left behind.

`.NAME.PID.MACHINERANDOM.tmp` tells which process on which machine writes NAME; MACHINE and RANDOM are 8 hexadecimal
digits each. A name of this form is a leftover where its process is gone from this machine, or where another machine, or
this one before it was started anew, made it more than a day ago: what it does cannot be seen from here.
"""

import os
import re
import stat
import time
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

from mnist_tui.processes import machine

_NAME = re.compile(r"\..+\.([1-9]\d{0,9})\.([0-9a-f]{8})?[0-9a-f]{8}\.tmp", re.DOTALL)
"""Version 0.1 did not name the machine."""
OTHER_MACHINES_SECONDS = 24 * 3600
"""The age of a temporary file of another machine from which on nobody writes it: a write takes seconds."""


def temporary_path(path: Path) -> Path:
    """The path of a temporary file of this process for `path`, in the same folder."""
    return path.with_name(f".{path.name}.{os.getpid()}.{_machine_digits()}{os.urandom(4).hex()}.tmp")


def remove_leftovers(folder: Path) -> None:
    """Removes the temporary files of this user in a folder whose writers are gone, whatever they were to become.

    Links are neither followed nor removed, and of folders, which exports have, only those that hold nothing but files.
    What cannot be read or removed stays.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        leftovers = [Path(folder, entry.name) for entry in entries if _is_leftover(entry)]
        for path in leftovers:
            with suppress(OSError):
                _remove(path)


def _is_leftover(entry: os.DirEntry[str]) -> bool:
    match = _NAME.fullmatch(entry.name)
    if match is None:
        return False
    status = entry.stat(follow_symlinks=False)
    if status.st_uid != os.geteuid() or not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return False
    if match[2] == _machine_digits():
        return not _is_process(int(match[1]))
    return time.time() - status.st_mtime > OTHER_MACHINES_SECONDS


def _is_process(pid: int) -> bool:
    """Whether this machine has a process of that number."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for each in path.iterdir():
            each.unlink()
        path.rmdir()
    else:
        path.unlink()


@cache
def _machine_digits() -> str:
    return f"{zlib.crc32(machine().encode()):08x}"
