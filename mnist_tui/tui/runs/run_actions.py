"""What keys do with the run under the cursor of Runs, or an opened one: copy, train on from, annotate or delete it."""

from collections.abc import Callable
from pathlib import Path

from mnist_tui.analysis import markdown
from mnist_tui.errors import RunError, StorageError
from mnist_tui.runs import annotations, archive, reference, trash
from mnist_tui.runs.columns import seed_words
from mnist_tui.runs.reader import check_is_run
from mnist_tui.runs.record import RESUMABLE, Run
from mnist_tui.text import clean_line, parse_count
from mnist_tui.tui import clipboard
from mnist_tui.tui.background import WorkerScreen
from mnist_tui.tui.dialogs import AskDialog, ConfirmDialog, MessageDialog, Question
from mnist_tui.tui.messages import OpenScreen, ResumeRun, UseSettings
from mnist_tui.tui.report_dialog import ask_for_report
from mnist_tui.tui.runs.notes_dialog import NotesDialog
from mnist_tui.tui.runs.saved_curves import SavedCurves, SavedZoom
from mnist_tui.tui.runs.selection import RunGroup, RunSelection

Check = Callable[[Run], None]
"""Raises `RunError` where a run does not allow an action."""


def _check_can_go_on(run: Run) -> None:
    if run.is_imported:
        raise RunError("an imported log has no network: there is nothing to resume or to extend")
    if run.state == "training":
        raise RunError("this run is being trained: Enter shows how far it is; x extends it once it has ended")
    reference.check_has_weights(run.folder)


def _check_resumable(run: Run) -> None:
    _check_can_go_on(run)
    if run.state not in RESUMABLE:
        raise RunError(f"this run is {run.state}: there is nothing to resume; x extends it")


def _check_changeable(run: Run) -> None:
    reference.check_changeable(run.folder)


def _check_deletable(run: Run) -> None:
    _check_changeable(run)
    if not run.is_run:  # What is damaged may be deleted, what may be somebody else's may not.
        check_is_run(run.folder)


CHECKS: dict[str, Check] = {
    "resume": _check_resumable,
    "extend": _check_can_go_on,
    "notes": _check_changeable,
    "tags": _check_changeable,
    "delete": _check_deletable,
}
"""What the actions require that are not possible on every run."""
OF_DAMAGED = ("delete",)
"""Actions on a folder that cannot be read, too."""


