"""Runs that happen at the same time, shown one after the other."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.runs.events import Notice, Progress
from mnist_tui.sweep.in_order import in_order
from mnist_tui.sweep.jobs import JobEnded, Message

PROGRESS = Progress(1, 1, 9, 0.5, 0.1, 100.0)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_every_run_is_whole_and_in_its_place(lengths: list[int], chance: Random) -> None:
    """However they are interleaved; the progress of the first of them is there, of each that waits it is not."""
    left = dict(enumerate(lengths))
    messages: list[tuple[int, Message]] = []
    while left:
        index = chance.choice(sorted(left))
        left[index] -= 1
        if left[index]:
            messages += [(index, PROGRESS), (index, Notice(f"{index} {left[index]}"))]
        else:
            messages.append((index, JobEnded(str(index))))
            del left[index]
    shown = [message for message in in_order(messages) if not isinstance(message, Progress)]
    expected: list[Message] = []
    for index, length in enumerate(lengths):
        expected += [Notice(f"{index} {count}") for count in range(length - 1, 0, -1)] + [JobEnded(str(index))]

    assert shown == expected
    assert sum(message == PROGRESS for message in in_order(messages)) >= lengths[0] - 1


def test_a_job_that_was_never_begun_holds_nothing_back() -> None:
    """What came of later ones is shown at the end."""
    assert list(in_order([(1, Notice("b")), (1, JobEnded()), (0, Notice("a"))])) == [
        Notice("a"),
        Notice("b"),
        JobEnded(),
    ]
