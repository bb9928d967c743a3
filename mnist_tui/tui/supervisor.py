"""A small parent of the dashboard: should the dashboard be killed, it restores the terminal and says how to go on.

A program that is killed with SIGKILL, or for want of memory, cannot put the terminal back; its parent can. The child is
forked before anything large is loaded, so that the parent costs a few megabytes. The parent ends first when a run is to
be left running without a terminal: the shell waits for the parent alone.
"""

import json
import os
import signal
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

MODES_OFF = (
    "\x1b[?1049l"  # the alternate screen
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # the mouse
    "\x1b[?1004l\x1b[?2004l\x1b[?2048l"  # focus, bracketed paste, resize reports
    "\x1b[?2026l\x1b[<u\x1b[?25h\x1b[0m"  # synchronised output, kitty's keys, the cursor, colours
)


def restore_terminal(descriptor: int = 2) -> None:
    """Ends every mode that a dashboard sets; never waits for a terminal that takes nothing."""
    with suppress(OSError, ValueError):
        os.set_blocking(descriptor, False)
        try:
            os.write(descriptor, MODES_OFF.encode())
        finally:
            os.set_blocking(descriptor, True)  # The shell's descriptors are the same file.


def restore_attributes(attributes: list[Any] | None) -> None:
    """Gives the terminal the attributes that `terminal_attributes` found; None changes nothing."""
    if attributes is not None:
        with suppress(OSError, termios.error):
            # Who is not in the foreground may not touch the terminal, and would be stopped for trying.
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            termios.tcsetattr(0, termios.TCSANOW, attributes)


class Report:
    """What the dashboard tells its parent; without one, nobody listens."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor

    def folder(self, folder: str) -> None:
        """The folder of the run under way; "" where none is."""
        self._send({"folder": folder})

    def leave(self, text: str) -> None:
        """Lets the parent say `text` and end; this process goes on without a terminal, in a session of its own."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        with suppress(OSError):
            os.setsid()
        self._send({"leave": text})

    def _send(self, message: dict[str, str]) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.write(self._descriptor, json.dumps(message).encode() + b"\n")


def run_supervised(main: Callable[[Report], int]) -> NoReturn:
    """Runs `main` in a child and ends this process with its exit code; the child ends without a Python teardown.

    Threads may still be inside torch when the dashboard is left, and the interpreter must not end under them. What
    `main` raises is printed as Python would, and is exit code 1.
    """
    if not hasattr(os, "fork"):
        sys.exit(main(Report()))
    attributes = terminal_attributes()
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _run_child(main, Report(writer))
    os.close(writer)
    _end_like(*_wait(child, reader), attributes)


def terminal_attributes() -> list[Any] | None:
    """Echo, line mode and the like, as termios tells them; None where there is no terminal."""
    try:
        return termios.tcgetattr(0)
    except (OSError, termios.error):
        return None


def _run_child(main: Callable[[Report], int], report: Report) -> NoReturn:
    code = 1
    try:
        code = main(report)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _wait(child: int, reader: int) -> tuple[int, str]:
    """How the child ended, as `os.waitpid` tells it, and the folder of the run under way; ends where it leaves."""
    _forward_signals(child)
    folder, rest = "", b""
    while chunk := os.read(reader, 4096):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "leave" in message:
                _say(message["leave"])
                os._exit(0)
            folder = message.get("folder", folder)
    while True:
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            return status, folder


def _say(text: str) -> None:
    with suppress(OSError):  # The terminal may be gone.
        print(text, file=sys.stderr, flush=True)


def _forward_signals(child: int) -> None:
    def forward(number: int, _: Any) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    def stop_with_child(*_: Any) -> None:
        # The shell waits for this process: it must stop when the dashboard does (Ctrl-Z), and wake it afterwards.
        with suppress(ChildProcessError):
            state = os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOHANG)
            if state is not None:
                os.kill(os.getpid(), signal.SIGSTOP)
                os.kill(child, signal.SIGCONT)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the dashboard as a key.
    signal.signal(signal.SIGCHLD, stop_with_child)


def _end_like(status: int, folder: str, attributes: list[Any] | None) -> NoReturn:
    """Ends as the child did; where a signal took it, puts the terminal back and says how to go on."""
    restore_attributes(attributes)  # In any case: a child whose terminal was frozen ends without.
    if os.WIFEXITED(status):
        os._exit(os.WEXITSTATUS(status))
    number = os.WTERMSIG(status)
    restore_terminal()
    _say(f"mnist-tui: killed by signal {number} ({signal.strsignal(number)})")
    if folder:
        _say(f"go on with: mnist-tui resume {folder}")
    os._exit(128 + number)
