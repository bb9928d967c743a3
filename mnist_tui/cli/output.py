"""Where commands that train print, stdout for data and stderr for messages; and the signals that stop them."""

import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TextIO

from mnist_tui.cli.formats import json_text
from mnist_tui.errors import ExitCode
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Notice
from mnist_tui.text import clean


class Output:
    """stdout for data, stderr for messages; a stream that cannot be written to any more is ignored."""

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.has_bar = sys.stderr.isatty() and not quiet and os.environ.get("TERM") != "dumb"
        self._bar_shown = False
        self.print_above: Callable[[str], None] | None = None
        """Prints a line above what is drawn at the bottom of the terminal; None where nothing is."""

    def data(self, text: str) -> None:
        """A line on stdout."""
        self._print(sys.stdout, clean(text, 1_000_000))

    def json(self, document: Any) -> None:
        """A JSON document as a line on stdout, whole whatever its length; JSON escapes what would drive a terminal."""
        self._print(sys.stdout, json_text(document))

    def talk(self, text: str, always: bool = False) -> None:
        """A line on stderr; with --quiet only if `always`."""
        if always or not self.quiet:
            self._print(sys.stderr, clean(text))

    def _print(self, stream: TextIO, line: str) -> None:
        self._clear_bar()
        if self.print_above and stream.isatty():
            self.print_above(line)
        else:
            _write(stream, line + "\n")

    def notice(self, notice: Notice) -> None:
        """A notice of a training on stderr, a warning in a frame."""
        if notice.is_warning:
            self.talk(_banner(notice.text), always=True)
        else:
            self.talk(notice.text)

    def bar(self, text: str) -> None:
        """The progress line, where stderr is a terminal."""
        if self.has_bar:
            _write(sys.stderr, "\r\x1b[2K" + clean(text))
            self._bar_shown = True

    def _clear_bar(self) -> None:
        if self._bar_shown:
            _write(sys.stderr, "\r\x1b[2K")
            self._bar_shown = False


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        # The terminal or the pipe is gone; the run folder has everything. Python must not flush it again at exit.
        nowhere = open(os.devnull, "w")  # noqa: SIM115  # open for the rest of the process
        if stream is sys.stdout:
            sys.stdout = nowhere
        else:
            sys.stderr = nowhere


def _banner(text: str) -> str:
    rule = "!" * 78
    return "\n".join([rule, *textwrap.wrap(text, 78), rule])


@dataclass
class Interruption:
    """The control of all runs of this process, and the signal that stopped them."""

    control: Control
    code: ExitCode | None = None


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Ctrl-C and SIGTERM set the stop event; a second Ctrl-C aborts; the run continues when the terminal is closed."""
    interruption = Interruption(Control())

    def stop(code: ExitCode) -> Callable[[int, Any], None]:
        def handle(signum: int, frame: Any) -> None:
            if interruption.code is not None and signum == signal.SIGINT:
                raise KeyboardInterrupt
            interruption.code = interruption.code or code
            interruption.control.stop()
            again = "; Ctrl-C again aborts" if signum == signal.SIGINT else ""
            with suppress(RuntimeError):  # Python refuses to write where the signal came in the middle of a write.
                _write(sys.stderr, f"\nstopping after this step{again}\n")

        return handle

    handlers: dict[int, Any] = {signal.SIGINT: stop(ExitCode.INTERRUPTED), signal.SIGTERM: stop(ExitCode.TERMINATED)}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = lambda signum, frame: None
    previous_handlers = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        yield interruption
    finally:
        for signum, handler in previous_handlers.items():
            signal.signal(signum, handler)
