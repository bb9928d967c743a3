"""Compare: the curves of the rows marked in Runs, their differences, and whether noise could explain those.

And the leaderboard of all runs.
"""

from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.widgets import Static

from mnist_tui.analysis import leaderboard, markdown
from mnist_tui.analysis.comparison import MEASURES, Measure
from mnist_tui.analysis.leaderboard import Leaderboard
from mnist_tui.analysis.palette import colour, marker
from mnist_tui.runs import filters
from mnist_tui.text import clean_line, in_ascii
from mnist_tui.tui import clipboard
from mnist_tui.tui.background import WorkerScreen
from mnist_tui.tui.compare.leaderboard_view import LeaderboardView
from mnist_tui.tui.compare.overlay import COMPARED, Overlay, lines_of
from mnist_tui.tui.compare.report import report, sentences
from mnist_tui.tui.help import Names, help_on
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.report_dialog import ask_for_report
from mnist_tui.tui.runs.selection import RunSelection
from mnist_tui.tui.status import Headline
from mnist_tui.tui.view_bar import ViewBar

HELP_NAMES: Names = {LeaderboardView: "Leaderboard", VerticalScroll: "Report"}
CHROME_CELLS = 6
"""Cells of the report that frame, padding, scrollbar and a margin take."""
CURVES, LEADERBOARD = VIEWS = ("Curves", "Leaderboard")
OF_CURVES = ("move", "metric", "log", "differences", "base", "report", "unmark")
"""Actions that the leaderboard has no use for."""
EMPTY = """\
nothing is marked yet

2 shows the runs. There: space marks one, m puts the seeds of one recipe into one row, and 3 comes back here."""


