"""What differs between two designs, found by comparing them: layer by layer, setting by setting."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from mnist_tui.spec.layers import LayerRow

Kind = Literal["same", "changed", "added", "removed"]


@dataclass(frozen=True)
class Change:
    """A layer of one design beside its counterpart in the other."""

    kind: Kind
    row: LayerRow | None
    """In the new design; None where it was removed."""
    before: LayerRow | None
    """In the old design; None where it was added."""

    @property
    def parameters(self) -> int:
        """Parameters more (or, below 0, fewer) than before."""
        return (self.row.parameters if self.row else 0) - (self.before.parameters if self.before else 0)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds more (or, below 0, fewer) than before, per image."""
        return (self.row.multiply_adds if self.row else 0) - (self.before.multiply_adds if self.before else 0)

    @property
    def receptive_field_words(self) -> str:
        """`RF 6 → 10` where it changed; "" where it did not, and where the layer came or went."""
        if self.row is None or self.before is None or self.row.receptive_field == self.before.receptive_field:
            return ""
        return f"RF {max(self.before.receptive_field)} → {max(self.row.receptive_field)}"


def layer_changes(before: Sequence[LayerRow], after: Sequence[LayerRow]) -> list[Change]:
    """Every layer of both designs once, in order: those with equal text beside each other, the rest as edits."""
    texts = [[(row.type, row.arguments, row.depth) for row in rows] for rows in (before, after)]
    changes: list[Change] = []
    for tag, old, old_end, new, new_end in SequenceMatcher(a=texts[0], b=texts[1], autojunk=False).get_opcodes():
        if tag == "equal":
            changes += map(_same, before[old:old_end], after[new:new_end])
        else:
            changes += _edits(before[old:old_end], after[new:new_end])
    return changes


def _same(before: LayerRow, after: LayerRow) -> Change:
    # The same text may cost something else, since what arrives is another shape.
    return Change("same" if before.parameters == after.parameters else "changed", after, before)


def _edits(before: Sequence[LayerRow], after: Sequence[LayerRow]) -> list[Change]:
    """Layers of one type become changes of each other, in order; the others come and go."""
    changes: list[Change] = []
    waiting = list(before)
    for row in after:
        index = next((index for index, old in enumerate(waiting) if old.type == row.type), None)
        if index is None:
            changes.append(Change("added", row, None))
            continue
        changes += [Change("removed", None, old) for old in waiting[:index]]
        changes.append(Change("changed", row, waiting[index]))
        waiting = waiting[index + 1 :]
    return changes + [Change("removed", None, old) for old in waiting]
