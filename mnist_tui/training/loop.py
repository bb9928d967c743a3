"""The training loop, as a generator of events, and evaluation."""

import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mnist_tui.errors import SpecError
from mnist_tui.runs.control import POLL_SECONDS, Control
from mnist_tui.runs.events import (
    EpochEnded,
    Event,
    LearningRateChanged,
    Outcome,
    Paused,
    Progress,
    RunEnded,
    Unpaused,
    best_of,
)
from mnist_tui.runs.verdict import after_training
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import build, flat_parameters
from mnist_tui.training.batches import Batches, normalise
from mnist_tui.training.data import Images
from mnist_tui.training.fusion import fuse_layers
from mnist_tui.training.step import WARM_UP_STEPS, TrainStep

PROGRESS_SECONDS = 0.1
"""Between two looks at the device: each is a point where the host waits for it."""

NO_RATE = 1e-12
"""A scheduled rate up to here trains nothing, and one set by hand is in no proportion to it."""

ADVICE = "try a lower learning rate, or clip_grad_norm=1"

ORDER_STREAM = 0x0DE7
"""Added to the seed for the order of the images and their augmentation."""


@dataclass(frozen=True)
class Splits:
    """The images of a run on its device."""

    train: Images
    val: Images | None
    test: Images
    is_mnist: bool = True
    """Whether a target, which speaks of MNIST, can be judged on them."""


@dataclass(frozen=True)
class Evaluation:
    """A network's log_probs on N images."""

    loss: float
    """Mean cross-entropy."""
    accuracy: float
    predictions: Tensor
    """uint8 (N,): the class with the highest score."""
    probabilities: Tensor
    """float32 (N,): the probability given to the true class."""
    log_probs: Tensor
    """float32 (N, 10): the log-probability of every class."""


class EvaluationStopped(Exception):
    """Somebody asked the run to stop while it evaluated."""


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    images: Images,
    batch_size: int,
    normalization: tuple[float, float],
    control: Control | None = None,
) -> Evaluation:
    """Loss, accuracy and every answer on plain images, in eval mode; nothing of the training state changes.

    Raises `EvaluationStopped` between two batches where `control` is set.
    """
    was_training = model.training
    model.eval()
    log_probs = []
    try:
        for pixels in torch.split(images.pixels, batch_size):
            if control is not None:
                control.poll()
                if control.should_stop:
                    raise EvaluationStopped
            log_probs.append(torch.log_softmax(model(normalise(pixels, *normalization)).float(), dim=1))
    finally:
        model.train(was_training)
    log_probs_all = torch.cat(log_probs)
    of_truth = log_probs_all.gather(1, images.labels[:, None])[:, 0].cpu()  # MPS has no float64 to average in.
    predictions = log_probs_all.argmax(1).cpu()
    return Evaluation(
        loss=-of_truth.double().mean().item(),
        accuracy=(predictions == images.labels.cpu()).double().mean().item(),
        predictions=predictions.to(torch.uint8),
        probabilities=of_truth.exp(),
        log_probs=log_probs_all.cpu(),
    )


