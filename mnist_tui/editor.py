"""Opens a file in the user's editor, $VISUAL or $EDITOR."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from mnist_tui.errors import EditorError
from mnist_tui.served import NO_PROGRAMS, is_served


def edit(path: Path, terminal: TextIO | None = None) -> int:
    """Opens a file in the editor and waits until it is closed; the editor's exit code. Raises `EditorError`.

    The editor draws on `terminal`; without it, on standard output, which must be a terminal.
    """
    if is_served():
        raise EditorError(NO_PROGRAMS)
    if terminal is None and not has_terminal():
        raise EditorError(f"an editor needs a terminal, and this is none; edit {path} another way")
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        command = [*shlex.split(editor), str(path)]
        return subprocess.run(command, stdout=terminal, stderr=terminal, check=False).returncode
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise EditorError(f"the editor {editor!r} cannot be run: {why}; set EDITOR, or edit {path}") from None


def has_terminal() -> bool:
    """Whether standard input and output are a terminal."""
    try:
        return sys.stdin.isatty() and sys.stdout.isatty()
    except (AttributeError, ValueError):  # Closed, or none at all.
        return False
