"""The laboratory in a pseudo-terminal: sends keys and signals, reads the screen and the state of the terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pyte

from helpers.warm_process import Program, WarmProcess

ROOT = Path(__file__).parents[2]
MAIN = "from mnist_tui.cli.main import main; main()"

MODES = {"alternate screen": 1049, "mouse": 1003, "any mouse": 1000, "bracketed paste": 2004, "focus": 1004}
"""The terminal modes that a dashboard sets, by their DEC numbers."""

PRESET = """
layers = '''
AvgPool2d(4)
Flatten()
Linear(10)
'''
[train]
epochs = {epochs}
batch_size = 1
optimizer = "SGD(lr=0.001)"
"""
"""1,437 steps an epoch on the small digits: a few seconds, so that keys and signals arrive during a run."""


class HungError(AssertionError):
    """Something that takes too long, or never comes."""


class Lab:
    """A process of `mnist-tui` in a pseudo-terminal."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        before: str = "",
        size: tuple[int, int] = (100, 30),
        warm: bool = False,
        **env: str,
    ):
        """`before` is code that runs first; a `warm` process is forked from one that has loaded PyTorch."""
        self.folder = folder
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.started_at = time.time()
        self.attributes = termios.tcgetattr(self.master)
        code, environment = f"{before}\n{MAIN}", self.environment(**env)
        self.process: subprocess.Popen[bytes] | WarmProcess
        if warm:
            program = Program(code, [*arguments], str(folder), environment)
            self.process = WarmProcess(program, slave)
        else:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, *arguments],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                cwd=folder,
                env=environment,
                preexec_fn=self._take_terminal,
            )
        os.close(slave)

    @staticmethod
    def _take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        for number in (signal.SIGINT, signal.SIGHUP):  # A test run in the background of a script has them ignored.
            signal.signal(number, signal.SIG_DFL)

    @staticmethod
    def environment(**env: str) -> dict[str, str]:
        """The environment of the process."""
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        path = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))  # `before` may import `helpers`.
        return {**inherited, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "TERM": "xterm-256color"} | env

    def read(self, seconds: float = 0.05) -> bool:
        """Reads output until there is none for `seconds` at most; whether there was any."""
        if self.master < 0 or not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            chunk = os.read(self.master, 65_536)
        except OSError:
            time.sleep(seconds)  # All ends of the terminal are closed: nothing comes any more.
            return False
        self.output += chunk
        self._stream.feed(chunk)
        return True

    def read_for(self, seconds: float) -> None:
        """Reads output for so many seconds."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            self.read(min(rest, 0.02))

    def text(self) -> str:
        """The characters on the screen."""
        return "\n".join(self.screen.display)

    def wait(self, is_so: Callable[[], object], seconds: float = 40) -> None:
        """Reads until `is_so` returns something true."""
        end = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > end:
                shown = f"on the screen:\n{self.text()}\n{self.output[-300:]!r}"
                raise HungError(f"the condition never became true; {shown}")
            self.read()

    def wait_for(self, word: str, seconds: float = 40) -> None:
        """Reads until `word` is on the screen."""
        self.wait(lambda: word in self.text(), seconds)

    def wait_until_gone(self, word: str, seconds: float = 40) -> None:
        """Reads until `word` is no longer on the screen."""
        self.wait(lambda: word not in self.text(), seconds)

    def press(self, keys: str) -> None:
        """Sends keys."""
        os.write(self.master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Gives the terminal another size, of which the process is told."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def hang_up(self) -> None:
        """Closes the terminal, as when a connection is lost."""
        os.close(self.master)
        self.master = -1

    def child(self) -> int:
        """The process of the dashboard itself, a child of the supervisor."""
        pid: int = psutil.Process(self.process.pid).children()[0].pid
        return pid

    def ended(self, seconds: float = 40) -> int:
        """The exit code, after all output was read."""
        self.wait(lambda: self.process.poll() is not None, seconds)
        for _ in range(20):
            self.read(0.02)
        return self.process.wait()

    def modes_left_on(self) -> list[str]:
        """The terminal modes that were set and not reset."""
        return [
            name
            for name, mode in MODES.items()
            if self.output.rfind(f"\x1b[?{mode}h".encode()) > self.output.rfind(f"\x1b[?{mode}l".encode())
        ]

    def is_as_before(self) -> bool:
        """Whether the terminal has the attributes that it was opened with."""
        return bool(termios.tcgetattr(self.master)[:4] == self.attributes[:4])

    def run_folders(self) -> list[Path]:
        """The run folders, by name."""
        return sorted(path.parent for path in self.folder.glob("runs/*/run.json"))

    def close(self) -> None:
        """Kills the processes that are left, and closes the terminal."""
        with suppress(OSError, IndexError, psutil.NoSuchProcess):
            os.kill(self.child(), signal.SIGKILL)
        with suppress(OSError):
            self.process.kill()
        self.process.wait()
        if self.master >= 0:
            os.close(self.master)
