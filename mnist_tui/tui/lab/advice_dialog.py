"""The coach's advice on the run that ended, in a dialog over the laboratory."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from mnist_tui.analysis.coach import rules
from mnist_tui.analysis.coach.evidence import Advice
from mnist_tui.text import clean_line
from mnist_tui.tui.advice_list import AdviceList
from mnist_tui.tui.dialogs import MessageDialog
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.repaint import Dialog


class AdviceDialog(Dialog[Advice]):
    """Returns the advice whose change is to be put into the lab."""

    AUTO_FOCUS = "AdviceList"
    BINDINGS: ClassVar[list[BindingType]] = with_ids([Binding("escape,q,ctrl+q", "dismiss", "Close")])

    def __init__(self, advice: Sequence[Advice], run: str) -> None:
        super().__init__()
        self._advice, self._run = advice, run

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(f"Advice on {clean_line(self._run, 100)}"), classes="dialog-title")
            yield AdviceList()
            yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self.app.size.height < 30, "-short")
        self.query_one(AdviceList).show(self._advice)

    @on(AdviceList.Chosen)
    def _choose(self, message: AdviceList.Chosen) -> None:
        if message.advice.settings is None:
            self.notify("this advice changes no single setting", markup=False)
        else:
            self.dismiss(message.advice)

    @on(AdviceList.ExplanationAsked)
    def _explain(self, message: AdviceList.ExplanationAsked) -> None:
        self.app.push_screen(MessageDialog("A rule of the coach", rules.explain(message.rule)))
