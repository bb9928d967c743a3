"""A process that is killed just before one of the system calls by which it changes the disk."""

import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock

CHANGES = {f"os.{name}" for name in ("rename", "remove", "rmdir", "mkdir", "truncate", "utime", "chmod", "link")}
"""Audit events (docs.python.org, Audit events table) of calls that change a disk; `open` is one where it may write."""
MAY_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def killed_before(number: int, action: Callable[[], object]) -> bool:
    """Runs an action in a forked process that is killed before its change of the disk with this number, from 1.

    False where it made fewer changes, and came to its end.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Of a fork with threads: the child uses none of them.
        child = os.fork()
    if child == 0:
        _run(number, action)
    _, status = os.waitpid(child, 0)
    was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert was_killed or os.waitstatus_to_exitcode(status) == 0, status
    return was_killed


def _run(number: int, action: Callable[[], object]) -> None:
    """In the child: counts the changes, runs the action, and ends the process."""
    left = number

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        if event in CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & MAY_WRITE):
            count()

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            count()
            return call(*arguments)

        return run

    code = 1
    try:
        sys.addaudithook(on_event)
        with mock.patch.object(os, "write", counted(os.write)), mock.patch.object(os, "fsync", counted(os.fsync)):
            action()
        code = 0
    finally:
        os._exit(code)
