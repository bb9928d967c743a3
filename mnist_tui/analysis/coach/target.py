"""The coach's rules on the target: whether more seeds must tell, and what the target would still allow.

The docstring of a rule is what `mnist-tui explain RULE` prints.
"""

from mnist_tui.analysis.coach.curves import LARGE_GAP
from mnist_tui.analysis.coach.edits import applicable, longer, widen
from mnist_tui.analysis.coach.evidence import WINDOW, Advice, Evidence, gap, percent, points, seed_spread
from mnist_tui.runs.verdict import judged_accuracy

LEFT_OVER = 0.75
"""A network with fewer than this share of the allowed parameters leaves a budget worth using."""


def within_seed_spread(evidence: Evidence) -> Advice | None:
    """The target was missed by less than what another seed changes, so that one run cannot tell met from missed.

    Fires for completed runs on MNIST that miss the target's accuracy by at most one standard deviation over their
    seeds, or by the standard error of the number of test images, sqrt(p (1 - p) / N), where that is larger or there is
    one seed. Report the mean of several seeds, not the best of them: choosing a lucky seed can look like progress
    (Picard 2021).
    """
    missing = _missing(evidence)
    spread = seed_spread(evidence)
    if missing is None or not 0 < missing <= spread:
        return None
    seed = next(
        seed for seed in range(len(evidence.seeds) + 2) if seed not in {*evidence.seeds, evidence.spec.train.seed}
    )
    count = len(evidence.seeds)
    target = percent(evidence.spec.target.test_accuracy or 0)
    is_by_seeds = spread > evidence.test_accuracy_error
    source = f"the spread of {count} seeds" if is_by_seeds else f"what {evidence.test_images:,} images can tell"
    return Advice(
        "within-seed-spread",
        f"The target of {target} was missed by {points(missing)}; {source} is {points(spread)}.",
        "Train more seeds of this recipe and judge their mean.",
        applicable(evidence.spec, {"seed": str(seed)}),
    )


def _missing(evidence: Evidence) -> float | None:
    """By how much the accuracy that the target asks about is below it; None where that cannot be said."""
    target = evidence.spec.target
    reached = judged_accuracy(evidence.spec, evidence.rows)
    if target.test_accuracy is None or reached is None or not (evidence.is_completed and evidence.is_judged):
        return None
    return target.test_accuracy - reached


def unused_budget(evidence: Evidence) -> Advice | None:
    """The target was missed although it would have allowed more parameters or more epochs.

    Fires for completed runs that miss the target's accuracy by more than the number of images explains, do not
    over-fit (gap under 0.5 points), and use less than 75 % of the allowed parameters, or fewer epochs than allowed.
    """
    target, spec = evidence.spec.target, evidence.spec
    missing = _missing(evidence)
    if missing is None or missing <= seed_spread(evidence) or gap(evidence.rows[-WINDOW:]) >= LARGE_GAP:
        return None
    if target.parameters is not None and spec.parameters < LEFT_OVER * target.parameters:
        return Advice(
            "unused-budget",
            f"The target was missed by {points(missing)} with {spec.parameters:,} of {target.parameters:,} allowed "
            f"parameters ({spec.parameters / target.parameters:.0%}).",
            "Give the convolutions more channels.",
            widen(spec, target.parameters),
        )
    if target.epochs is not None and spec.train.epochs < target.epochs:
        return Advice(
            "unused-budget",
            f"The target was missed by {points(missing)} in {spec.train.epochs} of {target.epochs} allowed epochs.",
            f"Train {target.epochs} epochs.",
            longer(spec, target.epochs),
        )
    return None
