"""Terminal output as lines: progress bars leave the states that carriage returns and backspaces wrote over."""

import re

from mnist_tui.errors import LogError
from mnist_tui.import_logs.readings import Line
from mnist_tui.text import clean_line

MAX_LINES = 1_000_000
MAX_LINE = 2_000
"""Characters of a line that are read."""
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]{0,40}[ -/]{0,4}[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[@-Z\\^_=>])")
"""Colours and cursor moves (ECMA-48)."""
_REWRITTEN = re.compile(r"[\r\x08]+|(?<=it/s\])(?=.)|(?<=s/it\])(?=.)")
"""Where a bar is written over; and the end of tqdm's bar, behind which another stream may go on in the same line."""


def lines_of(text: str) -> list[Line]:
    """The lines that are not blank, with their numbers; raises `LogError` where they are too many."""
    lines: list[Line] = []
    for number, line in enumerate(text.split("\n"), start=1):
        for state in _REWRITTEN.split(_ESCAPES.sub("", line)):
            if state and not state.isspace():
                lines.append(Line(number, clean_line(state.replace("\t", " "), MAX_LINE)))
        if len(lines) > MAX_LINES:
            raise LogError(f"has more than {MAX_LINES:,} lines; cut out those of the training")
    return lines
