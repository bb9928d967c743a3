"""The coach's rules on the curves: no gradient, over- and under-fitting, augmentation, and whether to train longer.

The docstring of a rule is what `mnist-tui explain RULE` prints.
"""

import math

from mnist_tui.analysis.coach.edits import (
    RATE_STEP,
    Settings,
    applicable,
    dropout_rate,
    halve_rotation,
    is_dropout,
    longer,
    outer_layers,
    replace_calls,
    scale_dropout,
    scale_rate,
    widen,
)
from mnist_tui.analysis.coach.evidence import (
    WINDOW,
    Advice,
    Evidence,
    gap,
    held_out_loss,
    mean_accuracy,
    mean_train_accuracy,
    mean_train_loss,
    percent,
    points,
)
from mnist_tui.spec import catalog
from mnist_tui.spec.calls import Call
from mnist_tui.spec.layers import LayerRow
from mnist_tui.spec.run_spec import RunSpec

LOSS_RISE = 1.10
"""A held-out loss that much above its lowest has risen: MNIST's moves by a few percent from epoch to epoch."""
LARGE_GAP = 0.005
"""Train − held-out accuracy that is over-fitting: five times the standard error of 10,000 images at 99 %."""
STALLED = 0.95
"""A training loss that keeps this share over `WINDOW` epochs has stopped falling."""
HARD_AUGMENTATION = 0.01
"""Held-out − train accuracy at which the training images are much harder than the real ones."""
AUGMENTATION = "[RandomAffine(7, translate=(0.07, 0.07))]"
"""Turns of 7 degrees and shifts of 2 pixels: digits stay what they are."""
CUTS_NEGATIVES = ("ReLU", "ReLU6")
"""Activations whose output, and whose gradient, is 0 for every negative input."""


def zero_gradient(evidence: Evidence) -> Advice | None:
    """The network has died: the gradient is exactly 0, so no step changes a weight, and more epochs change nothing.

    Fires where the norm of the gradient was 0 in all steps of the last epoch, and the training loss was not. A ReLU
    behind the last layer with weights is the usual cause: once it has set every class score of every image to 0, no
    gradient passes it. Steps that are too long, or an unlucky seed, do the same to ReLUs further down. No other rule
    says anything of such a run: its curves show nothing but chance. step1, published with a ReLU on its class scores,
    dies so with seed 0.
    """
    if not evidence.rows or not evidence.rows[-1].has_no_gradient:
        return None
    last, count = evidence.rows[-1], sum(row.has_no_gradient for row in evidence.rows)
    spec, cuts = evidence.spec, _activations_of_scores(evidence.spec)
    if cuts:
        call, row = cuts[0]
        where = f" {call.name} on the class scores (layer {row.index}) lets no gradient pass."
        suggestion = f"Take {call.name} out."
        settings = applicable(spec, {"layers": replace_calls(spec.layers, [(each, None) for each, _ in cuts])})
    else:
        where, settings = "", scale_rate(spec, 1 / RATE_STEP)
        suggestion = f"Divide the learning rate by {RATE_STEP}, or train with another seed."
    return Advice(
        "zero-gradient",
        f"No weight learns any more: the gradient was 0 in all steps of {count} "
        f"epoch{'s' if count > 1 else ''}, the last one included, and the training loss stays at "
        f"{last.train_loss:.4f}.{where}",
        suggestion,
        settings,
    )


def _activations_of_scores(spec: RunSpec) -> list[tuple[Call, LayerRow]]:
    """The activations behind the last layer with weights that set every negative class score to 0."""
    layers = list(outer_layers(spec))
    last = max((place for place, (_, row) in enumerate(layers) if row.parameters), default=len(layers))
    return [(call, row) for call, row in layers[last + 1 :] if call.name in CUTS_NEGATIVES]


def overfitting(evidence: Evidence) -> Advice | None:
    """The network learns the training images by heart: from some epoch on the training loss keeps falling while the
    held-out loss rises, and the training accuracy leaves the held-out accuracy behind.

    Fires where the mean held-out loss of the last 3 epochs is 10 % above its lowest, 3 epochs ago or more, the
    training loss has fallen by 20 % since, and the accuracy gap is above 0.5 points and has grown. More varied
    training images are the first remedy, weight decay the second, an earlier end the third.
    """
    if not evidence.rows:
        return None
    lowest = min(evidence.rows, key=held_out_loss)
    end = evidence.rows[-WINDOW:]
    loss = sum(map(held_out_loss, end)) / len(end)
    is_worse = loss > LOSS_RISE * held_out_loss(lowest) and mean_train_loss(end) < 0.8 * lowest.train_loss
    has_gap = gap(end) > max(LARGE_GAP, gap([lowest]))
    if evidence.rows[-1].epoch - lowest.epoch < WINDOW or not (is_worse and has_gap):
        return None
    growth = (gap(end) - gap([lowest])) / (evidence.rows[-1].epoch - lowest.epoch)
    suggestion, settings = _regularise(evidence.spec, lowest.epoch)
    return Advice(
        "overfitting",
        f"Over-fitting since epoch {lowest.epoch}: the held-out loss rose from {held_out_loss(lowest):.4f} to "
        f"{loss:.4f} while the training loss fell from {lowest.train_loss:.4f} to {mean_train_loss(end):.4f}; the "
        f"accuracy gap is {points(gap(end))} and grew by {points(growth)} an epoch.",
        suggestion,
        settings,
    )


