"""Panes, and how they fold: all at once on a large terminal, two beside each other, one, or a single line."""

from typing import Literal

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

Fold = Literal["wide", "normal", "narrow", "tiny"]


def fold_for(width: int, height: int) -> Fold:
    """How a terminal of so many cells is used; no size is refused."""
    if width < 40 or height < 10:
        return "tiny"
    if width < 80:
        return "narrow"
    return "wide" if width >= 120 and height >= 34 else "normal"


class Pane(Vertical):
    """A part of the laboratory with a frame and a name; panes of one `group` take turns where there is less room."""

    def __init__(self, *children: Widget, name: str, title: str, key: str, group: Literal["do", "see"]) -> None:
        super().__init__(*children, id=name)
        self.title = title
        self.key = key
        """The function key that goes here."""
        self.group = group
        self.border_title = Content(title)
        self.border_subtitle = Content(key)

    def retitle(self, title: str) -> None:
        """Gives the pane another title, cut to what its frame has room for."""
        self.title = title
        self._show_title()

    def on_resize(self) -> None:
        self._show_title()

    def _show_title(self) -> None:
        room = max(0, self.size.width - 4)
        cut = self.title if cell_len(self.title) <= room else f"{self.title[: max(0, room - 1)]}~"
        self.border_title = Content(cut)

    def on_descendant_focus(self) -> None:
        self._emphasise()

    def on_descendant_blur(self) -> None:
        self._emphasise()

    def _emphasise(self) -> None:
        """Draws the frame of the pane that has the focus in another colour."""
        is_focused = self.screen.focused is not None and self in self.screen.focused.ancestors
        if is_focused != self.has_class("-focused"):
            # Not `:focus-within`, for which textual looks at the style of everything inside at every move of the focus.
            self.set_class(is_focused, "-focused", update=False)
            self.app.stylesheet.apply(self)


class PaneName(Static):
    """The name of a pane in the bar; a click goes there."""

    class Chosen(Message):
        """Somebody wants to see a pane."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, pane: Pane) -> None:
        super().__init__(Content(f"{pane.key.upper()} {pane.title} "))
        self.pane = str(pane.id)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Chosen(self.pane))


class PaneBar(Horizontal):
    """The names of all panes on one line, those in sight emphasised; only shown where panes take turns."""

    def __init__(self, panes: list[Pane]) -> None:
        super().__init__(id="pane-bar")
        self._panes = panes

    def compose(self) -> ComposeResult:
        for pane in self._panes:
            yield PaneName(pane)

    def show(self, visible: set[str]) -> None:
        """Emphasises the panes in sight."""
        for name in self.query(PaneName):
            name.set_class(name.pane in visible, "-visible")


class Folding:
    """Which panes are in sight: the last one asked for of each group, or of both where there is room for one."""

    def __init__(self, panes: list[Pane]) -> None:
        self.panes = {str(pane.id): pane for pane in panes}
        self.fold: Fold = "wide"
        self._current: dict[str, str] = {"do": "architecture", "see": "layers"}
        self._last = "layers"
        self.enlarged: str | None = None
        """The pane that has the whole screen."""

    def choose(self, pane: str) -> None:
        """Brings a pane in sight; one that had the whole screen gives it back."""
        self.enlarged = None
        self._last = pane
        self._current[self.panes[pane].group] = pane

    def visible(self) -> set[str]:
        """The panes that are in sight."""
        if self.enlarged is not None and self.fold != "tiny":
            return {self.enlarged}
        if self.fold == "wide":
            return set(self.panes)
        if self.fold == "normal":
            return set(self._current.values())
        return {self._last} if self.fold == "narrow" else set()

    def apply(self, fold: Fold) -> set[str]:
        """Shows what is in sight and hides the rest; columns without a pane in sight give their room away."""
        self.fold = fold
        visible = self.visible()
        for name, pane in self.panes.items():
            pane.display = name in visible
        for pane in self.panes.values():
            column = pane.parent
            if isinstance(column, Vertical):
                column.display = any(child.display for child in column.children)
        return visible
