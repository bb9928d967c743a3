"""The coach's advice on a run as a list; Enter puts a suggested change into the lab."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from mnist_tui.analysis.coach.evidence import Advice
from mnist_tui.text import clean_line
from mnist_tui.tui.keys import with_ids

LINE_BREAK = "\n"
NO_ADVICE = "no rule has anything to say about this run"
OTHER_LAYERS = "other layers, shown in the lab"
"""Said instead of a setting of several lines."""


class AdviceList(OptionList):
    """What the rules say, most urgent first."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("enter,u", "select", "Try it", tooltip="puts the suggested change into the lab"),
            Binding("x", "explain", "Explain", tooltip="the reasoning of the rule, with its source"),
        ]
    )

    DEFAULT_CSS = """
    AdviceList { height: 1fr; min-width: 8; border: none; background: $surface; }
    AdviceList > .option-list--option-highlighted { color: $foreground; background: $primary 25%; text-style: none; }
    AdviceList:focus > .option-list--option-highlighted { background: $primary 25%; }
    """

    class Chosen(Message):
        """Request to put a suggestion into the lab."""

        def __init__(self, advice: Advice) -> None:
            super().__init__()
            self.advice = advice

    class ExplanationAsked(Message):
        """Request for the reasoning of a rule."""

        def __init__(self, rule: str) -> None:
            super().__init__()
            self.rule = rule

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._advice: Sequence[Advice] = ()

    def show(self, advice: Sequence[Advice], reason: str = "") -> None:
        """Shows other advice; `reason` says why there is none."""
        self._advice = advice
        self.clear_options()
        for number, one in enumerate(advice, start=1):
            self.add_option(Option(_text(number, one)))
        if advice:
            self.highlighted = 0
        else:
            self.add_option(Option(Text(reason), disabled=True))

    @property
    def current(self) -> Advice | None:
        """The advice under the cursor."""
        return self._advice[self.highlighted] if self._advice and self.highlighted is not None else None

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self.current is not None:
            self.post_message(self.Chosen(self.current))

    def action_explain(self) -> None:
        """Asks for the reasoning of the rule under the cursor."""
        if self.current is not None:
            self.post_message(self.ExplanationAsked(self.current.rule))


def _text(number: int, advice: Advice) -> Text:
    """The rule's name, what it saw, and what to do; the list wraps them."""
    text = Text(f"{number}  {advice.rule}\n", "bold")
    text.append(f"{clean_line(advice.sentence)}\n", "not bold")
    text.append(f"> {clean_line(advice.suggestion)}\n", "not bold italic")
    for path, value in (advice.settings or {}).items():
        setting = clean_line(value, 200) if LINE_BREAK not in value else OTHER_LAYERS
        text.append(f"  {path} = {setting}\n", "not bold dim")
    return text
