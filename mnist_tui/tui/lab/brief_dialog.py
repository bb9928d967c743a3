"""The list of course briefs, with what each of their steps asks for and how far the runs are; Enter follows one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mnist_tui.text import cell_width, clean, clean_line, fitted
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.repaint import Dialog

NONE = "none (the target of the design)"
NO_BRIEF = "The budget card then shows the target of the design itself, which the preset brings with it."


MAX_WIDTH = 116
"""Cells of the dialog, where the screen has them; its frame and the bar at its right take 7."""


def lines_width(screen_width: int) -> int:
    """The cells of a line of text in the dialog."""
    return max(20, min(MAX_WIDTH, int(0.96 * screen_width)) - 7)


@dataclass(frozen=True)
class ListedBrief:
    """A brief in the list."""

    name: str
    """Its name, or its file."""
    title: str
    lines: Sequence[str]
    """Its steps and how far the runs are with them, or what is wrong with its file."""


class BriefList(OptionList):
    """The list, whose page keys scroll the text below it."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("enter", "select", "Follow", tooltip="the budget card shows its current step"),
            Binding("pagedown", "scroll_text(1)", "Text down"),
            Binding("pageup", "scroll_text(-1)", "Text up"),
        ]
    )

    class TextScrolled(Message):
        """Request to scroll the text by pages, up where they are negative."""

        def __init__(self, pages: int) -> None:
            super().__init__()
            self.pages = pages

    def action_scroll_text(self, pages: int) -> None:
        """Scrolls the text."""
        self.post_message(self.TextScrolled(pages))


class BriefDialog(Dialog[str]):
    """Returns the name of the brief to follow, "" for none."""

    AUTO_FOCUS = "BriefList"
    BINDINGS: ClassVar[list[BindingType]] = with_ids([Binding("escape,q,ctrl+q", "dismiss", "Close")])

    def __init__(self, briefs: Sequence[ListedBrief], chosen: str | None) -> None:
        super().__init__()
        self._briefs = [ListedBrief("", NONE, [NO_BRIEF]), *briefs]
        self._chosen = chosen or ""

    def compose(self) -> ComposeResult:
        width = max(cell_width(brief.name) for brief in self._briefs)
        lines = [f"{fitted(brief.name, width)}  {brief.title}" if brief.name else NONE for brief in self._briefs]
        with Vertical(classes="dialog"):
            yield Static(Content("Follow a course brief"), classes="dialog-title")
            yield BriefList(*(Option(Content(clean_line(line, 200))) for line in lines), compact=True)
            with VerticalScroll(can_focus=False):
                yield Static(id="brief-text")
            yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self.app.size.height < 30, "-short")
        names = [brief.name for brief in self._briefs]
        self.query_one(BriefList).highlighted = names.index(self._chosen) if self._chosen in names else 0

    @on(OptionList.OptionHighlighted)
    def _show_brief(self, event: OptionList.OptionHighlighted) -> None:
        lines = self._briefs[event.option_index].lines
        self.query_one("#brief-text", Static).update(Content(clean("\n".join(lines), 100_000)))
        self.query_one(VerticalScroll).scroll_home(animate=False)

    @on(OptionList.OptionSelected)
    def _follow(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._briefs[event.option_index].name)

    @on(BriefList.TextScrolled)
    def _scroll(self, event: BriefList.TextScrolled) -> None:
        text = self.query_one(VerticalScroll)
        text.scroll_page_down(animate=False) if event.pages > 0 else text.scroll_page_up(animate=False)
