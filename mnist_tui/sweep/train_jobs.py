"""Training jobs on whatever trains them: data first, an error before any run has begun as that of all, and the end."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from mnist_tui.errors import MnistTuiError, error_of
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Downloading, Notice, RunStarted
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.sweep.jobs import JobEnded, JobSource, Message


class Trainer(Protocol):
    """What trains jobs: processes of this machine (`Pool`), or tasks of a cluster (`RayTasks`)."""

    def train(self, source: JobSource, control: Control) -> Iterator[tuple[int, Message]]:
        """The events of all jobs as they happen, each with the number of its job as it was taken, from 0."""

    def stop(self, index: int) -> None:
        """Stops one job after its current step."""

    def close(self) -> None:
        """Ends the processes; runs that they still train are stopped and saved."""

    def kill(self) -> None:
        """Ends the processes at once."""


def load_data(specs: Sequence[RunSpec], options: Options, control: Control) -> Iterator[Notice | Downloading]:
    """Loads each data set of the specs once, so that it is downloaded once; yields the events that every run would.

    It ends early where `control` is stopped. Raises `DataError`, and `SpecError` where a network does not fit the data
    set of the options.
    """
    from mnist_tui.training.data import loading

    for data in dict.fromkeys(spec.for_dataset(options.dataset).data for spec in specs):
        yield from loading(options.dataset, options.data_dir, data, control)
        if control.should_stop:
            return


def with_one_thread(options: Options) -> Options:
    """The options with one thread for each run, unless they say more."""
    return replace(options, threads=options.threads or 1)


def train_jobs(
    make_trainer: Callable[[], Trainer], source: JobSource, control: Control, known: Sequence[Notice] = ()
) -> Generator[tuple[int, Message, Trainer], None, None]:
    """The events of all jobs, each with the number of its job, and the trainer, which can stop a single one.

    `known` are notices that were shown already. Raises the error of a job that ends before any run has begun: then the
    whole command is told what is wrong. The trainer is closed at the end, and killed where this generator is left.
    """
    trainer, has_begun = make_trainer(), False
    try:
        for index, message in trainer.train(source, control):
            has_begun = has_begun or isinstance(message, RunStarted)
            if isinstance(message, JobEnded) and message.error and not has_begun:
                raise error_of(message.exit_code, message.error)
            if message not in known:
                yield index, message, trainer
        trainer.close()
    except MnistTuiError:
        trainer.close()
        raise
    finally:
        trainer.kill()  # After a second Ctrl-C.
