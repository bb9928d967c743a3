"""Abilities of the terminal, from the environment alone; and variables that textual reads when it is loaded."""

import locale
import os
import sys
from collections.abc import MutableMapping


def is_terminal() -> bool:
    """Whether input, output and errors are terminals: textual reads the first, and draws on the last."""
    try:
        return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):  # Closed, or none at all.
        return False


def is_dumb(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Whether it cannot move its cursor."""
    return environment.get("TERM", "dumb") in ("", "dumb")


def is_remote(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Whether it is at the other end of an SSH connection."""
    return bool(environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"))


def has_utf8() -> bool:
    """Whether it shows more than ASCII, by the locale."""
    # Not `getpreferredencoding`, which says UTF-8 in the locale C as well: there Python itself reads and writes so.
    return locale.getencoding().lower().replace("-", "") == "utf8"


def prepare(environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets variables that textual reads when it is loaded: no animations, fewer frames over SSH."""
    environment.setdefault("TEXTUAL_ANIMATIONS", "none")
    if is_remote(environment):
        environment.setdefault("TEXTUAL_FPS", "10")
    # NO_COLOR wins over what forces colours (no-color.org).
    if environment.get("NO_COLOR"):
        for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
            environment.pop(name, None)
