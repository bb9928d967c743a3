"""The epochs of a run in the text form that training scripts print, a line each."""

from mnist_tui.runs.events import EpochEnded
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
        _losses("Train:", row.train_loss, row.train_accuracy),
        _losses("Validation:", row.val_loss, row.val_accuracy),
        _test(row, images),
    ]
    return "  ".join(part for part in parts if part)


def _losses(name: str, loss: float | None, accuracy: float | None) -> str:
    numbers = [
        "" if loss is None else f"loss {loss:.4f}",
        "" if accuracy is None else f"accuracy {accuracy:6.2%}",
    ]
    known = [number for number in numbers if number]
    return f"{name} {', '.join(known)}" if known else ""


def _test(row: EpochEnded, images: int | None) -> str:
    """The test figures; the number of right images follows from the accuracy, which is a share of them."""
    loss, accuracy = row.test_loss, row.test_accuracy
    count = "" if images is None else f"{round(accuracy * images)}/{images} "
    return f"Test set: Average loss: {loss:.4f}, Accuracy: {count}({accuracy:.2%})"
