"""The reference run of the preset that is open, as the curve to beat; read in the background."""

from mnist_tui.datasets.names import AUTO
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui.background import Submit
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.design import LabDesign
from mnist_tui.tui.lab.training import TrainingView


class ReferenceCurve:
    """Gives the training pane the reference run of the design's preset."""

    def __init__(self, submit: Submit, design: LabDesign, view: TrainingView) -> None:
        self._submit, self._design, self._view = submit, design, view
        self._has_begun = False
        self._preset: RunSpec | None = None
        """The preset whose reference run was asked for last; None where the design is for another data set."""

    def begin(self) -> None:
        """Reads the first one; called once the first frame is drawn."""
        self._has_begun = True
        self.update()

    def update(self) -> None:
        """Reads another one where another preset is open; there is none on another data set than the preset's."""
        base = self._design.base
        preset = base if self._design.run_texts["dataset"] in (AUTO, base.target_data) else None
        if self._has_begun and preset != self._preset:
            self._preset = preset
            self._submit("reference", lambda: jobs.reference_curves(preset) if preset else None, self._show)

    def _show(self, run: RunCurves | None, error: str | None) -> None:
        self._view.show_reference(run)
