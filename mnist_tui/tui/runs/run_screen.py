"""One run, opened: its curves, epochs, layers, spec, environment, log and notes, one view at a time.

A run that another process trains is read again while it is shown.
"""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from mnist_tui.analysis import markdown
from mnist_tui.runs import columns
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.text import clean, clean_line, in_ascii
from mnist_tui.tui import clipboard
from mnist_tui.tui.background import WorkerScreen
from mnist_tui.tui.charts.chart import Chart
from mnist_tui.tui.help import Names, help_on
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.runs.run_actions import RunActions
from mnist_tui.tui.runs.run_views import PROSE, VIEWS, wrapped
from mnist_tui.tui.runs.saved_curves import SavedCurves, SavedZoom
from mnist_tui.tui.runs.selection import RunSelection
from mnist_tui.tui.status import Headline
from mnist_tui.tui.view_bar import ViewBar

CURVES = "Curves"
"""The view that is no text."""
POLL_SECONDS = 2.0
"""Between two looks at a run that is being trained."""
HELP_NAMES: Names = {VerticalScroll: "View"}
OF_RUN = ("notes", "tags", "use", "resume", "extend")
"""Actions that a run may not allow."""


class RunScreen(WorkerScreen):
    """The views of a run, or of the seeds of one recipe."""

    AUTO_FOCUS = "VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            # Before the text's own, which would scroll wide lines.
            Binding("right,l,tab", "view(1)", "View", key_display="left/right", priority=True),
            Binding("left,h,shift+tab", "view(-1)", "View before", show=False, priority=True),
            Binding(
                "z", "zoom", "Zoom", tooltip="the curves on the whole screen, with a cursor that reads exact values"
            ),
            Binding("y", "copy", "Copy", tooltip="this view, to the clipboard; the epochs as a Markdown table"),
            Binding(
                "greater_than_sign,shift+right",
                "scroll_sideways(1)",
                "Sideways",
                key_display="< >",
                tooltip="to the rest of lines that are wider than the screen",
            ),
            Binding("less_than_sign,shift+left", "scroll_sideways(-1)", "Sideways back", show=False),
            Binding("n", "notes", "Notes", tooltip="Target, Result, Analysis; F4 there opens your editor"),
            Binding("number_sign", "tags", "Tags", show=False),
            Binding("u", "use", "Use settings", tooltip="into the lab"),
            Binding("r", "resume", "Resume", tooltip="an interrupted, stopped or failed run"),
            Binding("x", "extend", "Extend", show=False, tooltip="by so many epochs, in a new folder"),
            Binding("question_mark,f1", "help", "Help"),
            Binding("escape,q,ctrl+q", "dismiss", "Back"),
        ]
    )

    def __init__(self, group: Sequence[Run], selection: RunSelection, ascii_only: bool) -> None:
        super().__init__()
        self.runs, self.selection, self.ascii_only = group, selection, ascii_only
        self._actions = RunActions(self, selection, lambda: self.runs, self._read_changed, None, ascii_only)
        self.view = CURVES
        self._curves = SavedCurves()
        self._zoom: SavedZoom | None = None
        """The enlarged curves that were opened last."""
        self._text = ""
        """What the view of text shows."""

    @property
    def run(self) -> Run:
        """The run; of several seeds the first."""
        return self.runs[0]

    def compose(self) -> ComposeResult:
        yield Headline("runs", self.ascii_only)
        yield ViewBar((CURVES, *VIEWS))
        with Vertical(id="view-curves"):
            yield Chart("accuracy", self.ascii_only, "run-accuracy")
            yield Chart("loss", self.ascii_only, "run-loss", log_y=True)
        with VerticalScroll(id="view-text"):
            yield Static(id="view-lines")
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self.ascii_only, "-ascii")
        self._show()
        self._read_curves()
        self.set_interval(POLL_SECONDS, self._read_again)

    def on_resize(self) -> None:
        self._show_headline()
        self.call_after_refresh(self._show_text)

    def is_useful(self, action: str) -> bool:
        if action in OF_RUN:
            return self._actions.is_allowed(action)
        return not action.startswith("scroll_sideways") or self.query_one("#view-text").max_scroll_x > 0

    # --- reading ---

    def _read_again(self) -> None:
        """Reads a run that is being trained again, to show its new epochs."""
        if self in self.app.screen_stack and any(run.state == "training" for run in self.runs):
            self.submit("runs", lambda: list(map(_read_if_training, self.runs)), self._use_runs)

    def _use_runs(self, runs: list[Run] | None, error: str | None) -> None:
        if runs is not None and _progress(runs) != _progress(self.runs):
            self._show_runs(runs)

    def _read_changed(self) -> None:
        """Reads the runs again whose notes or tags were edited."""
        self.submit("changed", lambda: list(map(_read, self.runs)), self._show_changed)

    def _show_changed(self, runs: list[Run] | None, error: str | None) -> None:
        if runs is None:
            self.notify(error or "the run cannot be read", severity="warning", markup=False)
        else:
            self._show_runs(runs)

    def _show_runs(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        self._show_headline()
        self._read_curves()
        if self.view != CURVES:
            self._read_view()

    def _read_curves(self) -> None:
        self.submit("draw", lambda: SavedCurves.read(self.runs), self._draw)

    def _show_headline(self) -> None:
        run = self.run
        parts = [
            f"{run.name}, {columns.seed_words(self.runs)}",
            f"best {columns.column('best').of(self.runs)}",
            "" if run.is_imported else run.state,
            columns.data_words(run),
            f"target {run.target_verdict}" if run.target_verdict and len(self.runs) == 1 else "",
            "" if run.parameters is None else f"{run.parameters:,} params",
            " ".join(f"#{tag}" for tag in run.tags),
            run.id if len(self.runs) == 1 else "",
        ]
        self.query_one(Headline).show([clean_line(part, 100) for part in parts if part])

    def _draw(self, curves: SavedCurves | None, error: str | None) -> None:
        if curves is None:
            self.notify(error or "the curves cannot be read", severity="warning", markup=False)
            return
        self._curves = curves
        for chart in self.query(Chart):
            chart.show(partial(curves.picture, chart.metric))
        if self._zoom is not None:
            self._zoom.show(curves)

    # --- views ---

    def action_view(self, steps: int) -> None:
        """The next view, or the one before."""
        names = [CURVES, *VIEWS]
        self.view = names[(names.index(self.view) + steps) % len(names)]
        self._show()

    @on(ViewBar.Chosen)
    def _choose(self, message: ViewBar.Chosen) -> None:
        self.view = message.view
        self._show()

    def _show(self) -> None:
        self.query_one(ViewBar).show(self.view)
        is_text = self.view != CURVES
        self.query_one("#view-text").display = is_text
        self.query_one("#view-curves").display = not is_text
        if is_text:
            self._put("", None)
            self.query_one("#view-text").scroll_home(animate=False)
            self._read_view()
            self.query_one("#view-text").focus()

    def _read_view(self) -> None:
        make = VIEWS[self.view]
        self.submit("view", lambda: make(self.run, self._all_runs()), partial(self._put_late, self.view))

    def _all_runs(self) -> list[Run]:
        """All the runs; the laboratory opens a run before they were read."""
        if not self.selection.beside(self.run):
            self.selection.refresh()
        return self.selection.beside(self.run)

    def _put_late(self, view: str, text: str | None, error: str | None) -> None:
        if view == self.view:
            self._put(text, error)

    def _put(self, text: str | None, error: str | None) -> None:
        self._text = clean(text.expandtabs(4), 2_000_000) if text is not None else f"! {error}"
        self._show_text()

    def _show_text(self) -> None:
        """Shows the text, prose in lines as wide as the screen."""
        text = in_ascii(self._text) if self.ascii_only else self._text
        if self.view in PROSE:
            text = wrapped(text, self.query_one("#view-text").scrollable_content_region.width)
        self.query_one("#view-lines", Static).update(Text(text, no_wrap=True))
        self.call_after_refresh(self.refresh_bindings)

    def action_copy(self) -> None:
        """Copies what the view shows; the epochs as a Markdown table."""
        run = f"{self.run.name}, {columns.seed_words([self.run])}"
        if self.view in (CURVES, "Epochs"):
            lines = markdown.epoch_lines(self.run.rows, self.run.best_epoch)
            clipboard.copy(self, lines, f"epochs of {run}, as Markdown")
        else:
            clipboard.copy(self, self._text.splitlines(), f"{self.view.lower()} of {run}")

    def action_scroll_sideways(self, halves: int) -> None:
        """Scrolls by half the width of the screen."""
        self.query_one("#view-text").scroll_relative(x=halves * self.size.width // 2, animate=False)

    def action_zoom(self) -> None:
        """The curves on the whole screen."""
        self._open_zoom(Chart.Zoom("accuracy"))

    @on(Chart.Zoom)
    def _open_zoom(self, event: Chart.Zoom) -> None:
        self._zoom = SavedZoom(self._curves, self.run.id, event.metric, self.ascii_only)
        self.app.push_screen(self._zoom.screen)

    def action_notes(self) -> None:
        self._actions.edit_notes()

    def action_tags(self) -> None:
        self._actions.edit_tags()

    def action_use(self) -> None:
        self._actions.use_settings()

    def action_resume(self) -> None:
        self._actions.resume()

    def action_extend(self) -> None:
        self._actions.extend()

    def action_help(self) -> None:
        """Every key that works where the focus is."""
        self.app.push_screen(help_on(self, "Run", HELP_NAMES))


def _read_if_training(run: Run) -> Run:
    """A run as it stands: from the folder, if it was being trained when it was read last."""
    return _read(run) if run.state == "training" else run


def _read(run: Run) -> Run:
    """A run from its folder, with its epochs."""
    newer = read_run(run.folder)
    _ = newer.rows  # Read here, in the worker.
    return newer


def _progress(runs: Sequence[Run]) -> list[tuple[str, int]]:
    """What changes while runs are trained."""
    return [(run.state, len(run.rows)) for run in runs]
