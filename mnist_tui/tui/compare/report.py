"""The text beside the curves of Compare: conclusions, results, settings and layers, an arm in each column."""

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from mnist_tui.analysis import comparison, tables
from mnist_tui.analysis.comparison import Arm, Measure

GAP = "  "
"""Between two columns of a table."""
SIDE_CELLS = 12
"""The narrowest column of an arm."""


def report(arms: Sequence[tuple[int, Arm]], measure: Measure, only: bool, width: int, tint: Any) -> Text:
    """The text beside the curves: the conclusions first, then results, settings and layers."""
    only_arms = [arm for _, arm in arms]
    text = Text()
    for line in sentences(only_arms, measure):
        text.append(f"{line}\n\n", "bold")
    if len(arms) == 1:
        text.append("Mark another row in Runs (2) to compare it with.\n\n", "bold")
    rows = tables.comparison_table(only_arms, measure)
    text.append(_table(rows, arms, width, tint))
    settings = tables.difference_table(only_arms) if only else tables.setting_table(only_arms)
    heads = ["only what differs" if only else "all settings", *(arm.label for arm in only_arms)]
    if settings:
        text.append("\n").append(_table([heads, *settings], arms, width, tint))
    for _, arm in arms[1:]:
        if layers := tables.layer_lines(only_arms[0], arm):
            text.append(f"\nlayers, from {only_arms[0].label} to {arm.label}\n", "underline")
            text.append("".join(f"  {line}\n" for line in layers))
    return text


def sentences(arms: Sequence[Arm], measure: Measure) -> list[str]:
    """The conclusions, or why the arms cannot be compared."""
    if refused := comparison.refusals(arms, measure):
        return [f"Not compared: {sentence}" for sentence in refused[:5]]
    return [verdict.sentence for verdict in comparison.compare(arms, measure)]


def _table(rows: Sequence[Sequence[str]], arms: Sequence[tuple[int, Arm]], width: int, tint: Any) -> Text:
    """A table of at most `width` cells; arms that do not fit beside the others go below them."""
    names, *values = zip(*rows, strict=True)
    name = min(max(map(cell_len, names)), max(SIDE_CELLS, 3 * width // 10))
    beside = max(1, min(len(arms), (width - name) // (len(GAP) + SIDE_CELLS)))
    room = max(1, (width - name) // beside - len(GAP))
    columns = [(tint(color), column) for (color, _), column in zip(arms, values, strict=True)]
    text = Text(no_wrap=True)
    for start in range(0, len(columns), beside):
        text.append(_block(names, name, columns[start : start + beside], room))
    return text


def _block(names: Sequence[str], name: int, columns: Sequence[tuple[Any, Sequence[str]]], room: int) -> Text:
    """Arms beside each other, the columns headed by the arms' markers and colours and at most `room` cells wide."""
    text = Text()
    cells = [[_cut(each, name) for each in names]]
    for (sign, _), (label, *values) in columns:
        column_cells = [f"{sign} {label}", *values]
        widest = min(room, max(map(cell_len, column_cells)))
        cells.append([_cut(value, widest) for value in column_cells])
    for style, (heading, *_) in zip(["", *(shade for (_, shade), _ in columns)], cells, strict=True):
        text.append(GAP if text else "", "underline").append(heading, f"underline {style}")
    for line in list(zip(*cells, strict=True))[1:]:
        text.append(f"\n{GAP.join(line).rstrip()}")
    return text.append("\n")


def _cut(text: str, width: int) -> str:
    return set_cell_size(text, width) if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"
