"""Parameters, accuracy and epochs against the target: of a design before it is trained, of a run while it trains."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.text import Text
from textual.widgets import Static

from mnist_tui.runs import verdict
from mnist_tui.runs.events import EpochEnded
from mnist_tui.spec.recipe import Target
from mnist_tui.spec.run_spec import RunSpec

LINES, BRIEF_LINES = 3, 5
"""Lines of the card: of a design, and of one beside the step of a course brief."""
BAR = 12
"""Cells of the bar that shows how much of the parameters is used."""

Standing = Literal["met", "open", "missed", "not judged", "not asked"]
"""Of a part of the target: `open` means not met yet; what is `not judged` stays so at the end of the run."""
SIGNS: dict[Standing, tuple[str, str]] = {
    "met": ("✓", "+"),
    "open": ("…", "."),
    "missed": ("✗", "!"),
    "not judged": ("…", "."),
    "not asked": ("", ""),
}
"""With and without Unicode."""
STYLES: dict[Standing, str] = {
    "met": "not dim",
    "open": "dim",
    "missed": "not dim bold reverse",
    "not judged": "dim",
    "not asked": "",
}


@dataclass(frozen=True)
class BudgetLine:
    """One part of the target."""

    name: str
    fact: str
    """The value, and the target's."""
    short: str
    """The same in a few characters."""
    standing: Standing
    words: str = ""
    """The standing in words, such as `OVER by 12`; "" where there is nothing to say."""


@dataclass(frozen=True)
class ShownStep:
    """The step of the chosen course brief that the card shows: the first that no run has reached, else the last."""

    title: str
    """`steps 2/4: The skeleton`."""
    target: Target
    reached: Sequence[str]
    """Which step is reached by which run, in texts that get shorter, of which the first that fits is shown; or none."""
    best: str
    """The best attempt at the step, and what it is short of; "" where it is reached or was not tried."""


def judged_by(spec: RunSpec, step: ShownStep | None) -> RunSpec:
    """A design with the target of a step in place of its own; without a step as it is."""
    return spec if step is None else spec.model_copy(update={"target": step.target})


def headline_parts(spec: RunSpec) -> list[str]:
    """The parameter count and, where there is a target, its verdict, in a few words each."""
    line, allowed = _parameters(spec), spec.target.parameters
    return [f"{spec.parameters:,} params", *([] if allowed is None else [f"{line.words} (< {allowed:,})"])]


def budget_lines(spec: RunSpec, rows: Sequence[EpochEnded], is_judged: bool) -> list[BudgetLine]:
    """Parameters, accuracy and epochs against the target: after the epochs of a run or, without any, of a design.

    The standings follow `runs.verdict`, so that the card agrees with the verdict that the run is saved with.
    """
    parts = verdict.after_training(spec, rows, is_judged) if rows else verdict.before_training(spec)
    return [_parameters(spec), _accuracy(spec, rows, is_judged, dict(parts or {})), _epochs(spec, rows)]


def _parameters(spec: RunSpec) -> BudgetLine:
    count, allowed = spec.parameters, spec.target.parameters
    if allowed is None:
        return BudgetLine("parameters", f"{count:,}", f"params {count:,}", "not asked")
    over = count - allowed + 1
    if over > 0:
        fact, short = f"{count:,} of {allowed:,}", f"params {count:,}/{allowed:,}"
        return BudgetLine("parameters", fact, short, "missed", f"OVER by {over:,}")
    return BudgetLine("parameters", f"{count:,} < {allowed:,}", f"params {count:,}", "met", "ok")


def _accuracy(spec: RunSpec, rows: Sequence[EpochEnded], is_judged: bool, parts: dict[str, bool | None]) -> BudgetLine:
    target, count = spec.target.test_accuracy, spec.target.last_epochs
    # Of fewer epochs than the target asks about, what they have reached so far.
    counted = spec.target.model_copy(update={"last_epochs": min(count, len(rows))}) if count and rows else spec.target
    judged = verdict.accuracy_for(counted, [row.test_accuracy for row in rows])
    reached = "-" if judged is None else f"{judged:.2%}"
    where = f"{'mean' if spec.target.rule == 'mean' else 'last'} {count}" if count else "best"
    name = f"{where} acc"
    if target is None:
        return BudgetLine(name, reached if rows else "no target", f"{where} {reached}", "not asked")
    if not rows:
        return BudgetLine(name, f"{target:.2%} wanted", f"{where} {target:.2%}", "not judged")
    short = f"{where} {reached.removesuffix('%')}/{target:.2%}"
    fact = f"{reached} of {target:.2%}"
    if not is_judged:
        return BudgetLine(name, fact, short, "not judged", "not judged")
    if count and len(rows) < count:
        return BudgetLine(name, fact, short, "open", f"not yet: {len(rows)} of {count}")
    is_met = parts.get("test_accuracy")
    return BudgetLine(name, fact, short, *(("met", "ok") if is_met else ("open", "not yet")))


