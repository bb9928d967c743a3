"""The training loop: a generator of events, from the current step of a `Training` to its end."""

import math
import time
from collections.abc import Iterator
from typing import Literal

from mnist_tui.runs.control import POLL_SECONDS, Control
from mnist_tui.runs.events import EpochEnded, Event, Outcome, Paused, Progress, RunEnded, Unpaused, best_of
from mnist_tui.runs.verdict import after_training
from mnist_tui.training.evaluation import Evaluation, EvaluationStopped, evaluate
from mnist_tui.training.state import Training

PROGRESS_SECONDS = 0.1
"""Time between two `Progress` events; for each of them the host waits for the device."""

ADVICE = "try a lower learning rate, or clip_grad_norm=1"


def train(training: Training, control: Control) -> Iterator[Event]:
    """Trains until the recipe is done or `control` asks to stop; the last event is `RunEnded`.

    `control` is checked before every step. Whenever an event is yielded the training is between two steps, so the
    caller may save it.
    """
    started = time.perf_counter()
    settings = training.spec.train
    count = len(training.splits.train)

    def end(outcome: Outcome, message: str) -> RunEnded:
        return run_ended(training, outcome, message, time.perf_counter() - started)

    while training.epoch <= settings.epochs:
        if reason := _early_stop_reason(training):
            yield end("completed", reason)
            return
        training.begin_epoch()
        reported_loss, reported_steps = training.totals().loss, training.steps_done
        began = reported_at = time.perf_counter()
        earlier_seconds = training.seconds
        while training.steps_done < training.steps_per_epoch:
            if control.is_paused and reported_steps == training.steps_done:  # All steps so far are reported.
                paused_at = time.perf_counter()
                yield from _pause(training, control)
                paused_seconds = time.perf_counter() - paused_at
                started += paused_seconds
                began += paused_seconds
                reported_at += paused_seconds
            if control.should_stop:
                if training.step.found_nonfinite.item():  # No checkpoint may hold weights that are not finite.
                    yield end("diverged", _divergence_message(training))
                    return
                yield end("stopped", f"stopped in epoch {training.epoch} after {training.steps_done} steps")
                return
            yield from _apply_requested_rate(training, control)
            if not training.step(*training.batches.take()):
                yield end("diverged", _divergence_message(training))
                return
            training.steps_done += 1
            now = time.perf_counter()
            is_last = training.steps_done == training.steps_per_epoch
            is_due = control.consume_step() or is_last or now - reported_at >= PROGRESS_SECONDS
            if is_due:
                training.last_rate = training.learning_rate  # On CUDA the host waits for the device here.
            training.step_scheduler(None)
            if is_due:
                training.seconds = earlier_seconds + now - began
                loss = training.totals().loss
                if training.step.found_nonfinite.item():
                    yield end("diverged", _divergence_message(training))
                    return
                images = min(training.steps_done * settings.batch_size, count) - reported_steps * settings.batch_size
                yield Progress(
                    epoch=training.epoch,
                    step=training.steps_done,
                    steps_per_epoch=training.steps_per_epoch,
                    loss=(loss - reported_loss) / images,
                    learning_rate=training.last_rate,
                    images_per_second=images / max(now - reported_at, 1e-9),
                )
                reported_loss, reported_steps, reported_at = loss, training.steps_done, time.perf_counter()
        training.seconds = earlier_seconds + time.perf_counter() - began
        try:
            row, evaluation = _evaluate_epoch(training, control)
        except EvaluationStopped:
            yield end("stopped", f"stopped in epoch {training.epoch} before it was evaluated")
            return
        if not math.isfinite(row.test_loss + (row.val_loss or 0)):
            yield end("diverged", f"the loss is no longer finite after epoch {training.epoch}; {ADVICE}")
            return
        training.end_epoch(row, evaluation)
        yield row
    yield end("completed", _early_stop_reason(training) or "all epochs trained")


def _pause(training: Training, control: Control) -> Iterator[Event]:
    """Waits while `control` is paused; the learning rate may be changed meanwhile."""
    yield Paused(training.epoch, training.steps_done)
    while control.is_paused:
        yield from _apply_requested_rate(training, control)
        control.wait_for_change(POLL_SECONDS)
        control.poll()
    if not control.is_stepping and not control.should_stop:
        yield Unpaused(training.epoch, training.steps_done)


def _apply_requested_rate(training: Training, control: Control) -> Iterator[Event]:
    """Sets the learning rate that `control` asks for, or that was set here in the run that this one repeats."""
    replayed = training.replayed_rates.pop((training.epoch, training.steps_done), None)
    rate = control.consume_learning_rate() or replayed
    if rate is not None:
        yield training.set_learning_rate(rate)


def _evaluate_epoch(training: Training, control: Control) -> tuple[EpochEnded, Evaluation]:
    """The row of the epoch that was just trained, and its evaluation on the test images.

    Raises `EvaluationStopped`.
    """
    started = time.perf_counter()
    settings, splits, totals = training.spec.train, training.splits, training.totals()
    model, batch_size, normalization = training.forward_model, settings.eval_batch_size, settings.normalize
    test = evaluate(model, splits.test, batch_size, normalization, control)
    val = splits.val and evaluate(model, splits.val, batch_size, normalization, control)
    row = EpochEnded(
        epoch=training.epoch,
        train_loss=totals.loss / len(splits.train),
        train_accuracy=totals.correct / len(splits.train),
        val_loss=val.loss if val else None,
        val_accuracy=val.accuracy if val else None,
        test_loss=test.loss,
        test_accuracy=test.accuracy,
        learning_rate=training.last_rate,
        seconds=training.seconds + time.perf_counter() - started,
        images_per_second=len(splits.train) / max(training.seconds, 1e-9),
        steered=bool(training.rate_changes),
        gradient_norm=totals.gradient_norm,
        weight_norm=training.weight_norm(),
    )
    return row, test


def _early_stop_reason(training: Training) -> str | None:
    """Why the recipe's rules end the run before its last epoch; None where they do not."""
    settings, rows = training.spec.train, training.rows
    if not rows:
        return None
    if settings.stop_at_accuracy is not None and rows[-1].accuracy_to_choose_by >= settings.stop_at_accuracy:
        return f"reached {settings.stop_at_accuracy:.2%} in epoch {rows[-1].epoch}"
    best = best_of(rows)
    if settings.patience is not None and best and rows[-1].epoch - best.epoch >= settings.patience:
        return f"no better epoch than {best.epoch} in {settings.patience} epochs"
    return None


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
        target=after_training(training.spec, rows, training.splits.is_mnist),
        seconds=seconds,
    )
