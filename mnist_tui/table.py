"""Rows in three formats: aligned text and Markdown for people, CSV for programs. Text from outside is made safe.

`tabulate` and `csv` are imported where they are used: what prints no table does not wait for them.
"""

import io
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mnist_tui.text import cell_width, clean_line, fitted, start_of_end

MAX_CELL = 40
"""Terminal cells of a column of text; what is longer is cut."""
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""Beginnings of a text that spreadsheets take for a formula (OWASP, CSV Injection); the last four are full-width."""


def aligned(rows: Sequence[Sequence[str]], is_right: Sequence[bool], max_cell: int = MAX_CELL) -> list[str]:
    """A line for each row, with columns that are as wide as their widest cell and two spaces apart.

    `is_right` says which columns are aligned to the right. Wide characters take two cells, as in a terminal; a cell of
    more than `max_cell` is cut, with an ellipsis, as `cut_apart` does. No line ends in a space.
    """
    from tabulate import tabulate

    shown = cut_apart((cell for row in rows for cell in row), max_cell)
    return tabulate(
        [[shown[cell] for cell in row] for row in rows],
        tablefmt="plain",
        disable_numparse=True,
        colalign=_alignment(is_right),
        preserve_whitespace=True,
    ).split("\n")


def cut_apart(texts: Iterable[str], width: int) -> dict[str, str]:
    """What is shown of each text, made safe, in at most `width` cells: what is longer is cut, with an ellipsis.

    Different texts that would look the same are cut at their beginning, too, so that it is seen where they differ.
    """
    cleaned = {text: clean_line(text, 10_000) for text in texts}
    shown = dict(_shown_apart(set(cleaned.values()), width, 0))
    return {text: shown[line] for text, line in cleaned.items()}


def _shown_apart(texts: Iterable[str], width: int, start: int) -> Iterator[tuple[str, str]]:
    """Each text, which begin alike up to `start`, and what is shown of it."""
    groups = defaultdict(list)
    for text in texts:
        groups[_cut(f"…{text[start:]}" if start else text, width)].append(text)
    for shown, group in groups.items():
        after = start
        if len(group) > 1:
            after = start_of_end(os.path.commonprefix(group), width // 3)  # noqa: RUF071 - characters, not folders
        if after > start:
            yield from _shown_apart(group, width, after)
        else:
            yield from ((text, shown) for text in group)


def _cut(text: str, width: int) -> str:
    is_short = 2 * len(text) <= width  # No character is wider than two cells.
    return text if is_short else fitted(text, min(width, cell_width(text)))


def markdown(rows: Sequence[Sequence[str]], is_right: Sequence[bool]) -> list[str]:
    """The lines of a Markdown table whose first row is its heading; cells are Markdown, in which | is escaped here.

    Text from outside goes through `analysis.markdown.table`, which escapes all markup.
    """
    from tabulate import tabulate

    heads, *others = [[clean_line(cell).replace("|", "\\|") for cell in row] for row in rows]
    return tabulate(others, heads, tablefmt="pipe", disable_numparse=True, colalign=_alignment(is_right)).split("\n")


def _alignment(is_right: Sequence[bool]) -> list[str]:
    return ["right" if right else "left" for right in is_right]


def as_csv(records: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> str:
    """CSV with a heading line of `keys`, then a line for each record; lines end in a newline.

    A key such as `target.parameters` is looked up in the object `target`. Numbers keep all their digits; None, numbers
    that are not finite and keys that a record lacks are empty; the items of a list have spaces between them. A text
    that a spreadsheet would compute as a formula gets an apostrophe in front.
    """
    import csv

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(keys)
    writer.writerows([_csv_cell(_value(record, key)) for key in keys] for record in records)
    return buffer.getvalue()


def _value(record: Any, key: str) -> Any:
    for name in key.split("."):
        record = record.get(name) if isinstance(record, Mapping) else None
    return record


def _csv_cell(value: Any) -> str | int | float:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return value if math.isfinite(value) else ""
        case None:
            return ""
        case list() | tuple():
            return _csv_text(" ".join(map(str, value)))
    return _csv_text(str(value))


def _csv_text(text: str) -> str:
    line = clean_line(text, 32_000)
    return f"'{line}" if line.lstrip().startswith(FORMULA) else line
