"""The outputs of a notebook's cells as logs; nothing in it is run. The format is nbformat 4's JSON."""

import json
import re
from collections.abc import Iterator
from typing import Any

from mnist_tui.errors import LogError
from mnist_tui.import_logs.readings import Log
from mnist_tui.import_logs.terminal_text import lines_of
from mnist_tui.text import clean_line

_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+([^\n]{1,200})", re.MULTILINE)


def logs_of_notebook(text: str) -> Iterator[Log]:
    """A log for each code cell with output, under the nearest heading above it; raises `LogError` for no notebook."""
    heading = ""
    for number, cell in enumerate(_cells(text), start=1):
        if not isinstance(cell, dict):
            continue
        if cell.get("cell_type") == "markdown":
            heading = heading_in(_text(cell.get("source"))) or heading
        elif output := "\n".join(_outputs(cell)):
            yield Log(lines_of(output), f"cell {number}", heading)


def heading_in(markdown: str) -> str:
    """The last heading of a Markdown text; "" without one."""
    headings = _HEADING.findall(markdown)
    return clean_line(headings[-1].strip(" #*`\t"), 100) if headings else ""


def _cells(text: str) -> list[Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise LogError("is no notebook: it is no JSON") from None
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list):
        raise LogError("is no notebook of format 4: it has no cells; save it again with a newer Jupyter")
    return cells


def _outputs(cell: dict[str, Any]) -> Iterator[str]:
    """What a cell has printed, and what it shows as text."""
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if isinstance(output, dict):
            data = output.get("data")
            yield _text(output.get("text")) or _text(data.get("text/plain") if isinstance(data, dict) else "")


def _text(value: Any) -> str:
    """A text of nbformat: a string, or a list of strings."""
    parts = value if isinstance(value, list) else [value]
    return "".join(part for part in parts if isinstance(part, str))
