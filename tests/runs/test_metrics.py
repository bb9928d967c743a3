"""The registry of metrics: what logs, tables, charts and comparisons take from it, with the norms as the example."""

import json
import zlib
from dataclasses import fields, replace
from pathlib import Path

import pytest
from helpers.saved_runs import make_run

from mnist_tui.analysis import markdown, tables
from mnist_tui.runs import history, metrics
from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.metrics import CHARTS, METRICS, metric
from mnist_tui.runs.reader import read_run
from mnist_tui.spec import presets
from mnist_tui.tui.charts.curves import curves_of
from mnist_tui.tui.charts.run_curves import RunCurves, SeedGroup
from mnist_tui.tui.lab.epochs import columns

OLD = EpochEnded(1, 0.4, 0.955, None, None, 0.3, 0.98, 0.002, 31.2, 9_000.0)
"""An epoch of a run of version 0.1, without norms."""
NEW = replace(OLD, gradient_norm=0.5314159, weight_norm=23.456)


def test_every_metric_is_a_field_or_computed() -> None:
    """Every name is a field of the epoch or computed from them, and stands once."""
    names = [each.name for each in METRICS]

    assert len(set(names)) == len(names)
    assert {each.name for each in METRICS if not each.compute} <= {field.name for field in fields(EpochEnded)}


def test_every_chart_has_lines_of_different_roles() -> None:
    """The lines of a chart differ in their role, and so in colour and marker."""
    for chart in CHARTS:
        roles = [each.role for each in metrics.lines_of(chart)]

        assert roles
        assert len(set(roles)) == len(roles)


@pytest.mark.parametrize(
    ("name", "number", "text"),
    [
        ("train_accuracy", "95.50", "95.50%"),
        ("test_loss", "0.3000", "0.3000"),
        ("gap", "-2.50", "-2.50"),
        ("learning_rate", "0.002", "0.002"),
        ("seconds", "31.2", "31.2"),
        ("gradient_norm", "0.5314", "0.5314"),
        ("weight_norm", "23.46", "23.46"),
        ("val_accuracy", "-", "-"),
    ],
)
def test_values_as_text(name: str, number: str, text: str) -> None:
    """Accuracies have a percent sign where the heading has none; `-` stands for what was not measured."""
    value = metric(name).of(NEW)

    assert (metric(name).number(value), metric(name).text(value)) == (number, text)


def test_only_what_was_measured_is_listed() -> None:
    """A metric is listed where one epoch has it; without an epoch those that every run has."""
    has_norms = [metric("gradient_norm") in metrics.measured(rows) for rows in ([], [OLD], [OLD, NEW])]

    assert has_norms == [False, False, True]
    assert metric("val_loss") not in metrics.measured([NEW])


def test_runs_are_compared_by_accuracy_first() -> None:
    """Compare offers the test metrics first, then what is measured once an epoch."""
    names = metrics.comparable()

    assert list(names) == ["accuracy", "loss", "gap", "learning rate", "gradient norm", "weight norm"]
    assert names["loss"].name == "test_loss"


def test_a_wide_epoch_log_shows_the_norms() -> None:
    """The norms are the first columns to be left out, and missing in a run without them."""
    wide, narrower = columns(120, metrics.measured([NEW])), columns(80, metrics.measured([NEW]))

    assert list(wide)[-2:] == ["grad norm", "weight norm"]
    assert list(narrower) == list(columns(120, metrics.measured([OLD])))


def test_tables_show_the_norms() -> None:
    """Tables in text and Markdown have the norms, and `-` in the epochs that lack them."""
    table = tables.epoch_table([OLD, NEW], None)
    lines = markdown.epoch_lines([NEW], 1)

    assert table[0][-2:] == ["grad norm", "weight norm"]
    assert [row[-2:] for row in table[1:]] == [["-", "-"], ["0.5314", "23.46"]]
    assert lines[0].replace(" ", "").endswith("|lr|s|gradnorm|weightnorm|")
    assert lines[2].replace(" ", "").endswith("|0.002|31.2|0.5314|23.46|")
    assert "norm" not in " ".join(tables.epoch_table([OLD], None)[0])


def test_the_norms_have_a_chart() -> None:
    """The chart of the norms has two lines, which a run without norms lacks."""
    new, old = (RunCurves.from_saved("x", 0, "x", [row]) for row in (NEW, OLD))
    lines = curves_of("norms", SeedGroup((new,)), None, 0.0)

    assert [(line.label, line.role, list(line.ys)) for line in lines] == [
        ("gradient", "train", [0.5314159]),
        ("weights", "weights", [23.456]),
    ]
    assert curves_of("norms", SeedGroup((old,)), None, 0.0) == []


def test_a_history_of_version_0_1_is_read(tmp_path: Path) -> None:
    """Rows without norms are read, and a row computed again with norms counts as the same."""
    folder = make_run(tmp_path, presets.load("iter5"))
    values = {name: value for name, value in vars(OLD).items() if name not in (*history.LATER, "steered")}
    text = json.dumps(values)
    (folder / "history.jsonl").write_text(f'{text[:-1]}, "crc32": {zlib.crc32(text.encode())}}}\n')
    writer = history.HistoryWriter(folder)

    assert read_run(folder).rows == [OLD]
    assert writer.append(NEW) is None
    assert "came out differently" in (writer.append(replace(NEW, test_loss=0.2)) or "")
    assert read_run(folder).rows[-1].weight_norm == 23.456