class RunActions:
    """The actions on the row under the cursor; where its run does not allow one, they warn and change nothing."""

    def __init__(
        self,
        screen: WorkerScreen,
        selection: RunSelection,
        group: Callable[[], RunGroup | None],
        scan: Callable[[], None],
        data_dir: Path | None,
        ascii_only: bool,
    ) -> None:
        """`group` returns the row under the cursor, and `scan` reads the folders that an action has changed.

        An opened run is a row of its own.
        """
        self._screen, self._selection, self._group, self._scan = screen, selection, group, scan
        self._data_dir, self._ascii_only = data_dir, ascii_only
        self._zoom: SavedZoom | None = None
        self._zoomed: list[Path] = []
        """The folders of the runs in the zoom."""

    # --- whether there is a run, and what it allows ---

    @property
    def run(self) -> Run | None:
        """The run under the cursor; of several seeds the first."""
        group = self._group()
        return group[0] if group else None

    def is_allowed(self, action: str) -> bool:
        """Whether there is a run under the cursor that passes the check of an action."""
        run = self.run
        return run is not None and (run.is_run or action in OF_DAMAGED) and _refusal(action, run) is None

    def run_or_warning(self, action: str = "") -> Run | None:
        """The run for an action; None after a warning that there is none, or that it does not allow the action."""
        run = self.run
        if run is None:
            self._warn("there is no run under the cursor")
        elif not run.is_run and action not in OF_DAMAGED:
            self._warn(f"{run.id}: {run.state}: {run.reason}")
        elif (refusal := _refusal(action, run)) is not None:
            self._warn(refusal)
        else:
            return run
        return None

    def _group_or_warning(self, action: str = "") -> RunGroup | None:
        """The row for an action; None where there is no row, or after a warning that it does not allow the action."""
        group = self._group()
        return group if group is not None and self.run_or_warning(action) is not None else None

    def _warn(self, text: str) -> None:
        self._screen.notify(clean_line(text, 300), severity="warning", markup=False)

    # --- reading a run ---

    def zoom(self) -> None:
        """Opens the curves on the whole screen."""
        group = self._group_or_warning()
        if group is not None:
            self._zoomed = [run.folder for run in group]
            self._screen.submit("zoom", lambda: SavedCurves.read(group), self._open_zoom)

    def _open_zoom(self, curves: SavedCurves | None, error: str | None) -> None:
        if curves is None or not curves.has_epochs:
            self._warn(error or "no epoch was finished: there is no curve")
        else:
            self._zoom = SavedZoom(curves, curves.group.runs[-1].run, "accuracy", self._ascii_only)
            self._screen.post_message(OpenScreen(self._zoom.screen))

    def update_zoom(self) -> None:
        """Draws what was trained since into the curves that are open; called when the folders were read anew."""
        if self._zoom is not None and self._zoom.screen.is_attached:
            runs = [run for run in self._selection.all if run.folder in self._zoomed]
            if runs:  # They may have been deleted.
                self._screen.submit("zoom", lambda: SavedCurves.read(runs), self._draw_zoom)

    def _draw_zoom(self, curves: SavedCurves | None, error: str | None) -> None:
        if self._zoom is not None and curves is not None and curves.has_epochs:
            self._zoom.show(curves)

    def copy(self) -> None:
        """Copies the run, or the seeds of a recipe, as Markdown."""
        group = self._group_or_warning()
        if group is not None:
            what = f"{group[0].name}, {seed_words(group)}, as Markdown"
            self._screen.submit(
                "copy", lambda: markdown.run_lines(group), lambda lines, error: self._copy(lines, error, what)
            )

    def _copy(self, lines: list[str] | None, error: str | None, what: str) -> None:
        self._warn(f"not copied: {error}") if lines is None else clipboard.copy(self._screen, lines, what)

    def report(self) -> None:
        """Asks for a file, and writes a report on the marked rows, or on that under the cursor, there."""
        runs = self._selection.marked_runs() or self._group_or_warning()
        if runs:
            ask_for_report(self._screen, runs, self._selection.all, self._data_dir)

    def export(self) -> None:
        """Asks for a path, and copies the folder there."""
        run = self.run_or_warning()
        if run is not None:
            hint = "A new folder, or a file that ends in .zip or .tar.gz; nothing is overwritten."
            question = Question("Export to", hint, f"{run.folder.name}.zip", _wrong_path)
            self._screen.app.push_screen(AskDialog(question), lambda text: self._export(run.folder, text))

    def _export(self, folder: Path, text: str | None) -> None:
        if text:
            self._screen.submit("export", lambda: archive.export(folder, Path(text).expanduser()), self._show_export)

    def _show_export(self, path: Path | None, error: str | None) -> None:
        self._warn(error) if error else self._screen.notify(f"exported: {path}", markup=False)

    # --- training on, in the lab ---

    def use_settings(self) -> None:
        """Loads the run's settings into the lab."""
        run = self.run_or_warning()
        if run is not None and run.is_imported:
            self._warn("an imported log holds no settings")
        elif run is not None and run.spec is None:
            self._warn("this version cannot read the settings of that run")
        elif run is not None and run.spec is not None:
            self._screen.post_message(UseSettings(run.spec))

    def resume(self) -> None:
        """Resumes the run in the lab."""
        run = self.run_or_warning("resume")
        if run is not None:
            self._screen.post_message(ResumeRun(run.folder))

    def extend(self) -> None:
        """Asks by how many epochs, and trains them in a new folder."""
        run = self.run_or_warning("extend")
        if run is not None:
            hint = "In a new run folder that continues from this one's last checkpoint; this one stays as it is."
            question = Question("Extend by how many epochs?", hint, "5", _wrong_count)
            self._screen.app.push_screen(AskDialog(question), lambda text: self._extend(run.folder, text))

    def _extend(self, folder: Path, text: str | None) -> None:
        if text:
            self._screen.post_message(ResumeRun(folder, int(text)))

    # --- changing a run folder ---

    def edit_notes(self) -> None:
        """Edits Target, Result and Analysis."""
        run = self.run_or_warning("notes")
        if run is not None:
            self._screen.app.push_screen(NotesDialog(run.folder), lambda _: self._reload(run.folder))

    def edit_tags(self) -> None:
        """Edits the tags."""
        run = self.run_or_warning("tags")
        if run is not None:
            hint = "Words of letters, digits, - _ and . with spaces between them; tag:WORD finds them again."
            question = Question("Tags", hint, " ".join(run.tags), lambda text: annotations.wrong_tags(text.split()))
            self._screen.app.push_screen(AskDialog(question), lambda text: self._tag(run.folder, text))

    def _tag(self, folder: Path, text: str | None) -> None:
        if text is not None and self._try(lambda: annotations.write_tags(folder, text.split())):
            self._reload(folder)

    def _reload(self, folder: Path) -> None:
        self._selection.runs.forget(folder)
        self._scan()

    def delete(self) -> None:
        """Asks, and moves the run (of a group, every seed of it) to the trash."""
        group = self._group_or_warning("delete")
        if group is not None:
            dialog = ConfirmDialog("Move to the trash?", _describe_deletion(group), "Delete")
            self._screen.app.push_screen(dialog, lambda is_sure: self._delete(group) if is_sure else None)

    def _delete(self, group: RunGroup) -> None:
        if self._try(lambda: [trash.delete(run.folder) for run in group]):
            self._selection.colors = {
                names: color for names, color in self._selection.colors.items() if group[0].id not in names
            }
        self._scan()

    def undelete(self) -> None:
        """Takes the run that was deleted last out of the trash."""
        try:
            deleted = trash.trashed(self._selection.runs.runs_dir)
        except StorageError as error:
            self._warn(str(error))
            return
        if not deleted:
            self._warn("the trash is empty")
        elif self._try(lambda: trash.restore(deleted[0])):
            self._screen.notify(f"restored {clean_line(deleted[0].name, 200)}", markup=False)
            self._scan()

    def _try(self, action: Callable[[], object]) -> bool:
        """Runs an action; whether it succeeded. An error is shown in a dialog."""
        try:
            action()
        except (StorageError, ValueError, OSError) as error:
            self._screen.app.push_screen(MessageDialog("That could not be done", str(error)))
            return False
        return True


def _refusal(action: str, run: Run) -> str | None:
    """Why a run does not allow an action; None where it does."""
    try:
        if action in CHECKS:
            CHECKS[action](run)
    except RunError as error:
        return str(error)
    return None


def _describe_deletion(group: RunGroup) -> str:
    """The folders of a row, and how they can be restored."""
    if len(group) == 1:
        return f"{group[0].id}: U restores it."
    return f"{group[0].name}, {seed_words(group)}: {len(group)} folders. U restores them, one at a time."


def _wrong_count(text: str) -> str | None:
    return None if 1 <= (parse_count(text) or 0) <= 10_000 else "a whole number from 1 to 10,000"


def _wrong_path(text: str) -> str | None:
    """The error in a path to export a run to; None for no error."""
    if not text:
        return "enter a new folder, or a file such as run.zip"
    try:
        path = Path(text).expanduser()
        if path.exists():
            return f"{path}: is there already; nothing is overwritten"
        if not path.parent.is_dir():
            return f"{path.parent}: there is no such folder"
    except (RuntimeError, OSError, ValueError) as error:
        return f"{text}: {error}"
    return archive.wrong_destination(path)
