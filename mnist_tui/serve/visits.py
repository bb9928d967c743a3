"""The visitors: a process for each, a limit on them, and the runs that go on after a visitor has left."""

import locale
import os
from collections.abc import Mapping, Sequence

from mnist_tui.serve.pseudo_terminal import TerminalProcess
from mnist_tui.served import VARIABLE

DROPPED = ("COLUMNS", "LINES", "TEXTUAL_DRIVER", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "KITTY_WINDOW_ID")
"""Variables that describe the terminal in which the server was started."""


class Visits:
    """The processes of the visitors who are here, and of those who have left while theirs trained."""

    def __init__(self, command: Sequence[str], limit: int) -> None:
        self.limit = limit
        """Highest number of visitors at a time, and of runs that go on without their visitor."""
        self._command = command
        self._here: list[TerminalProcess] = []
        self._left: list[TerminalProcess] = []

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another visitor."""
        return len(self._here) >= self.limit

    @property
    def left_running(self) -> int:
        """The number of processes that go on without their visitor."""
        self._left = [each for each in self._left if each.is_alive]
        return len(self._left)

    def begin(self, width: int, height: int) -> TerminalProcess:
        """Starts the laboratory of a visitor, whose terminal has this size in cells; raises `OSError`."""
        terminal = TerminalProcess(self._command, visitor_environment(os.environ), width, height)
        self._here.append(terminal)
        return terminal

    def end(self, terminal: TerminalProcess) -> None:
        """Closes the terminal of a visitor who leaves: a run goes on, as after a lost SSH connection.

        If as many as `limit` go on already, the run is saved and stopped; it can be resumed.
        """
        self._here.remove(terminal)
        if self.left_running >= self.limit:
            terminal.terminate()
        self._left.append(terminal)
        terminal.hang_up()


def visitor_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a visitor's process, whose terminal is xterm.js: UTF-8 and 24-bit colours."""
    kept = {name: value for name, value in environment.items() if name not in DROPPED}
    utf8 = {} if locale.getencoding().lower().replace("-", "") == "utf8" else {"LC_ALL": "C.UTF-8"}
    return {**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor", VARIABLE: "1", **utf8}
