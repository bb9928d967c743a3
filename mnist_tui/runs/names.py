"""What run folders are called on the command line: by their whole names, or by the ends of their names. No I/O."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from mnist_tui.text import clean_line

MOST_NAMES = 5
"""Names that an error lists."""


def ends(name: str) -> Iterator[str]:
    """The ends of a name, each of which begins after a hyphen, the shortest first: `a17f`, `s0-a17f`, …"""
    parts = name.split("-")
    yield from ("-".join(parts[start:]) for start in range(len(parts) - 1, 0, -1))


def matching(named: str, names: Sequence[str]) -> list[str]:
    """The name itself, where there is one; else the names that end in it after a hyphen: `a17f`, `s0-a17f`."""
    return [name for name in names if name == named] or [name for name in names if named and name.endswith(f"-{named}")]


def of_design(design: str, names: Sequence[str]) -> list[str]:
    """The names of the runs of a design, which stands before the seed: `step1` in `…-step1-s0-a17f`."""
    return [name for name in names if re.search(rf"-{re.escape(design)}-s\d+-", name)] if design else []


def short_ids(names: Collection[str]) -> dict[str, str]:
    """For each name the shortest end that stands for it alone among all of them; the whole name where none does."""
    counts = Counter(end for name in names for end in ends(name))
    counts.update(names)  # A whole name goes before the end of another.
    return {name: next((end for end in ends(name) if end and counts[end] == 1), name) for name in names}


def name_list(names: Sequence[str]) -> str:
    """Names on one line, the last, newest ones first; of many those and how many more there are."""
    shown = [clean_line(name, 100) for name in sorted(names, reverse=True)[:MOST_NAMES]]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(names) > len(shown) else "")
