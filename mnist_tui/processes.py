"""Which process on which machine, as files tell that several machines may share."""

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any


def boot_id() -> str:
    """The start of the kernel, which all containers of a machine share; its name where the system gives no such id."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return os.uname().nodename


def machine() -> str:
    """The machine since it was started, and on Linux the namespace of its process numbers, as containers have one."""
    parts = [os.uname().nodename, boot_id()]
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return " ".join(parts)


@cache
def _facts(pid: int) -> dict[str, Any]:
    return {"host": machine(), "pid": pid, "started": started(pid)}


def this_process() -> dict[str, Any]:
    """What tells this process from all others that may see a file, as JSON has it."""
    return dict(_facts(os.getpid()))  # A fork is another process.


def is_here(facts: Mapping[str, Any]) -> bool:
    """Whether a process, as `this_process` tells it, is or was one of this machine, so that its number can be asked."""
    return facts.get("host") == machine()


def is_alive(facts: Mapping[str, Any]) -> bool:
    """Whether a process of this machine is still the one that began at that time: numbers are used again."""
    pid, began = facts.get("pid"), facts.get("started")
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return False
    return began is not None and started(pid) == began


def started(pid: int) -> float | None:
    """A number that two processes of one number do not share, about when it began; None where there is no process."""
    with suppress(OSError, ValueError, IndexError):  # Linux: its clock ticks do not change when the time is set.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if state == "Z" else float(fields[18])
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else round(process.create_time(), 1)
    except psutil.Error:
        return None
