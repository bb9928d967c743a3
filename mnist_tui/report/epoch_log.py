"""The epochs of a run in the text form that training scripts print, a line each."""

from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.metrics import metric
from mnist_tui.runs.record import Run

BEST = "  *"
"""Behind the best epoch."""


def epoch_log(run: Run) -> str:
    """The lines of all epochs; "" where none was finished."""
    planned = run.planned_epochs or 0
    total = max([planned, *(row.epoch for row in run.rows)])
    images = run.data[2]
    return "\n".join(_line(row, total, images) + BEST * (row.epoch == run.best_epoch) for row in run.rows)


def _line(row: EpochEnded, epochs: int, images: int | None) -> str:
    parts = [
        f"Epoch {row.epoch:>{len(str(epochs))}}/{epochs}",
        _numbers(row, "Train:", "train"),
        _numbers(row, "Validation:", "val"),
        _test(row, images),
    ]
    return "  ".join(part for part in parts if part)


def _numbers(row: EpochEnded, name: str, role: str) -> str:
    """Loss and accuracy as they were measured; "" where neither was."""
    loss, accuracy = (metric(f"{role}_{what}").of(row) for what in ("loss", "accuracy"))
    known = [
        "" if loss is None else f"loss {loss:.4f}",
        "" if accuracy is None else f"accuracy {accuracy:6.2%}",
    ]
    return f"{name} {', '.join(filter(None, known))}" if any(known) else ""


def _test(row: EpochEnded, images: int | None) -> str:
    """The test figures; the number of right images follows from the accuracy, which is a share of them."""
    loss, accuracy = metric("test_loss").of(row), metric("test_accuracy").of(row)
    known = []
    if loss is not None:
        known.append(f"Average loss: {loss:.4f}")
    if accuracy is not None:
        count = "" if images is None else f"{round(accuracy * images)}/{images} "
        known.append(f"Accuracy: {count}({accuracy:.2%})")
    return f"Test set: {', '.join(known)}" if known else ""
