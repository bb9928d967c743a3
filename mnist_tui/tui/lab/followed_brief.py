"""The course brief that is followed: how far the runs are with it, requested from the background worker."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from mnist_tui.text import clean_line
from mnist_tui.tui.background import Submit
from mnist_tui.tui.lab.budget import ShownStep
from mnist_tui.tui.lab.design_panes import DesignPanes
from mnist_tui.tui.messages import OpenScreen

if TYPE_CHECKING:
    from mnist_tui.tui.lab.brief_dialog import ListedBrief
    from mnist_tui.tui.lab.brief_reader import BriefReader
    from mnist_tui.tui.request import LabRequest


class FollowedBrief:
    """Shows the current step of a brief in the panes, once the first frame is drawn and whenever a run has ended."""

    def __init__(self, submit: Submit, request: "LabRequest", panes: DesignPanes) -> None:
        self.name = request.settings.brief
        """The brief's name, or its file; None without one."""
        self._submit, self._runs_dir, self._panes = submit, request.options.runs_dir, panes
        self._has_begun = False
        self._reader: BriefReader | None = None

    def begin(self) -> None:
        """Reads for the first time; `read` does nothing before."""
        self._has_begun = True
        self.read()

    def read(self) -> None:
        """Reads the runs that have changed; the file of the brief only when it is chosen or a run has changed."""
        if self._has_begun and self.name is not None:
            name = self.name
            self._submit("brief", lambda: self._get_reader().step(name), partial(self._show, name))

    def _get_reader(self) -> "BriefReader":
        """Called in the worker's thread."""
        if self._reader is None:
            from mnist_tui.tui.lab.brief_reader import BriefReader  # The first frame does not wait for it.

            self._reader = BriefReader(self._runs_dir)
        return self._reader

    def _show(self, name: str, step: ShownStep | None, error: str | None) -> None:
        if name != self.name:
            return  # Another one was chosen meanwhile.
        if error is not None:
            self.name = None
            self._panes.notify(f"no course brief: {error}", severity="warning", timeout=10, markup=False)
        self._panes.show_step(step)

    # --- choosing one ---

    def choose(self, width: int) -> None:
        """Lists every brief with the progress of the runs, on a screen of `width` cells, and follows the chosen one."""
        self._submit("briefs", lambda: self._get_reader().list_briefs(self.name, width), self._ask)

    def _ask(self, briefs: "Sequence[ListedBrief] | None", error: str | None) -> None:
        if briefs is None:
            self._panes.notify(str(error), severity="warning", markup=False)
            return
        from mnist_tui.tui.lab.brief_dialog import BriefDialog  # The first frame does not wait for it.

        self._panes.post_message(OpenScreen(BriefDialog(briefs, self.name), self._follow))

    def _follow(self, name: str | None) -> None:
        """Follows a brief until the program ends, "" none; None for a dialog that was cancelled."""
        if name is None or name == (self.name or ""):
            return
        self.name = name or None
        if not name:
            self._panes.show_step(None)
        self.read()
        keep = f"set brief {clean_line(name, 60)}" if name else "unset brief"
        self._panes.notify(f"until you quit; mnist-tui config {keep} keeps it", markup=False)
