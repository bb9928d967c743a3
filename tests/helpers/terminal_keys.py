"""The bytes that a terminal sends for a key, by textual's own parser of terminal input."""

from functools import cache

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import XTermParser


@cache
def _sequences() -> dict[str, str]:
    """The bytes of every key that a terminal can send, by the key's name."""
    printable = [chr(code) for code in range(32, 127)]
    sequences: dict[str, str] = {"escape": "\x1b"}
    for sequence in (*printable, *ANSI_SEQUENCES_KEYS):
        keys = [event.key for event in XTermParser().feed(sequence) if isinstance(event, events.Key)]
        if len(keys) == 1:
            sequences.setdefault(keys[0], sequence)
    return sequences


def sequence_of(key: str) -> str | None:
    """The bytes that a terminal sends for a key; None for a name that textual's parser never produces."""
    return _sequences().get(key)
