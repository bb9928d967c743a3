"""Tables with a column `epoch`: metrics.csv of Lightning's CSVLogger, Keras's CSVLogger, Markdown, fastai's.

A table's first line names its columns. Of several rows with the same epoch each adds what the others leave out.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from mnist_tui.import_logs.quantities import fields_of
from mnist_tui.import_logs.readings import Line, Log, Number, Reading, Unit

Split = Callable[[str], list[str]]


def _by(delimiter: str) -> Split:
    def split(text: str) -> list[str]:
        with suppress(csv.Error):
            return [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter), [])]
        return []

    return split


SPLITS: Sequence[Split] = (
    _by(","),
    _by(";"),
    lambda text: [cell.strip() for cell in text.strip().strip("|").split("|")],
    lambda text: re.split(r"\s{2,}", text.strip()),
)
"""How a line may be cut into cells."""
_EPOCH_CELL = re.compile(r"(?:^|[,;|\t]|\s{2})\s*\"?epochs?\"?\s*(?:$|[,;|\t]|\s{2})", re.IGNORECASE)
"""The heading of the column of epochs: most lines have none, and need not be cut."""
Columns = list[tuple[str, Unit]]
"""For each column its field of `EpochEnded`, or "", and the unit that its heading names."""


def recognise(log: Log) -> bool:
    """Whether any line is the heading of a table with an epoch and a loss or an accuracy."""
    return any(_heading(line) is not None for line in log.lines)


def read(log: Log) -> Iterator[Reading]:
    """What each row tells."""
    split, epoch_at, columns = SPLITS[0], 0, Columns()
    for line in log.lines:
        if (heading := _heading(line)) is not None:
            split, epoch_at, columns = heading
        elif columns and any(map(str.isdigit, line.text)):
            cells = split(line.text)
            epoch = _number(cells[epoch_at]) if len(cells) == len(columns) else None
            if epoch is not None and epoch >= 0 and epoch.is_integer():
                yield Reading(line, int(epoch), _values(cells, columns), position=0)
            else:
                yield Reading(line)


def _heading(line: Line) -> tuple[Split, int, Columns] | None:
    """How the rows below a heading are cut, which column is the epoch, and all columns; None for another line."""
    if _EPOCH_CELL.search(line.text) is None:
        return None
    for split in SPLITS:
        names = split(line.text)
        at = next((index for index, name in enumerate(names) if name.lower() in ("epoch", "epochs")), None)
        columns = list(fields_of(iter(names)))
        if at is not None and any(field for field, _ in columns):
            return split, at, columns
    return None


def _values(cells: Sequence[str], columns: Columns) -> dict[str, Number]:
    """The numbers of a row; of two columns for the same field the first that has one."""
    values: dict[str, Number] = {}
    for cell, (field, unit) in zip(cells, columns, strict=True):
        number = _number(cell.removesuffix("%"))
        if field and number is not None:
            is_percent = field.endswith("accuracy") and (unit or cell.endswith("%"))
            values.setdefault(field, Number(number, "%" if is_percent else ""))
    return values


def _number(cell: str) -> float | None:
    """The number in a cell; None for an empty one, or for words."""
    with suppress(ValueError):
        return float(cell) if len(cell) <= 40 and "_" not in cell else None
    return None
