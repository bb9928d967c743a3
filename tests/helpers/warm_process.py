"""Programs in a terminal that begin at once: forked from a process in which PyTorch and the dashboard are loaded.

For tests of what the dashboard does, not of how it starts: a new Python process needs 3 s to load both.
"""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from typing import NamedTuple

NUMBER = struct.Struct("i")
"""What comes back: a process id, then an exit code."""


class Program(NamedTuple):
    """What a forked process runs: Python code with arguments, a folder and an environment."""

    code: str
    arguments: list[str]
    folder: str
    environment: dict[str, str]


class _Server:
    """The process that others are forked from; it ends when this one does."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "helpers.warm_server", str(theirs.fileno())],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )


_server = cache(_Server)


class WarmProcess:
    """A forked process in a terminal, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, program: Program, terminal: int) -> None:
        self.returncode: int | None = None
        self._answer, answer = os.pipe()
        with tempfile.TemporaryFile("w+") as request:
            json.dump(program._asdict(), request)
            request.seek(0)
            socket.send_fds(_server().socket, [b"."], [request.fileno(), terminal, answer])
        os.close(answer)
        self.pid = self._number()

    def _number(self) -> int:
        received = os.read(self._answer, NUMBER.size)
        assert received, "the process that others are forked from has ended"
        number: int = NUMBER.unpack(received)[0]
        return number

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the exit code: the signal's number with a minus where one ended it.

        Raises:
            subprocess.TimeoutExpired: after so many seconds.

        """
        if self.returncode is None:
            if not select.select([self._answer], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a forked process", timeout or 0)
            self.returncode = self._number()
            os.close(self._answer)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal; nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)
