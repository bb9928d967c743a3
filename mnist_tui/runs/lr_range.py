"""The learning-rate range test (Smith 2015, arXiv:1506.01186): its events, its smoothed loss and its suggestions.

The rate rises geometrically, step by step, while a network trains. The loss falls where the rate is large enough to
learn, and rises where it is too large. Numbers only, no torch: `training.lr_finder` trains, a screen draws the events.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal

LOWEST = 1e-6
HIGHEST = 10.0
MIN_STEPS = 10
"""With fewer, two neighbouring rates are too far apart for a suggestion."""
MAX_STEPS = 1_000
"""More do not change the curve."""
SPAN = 0.05
"""Steps that the smoothed loss averages over, as a share of all steps: at 1,000 steps the factor is the usual 0.98."""
DIVERGED = 4.0
"""The test ends where the smoothed loss is this many times its minimum (fastai; Gugger 2018, "How Do You Find A Good
Learning Rate")."""

MIN_FALL = 0.01
"""Where the smoothed loss never falls by this share of itself, no rate of the range trains the network."""

STEEPEST, TENTH = "steepest slope", "minimum / 10"

Ended = Literal["completed", "diverged", "stopped"]


@dataclass(frozen=True)
class RateTried:
    """One optimizer step was taken."""

    step: int
    """From 1."""
    steps: int
    """Of the whole test, unless it ends early."""
    rate: float
    loss: float
    """Mean over the batch, before the step."""
    smoothed: float
    """The exponential mean of the losses so far, with bias correction (Kingma, Ba 2014, arXiv:1412.6980, section 3)."""


@dataclass(frozen=True)
class Suggestion:
    """A learning rate, and the name of the rule that it follows from."""

    rule: str
    rate: float


@dataclass(frozen=True)
class RatesFound:
    """The test is over. The three sequences have a value for every step."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestions: tuple[Suggestion, ...]
    """The steepest slope first; empty where the loss never fell, or too few steps were taken."""
    ended: Ended
    """diverged: the loss exceeded `DIVERGED` times its minimum, or loss or gradient were not finite."""


def geometric_rates(steps: int) -> tuple[float, ...]:
    """`steps` (at least 2) learning rates from `LOWEST` to `HIGHEST`, each the same factor above the one before."""
    return tuple(LOWEST * (HIGHEST / LOWEST) ** (step / (steps - 1)) for step in range(steps))


@dataclass
class RangeTest:
    """A range test under way: give it the loss of every rate of `rates`, in order."""

    rates: tuple[float, ...]
    losses: list[float] = field(default_factory=list)
    smoothed: list[float] = field(default_factory=list)
    _mean: float = 0.0

    @property
    def span(self) -> int:
        """Steps that the smoothed loss averages over."""
        return max(1, round(SPAN * len(self.rates)))

    def add(self, loss: float) -> RateTried:
        """The event of the step at the next rate."""
        factor = 1 - 1 / self.span
        self._mean = factor * self._mean + (1 - factor) * loss
        self.losses.append(loss)
        self.smoothed.append(self._mean / (1 - factor ** len(self.losses)))
        step = len(self.losses)
        return RateTried(step, len(self.rates), self.rates[step - 1], loss, self.smoothed[-1])

    @property
    def has_diverged(self) -> bool:
        """Whether the newest smoothed loss is too far above the minimum; the first mean of a full span can tell."""
        return len(self.smoothed) > self.span and not self.smoothed[-1] <= DIVERGED * min(self.smoothed)

    def end(self, ended: Ended) -> RatesFound:
        """The last event."""
        rates = self.rates[: len(self.losses)]
        return RatesFound(
            rates, tuple(self.losses), tuple(self.smoothed), _suggest(rates, self.smoothed, self.span), ended
        )


def _suggest(rates: Sequence[float], smoothed: Sequence[float], span: int) -> tuple[Suggestion, ...]:
    """The rate of the steepest fall of the smoothed loss over log rate, and a tenth of the rate of its minimum.

    The first `span` means are of too few losses to be looked at. A slope is measured over one span, on the running
    minimum: the return from a spike is no fall.
    """
    usable = range(span, len(smoothed))
    if not usable:
        return ()
    lowest = min(usable, key=lambda step: smoothed[step])
    if smoothed[lowest] > (1 - MIN_FALL) * smoothed[span]:
        return ()
    half = max(1, span // 2)
    minima = list(accumulate(smoothed[span:], min, initial=math.inf))[1:]
    falls = {
        step: minima[step - half - span] - minima[step + half - span] for step in range(span + half, lowest - half + 1)
    }
    if not falls:
        return ()
    steepest = max(falls, key=lambda step: falls[step])
    return (Suggestion(STEEPEST, rates[steepest]), Suggestion(TENTH, rates[lowest] / 10))
