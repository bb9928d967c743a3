"""A run as lines: its events as text or JSON, the line of an epoch, and the lines of its result."""

import time
from collections.abc import Iterator
from dataclasses import replace

from mnist_tui.cli.formats import event_record
from mnist_tui.cli.output import Output
from mnist_tui.cli.progress_table import show_downloads
from mnist_tui.datasets import names
from mnist_tui.datasets.published import MNIST
from mnist_tui.runs import metrics, verdict
from mnist_tui.runs.events import (
    Downloading,
    EpochEnded,
    Event,
    LearningRateChanged,
    Notice,
    Paused,
    Progress,
    RunEnded,
    RunStarted,
    Unpaused,
)
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import duration

LINE_WIDTH = 80
"""Columns of the line of an epoch."""


class FollowedRun:
    """One run: its events so far, as lines, and how it ended."""

    def __init__(self, spec: RunSpec, has_label: bool = False) -> None:
        self.spec = spec
        self.has_label = has_label
        """Whether every line says which run it is about: others are trained at the same time."""
        self.started: RunStarted | None = None
        self.ended: RunEnded | None = None
        self.clock = time.monotonic()

    @property
    def epochs(self) -> int:
        """Epochs in all; an extension has more than the run that it extends."""
        return self.started.epochs if self.started else self.spec.train.epochs

    def follow(self, events: Iterator[Event], output: Output) -> "FollowedRun":
        """Prints every event, and shows downloads as a bar."""
        for event in show_downloads(events, output):
            self.show(event, output)
        return self

    @property
    def label(self) -> str:
        """`iter5 s0`."""
        return f"{self.spec.name} s{self.spec.train.seed}"

    def show(self, event: Event, output: Output) -> None:
        """Prints an event; the progress of a download is for a bar, not for lines."""
        if isinstance(event, Downloading):
            return
        if isinstance(event, RunStarted):
            self.started = event
            self.clock = time.monotonic()
        if output.as_json:
            run = self.started.run if self.started else None
            output.json(event_record(event, run))
        match event:
            case Notice():
                output.notice(replace(event, text=self._labelled(event.text)))
            case RunStarted():
                output.talk(_started_line(event))
            case Progress() if not self.has_label:
                output.bar(self._bar(event))
            case Paused(epoch=epoch, step=step):
                output.talk(self._labelled(f"paused in epoch {epoch} after {step} steps, from another terminal"))
            case Unpaused():
                output.talk(self._labelled("resumed"))
            case LearningRateChanged(learning_rate=rate):
                text = f"learning rate {rate:g} from here on, set from another terminal"
                output.talk(self._labelled(text), always=True)
            case EpochEnded() if not output.as_json:
                width = LINE_WIDTH - len(self._labelled("", "  "))
                output.data(self._labelled(epoch_line(event, self.epochs, width), "  "))
            case RunEnded():
                self.ended = event
                self._show_end(event, output)

    def _show_end(self, ended: RunEnded, output: Output) -> None:
        who = self.label if self.has_label else self.spec.name
        if ended.outcome in ("diverged", "failed"):
            output.talk(f"{who}: {ended.outcome}: {ended.message}", always=True)
        elif ended.outcome == "stopped":
            folder = self.started.folder if self.started else ""
            output.talk(f"{who}: {ended.message}; resume it with: mnist-tui resume {folder}", always=True)
        if not output.as_json:
            for line in result_lines(ended, self.started.dataset if self.started else MNIST.name):
                output.data(self._labelled(line, "  "))

    def _labelled(self, text: str, gap: str = ": ") -> str:
        return f"{self.label}{gap}{text}" if self.has_label else text

    def _bar(self, progress: Progress) -> str:
        done = (progress.epoch - 1) * progress.steps_per_epoch + progress.step
        steps_before = 0
        if self.started:
            steps_before = self.started.epochs_done * progress.steps_per_epoch + self.started.steps_done
        total = self.epochs * progress.steps_per_epoch
        elapsed = time.monotonic() - self.clock
        left = elapsed / max(1, done - steps_before) * (total - done)
        width = 20
        filled = width * done // total
        return (
            f"{self.spec.name} epoch {progress.epoch}/{self.epochs} "
            f"[{'#' * filled}{'-' * (width - filled)}] {done / total:4.0%}  loss {progress.loss:.4f}  "
            f"{progress.images_per_second:,.0f} img/s  ETA {duration(left)}"
        )


def _started_line(event: RunStarted) -> str:
    val = f", {event.val_images:,} validation" if event.val_images else ""
    threads = f"{event.threads} thread" + ("s" if event.threads > 1 else "")
    again = f"; resumed after {event.epochs_done} epochs and {event.steps_done} steps" if _is_resumed(event) else ""
    return (
        f"{event.name}, seed {event.seed}: {event.parameters:,} parameters, {event.dataset} "
        f"({event.train_images:,} train{val}, {event.test_images:,} test), {event.device}, {threads}{again}"
    )


def _is_resumed(event: RunStarted) -> bool:
    return bool(event.epochs_done or event.steps_done)


def epoch_line(row: EpochEnded, epochs: int, width: int = LINE_WIDTH) -> str:
    """An epoch on one line of at most `width` columns."""
    text = metrics.texts(row)
    has_val = row.val_accuracy is not None
    # Beside a validation accuracy there is no room for the test loss; the history has it.
    evaluated = f"val {text['val_accuracy']:>7}  test" if has_val else f"test {_loss(row.test_loss)}"
    parts = [
        f"epoch {row.epoch:>{len(str(epochs))}}/{epochs}",
        f"train {_loss(row.train_loss)} {text['train_accuracy']:>7}",
        f"{evaluated} {text['test_accuracy']:>7}",
        f"lr {text['learning_rate']}",
        f"{row.seconds:.1f} s" if row.seconds < 100 else f"{row.seconds:.0f} s",
    ]
    while len(line := "  ".join(parts)) > width and len(parts) > 1:
        parts.pop()  # The history has it.
    return line


def _loss(value: float) -> str:
    """A loss in at most eight characters."""
    return metrics.metric("test_loss").text(value) if value < 1_000 else f"{value:.2e}"


def result_lines(ended: RunEnded, dataset: str = MNIST.name) -> list[str]:
    """Best and last epoch, on which data set where it is not MNIST, and the verdict on the target."""
    judged = [verdict.in_words(ended.target, ended.epochs)] if ended.target else []
    if ended.best is None or ended.last is None:
        return [f"{ended.outcome}: no epoch was finished", *judged]
    best, last = ended.best, ended.last
    val = f" (validation {best.val_accuracy:.2%})" if best.val_accuracy is not None else ""
    by = "" if ended.chosen_by == "validation" else ", chosen on the test set"
    on = "" if dataset == MNIST.name else f" on {names.title(dataset)}"
    return [
        f"best   epoch {best.epoch}: test {best.test_accuracy:.2%}{on}{val}{by}",
        f"last   epoch {last.epoch}: test {last.test_accuracy:.2%}{on}",
        *judged,
    ]
