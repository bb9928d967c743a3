"""The bottom line: the keys that work where the focus is; help and the way out are always shown.

Below a dialog it is empty, since those keys do not work then; the dialog shows its own.
"""

from itertools import accumulate
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.events import Click
from textual.keys import key_to_character
from textual.screen import Screen
from textual.widget import Widget

from mnist_tui.tui.keys import key_label
from mnist_tui.tui.repaint import LeanScreen

ALWAYS = ("help", "leave", "dismiss")
"""Actions at the right end, which always have room: help, and how to quit or to close this screen."""
GAP = 2
"""Cells between two keys."""


class ShownKey(NamedTuple):
    """A key in the line."""

    key: str
    """Textual's name of the key."""
    label: str
    description: str
    action: str

    @property
    def width(self) -> int:
        """Cells, without the gap."""
        return len(self.label) + 1 + len(self.description)


class KeyBar(Widget):
    """One line of text; a click on a key presses it.

    Textual's `Footer` has a widget for every key and mounts them anew, with a layout of the screen, whenever the focus
    moves.
    """

    DEFAULT_CSS = "KeyBar { height: 1; dock: bottom; background: $panel; color: $foreground; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[ShownKey] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._update)

    def _update(self, screen: Screen[object]) -> None:
        keys = active_keys(screen) if screen.is_active else []
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def split_keys(self) -> tuple[list[ShownKey], list[ShownKey]]:
        """The keys at the left, as many as fit, and those at the right."""
        right = [key for action in ALWAYS for key in self._keys if key.action == action]
        room = self.size.width - 1 - sum(key.width + GAP for key in right)
        others = [key for key in self._keys if key.action not in ALWAYS]
        ends = accumulate(key.width + GAP for key in others)
        return [key for key, end in zip(others, ends, strict=True) if end <= room], right

    def render(self) -> Text:
        left, right = self.split_keys()
        text = Text(" ", no_wrap=True, overflow="crop")
        for key in left:
            _append(text, key)
        text.append(" " * (self.size.width - text.cell_len - sum(key.width + GAP for key in right)))
        for key in right:
            _append(text, key)
        return text

    def on_click(self, event: Click) -> None:
        if (key := self.key_at(event.x)) is not None:
            self.app.simulate_key(key)

    def key_at(self, x: int) -> str | None:
        """The key at a column; None between two keys."""
        left, right = self.split_keys()
        for keys, at in ((left, 1), (right, self.size.width - sum(key.width + GAP for key in right))):
            for key in keys:
                if at <= x < at + key.width:
                    return key.key
                at += key.width + GAP
        return None


def _append(text: Text, key: ShownKey) -> None:
    text.append(key.label, "bold")
    text.append(f" {key.description}{' ' * GAP}")


def active_keys(screen: Screen[object]) -> list[ShownKey]:
    """The keys to show for the current focus, each action once.

    Letters are left out while a text field has the focus, since they are typed into it.
    """
    keys: dict[tuple[int, str], ShownKey] = {}
    for node, binding, enabled, _ in screen.active_bindings.values():
        is_useful = not isinstance(screen, LeanScreen) or screen.is_useful(binding.action)
        if binding.show and enabled and is_useful and not _is_typed(screen.focused, binding.key):
            label = binding.key_display or key_label(binding.key)
            shown_key = ShownKey(binding.key, label, binding.description, binding.action)
            place = (id(node), binding.action)
            keys[place] = min(keys.get(place, shown_key), shown_key, key=_effort)
    return list(keys.values())


def _is_typed(focused: Widget | None, key: str) -> bool:
    """Whether the focused widget would insert a key as a character; textual does not know that `slash` is one."""
    label = key_label(key)
    return focused is not None and len(label) == 1 and focused.check_consume_key(key, label)


def _effort(key: ShownKey) -> tuple[bool, int]:
    """Smaller for a key that is easier to press: characters before other keys."""
    return key_to_character(key.key) is None, len(key.label)
