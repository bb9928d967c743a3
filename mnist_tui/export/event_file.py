"""The epochs of a run as an event file of TensorBoard: a scalar for each metric, with the time of its epoch."""

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from mnist_tui.runs.metrics import METRICS, Metric, lines_of
from mnist_tui.runs.record import Run

NAME = "events.out.tfevents.mnist-tui"
"""The name of the file: TensorBoard reads only those with `tfevents` in it."""


def event_file(run: Run) -> bytes:
    """The events; the step is the epoch, accuracies are fractions."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    for event in _events(run):
        writer.write(event.SerializeToString())
    return buffer.getvalue()


def _events(run: Run) -> Iterator[Any]:
    """The version of the format, then an event an epoch.

    A run keeps the time it began, and how long each epoch took; pauses and time before a resume do not count.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    time = _begun(run)
    yield Event(wall_time=time, file_version="brain.Event:2")
    for row in run.rows:
        time += row.seconds
        values = {tag(metric): value for metric in METRICS if (value := metric.of(row)) is not None}
        summary = Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()])
        yield Event(wall_time=time, step=row.epoch, summary=summary)


def _begun(run: Run) -> float:
    """When a run began, in seconds since 1970; 0 where run.json does not say."""
    try:
        return datetime.fromisoformat(run.created).timestamp()
    except ValueError:
        return 0.0


def tag(metric: Metric) -> str:
    """The name of a metric in TensorBoard, which draws `accuracy/train` and `accuracy/test` in one section."""
    has_section = metric.chart is not None and len(lines_of(metric.chart)) > 1
    return f"{metric.chart}/{metric.line or metric.role}" if has_section else metric.name
