"""Several runs at a time, each in a process of its own."""

from collections.abc import Iterator, Sequence
from contextlib import closing

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Notice
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.sweep.jobs import Job, ListedJobs, Message
from mnist_tui.sweep.pool import Pool
from mnist_tui.sweep.train_jobs import load_data, train_jobs, with_one_thread


def train_side_by_side(
    specs: Sequence[RunSpec], options: Options, control: Control, jobs: int, is_silent: bool = False
) -> Iterator[tuple[int, Message]]:
    """The events of all runs as they happen, each with the index of its spec, and a `JobEnded` for each run begun.

    Each run has one thread unless `options` say more. The notices about the data come first and once, with index 0.
    Raises what `session.run` raises where no run can begin; `is_silent` is for dashboards, which have the terminal.
    """
    notices = []
    for event in load_data(specs, options, control):
        if isinstance(event, Notice):
            notices.append(event)
        yield 0, event
    if control.should_stop:
        return
    options = with_one_thread(options)
    runs = ListedJobs([Job(spec, options) for spec in specs])
    with closing(train_jobs(lambda: Pool(jobs, is_silent), runs, control, notices)) as messages:
        yield from ((index, message) for index, message, _ in messages)
