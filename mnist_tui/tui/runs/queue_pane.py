"""The queue and the sweeps that are not done, above the table of runs; takes no space where there is none."""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mnist_tui.errors import StorageError, SweepError
from mnist_tui.runs.queue import Queue, wait_words
from mnist_tui.sweep import folder
from mnist_tui.text import clean_line, in_ascii
from mnist_tui.tui.dialogs import ConfirmDialog
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.messages import OpenScreen, QueueSweep
from mnist_tui.tui.runs.queue_rows import QueueRow, QueueRows


class QueuePane(Vertical):
    """A line about the queue, and its rows."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            # Before the list's own, whose cursor goes from the last row to the first.
            Binding("up,k", "go(-1)", "Up", show=False, priority=True),
            Binding(
                "down,j", "go(1)", "Down", show=False, priority=True, tooltip="below the last row is the table of runs"
            ),
            Binding(
                "enter", "details", "Details", priority=True, tooltip="the report of a sweep, or the design, below"
            ),
            Binding("K,shift+up", "move(-1)", "Move up", tooltip="is trained before the one above"),
            Binding("J,shift+down", "move(1)", "Move down"),
            Binding("D,delete", "take_out", "Take out", tooltip="of the queue, after a question"),
            Binding("s", "stop_sweep", "Stop sweep", tooltip="everywhere, after the current step of its runs"),
            Binding("r", "resume_sweep", "Resume sweep", tooltip="puts it at the end of the queue"),
        ]
    )
    DEFAULT_CSS = """
    QueuePane { height: auto; max-height: 9; display: none; border-bottom: none; }
    QueuePane.-filled { display: block; }
    QueuePane Static { height: 1; padding: 0 1; text-style: bold; background: $panel; }
    QueuePane OptionList { height: auto; max-height: 8; border: none; padding: 0 1; background: $surface;
        text-wrap: nowrap; text-overflow: ellipsis; }
    QueuePane OptionList > .option-list--option-highlighted {
        color: $foreground; background: $panel-lighten-1; text-style: none; }
    QueuePane OptionList:focus > .option-list--option-highlighted { background: $primary 35%; }
    """

    class LeftBelow(Message):
        """Posted when the cursor is moved down from the last row."""

    class DetailsAsked(Message):
        """Request to show the details of a row."""

        def __init__(self, row: QueueRow) -> None:
            super().__init__()
            self.row = row

    class Changed(Message):
        """Posted when the queue or a sweep was changed here, so that it is read again."""

    def __init__(self, queue: Queue, ascii_only: bool) -> None:
        super().__init__()
        self._queue, self._ascii_only = queue, ascii_only
        self._read: tuple[QueueRows | None, str | None] = QueueRows(), None
        """What was shown last."""
        self._shown = QueueRows()
        self._opened = ""
        """The id of the row whose details were asked for."""

    def compose(self) -> ComposeResult:
        yield Static(id="queue-line", markup=False)
        yield OptionList(compact=True, markup=False)

    def take_focus(self) -> None:
        """Focuses the rows, if there are any."""
        if self._shown.rows:
            self.query_one(OptionList).focus()

    @property
    def row(self) -> QueueRow | None:
        """The row under the cursor."""
        at = self.query_one(OptionList).highlighted
        return self._shown.rows[at] if at is not None and at < len(self._shown.rows) else None

    @property
    def holds_details(self) -> bool:
        """Whether the details that are shown are those of one of its rows: until the focus leaves it."""
        return bool(self._opened) and self.has_focus_within

    def show(self, read: QueueRows | None, error: str | None = None) -> None:
        """Shows other rows; the cursor stays on its row. None, and `error`, where they cannot be read."""
        if (read, error) == self._read:
            return
        self._read = read, error
        before, read = self.row, read or QueueRows()
        self._shown = read
        self.set_class(bool(read.rows) or read.is_paused or error is not None, "-filled")
        line = self._line() if error is None else f"! the queue cannot be shown: {error}"
        self.query_one("#queue-line", Static).update(Content(self._safe(line)))
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(Content(f" {self._safe(row.text)}")) for row in read.rows])
        ids = [row.id for row in read.rows]
        if ids:
            options.highlighted = ids.index(before.id) if before is not None and before.id in ids else 0
        if self._opened in ids and self.has_focus_within:
            self.post_message(self.DetailsAsked(read.rows[ids.index(self._opened)]))

    def _safe(self, text: str) -> str:
        return in_ascii(clean_line(text, 300)) if self._ascii_only else clean_line(text, 300)

    def _line(self) -> str:
        waiting = self._shown.entries
        words = f": {wait_words(waiting)}" if waiting else ""
        if self._shown.is_paused:
            return f"Queue, paused{words}; P goes on"
        return f"Queue{words}; P trains it, or pauses it" if waiting else "Queue and sweeps"

    # --- actions ---

    def action_go(self, rows: int) -> None:
        """Moves the cursor, and out of the pane below its last row."""
        options = self.query_one(OptionList)
        at = (options.highlighted or 0) + rows
        if at >= len(self._shown.rows):
            self.post_message(self.LeftBelow())
        else:
            options.highlighted = max(0, at)

    @on(OptionList.OptionSelected)
    def action_details(self) -> None:
        """Shows the details of the row under the cursor."""
        if self.row is not None:
            self._opened = self.row.id
            self.post_message(self.DetailsAsked(self.row))

    def action_move(self, steps: int) -> None:
        """Moves the entry under the cursor among those that wait."""
        row = self.row
        if row is None or row.entry is None:
            self._warn("only what waits in the queue can be moved")
        elif row.entry.is_taken:
            self._warn(f"{row.entry.name} is being trained")
        else:
            self._try(partial(self._queue.move, row.entry, steps))

    def action_take_out(self) -> None:
        """Asks, and takes the entry under the cursor out of the queue."""
        row = self.row
        if row is None or row.entry is None:
            self._warn("this sweep is not in the queue; s stops it")
        elif row.entry.is_taken:
            self._warn(f"{row.entry.name} is being trained; s in the lab stops it")
        else:
            entry = row.entry
            text = "The sweep itself stays; r resumes it." if row.sweep else "The design is not kept elsewhere."
            dialog = ConfirmDialog(f"Take {entry.name} out of the queue?", text, "Take out")

            def answer(is_sure: bool | None) -> None:
                if is_sure:
                    self._try(partial(self._queue.remove, entry))

            self.post_message(OpenScreen(dialog, answer))

    def action_stop_sweep(self) -> None:
        """Stops the sweep under the cursor, on every machine that sees the runs directory."""
        name = self._sweep_or_warning()
        if name and self._try(lambda: folder.find(self._queue.folder.parent, name).stop()):
            self._notify(f"sweep {name} stops after the current step of its runs; r resumes it")

    def action_resume_sweep(self) -> None:
        """Puts the sweep under the cursor at the end of the queue."""
        name = self._sweep_or_warning()
        if name and self._try(lambda: folder.find(self._queue.folder.parent, name).allow()):
            self.post_message(QueueSweep(name))

    def _sweep_or_warning(self) -> str:
        if self.row is None or not self.row.sweep:
            self._warn("that is no sweep")
            return ""
        return self.row.sweep

    def _try(self, change: Callable[[], None]) -> bool:
        """Changes the queue or a sweep; whether that succeeded."""
        try:
            change()
        except (StorageError, SweepError) as error:
            self._warn(str(error))
            return False
        finally:
            self.post_message(self.Changed())
        return True

    def _notify(self, text: str) -> None:
        self.notify(clean_line(text, 300), markup=False)

    def _warn(self, text: str) -> None:
        self.notify(clean_line(text, 300), severity="warning", markup=False)
