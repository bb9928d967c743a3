"""The lines above and below the panes: what is designed, how far the run is, and the device."""

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from mnist_tui.text import clean_line, duration
from mnist_tui.tui.track import Track

BAR_WIDTH = 16
MODES = "1 lab  2 runs  3 compare"
"""The keys that go from mode to mode."""


def progress_parts(track: Track, ascii_only: bool) -> list[str]:
    """How far a run is, the most important first: epoch, bar, best, ETA, loss, images per second, step."""
    started, progress = track.started, track.progress
    if started is None:
        return [track.state]
    fraction = track.fraction_done
    full, empty = ("#", "-") if ascii_only else ("█", "░")
    filled = round(BAR_WIDTH * fraction)
    epoch = progress.epoch if progress else started.epochs_done + 1
    eta = track.eta_seconds()
    best, last = track.best, track.rows[-1] if track.rows else None
    parts = [
        f"{track.name} s{track.seed} {track.state}",
        f"epoch {min(epoch, started.epochs)}/{started.epochs}",
        f"{full * filled}{empty * (BAR_WIDTH - filled)} {fraction:4.0%}",
        f"test {last.test_accuracy:.2%}" if last else "",
        f"best {best.test_accuracy:.2%} in {best.epoch}" if best else "",
        f"ETA {duration(eta)}" if eta is not None and track.state == "training" else "",
        f"loss {progress.loss:.4f}" if progress else "",
        f"{progress.images_per_second:,.0f} img/s" if progress else "",
        f"step {progress.step}/{progress.steps_per_epoch}" if progress else "",
    ]
    return [part for part in parts if part]


def fitting(parts: list[str], width: int) -> str:
    """As many of the parts, from the first, as fit into a line; at least a piece of the first."""
    line = parts[0] if parts else ""
    for part in parts[1:]:
        if len(line) + 2 + len(part) > width:
            break
        line += f"  {part}"
    return clean_line(line, max(0, width))


class OneLine(Static):
    """A line of text that is drawn again only where it says something else."""

    _line = ""

    def put(self, line: str) -> None:
        """Shows a line."""
        if line != self._line:
            self._line = line
            self.update(Content(line), layout=False)


class ProgressLine(OneLine):
    """How far the run under way is; what is waited for, where nothing runs yet."""

    def show(self, track: Track | None, waiting: str, ascii_only: bool) -> None:
        """Shows a run, or else the reason for waiting."""
        parts = [waiting] if waiting or track is None else progress_parts(track, ascii_only)
        self.put(fitting(parts, self.size.width - 2))


class Headline(OneLine):
    """The network and its parameter count first, what was changed, what the run does; in sight at every size."""

    def show(self, parts: list[str]) -> None:
        """Shows as many parts as fit, from the first; the keys of the modes at the right, where there is room."""
        width = self.size.width - 2
        line = fitting(parts, width)
        room = width - cell_len(line)
        self.put(f"{line}{MODES:>{room}}" if room > len(MODES) + 1 else line)
