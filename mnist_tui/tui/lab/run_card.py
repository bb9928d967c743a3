"""The card of the current run: its standing against the target while it trains, and its outcome at the end."""

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Static

from mnist_tui.runs.events import RunEnded
from mnist_tui.runs.record import RESUMABLE
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line, duration
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab.budget import budget_lines, budget_text

if TYPE_CHECKING:
    from mnist_tui.analysis.coach.evidence import Advice

MOST_LINES = 3
"""Longest sentence, in lines."""
ADVICE_RANK = 4
"""Behind the outcome, the best epoch, the target and the message."""
ADVICE_LINES = 2
"""Longest advice, in lines: the dialog has all of it."""


class RunCard(Static, can_focus=True):
    """One line while a run is trained, up to `max_lines` lines at its end."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("enter", "open_run", "Open the run", tooltip="its epochs, changes, layers, log, notes"),
            Binding("r", "resume_run", "Resume", tooltip="continues the run where it stopped"),
        ]
    )
    DEFAULT_CSS = """
    RunCard { height: auto; padding: 0 1; background: $panel; display: none; text-wrap: nowrap; }
    RunCard:focus { background: $primary 25%; }
    """

    class Opened(Message):
        """Request to open the views of the run."""

    class Resumed(Message):
        """Request to resume the run."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only
        self.max_lines = 20
        self._run: RunCurves | None = None
        self._shown: tuple[RunCurves | None, RunSpec | None, str, Sequence[Advice]] = (None, None, "", ())
        self._lines: list[Text] = []

    @property
    def has_ended(self) -> bool:
        """Whether the run has ended."""
        return self._run is not None and self._run.ended is not None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        end = self._run.ended if self._run is not None else None
        return action != "resume_run" or (end is not None and end.outcome in RESUMABLE)

    def show(self, run: RunCurves | None, spec: RunSpec | None, seeds: str, advice: "Sequence[Advice]" = ()) -> None:
        """Shows a run with its spec, once that is known, and what the coach says about a run that ended.

        `seeds` is the sentence about all seeds of the recipe.
        """
        was_ended = self.has_ended
        self._run, self._shown = run, (run, spec, seeds, advice)
        lines = self._card(run, run.ended) if run is not None and run.ended is not None else self._budget()
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
        run, spec, *_ = self._shown
        if run is None or run.started is None or spec is None:
            return []
        lines = budget_lines(spec, run.rows, spec.is_judged_on(run.started.dataset))
        text = budget_text(lines, run.ended is not None, self._ascii_only)
        return [text] if text else []

    def _card(self, run: RunCurves, end: RunEnded) -> list[Text]:
        """The lines about a run that ended; where there is less room, those with the lowest ranks, in their order."""
        *_, seeds, advice = self._shown
        lines = [(0, Text(f"{end.outcome} after {duration(end.seconds)}", "bold"))]
        if end.outcome != "completed":
            lines += [(3, line) for line in self._wrap(clean_line(end.message, 300))]
        if end.best is not None and end.last is not None:
            by = "" if end.chosen_by == "validation" else ", chosen on the test set"
            best = self._wrap(f"best {end.best.test_accuracy:.2%} in epoch {end.best.epoch}{by}")
            lines += [(1, line) for line in best]
            lines.append((7, Text(f"last {end.last.test_accuracy:.2%} in epoch {end.last.epoch}")))
        lines += [(2, line) for line in self._budget()]
        room = self.max_lines - sum(rank < ADVICE_RANK for rank, _ in lines)
        lines += [(ADVICE_RANK, line) for line in self._first(advice, min(ADVICE_LINES, room))]
        lines += [(6, line) for line in self._wrap(seeds)]
        if run.started is not None:
            lines.append((8, Text(self._cut_folder(clean_line(run.started.folder, 500)), "dim")))
        resume = ", r resumes it" if end.outcome in RESUMABLE else ""
        lines += [(5, line) for line in self._wrap(f"F6, Enter opens the run{resume}; t begins a new run", "dim")]
        return self._keep(lines)

    def _keep(self, ranked: Sequence[tuple[int, Text]]) -> list[Text]:
        """As many lines as there is room for, those with the lowest ranks, in their order; a mark where one is cut."""
        by_rank = sorted(range(len(ranked)), key=lambda index: ranked[index][0])
        kept, dropped = by_rank[: self.max_lines], by_rank[self.max_lines :]
        if dropped and ranked[kept[-1]][0] == ranked[dropped[0]][0]:
            ranked[kept[-1]][1].append(f" {self._mark}")
        for index in kept:
            ranked[index][1].truncate(self._width, overflow="crop" if self._ascii_only else "ellipsis")
        return [ranked[index][1] for index in sorted(kept)]

    @property
    def _mark(self) -> str:
        return "~" if self._ascii_only else "…"

    @property
    def _width(self) -> int:
        return max(1, self.size.width)

    def _wrap(self, text: str, style: str = "") -> list[Text]:
        return [Text(line, style) for line in wrap(text, self._width)[:MOST_LINES]]

    def _first(self, advice: "Sequence[Advice]", max_lines: int) -> list[Text]:
        """The start of the most urgent advice, and the key that shows all of it."""
        if not advice or max_lines < 1:
            return []
        first = f"advice 1 of {len(advice)}, key a: {advice[0].sentence} {advice[0].suggestion}"
        wrapped = wrap(clean_line(first, 500), self._width, max_lines=max_lines, placeholder=f" {self._mark}")
        return [Text(line) for line in wrapped]

    def _cut_folder(self, folder: str) -> str:
        """A folder, or the end of one that is too long: it has the name of the run."""
        return folder if len(folder) <= self._width else self._mark + folder[len(folder) - self._width + 1 :]

    def action_open_run(self) -> None:
        """Opens the run."""
        if self._run is not None:
            self.post_message(self.Opened())

    def action_resume_run(self) -> None:
        """Resumes the run."""
        self.post_message(self.Resumed())
