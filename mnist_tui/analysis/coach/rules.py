"""Every rule of the coach: rules look at a run and say, with its numbers, what is wrong and which setting to change.

A rule is a function from `Evidence` to at most one `Advice`; it is silent where the evidence is not there. `RULES`
registers them all, most urgent first.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mnist_tui.analysis.coach import curves, network, rates, target
from mnist_tui.analysis.coach.evidence import Advice, Evidence, evidence_of
from mnist_tui.errors import UsageError
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line, did_you_mean


@dataclass(frozen=True)
class Rule:
    """A rule and where its reasoning comes from."""

    check: Callable[[Evidence], Advice | None]
    source: str

    @property
    def name(self) -> str:
        """The function's name, with hyphens: `learning-rate-too-high`."""
        return self.check.__name__.replace("_", "-")

    @property
    def reasoning(self) -> str:
        """What the rule looks at and why, a paragraph or two."""
        return inspect.getdoc(self.check) or ""

    @property
    def summary(self) -> str:
        """The first paragraph of the reasoning, a sentence, on one line."""
        return self.reasoning.partition("\n\n")[0].replace("\n", " ")


RULES = (
    Rule(curves.zero_gradient, "Lu et al. 2019, Dying ReLU and Initialization, arXiv:1903.06733"),
    Rule(rates.learning_rate_too_high, "Goodfellow, Bengio, Courville 2016, Deep Learning, section 11.4.1"),
    Rule(rates.schedule_frozen, "Bengio 2012, arXiv:1206.5533, section 3.1; Krishnakanth1993/Learnings, exp01-06"),
    Rule(rates.learning_rate_too_low, "Smith 2015, arXiv:1506.01186; Bengio 2012, arXiv:1206.5533"),
    Rule(curves.overfitting, "Prechelt 1998, Early Stopping - But When?; Simard et al. 2003 (augmentation)"),
    Rule(curves.underfitting, "Goodfellow, Bengio, Courville 2016, Deep Learning, section 5.2"),
    Rule(curves.strong_augmentation, "Touvron et al. 2019, arXiv:1906.06423, on train and test distributions"),
    Rule(rates.plateau, "He et al. 2015, arXiv:1512.03385, section 3.4"),
    Rule(curves.still_improving, "Hoffer, Hubara, Soudry 2017, arXiv:1705.08741"),
    Rule(network.small_receptive_field, "Araujo et al. 2019, Distill; LeCun et al. 1998 (the 20x20 box)"),
    Rule(network.late_pooling, "Araujo et al. 2019, Computing Receptive Fields of Convolutional Networks, Distill"),
    Rule(network.early_pooling, "Zhang 2019, Making Convolutional Networks Shift-Invariant Again, arXiv:1904.11486"),
    Rule(network.missing_batch_norm, "Ioffe, Szegedy 2015, arXiv:1502.03167"),
    Rule(network.heavy_layer, "Lin, Chen, Yan 2013, Network In Network, arXiv:1312.4400, section 3.2"),
    Rule(network.dropout_on_few_channels, "Srivastava et al. 2014, Dropout, JMLR 15, appendix A.1"),
    Rule(target.unused_budget, "the run's own target"),
    Rule(target.within_seed_spread, "Picard 2021, torch.manual_seed(3407) is all you need, arXiv:2109.08203"),
    Rule(network.bias_before_batch_norm, "Ioffe, Szegedy 2015, arXiv:1502.03167, section 3.2"),
)


def advise(evidence: Evidence) -> list[Advice]:
    """What the rules say of a run, most urgent first; [] where none has anything to say."""
    if (died := curves.zero_gradient(evidence)) is not None:
        return [died]  # Its curves and its accuracy say nothing of the rest.
    return [advice for rule in RULES if (advice := rule.check(evidence)) is not None]


def advise_on(run: Run, runs: Sequence[Run]) -> list[Advice]:
    """What the rules say of a run in its folder, `runs` being those to look for its other seeds in.

    [] also where its spec cannot be read.
    """
    evidence = evidence_of(run, runs)
    return [] if evidence is None else advise(evidence)


def explain(name: str) -> str:
    """The reasoning of a rule, and its source on a line of its own; raises `UsageError` for an unknown name."""
    names = [rule.name for rule in RULES]
    if name not in names:
        near = did_you_mean(name, names) or f"; known are {', '.join(names)}"
        raise UsageError(f"there is no rule {clean_line(name, 60)!r}{near}")
    rule = RULES[names.index(name)]
    return f"{rule.name}\n\n{rule.reasoning}\n\nSource: {rule.source}"
