"""Copies texts to the clipboard of the terminal, by the sequence OSC 52, which works over SSH as well."""

from collections.abc import Sequence
from typing import Any

from textual.screen import Screen

from mnist_tui.text import clean, clean_line

SAFE_BYTES = 74_994
"""Longest text that tmux and many terminals accept: 100,000 bytes in base64."""


def copy(screen: Screen[Any], lines: Sequence[str], what: str) -> None:
    """Copies lines and shows a notice that names them `what`."""
    text = "\n".join(clean(line, len(line)) for line in lines).rstrip("\n") + "\n"
    screen.app.copy_to_clipboard(text)
    count = text.count("\n")
    said = f"copied {clean_line(what, 100)}: {count:,} line{'' if count == 1 else 's'}"
    if len(text.encode()) > SAFE_BYTES:
        said += "; many terminals take no text as long as this"
    screen.notify(said, timeout=3, markup=False)
