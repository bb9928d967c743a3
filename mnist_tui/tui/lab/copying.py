"""The text that `y` copies in the laboratory, by the pane that has the focus."""

from collections.abc import Sequence
from typing import NamedTuple

from mnist_tui.runs.events import EpochEnded
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
        from mnist_tui.analysis.tables import epochs_as_markdown  # The first frame does not wait for it.

        return CopiedText(epochs_as_markdown(rows).splitlines(), "the epochs")
    if pane == "architecture":
        return CopiedText(draft.layers.splitlines(), "the layers")
    if spec is None:
        return None
    if pane == "recipe":
        return CopiedText(presets.as_toml(spec).splitlines(), "the recipe, as a preset")
    return CopiedText(summary.table(spec).splitlines(), "the layer table")
