"""The coach's rules on the learning rate: too high, too low, lowered too early, or due to be lowered.

The docstring of a rule is what `mnist-tui explain RULE` prints.
"""

from itertools import pairwise

from mnist_tui.analysis.coach.curves import STALLED, overfitting
from mnist_tui.analysis.coach.edits import RATE_STEP, Settings, applicable, scale_rate
from mnist_tui.analysis.coach.evidence import WINDOW, Advice, Evidence, gap, mean_train_loss, percent, points
from mnist_tui.runs.events import EpochEnded
from mnist_tui.spec import catalog
from mnist_tui.spec.run_spec import RunSpec

SPIKE = 1.5
"""A training loss that is multiplied by this from one epoch to the next has spiked."""
EARLY_RISE = 1.1
"""A training loss that is multiplied by this in the first epochs rises."""
EARLY = 5
"""The first epochs, in which the training loss of a good learning rate falls fast."""
LEAST_RISE = 0.01
"""Nats per image; a smaller rise of a small training loss is noise."""
MANY_STEPS = 100
"""Steps of an epoch after which running statistics (momentum 0.1) have forgotten where they began."""
USUAL_RATES = {"SGD": 0.01}
"""Learning rates to begin with, where PyTorch's default is none: 0.01 for SGD (Bengio 2012)."""
LOW_RATE = 5
"""A learning rate is low where it is that many times smaller than the usual one."""
PLATEAU = 4
"""Epochs without a better one that are a plateau; exp19's, before its drop at epoch 10, had four."""


def learning_rate_too_high(evidence: Evidence) -> Advice | None:
    """Steps that are too long jump over the valley: the loss rises, spikes, or is no longer finite.

    Fires where the run diverged; where the training loss of one of the first 5 epochs is 10 % above the epoch before;
    where the first epoch's held-out accuracy is 10 points below the running training accuracy (running statistics of
    batch norm cannot follow the weights; a run with Adam(lr=0.05), exp16, had 39 % against 58 %); or where the
    training loss of two epochs is 1.5 times that of the epoch before. Epochs in which the schedule raised the rate do
    not count.
    """
    rate = evidence.rows[-1].learning_rate if evidence.rows else None
    if evidence.state == "diverged":
        when = (
            f"after epoch {evidence.rows[-1].epoch}, at a rate of {rate:g}" if evidence.rows else "in the first epoch"
        )
        return _lower_rate(evidence, f"the loss was no longer finite {when}")
    pairs = [
        (previous, row)
        for previous, row in pairwise(evidence.rows)
        if row.learning_rate <= previous.learning_rate and row.train_loss - previous.train_loss > LEAST_RISE
    ]
    early = [pair for pair in pairs if pair[1].epoch <= EARLY and pair[1].train_loss > EARLY_RISE * pair[0].train_loss]
    spikes = [pair for pair in pairs if pair[1].train_loss > SPIKE * pair[0].train_loss]
    first = evidence.rows[0] if evidence.rows and evidence.rows[0].epoch == 1 else None
    if early:
        previous, row = early[0]
        return _lower_rate(
            evidence,
            f"the training loss rose from {previous.train_loss:.4f} to {row.train_loss:.4f} in epoch {row.epoch}",
        )
    if first and gap([first]) > 0.1 and evidence.spec.steps_per_epoch(evidence.train_images) >= MANY_STEPS:
        return _lower_rate(
            evidence,
            f"epoch 1 had {percent(first.accuracy_to_choose_by)} on held-out images against "
            f"{percent(first.train_accuracy)} in training",
        )
    if len(spikes) >= 2:
        epochs = ", ".join(str(row.epoch) for _, row in spikes[:5])
        return _lower_rate(evidence, f"the training loss rose by half or more in {len(spikes)} epochs ({epochs})")
    return None


def _lower_rate(evidence: Evidence, what: str) -> Advice:
    settings = scale_rate(evidence.spec, 1 / RATE_STEP)
    return Advice(
        "learning-rate-too-high",
        f"The learning rate is too high: {what}.",
        f"Divide it by {RATE_STEP}.",
        settings,
    )


def learning_rate_too_low(evidence: Evidence) -> Advice | None:
    """Steps that are too short waste epochs: the training loss creeps down and has not arrived when the run ends.

    Fires where the highest rate is 5 times below the usual one (0.01 for SGD, PyTorch's default for the others), the
    training loss fell in every epoch, by 5 % or more over the last 3, and the best held-out accuracy is below the goal.
    """
    rows, name = evidence.rows, evidence.spec.train.optimizer.name
    default = catalog.default_of("optimizer", name, "lr")
    usual = USUAL_RATES.get(name, default if isinstance(default, int | float) else 0.0)
    if len(rows) < 2 * WINDOW or evidence.best is None or evidence.frozen_rows:
        return None
    previous, last = rows[-2 * WINDOW : -WINDOW], rows[-WINDOW:]
    is_steady = all(after.train_loss < row.train_loss for row, after in pairwise(rows))
    falls = mean_train_loss(last) < STALLED * mean_train_loss(previous)
    is_below = evidence.best.accuracy_to_choose_by < evidence.goal
    if not (evidence.peak_rate <= usual / LOW_RATE and is_steady and falls and is_below):
        return None
    return Advice(
        "learning-rate-too-low",
        f"The learning rate is too low: at {evidence.peak_rate:g} ({usual:g} is usual for {name}) the training loss "
        f"fell in each of {len(rows)} epochs and is still at {rows[-1].train_loss:.4f}; the best held-out accuracy is "
        f"{percent(evidence.best.accuracy_to_choose_by)}.",
        f"Multiply it by {RATE_STEP}, or look for it with the learning-rate finder.",
        scale_rate(evidence.spec, RATE_STEP),
    )


