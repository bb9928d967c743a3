"""A line with the names of a screen's views; a click opens one."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widgets import Static


class ViewName(Static):
    """The name of a view."""

    DEFAULT_CSS = """
    ViewName { width: auto; height: 1; color: $text-muted; }
    ViewName.-chosen { color: $foreground; background: $surface; text-style: bold; }
    """

    def __init__(self, view: str) -> None:
        super().__init__(Content(f" {view} "))
        self.view = view

    def on_click(self, event: Click) -> None:
        event.stop()
        self.post_message(ViewBar.Chosen(self.view))


class ViewBar(Horizontal):
    """The names of all views, the one that is shown emphasised."""

    DEFAULT_CSS = "ViewBar { height: 1; background: $panel; }"

    class Chosen(Message):
        """Request to open a view."""

        def __init__(self, view: str) -> None:
            super().__init__()
            self.view = view

    def __init__(self, views: Sequence[str]) -> None:
        super().__init__()
        self._views = views

    def compose(self) -> ComposeResult:
        for view in self._views:
            yield ViewName(view)

    def show(self, view: str) -> None:
        """Emphasises the view that is shown."""
        for name in self.query(ViewName):
            name.set_class(name.view == view, "-chosen")
