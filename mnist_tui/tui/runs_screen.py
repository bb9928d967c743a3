"""Runs, the second mode: every run folder as a row, what is known of one beside it, and what can be done with it."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, Static

from mnist_tui import annotations, columns, settings, tables
from mnist_tui.columns import ColumnError
from mnist_tui.filters import FilterError
from mnist_tui.runs import Run
from mnist_tui.storage import StorageError
from mnist_tui.text import clean_line, in_ascii
from mnist_tui.tui.asking import AskingScreen
from mnist_tui.tui.columns_dialog import ColumnsDialog
from mnist_tui.tui.dialogs import AskDialog, ConfirmDialog, MessageDialog, Question
from mnist_tui.tui.help import HelpScreen, sections
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.notes_dialog import NotesDialog
from mnist_tui.tui.run_screen import RunScreen
from mnist_tui.tui.run_table import RunTable
from mnist_tui.tui.shelf import Group, Shelf
from mnist_tui.tui.status import Headline
from mnist_tui.tui.text_field import TextField

if TYPE_CHECKING:
    from mnist_tui.tui.app import LabApp

LOOK_SECONDS = 1.0
"""Between two looks at which folders changed."""
WIDE = 176
"""From so many cells on the facts stand beside the table, which then still has room for its columns."""
FACTS_SECONDS = 0.2
"""That the cursor stays before all the runs are asked for the nearest one."""
NAMES = {"RunTable": "Table of runs", "Input": "Filter", "RunsScreen": "Runs", "App": "Everywhere"}
EMPTY = ("no run yet", "", "1 is the lab: t trains there", "without a screen: mnist-tui --batch iter5")
NONE_CHOSEN = ("no run is chosen by the filter; esc shows all",)


class RunsScreen(AskingScreen):
    """The table, its filter, and the run under the cursor."""

    AUTO_FOCUS = "RunTable"
    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("slash", "filter", "Filter"),
            Binding(
                "comma",
                "sort",
                "Sort",
                tooltip="by the next column; a click on a heading does the same",
            ),
            Binding("full_stop", "reverse", "Reverse", show=False),
            Binding("m", "group", "Seeds", tooltip="the seeds of one recipe in one row, with mean and spread, or not"),
            Binding("C", "columns", "Columns", tooltip="which ones, and in which order; kept in your config file"),
            Binding("S", "unmark", "Unmark all", show=False),
            Binding("u", "use", "Use settings", tooltip="into the lab"),
            Binding("r", "resume", "Resume", tooltip="goes on with an interrupted, stopped or failed run"),
            Binding("x", "extend", "Extend", show=False, tooltip="by so many epochs, in a new folder"),
            Binding("n", "notes", "Notes", tooltip="Target, Result, Analysis; e there opens your editor"),
            Binding("number_sign", "tags", "Tags"),
            Binding("e", "export", "Export", show=False, tooltip="the folder, or as a .zip or .tar.gz"),
            Binding("delete,D", "delete", "Delete", show=False, tooltip="moves it to the trash"),
            Binding("U", "undelete", "Undo delete", show=False, tooltip="takes the newest out of the trash"),
            Binding("escape", "clear", "Clear the filter", show=False),
            Binding("question_mark,f1", "help", "Help"),
        ]
    )

    def __init__(self, shelf: Shelf, ascii_only: bool) -> None:
        super().__init__()
        self.shelf, self.ascii_only = shelf, ascii_only
        self._is_read = self._is_frozen = False
        self._facts_timer: Timer | None = None

    @property
    def lab_app(self) -> "LabApp":
        """The application, with its lab and its runner."""
        return self.app  # type: ignore[return-value]

    @property
    def table(self) -> RunTable:
        return self.query_one(RunTable)

    @property
    def run(self) -> Run | None:
        """The run under the cursor; of several seeds the first."""
        return self.table.group[0] if self.table.group else None

    def compose(self) -> ComposeResult:
        yield Headline("runs")
        hint = "/ filter: iter* params<20000 acc>99.4 opt:sgd tag:x"
        # Selected as it gets the focus, what was typed before that would be replaced by the next letter.
        yield TextField(self.shelf.filter, hint=hint, is_selected=False)
        yield Static(id="filter-error")
        with Horizontal(id="runs"):
            yield RunTable(self.shelf, self.ascii_only)
            with VerticalScroll(id="run-detail"):
                yield Static(id="run-facts")
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self.ascii_only, "-ascii")
        self._look()
        self.set_interval(LOOK_SECONDS, self._look)

    def on_resize(self, event: events.Resize) -> None:
        for name, holds in (("wide", event.size.width >= WIDE), ("narrow", event.size.height < 30)):
            self.set_class(holds, f"-{name}")
        self.call_after_refresh(self._show_headline)

    # --- reading ---

    def _look(self) -> None:
        """Looks at the folders, beside the screen, while this mode is in sight."""
        if self.app.screen_stack[0] is self:
            self.ask("look", self.shelf.runs.refresh, self._seen)

    def _seen(self, is_new: bool | None, error: str | None) -> None:
        if error or is_new or not self._is_read:
            self._is_read = True
            self.refresh_rows(error or "")
            self.ask("ahead", self.shelf.runs.read_ahead, self._have_read_ahead)

    def _have_read_ahead(self, *_: object) -> None:
        """Once: a collection over ten thousand runs would hold the keys for half a second, again and again."""
        if not self._is_frozen:
            gc.freeze()
            self._is_frozen = True

    def refresh_rows(self, error: str = "") -> None:
        """Shows what filter and order choose of the runs that were read."""
        try:
            rows = self.shelf.rows()
            self.table.empty = NONE_CHOSEN if self.shelf.runs.all else EMPTY
            self.table.show(rows, columns.shown_columns(rows, self.shelf.columns))
        except (FilterError, ColumnError) as wrong:
            error = str(wrong)
        self.query_one("#filter-error", Static).update(Content(f"! {clean_line(error, 300)}" if error else ""))
        self.query_one("#filter-error").display = bool(error)
        self._show_headline()
        self._show_facts()

    def _show_headline(self) -> None:
        shown, there = len(self.table.rows), len(self.shelf.runs.all)
        if not self._is_read:
            parts = ["Runs", "reading the folders"]
        else:
            parts = ["Runs", f"{_count(shown, 'row')} of {_count(there, 'folder')}"]
        parts.append(str(self.shelf.runs.runs_dir))
        if self.shelf.slots:
            parts.insert(2, f"{len(self.shelf.slots)} marked, 3 compares them")
        self.query_one(Headline).show([clean_line(part, 200) for part in parts])

    @on(RunTable.Highlighted)
    def _show_facts(self) -> None:
        """Tells of the run under the cursor once it stays there: what changed is looked for among all runs."""
        if self._facts_timer is not None:
            self._facts_timer.stop()
        self._facts_timer = self.set_timer(FACTS_SECONDS, self._ask_for_facts)

    def _ask_for_facts(self) -> None:
        group, runs = self.table.group, self.shelf.runs.all
        if group is None:
            self._put_facts("", None)
        else:
            self.ask("facts", lambda: f"{_changes(group[0], runs)}\n\n{_facts(group)}", self._put_facts)

    def _put_facts(self, text: str | None, error: str | None) -> None:
        shown = f"! {error}" if text is None else text
        self.query_one("#run-facts", Static).update(Text(in_ascii(shown) if self.ascii_only else shown))

    # --- the table ---

    def action_filter(self) -> None:
        """To the filter; at once, so that what is typed next goes there."""
        self.set_focus(self.query_one(Input))

    def action_clear(self) -> None:
        """From the filter to the table; in the table, shows all runs again."""
        if self.table.has_focus:
            self.query_one(Input).value = ""
        self.set_focus(self.table)

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self.shelf.filter = event.value
        self.refresh_rows()

    @on(Input.Submitted)
    def _leave_filter(self) -> None:
        self.set_focus(self.table)

    @on(RunTable.Sort)
    def _sort_by(self, event: RunTable.Sort) -> None:
        is_again = self.shelf.sort.removeprefix("-") == event.key
        is_falling = not self.shelf.sort.startswith("-") if is_again else columns.column(event.key).is_number
        self.shelf.sort = f"-{event.key}" if is_falling else event.key
        self.refresh_rows()

    def action_sort(self) -> None:
        """By the next column that is shown."""
        shown = list(self.shelf.columns)
        now = self.shelf.sort.removeprefix("-")
        following = shown[(shown.index(now) + 1) % len(shown)] if now in shown else shown[0]
        self._sort_by(RunTable.Sort(columns.column(following).key))

    def action_reverse(self) -> None:
        """The other way round."""
        self._sort_by(RunTable.Sort(self.shelf.sort.removeprefix("-")))

    def action_group(self) -> None:
        """The seeds of one recipe in one row, or every run in its own."""
        self.shelf.is_grouped = not self.shelf.is_grouped
        self.refresh_rows()

    @on(RunTable.Marked)
    def _mark(self, event: RunTable.Marked) -> None:
        if event.group[0].is_run:
            self.shelf.mark(event.group)
            self.table.redraw()
            self._show_headline()

    def action_unmark(self) -> None:
        """Takes every mark away."""
        self.shelf.slots.clear()
        self.table.redraw()
        self._show_headline()

    def action_columns(self) -> None:
        """Chooses and orders the columns."""
        self.app.push_screen(ColumnsDialog(self.shelf.columns), self._choose_columns)

    def _choose_columns(self, chosen: tuple[str, ...] | None) -> None:
        if not chosen:
            return
        self.shelf.columns = chosen
        self.refresh_rows()
        try:
            settings.write("columns", list(chosen))
        except (settings.SettingsError, OSError) as error:
            self._warn(f"the columns are not kept: {error}")

    # --- the run under the cursor ---

    def _one(self) -> Run | None:
        """The run to do something with; a word why there is none."""
        run = self.run
        if run is None:
            self._warn("there is no run under the cursor")
        elif not run.is_run:
            self._warn(f"{run.id}: {run.state}: {run.reason}")
        else:
            return run
        return None

    def _warn(self, text: str) -> None:
        self.notify(clean_line(text, 300), severity="warning", markup=False)

    @on(RunTable.Opened)
    def _open(self, event: RunTable.Opened) -> None:
        if self._one() is not None:
            self.app.push_screen(RunScreen(event.group, self.shelf, self.ascii_only))

    def action_use(self) -> None:
        """Takes the run's settings into the lab."""
        run = self._one()
        if run is not None and run.spec is None:
            self._warn("this version cannot read the settings of that run")
        elif run is not None and run.spec is not None:
            self.run_worker(self.lab_app.design(run.spec))

    def action_resume(self) -> None:
        """Goes on with the run, in the lab."""
        run = self._one()
        if run is not None and run.state not in ("interrupted", "stopped", "failed"):
            self._warn(f"this run is {run.state}: there is nothing to resume; x extends it")
        elif run is not None:
            self.run_worker(self.lab_app.go_on(run.folder))

    def action_extend(self) -> None:
        """Asks by how many epochs, and trains them in a new folder."""
        run = self._one()
        if run is not None:
            hint = "In a new run folder that goes on from this one's last checkpoint; this one stays as it is."
            question = Question("Extend by how many epochs?", hint, "5", _wrong_count)
            self.app.push_screen(AskDialog(question), lambda text: self._extend(run.folder, text))

    def _extend(self, folder: Path, text: str | None) -> None:
        if text:
            self.run_worker(self.lab_app.go_on(folder, int(text)))

    def action_notes(self) -> None:
        """Edits Target, Result and Analysis."""
        run = self._one()
        if run is not None:
            self.app.push_screen(NotesDialog(run.folder), lambda _: self._changed(run.folder))

    def action_tags(self) -> None:
        """Edits the tags."""
        run = self._one()
        if run is not None:
            hint = "Words of letters, digits, - _ and . with spaces between them; tag:WORD finds them again."
            question = Question("Tags", hint, " ".join(run.tags), lambda text: annotations.wrong_tags(text.split()))
            self.app.push_screen(AskDialog(question), lambda text: self._tag(run.folder, text))

    def _tag(self, folder: Path, text: str | None) -> None:
        if text is not None and self._does(lambda: annotations.write_tags(folder, text.split())):
            self._changed(folder)

    def action_export(self) -> None:
        """Copies the folder."""
        run = self._one()
        if run is not None:
            hint = "A new folder, or a file that ends in .zip or .tar.gz; nothing is overwritten."
            question = Question("Export to", hint, f"{run.id}.zip", _wrong_path)
            self.app.push_screen(AskDialog(question), lambda text: self._export(run.folder, text))

    def _export(self, folder: Path, text: str | None) -> None:
        if text:
            self.ask("export", lambda: annotations.export(folder, Path(text).expanduser()), self._exported)

    def _exported(self, path: Path | None, error: str | None) -> None:
        self._warn(error) if error else self.notify(f"exported: {path}", markup=False)

    def action_delete(self) -> None:
        """Asks, and moves the run (of a group, every seed of it) to the trash."""
        group = self.table.group
        if group is None or self._one() is None:
            return
        count = f"the {len(group)} seeds of {group[0].name}" if len(group) > 1 else group[0].id
        dialog = ConfirmDialog("Move to the trash?", f"{count}: U takes it back.", "Delete")
        self.app.push_screen(dialog, lambda is_sure: self._delete(group) if is_sure else None)

    def _delete(self, group: Group) -> None:
        if self._does(lambda: [annotations.delete(run.folder) for run in group]):
            self.shelf.slots = {names: slot for names, slot in self.shelf.slots.items() if group[0].id not in names}
        self._look()

    def action_undelete(self) -> None:
        """Takes the run that was deleted last out of the trash."""
        trash = annotations.trashed(self.shelf.runs.runs_dir)
        if not trash:
            self._warn("the trash is empty")
        elif self._does(lambda: annotations.restore(trash[0])):
            self.notify(f"back again: {trash[0].name}", markup=False)
            self._look()

    def _does(self, what: Any) -> bool:
        """Whether it could be done; if not, it is said why."""
        try:
            what()
        except (StorageError, ValueError, OSError) as error:
            self.app.push_screen(MessageDialog("That could not be done", str(error)))
            return False
        return True

    def _changed(self, folder: Path) -> None:
        self.shelf.runs.forget(folder)
        self._look()

    def action_help(self) -> None:
        """Every key that works where the focus is."""
        self.app.push_screen(HelpScreen(sections(self.active_bindings, NAMES)))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _facts(group: Group) -> str:
    facts = [(column.heading, column.of(group)) for column in columns.ALL]
    return "\n".join(f"{heading:<13} {text}" for heading, text in facts if text not in ("", "-"))


def _changes(run: Run, runs: list[Run]) -> str:
    return "\n".join(tables.changes(run, runs)) if run.is_run else f"{run.state}: {run.reason}"


def _wrong_count(text: str) -> str | None:
    return None if text.isdigit() and 1 <= int(text) <= 10_000 else "a whole number from 1 to 10,000"


def _wrong_path(text: str) -> str | None:
    if not text:
        return "where to?"
    return "is there already" if Path(text).expanduser().exists() else None
