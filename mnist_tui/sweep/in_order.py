"""The events of runs that are trained side by side, run by run: for what shows one run at a time."""

from collections.abc import Iterable, Iterator

from mnist_tui.runs.events import Progress
from mnist_tui.sweep.jobs import JobEnded, Message


def in_order(messages: Iterable[tuple[int, Message]]) -> Iterator[Message]:
    """The messages of the first job until its `JobEnded`, then those of the next one.

    What comes of later jobs is kept until then, without their progress.
    """
    current = 0
    kept: dict[int, list[Message]] = {}
    for index, message in messages:
        if index != current:
            if not isinstance(message, Progress):
                kept.setdefault(index, []).append(message)
            continue
        yield message
        last: Message | None = message
        while isinstance(last, JobEnded):
            current += 1
            part = kept.pop(current, [])
            yield from part
            last = part[-1] if part else None
    for index in sorted(kept):  # Those of a job that was not begun are missing.
        yield from kept[index]
