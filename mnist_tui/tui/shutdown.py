"""How the dashboard ends: signals, a closed terminal, a run that is left running, and the exit code."""

import os
import signal
import sys
import termios
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_tui.crash_log import keep_traceback, log_folder
from mnist_tui.runs.record import RESUMABLE
from mnist_tui.text import clean_line
from mnist_tui.tui.runner import Runner
from mnist_tui.tui.supervisor import restore_attributes, restore_terminal, terminal_attributes

if TYPE_CHECKING:
    from textual.app import App

    from mnist_tui.tui.request import LabRequest
    from mnist_tui.tui.supervisor import Report

GRACE_SECONDS = 2.0
"""Time for the screen to close itself after the run is saved; then the process ends without it."""
HANGUP_PERIOD = 0.5
"""Seconds between two checks of whether the terminal is still there: some close without a signal."""


@dataclass
class ExitState:
    """Why and how the dashboard ends."""

    code: int = 0
    """128 + signal, if a signal ended it."""
    stop_asked: bool = False
    """Ctrl-C was pressed once."""
    abort: bool = False
    """The process does not wait for the run: its last checkpoint stays."""
    leave_running: bool = False
    """The run continues without a terminal, in this process."""
    hung_up: bool = False
    """The terminal is closed; nothing may be written to it."""
    message: str = ""
    """Printed after the screen is closed."""
    failed: bool = False
    """Whether the dashboard ended by an error."""


@contextmanager
def reserve_terminal() -> Iterator[None]:
    """Reserves the terminal for the screen: what libraries print, also from C, goes to a log beside crash.log."""
    log = _open_output_log()
    saved = os.dup(1), os.dup(2)
    originals = sys.__stdout__, sys.__stderr__
    sys.stdout.flush()
    # Textual measures the size of one and draws on the other.
    terminal = open(os.dup(2), "w", encoding=sys.stderr.encoding, errors="replace")  # noqa: SIM115
    sys.__stdout__ = sys.__stderr__ = terminal  # type: ignore[misc]
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)
    try:
        yield
    finally:
        for descriptor, original in enumerate(saved, start=1):
            os.dup2(original, descriptor)
            os.close(original)
        sys.__stdout__, sys.__stderr__ = originals  # type: ignore[misc]
        with suppress(OSError):
            terminal.close()  # A run that is left running must not keep the terminal open.


def _open_output_log() -> int:
    """A descriptor of output.log; of nothing where the disk takes no file, and the laboratory opens all the same."""
    with suppress(OSError):
        return os.open(log_folder() / "output.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


@contextmanager
def signals(app: "App[ExitState]", exit_state: ExitState, runner: Runner, request: "LabRequest") -> Iterator[None]:
    """Installs handlers: SIGTERM and SIGINT stop the run, save and end; SIGHUP does what the setting says.

    They are not of the event loop, so that they run while it waits for a terminal that nobody reads.
    """
    attributes = terminal_attributes()

    def end(code: int) -> None:
        exit_state.code = exit_state.code or code
        runner.send_request("stop") if runner.is_training else runner.detach()
        threading.Thread(target=_enforce, args=(exit_state.code, runner), daemon=True, name="enforce").start()
        _exit_soon(app, exit_state)

    def hang_up(*_: Any) -> None:
        if exit_state.hung_up:
            return
        exit_state.hung_up = True
        restore_attributes(attributes)  # It is still there if only the supervisor was killed.
        restore_terminal(_screen_descriptor())
        _forget_terminal()
        if request.settings.on_hangup == "stop" or not runner.is_training:
            end(129 if runner.is_training else 0)
        else:
            runner.send_request("unpause")  # Nobody could end a pause any more.
            _exit_soon(app, exit_state)

    handlers: dict[int, Callable[..., None]] = {
        signal.SIGTERM: lambda *_: end(143),
        signal.SIGINT: lambda *_: end(130),
        signal.SIGHUP: hang_up,
    }
    previous_handlers = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    hooks = threading.excepthook
    threading.excepthook = lambda failure: _report_crash(app, exit_state, failure)
    done = threading.Event()
    threading.Thread(target=_watch_terminal, args=(done, exit_state), daemon=True, name="terminal").start()
    try:
        yield
    finally:
        done.set()
        threading.excepthook = hooks
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)


def _exit_soon(app: "App[ExitState]", exit_state: ExitState) -> None:
    loop = getattr(app, "_loop", None)
    if loop is not None:
        with suppress(RuntimeError):  # The loop may have ended on its own.
            loop.call_soon_threadsafe(app.exit, exit_state)


