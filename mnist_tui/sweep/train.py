"""Training the points of a sweep: whoever calls this shares the work with all others that do."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Protocol

from mnist_tui.errors import MnistTuiError, error_of
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Notice, RunStarted
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.claims import Claims
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.jobs import JobEnded, JobSource
from mnist_tui.sweep.plan import Point
from mnist_tui.sweep.points import Points
from mnist_tui.sweep.pool import Message
from mnist_tui.sweep.results import Results
from mnist_tui.sweep.search.pruning import Pruning

LOOK_SECONDS = 0.5
"""Time between two looks at whether the sweep was stopped."""


class Trainer(Protocol):
    """What trains jobs: processes of this machine (`Pool`), or tasks of a cluster."""

    def train(self, jobs: JobSource, control: Control) -> Iterator[tuple[int, Message]]:
        """The events of all jobs, each with its index, as `Pool.train`."""

    def stop(self, index: int) -> None:
        """Stops one job after its current step."""

    def close(self) -> None:
        """Ends the processes; runs that they still train are stopped and saved."""

    def kill(self) -> None:
        """Ends the processes at once."""


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
    from mnist_tui.training.data import download_notice, load

    options = replace(options, dataset=sweep.plan.dataset, threads=options.threads or 1)
    if notice := download_notice(options.dataset, options.data_dir):
        yield None, notice
    notices: list[Notice] = []
    load(options.dataset, options.data_dir, notices.append)
    yield from ((None, notice) for notice in notices)
    if sweep.plan.search and sweep.plan.trials < sweep.plan.search.trials:
        yield None, Notice(f"there are {sweep.plan.trials:,} configurations; the search ends when all were tried")
    results = Results(sweep)
    results.refresh()
    with closing(Claims(sweep.folder / "claims", sweep.plan.lease)) as claims, _stopped_by_file(sweep, control):
        points = Points(sweep, options, claims, results, retry_failed)
        trainer = make_trainer()
        try:
            for point, message in _train(trainer, points, claims, Pruning(results, claims), control):
                if message not in notices:
                    yield point, message
            for point in points.given_up:
                yield point, Notice(f"{points.failed[point.key]}; --retry-failed tries it again", is_warning=True)
            trainer.close()
        except MnistTuiError:
            trainer.close()
            raise
        finally:
            trainer.kill()  # After a second Ctrl-C.
            points.release()


def _train(
    trainer: Trainer, points: Points, claims: Claims, pruning: Pruning, control: Control
) -> Iterator[tuple[Point, Message]]:
    has_begun = False
    for index, message in trainer.train(points, control):
        point = points.taken[index]
        has_begun = has_begun or isinstance(message, RunStarted)
        if isinstance(message, JobEnded):
            if message.error and not has_begun:
                raise error_of(message.exit_code, message.error)
            points.ended(point, message.error)
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

    def look() -> None:
        while not is_over.wait(LOOK_SECONDS):
            if sweep.is_stopped:
                control.stop()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
