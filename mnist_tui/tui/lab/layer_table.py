"""The layer table: torchsummary's three columns first, changes of the preset marked, totals below."""

import re
from collections.abc import Sequence
from itertools import accumulate

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from mnist_tui.spec import summary
from mnist_tui.spec.layer_diff import Change
from mnist_tui.spec.layers import INPUT, LayerRow, Shape
from mnist_tui.text import in_ascii

MARKS = {"same": " ", "changed": "~", "added": "+", "removed": "-"}
OPTIONAL = (("RF", 6, 5), ("jump", 7, 5), ("MACs", 5, 10), ("share", 4, 6), ("KiB", 8, 7))
"""Further columns, as many of the first as fit: heading, index in `summary.columns`, cells."""
OUTPUT, PARAMETERS, DELTA = 9, 8, 8
"""Cells of the columns before those; fewer if the change fits only then."""
SMALLEST_NAME = 12
MOST_TOTALS = 8
"""Lines that the totals take when they are wrapped."""

_LONG = re.compile(r"\b(padding|stride|dilation|groups|bias|kernel_size|out_channels)(?==)")


def table(changes: Sequence[Change], width: int) -> list[Text]:
    """A heading and a line for every layer, including removed ones, with the columns that fit into `width`."""
    total = sum(change.row.parameters for change in changes if change.row)
    output, parameters, delta = sizes = _sizes(changes, width)
    names = [_name(change.row or change.before) for change in changes]
    fixed = _fixed(sizes)
    full, short = (
        max(SMALLEST_NAME, min(max(map(len, each), default=0), width - fixed))
        for each in (names, map(_with_letters, names))
    )
    # More columns are worth more than long argument names.
    name = short if len(_optional(width - fixed - short)) > len(_optional(width - fixed - full)) else full
    optional = _optional(width - fixed - name)
    heads = [f"{'output':<{output}} {'params':>{parameters}}", *([f"{'change':>{delta}}"] if delta else [])]
    heads += [f"{heading:>{cells}}" for heading, _, cells in optional]
    lines = [Text(f"  {'layer':<{name}} {' '.join(heads)}", "bold", no_wrap=True)]
    return lines + [_line(change, total, name, sizes, optional) for change in changes]


def _optional(width: int) -> list[tuple[str, int, int]]:
    """The optional columns that fit."""
    ends = accumulate(cells + 1 for _, _, cells in OPTIONAL)
    return [column for column, end in zip(OPTIONAL, ends, strict=True) if end <= width]


def _sizes(changes: Sequence[Change], width: int) -> tuple[int, int, int]:
    """Cells of output, parameters and change; 0 for the change if nothing changed or it does not fit."""
    if all(change.kind == "same" for change in changes):
        return OUTPUT, PARAMETERS, 0
    if SMALLEST_NAME + _fixed((OUTPUT, PARAMETERS, DELTA)) <= width:
        return OUTPUT, PARAMETERS, DELTA
    rows = [row for change in changes if (row := change.row or change.before) is not None]
    output = max(6, *(len("x".join(map(str, row.output_shape))) for row in rows))
    parameters = max(6, *(len(f"{row.parameters:,}") for row in rows))
    delta = max(6, *(len(f"{change.parameters:+,}") for change in changes))
    has_room = SMALLEST_NAME + _fixed((output, parameters, delta)) <= width
    return output, parameters, delta if has_room else 0


def _fixed(sizes: tuple[int, int, int]) -> int:
    """Cells of a line without the layer's name: the mark and the columns, each with its gap."""
    return 2 + sum(size + 1 for size in sizes if size)


def _name(row: LayerRow | None) -> str:
    return "" if row is None else "  " * row.depth + row.type + (f"({row.arguments})" if row.arguments else "")


def _with_letters(label: str) -> str:
    """The label with one letter for the usual argument names."""
    return _LONG.sub(lambda name: name[0][0], label).replace(", ", ",")


def _shorten(label: str, width: int) -> str:
    """The label with letters for names, and cut if it is still too long."""
    short = _with_letters(label)
    return short if len(short) <= width else f"{short[: width - 1]}…"


