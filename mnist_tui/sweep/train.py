"""Training the points of a sweep: whoever calls this shares the work with all others that do."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Notice
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.claims import Claims
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.jobs import JobEnded, Message
from mnist_tui.sweep.plan import Point
from mnist_tui.sweep.points import Points
from mnist_tui.sweep.results import Results
from mnist_tui.sweep.search.pruning import Pruning
from mnist_tui.sweep.train_jobs import Trainer, load_data, train_jobs, with_one_thread

LOOK_SECONDS = 0.5
"""Time between two looks at whether the sweep was stopped."""


def train_points(
    sweep: Sweep,
    options: Options,
    control: Control,
    make_trainer: Callable[[], Trainer],
    retry_failed: bool = False,
) -> Iterator[tuple[Point | None, Message]]:
    """The events of all points that this process trains, each with its point, and a `JobEnded` for each.

    Notices about the data come first, without a point. It ends when no point is left: those that other processes hold
    are waited for, and taken over where their process dies. It stops when `control` or the sweep is stopped. Raises
    what `session.run` raises where no run can begin, and `StorageError`.
    """
    options = with_one_thread(replace(options, dataset=sweep.plan.dataset))
    notices = []
    for event in load_data(sweep.plan.specs, options, control):
        if isinstance(event, Notice):
            notices.append(event)
        yield None, event
    if control.should_stop:
        return
    if sweep.plan.search and sweep.plan.trials < sweep.plan.search.trials:
        yield None, Notice(f"there are {sweep.plan.trials:,} configurations; the search ends when all were tried")
    results = Results(sweep)
    results.refresh()
    with closing(Claims(sweep.folder / "claims", sweep.plan.lease)) as claims, _stopped_by_file(sweep, control):
        points = Points(sweep, options, claims, results, retry_failed)
        try:
            with closing(train_jobs(make_trainer, points, control, notices)) as messages:
                yield from _train(messages, points, claims, Pruning(results, claims))
            for point in points.given_up:
                yield point, Notice(f"{points.failed[point.key]}; --retry-failed tries it again", is_warning=True)
        finally:
            points.release()


def _train(
    messages: Iterator[tuple[int, Message, Trainer]], points: Points, claims: Claims, pruning: Pruning
) -> Iterator[tuple[Point, Message]]:
    """Gives points back as they end, and stops runs that fall behind, or whose point another process took over."""
    for index, message, trainer in messages:
        point = points.taken[index]
        if isinstance(message, JobEnded):
            points.finish(point, message.error)
        elif point.key in claims.lost or point.key in pruning.pruned:
            trainer.stop(index)
        yield point, message
        if isinstance(message, EpochEnded) and (reason := pruning.judge(point, message.epoch)):
            trainer.stop(index)
            yield point, Notice(reason)


@contextmanager
def _stopped_by_file(sweep: Sweep, control: Control) -> Iterator[None]:
    """Stops `control` once the sweep is stopped, while the block runs."""
    is_over = threading.Event()

    def poll() -> None:
        while not is_over.wait(LOOK_SECONDS):
            if sweep.is_stopped:
                control.stop()

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
