"""Several runs at a time, each in a process of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mnist_tui.errors import MnistTuiError, error_of
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Notice, RunStarted
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.sweep.jobs import Job, JobEnded
from mnist_tui.sweep.pool import Message, Pool


def train_side_by_side(
    specs: Sequence[RunSpec], options: Options, control: Control, jobs: int, is_silent: bool = False
) -> Iterator[tuple[int, Message]]:
    """The events of all runs as they happen, each with the index of its spec, and a `JobEnded` for each run begun.

    Each run has one thread unless `options` say more. The data is loaded first, so that it is downloaded once, and its
    notices come once, with index 0. Raises what `session.run` raises where no run can begin; `is_silent` is for
    dashboards, which have the terminal.
    """
    from mnist_tui.training.data import download_notice, load

    notices: list[Notice] = []
    if notice := download_notice(options.dataset, options.data_dir):
        yield 0, notice
    load(options.dataset, options.data_dir, notices.append)
    yield from ((0, notice) for notice in notices)
    options = replace(options, threads=options.threads or 1)
    pool, has_begun = Pool(jobs, is_silent), False
    try:
        for index, message in pool.train([Job(spec, options) for spec in specs], control):
            has_begun = has_begun or isinstance(message, RunStarted)
            if isinstance(message, JobEnded) and message.error and not has_begun:
                raise error_of(message.exit_code, message.error)
            if message not in notices:
                yield index, message
        pool.close()
    except MnistTuiError:
        pool.close()
        raise
    finally:
        pool.kill()  # After a second Ctrl-C.
