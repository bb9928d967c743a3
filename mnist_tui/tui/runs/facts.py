"""The facts about a run beside the table: results, changes against an earlier run, settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from rich.text import Text

from mnist_tui.analysis import tables
from mnist_tui.runs import columns
from mnist_tui.runs.columns import column, data_warning, seed_words
from mnist_tui.runs.record import Run
from mnist_tui.table import cut_apart
from mnist_tui.text import clean_line
from mnist_tui.tui.runs.cells import STATES, cell_of
from mnist_tui.tui.runs.saved_curves import SavedCurves
from mnist_tui.tui.runs.selection import RunGroup
from mnist_tui.tui.themes import style_of

IN_FIRST_LINES = ("name", "seed", "state", "target", "best", "last", "gap", "curve", "data", "reason", "note")
"""Columns that the first lines show."""
TITLE_CELLS = 40
"""Cells of the run's name in the first line."""
NAME_CELLS = 14
"""Cells of a fact's name."""


@dataclass(frozen=True)
class RunFacts:
    """The facts of a run, or of several seeds of one recipe."""

    group: RunGroup
    curves: SavedCurves
    changes: Sequence[str]
    """What changed against the nearest earlier run."""
    others: Sequence[tuple[str, str]]
    """Names and texts of the other facts."""

    @classmethod
    def read(cls, group: RunGroup, runs: Sequence[Run]) -> "RunFacts":
        """Reads the folders of a group, and looks for its nearest earlier run among all."""
        run = group[0]
        facts = [(each.heading, each.of(group)) for each in columns.ALL if each.key not in IN_FIRST_LINES]
        facts += [("note", run.note)]
        changes = tables.changes(run, runs) if run.is_run else []
        return cls(
            group, SavedCurves.read(group), changes, [(name, text) for name, text in facts if text not in ("", "-")]
        )

    def text(self, width: int, variables: Mapping[str, str]) -> Text:
        """The facts in lines of `width` cells, in the colours of a theme."""
        lines = [self._title(variables)]
        run = self.group[0]
        if warning := data_warning(run):
            lines.append(Text(f"! {warning}", style_of("warning", variables)))
        for line in (*self._result(), "", *self.changes, ""):
            lines += _paragraph(line, width, indent=6)
        for name, text in self.others:
            lines += _paragraph(text, width, indent=NAME_CELLS, first=f"{name:<{NAME_CELLS}}")
        return Text("\n").join(lines)

    def _title(self, variables: Mapping[str, str]) -> Text:
        run = self.group[0]
        seeds = seed_words(self.group) if len(self.group) > 1 or run.seed is not None else ""
        name = cut_apart([run.name], TITLE_CELLS)[run.name]
        text = Text(name + (f", {seeds}" if seeds else ""), "bold")
        text.append(f"  {run.state}", style_of(STATES.get(run.state, ""), variables))
        verdict, colour = cell_of(column("target"), self.group)
        if verdict != "-":
            text.append(f"  target {verdict}", style_of(colour, variables))
        return text

    def _result(self) -> list[str]:
        """The accuracies, and why the run ended early."""
        run, lines = self.group[0], []
        best, last, gap = [column(key).of(self.group) for key in ("best", "last", "gap")]
        if best != "-":
            epoch = f" in epoch {run.best_epoch}" if len(self.group) == 1 else ""
            lines.append(f"best {best}{epoch}, last {last}, train − test gap {gap} points")
        return lines if run.state == "completed" else [*lines, clean_line(run.reason, 300)]


def _paragraph(text: str, width: int, indent: int, first: str = "") -> list[Text]:
    """A text in lines; the first begins with `first`, the others are indented."""
    width, after = max(indent + 10, width), " " * indent
    lines = wrap(text, width, initial_indent=first, subsequent_indent=after, break_on_hyphens=False)
    return list(map(Text, lines or [""]))