def _regularise(spec: RunSpec, best_epoch: int) -> tuple[str, Settings | None]:
    """The first remedy against over-fitting that the recipe does not use yet."""
    if not spec.train.augment:
        settings = applicable(spec, {"augment": AUGMENTATION})
        return "Turn and shift the training images a little.", settings
    call = spec.train.optimizer
    decays = "weight_decay" in catalog.arguments("optimizer", call.name)
    if decays and not catalog.check("optimizer", spec.resolved(call)).get("weight_decay"):
        return "Add weight decay.", applicable(spec, {"optimizer.weight_decay": "0.0005"})
    return f"End the run where it is best, at epoch {best_epoch}.", longer(spec, best_epoch)


def underfitting(evidence: Evidence) -> Advice | None:
    """The network cannot even learn its training images: training and held-out accuracy are both below the goal, close
    together, and the training loss no longer falls.

    Fires where this holds for the means of the last 3 epochs (gap under 0.5 points, loss above 95 % of the 3 epochs
    before), unless the learning rate had been lowered to nothing. The network needs more freedom: less dropout, or
    more channels.
    """
    if len(evidence.rows) < 2 * WINDOW or evidence.frozen_rows:
        return None
    previous, last = evidence.rows[-2 * WINDOW : -WINDOW], evidence.rows[-WINDOW:]
    is_low = max(mean_train_accuracy(last), mean_accuracy(last)) < evidence.goal
    is_close = -HARD_AUGMENTATION < gap(last) < LARGE_GAP
    if not (is_low and is_close and mean_train_loss(last) >= STALLED * mean_train_loss(previous)):
        return None
    spec = evidence.spec
    less_dropout = scale_dropout(spec, 0.5)
    return Advice(
        "underfitting",
        f"Under-fitting: the training accuracy stays at {percent(mean_train_accuracy(last))}, the held-out accuracy at "
        f"{percent(mean_accuracy(last))}, below {percent(evidence.goal)}, and the training loss no longer falls "
        f"({mean_train_loss(previous):.4f}, then {mean_train_loss(last):.4f}).",
        "Halve the dropout." if less_dropout else "Give the convolutions more channels, or add one.",
        less_dropout or widen(spec, spec.target.parameters),
    )


def still_improving(evidence: Evidence) -> Advice | None:
    """The run ended while it was still getting better, so more epochs are the cheapest next step.

    Fires for completed runs of 6 epochs and more whose mean held-out accuracy of the last 3 epochs is above that of
    the 3 before by more than two standard errors of the number of images, at about the same learning rate (within a
    factor of 2: a gain from a drop of the rate does not last), with a training loss that falls by 5 % or more; and
    only while the target allows more epochs.
    """
    spec, rows = evidence.spec, evidence.rows
    if not evidence.is_completed or len(rows) < 2 * WINDOW or evidence.has_met_goal:
        return None
    previous, last = rows[-2 * WINDOW : -WINDOW], rows[-WINDOW:]
    gain = mean_accuracy(last) - mean_accuracy(previous)
    rates = [row.learning_rate for row in (*previous, *last)]
    falls = mean_train_loss(last) < STALLED * mean_train_loss(previous)
    epochs = min(math.ceil(1.5 * spec.train.epochs), spec.target.epochs or 10_000)
    is_open = gain > 2 * evidence.accuracy_error and falls and max(rates) <= 2 * min(rates)
    if not is_open or epochs <= spec.train.epochs:
        return None
    return Advice(
        "still-improving",
        f"Still improving at the end: the held-out accuracy of the last {WINDOW} epochs is {points(gain)} above that "
        f"of the {WINDOW} before ({percent(mean_accuracy(last))}), twice the {points(evidence.accuracy_error)} that "
        f"{evidence.held_out_images:,} images can tell.",
        f"Train {epochs} epochs.",
        longer(spec, epochs),
    )


def strong_augmentation(evidence: Evidence) -> Advice | None:
    """The training images are so distorted that the network spends itself on digits that the test never shows.

    Fires for completed runs with augmentation whose training accuracy is 1 point or more below the held-out accuracy
    over the last 3 epochs while that is below the goal. Dropout of 10 % or more explains such a gap as well, and so
    does mixup; the rule is silent then.
    """
    spec, end = evidence.spec, evidence.rows[-WINDOW:]
    if not evidence.is_completed or len(evidence.rows) < 2 * WINDOW or not spec.train.augment or spec.train.mixup:
        return None
    dropout = max((dropout_rate(spec, call) for call, _ in outer_layers(spec) if is_dropout(call)), default=0.0)
    if -gap(end) < HARD_AUGMENTATION or mean_accuracy(end) >= evidence.goal or dropout >= 0.1:
        return None
    return Advice(
        "strong-augmentation",
        f"The augmentation is too strong: at the end the training accuracy is {percent(mean_train_accuracy(end))}, "
        f"{points(-gap(end))} below the held-out {percent(mean_accuracy(end))}; the goal is {percent(evidence.goal)}.",
        "Halve the angles, or leave out the last transform.",
        halve_rotation(spec),
    )
