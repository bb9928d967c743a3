"""The differences of two networks, layer by layer."""

from mnist_tui.spec import presets
from mnist_tui.spec.layer_diff import layer_changes
from mnist_tui.spec.layers import LayerRow
from mnist_tui.spec.run_spec import RunSpec


def rows_with(base: RunSpec, old: str, new: str) -> tuple[LayerRow, ...]:
    """The layer table with a piece of the layers exchanged, once."""
    assert old in base.layers
    return base.with_settings({"layers": base.layers.replace(old, new, 1)}).rows


def changed_types(base: RunSpec, after: tuple[LayerRow, ...]) -> dict[str, list[str]]:
    """The types of the layers that changed, were added or removed, by which of these it is."""
    types: dict[str, list[str]] = {}
    for change in layer_changes(base.rows, after):
        row = change.row or change.before
        if change.kind != "same" and row is not None:
            types.setdefault(change.kind, []).append(row.type)
    return types


def test_nothing() -> None:
    """A network has no difference from itself."""
    rows = presets.load("iter5").rows

    assert {change.kind for change in layer_changes(rows, rows)} == {"same"}


def test_another_argument_also_changes_what_follows() -> None:
    """More channels change the layer, and those behind it whose parameters they change."""
    base = presets.load("iter5")
    after = rows_with(base, "Conv2d(16, 3", "Conv2d(20, 3")
    changes = layer_changes(base.rows, after)

    assert changed_types(base, after) == {"changed": ["Conv2d", "BatchNorm2d", "Conv2d"]}
    assert sum(change.parameters for change in changes) == sum(r.parameters for r in after) - base.parameters


def test_a_layer_is_added_and_removed() -> None:
    """An added or removed layer carries its number of parameters."""
    base = presets.load("iter5")
    more, less = rows_with(base, "Flatten()", "Dropout(0.1)\nFlatten()"), rows_with(base, "BatchNorm2d()\n", "")
    removed = [change for change in layer_changes(base.rows, less) if change.kind == "removed"]

    assert changed_types(base, more) == {"added": ["Dropout"]}
    assert [(change.parameters, change.row) for change in removed] == [(-16, None)]


def test_every_layer_of_both_is_there_once() -> None:
    """Every layer of both networks is in the diff once, also where they share little."""
    old_rows, new_rows = presets.load("era5").rows, presets.load("exp17").rows
    changes = layer_changes(old_rows, new_rows)

    assert [change.row for change in changes if change.row] == list(new_rows)
    assert sorted(c.before.index for c in changes if c.before) == [row.index for row in old_rows]
