"""One run, opened: its curves, epochs, layers, spec, environment, log and notes, one view at a time."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from mnist_tui.analysis import markdown, tables
from mnist_tui.analysis.analysis_report import advice_lines
from mnist_tui.analysis.coach import rules
from mnist_tui.errors import FileError, StorageError
from mnist_tui.files import read_text
from mnist_tui.runs import annotations, columns
from mnist_tui.runs.events import finite
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets, summary
from mnist_tui.text import clean, clean_line, in_ascii
from mnist_tui.tui import clipboard
from mnist_tui.tui.background import WorkerScreen
from mnist_tui.tui.charts.chart import Chart
from mnist_tui.tui.charts.zoom import ZoomScreen
from mnist_tui.tui.help import Names, help_on
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.runs.saved_curves import SavedCurves
from mnist_tui.tui.runs.selection import RunSelection
from mnist_tui.tui.status import Headline
from mnist_tui.tui.view_bar import ViewBar

MAX_LOG = 2**20
CURVES = "Curves"
"""The view that is no text."""
HELP_NAMES: Names = {VerticalScroll: "View"}


class RunScreen(WorkerScreen):
    """The views of a run, or of the seeds of one recipe."""

    AUTO_FOCUS = "VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("right,l,tab", "view(1)", "View", key_display="left/right"),
            Binding("left,h,shift+tab", "view(-1)", "View before", show=False),
            Binding(
                "z", "zoom", "Zoom", tooltip="the curves on the whole screen, with a cursor that reads exact values"
            ),
            Binding("y", "copy", "Copy", tooltip="this view, to the clipboard; the epochs as a Markdown table"),
            Binding("question_mark,f1", "help", "Help"),
            Binding("escape,q,ctrl+q", "dismiss", "Back"),
        ]
    )

    def __init__(self, group: Sequence[Run], selection: RunSelection, ascii_only: bool) -> None:
        super().__init__()
        self.runs, self.selection, self.ascii_only = group, selection, ascii_only
        self.view = CURVES
        self._curves = SavedCurves()
        self._text = ""
        """What the view of text shows."""

    @property
    def run(self) -> Run:
        """The run; of several seeds the first."""
        return self.runs[0]

    def compose(self) -> ComposeResult:
        yield Headline("runs")
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
        self.submit("draw", lambda: SavedCurves.read(self.runs), self._draw)

    def on_resize(self) -> None:
        run = self.run
        parts = [
            f"{run.name}, {columns.seed_words(self.runs)}",
            f"best {columns.column('best').of(self.runs)}",
            "" if run.is_imported else run.state,
            columns.data_words(run),
            f"target {run.target_verdict}" if run.target_verdict and len(self.runs) == 1 else "",
            "" if run.parameters is None else f"{run.parameters:,} params",
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
            make = VIEWS[self.view]
            self._put("", None)
            self.submit("view", lambda: make(self.run, self._all_runs()), partial(self._put_late, self.view))
            self.query_one("#view-text").focus()

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
        view_text = in_ascii(self._text) if self.ascii_only else self._text
        self.query_one("#view-lines", Static).update(Text(view_text, no_wrap=True))
        self.query_one("#view-text").scroll_home(animate=False)

    def action_copy(self) -> None:
        """Copies what the view shows; the epochs as a Markdown table."""
        run = f"{self.run.name}, {columns.seed_words([self.run])}"
        if self.view in (CURVES, "Epochs"):
            lines = markdown.epoch_lines(self.run.rows, self.run.best_epoch)
            clipboard.copy(self, lines, f"epochs of {run}, as Markdown")
        else:
            clipboard.copy(self, self._text.splitlines(), f"{self.view.lower()} of {run}")

    def action_zoom(self) -> None:
        """The curves on the whole screen."""
        self._open_zoom(Chart.Zoom("accuracy"))

    @on(Chart.Zoom)
    def _open_zoom(self, event: Chart.Zoom) -> None:
        self.app.push_screen(ZoomScreen(self._curves.zoomed(self.run.id), event.metric, 0.0, self.ascii_only))

    def action_help(self) -> None:
        """Every key that works where the focus is."""
        self.app.push_screen(help_on(self, "Run", HELP_NAMES))


def _epochs(run: Run, runs: list[Run]) -> str:
    return "\n".join(tables.epoch_lines(run))


def _changes(run: Run, runs: list[Run]) -> str:
    return "\n".join(tables.changes(run, runs))


def _layers(run: Run, runs: list[Run]) -> str:
    return _missing("layers", run) if run.spec is None else summary.table(run.spec)


def _missing(what: str, run: Run) -> str:
    return f"an imported log holds no {what}" if run.is_imported else f"this version cannot read the {what} of this run"


def _spec(run: Run, runs: list[Run]) -> str:
    if run.is_imported:
        return _missing("recipe", run)
    return presets.as_toml(run.spec) if run.spec else _as_json(run.section("train"))


def _environment(run: Run, runs: list[Run]) -> str:
    known = {name: value for name, value in run.record.items() if name != "spec"}
    return _as_json(known)


def _as_json(values: Mapping[str, Any]) -> str:
    return json.dumps(finite(values), indent=2, allow_nan=False)  # run.json may come from another program.


def _log(run: Run, runs: list[Run]) -> str:
    try:
        log = read_text(run.folder / "run.log", MAX_LOG, follow=False)
    except FileError as error:
        log = "the log is empty" if error.is_missing else str(error)
    return f"{run.state}: {run.reason}\n\n{log}"


def _advice(run: Run, runs: list[Run]) -> str:
    if run.spec is None:
        return f"no advice: {_missing('settings', run)}"
    return "\n".join(advice_lines(rules.advise_on(run, runs)))


def _notes(run: Run, runs: list[Run]) -> str:
    try:
        return annotations.notes_text(run.folder)
    except StorageError as error:
        return str(error)


VIEWS: dict[str, Callable[[Run, list[Run]], str]] = {
    "Epochs": _epochs,
    "Changes": _changes,
    "Advice": _advice,
    "Layers": _layers,
    "Spec": _spec,
    "Environment": _environment,
    "Log": _log,
    "Notes": _notes,
}
"""What each view of text shows, made from the run and all the runs."""
