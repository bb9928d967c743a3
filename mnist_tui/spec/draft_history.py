"""Undo and redo in the laboratory: over layers, recipe, knobs and presets alike."""

from collections.abc import Mapping
from dataclasses import dataclass

from mnist_tui.spec.draft import Draft

MERGE_SECONDS = 1.5
"""Changes of one field that follow each other within this time are one step."""
MAX_STEPS = 1_000


@dataclass(frozen=True)
class Design:
    """The state of the laboratory that undo restores."""

    draft: Draft
    run_texts: Mapping[str, str]
    """The run's options as typed: device, dataset, seeds."""


class DesignHistory:
    """Designs in the order in which they were made, and the index of the current one."""

    def __init__(self, design: Design) -> None:
        self._designs = [design]
        self._names = [""]
        """For each design, the name of the change that led to it."""
        self._index = 0
        self._recorded_at = 0.0
        self._is_typing = False
        """Whether the newest step is typing that the next key may add to."""

    @property
    def current(self) -> Design:
        """The design on the screen."""
        return self._designs[self._index]

    def record(self, design: Design, name: str, seconds: float, is_typing: bool = False) -> None:
        """Adds a design made by the change `name` at the time `seconds`, and forgets the undone designs after it.

        Typing at one place is one step, as long as keys follow each other within `MERGE_SECONDS`.
        """
        is_soon = seconds - self._recorded_at < MERGE_SECONDS
        continues = is_typing and self._is_typing and is_soon and name == self._names[self._index]
        kept = self._index if continues else self._index + 1
        self._designs = [*self._designs[:kept], design][-MAX_STEPS:]
        self._names = [*self._names[:kept], name][-MAX_STEPS:]
        self._index = len(self._designs) - 1
        self._recorded_at, self._is_typing = seconds, is_typing

    def undo(self) -> str | None:
        """Goes one step back; the name of the change that is undone, None where there is none."""
        if self._index == 0:
            return None
        self._index -= 1
        self._is_typing = False
        return self._names[self._index + 1]

    def redo(self) -> str | None:
        """Goes one step forward again; the name of the change that is redone, None where nothing was undone."""
        if self._index + 1 == len(self._designs):
            return None
        self._index += 1
        self._is_typing = False
        return self._names[self._index]
