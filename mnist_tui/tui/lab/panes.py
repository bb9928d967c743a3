"""The panes of the laboratory and how they fold: all at once on a large terminal, else two, one, or none."""

from collections.abc import Sequence
from typing import Literal, get_args

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

Fold = Literal["wide", "normal", "narrow", "tiny"]
"""How many panes are visible: all, one of each group, one, none."""


def fold_for(width: int, height: int) -> Fold:
    """The fold for a terminal of that many cells; no size is refused."""
    if width < 40 or height < 10:
        return "tiny"
    if width < 80:
        return "narrow"
    return "wide" if width >= 120 and height >= 34 else "normal"


def size_classes(width: int, height: int) -> dict[str, bool]:
    """The CSS classes of the screen that depend on its size in cells, and whether it has each."""
    fold = fold_for(width, height)
    folds = {f"-{name}": name == fold for name in get_args(Fold)}
    return {**folds, "-tall": height >= 50, "-short": height < 22, "-one-line": height < 2}


class Pane(Vertical):
    """A framed part of the laboratory; panes of one `group` take turns where there is little room."""

    def __init__(
        self, *children: Widget, name: str, title: str, key: str, group: Literal["do", "see"], ascii_only: bool = False
    ) -> None:
        super().__init__(*children, id=name)
        self.title = title
        self._mark = "~" if ascii_only else "…"
        self.key = key
        """The function key that shows and focuses the pane."""
        self.group = group
        self.border_title = Content(title)
        self.border_subtitle = Content(key)

    def retitle(self, title: str) -> None:
        """Changes the title; the frame shows as much of it as fits."""
        self.title = title
        self._show_title()

    def on_resize(self) -> None:
        self._show_title()

    def _show_title(self) -> None:
        room = max(0, self.size.width - 4)
        cut = self.title if cell_len(self.title) <= room else f"{self.title[: max(0, room - 1)]}{self._mark}"
        self.border_title = Content(cut)

    def first_focusable(self) -> Widget | None:
        """The first widget inside that can have the focus."""
        widgets = self.query("*").results(Widget)
        return next((widget for widget in widgets if widget.focusable and widget.display), None)

    def on_descendant_focus(self) -> None:
        self._show_focus()

    def on_descendant_blur(self) -> None:
        self._show_focus()

    def _show_focus(self) -> None:
        """Draws the frame in another colour while the focus is inside."""
        is_focused = self.has_focus_within
        if is_focused != self.has_class("-focused"):
            # Not `:focus-within`: for it textual restyles everything inside whenever the focus moves.
            self.set_class(is_focused, "-focused", update=False)
            self.app.stylesheet.apply(self)


class PaneName(Static):
    """The name of a pane in the bar; a click shows and focuses the pane."""

    class Selected(Message):
        """Posted when a name is clicked."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, pane: Pane) -> None:
        super().__init__(Content(f"{pane.key.upper()} {pane.title} "))
        self.pane = str(pane.id)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Selected(self.pane))


class PaneBar(Horizontal):
    """The names of all panes on one line, the visible ones highlighted; only shown where panes take turns."""

    def __init__(self, panes: Sequence[Pane]) -> None:
        super().__init__(id="pane-bar")
        self._panes = panes

    def compose(self) -> ComposeResult:
        for pane in self._panes:
            yield PaneName(pane)

    def show(self, visible: set[str]) -> None:
        """Highlights the names of the visible panes."""
        for name in self.query(PaneName):
            name.set_class(name.pane in visible, "-visible")


class Folding:
    """Which panes are visible: it depends on the fold, and on the pane of each group that was selected last."""

    def __init__(self, panes: Sequence[Pane]) -> None:
        self.panes = {str(pane.id): pane for pane in panes}
        self.enlarged: str | None = None
        """The pane that fills the screen."""
        self._fold: Fold = "wide"
        self._selected: dict[str, str] = {"do": "architecture", "see": "layers"}
        self._last_selected = "layers"

    def select(self, pane: str) -> None:
        """Makes a pane visible at the next `apply`; no pane is enlarged any more."""
        self.enlarged = None
        self._last_selected = pane
        self._selected[self.panes[pane].group] = pane

    def toggle_enlarged(self, pane: Pane | None) -> None:
        """Lets a pane fill the screen or, where one does, ends that."""
        self.enlarged = None if pane is None or self.enlarged is not None else str(pane.id)

    def visible(self) -> set[str]:
        """The names of the visible panes."""
        if self.enlarged is not None and self._fold != "tiny":
            return {self.enlarged}
        if self._fold == "wide":
            return set(self.panes)
        if self._fold == "normal":
            return set(self._selected.values())
        return {self._last_selected} if self._fold == "narrow" else set()

    def apply(self, fold: Fold) -> set[str]:
        """Shows the visible panes and hides the others, and columns without a visible pane; returns the visible."""
        self._fold = fold
        visible = self.visible()
        for name, pane in self.panes.items():
            pane.display = name in visible
        for column in {pane.parent for pane in self.panes.values()}:
            if isinstance(column, Vertical):
                column.display = any(child.display for child in column.children)
        return visible
