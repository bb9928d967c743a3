"""The lines that a run writes about its epochs: history.jsonl with a checksum a row, and steering.jsonl.

A row is one line of JSON whose last key, `crc32`, is the checksum of the line without it. Damaged rows are left out:
whatever else a file holds, what can be read of it is read.
"""

import json
import math
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast

from mnist_tui.errors import FileError, StorageError
from mnist_tui.files import read_bytes, sync_folder, write_all
from mnist_tui.runs.events import EpochEnded, LearningRateChanged, Outcome, RunEnded, finite
from mnist_tui.runs.numbers import count, finite_number, fraction, number_or_nan, whole_number

FILE = "history.jsonl"
RATE_CHANGES_FILE = "steering.jsonl"
MAX_BYTES = 16 * 2**20
LOSSES = ("train_loss", "test_loss")
"""The numbers that may be NaN or infinite, which JSON cannot hold: null stands for them."""
LATER = tuple(field.name for field in fields(EpochEnded) if field.default is None)
"""The numbers that an older version did not measure."""
OPTIONAL = (*LOSSES, *(field.name for field in fields(EpochEnded) if field.type == float | None))
"""The numbers that may be missing: not finite, without a validation split, or not measured by an older version."""
REQUIRED = tuple(field.name for field in fields(EpochEnded) if field.type is float and field.name not in LOSSES)
"""The numbers that every row has, but for those that it names as `unknown`."""
TIMINGS = ("seconds", "images_per_second")
"""The parts of a row that differ between two runs that are otherwise the same."""


class HistoryWriter:
    """Adds rows to the history of a run; its caller holds the run's lock."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.cut_torn_row()
        self._rows = {row["epoch"]: row for row in read_rows(self._path)[0]}
        self.segment = max((row.get("segment", 0) for row in self._rows.values()), default=0)
        """Counts how often an epoch that was trained again came out differently; 0 in most runs."""

    def append(self, row: EpochEnded) -> str | None:
        """Adds a row and syncs the file; a row that is there already is compared, not written again.

        Returns a sentence where a row computed again differs from the stored one; it is then added in a new segment.
        Raises `OSError`, and leaves no part of a row behind.
        """
        values = _as_stored(row)
        stored = self._rows.get(row.epoch)
        differs = stored is not None and bool(differing_fields(_as_event(stored), row))
        if stored is not None and not differs:
            return None
        if differs:
            self.segment += 1
        if self.segment:
            values["segment"] = self.segment
        self._write(_as_line(values))
        self._rows[row.epoch] = values
        return f"epoch {row.epoch} came out differently than before; both rows are kept" if differs else None

    def _write(self, line: bytes) -> None:
        is_new = not self._path.exists()
        try:
            write_all(self._path, line, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW)
            if is_new:
                sync_folder(self._path.parent)
        except OSError:
            self.cut_torn_row()
            raise

    def cut_torn_row(self) -> None:
        """Cuts what a crash left of a row, so that the next one begins on a line of its own."""
        if self._path.exists():
            _, whole = read_rows(self._path)
            if self._path.stat().st_size > whole:
                os.truncate(self._path, whole)


def read_history(folder: Path) -> list[EpochEnded]:
    """The epochs of a run, in order, damaged rows left out; raises `StorageError` for a file that cannot be read."""
    # A row that came out differently after a resume stands behind the old one, and replaces it.
    rows = {row["epoch"]: _as_event(row) for row in read_rows(folder / FILE)[0]}
    return [rows[epoch] for epoch in sorted(rows)]


def read_rows(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The valid rows of a history, and the number of bytes up to the end of its last whole line."""
    try:
        content = read_bytes(path, MAX_BYTES, follow=False)
    except FileError as error:
        if error.is_missing:
            return [], 0
        raise StorageError(str(error)) from None
    rows = [row for line in content.splitlines(keepends=True) if (row := _parse(line)) is not None]
    return rows, content.rfind(b"\n") + 1


def parse_row(line: bytes) -> EpochEnded | None:
    """The epoch of a line of history.jsonl, with its line end; None where it is damaged."""
    row = _parse(line)
    return None if row is None else _as_event(row)


def history_line(row: EpochEnded) -> bytes:
    """A row as it stands in history.jsonl."""
    return _as_line(_as_stored(row))