def _line(
    change: Change, total: int, name: int, sizes: tuple[int, int, int], optional: list[tuple[str, int, int]]
) -> Text:
    output, parameters, delta = sizes
    row = change.row or change.before
    assert row is not None
    cells = summary.columns(row, max(1, total))
    label = _name(row)
    label = label if len(label) <= name else _shorten(label, name)
    line = Text(f"{MARKS[change.kind]} {label:<{name}} {cells[2]:<{output}} {cells[3]:>{parameters}}", no_wrap=True)
    if delta:
        line.append(f" {f'{change.parameters:+,}' if change.parameters else '':>{delta}}")
    for _, position, width in optional:
        line.append(f" {cells[position]:>{width}}" if change.kind != "removed" else f" {'':>{width}}")
    line.stylize({"same": "", "changed": "bold", "added": "bold", "removed": "dim strike"}[change.kind])
    return line


def totals(rows: Sequence[LayerRow], previous_rows: Sequence[LayerRow], width: int, shape: Shape = INPUT) -> list[Text]:
    """Parameters, multiply-adds, memory and receptive field for images of a shape, in two or three lines."""
    sums = summary.totals(tuple(rows), shape)
    change = sums.parameters - sum(row.parameters for row in previous_rows)
    delta = f" ({change:+,})" if change else ""
    counts = ", ".join(f"{count} {layer_type}" for layer_type, count in summary.layer_counts(tuple(rows)).items())
    lines = [
        f"{sums.parameters:,} params{delta}, {sums.multiply_adds:,} MACs, {sums.total_mb:.2f} MB",
        f"{counts}; trainable {sums.trainable:,}" if width > 50 else counts,
        f"receptive field {summary.receptive_field_sentence(tuple(rows), shape)}",
    ]
    return [Text(line, no_wrap=True) for line in lines]


class LayerTable(Vertical):
    """A table that scrolls, and the totals below it, which do not."""

    DEFAULT_CSS = """
    LayerTable { height: 1fr; }
    LayerTable VerticalScroll { height: 1fr; scrollbar-size-horizontal: 0; }
    LayerTable Static { text-wrap: nowrap; text-overflow: ellipsis; }
    LayerTable #layer-totals { height: auto; max-height: 3; color: $text-muted; padding: 0 1; }
    LayerTable.-roomy #layer-totals { text-wrap: wrap; max-height: 8; }
    LayerTable.-stale #layer-rows { text-style: dim; }
    """

    def __init__(self, ascii_only: bool = False) -> None:
        super().__init__()
        self._ascii_only = ascii_only
        self._changes: Sequence[Change] = ()
        self._before: Sequence[LayerRow] = ()
        self._is_valid = True
        self._shape: Shape = INPUT
        self._shown: dict[str, list[Text]] = {}

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(id="layer-rows")
        yield Static(id="layer-totals")

    def show(
        self, changes: Sequence[Change], previous_rows: Sequence[LayerRow], is_valid: bool, shape: Shape = INPUT
    ) -> None:
        """Shows the layers against those of the preset; unless `is_valid`, they are the last valid ones.

        `shape` is that of the images.
        """
        self._changes, self._before, self._is_valid, self._shape = changes, previous_rows, is_valid, shape
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        width = self.size.width - 2
        rows = [change.row for change in self._changes if change.row is not None]
        lines = table(self._changes, width) if self._changes else []
        if not self._is_valid:
            lines = [Text("! as they were before the mistake", "bold"), *lines]
        self.set_class(not self._is_valid, "-stale")
        self.set_class(self.size.height > len(lines) + MOST_TOTALS, "-roomy")
        self._put("#layer-rows", lines)
        self._put("#layer-totals", totals(rows, self._before, width, self._shape)[: 3 if self.size.height > 14 else 1])

    def _put(self, place: str, lines: list[Text]) -> None:
        """Shows other lines; the screen is laid out again only if their number changes."""
        previous_lines = self._shown.get(place, [])
        if self._ascii_only:
            for line in lines:
                line.plain = in_ascii(line.plain)
        if lines != previous_lines:
            self._shown[place] = lines
            self.query_one(place, Static).update(Text("\n").join(lines), layout=len(lines) != len(previous_lines))
