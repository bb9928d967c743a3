"""The lines above and below the panes: headline with the modes, progress of the run, device."""

from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widgets import Static

from mnist_tui.table import cut_apart
from mnist_tui.text import clean_line, duration, in_ascii
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.modes import MODES

BAR_WIDTH = 16
GAP = 2
"""Cells between two parts of a line."""


class Part(NamedTuple):
    """A part of a line."""

    text: str
    short: str = ""
    """Shorter text for little room; "" for none."""
    rank: int = 0
    """Where there is no room for all, the parts with the highest ranks are left out first."""


def fitted(parts: list[Part], width: int) -> str:
    """As many of the parts as fit into a line, in their order; at least the beginning of the most important one.

    Parts of rank 0 are shortened before one of them is left out.
    """
    for is_short in (False, True):
        kept = [part for part in parts if part.text]
        while kept:
            line = (" " * GAP).join((part.short or part.text) if is_short else part.text for part in kept)
            if cell_len(line) <= width:
                return line
            highest = max(part.rank for part in kept)
            if highest == 0 and not is_short:
                break
            if len(kept) == 1:
                return cut_apart([line], width)[line] if width > 0 else ""
            kept.remove([part for part in kept if part.rank == highest][-1])
    return ""


@dataclass(frozen=True)
class SeedProgress:
    """The progress of the current run, and of the seeds that are trained one after the other."""

    run: RunCurves
    seeds_done: int = 0
    """Runs that have started, including the current one."""
    seeds: int = 1
    """All runs, including those that have not started."""


def progress_parts(progress: SeedProgress, ascii_only: bool) -> list[Part]:
    """The progress of a run; state, seed, epoch, accuracy and ETA are left out last."""
    run = progress.run
    started, step = run.started, run.progress
    if started is None:
        return [Part(run.state)]
    fraction = run.fraction_done
    full, empty = ("#", "-") if ascii_only else ("█", "░")
    filled = round(BAR_WIDTH * fraction)
    epoch = min(step.epoch if step else started.epochs_done + 1, started.epochs)
    eta = run.eta_seconds()
    best, last = run.best, run.rows[-1] if run.rows else None
    seeds = f"seed {progress.seeds_done} of {progress.seeds}" if progress.seeds > 1 else ""
    accuracy = f"{last.test_accuracy:.2%}" if last else ""
    return [
        Part(f"{run.name} s{run.seed}", rank=2),
        Part(run.state, rank=0 if run.state != "training" else 2),
        Part(seeds, f"{progress.seeds_done}/{progress.seeds}"),
        Part(f"epoch {epoch}/{started.epochs}", f"{epoch}/{started.epochs}"),
        Part(f"{full * filled}{empty * (BAR_WIDTH - filled)} {fraction:4.0%}", rank=3),
        Part(f"test {accuracy}" if last else "", accuracy),
        Part(f"best {best.test_accuracy:.2%} in {best.epoch}" if best else "", rank=1),
        Part(f"ETA {duration(eta)}", duration(eta).replace(" min", "m").replace(" s", "s")) if eta else Part(""),
        Part(f"loss {step.loss:.4f}" if step else "", rank=4),
        Part(f"{step.images_per_second:,.0f} img/s" if step else "", rank=5),
        Part(f"step {step.step}/{step.steps_per_epoch}" if step else "", rank=6),
    ]


DEVICE_RANK = 7
"""The device is left out first."""


class OneLine(Static):
    """A line of text that is redrawn only when it changes."""

    DEFAULT_CSS = "OneLine { text-wrap: nowrap; text-overflow: ellipsis; }"
    _line = ""

    def put(self, line: str) -> None:
        """Shows a line, which may contain text from outside."""
        line = clean_line(line)
        if line != self._line:
            self._line = line
            self.update(Content(line), layout=False)


class StatusLine(OneLine):
    """The progress of the run or what the user waits for, and at the right the device, if there is room."""

    DEFAULT_CSS = "StatusLine { height: 1; padding: 0 1; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self.device = ""
        """How busy the device is, as text."""
        self.queue = ""
        """What waits in the queue, and how far the sweep is that is trained, as text."""

    def show(self, progress: SeedProgress | None, waiting: str, ascii_only: bool) -> None:
        """Shows what the user waits for or, if that is "", the progress of a run."""
        width = self.size.width
        parts = [Part(waiting)] if waiting or progress is None else progress_parts(progress, ascii_only)
        queue = self.queue.removeprefix(waiting).lstrip()  # Both say how far a sweep is that begins.
        line = fitted([*parts, Part(queue, rank=1), Part(self.device, rank=DEVICE_RANK)], width)
        if self.device and line.endswith(self.device):
            left = line.removesuffix(self.device).rstrip()
            line = f"{left}{self.device:>{width - cell_len(left)}}"
        self.put(in_ascii(line) if ascii_only else line)


class Headline(Static):
    """Facts, the most important first, and at the right the modes, if there is room."""

    DEFAULT_CSS = "Headline { height: 1; background: $primary 25%; color: $foreground; padding: 0 1; }"

    class ModeClicked(Message):
        """Posted when the name of a mode is clicked."""

        def __init__(self, mode: str) -> None:
            super().__init__()
            self.mode = mode

    def __init__(self, mode: str, ascii_only: bool) -> None:
        super().__init__()
        self._mode, self._ascii_only = mode, ascii_only
        self._parts: list[str] = []
        self._drawn: object = None

    def show(self, parts: list[str]) -> None:
        """Shows as many parts as fit, from the first; they may contain text from outside."""
        self._parts = [clean_line(part) for part in parts]
        width = self.size.width
        if (drawn := (tuple(parts), width)) != self._drawn:
            self._drawn = drawn
            self.update(self._content(width), layout=False)

    def on_resize(self) -> None:
        self.show(self._parts)

    def _content(self, width: int) -> Content:
        modes = self._modes(width)
        room = width - cell_len(modes.plain)
        ranked = [Part(part, rank=index) for index, part in enumerate(self._parts)]
        line = fitted(ranked, room - (GAP if modes.plain else 0))
        line = in_ascii(line) if self._ascii_only else line
        return Content.assemble((f"{line:<{max(0, room - cell_len(line) + len(line))}}", "bold"), modes)

    def _modes(self, width: int) -> Content:
        """The modes, the current one highlighted."""
        labels = _mode_labels(width).items()
        return Content.assemble(*((label, "bold reverse" if mode == self._mode else "") for mode, label in labels))

    def on_click(self, event: Click) -> None:
        end = self.size.width + 1  # One cell of padding at each side.
        for mode, label in reversed(_mode_labels(self.size.width).items()):
            end -= len(label)
            if event.x >= end:
                self.post_message(self.ModeClicked(mode))
                return


def _mode_labels(width: int) -> dict[str, str]:
    """The label of each mode in a headline of `width` cells: shorter where there is less room, none below 40 cells."""
    if width < 40:
        return {}
    if width < 60:
        return {mode.name: f" {mode.key} " for mode in MODES}
    if width < 100:
        return {mode.name: f"{mode.key} {mode.short} " for mode in MODES}
    if width < 130:
        return {mode.name: f"{mode.key} {mode.title} " for mode in MODES}
    return {mode.name: f" {mode.key} {mode.title} " for mode in MODES}