class Training:
    """A run between two steps: everything that decides how it goes on.

    Made for a spec and its images; a checkpoint restores it. Raises `SpecError` where PyTorch refuses the recipe.
    """

    def __init__(self, spec: RunSpec, splits: Splits) -> None:
        settings = spec.train
        device = splits.train.labels.device
        torch.manual_seed(settings.seed)
        self.spec = spec
        self.splits = splits
        self.model = build.network(spec).to(device).to(memory_format=torch.channels_last)
        weights = list(self.model.parameters())
        if not weights:
            raise SpecError("layers: no layer has weights, so there is nothing to train", ("layers",))
        self.vector = flat_parameters.flatten_parameters(weights)
        """All weights of the network, and as its `grad` their gradients."""
        self.optimizer = build.optimizer(spec, weights if settings.optimizer.name in build.BY_SHAPE else [self.vector])
        self.scheduler = build.scheduler(spec, self.optimizer, len(splits.train))
        self.augmentation = build.augmentation(spec)
        self.fused_model = fuse_layers(self.model).train()
        self.batches = Batches(splits.train, settings.batch_size, settings.normalize, self.augmentation)
        self.step = TrainStep(
            settings,
            self.fused_model,
            self.vector,
            build.loss(spec),
            self.optimizer,
            device,
            self.steps_per_epoch,
            build.can_capture(spec),
        )
        self.generator = torch.Generator().manual_seed(settings.seed + ORDER_STREAM)
        self.epoch_start = self.generator.get_state()
        """The generator's state before the order of the epoch under way is drawn."""
        self.epoch = 1
        """The epoch under way, from 1."""
        self.steps_done = 0
        """Steps taken in the epoch under way."""
        self.seconds = 0.0
        """Seconds spent training in the epoch under way, pauses left out."""
        self.last_rate = self.learning_rate
        """The rate of the step before."""
        self.steered: list[LearningRateChanged] = []
        """Where somebody changed the rate by hand."""
        self.rate_factor = 1.0
        """What scheduled rates are multiplied with since then."""
        self.scheduled: list[float] = []
        """The rates that the scheduler set, one for each group of parameters; only kept once the run is steered."""
        self.rows: list[EpochEnded] = []
        self.best_evaluation: Evaluation | None = None
        """The log_probs on the test images in the best epoch, where it was trained by this process."""

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in an epoch of these images."""
        return self.spec.steps_per_epoch(len(self.splits.train))

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def set_learning_rate(self, rate: float) -> LearningRateChanged:
        """Sets the rate of the next step by hand; what is scheduled later is scaled in proportion."""
        if not self.steered:
            self.scheduled = _rates(self.optimizer)
        first = self.scheduled[0]
        if first > NO_RATE:  # Else there is no proportion: the rate holds until the scheduler sets another.
            self.rate_factor = rate / first
        _set_rates(
            self.optimizer, [rate * scheduled / first if first > NO_RATE else rate for scheduled in self.scheduled]
        )
        self.steered.append(LearningRateChanged(self.epoch, self.steps_done, rate))
        return self.steered[-1]

    def begin_epoch(self) -> None:
        """Draws the order and the augmentation of the epoch under way, the same ones after a resume."""
        self.generator.set_state(self.epoch_start)
        count = len(self.splits.train)
        order = torch.randperm(count, generator=self.generator)
        params = torch.zeros(count, 0)
        if self.augmentation is not None:
            params = self.augmentation.sample_params(count, self.generator)
        self.batches.begin(order, params, self.steps_done * self.spec.train.batch_size)
        self.step.begin(self.steps_done)

    def sums(self) -> tuple[float, int]:
        """Loss times images, and right log_probs, of the epoch so far; the host waits for the device here.

        Always summed over a whole epoch's steps in the same way, so that it does not matter when one looks.
        """
        count, batch_size = len(self.splits.train), self.spec.train.batch_size
        losses = self.step.losses.cpu().double()
        sizes = torch.full_like(losses, batch_size)
        sizes[-1] = count - batch_size * (len(losses) - 1)
        return (losses * sizes).sum().item(), int(self.step.correct.sum().item())

    def step_scheduler(self, row: EpochEnded | None) -> None:
        """Steps the scheduler where it is due: after a batch (`row` is None) or after an epoch."""
        when = build.scheduler_step(self.spec)
        if self.scheduler is None or (row is None) != (when == "batch"):
            return
        if self.steered:
            # Some schedulers compute a rate from the one before: each is shown what it set itself.
            _set_rates(self.optimizer, self.scheduled)
        if isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(_watched(self.scheduler.mode, row))
        else:
            for _ in range(self.steps_per_epoch if when == "burst" else 1):
                self.scheduler.step()
        if self.steered:
            self.scheduled = _rates(self.optimizer)
            _set_rates(self.optimizer, [rate * self.rate_factor for rate in self.scheduled])

    def end_epoch(self, row: EpochEnded, evaluation: Evaluation) -> None:
        """Files a finished epoch and moves to the next."""
        self.rows.append(row)
        if best_of(self.rows) is row:
            self.best_evaluation = evaluation
        self.step_scheduler(row)
        self.epoch_start = self.generator.get_state()
        self.epoch += 1
        self.steps_done = 0
        self.seconds = 0.0


def _rates(optimizer: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def _set_rates(optimizer: torch.optim.Optimizer, rates: list[float]) -> None:
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)  # A captured CUDA graph reads it where it lies.
        else:
            group["lr"] = rate


def _watched(mode: str, row: EpochEnded | None) -> float:
    """What ReduceLROnPlateau looks at: the validation loss (mode "min") or accuracy; without a split, training's."""
    assert row is not None
    if mode == "min":
        return row.train_loss if row.val_loss is None else row.val_loss
    return row.train_accuracy if row.val_accuracy is None else row.val_accuracy


