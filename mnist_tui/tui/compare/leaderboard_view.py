"""The view of Compare that ranks recipes: a plot of accuracy over parameters, and the table of all of them."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.geometry import Region
from textual.widgets import Static

from mnist_tui.analysis import leaderboard_scale as scale
from mnist_tui.analysis import leaderboard_text
from mnist_tui.analysis.leaderboard import Entry, Leaderboard
from mnist_tui.text import in_ascii
from mnist_tui.tui.compare.front_plot import COLOURS, FrontPlot
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.themes import style_of


class LeaderboardView(Vertical):
    """The plot with its cursor, what is under the cursor, and the table."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("left,h", "select(-1)", "Recipe", key_display="left/right", tooltip="by parameters"),
            Binding("right,l", "select(1)", "Recipe after", show=False),
            Binding("p", "published", "Published", tooltip="shows the figures that authors published, or hides them"),
        ]
    )

    def __init__(self, ascii_only: bool) -> None:
        super().__init__(id="board")
        self._ascii_only = ascii_only
        self.board: Leaderboard | None = None
        self._has_published = True

    def compose(self) -> ComposeResult:
        with Vertical(id="board-plot"):
            yield Static(id="board-legend")
            yield FrontPlot(self._ascii_only)
        with VerticalScroll(id="board-report"):
            yield Static(id="board-text")
            yield Static(id="board-notes")

    def show(self, board: Leaderboard | None, note: str = "") -> None:
        """Draws a leaderboard; without one says `note`, and what was drawn stays."""
        if board is None:
            self._update("#board-notes", Text(note))
            return
        self.board = board
        self._draw()

    def _draw(self) -> None:
        if self.board is not None:
            self.query_one(FrontPlot).show(self.board, self._has_published)
            self._show_words()

    @on(FrontPlot.Selected)
    def _show_words(self) -> None:
        if self.board is not None:
            entry = self.query_one(FrontPlot).entry
            self._update("#board-legend", self._legend(self.board, entry))
            self._update("#board-text", self._table(self.board, entry))
            self._update("#board-notes", Text("\n".join(["", *leaderboard_text.sentences(self.board)])))
            if entry is not None:  # Its line is below the heading.
                line = Region(0, 1 + self.board.entries.index(entry), 1, 1)
                self.query_one("#board-report").scroll_to_region(line, animate=False)

    def _update(self, place: str, text: Text) -> None:
        if self._ascii_only:
            text.plain = in_ascii(text.plain)  # It keeps its colours.
        self.query_one(place, Static).update(text)

    def _legend(self, board: Leaderboard, entry: Entry | None) -> Text:
        """The recipe under the cursor, and what the signs are."""
        text = Text(" ")
        if entry is not None:
            text.append(f"{leaderboard_text.entry_words(entry, board.targets)}\n ", "bold")
        for kind in scale.kinds(board, self._has_published):
            sign = scale.SIGNS[kind][self._ascii_only]
            text.append(f"{sign} {scale.NAMES[kind]}  ", style_of(COLOURS[kind], self.app.theme_variables))
        return text

    def _table(self, board: Leaderboard, entry: Entry | None) -> Text:
        """Every recipe, that under the cursor emphasised."""
        if not board.entries:
            return Text()
        heading, *lines = leaderboard_text.table_lines(leaderboard_text.rows(board), leaderboard_text.IS_RIGHT)
        text = Text(no_wrap=True).append(heading, "underline")
        for each, line in zip(board.entries, lines, strict=True):
            text.append(f"\n{line}", "reverse" if each is entry else "")
        return text

    def action_select(self, steps: int) -> None:
        """Moves the cursor to a recipe with more parameters, or with fewer."""
        self.query_one(FrontPlot).move(steps)

    def action_published(self) -> None:
        """Shows the published figures, or hides them."""
        self._has_published = not self._has_published
        self._draw()