def _epochs(spec: RunSpec, rows: Sequence[EpochEnded]) -> BudgetLine:
    allowed, epochs = spec.target.epochs, spec.train.epochs
    fact = f"{len(rows)} of {epochs}" if rows else f"{epochs}"
    short = f"epochs {fact.replace(' of ', '/')}"
    if allowed is None:
        return BudgetLine("epochs", fact, short, "not asked")
    over = (len(rows) or epochs) - allowed
    fact = f"{fact}, at most {allowed}"
    if over > 0:
        return BudgetLine("epochs", fact, f"{short} > {allowed}", "missed", f"OVER by {over}")
    # A run may end before its last epoch, and is judged by the epochs that it took.
    return BudgetLine("epochs", fact, short, "met", "ok" if epochs <= allowed else "ok so far")


def budget_text(lines: Sequence[BudgetLine], has_ended: bool, ascii_only: bool) -> Text:
    """The parts of the target on one line, each with its sign; after the end of the run an open part is missed."""
    text = Text(no_wrap=True)
    for line in lines:
        if line.standing != "not asked":
            standing: Standing = "missed" if has_ended and line.standing == "open" else line.standing
            text.append(f"{'  ' if text else ''}{SIGNS[standing][ascii_only]} {line.short}", STYLES[standing])
    return text


def _progress(step: ShownStep, width: int) -> list[Text]:
    """The lines on the progress of the runs, the first of them the one that is kept where there is little room."""
    reached = [text for text in step.reached if cell_len(text) <= width] or list(step.reached[-1:])
    lines = [*reached[:1], *([step.best] if step.best else [])]
    return [Text(line, "dim") for line in lines or ["no step reached yet"]]


class BudgetCard(Static):
    """Parameters, accuracy and epochs of the design against its target, in three lines.

    While a course brief is followed, against the target of its current step, with a line on the step above them and up
    to two on the progress of the runs below.
    """

    DEFAULT_CSS = """
    BudgetCard { height: 3; padding: 0 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, ascii_only: bool, brief: str | None = None) -> None:
        """A card that has room for a step of `brief` before it is read; None without one."""
        super().__init__()
        self.styles.height = LINES if brief is None else BRIEF_LINES
        self.ascii_only = ascii_only
        self._spec: RunSpec | None = None
        self._step: ShownStep | None = None
        self._shown: Text | None = None

    def show(self, spec: RunSpec) -> None:
        """Shows a design."""
        self._spec = spec
        self._draw()

    def show_step(self, step: ShownStep | None) -> None:
        """Shows the design against the step of a brief; None against its own target."""
        self._step = step
        self.styles.height = LINES
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._spec is None:
            return
        spec, width = judged_by(self._spec, self._step), self.size.width
        lines = budget_lines(spec, (), is_judged=True)
        texts = [self._line(spec, line) for line in lines]
        if max(text.cell_len for text in texts) > width:  # The standing, at the right, must stay visible.
            texts = [self._short_line(line) for line in lines]
        if self._step is not None:
            texts = [Text(self._step.title, "bold"), *texts, *_progress(self._step, width)]
            self.styles.height = len(texts)
        card_text = Text("\n").join(texts)
        if card_text != self._shown:
            self._shown = card_text
            self.update(card_text, layout=False)

    def _line(self, spec: RunSpec, line: BudgetLine) -> Text:
        text = Text(f"{line.name:<11}", "dim", no_wrap=True)
        text.append(f" {line.fact}", "not dim bold")
        text.append(
            f"  {SIGNS[line.standing][self.ascii_only]} {line.words}" if line.words else "", STYLES[line.standing]
        )
        if line.name == "parameters" and spec.target.parameters and self.size.width > 52:
            text.append(f"  {self._bar(spec.parameters / spec.target.parameters)}", "not dim")
        return text

    def _short_line(self, line: BudgetLine) -> Text:
        text = Text(line.short, "bold", no_wrap=True)
        text.append(
            f" {SIGNS[line.standing][self.ascii_only]} {line.words}" if line.words else "", STYLES[line.standing]
        )
        return text

    def _bar(self, share: float) -> str:
        full, empty = ("#", "-") if self.ascii_only else ("█", "░")
        filled = min(BAR, round(BAR * share))
        return f"{full * filled}{empty * (BAR - filled)} {share:.0%}"
