"""How the run in sight stands against its target while it trains, and how it ended: a card in the training pane."""

from textwrap import wrap
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Static

from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line, duration
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab.budget import budget_lines, budget_text

RESUMABLE = ("stopped", "failed")
"""How a run ended that can be gone on with."""
MOST_LINES = 3
"""Of one sentence."""


class RunCard(Static, can_focus=True):
    """One line while a run is trained, and all that is to be said of it at its end."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("enter", "open_run", "Open the run", tooltip="its epochs, changes, layers, log, notes"),
            Binding("r", "resume_run", "Resume", tooltip="goes on with the run where it stopped"),
        ]
    )
    DEFAULT_CSS = """
    RunCard { height: auto; padding: 0 1; background: $panel; display: none; text-wrap: nowrap; }
    RunCard:focus { background: $primary 25%; }
    """

    class Opened(Message):
        """The run is to be looked at."""

    class Resumed(Message):
        """The run is to be gone on with."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only
        self._run: RunCurves | None = None
        self._shown: tuple[RunCurves | None, RunSpec | None, str] = (None, None, "")
        self._lines: list[Text] = []

    @property
    def has_ended(self) -> bool:
        """Whether the run in sight has ended."""
        return self._run is not None and self._run.ended is not None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        can_resume = self._run is not None and self._run.ended is not None
        can_resume = can_resume and self._run.ended.outcome in RESUMABLE  # type: ignore[union-attr]
        return can_resume if action == "resume_run" else True

    def show(self, run: RunCurves | None, spec: RunSpec | None, seeds: str) -> None:
        """Shows a run with its spec, where that is known; `seeds` is the sentence about the seeds of the action."""
        was_ended = self.has_ended
        self._run, self._shown = run, (run, spec, seeds)
        lines = self._card() if self.has_ended else self._budget()
        if lines != self._lines:
            is_layout = len(lines) != len(self._lines)
            self._lines = lines
            self.display = bool(lines)
            self.update(Text("\n").join(lines), layout=is_layout)
        if was_ended != self.has_ended:
            self.refresh_bindings()

    def on_resize(self) -> None:
        self.show(*self._shown)

    def _budget(self) -> list[Text]:
        run, spec, _ = self._shown
        if run is None or run.started is None or spec is None:
            return []
        lines = budget_lines(spec, run.rows, run.started.dataset == "mnist")
        found = budget_text(lines, run.ended is not None, self._ascii_only)
        return [found] if found else []

    def _card(self) -> list[Text]:
        run, _, seeds = self._shown
        assert run is not None
        assert run.ended is not None
        ended = run.ended
        lines = [Text(f"{ended.outcome} after {duration(ended.seconds)}", "bold")]
        if ended.outcome != "completed":
            lines += self._wrapped(clean_line(ended.message, 300))
        if ended.best is not None and ended.last is not None:
            by = "" if ended.chosen_by == "validation" else ", chosen on the test set"
            lines += self._wrapped(f"best {ended.best.test_accuracy:.2%} in epoch {ended.best.epoch}{by}")
            lines.append(Text(f"last {ended.last.test_accuracy:.2%} in epoch {ended.last.epoch}"))
        lines += self._budget()
        lines += self._wrapped(seeds)
        if run.started is not None:
            lines.append(Text(self._folder(clean_line(run.started.folder, 500)), "dim"))
        resume = ", r resumes it" if ended.outcome in RESUMABLE else ""
        lines += self._wrapped(f"F6, Enter opens the run{resume}; t begins a new run", "dim")
        for line in lines:
            line.truncate(self._width, overflow="crop" if self._ascii_only else "ellipsis")
        return lines

    @property
    def _width(self) -> int:
        return max(1, self.size.width)

    def _wrapped(self, text: str, style: str = "") -> list[Text]:
        return [Text(line, style) for line in wrap(text, self._width)[:MOST_LINES]]

    def _folder(self, folder: str) -> str:
        """A folder; where it is too long its end, which is the name of the run."""
        mark = "~" if self._ascii_only else "…"
        return folder if len(folder) <= self._width else mark + folder[len(folder) - self._width + 1 :]

    def action_open_run(self) -> None:
        """Opens the run."""
        if self._run is not None:
            self.post_message(self.Opened())

    def action_resume_run(self) -> None:
        """Goes on with the run."""
        self.post_message(self.Resumed())
