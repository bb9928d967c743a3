"""Edits what a run was for, what came out, and what that means; in place, or in the user's editor."""

from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static, TextArea

from mnist_tui.errors import EditorError, StorageError
from mnist_tui.runs import annotations
from mnist_tui.runs.annotations import PARTS, Notes
from mnist_tui.text import clean_line
from mnist_tui.tui.dialogs import ConfirmDialog
from mnist_tui.tui.external_editor import edit_suspended
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.repaint import Dialog


class NotesDialog(Dialog[None]):
    """Three fields; ctrl+s saves them to notes.md."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,f10", "save", "Save"),
        Binding("tab", "app.focus_next", "Next field"),
        Binding("ctrl+e,f4", "editor", "Editor", tooltip="the one that $VISUAL or $EDITOR names"),
        Binding("escape,ctrl+q", "close", "Cancel", tooltip="asks first where something was typed"),
    ]
    DEFAULT_CSS = """
    NotesDialog TextArea { border: none; padding: 0; }
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._read = Notes()
        """As they stood in the fields at first: what is not edited stays as a run may have written it meanwhile."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large"):
            yield Static(Content(clean_line(self._folder.name, 100)), classes="dialog-title")
            for part in PARTS:
                yield Static(Content(part.capitalize()), classes="dialog-hint")
                yield TextArea(id=f"notes-{part}", tab_behavior="focus", compact=True)
            yield Static(id="dialog-error")
            yield KeyBar()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height < 30, "-short")

    def on_mount(self) -> None:
        self._show()
        analysis = self.query_one("#notes-analysis", TextArea)
        analysis.move_cursor(analysis.document.end)  # What is typed follows what is there.
        analysis.focus()

    @on(TextArea.Changed)
    def _keep_cursor_in_sight(self, event: TextArea.Changed) -> None:
        # Textual scrolls before it knows that a line was wrapped.
        self.call_after_refresh(event.text_area.scroll_cursor_visible)

    def _show(self) -> None:
        try:
            notes = annotations.read_notes(self._folder)
        except StorageError as error:
            self._say(str(error))
            return
        for part in PARTS:
            self.query_one(f"#notes-{part}", TextArea).load_text(getattr(notes, part))
        self._read = self._typed()

    def _say(self, text: str) -> None:
        self.query_one("#dialog-error", Static).update(Content(f"! {clean_line(text, 300)}"))

    def _typed(self) -> Notes:
        return Notes(*[self.query_one(f"#notes-{part}", TextArea).text for part in PARTS])

    def _write(self) -> bool:
        try:
            annotations.write_notes(self._folder, self._typed(), self._read)
        except (StorageError, ValueError, OSError) as error:
            self._say(str(error))
            return False
        return True

    def action_save(self) -> None:
        """Writes notes.md and closes."""
        if self._write():
            self.dismiss()

    def action_close(self) -> None:
        """Closes; asks first where that would lose what was typed."""
        if self._typed() == self._read:
            self.dismiss()
            return
        question = ConfirmDialog("Discard the changes?", "These notes are not saved; ctrl+s saves them.", "Discard")
        self.app.push_screen(question, self._discard)

    def _discard(self, is_sure: bool | None) -> None:
        if is_sure:
            self.dismiss()

    def action_editor(self) -> None:
        """Saves, and opens notes.md in $EDITOR."""
        if not self._write():
            return
        try:
            edit_suspended(self.app, self._folder / "notes.md")
        except (EditorError, SuspendNotSupported) as error:
            self._say(str(error))
        else:
            self._show()
