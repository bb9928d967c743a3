"""The differences of two layer tables, layer by layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from mnist_tui.spec.layers import LayerRow

Kind = Literal["same", "changed", "added", "removed"]


@dataclass(frozen=True)
class Change:
    """A layer of one network and its counterpart in the other."""

    kind: Kind
    row: LayerRow | None
    """In the new network; None where the layer was removed."""
    before: LayerRow | None
    """In the old network; None where the layer was added."""

    @property
    def parameters(self) -> int:
        """Parameters of the new layer less those of the old one."""
        return (self.row.parameters if self.row else 0) - (self.before.parameters if self.before else 0)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of the new layer less those of the old one, per image."""
        return (self.row.multiply_adds if self.row else 0) - (self.before.multiply_adds if self.before else 0)

    @property
    def receptive_field_words(self) -> str:
        """`RF 6 → 10` where the receptive field changed; "" where it did not, and for a layer added or removed."""
        if self.row is None or self.before is None or self.row.receptive_field == self.before.receptive_field:
            return ""
        return f"RF {max(self.before.receptive_field)} → {max(self.row.receptive_field)}"


def layer_changes(old_rows: Sequence[LayerRow], new_rows: Sequence[LayerRow]) -> list[Change]:
    """Every layer of both networks once, in order: layers with equal text as pairs, the others as edits."""
    texts = [[(row.type, row.arguments, row.depth) for row in rows] for rows in (old_rows, new_rows)]
    changes: list[Change] = []
    for tag, old, old_end, new, new_end in SequenceMatcher(a=texts[0], b=texts[1], autojunk=False).get_opcodes():
        if tag == "equal":
            changes += map(_pair, old_rows[old:old_end], new_rows[new:new_end])
        else:
            changes += _edits(old_rows[old:old_end], new_rows[new:new_end])
    return changes


def _pair(old: LayerRow, new: LayerRow) -> Change:
    # The same text may have another cost, where the input shape is another.
    return Change("same" if old.parameters == new.parameters else "changed", new, old)


def _edits(old_rows: Sequence[LayerRow], new_rows: Sequence[LayerRow]) -> list[Change]:
    """Layers of one type as changes of each other, in order; the others as added and removed."""
    changes: list[Change] = []
    waiting = list(old_rows)
    for row in new_rows:
        index = next((index for index, old in enumerate(waiting) if old.type == row.type), None)
        if index is None:
            changes.append(Change("added", row, None))
            continue
        changes += [Change("removed", None, old) for old in waiting[:index]]
        changes.append(Change("changed", row, waiting[index]))
        waiting = waiting[index + 1 :]
    return changes + [Change("removed", None, old) for old in waiting]
