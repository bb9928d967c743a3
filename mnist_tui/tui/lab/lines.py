"""The lines around the panes: headline and banner above, the status line below, with the device at its right."""

from typing import Any

from mnist_tui.datasets.names import AUTO
from mnist_tui.datasets.published import MNIST
from mnist_tui.text import clean_line
from mnist_tui.tui import telemetry
from mnist_tui.tui.background import Submit
from mnist_tui.tui.lab import titles
from mnist_tui.tui.lab.design import LabDesign
from mnist_tui.tui.lab.panes import Pane
from mnist_tui.tui.lab.previews import Previews
from mnist_tui.tui.lab.training import TrainingView
from mnist_tui.tui.runner import Runner
from mnist_tui.tui.status import Headline, OneLine, StatusLine

DEVICE_CELLS = 32
"""Longest text about the device."""


class LabLines:
    """Fills the lines, and the title of the training pane, from the design and the current run."""

    def __init__(
        self, submit: Submit, design: LabDesign, previews: Previews, runner: Runner, training: Pane, view: TrainingView
    ) -> None:
        self.headline = Headline("lab", view.ascii_only)
        self.banner, self.status = OneLine(id="banner"), StatusLine()
        self.waiting = "loading PyTorch"
        """What the user waits for; "" where the progress of the run is shown."""
        self._submit, self._design, self._previews, self._runner = submit, design, previews, runner
        self._training, self._view = training, view

    def show(self) -> None:
        """Shows everything."""
        run, is_other = self._view.run, self._is_other_design
        is_watching = self._runner.is_watching and self._runner.is_busy
        design_parts = titles.design_parts(self._design.draft, self._design.step)
        self.headline.show([*design_parts, *titles.run_parts(run, is_watching, is_other)])
        self._training.retitle(titles.training_title(run, is_other))
        warning = titles.data_warning(self._dataset)
        self.banner.set_class(bool(warning), "-shown")
        self.banner.put(warning)
        self.show_progress()

    @property
    def _is_other_design(self) -> bool:
        """Whether the design is another recipe than that of the current run."""
        spec, designed = self._view.spec, self._design.spec
        return spec is not None and (designed is None or not titles.is_same_recipe(spec, designed))

    @property
    def _dataset(self) -> str:
        """The data set of the current run where it is not MNIST or, once it has ended, that of the next one."""
        started = self._view.run.started if self._view.run else None
        if started is not None and (started.dataset != MNIST.name or self._runner.is_busy):
            return started.dataset
        chosen, spec = self._design.run_texts["dataset"], self._design.spec
        designed = spec.data.dataset_for(chosen).name if spec is not None else chosen
        return self._previews.dataset if designed in (AUTO, MNIST.name) else designed

    def show_progress(self) -> None:
        """Draws the newest steps and shows how far the run is."""
        self._view.draw_new()
        self.status.show(self._view.progress, self.waiting, self._view.ascii_only)

    def read_device(self) -> None:
        """Reads how busy the device is, in the background, and shows it."""
        device = self._design.run_texts["device"]
        self._submit("device", lambda: telemetry.read(device), self._show_device)

    def _show_device(self, reading: Any, error: str | None) -> None:
        self.status.device = clean_line(error or telemetry.in_words(reading, DEVICE_CELLS), 100)
        self.show_progress()
