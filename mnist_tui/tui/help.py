"""Help on the keys that work where the focus is, made from the bindings."""

from collections.abc import Mapping
from textwrap import wrap
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Static

from mnist_tui.text import in_ascii
from mnist_tui.tui.keys import key_label, with_ids
from mnist_tui.tui.repaint import Dialog

ADVICE = """\
Shift and drag selects text. Everything here works headless too: mnist-tui --help.
A closed terminal does not end a run; tmux or screen keep the laboratory itself.
"""
SIGNS = (
    (">", "the preset that this design began from"),
    ("•", "a setting that differs from the preset"),
    ("~ + -", "a layer that was changed, added, removed"),
    ("*", "the best epoch; behind a published accuracy: not measured on the 10,000 test images"),
    ("!", "wrong; behind an epoch: the learning rate was changed by hand"),
)
"""What the signs on the screen mean."""
KEY_CELLS = 20
"""Cells of the keys of an action."""
FRAME_CELLS = 8
"""Cells of a line that frame, padding and scrollbar of the dialog take, which has 90 % of the width."""
LINE_CELLS = 70
"""Cells of a line, where the terminal is that wide."""

LEFT_OUT = frozenset({"scroll_left", "scroll_right", "page_left", "page_right", "copy_text"})
"""Actions of textual's widgets that the help leaves out."""


Names = Mapping[type[DOMNode], str]
"""The headings of the help, by the class of the widget that the keys belong to; subclasses have the same."""


def sections(active: dict[str, ActiveBinding], names: Names) -> list[tuple[str, list[tuple[str, str]]]]:
    """The bindings grouped by widget: its name, then each key with what it does.

    This program's own bindings, which have ids, come before textual's.
    """
    own: dict[str, dict[str, tuple[list[str], str]]] = {}
    general: dict[str, dict[str, tuple[list[str], str]]] = {}
    # What works everywhere comes after what works here.
    for active_binding in sorted(active.values(), key=lambda one: isinstance(one.node, App)):
        binding, node = active_binding.binding, active_binding.node
        if not binding.description or binding.action.rpartition(".")[2] in LEFT_OUT:
            continue
        owner = _owner(node, names)
        is_own = bool(binding.id) or isinstance(node, App)
        actions = own.setdefault(owner, {}) if is_own else general.setdefault(f"{owner}, as everywhere", {})
        keys, _ = actions.setdefault(binding.action, ([], _words(binding)))
        keys.append(binding.key_display or key_label(binding.key))
    return [
        (owner, [(", ".join(dict.fromkeys(keys)), words) for keys, words in actions.values()])
        for owner, actions in (own | general).items()
    ]


def help_on(screen: Screen[Any], heading: str, widgets: Names) -> "HelpScreen":
    """The help of a screen: its keys below `heading`, those of its `widgets` in this order, then textual's own."""
    names: Names = {type(screen): heading, **widgets, App: "Everywhere"}
    active = screen.active_bindings
    own = {key: each for key, each in active.items() if each.binding.id or each.node is screen.app}
    others = {key: each for key, each in active.items() if key not in own}
    order = list(names.values())
    parts = sections(own, names)
    parts.sort(key=lambda part: order.index(part[0]) if part[0] in order else len(order))
    moving = dict(row for _, rows in sections(others, names) for row in rows)
    return HelpScreen([*parts, ("Moving and scrolling", list(moving.items()))])


def _owner(node: DOMNode, names: Names) -> str:
    named = (names[node_class] for node_class in type(node).__mro__ if node_class in names)
    return next(named, type(node).__name__)


def _words(binding: Binding) -> str:
    return f"{binding.description}: {binding.tooltip}" if binding.tooltip else binding.description


class HelpScreen(Dialog[None]):
    """Every key that works where the focus is."""

    KEYS = "esc Close"
    BINDINGS: ClassVar[list[BindingType]] = with_ids([Binding("escape,q,f1,question_mark", "dismiss", "Close")])

    def __init__(self, parts: list[tuple[str, list[tuple[str, str]]]]) -> None:
        super().__init__()
        self._parts = parts

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog -large"):
            yield Static(Content("Keys, where the focus is"), classes="dialog-title")
            yield Static(self._table())
            yield Static(Content(ADVICE), classes="dialog-hint")

    def _table(self) -> Text:
        text, room = Text(), min(LINE_CELLS, 9 * self.app.size.width // 10 - FRAME_CELLS) - KEY_CELLS
        for title, rows in (*self._parts, ("Signs", SIGNS)):
            text.append(f"\n{title}\n", "bold")
            for keys, words in rows:
                lines = wrap(words, max(20, room))
                text.append(f"{f'  {keys} ':<{KEY_CELLS}}" + f"\n{'':<{KEY_CELLS}}".join(lines) + "\n")
        if self.app.has_class("-ascii"):
            text.plain = in_ascii(text.plain.replace("•", "*"))
        return text
