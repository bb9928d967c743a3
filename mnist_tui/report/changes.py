"""What changed from one step of a report to the next, found by comparing what their runs recorded."""

from mnist_tui.analysis.comparison import Arm
from mnist_tui.analysis.run_diff import (
    Difference,
    change_words,
    differing,
    layer_differences,
    layer_words,
    provenance,
)
from mnist_tui.runs.record import Run
from mnist_tui.spec.catalog import CALLS
from mnist_tui.spec.summary import layer_counts
from mnist_tui.text import clean_line

MAX_ITEMS = 5
"""Changes that the table names."""
MAX_LAYERS = 2
"""Up to so many changed layers are named, more are counted."""
MAX_ITEM = 90
"""Characters of a change in the table."""
UNKNOWN = "not known: one of the two has no network that can be read"
"""Beside an imported log, and beside a run of another version."""
NOT_SET = ("data", "learning rate changed by hand")
"""What nobody set and the table names all the same, since it decides whether results can be compared."""


def changes(before: Arm, after: Arm) -> tuple[str, ...]:
    """Every change, a line each; () where the layers of one are not known.

    The seed counts where both are single runs.
    """
    if not (before.runs[0].layers and after.runs[0].layers):
        return ()
    lines = change_words(before.runs[0], after.runs[0], _with_seed(before, after))
    return tuple(clean_line(line, 300) for line in lines)


def summary(before: Arm, after: Arm) -> tuple[str, ...]:
    """The changes in a few words each, the layers first, at most `MAX_ITEMS` and how many more there are."""
    one, two = before.runs[0], after.runs[0]
    if not (one.layers and two.layers):
        return (UNKNOWN,)
    items = _layer_items(one, two)
    differences = differing([one, two], _with_seed(before, after))
    changed = {difference.name for difference in differences}
    unset = provenance(one).keys() | provenance(two).keys()
    items += [
        _words(difference)
        for difference in differences
        if not _is_of_new_call(difference.name, changed)
        and (difference.name not in unset or difference.name in NOT_SET)
    ]
    items = [clean_line(item, MAX_ITEM) for item in items]
    more = len(items) - MAX_ITEMS
    return tuple(items if more < 2 else [*items[:MAX_ITEMS], f"and {more} more"])


def _with_seed(before: Arm, after: Arm) -> bool:
    return len(before.runs) == len(after.runs) == 1


def _layer_items(before: Run, after: Run) -> list[str]:
    """The changed layers; of more than `MAX_LAYERS` how many there are more of each family, and how many changed."""
    changed = [change for change in layer_differences(before, after) if change.kind != "same"]
    if len(changed) <= MAX_LAYERS:
        return [layer_words(change) for change in changed]
    old, new = layer_counts(before.layers), layer_counts(after.layers)
    more = {family: new.get(family, 0) - old.get(family, 0) for family in old | new}
    parts = [_more(count, family) for family, count in more.items() if count]
    edited = sum(change.kind == "changed" for change in changed)
    parts += [f"{edited} changed"] if edited else []
    return [f"layers: {', '.join(parts) or f'{len(changed)} added, removed or moved'}"]


def _more(count: int, family: str) -> str:
    """`+2 convolutions`, `−1 pool`."""
    return f"{'+' if count > 0 else '−'}{abs(count)} {family if abs(count) > 1 else family.removesuffix('s')}"


def _is_of_new_call(name: str, changed: set[str]) -> bool:
    """Whether a setting is an argument of an optimizer, scheduler or loss that was replaced as a whole."""
    call, _, argument = name.partition(".")
    return call in CALLS and bool(argument) and call in changed


def _words(difference: Difference) -> str:
    old, new = difference.values
    return f"{difference.name}: {old} → {new}"
