"""The progress of runs that are trained at the same time: a line for each, on a terminal's stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

from mnist_tui.runs.events import EpochEnded, Event, Progress, RunEnded

if TYPE_CHECKING:
    from rich.progress import TaskID


class Terminal(Protocol):
    """What is asked of the output: whether progress is shown at all, and a place for what prints above it."""

    has_bar: bool
    print_above: Callable[[str], None] | None


class ProgressTable:
    """Shows nothing: where stderr is no terminal."""

    def show(self, key: int | str, label: str, epochs: int, event: Event) -> None:
        """Shows an event of the run that `key` stands for."""


class _RichTable(ProgressTable):
    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self.progress = RichProgress(
            TextColumn("{task.fields[label]}", markup=False),
            BarColumn(20),
            TextColumn("{task.fields[numbers]}", markup=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            redirect_stdout=False,
            refresh_per_second=4,
        )
        self._tasks: dict[int | str, TaskID] = {}
        self._accuracies: dict[int | str, str] = {}

    def show(self, key: int | str, label: str, epochs: int, event: Event) -> None:
        if isinstance(event, EpochEnded):
            self._accuracies[key] = f"test {event.test_accuracy:.2%}"
        elif isinstance(event, RunEnded) and key in self._tasks:
            self.progress.update(self._tasks[key], visible=False)
        elif isinstance(event, Progress):
            if key not in self._tasks:
                self._tasks[key] = self.progress.add_task("", label=label, numbers="", total=None)
            done = (event.epoch - 1) * event.steps_per_epoch + event.step
            numbers = f"epoch {event.epoch}/{epochs}  loss {event.loss:.4f}  {self._accuracies.get(key, '')}"
            total = epochs * event.steps_per_epoch
            self.progress.update(self._tasks[key], completed=done, total=total, numbers=numbers)


@contextmanager
def progress_table(output: Terminal) -> Iterator[ProgressTable]:
    """A table of progress while the block runs; what is printed meanwhile stands above it."""
    if not output.has_bar:
        yield ProgressTable()
        return
    table = _RichTable()
    output.print_above = partial(table.progress.console.print, markup=False, highlight=False, soft_wrap=True)
    try:
        with table.progress:
            yield table
    finally:
        output.print_above = None
