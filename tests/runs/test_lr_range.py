"""The range test's numbers: geometric rates, the smoothed loss, and suggestions where a convex problem has them."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_tui.runs.lr_range import (
    DIVERGED,
    HIGHEST,
    LOWEST,
    MIN_STEPS,
    STEEPEST,
    TENTH,
    RangeTest,
    RatesFound,
    geometric_rates,
)


def descend(curvature: float, steps: int = 1000) -> RatesFound:
    """Gradient descent on `curvature * w**2 / 2 + 0.1` from w = 1/sqrt(curvature); it diverges above 2/curvature."""
    test = RangeTest(geometric_rates(steps))
    weight = 1 / math.sqrt(curvature)
    for rate in test.rates:
        test.add(curvature * weight**2 / 2 + 0.1)
        if test.has_diverged:
            return test.end("diverged")
        weight -= rate * curvature * weight
    return test.end("completed")


def suggested(result: RatesFound) -> dict[str, float]:
    """The rates by the names of their rules."""
    return {suggestion.rule: suggestion.rate for suggestion in result.suggestions}


@given(st.integers(MIN_STEPS, 2000))
def test_rates_rise_geometrically(steps: int) -> None:
    """From the lowest to the highest, by the same factor each step."""
    rates = geometric_rates(steps)
    factors = [later / earlier for earlier, later in pairwise(rates)]

    assert len(rates) == steps
    assert rates[0] == LOWEST
    assert rates[-1] == pytest.approx(HIGHEST)
    assert factors == pytest.approx([factors[0]] * (steps - 1))
    assert factors[0] > 1


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.integers(MIN_STEPS, 1000))
def test_the_smoothed_loss_is_a_weighted_mean(losses: list[float], steps: int) -> None:
    """With weights that fall by one factor from step to step and sum to 1; of equal losses it is that loss."""
    test = RangeTest(geometric_rates(max(steps, len(losses))))
    factor = 1 - 1 / test.span
    for count, loss in enumerate(losses, start=1):
        event = test.add(loss)
        weights = [factor**age for age in reversed(range(count))]
        expected = sum(map(math.prod, zip(weights, losses[:count], strict=True))) / sum(weights)

        assert event.smoothed == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert (event.step, event.loss, event.rate) == (count, loss, test.rates[count - 1])


def test_the_usual_smoothing_at_a_thousand_steps() -> None:
    """A factor of 0.98; fewer steps are averaged over fewer."""
    assert RangeTest(geometric_rates(1000)).span == 50
    assert RangeTest(geometric_rates(MIN_STEPS)).span == 1


# --- suggestions ---


@pytest.mark.parametrize("curvature", [10.0, 100.0, 1000.0])
def test_suggestions_on_a_parabola(curvature: float) -> None:
    """Both rates train it, neither is so small that it would take 1,000 steps; it ends where it diverges."""
    result = descend(curvature)
    rates = suggested(result)

    assert set(rates) == {STEEPEST, TENTH}
    for rate in rates.values():
        assert 0.001 / curvature < rate < 2 / curvature
    assert result.ended == "diverged"
    assert 2 / curvature < result.rates[-1] < 20 / curvature
    assert result.smoothed[-1] > DIVERGED * min(result.smoothed)
    assert len(result.rates) == len(result.losses) == len(result.smoothed) < 1000


@settings(max_examples=20, deadline=None)
@given(st.floats(10, 500), st.floats(1.5, 8))
def test_a_steeper_parabola_wants_a_smaller_rate(curvature: float, factor: float) -> None:
    """The suggested rate is inversely proportional to the curvature, to a few steps of the test."""
    one, other = suggested(descend(curvature)), suggested(descend(curvature * factor))

    for rule in (STEEPEST, TENTH):
        assert one[rule] / other[rule] == pytest.approx(factor, rel=0.2)


@pytest.mark.parametrize(
    "losses",
    [[2.3] * 100, [2.3 + step / 100 for step in range(100)], [2.3] * 3, []],
    ids=["flat", "rising", "few", "none"],
)
def test_no_suggestion_where_the_loss_does_not_fall(losses: list[float]) -> None:
    """Without a falling loss no rate is suggested."""
    test = RangeTest(geometric_rates(100))
    for loss in losses:
        test.add(loss)

    assert test.end("stopped").suggestions == ()


def test_one_bad_batch_at_the_beginning_is_no_slope() -> None:
    """The first losses are too few for a mean: a fall from the first one does not count."""
    test = RangeTest(geometric_rates(100))
    test.add(9.0)
    for step in range(1, 100):
        test.add(2.3 if step < 50 else max(0.2, 2.3 - (step - 50) * 0.1))

    assert suggested(test.end("completed"))[STEEPEST] > test.rates[50]


def test_the_return_from_a_spike_is_no_slope() -> None:
    """Two bad batches where the loss falls slowly: the steepest slope stays where it was."""
    test, spiked = RangeTest(geometric_rates(100)), RangeTest(geometric_rates(100))
    for step in range(100):
        loss = 2.3 - 2 / (1 + math.exp((50 - step) / 6)) - 0.001 * step
        test.add(loss)
        spiked.add(loss + (3 if step in (62, 63) else 0))
    calm, rough = suggested(test.end("completed")), suggested(spiked.end("completed"))

    assert test.rates[45] < calm[STEEPEST] < test.rates[60]
    assert rough[STEEPEST] == calm[STEEPEST]


def test_divergence_is_four_times_the_minimum() -> None:
    """A smoothed loss above four times its minimum, or one that is not a number, diverges."""
    test = RangeTest(geometric_rates(20))  # A span of one step: nothing is smoothed.
    for loss, has_diverged in ((1.0, False), (0.5, False), (1.9, False), (2.1, True)):
        test.add(loss)
        assert test.has_diverged == has_diverged
    test.add(math.nan)
    assert test.has_diverged
