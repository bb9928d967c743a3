"""The text that `y` copies in the laboratory, by the pane that has the focus."""

from collections.abc import Sequence
from typing import NamedTuple

from mnist_tui.runs.events import EpochEnded, best_of
from mnist_tui.spec import presets, summary
from mnist_tui.spec.draft import Draft


class CopiedText(NamedTuple):
    """Lines for the clipboard, and what they are, as the notice says it."""

    lines: list[str]
    name: str


def text_of_pane(pane: str | None, draft: Draft, rows: Sequence[EpochEnded]) -> CopiedText | None:
    """The epochs, the layers or the recipe for their panes, else the layer table; None while that cannot be made."""
    spec = draft.result.spec
    if pane == "training" and rows:
        from mnist_tui.analysis.markdown import epoch_lines  # The first frame does not wait for it.

        best = best_of(list(rows))
        return CopiedText(epoch_lines(rows, best.epoch if best else None), "the epochs")
    if pane == "architecture":
        return CopiedText(draft.layers.splitlines(), "the layers")
    if spec is None:
        return None
    if pane == "recipe":
        return CopiedText(presets.as_toml(spec).splitlines(), "the recipe, as a preset")
    return CopiedText(summary.table(spec).splitlines(), "the layer table")