def schedule_frozen(evidence: Evidence) -> Advice | None:
    """The schedule lowered the learning rate to nothing long before the end, so that the last epochs changed nothing.

    Fires where the rate was below 1 % of its highest for 3 epochs and for a third of all epochs, and no epoch among
    them was better than the first of them by two standard errors. Cosine and one-cycle schedules, which are so low
    for the last epoch or two alone, do not trigger it. StepLR(step_size=2) over 20 epochs, as in exp01 to exp06, does.
    """
    rows, frozen = evidence.rows, evidence.frozen_rows
    if evidence.is_rate_changed or len(frozen) < max(WINDOW, len(rows) / 3):
        return None
    first = frozen[0]
    gain = max(row.accuracy_to_choose_by for row in frozen) - first.accuracy_to_choose_by
    if gain > 2 * evidence.accuracy_error:
        return None
    suggestion, settings = _slower_schedule(evidence.spec)
    return Advice(
        "schedule-frozen",
        f"The schedule froze the network early: from epoch {first.epoch} on the learning rate was at most "
        f"{first.learning_rate:.2g}, under 1 % of {evidence.peak_rate:g}, and {len(frozen)} of {len(rows)} epochs "
        f"gained {points(gain)}.",
        suggestion,
        settings,
    )


def _slower_schedule(spec: RunSpec) -> tuple[str, Settings | None]:
    scheduler = spec.train.scheduler
    step = -(-spec.train.epochs // WINDOW)
    if scheduler is not None and scheduler.name == "StepLR":
        return f"Drop the rate every {step} epochs.", _drop_every(spec, step)
    cosine = {"scheduler": "CosineAnnealingLR(T_max=epochs)", "scheduler_step": "auto"}
    return "Lower the rate along a cosine over all epochs.", applicable(spec, cosine)


def plateau(evidence: Evidence) -> Advice | None:
    """At one learning rate the network bounces around a minimum that shorter steps would reach.

    Fires where the rate has never been lowered, 4 epochs or more brought no better one, the accuracy went both up and
    down meanwhile, the training loss stopped falling (95 % of that of the 3 epochs before) and the network does not
    over-fit. Dropping the rate to a tenth at such a plateau is the recipe of He et al. 2015; exp19 went from 99.10 %
    to 99.49 % in the epoch after its drop.
    """
    rows, best = evidence.rows, evidence.best
    if best is None or evidence.is_rate_changed or len(rows) < 2 * WINDOW or best.epoch >= evidence.spec.train.epochs:
        return None
    since = [row for row in rows if row.epoch > best.epoch]
    accuracies = [row.accuracy_to_choose_by for row in since]
    steps = [after - before for before, after in pairwise(accuracies)]
    bounces = any(step > 0 for step in steps) and any(step < 0 for step in steps)
    is_constant = min(row.learning_rate for row in rows) > 0.99 * evidence.peak_rate
    has_stalled = mean_train_loss(rows[-WINDOW:]) > STALLED * mean_train_loss(rows[-2 * WINDOW : -WINDOW])
    if len(since) < PLATEAU or not (bounces and is_constant and has_stalled) or overfitting(evidence) is not None:
        return None
    return Advice(
        "plateau",
        f"A plateau since epoch {best.epoch}: at a rate of {evidence.peak_rate:g} the held-out accuracy went up and "
        f"down between {percent(min(accuracies))} and {percent(max(accuracies))} for {len(since)} epochs.",
        f"Drop the learning rate to a tenth after epoch {best.epoch}.",
        _drop_after(evidence.spec, best),
    )


def _drop_after(spec: RunSpec, best: EpochEnded) -> Settings | None:
    scheduler = spec.train.scheduler
    if scheduler is not None and scheduler.name == "StepLR":
        return _drop_every(spec, best.epoch)
    drop = {"scheduler": f"StepLR(step_size={best.epoch}, gamma=0.1)", "scheduler_step": "auto"}
    return applicable(spec, drop)


def _drop_every(spec: RunSpec, epochs: int) -> Settings | None:
    """A drop of the spec's `StepLR` every so many epochs, also where it counted batches."""
    settings = {"scheduler.step_size": str(epochs)}
    if spec.train.scheduler_step == "batch":
        settings["scheduler_step"] = "epoch"
    return applicable(spec, settings)
