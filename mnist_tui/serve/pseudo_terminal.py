"""A process in a pseudo-terminal: closing that hangs the process up, as a lost SSH connection does."""

import asyncio
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

MAX_CELLS = 500
"""Largest width and height of a terminal, in cells."""
CHUNK = 65_536
"""Bytes that are read at a time."""


class TerminalProcess:
    """A process of its own session; whoever reads its output and writes its input stands in for the terminal."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], width: int, height: int) -> None:
        """Starts the process in a terminal of `width` by `height` cells; raises `OSError`."""
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        self.resize(width, height)
        try:
            self.process = subprocess.Popen(
                command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
            )
        except OSError:
            os.close(self._master)
            raise
        finally:
            os.close(slave)

    async def read(self) -> bytes:
        """The next output; b"" after the process has closed its terminal. Nothing is read ahead."""
        loop = asyncio.get_running_loop()
        await _ready(self._master, loop.add_reader, loop.remove_reader)
        try:
            return os.read(self._master, CHUNK)
        except OSError:  # Linux reports EIO where no process has the terminal open any more.
            return b""

    async def write(self, keys: bytes) -> None:
        """Sends input; waits while the process takes none."""
        loop = asyncio.get_running_loop()
        while keys:
            await _ready(self._master, loop.add_writer, loop.remove_writer)
            try:
                keys = keys[os.write(self._master, keys) :]
            except BlockingIOError:
                continue
            except OSError:  # The process has ended.
                return

    def resize(self, width: int, height: int) -> None:
        """Sets the size in cells, each between 1 and `MAX_CELLS`; the process gets SIGWINCH."""
        columns, rows = (min(max(each, 1), MAX_CELLS) for each in (width, height))
        with suppress(OSError):
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def terminate(self) -> None:
        """Asks the process to save its run and to end (SIGTERM)."""
        if self.is_alive:
            self.process.send_signal(signal.SIGTERM)

    def hang_up(self) -> None:
        """Closes the terminal, when nobody reads or writes it: a process that trains goes on, another ends."""
        os.close(self._master)


async def _ready(descriptor: int, add: Callable[..., Any], remove: Callable[[int], bool]) -> None:
    """Waits until a descriptor can be read or written, by the methods of the event loop for that."""
    is_ready = asyncio.Event()
    add(descriptor, is_ready.set)
    try:
        await is_ready.wait()
    finally:
        remove(descriptor)
