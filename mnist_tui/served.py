"""Whether this process is a laboratory in a browser (`--serve`), which opens neither an editor nor a shell."""

import fcntl
import os
import termios
from contextlib import suppress

VARIABLE = "MNIST_TUI_SERVED"
"""Set to 1 by the server in the environment of the processes that it starts."""
NO_PROGRAMS = "a laboratory in the browser opens no other program: it could do whatever its owner can"


def is_served() -> bool:
    """Whether the server of `--serve` has started this process."""
    return os.environ.get(VARIABLE) == "1"


def take_terminal() -> None:
    """Makes standard input the controlling terminal, so that the process is hung up when the server closes it."""
    with suppress(OSError):  # It is already.
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
