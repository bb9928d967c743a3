"""What a keyboard sends for a key, as textual's own parser of terminal input reads it."""

from functools import cache

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import XTermParser


@cache
def _sequences() -> dict[str, str]:
    """The bytes of every key that a terminal can send, by the key's name."""
    printable = [chr(code) for code in range(32, 127)]
    found: dict[str, str] = {"escape": "\x1b"}
    for sequence in (*printable, *ANSI_SEQUENCES_KEYS):
        keys = [event.key for event in XTermParser().feed(sequence) if isinstance(event, events.Key)]
        if len(keys) == 1:
            found.setdefault(keys[0], sequence)
    return found


def sequence_of(key: str) -> str | None:
    """What a terminal sends for a key; None where no keyboard sends it under this name."""
    return _sequences().get(key)
