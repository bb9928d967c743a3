"""Runs: every run folder as a row, and details of the one under the cursor; `RunActions` acts on it."""

import gc
from operator import is_not
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, OptionList, Static

from mnist_tui.errors import ColumnError, FilterError, SettingsError
from mnist_tui.runs import columns
from mnist_tui.runs.queue import Queue
from mnist_tui.runs.record import Run
from mnist_tui.settings import settings
from mnist_tui.sweep.open_sweeps import OpenSweeps
from mnist_tui.text import clean_line
from mnist_tui.tui.background import WorkerScreen
from mnist_tui.tui.charts.chart import Chart
from mnist_tui.tui.dialogs import MessageDialog
from mnist_tui.tui.help import Names, help_on
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.messages import OpenScreen
from mnist_tui.tui.runs.columns_dialog import ColumnsDialog
from mnist_tui.tui.runs.detail import RunDetail
from mnist_tui.tui.runs.facts import RunFacts
from mnist_tui.tui.runs.headline import headline_parts
from mnist_tui.tui.runs.queue_pane import QueuePane
from mnist_tui.tui.runs.queue_rows import details, read_rows
from mnist_tui.tui.runs.run_actions import RunActions
from mnist_tui.tui.runs.run_screen import RunScreen
from mnist_tui.tui.runs.selection import RunSelection
from mnist_tui.tui.runs.sort_dialog import SortDialog
from mnist_tui.tui.runs.table import MEASURED_ROWS, RunTable
from mnist_tui.tui.status import Headline
from mnist_tui.tui.text_field import TextField

SCAN_SECONDS = 1.0
"""Between two scans for folders that changed."""
WIDE = 176
"""From this width on the details are beside the table, which then still has room for its columns."""
TALL = 30
"""From this height on there is room for a curve."""
SHORT = 20
"""Below this height there is only the table."""
LEAST_ROWS = 8
"""Least height of the table, in rows."""
FACTS_SECONDS = 0.2
"""Time that the cursor must stay on a run before its nearest earlier run is searched."""
HELP_NAMES: Names = {RunTable: "Table of runs", QueuePane: "Queue", OptionList: "List", Input: "Filter"}
EMPTY = (
    "no run yet",
    "",
    "1 is the lab: t trains there",
    "without a screen: mnist-tui --batch iter5",
    "R shows the reference runs: presets as published",
)
OF_ROWS = ("sort", "group", "columns")
"""Actions that need a row."""
OF_RUN = ("open", "mark", "copy", "zoom", "use", "resume", "extend", "notes", "tags", "report", "export", "delete")
"""Actions that need a run under the cursor: a folder that cannot be read is none."""
NONE_CHOSEN = ("no run is chosen by the filter; esc shows all",)