def train(training: Training, control: Control) -> Iterator[Event]:
    """Trains to the end of the recipe, or until `control` is set; the last event is `RunEnded`.

    `control` is looked at before every step. At every event the training stands between two steps, so that whoever
    iterates may save it.
    """
    started = time.perf_counter()
    settings = training.spec.train
    count = len(training.splits.train)

    def ended(outcome: Outcome, message: str) -> RunEnded:
        return run_ended(training, outcome, message, time.perf_counter() - started)

    while training.epoch <= settings.epochs:
        if reason := _stopped_early(training):
            yield ended("completed", reason)
            return
        training.begin_epoch()
        loss_seen, steps_seen = training.sums()[0], training.steps_done
        began = seen = time.perf_counter()
        before = training.seconds
        while training.steps_done < training.steps_per_epoch:
            if control.is_paused and steps_seen == training.steps_done:  # All steps before are reported.
                asked = time.perf_counter()
                yield from _pause(training, control)
                away = time.perf_counter() - asked
                started, began, seen = started + away, began + away, seen + away
            if control.should_stop:
                if training.step.found_nonfinite.item():  # No checkpoint may hold what is not finite.
                    yield ended("diverged", _diverged(training))
                    return
                yield ended("stopped", f"stopped in epoch {training.epoch} after {training.steps_done} steps")
                return
            yield from _steered(training, control)
            if not training.step(*training.batches.take()):
                yield ended("diverged", _diverged(training))
                return
            training.steps_done += 1
            now = time.perf_counter()
            is_last = training.steps_done == training.steps_per_epoch
            is_due = control.consume_step() or is_last or now - seen >= PROGRESS_SECONDS
            if is_due:
                training.last_rate = training.learning_rate  # On CUDA the host waits for the device here.
            training.step_scheduler(None)
            if is_due:
                training.seconds = before + now - began
                loss_sum, _ = training.sums()
                if training.step.found_nonfinite.item():
                    yield ended("diverged", _diverged(training))
                    return
                done = min(training.steps_done * settings.batch_size, count) - steps_seen * settings.batch_size
                yield Progress(
                    epoch=training.epoch,
                    step=training.steps_done,
                    steps_per_epoch=training.steps_per_epoch,
                    loss=(loss_sum - loss_seen) / done,
                    learning_rate=training.last_rate,
                    images_per_second=done / max(now - seen, 1e-9),
                )
                loss_seen, steps_seen, seen = loss_sum, training.steps_done, time.perf_counter()
        training.seconds = before + time.perf_counter() - began
        try:
            row, evaluation = _evaluated(training, control)
        except EvaluationStopped:
            yield ended("stopped", f"stopped in epoch {training.epoch} before it was evaluated")
            return
        if not math.isfinite(row.test_loss + (row.val_loss or 0)):
            yield ended("diverged", f"the loss is no longer finite after epoch {training.epoch}; {ADVICE}")
            return
        training.end_epoch(row, evaluation)
        yield row
    yield ended("completed", _stopped_early(training) or "all epochs trained")


def _pause(training: Training, control: Control) -> Iterator[Event]:
    """Waits while it is asked to; the rate may be changed meanwhile."""
    yield Paused(training.epoch, training.steps_done)
    while control.is_paused:
        yield from _steered(training, control)
        control.wait_for_change(POLL_SECONDS)
        control.poll()
    if not control.is_stepping and not control.should_stop:
        yield Unpaused(training.epoch, training.steps_done)


def _steered(training: Training, control: Control) -> Iterator[Event]:
    """Takes over a learning rate that was asked for."""
    rate = control.consume_learning_rate()
    if rate is not None:
        yield training.set_learning_rate(rate)


def _evaluated(training: Training, control: Control) -> tuple[EpochEnded, Evaluation]:
    """The row of the epoch that was just trained; raises `EvaluationStopped`."""
    started = time.perf_counter()
    settings, splits = training.spec.train, training.splits
    loss_sum, correct = training.sums()
    test = evaluate(training.fused_model, splits.test, settings.eval_batch_size, settings.normalize, control)
    val = splits.val and evaluate(
        training.fused_model, splits.val, settings.eval_batch_size, settings.normalize, control
    )
    row = EpochEnded(
        epoch=training.epoch,
        train_loss=loss_sum / len(splits.train),
        train_accuracy=correct / len(splits.train),
        val_loss=val.loss if val else None,
        val_accuracy=val.accuracy if val else None,
        test_loss=test.loss,
        test_accuracy=test.accuracy,
        learning_rate=training.last_rate,
        seconds=training.seconds + time.perf_counter() - started,
        images_per_second=len(splits.train) / max(training.seconds, 1e-9),
        steered=bool(training.steered),
    )
    return row, test


def _stopped_early(training: Training) -> str | None:
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


def _diverged(training: Training) -> str:
    where = f"epoch {training.epoch}, step {training.steps_done + 1}"
    return f"the loss or a gradient is no longer finite in {where}; {ADVICE}"


def run_ended(training: Training, outcome: Outcome, message: str, seconds: float) -> RunEnded:
    """The last event of a run that stands where `training` stands."""
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


def time_steps(training: Training) -> tuple[float, float]:
    """Seconds per training step and per evaluated image, measured on the training's own images."""
    training.begin_epoch()
    settings, images = training.spec.train, training.splits.test
    batch = min(settings.batch_size, len(images))
    seconds = []
    for _ in range(len(images) // batch):
        started = time.perf_counter()
        training.step(*training.batches.take())
        training.step.found_nonfinite.item()  # On CUDA the step is only under way until something is read.
        seconds.append(time.perf_counter() - started)
    started = time.perf_counter()
    evaluate(training.fused_model, images, settings.eval_batch_size, settings.normalize)
    return statistics.fmean(seconds[WARM_UP_STEPS + 2 :] or seconds), (time.perf_counter() - started) / len(images)
