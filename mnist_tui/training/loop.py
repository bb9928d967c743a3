"""The training loop: a generator of events, from the current step of a `Training` to its end."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from mnist_tui.runs.control import POLL_SECONDS, Control
from mnist_tui.runs.events import (
    EpochEnded,
    Event,
    Notice,
    Outcome,
    Paused,
    Progress,
    RunEnded,
    Unpaused,
    best_of,
)
from mnist_tui.runs.verdict import after_training
from mnist_tui.training.evaluation import EvaluationStopped
from mnist_tui.training.group import Evaluations, Group, Single
from mnist_tui.training.state import Training

PROGRESS_SECONDS = 0.1
"""Time between two `Progress` events; for each of them the host waits for the device."""

ADVICE = "try a lower learning rate, or clip_grad_norm=1"
DIED = "every gradient was 0, so no weight learns any more; stop the run and see what the coach says of it"

Moment = list[tuple[Training, Event]]
"""What happens to the trainings of a group between the same two steps: an event of each, or of some."""


def train(training: Training, control: Control) -> Iterator[Event]:
    """Trains until the recipe is done or `control` asks to stop; the last event is `RunEnded`.

    `control` is checked before every step. Whenever an event is yielded the training is between two steps, so the
    caller may save it.
    """
    for moment in train_together(Single(training), control):
        yield from (event for _, event in moment)


def train_together(group: Group, control: Control) -> Iterator[Moment]:
    """Trains a group as `train` does one training; `control` is that of all.

    The last event of each training is its `RunEnded`; one that ends before the others leaves the group.
    """
    clock = _Clock()
    while group.trainings:
        if reasons := {training: reason for training in group.trainings if (reason := _completion_reason(training))}:
            yield _end(group, "completed", reasons, clock)
        else:
            group.begin_epoch()
            yield from _train_epoch(group, control, clock)
            yield from _finish_epoch(group, control, clock)


def _train_epoch(group: Group, control: Control, clock: "_Clock") -> Iterator[Moment]:
    """Takes the steps of an epoch that are not done yet."""
    report = _Report(group.trainings, clock.seconds)
    began, earlier_seconds = clock.seconds, group.trainings[0].seconds
    while group.trainings and group.trainings[0].steps_done < group.trainings[0].steps_per_epoch:
        if control.is_paused and report.steps == group.trainings[0].steps_done:  # All steps so far are reported.
            yield from _pause(group, control, clock)
        if control.should_stop:
            yield from _end_diverged(group, clock)  # No checkpoint may hold weights that are not finite.
            yield _end(group, "stopped", {training: _stop_message(training) for training in group.trainings}, clock)
            return
        yield from _apply_requested_rate(group, control)
        nonfinite = group.take_step()
        ended = _end(group, "diverged", {training: _divergence_message(training) for training in nonfinite}, clock)
        for training in group.trainings:
            training.steps_done += 1
        if ended:
            yield ended
        if not group.trainings:
            return
        now = clock.seconds
        is_last = group.trainings[0].steps_done == group.trainings[0].steps_per_epoch
        is_due = control.consume_step() or is_last or now - report.seconds >= PROGRESS_SECONDS
        if is_due:
            rate = group.trainings[0].learning_rate  # On CUDA the host waits for the device here.
            for training in group.trainings:
                training.last_rate = rate
        group.step_scheduler(None)
        if is_due:
            for training in group.trainings:
                training.seconds = earlier_seconds + now - began
            losses = {training: training.totals().loss for training in group.trainings}
            yield from _end_diverged(group, clock)
            if group.trainings:
                yield [(training, report.progress(training, losses[training], now)) for training in group.trainings]
                report.begin(losses, clock.seconds)
    for training in group.trainings:
        training.seconds = earlier_seconds + clock.seconds - began


def _finish_epoch(group: Group, control: Control, clock: "_Clock") -> Iterator[Moment]:
    """Evaluates the epoch whose steps have been taken, and moves on to the next."""
    if not group.trainings:
        return
    began = clock.seconds
    try:
        evaluations = group.evaluate(control)
    except EvaluationStopped:
        message = f"stopped in epoch {group.trainings[0].epoch} before it was evaluated"
        yield _end(group, "stopped", dict.fromkeys(group.trainings, message), clock)
        return
    evaluated = dict(zip(group.trainings, evaluations, strict=True))
    seconds = clock.seconds - began
    rows = {training: _epoch_row(training, each, seconds) for training, each in evaluated.items()}
    nonfinite = [training for training, row in rows.items() if not math.isfinite(row.test_loss + (row.val_loss or 0))]
    if nonfinite:
        message = f"the loss is no longer finite after epoch {nonfinite[0].epoch}; {ADVICE}"
        yield _end(group, "diverged", dict.fromkeys(nonfinite, message), clock)
    for training in group.trainings:
        training.end_epoch(rows[training], evaluated[training].test)
    if group.trainings:
        group.step_scheduler(group.trainings[0].rows[-1])
        yield [(training, rows[training]) for training in group.trainings]
        if died := [training for training in group.trainings if _lost_gradient(training.rows)]:
            yield [(training, Notice(f"epoch {training.epoch - 1}: {DIED}", is_warning=True)) for training in died]


def _lost_gradient(rows: Sequence[EpochEnded]) -> bool:
    """Whether the last epoch is the first in which the gradient of every step was exactly 0."""
    return [row.has_no_gradient for row in rows[-2:]] in ([True], [False, True])


class _Clock:
    """The seconds since it was made, without pauses."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._started

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stands still in this block."""
        stopped_at = time.perf_counter()
        yield
        self._started += time.perf_counter() - stopped_at


class _Report:
    """Where the last `Progress` of each training left off."""

    def __init__(self, trainings: Sequence[Training], seconds: float) -> None:
        self.begin({training: training.totals().loss for training in trainings}, seconds)

    def begin(self, losses: dict[Training, float], seconds: float) -> None:
        """Notes the sums of losses and the time up to which everything is reported."""
        self.losses = losses
        self.steps = next(iter(losses)).steps_done
        self.seconds = seconds

    def progress(self, training: Training, loss: float, now: float) -> Progress:
        """The event about the steps since then, from the sum of losses and the time by now."""
        batch_size, count = training.spec.train.batch_size, len(training.splits.train)
        images = min(training.steps_done * batch_size, count) - self.steps * batch_size
        return Progress(
            epoch=training.epoch,
            step=training.steps_done,
            steps_per_epoch=training.steps_per_epoch,
            loss=(loss - self.losses[training]) / images,
            learning_rate=training.last_rate,
            images_per_second=images / max(now - self.seconds, 1e-9),
        )


def _pause(group: Group, control: Control, clock: _Clock) -> Iterator[Moment]:
    """Waits while `control` is paused; the learning rate may be changed meanwhile."""
    epoch, step = group.trainings[0].epoch, group.trainings[0].steps_done
    with clock.stopped():
        yield [(training, Paused(epoch, step)) for training in group.trainings]
        while control.is_paused:
            yield from _apply_requested_rate(group, control)
            control.wait_for_change(POLL_SECONDS)
            control.poll()
        if not control.is_stepping and not control.should_stop:
            yield [(training, Unpaused(epoch, step)) for training in group.trainings]


def _apply_requested_rate(group: Group, control: Control) -> Iterator[Moment]:
    """Sets the learning rate that `control` asks for, or that was set here in the run that this one repeats."""
    first = group.trainings[0]
    replayed = first.replayed_rates.pop((first.epoch, first.steps_done), None)
    rate = control.consume_learning_rate() or replayed
    if rate is not None:
        changed = group.set_learning_rate(rate)
        yield [(training, changed) for training in group.trainings]


def _epoch_row(training: Training, evaluations: Evaluations, evaluation_seconds: float) -> EpochEnded:
    """The row of the epoch that was just trained and evaluated."""
    splits, totals, test, val = training.splits, training.totals(), evaluations.test, evaluations.val
    return EpochEnded(
        epoch=training.epoch,
        train_loss=totals.loss / len(splits.train),
        train_accuracy=totals.correct / len(splits.train),
        val_loss=val.loss if val else None,
        val_accuracy=val.accuracy if val else None,
        test_loss=test.loss,
        test_accuracy=test.accuracy,
        learning_rate=training.last_rate,
        seconds=training.seconds + evaluation_seconds,
        images_per_second=len(splits.train) / max(training.seconds, 1e-9),
        steered=bool(training.rate_changes),
        gradient_norm=totals.gradient_norm,
        weight_norm=training.weight_norm(),
    )


def _completion_reason(training: Training) -> str | None:
    """Why the run is done, by the recipe's rules or after its last epoch; None where it is not."""
    settings, rows = training.spec.train, training.rows
    if rows and settings.stop_at_accuracy is not None and rows[-1].accuracy_to_choose_by >= settings.stop_at_accuracy:
        return f"reached {settings.stop_at_accuracy:.2%} in epoch {rows[-1].epoch}"
    best = best_of(rows)
    if rows and settings.patience is not None and best and rows[-1].epoch - best.epoch >= settings.patience:
        return f"no better epoch than {best.epoch} in {settings.patience} epochs"
    return "all epochs trained" if training.epoch > settings.epochs else None


