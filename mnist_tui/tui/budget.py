"""The budget card: parameters, accuracy and epochs against the target, judged while one designs and while it trains."""

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import Static

from mnist_tui import verdict
from mnist_tui.events import EpochEnded
from mnist_tui.spec import RunSpec

BAR = 12
"""Cells of the bar that shows how much of the parameters is used."""


def headline_parts(spec: RunSpec) -> list[str]:
    """The parameter count and, where there is a target, its verdict, in a few words each."""
    _, _, words = _parameters(spec)
    return [f"{spec.parameters:,} params", *([f"{words} (< {spec.target.parameters:,})"] if words else [])]


def budget_lines(spec: RunSpec, rows: Sequence[EpochEnded], is_mnist: bool) -> list[tuple[str, str, str]]:
    """For parameters, accuracy and epochs: the name, the fact, and the verdict in words ("" where there is no target).

    The verdicts are those of `verdict`, so that what is said while it trains and what is said at the end agree.
    """
    parts = verdict.after_training(spec, rows, is_mnist) if rows else verdict.before_training(spec)
    return [_parameters(spec), _accuracy(spec, rows, is_mnist, dict(parts or {})), _epochs(spec, rows)]


def _parameters(spec: RunSpec) -> tuple[str, str, str]:
    allowed = spec.target.parameters
    if allowed is None:
        return "parameters", f"{spec.parameters:,}", ""
    over = spec.parameters - allowed + 1
    return (
        "parameters",
        f"{spec.parameters:,} < {allowed:,}" if over <= 0 else f"{spec.parameters:,} of {allowed:,}",
        "ok" if over <= 0 else f"OVER by {over:,}",
    )


def _accuracy(
    spec: RunSpec, rows: Sequence[EpochEnded], is_mnist: bool, parts: dict[str, bool | None]
) -> tuple[str, str, str]:
    wanted, count = spec.target.test_accuracy, spec.target.last_epochs
    judged = [row.test_accuracy for row in rows][-(count or len(rows)) :]
    reached = (min(judged) if count else max(judged)) if judged else None
    what = f"last {count} acc" if count else "best acc"
    fact = "-" if reached is None else f"{reached:.2%}"
    if wanted is None:
        return what, fact, ""
    if not is_mnist:
        words = "not judged"
    elif count and 0 < len(rows) < count:
        words = f"not yet: {len(rows)} of {count}"
    else:
        words = "ok" if parts.get("test_accuracy") else "not yet"
    return what, f"{fact} of {wanted:.2%}", words


def _epochs(spec: RunSpec, rows: Sequence[EpochEnded]) -> tuple[str, str, str]:
    allowed, epochs = spec.target.epochs, spec.train.epochs
    fact = f"{len(rows)} of {epochs}" if rows else f"{epochs}"
    if allowed is None:
        return "epochs", fact, ""
    over = (len(rows) or epochs) - allowed
    # A run may end before its plan does, and is judged by the epochs that it took.
    words = f"OVER by {over}" if over > 0 else "ok" if epochs <= allowed else "ok so far"
    return "epochs", f"{fact}, at most {allowed}", words


class BudgetCard(Static):
    """Three lines: what is allowed, what there is, and whether that is within it."""

    DEFAULT_CSS = (
        "BudgetCard { height: 3; padding: 0 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis; }"
    )

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self.ascii_only = ascii_only
        self._shown: tuple[RunSpec, Sequence[EpochEnded], bool] | None = None

    def show(self, spec: RunSpec, rows: Sequence[EpochEnded], is_mnist: bool) -> None:
        """Shows a design, and the epochs of the run in sight."""
        self._shown = (spec, rows, is_mnist)
        facts = budget_lines(spec, rows, is_mnist)
        lines = [self._line(spec, *fact) for fact in facts]
        if max(line.cell_len for line in lines) > self.size.width:  # The verdict, at the right, must stay in sight.
            lines = [self._line(spec, *fact, is_short=True) for fact in facts]
        self.update(Text("\n").join(lines), layout=False)

    def on_resize(self) -> None:
        if self._shown is not None:
            self.show(*self._shown)

    def _line(self, spec: RunSpec, name: str, fact: str, words: str, is_short: bool = False) -> Text:
        short = "params" if name == "parameters" else name.removesuffix(" acc")
        line = Text(f"{short:<6}" if is_short else f"{name:<11}", "dim", no_wrap=True)
        line.append(f" {fact.replace('% of ', '/').replace(' of ', '/') if is_short else fact}", "not dim bold")
        if words:
            is_met = words == "ok"
            sign = ("+" if is_met else "!") if self.ascii_only else ("✓" if is_met else "✗" if "OVER" in words else "…")
            line.append(
                f"{' ' if is_short else '  '}{sign} {words}",
                "not dim" if is_met else "not dim bold reverse" if "OVER" in words else "dim",
            )
        if name == "parameters" and spec.target.parameters and self.size.width > 52:
            line.append(f"  {self._bar(spec.parameters / spec.target.parameters)}", "not dim")
        return line

    def _bar(self, share: float) -> str:
        full, empty = ("#", "-") if self.ascii_only else ("█", "░")
        filled = min(BAR, round(BAR * share))
        return f"{full * filled}{empty * (BAR - filled)} {share:.0%}"