class CompareScreen(WorkerScreen):
    """Curves, results per arm, differences, and what follows from them."""

    AUTO_FOCUS = "VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("tab", "view(1)", "View", tooltip="the curves of the marked rows, or the leaderboard of all runs"),
            Binding("shift+tab", "view(-1)", "View before", show=False),
            Binding(
                "left,h",
                "move(-1)",
                "Epoch",
                key_display="left/right",
                tooltip="reads all of them in one epoch",
            ),
            Binding("right,l", "move(1)", "Epoch after", show=False),
            Binding("n", "metric", "Curve", tooltip="accuracy, loss, train − test gap, learning rate, norms"),
            Binding("Y", "log", "Log y", show=False, tooltip="a logarithmic axis, or a linear one"),
            Binding(
                "m", "measure", "Measure", tooltip="judge by the best epoch, the last one, or the mean of the last"
            ),
            Binding("d", "differences", "All settings", tooltip="or only those that differ"),
            Binding("b", "base", "Baseline", tooltip="the next row becomes the one that the others are held against"),
            Binding("y", "copy", "Copy", tooltip="the comparison as Markdown, to the clipboard, also over SSH"),
            Binding("e", "report", "Report", tooltip="on the marked rows, as Markdown or HTML, to hand in"),
            Binding("S", "unmark", "Unmark all", show=False),
            Binding("question_mark,f1", "help", "Help"),
        ]
    )

    def __init__(self, selection: RunSelection, data_dir: Path | None, ascii_only: bool) -> None:
        super().__init__()
        self.selection, self.ascii_only = selection, ascii_only
        self._data_dir = data_dir
        self.measure: Measure = "best"
        self.what = next(iter(COMPARED))
        self.only_differences = True
        self.view = CURVES
        self._used_width = 0
        """The width that the report was made for."""

    def compose(self) -> ComposeResult:
        yield Headline("compare", self.ascii_only)
        yield ViewBar(VIEWS)
        with Container(id="compare"):
            with Vertical(id="compare-curves"):
                yield Static(id="compare-legend")
                yield Overlay(self.ascii_only)
            with VerticalScroll(id="compare-report"):
                yield Static(id="compare-text")
        yield LeaderboardView(self.ascii_only)
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self.ascii_only, "-ascii")
        self._show_view()

    def on_screen_resume(self) -> None:
        self.compute()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= 140, "-wide")

    @on(Overlay.Resized)  # The report beside it or below it has another size then, too.
    def _fit_report(self) -> None:
        """Makes the report again for another width; a scrollbar that comes or goes makes none."""
        if self._report_width != self._used_width:
            self.compute()

    def is_useful(self, action: str) -> bool:
        name = action.partition("(")[0]
        if name in ("help", "leave", "view"):
            return True
        if self.view == LEADERBOARD:
            return name not in OF_CURVES
        return bool(self.selection.colors)

    # --- views ---

    def action_view(self, steps: int) -> None:
        """The next view, or the one before."""
        self.view = VIEWS[(VIEWS.index(self.view) + steps) % len(VIEWS)]
        self._show_view()
        self.compute()

    @on(ViewBar.Chosen)
    def _choose_view(self, message: ViewBar.Chosen) -> None:
        self.view = message.view
        self._show_view()
        self.compute()

    def _show_view(self) -> None:
        self.query_one(ViewBar).show(self.view)
        self.query_one("#compare").display = self.view == CURVES
        self.query_one(LeaderboardView).display = self.view == LEADERBOARD
        self.query_one("#board-report" if self.view == LEADERBOARD else "#compare-report").focus()
        self.refresh_bindings()

    # --- computing in the background ---

    def compute(self) -> None:
        """Reads and compares the marked rows, or ranks all runs that the filter of Runs chooses."""
        if self.view == LEADERBOARD:
            self._rank()
            return
        arms = self.selection.arms()
        self.refresh_bindings()
        curves = [
            "Compare",
            f"{len(arms)} marked" if arms else "nothing is marked",
            f"judged by {MEASURES[self.measure]}",
        ]
        self.query_one(Headline).show(curves)
        if not arms:
            self._put((), Text(EMPTY))
            return
        if not self.query_one(Overlay).lines:
            self._update("#compare-text", Text("reading the marked runs", "dim"))
        width = self._used_width = self._report_width
        measure, what, only, tint = self.measure, self.what, self.only_differences, self._tint()

        def job() -> Any:
            return lines_of(arms, what), report(arms, measure, only, width, tint)

        self.submit("compare", job, self._show_result)

    @property
    def _report_width(self) -> int:
        """Cells of a line of the report, whether or not there is a scrollbar beside it."""
        return max(30, self.query_one("#compare-report").outer_size.width - CHROME_CELLS)

    def _rank(self) -> None:
        selection, words, measure = self.selection, self.selection.filter, self.measure
        parts = ["Compare", f"judged by {MEASURES[measure]}", clean_line(words and f"filter {words}", 100)]
        self.query_one(Headline).show([part for part in parts if part])
        if (view := self.query_one(LeaderboardView)).board is None:
            view.show(None, "reading the runs")

        def job() -> Leaderboard:
            selection.refresh()
            runs = filters.choose(selection.all, words)
            return leaderboard.make_leaderboard(runs, leaderboard.load_presets(), measure)

        self.submit("leaderboard", job, self._show_leaderboard)

    def _show_leaderboard(self, board: Leaderboard | None, error: str | None) -> None:
        self.query_one(LeaderboardView).show(board, f"! {error}")

    def _tint(self) -> Any:
        is_dark = self.app.current_theme.dark
        return lambda color: (marker(color, self.ascii_only), colour(color, is_dark))

    def _show_result(self, result: Any, error: str | None) -> None:
        self._put(*(result or ((), Text(f"! {error}"))))

    def _put(self, lines: Any, text: Text) -> None:
        self.query_one(Overlay).show(lines, self.what)
        self._update("#compare-text", text)
        self._show_legend()

    def _update(self, place: str, text: Text) -> None:
        if self.ascii_only:
            text.plain = in_ascii(text.plain)  # It keeps its colours.
        self.query_one(place, Static).update(text)

    @on(Overlay.Moved)
    def _show_legend(self) -> None:
        overlay = self.query_one(Overlay)
        width = self.query_one("#compare-legend").size.width
        self._update("#compare-legend", overlay.legend(width) if overlay.lines else Text(""))

    # --- keys ---

    def action_move(self, epochs: int) -> None:
        """Moves the cursor by an epoch."""
        self.query_one(Overlay).move(epochs)

    def action_metric(self) -> None:
        """The next curve."""
        names = list(COMPARED)
        self.what = names[(names.index(self.what) + 1) % len(names)]
        self.query_one(Overlay).log_y = self.what == "loss"
        self.compute()

    def action_log(self) -> None:
        """Switches between a logarithmic and a linear axis."""
        overlay = self.query_one(Overlay)
        overlay.log_y = not overlay.log_y and self.what != "gap"
        overlay.refresh()

    def action_measure(self) -> None:
        """Switches to the next accuracy to compare by."""
        measures = list(MEASURES)
        self.measure = measures[(measures.index(self.measure) + 1) % len(measures)]
        self.compute()

    def action_differences(self) -> None:
        """Shows all settings, or only those that differ."""
        self.only_differences = not self.only_differences
        self.compute()

    def action_base(self) -> None:
        """Makes the next arm the baseline."""
        if self.selection.colors:
            names = next(iter(self.selection.colors))
            self.selection.colors[names] = self.selection.colors.pop(names)
            self.compute()

    def action_unmark(self) -> None:
        """Removes every mark."""
        self.selection.colors.clear()
        self.compute()

    def action_copy(self) -> None:
        """Copies the comparison, or the leaderboard, as Markdown."""
        if self.view == LEADERBOARD:
            if (board := self.query_one(LeaderboardView).board) is not None:
                clipboard.copy(self, markdown.leaderboard_lines(board), "the leaderboard, as Markdown")
            return
        arms, measure = [arm for _, arm in self.selection.arms()], self.measure
        what = f"{' and '.join(arm.label for arm in arms)}, as Markdown"
        if arms:
            self.submit(
                "copy",
                lambda: markdown.comparison_lines(arms, sentences(arms, measure), measure),
                lambda lines, error: self._copy(lines, error, what),
            )

    def _copy(self, lines: list[str] | None, error: str | None, what: str) -> None:
        if lines is None:
            self.notify(f"not copied: {error}", severity="warning", markup=False)
        else:
            clipboard.copy(self, lines, what)

    def action_report(self) -> None:
        """Asks for a file, and writes a report on the marked rows there."""
        if runs := self.selection.marked_runs():
            ask_for_report(self, runs, self.selection.all, self._data_dir)

    def action_help(self) -> None:
        """Shows every key that works where the focus is."""
        self.app.push_screen(help_on(self, "Compare", HELP_NAMES))
