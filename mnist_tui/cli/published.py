"""Published figures of presets beside ours: as records, and the table of `mnist-tui runs --reference --published`."""

from typing import Any

from mnist_tui.analysis import published
from mnist_tui.analysis.published import Replication
from mnist_tui.cli.formats import Format, print_table
from mnist_tui.errors import UsageError
from mnist_tui.runs import filters
from mnist_tui.spec import presets
from mnist_tui.spec.recipe import Target

CSV_KEYS = (
    *("name", "title", "source", "parameters", "published_accuracy", "measured_on"),
    *(f"target.{part}" for part in Target.model_fields),
    *(f"ours.{key}" for key in published.RECORD_KEYS),
)


def refuse_of_runs(of_reference: bool, **options: str | bool | None) -> None:
    """Raises `UsageError` where --published lacks --reference, or has an option that is for single runs."""
    if not of_reference:
        raise UsageError("--published goes with --reference")
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"--{name} is not allowed with --published, which has a line for each preset")


def print_published(words: str, output: Format) -> int:
    """Prints a line for each preset whose reference runs a filter chooses; without a filter, for every preset."""
    runs = filters.choose(published.reference_runs(), words)
    every = published.replications(presets.load_builtin(), runs)
    selected = [each for each in every if each.runs or not words]
    rows = [list(published.HEADS), *map(published.table_row, selected)]
    print_table(output, rows, published.IS_RIGHT, list(map(preset_record, selected)), CSV_KEYS)
    if output in ("table", "markdown"):
        print("\n".join(["", *published.EXPLAINED]))
    return 0


def preset_record(each: Replication) -> dict[str, Any]:
    """A preset, and what our own runs of it reached, under `CSV_KEYS`."""
    spec, reported = each.spec, each.spec.reported
    return {
        "name": spec.name,
        "title": spec.title,
        "source": spec.source,
        "parameters": spec.parameters,
        "published_accuracy": reported.accuracy if reported else None,
        "measured_on": reported.measured_on if reported else None,
        "target": spec.target.model_dump(exclude_none=True),
        "ours": published.as_record(each) if each.runs else None,
    }
