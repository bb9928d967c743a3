"""The lines above and below the panes: what is designed, how far the run is, and the device."""

from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widgets import Static

from mnist_tui.text import clean_line, duration
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.modes import MODES

BAR_WIDTH = 16
GAP = 2
"""Cells between two parts of a line."""
MODE_NAMES = {mode.name: f"{mode.key} {mode.title}" for mode in MODES}


class Part(NamedTuple):
    """A part of a line."""

    text: str
    short: str = ""
    """What stands for it where there is little room; without it the text."""
    rank: int = 0
    """The parts with the highest ranks go first, where there is no room for all."""


def fitted(parts: list[Part], width: int) -> str:
    """As many of the parts as fit into a line, in their order; at least a piece of the most important one.

    Those of rank 0 are written short before one of them goes.
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
                return set_cell_size(clean_line(line), max(0, width)).rstrip()
            kept.remove([part for part in kept if part.rank == highest][-1])
    return ""


@dataclass(frozen=True)
class SeedProgress:
    """How far an action is: one run, or several seeds of one recipe."""

    run: RunCurves
    seeds_done: int = 0
    """Runs of the action that were begun, this one with them."""
    seeds: int = 1
    """Runs that the action has."""


def progress_parts(progress: SeedProgress, ascii_only: bool) -> list[Part]:
    """How far a run is: accuracy, epoch, time of arrival and seed are what goes last."""
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
    test = f"test {last.test_accuracy:.2%}" if last else ""
    return [
        Part(f"{run.name} s{run.seed}", rank=2),
        Part(run.state, rank=0 if run.state != "training" else 2),
        Part(seeds, f"{progress.seeds_done}/{progress.seeds}"),
        Part(f"epoch {epoch}/{started.epochs}", f"{epoch}/{started.epochs}"),
        Part(f"{full * filled}{empty * (BAR_WIDTH - filled)} {fraction:4.0%}", rank=3),
        Part(test, test.removeprefix("test ")),
        Part(f"best {best.test_accuracy:.2%} in {best.epoch}" if best else "", rank=1),
        Part(f"ETA {duration(eta)}", duration(eta).replace(" min", "m").replace(" s", "s")) if eta else Part(""),
        Part(f"loss {step.loss:.4f}" if step else "", rank=4),
        Part(f"{step.images_per_second:,.0f} img/s" if step else "", rank=5),
        Part(f"step {step.step}/{step.steps_per_epoch}" if step else "", rank=6),
    ]


DEVICE_RANK = 7
"""What the device does is the first to go."""


class OneLine(Static):
    """A line of text that is drawn again only where it says something else."""

    _line = ""

    def put(self, line: str) -> None:
        """Shows a line; what it is made of may come from outside."""
        line = clean_line(line)
        if line != self._line:
            self._line = line
            self.update(Content(line), layout=False)


class StatusLine(OneLine):
    """How far the run under way is, or what is waited for; at the right the device, where there is room."""

    DEFAULT_CSS = "StatusLine { height: 1; padding: 0 1; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self.device = ""
        """What the device does, in words."""

    def show(self, progress: SeedProgress | None, waiting: str, ascii_only: bool) -> None:
        """Shows a run, or else the reason for waiting."""
        width = self.size.width
        parts = [Part(waiting)] if waiting or progress is None else progress_parts(progress, ascii_only)
        line = fitted([*parts, Part(self.device, rank=DEVICE_RANK)], width)
        if self.device and line.endswith(self.device):
            left = line.removesuffix(self.device).rstrip()
            line = f"{left}{self.device:>{width - cell_len(left)}}"
        self.put(line)


class Headline(Static):
    """What is looked at, the most important first; at the right the modes, where there is any room for them."""

    DEFAULT_CSS = "Headline { height: 1; background: $primary 25%; color: $foreground; padding: 0 1; }"

    class ModeClicked(Message):
        """Posted when the name of a mode is clicked."""

        def __init__(self, mode: str) -> None:
            super().__init__()
            self.mode = mode

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode = mode
        self._parts: list[str] = []
        self._drawn: object = None

    def show(self, parts: list[str]) -> None:
        """Shows as many parts as fit, from the first; they may come from outside."""
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
        return Content.assemble((f"{line:<{max(0, room - cell_len(line) + len(line))}}", "bold"), modes)

    def _modes(self, width: int) -> Content:
        """The modes, the one that is looked at emphasised; only its keys where there is little room."""
        if width < 40:
            return Content("")
        names = {mode: name if width >= 60 else name[0] for mode, name in MODE_NAMES.items()}
        parts = [(f" {name} ", "bold reverse" if mode == self._mode else "") for mode, name in names.items()]
        return Content.assemble(*parts)

    def on_click(self, event: Click) -> None:
        at = self.size.width + 1  # One cell of padding at each side.
        for mode, name in reversed(MODE_NAMES.items()):
            at -= (len(name) if self.size.width >= 60 else 1) + 2
            if event.x >= at:
                self.post_message(self.ModeClicked(mode))
                return