def _enforce(code: int, runner: Runner) -> None:
    """Ends the process after the run is saved if the screen does not: its terminal may be frozen."""
    if runner.has_begun:
        runner.join()
    time.sleep(GRACE_SECONDS)
    restore_terminal(_screen_descriptor())
    os._exit(code)


def _watch_terminal(done: threading.Event, exit_state: ExitState) -> None:
    """Raises SIGHUP in this process when the terminal is closed, or the shell has it since the supervisor is gone."""
    parent = os.getppid()
    while not done.wait(HANGUP_PERIOD):
        if exit_state.hung_up:
            return
        if os.getppid() != parent or not has_terminal():
            os.kill(os.getpid(), signal.SIGHUP)
            return


def has_terminal() -> bool:
    """Whether the terminal that this process reads is still there."""
    try:
        os.tcgetpgrp(sys.__stdin__.fileno() if sys.__stdin__ else 0)
    except (OSError, termios.error):
        return False
    return True


def _screen_descriptor() -> int:
    """The descriptor of the terminal that the screen is drawn on."""
    return sys.__stderr__.fileno() if sys.__stderr__ else 2


def _forget_terminal() -> None:
    """Closes the terminal for this process: each read of a closed terminal returns at once, in an endless loop."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2, _screen_descriptor()):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _report_crash(app: "App[ExitState]", exit_state: ExitState, failure: threading.ExceptHookArgs) -> None:
    """Writes an exception of any thread to the log and exits with one sentence."""
    if isinstance(failure.exc_value, OSError) and not has_terminal():
        os.kill(os.getpid(), signal.SIGHUP)  # The thread that writes to the terminal has noticed before the signal.
        return
    details = "".join(traceback.format_exception(failure.exc_type, failure.exc_value, failure.exc_traceback))
    exit_state.failed = True
    exit_state.message = crash_message(f"{failure.exc_type.__name__}: {failure.exc_value}", details)
    _exit_soon(app, exit_state)


def crash_message(what: str, details: str) -> str:
    """One sentence for the user; the traceback goes to the log that it names."""
    return f"internal error: {clean_line(what, 300)}; {keep_traceback(details)}"


def finish(exit_state: ExitState, return_code: int | None, runner: Runner, report: "Report") -> int:
    """After the screen is closed: waits for a run that continues and prints where it is; returns the exit code."""
    runner.listener = None
    if not exit_state.hung_up and not has_terminal():
        os.kill(os.getpid(), signal.SIGHUP)  # The screen has noticed before the signal.
    if exit_state.hung_up:
        _forget_terminal()  # Closing the screen has opened it again.
    if exit_state.leave_running and not exit_state.hung_up:
        exit_state.hung_up = True  # The user wants it, so the handler need not react.
        runner.send_request("unpause")
        report.leave(_describe_run(runner))
    elif not exit_state.hung_up:
        if not exit_state.abort:
            runner.send_request("stop") if runner.is_training else runner.detach()
        _print_end(exit_state, runner)
    # A run that has not begun has nothing to save, so the process may end while it is loaded.
    if not exit_state.abort and (runner.has_begun or exit_state.hung_up or exit_state.leave_running):
        runner.join()
    if return_code and not exit_state.code and not exit_state.hung_up:
        return return_code
    if exit_state.code:
        return exit_state.code
    has_failed = runner.outcome is not None and runner.outcome.outcome in ("failed", "diverged")
    return 1 if exit_state.failed or has_failed else 130 if exit_state.abort else 0


def _describe_run(runner: Runner) -> str:
    name = runner.folder.name if runner.folder else ""
    then = ", and then what waits in the queue" if runner.has_queue else ""
    return f"the run keeps training{then}: {runner.folder}\nwatch it with: mnist-tui watch {name}"


def _print_end(exit_state: ExitState, runner: Runner) -> None:
    """Prints the error, if any, and where the run is."""
    if exit_state.message:
        print(f"mnist-tui: {exit_state.message}", file=sys.stderr)
    if not runner.has_begun or (not runner.is_training and runner.outcome is None):
        return
    if not exit_state.abort:
        runner.join()
    outcome = runner.outcome
    if outcome is not None and outcome.outcome in ("failed", "diverged"):
        print(f"mnist-tui: {outcome.outcome}: {outcome.message}", file=sys.stderr)
    if outcome is None or outcome.outcome in RESUMABLE:
        print(f"resume it with: mnist-tui resume {runner.folder}", file=sys.stderr)
    if runner.folder is not None:
        print(runner.folder)
