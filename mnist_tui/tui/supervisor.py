"""A small parent process that, if the dashboard is killed, restores the terminal and says how to resume.

A program that is killed with SIGKILL, or for want of memory, cannot put the terminal back; its parent can. The child is
forked before anything large is loaded, so that the parent costs a few megabytes. When a run is left running
without a terminal, the parent ends first, since the shell waits for it alone.
"""

import json
import os
import signal
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from mnist_tui.served import is_served

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD)
"""Those that the supervisor handles."""
MODES_OFF = (
    "\x1b[?1049l"  # the alternate screen
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # the mouse
    "\x1b[?1004l\x1b[?2004l\x1b[?2048l"  # focus, bracketed paste, resize reports
    "\x1b[?2026l\x1b[<u\x1b[?25h\x1b[0m"  # synchronised output, kitty's keys, the cursor, colours
)


def restore_terminal(descriptor: int = 2) -> None:
    """Resets every mode that a dashboard sets; never waits for a terminal that does not read."""
    with suppress(OSError, ValueError):
        os.set_blocking(descriptor, False)
        try:
            os.write(descriptor, MODES_OFF.encode())
        finally:
            os.set_blocking(descriptor, True)  # The shell's descriptors are the same file.


def restore_attributes(attributes: list[Any] | None) -> None:
    """Sets the attributes that `terminal_attributes` has returned; None changes nothing."""
    if attributes is not None:
        with suppress(OSError, termios.error):
            # A process in the background would be stopped for this.
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            termios.tcsetattr(0, termios.TCSANOW, attributes)


class Report:
    """Reports from the dashboard to its parent; without a descriptor they are dropped."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor

    def folder(self, folder: str) -> None:
        """Reports the folder of the current run; "" for none."""
        self._send({"folder": folder})

    def leave(self, text: str) -> None:
        """Lets the parent print `text` and end; this process continues without a terminal, in a session of its own."""
        _close_terminal()
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
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # They wait until this process can handle them.
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(reader)
        _run_child(main, Report(writer))
    os.close(writer)
    _forward_signals(child)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _end_like(*_wait(child, reader), attributes)


def terminal_attributes() -> list[Any] | None:
    """The attributes of the terminal from termios, such as echo; None without a terminal."""
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
    """The child's status from `os.waitpid` and the folder of its run; ends this process if the child leaves a run."""
    folder, rest = "", b""
    while chunk := os.read(reader, 4096):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "leave" in message:
                _say(message["leave"])
                if not is_served():
                    os._exit(0)
                _close_terminal()  # Whoever serves it counts this process as long as the run goes on.
            folder = message.get("folder", folder)
    while True:
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            return status, folder


def _close_terminal() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


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
    """Ends as the child did; after a signal, restores the terminal and says how to resume."""
    restore_attributes(attributes)  # In any case: a child with a frozen terminal could not.
    if os.WIFEXITED(status):
        os._exit(os.WEXITSTATUS(status))
    number = os.WTERMSIG(status)
    restore_terminal()
    _say(f"mnist-tui: killed by signal {number} ({signal.strsignal(number)})")
    if folder:
        _say(f"resume it with: mnist-tui resume {folder}")
    os._exit(128 + number)
