"""Sparklines of accuracies: their scale, their length, and the mean of several."""

import pytest

from mnist_tui.runs.sparkline import BLOCKS, MNIST, OTHER, Scale, mean_curve, scale_of, sparkline
from mnist_tui.text import in_ascii


def test_the_scale_divides_the_error_rate_by_the_same_from_block_to_block() -> None:
    """Eight blocks cover 2 % to 0.3 % errors; what lies outside has the lowest or the highest."""
    ends = [0.02 * (0.003 / 0.02) ** (step / 8) for step in range(9)]
    middles = [(ends[step] * ends[step + 1]) ** 0.5 for step in range(8)]

    assert "".join(MNIST.block(1 - error) for error in middles) == BLOCKS
    assert MNIST.block(0.0) == MNIST.block(0.5) == "▁"
    assert MNIST.block(0.9971) == MNIST.block(1.0) == "█"


def test_differences_that_matter_on_mnist_are_seen() -> None:
    """98.9 % and 99.5 % have different blocks, where a linear scale from 0 % would fill both."""
    assert sparkline([0.95, 0.989, 0.992, 0.9932, 0.9941, 0.9956], MNIST) == "▁▃▄▅▆▇"


def test_other_images_have_a_scale_of_their_own() -> None:
    assert scale_of("mnist") is MNIST
    assert scale_of("digits") is OTHER
    assert scale_of(None) is MNIST, "an imported log, whose data set is not known"
    assert sparkline([0.7, 0.9, 0.99], OTHER) == "▁▂█"
    assert (MNIST.words, OTHER.words, Scale(0.5, 0.75).words) == ("98–99.7%", "80–99%", "50–75%")


@pytest.mark.parametrize("count", [0, 1, 7, 20, 21, 100])
def test_the_length(count: int) -> None:
    """There is a block for each epoch, but never more than cells."""
    assert len(sparkline([0.99] * count, MNIST)) == min(count, 20)
    assert len(sparkline([0.99] * count, MNIST, 10)) == min(count, 10)


def test_epochs_that_share_a_cell_are_averaged() -> None:
    """Neighbouring epochs share a cell, each epoch in one."""
    assert sparkline([0.9, 0.9, 0.9, 0.999, 0.999, 0.999], MNIST, 2) == "▁█"
    assert sparkline([0.98, 1.0] * 4, MNIST, 4) == MNIST.block(0.99) * 4


def test_the_mean_of_several_seeds() -> None:
    """The mean of an epoch is over the curves that have it."""
    assert mean_curve([[0.5, 0.7]]) == [0.5, 0.7]
    assert mean_curve([[0.5, 0.7, 0.9], [0.7, 0.9]]) == pytest.approx([0.6, 0.8, 0.9])


def test_in_ascii() -> None:
    """The blocks become ASCII characters of growing darkness."""
    assert in_ascii(BLOCKS) == ".:-=+*#@"