def parse_end(document: Mapping[str, Any]) -> RunEnded | None:
    """The event that an end.json holds; None where a part of it is of the wrong kind."""
    best, last, target = (document.get(name) for name in ("best", "last", "target"))
    has_rows = all(row is None or (isinstance(row, dict) and _is_row(row)) for row in (best, last))
    epochs = count(document.get("epochs"))
    if not has_rows or not isinstance(target, dict | None) or epochs is None:
        return None
    return RunEnded(
        outcome=cast("Outcome", str(document.get("outcome"))),
        message=str(document.get("message", "")),
        epochs=epochs,
        best=_as_event(best) if best else None,
        last=_as_event(last) if last else None,
        chosen_by="validation" if document.get("chosen_by") == "validation" else "test",
        target=target,
        seconds=number_or_nan(document.get("seconds")),
        is_out_of_memory=document.get("is_out_of_memory") is True,
    )


def _as_stored(row: EpochEnded) -> dict[str, Any]:
    """A row's values as JSON has them; `steered` and `unknown` only where there is something to say."""
    values: dict[str, Any] = finite(asdict(row))
    return {name: value for name, value in values.items() if value or name not in ("steered", "unknown")}


def _as_line(values: dict[str, Any]) -> bytes:
    text = json.dumps(finite(values), allow_nan=False)
    return f'{text[:-1]}, "crc32": {zlib.crc32(text.encode())}}}\n'.encode()


def _parse(line: bytes) -> dict[str, Any] | None:
    match = re.fullmatch(rb'(\{.*), "crc32": (\d{1,10})\}\n', line)
    if match is None or zlib.crc32(match[1] + b"}") != int(match[2]):
        return None
    row = parse_object(match[1] + b"}")
    return row if _is_row(row) else None


def _is_row(row: dict[str, Any]) -> bool:
    """Whether every part is of its kind: a checksum proves that a row was not damaged, not who wrote it."""
    unknown = row.get("unknown", [])
    return (
        "epoch" in row
        and all(count(row.get(name, 0)) is not None for name in ("epoch", "segment"))
        and isinstance(unknown, list)
        and all(name in (*REQUIRED, *LOSSES) and row.get(name) is None for name in unknown)
        and all(_is_value(name, row.get(name)) for name in REQUIRED if name not in unknown)
        and all(row.get(name) is None or _is_value(name, row.get(name)) for name in OPTIONAL)
    )


def _is_value(name: str, value: Any) -> bool:
    """Whether a value can be that of a metric: an accuracy is a fraction."""
    return (fraction(value) if name.endswith("_accuracy") else finite_number(value)) is not None


_FIELDS = tuple(field.name for field in fields(EpochEnded))


def _as_event(row: dict[str, Any]) -> EpochEnded:
    stored = {name: row.get(name) for name in _FIELDS}
    numbers = {name: math.nan for name in (*REQUIRED, *LOSSES) if row.get(name) is None}
    flags = {"steered": row.get("steered") is True, "unknown": tuple(row.get("unknown", ()))}
    return EpochEnded(**stored | numbers | flags)  # type: ignore[arg-type]


def differing_fields(stored: EpochEnded, computed: EpochEnded) -> list[str]:
    """The fields in which two rows of one epoch differ, but for timings and what an older version did not measure."""
    before, after = finite(asdict(stored)), finite(asdict(computed))
    skipped = {*TIMINGS, *(name for name in LATER if before[name] is None)}
    return [name for name in before if name not in skipped and before[name] != after[name]]


# --- steering.jsonl ---


def read_rate_changes(folder: Path) -> list[LearningRateChanged]:
    """Where the learning rate of a run was changed by hand, in order; [] where the file cannot be read."""
    try:
        lines = read_bytes(folder / RATE_CHANGES_FILE, MAX_BYTES, follow=False).splitlines()
    except FileError:
        return []
    return [change for line in lines if (change := parse_rate_change(line)) is not None]


def parse_rate_change(line: bytes) -> LearningRateChanged | None:
    """The change of a line of steering.jsonl; None where it is damaged."""
    values = parse_object(line)
    place, rate = epoch_and_step(values), number_or_nan(values.get("learning_rate"))
    return None if place is None or math.isnan(rate) else LearningRateChanged(*place, rate)


def parse_object(line: bytes) -> dict[str, Any]:
    """The JSON object of a line; {} where it is none."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def epoch_and_step(values: Mapping[str, Any]) -> tuple[int, int] | None:
    """Where in a run a line was written; None where it does not say."""
    epoch, step = whole_number(values.get("epoch")), whole_number(values.get("step"))
    return None if epoch is None or step is None else (epoch, step)
