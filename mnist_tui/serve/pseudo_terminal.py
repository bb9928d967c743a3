"""A process in a pseudo-terminal: closing that hangs the process up, as a lost SSH connection does."""

import asyncio
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress

MAX_CELLS = 500
"""Largest width and height of a terminal, in cells."""
CHUNK = 65_536
"""Bytes that are read at a time."""


class TerminalProcess:
    """A process of its own session; whoever reads its output and writes its input stands in for the terminal."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], width: int, height: int) -> None:
        """Starts the process in a terminal of `width` by `height` cells; raises `OSError`."""
        self._master, slave = pty.openpty()
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

    async def connect(self) -> None:
        """Lets `read` and `write` work, in the running event loop."""
        loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader()
        output = os.fdopen(os.dup(self._master), "rb", buffering=0)
        self._output, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self._reader), output)
        keys = os.fdopen(os.dup(self._master), "wb", buffering=0)
        self._input, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, keys)
        self._writer = asyncio.StreamWriter(self._input, protocol, None, loop)

    async def read(self) -> bytes:
        """The next output; b"" after the process has closed its terminal."""
        try:
            return await self._reader.read(CHUNK)
        except OSError:  # Linux reports EIO where no process has the terminal open any more.
            return b""

    async def write(self, keys: bytes) -> None:
        """Sends input; waits while the process takes none."""
        with suppress(OSError):
            self._writer.write(keys)
            await self._writer.drain()

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
        """Closes the terminal: a process that trains goes on without it, another ends."""
        for transport in (getattr(self, "_output", None), getattr(self, "_input", None)):
            if transport is not None:
                transport.abort() if isinstance(transport, asyncio.WriteTransport) else transport.close()
        os.close(self._master)
