"""The columns and the order of tables of runs, as the settings have them."""

from mnist_tui.errors import ColumnError
from mnist_tui.runs import columns
from mnist_tui.settings import settings


def columns_and_sort() -> tuple[tuple[str, ...], str]:
    """The names of the columns, and of the one to sort by; raises `ColumnError`, which names where they are set."""
    resolved = settings.resolved()
    names, sort = tuple(resolved["columns"].value), str(resolved["sort"].value)
    for key, used in (("columns", names), ("sort", (sort.removeprefix("-"),))):
        try:
            columns.chosen(used)
        except ColumnError as error:
            raise ColumnError(f"{resolved[key].origin}: {key}: {error}") from None
    return names, sort