def _end(group: Group, outcome: Outcome, reasons: Mapping[Training, str], clock: _Clock) -> Moment:
    """Takes trainings out of the group, each for its reason; the last event of each."""
    group.remove(reasons)
    return [(training, run_ended(training, outcome, reason, clock.seconds)) for training, reason in reasons.items()]


def _end_diverged(group: Group, clock: _Clock) -> Iterator[Moment]:
    """Ends the trainings whose loss or a gradient was not finite in a step before."""
    diverged = [training for training in group.trainings if training.step.found_nonfinite.item()]
    if diverged:
        yield _end(group, "diverged", {training: _divergence_message(training) for training in diverged}, clock)


def _stop_message(training: Training) -> str:
    return f"stopped in epoch {training.epoch} after {training.steps_done} steps"


def _divergence_message(training: Training) -> str:
    place = f"epoch {training.epoch}, step {training.steps_done + 1}"
    return f"the loss or a gradient is no longer finite in {place}; {ADVICE}"


def run_ended(training: Training, outcome: Outcome, message: str, seconds: float) -> RunEnded:
    """The last event of a run, from the state it ended in."""
    rows = training.rows
    chosen_by: Literal["validation", "test"] = "validation" if training.splits.val else "test"
    return RunEnded(
        outcome=outcome,
        message=message,
        epochs=len(rows),
        best=best_of(rows),
        last=rows[-1] if rows else None,
        chosen_by=chosen_by,
        target=after_training(training.spec, rows, training.splits.is_judged),
        seconds=seconds,
    )
