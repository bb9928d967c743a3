"""The exam's statistics: accuracies, and intervals that resample writers."""

import numpy as np
import pytest

from mnist_tui.analysis.exam import score


def digits(writers: int, each: int, is_alike: bool, known: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Which of `writers * each` digits are right, nine in ten; all of a writer together where they are alike."""
    by = np.repeat(np.arange(writers), each)
    generator = np.random.default_rng(0)
    is_right = (generator.random(writers) < 0.9)[by] if is_alike else generator.random(len(by)) < 0.9
    order = generator.permutation(len(by))
    return is_right[order], by[order] + 1000


def width(is_alike: bool) -> float:
    """The width of the interval of the exam's accuracy, in standard errors of as many independent digits."""
    is_right, writers = digits(400, 25, is_alike)
    low, high = score(is_right, writers, 2_000).exam.interval
    return float((high - low) / np.sqrt(0.9 * 0.1 / 8_000))


def test_accuracies() -> None:
    """Of the first digits and of the others, with the numbers of images, mistakes and writers."""
    is_right = np.array([True, True, False, True, False, False, True, True])
    result = score(is_right, np.array([7, 7, 8, 8, 8, 9, 9, 7]), 4)

    assert (result.test.images, result.test.wrong, result.test.writers) == (4, 1, 2)
    assert (result.exam.images, result.exam.wrong, result.exam.writers) == (4, 2, 3)
    assert result.difference == pytest.approx(0.75 - 0.5)
    assert result == score(is_right, np.array([7, 7, 8, 8, 8, 9, 9, 7]), 4)


def test_independent_digits() -> None:
    """Where digits of a writer are as different as any, the interval is that of independent ones: 2 x 1.96 errors."""
    assert width(is_alike=False) == pytest.approx(3.92, rel=0.1)


def test_digits_of_one_writer_count_as_one() -> None:
    """Where a network gets all digits of a writer right or wrong, 25 tell as much as one: the interval is wider.

    20 of 25 digits of each writer are the exam's. An interval of independent digits would be as above.
    """
    assert width(is_alike=True) == pytest.approx(3.92 * np.sqrt(20), rel=0.2)


def test_a_network_that_was_not_flattered() -> None:
    """As good on both: the difference is one of chance, and its interval includes 0."""
    is_right, writers = digits(300, 20, is_alike=False)
    result = score(is_right, writers, 1_000)

    assert result.is_chance
    assert result.interval[0] < result.difference < result.interval[1]


def test_a_network_that_was_flattered() -> None:
    """Right on nearly all images that it was chosen by, on fewer of the others."""
    is_right, writers = digits(300, 20, is_alike=False)
    is_right[:1_000] = True
    result = score(is_right, writers, 1_000)

    assert not result.is_chance
    assert result.interval[0] > 0.08
