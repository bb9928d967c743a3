"""Runs the learning-rate finder on the design, in the background worker."""

from functools import partial
from typing import TYPE_CHECKING

from mnist_tui.runs.control import Control
from mnist_tui.runs.lr_range import RatesFound
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui.background import Submit
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.design import LabDesign
from mnist_tui.tui.lab.run_control import RunControl

if TYPE_CHECKING:
    from mnist_tui.tui.lab.lr_finder_dialog import LrFinderDialog, OnFound, OnStep


class RateFinder:
    """Makes the dialog of the learning-rate finder; no run begins until a finder that was cancelled has stopped."""

    def __init__(self, submit: Submit, design: LabDesign, run_control: RunControl, ascii_only: bool) -> None:
        self._submit, self._design, self._run_control = submit, design, run_control
        self._ascii_only = ascii_only

    def dialog(self) -> "LrFinderDialog":
        """The dialog that finds a rate for the design.

        Raises `SpecError` while the design has an error, `RunError` while this process trains.
        """
        from mnist_tui.tui.lab.lr_finder_dialog import LrFinderDialog  # The first frame does not wait for it.

        self._run_control.check_free()
        spec, options = self._design.valid_spec(), self._design.run_options()
        return LrFinderDialog(spec, partial(self._find, spec, options), self._ascii_only)

    def _find(self, spec: RunSpec, options: Options, control: Control, on_step: "OnStep", on_found: "OnFound") -> None:
        def end(found: RatesFound | None, error: str | None) -> None:
            self._run_control.is_finding_rate = False
            on_found(found, error)

        self._run_control.is_finding_rate = True
        self._submit("find-rate", lambda: jobs.find_learning_rate(spec, options, control, on_step), end)
