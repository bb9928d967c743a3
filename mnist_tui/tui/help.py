"""Help for the focused pane, made from the bindings themselves: what dispatches the keys also explains them."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widgets import Static

ADVICE = """\
Shift and drag selects text. Everything here works headless too: mnist-tui --help.
A closed terminal does not end a run; tmux or screen keep the laboratory itself.
"""


UNTOLD = frozenset({"scroll_left", "scroll_right", "page_left", "page_right", "copy_text"})
"""What every textual widget has and nobody looks for."""


def sections(active: dict[str, ActiveBinding], names: dict[str, str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The bindings by the widget that they belong to: its name, then each key with what it does.

    `names` tells what a widget's class is called on the screen; widgets keep the order in which they are asked.
    """
    found: dict[str, dict[str, tuple[list[str], str]]] = {}
    for active_binding in active.values():
        binding, node = active_binding.binding, active_binding.node
        if not binding.description or binding.action.rpartition(".")[2] in UNTOLD:
            continue
        actions = found.setdefault(_owner(node, names), {})
        keys, _ = actions.setdefault(binding.action, ([], _words(binding)))
        keys.append(_key(binding))
    return [(owner, [(", ".join(keys), words) for keys, words in actions.values()]) for owner, actions in found.items()]


def _owner(node: DOMNode, names: dict[str, str]) -> str:
    for kind in type(node).__mro__:
        if kind.__name__ in names:
            return names[kind.__name__]
    return type(node).__name__


def _words(binding: Binding) -> str:
    return f"{binding.description}: {binding.tooltip}" if binding.tooltip else binding.description


def _key(binding: Binding) -> str:
    named = {"question_mark": "?", "full_stop": ".", "escape": "esc", "plus": "+", "minus": "-", "slash": "/"}
    return binding.key_display or named.get(binding.key, binding.key.replace("ctrl+", "^"))


class HelpScreen(ModalScreen[None]):
    """Every key that works where the focus is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,f1,question_mark", "dismiss", "Close")]

    def __init__(self, parts: list[tuple[str, list[tuple[str, str]]]]) -> None:
        super().__init__()
        self._parts = parts

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog -large"):
            yield Static(Content("Keys, where the focus is"), classes="dialog-title")
            yield Static(self._table())
            yield Static(Content(ADVICE), classes="dialog-hint")

    def _table(self) -> Text:
        text = Text()
        for owner, rows in self._parts:
            text.append(f"\n{owner}\n", "bold")
            for keys, words in rows:
                text.append(f"  {keys:<18}", "reverse" if not keys else "")
                text.append(f" {words}\n")
        return text
