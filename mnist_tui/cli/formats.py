"""`--format` and `--json`: the formats of what is printed. docs/json.md lists every key of the JSON and of the CSV."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from mnist_tui.errors import UsageError
from mnist_tui.runs.events import as_record, finite
from mnist_tui.table import MAX_CELL, aligned, as_csv
from mnist_tui.text import clean_line, did_you_mean

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Format = Literal["table", "markdown", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)


def _format_option(help_text: str) -> Any:
    return typer.Option("--format", metavar="|".join(FORMATS), help=help_text, autocompletion=lambda: list(FORMATS))


FormatOption = Annotated[str | None, _format_option("The format of what is printed; table is text for a terminal.")]
ListFormatOption = Annotated[str | None, _format_option("With --list: the format of what is printed.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Short for --format json.")]

JSON_FORMAT = 1
"""The `format` of every JSON record. It rises when a key is removed or changes its meaning, not when one is added."""


def output_format(named: str | None, as_json: bool) -> Format:
    """The format that the command line names; `--json` is short for `--format json`. Raises `UsageError`."""
    known = next((known for known in FORMATS if known == named), None)
    if named is not None and known is None:
        near = did_you_mean(named, FORMATS)
        raise UsageError(f"--format {clean_line(named, 40)}: must be {', '.join(FORMATS[:-1])} or {FORMATS[-1]}{near}")
    if as_json and known not in (None, "json"):
        raise UsageError(f"--json is not allowed with --format {known}")
    return "json" if as_json else known or "table"


def refuse_plot(has_plot: bool, output: Format) -> None:
    """Raises `UsageError` for a plot in a format that is not for a terminal."""
    if has_plot and output != "table":
        named = "--json, which has the numbers" if output == "json" else f"--format {output}"
        raise UsageError(f"--plot is not allowed with {named}")


def print_table(
    output: Format,
    rows: Sequence[Sequence[str]],
    is_right: Sequence[bool],
    records: Sequence[Mapping[str, Any]] = (),
    keys: Sequence[str] = (),
    max_cell: int = MAX_CELL,
) -> None:
    """Prints a table in any format.

    `rows` are its texts, the headings first, and `is_right` the columns that are aligned to the right; as text they
    are cut to `max_cell` terminal cells. `records` are the rows for programs, with their numbers, and `keys` the
    columns of the CSV, as in `table.as_csv`.
    """
    match output:
        case "json":
            print(json_text([record(each) for each in records]))
        case "csv":
            print(as_csv(records, keys), end="")
        case "markdown":
            from mnist_tui.analysis import markdown

            print("\n".join(markdown.table(rows, is_right)))
        case "table":
            print("\n".join(aligned(rows, is_right, max_cell)))


# --- JSON ---


def record(values: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON record: the number of its format, then these values."""
    return {"format": JSON_FORMAT, **values}


def event_record(event: "DataclassInstance", run: str | None) -> dict[str, Any]:
    """An event as a JSON record, with the time at which it is printed, in UTC, and the id of its run."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return record({"time": now, "run": run} | as_record(event))


def json_text(document: Any) -> str:
    """JSON on one line, as RFC 8259 has it: null stands for NaN and infinities."""
    return json.dumps(finite(document), allow_nan=False)
