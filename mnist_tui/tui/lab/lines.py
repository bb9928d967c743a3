"""The lines around the panes: headline and banner above, the status line below, with the device at its right."""

from typing import Any

from mnist_tui.text import clean_line
from mnist_tui.tui import telemetry
from mnist_tui.tui.background import Submit
from mnist_tui.tui.lab import titles
from mnist_tui.tui.lab.design import LabDesign
from mnist_tui.tui.lab.training import TrainingView
from mnist_tui.tui.status import Headline, OneLine, StatusLine

DEVICE_CELLS = 32
"""Longest text about the device."""


class LabLines:
    """Fills the lines from the design and from the current run of a training pane."""

    def __init__(self, submit: Submit, design: LabDesign, view: TrainingView, ascii_only: bool) -> None:
        self.headline, self.banner, self.status = Headline("lab"), OneLine(id="banner"), StatusLine()
        self.waiting = "loading PyTorch"
        """What the user waits for; "" where the progress of the run is shown."""
        self._submit, self._design, self._view, self._ascii_only = submit, design, view, ascii_only

    @property
    def is_other_design(self) -> bool:
        """Whether the design is another recipe than that of the current run."""
        spec, designed = self._view.spec, self._design.spec
        return spec is not None and (designed is None or not titles.is_same_recipe(spec, designed))

    def show(self, is_watching: bool) -> None:
        """Shows headline and status; `is_watching`: another process trains the current run."""
        run = titles.run_parts(self._view.run, is_watching, self.is_other_design)
        self.headline.show([*titles.design_parts(self._design.draft), *run])
        self.show_progress()

    def show_progress(self) -> None:
        """Draws the newest steps and shows how far the run is."""
        self._view.draw_new()
        self.status.show(self._view.progress, self.waiting, self._ascii_only)

    def show_banner(self, is_digits: bool) -> None:
        """Warns while accuracies are not those of MNIST."""
        self.banner.set_class(is_digits, "-shown")
        self.banner.put(titles.NOT_MNIST if is_digits else "")

    def read_device(self) -> None:
        """Reads how busy the device is, in the background, and shows it."""
        device = self._design.run_texts["device"]
        self._submit("device", lambda: telemetry.read(device), self._show_device)

    def _show_device(self, reading: Any, error: str | None) -> None:
        self.status.device = clean_line(error or telemetry.in_words(reading, DEVICE_CELLS), 100)
        self.show_progress()
