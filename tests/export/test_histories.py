"""The epochs of a run for other programs: CSV as Python reads it, event files as TensorBoard reads them."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from helpers.saved_runs import make_run

from mnist_tui.export import event_file
from mnist_tui.export.history_csv import csv_file
from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.history import history_line
from mnist_tui.runs.metrics import METRICS
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets

ROWS = [
    EpochEnded(1, 0.5, 0.9, 0.3, 0.95, 0.25, 0.955, 0.002, 60.0, 900.0, False, 1.5, 11.25),
    EpochEnded(2, 0.125, 0.97, 0.2, 0.96, float("nan"), 0.1, 0.0002, 90.5, 900.0, True, None, 12.5),
]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with a validation split, and with numbers that were not measured or are not finite."""
    folder = make_run(tmp_path / "runs", presets.load("iter5"), index=5)
    (folder / "history.jsonl").write_bytes(b"".join(map(history_line, ROWS)))
    return read_run(folder)


def test_csv_has_every_metric_of_every_epoch(run: Run) -> None:
    """Exactly, accuracies as fractions; what was not measured is empty."""
    rows = list(csv.DictReader(io.StringIO(csv_file(run).decode())))

    assert list(rows[0]) == ["epoch", *(metric.name for metric in METRICS)]
    for row, stored in zip(rows, run.rows, strict=True):
        assert int(row["epoch"]) == stored.epoch
        for metric in METRICS:
            value = metric.of(stored)
            assert row[metric.name] == ("" if value is None else repr(value))
    assert (rows[0]["test_accuracy"], rows[1]["gradient_norm"], rows[1]["test_loss"]) == ("0.955", "", "nan")


def test_tensorboard_reads_every_metric_of_every_epoch(run: Run, tmp_path: Path) -> None:
    """With the epoch as the step, and as time the run's beginning and the seconds trained since."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / event_file.NAME).write_bytes(event_file.event_file(run))
    accumulator = EventAccumulator(str(tmp_path / "logs")).Reload()
    begun = datetime(2026, 1, 1, 0, 5, tzinfo=UTC).timestamp()

    assert accumulator.FirstEventTimestamp() == begun
    assert accumulator.Tags()["scalars"] == [event_file.tag(metric) for metric in METRICS]
    for metric in METRICS:
        events = accumulator.Scalars(event_file.tag(metric))
        values = {row.epoch: value for row in run.rows if (value := metric.of(row)) is not None}
        assert [event.step for event in events] == list(values)
        assert [event.value for event in events] == pytest.approx(list(values.values()), rel=1e-6, nan_ok=True)
        assert {event.step: event.wall_time - begun for event in events}.items() <= {1: 60.0, 2: 150.5}.items()


def test_tags_are_in_sections() -> None:
    """As TensorBoard draws what is before a slash together; each metric has a tag of its own."""
    tags = [event_file.tag(metric) for metric in METRICS]

    assert tags[:2] == ["loss/train", "accuracy/train"]
    assert {"loss/val", "accuracy/test", "norms/gradient", "norms/weights", "learning_rate", "gap", "seconds"} < set(
        tags
    )
    assert len(set(tags)) == len(METRICS)


def test_a_run_that_does_not_say_when_it_began(run: Run) -> None:
    """Its times begin at 0, in 1970."""
    undated = replace(run, record={**run.record, "created": "yesterday"})

    assert event_file._begun(undated) == 0.0
    assert event_file.event_file(undated)
