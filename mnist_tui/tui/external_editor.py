"""Opens the user's editor in place of the dashboard, which comes back when it is closed."""

import sys
from pathlib import Path

from textual.app import App

from mnist_tui.editor import edit
from mnist_tui.errors import EditorError
from mnist_tui.served import NO_PROGRAMS, is_served


def edit_suspended(app: App[object], path: Path) -> int:
    """Suspends the dashboard while the user edits a file; the editor's exit code.

    Raises `EditorError`, also in a browser, where no program is opened; and Textual's `SuspendNotSupported`.
    """
    if is_served():
        raise EditorError(NO_PROGRAMS)
    failure: EditorError | None = None
    code = 0
    with app.suspend():  # An exception in here would leave the dashboard suspended.
        try:
            code = edit(path, sys.__stderr__)  # Standard output is a log while the screen is up.
        except EditorError as error:
            failure = error
    if failure is not None:
        raise failure
    return code
