"""The epochs of a run as comma-separated values, a column for each metric of the registry."""

import csv
import io

from mnist_tui.runs.metrics import METRICS
from mnist_tui.runs.record import Run


def csv_file(run: Run) -> bytes:
    """A line an epoch under a line of names; accuracies are fractions, and what was not measured is empty."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["epoch", *(metric.name for metric in METRICS)])
    writer.writerows([row.epoch, *(metric.of(row) for metric in METRICS)] for row in run.rows)
    return buffer.getvalue().encode()