class RunsScreen(WorkerScreen):
    """The table, its filter, and the run under the cursor."""

    AUTO_FOCUS = "RunTable"
    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("slash", "filter", "Filter", tooltip="conditions that must all hold; or, not, - and brackets"),
            Binding("comma", "sort", "Sort", tooltip="by a column of a list; a click on a heading does the same"),
            Binding("full_stop", "reverse", "Reverse", show=False, tooltip="the order of the rows"),
            Binding("m", "group", "Seeds", tooltip="the seeds of one recipe in one row, with mean and spread, or not"),
            Binding("y", "copy", "Copy", tooltip="the run as Markdown, to the clipboard, also over SSH"),
            Binding("z", "zoom", "Zoom", show=False, tooltip="its curves on the whole screen"),
            Binding("R", "reference", "Reference", show=False, tooltip="shows the presets as published, or hides them"),
            Binding("C", "columns", "Columns", tooltip="which ones, and in which order; kept in your config file"),
            Binding("S", "unmark", "Unmark all", show=False),
            Binding("u", "use", "Use settings", tooltip="into the lab"),
            Binding("r", "resume", "Resume", tooltip="an interrupted, stopped or failed run"),
            Binding("x", "extend", "Extend", show=False, tooltip="by so many epochs, in a new folder"),
            Binding("n", "notes", "Notes", tooltip="Target, Result, Analysis; F4 there opens your editor"),
            Binding("number_sign", "tags", "Tags"),
            Binding("e", "report", "Report", tooltip="on the marked rows, or on this one, as Markdown or HTML"),
            Binding("E", "export", "Export", show=False, tooltip="the folder, or as a .zip or .tar.gz"),
            Binding("delete,D", "delete", "Delete", show=False, tooltip="moves it to the trash"),
            Binding("U", "undelete", "Undo delete", show=False, tooltip="restores the run that was deleted last"),
            Binding("escape", "leave_filter", "Leave the filter", tooltip="its field, then what is typed in it"),
            Binding("question_mark,f1", "help", "Help"),
        ]
    )

    def __init__(self, selection: RunSelection, data_dir: Path | None, ascii_only: bool) -> None:
        super().__init__()
        self.selection, self.ascii_only = selection, ascii_only
        self._actions = RunActions(self, selection, lambda: self.table.group, self._scan, data_dir, ascii_only)
        self._queue, self._sweeps = Queue(selection.runs.runs_dir), OpenSweeps(selection.runs.runs_dir)
        self._is_read = self._is_read_ahead = False
        self._drawn: list[Run] = []
        """The runs that the table was made of."""
        self._facts_timer: Timer | None = None

    @property
    def table(self) -> RunTable:
        return self.query_one(RunTable)

    @property
    def run(self) -> Run | None:
        """The run under the cursor; of several seeds the first."""
        return self._actions.run

    def compose(self) -> ComposeResult:
        yield Headline("runs", self.ascii_only)
        hint = "/ filter: (iter* or v2) params<20000 acc>99.4 -tag:old"
        # If it selected its text with the focus, the next letter would replace what was typed before.
        yield TextField(self.selection.filter, hint=hint, is_selected=False)
        yield Static(id="filter-error")
        yield QueuePane(self._queue, self.ascii_only)
        with Container(id="runs"):
            yield RunTable(self.selection, self.ascii_only)
            yield RunDetail(self.ascii_only)
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self.ascii_only, "-ascii")
        self._scan()
        self.set_interval(SCAN_SECONDS, self._scan)

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        for name, holds in (("wide", width >= WIDE), ("short", height < TALL), ("flat", height < SHORT)):
            self.set_class(holds, f"-{name}")
        self.call_after_refresh(self._show_headline)

    def is_useful(self, action: str) -> bool:
        if action == "leave_filter":
            return bool(self.selection.filter) or self.query_one(Input).has_focus
        if action in OF_ROWS:
            return bool(self.table.rows)
        return action not in OF_RUN or self._actions.is_allowed(action)

    # --- reading ---

    def _scan(self) -> None:
        """Scans the folders in the background, while this mode is shown."""
        if self.app.screen_stack[:1] == [self]:  # There is no screen while the program ends.
            self.submit("scan", self._read, self._show_scan)
            self._look_at_queue()

    def _read(self) -> list[Run]:
        self.selection.refresh()
        runs = self.selection.all
        for run in runs:
            if run.state == "training":  # Read here, so that its curve stays on the screen meanwhile.
                _ = run.accuracies
        return runs

    def _show_scan(self, runs: list[Run] | None, error: str | None) -> None:
        # Another screen may have read the folders since: what it read is compared with what is drawn.
        is_new = runs is not None and (len(runs) != len(self._drawn) or any(map(is_not, runs, self._drawn)))
        if error or is_new or not self._is_read:
            self._is_read = True
            self._drawn = self.selection.all
            count = len(self._drawn)
            self.set_class(not count, "-empty")
            # With few runs the details get more room; a filter does not change that.
            self.table.styles.max_height = max(LEAST_ROWS, count) + 2
            self.refresh_rows(error or "")
            self._actions.update_zoom()
            self.submit("ahead", self.selection.read_ahead, self._on_read_ahead)
        else:
            self._show_headline()  # There may be no reference run to show.

    def _on_read_ahead(self, *_: object) -> None:
        """Excludes the runs from garbage collection: with ten thousand runs it would block keys for half a second."""
        if not self._is_read_ahead:
            gc.freeze()
            self._is_read_ahead = True
            self.refresh_rows()

    def refresh_rows(self, error: str = "") -> None:
        """Shows the runs that the filter selects, in their order."""
        try:
            rows = self.selection.rows()
            self.table.empty = NONE_CHOSEN if self.selection.all else EMPTY
            # Not all files are read at first: whether a column is empty is taken from the first rows.
            requested = rows if self._is_read_ahead else rows[:MEASURED_ROWS]
            named = columns.with_data(rows, self.selection.columns)
            self.table.show(rows, columns.without_empty(named, requested))
        except (FilterError, ColumnError) as wrong:
            error = str(wrong)
        self.query_one("#filter-error", Static).update(Content(f"! {clean_line(error, 300)}" if error else ""))
        self.query_one("#filter-error").display = bool(error)
        self._show_headline()
        self._show_facts()

    def _show_headline(self) -> None:
        if self._is_read:
            parts = headline_parts(self.selection, self.table.rows, self.table.left_out)
        else:
            parts = ["reading the folders", str(self.selection.runs.runs_dir)]
        self.query_one(Headline).show([clean_line(part, 200) for part in ("Runs", *parts) if part])

    @on(RunTable.CurvesRequested)
    def _read_curves(self, event: RunTable.CurvesRequested) -> None:
        runs = [run for group in event.groups for run in group]
        self.submit("curves", lambda: [run.accuracies for run in runs], lambda *_: self.table.redraw())

    @on(RunTable.Highlighted)
    def _show_facts(self) -> None:
        """Shows the details of the run under the cursor after `FACTS_SECONDS`, since they depend on all runs."""
        self.refresh_bindings()
        if self._facts_timer is not None:
            self._facts_timer.stop()
        self._facts_timer = self.set_timer(FACTS_SECONDS, self._ask_for_facts)

    def _ask_for_facts(self) -> None:
        if self.query_one(QueuePane).holds_details:
            return
        group = self.table.group
        if group is None:
            self.query_one(RunDetail).show(None)
        else:
            runs = self.selection.beside(group[0])
            self.submit("facts", lambda: RunFacts.read(group, runs), self.query_one(RunDetail).show)

    # --- the queue ---

    @on(QueuePane.Changed)
    def _look_at_queue(self) -> None:
        """Reads the rows above the table in the background."""
        runs = self.selection.runs
        self.submit("queue", lambda: read_rows(self._queue, self._sweeps, runs.all), self.query_one(QueuePane).show)

    @on(QueuePane.DetailsAsked)
    def _show_queue_details(self, event: QueuePane.DetailsAsked) -> None:
        """Shows the details of a row of the queue below, or in a dialog where there is no room."""
        detail = self.query_one(RunDetail)
        width = detail.text_width or self.size.width - 10

        def show(lines: list[str] | None, error: str | None) -> None:
            if detail.display:
                detail.show_lines(lines, error)
            else:
                dialog = MessageDialog(clean_line(event.row.text), error or "\n".join(lines or ()))
                self.post_message(OpenScreen(dialog))

        self.submit("queue-details", lambda: details(event.row, self._queue, width), show)

    @on(RunTable.LeftAbove)
    def _focus_queue(self) -> None:
        self.query_one(QueuePane).take_focus()

    @on(QueuePane.LeftBelow)
    @on(Input.Submitted)
    def _focus_table(self) -> None:
        self.set_focus(self.table)

    @on(events.DescendantFocus)
    def _show_facts_again(self, event: events.DescendantFocus) -> None:
        if event.widget is self.table:
            self._show_facts()

    # --- the table ---

    def action_filter(self) -> None:
        """Focuses the filter; at once, so that the next key goes there."""
        self.set_focus(self.query_one(Input))

    def action_leave_filter(self) -> None:
        """Focuses the table; in the table, or where no run is left to act on, clears the filter."""
        if self.table.has_focus or not self.table.rows:
            self.query_one(Input).value = ""
        self.set_focus(self.table)

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self.selection.filter = event.value
        self.refresh_rows()

    @on(RunTable.Sort)
    def _sort_by(self, event: RunTable.Sort) -> None:
        self.selection.sort_by(event.key)
        self.refresh_rows()

    def action_sort(self) -> None:
        """Asks for the column to sort by."""
        dialog = SortDialog(self.table.columns, self.selection, self.ascii_only)
        self.app.push_screen(dialog, lambda key: self._sort_by(RunTable.Sort(key)) if key else None)

    def action_reverse(self) -> None:
        """Reverses the order."""
        self._sort_by(RunTable.Sort(self.selection.sort_key))

    def action_group(self) -> None:
        """Shows the seeds of one recipe in one row, or every run in its own."""
        self.selection.is_grouped = not self.selection.is_grouped
        self.refresh_rows()

    def action_reference(self) -> None:
        """Shows the reference runs behind the others, or hides them."""
        self.selection.has_reference = not self.selection.has_reference
        self._scan()

    @on(RunTable.Marked)
    def _mark(self, event: RunTable.Marked) -> None:
        if event.group[0].is_run:
            self.selection.mark(event.group)
            self.table.redraw()
            self._show_headline()

    def action_unmark(self) -> None:
        """Removes every mark."""
        self.selection.colors.clear()
        self.table.redraw()
        self._show_headline()

    def action_columns(self) -> None:
        """Selects and orders the columns."""
        self.app.push_screen(ColumnsDialog(self.selection.columns, self.ascii_only), self._use_columns)

    def _use_columns(self, keys: tuple[str, ...] | None) -> None:
        if not keys:
            return
        self.selection.columns = keys
        self.refresh_rows()
        try:
            settings.write("columns", list(keys))
        except (SettingsError, OSError) as error:
            text = clean_line(f"the columns are not kept: {error}", 300)
            self.notify(text, severity="warning", markup=False)

    # --- the run under the cursor ---

    @on(RunTable.Opened)
    def _open(self, event: RunTable.Opened) -> None:
        if self._actions.run_or_warning() is not None:
            self.app.push_screen(RunScreen(event.group, self.selection, self.ascii_only))

    @on(Chart.Zoom)
    def action_zoom(self) -> None:
        self._actions.zoom()

    def action_copy(self) -> None:
        self._actions.copy()

    def action_use(self) -> None:
        self._actions.use_settings()

    def action_resume(self) -> None:
        self._actions.resume()

    def action_extend(self) -> None:
        self._actions.extend()

    def action_notes(self) -> None:
        self._actions.edit_notes()

    def action_tags(self) -> None:
        self._actions.edit_tags()

    def action_report(self) -> None:
        self._actions.report()

    def action_export(self) -> None:
        self._actions.export()

    def action_delete(self) -> None:
        self._actions.delete()

    def action_undelete(self) -> None:
        self._actions.undelete()

    def action_help(self) -> None:
        """Shows every key that works where the focus is."""
        self.app.push_screen(help_on(self, "Runs", HELP_NAMES))
