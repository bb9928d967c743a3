"""Details of the run under the cursor: facts, and its accuracy over the epochs."""

from collections.abc import Sequence
from functools import partial

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from mnist_tui.text import in_ascii
from mnist_tui.tui.charts.chart import Chart
from mnist_tui.tui.charts.plot import Picture
from mnist_tui.tui.runs.facts import RunFacts


class RunDetail(Container):
    """Facts and a chart, beside each other or one below the other."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__(id="run-detail")
        self._ascii_only = ascii_only
        self.facts: RunFacts | None = None
        """None for no row."""
        self._lines: Sequence[str] | None = None
        """The text in place of a run."""

    def compose(self) -> ComposeResult:
        yield Chart("accuracy", self._ascii_only, "run-curve")
        with VerticalScroll(id="run-text"):
            yield Static(id="run-facts")

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._draw())

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def show(self, facts: RunFacts | None, error: str | None = None) -> None:
        """Shows the facts of a row, or an error; None for no row."""
        if facts is None or self.facts is None or facts.group is not self.facts.group:
            self.query_one("#run-text").scroll_home(animate=False)
        self.facts, self._lines = facts, None
        is_run = facts is None or facts.group[0].is_run
        if self.has_class("-text") is is_run:  # A folder that is no run has no curve to leave room for.
            self.set_class(not is_run, "-text")
            self.call_after_refresh(self._draw, error)  # In lines of the other width.
        has_curve = facts is not None and facts.curves.has_epochs
        chart = self.query_one(Chart)
        chart.visible = has_curve
        chart.show(partial(facts.curves.picture, "accuracy") if facts and has_curve else Picture)
        self._draw(error)

    def show_lines(self, lines: Sequence[str] | None, error: str | None = None) -> None:
        """Shows other text in place of a run, or an error."""
        if lines != self._lines:
            self.query_one("#run-text").scroll_home(animate=False)
        self.facts, self._lines = None, lines
        self.set_class(True, "-text")
        self._draw(error)

    @property
    def text_width(self) -> int:
        """Cells of a line of text without a chart beside it; 0 while nothing is shown."""
        return max(0, self.scrollable_content_region.width - 1)  # One for the scrollbar.

    def _draw(self, error: str | None = None) -> None:
        place = self.query_one("#run-text")
        width = place.scrollable_content_region.width
        if self.facts:
            text = self.facts.text(width, self.app.theme_variables)
        else:
            text = Text(f"! {error}" if error else "\n".join(self._lines or ()))
        if self._ascii_only:
            text.plain = in_ascii(text.plain)  # It keeps its colours.
        self.query_one("#run-facts", Static).update(text)
