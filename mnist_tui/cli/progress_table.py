"""Progress on a terminal's stderr: a line for each of the runs that are trained at the same time, and of a download."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from mnist_tui.runs.events import Downloading, EpochEnded, Event, Progress, RunEnded

if TYPE_CHECKING:
    from rich.progress import Task, TaskID


E = TypeVar("E")


class Terminal(Protocol):
    """What is asked of the output: whether progress is shown at all, and a place for what prints above it."""

    as_json: bool
    has_bar: bool
    print_above: Callable[[str], None] | None


class ProgressTable:
    """Shows nothing: where stderr is no terminal."""

    def show(self, key: int | str, label: str, epochs: int, event: Event) -> None:
        """Shows an event of the run that `key` stands for; the line of a download ends with it."""


class _RichTable(ProgressTable):
    def __init__(self, has_downloads: bool) -> None:
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
        self._has_downloads = has_downloads
        self._download: Task | None = None
        self._tasks: dict[int | str, TaskID] = {}
        self._accuracies: dict[int | str, str] = {}

    def show(self, key: int | str, label: str, epochs: int, event: Event) -> None:
        if isinstance(event, Downloading):
            self._show_download(event)
            return
        self.end_download()
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

    def _show_download(self, event: Downloading) -> None:
        if not self._has_downloads:
            return
        if self._download is None or self._download.fields["label"] != event.file:
            self.end_download()
            task = self.progress.add_task("", label=event.file, numbers="", total=None)
            self._download = self.progress.tasks[self.progress.task_ids.index(task)]
        task, speed = self._download.id, self._download.speed
        rate = "" if speed is None else f"  {speed / 1e6:,.1f} MB/s"
        size = "" if event.size is None else f"/{event.size / 1e6:,.1f}"
        numbers = f"{event.received / 1e6:,.1f}{size} MB{rate}"
        self.progress.update(task, completed=event.received, total=event.size, numbers=numbers)

    def end_download(self) -> None:
        """Removes the line of a download."""
        if self._download is not None:
            self.progress.remove_task(self._download.id)
            self._download = None


@contextmanager
def progress_table(output: Terminal) -> Iterator[ProgressTable]:
    """A table of progress while the block runs; what is printed meanwhile stands above it."""
    if not output.has_bar:
        yield ProgressTable()
        return
    table = _RichTable(has_downloads=not output.as_json)
    output.print_above = partial(table.progress.console.print, markup=False, highlight=False, soft_wrap=True)
    try:
        with table.progress:
            try:
                yield table
            finally:
                table.end_download()
    finally:
        output.print_above = None


def show_downloads(events: Iterable[E], output: Terminal) -> Iterator[E]:
    """The events but those of downloads, which are a progress bar while they last."""
    with ExitStack() as shown:
        table: ProgressTable | None = None
        for event in events:
            if isinstance(event, Downloading):
                table = table or shown.enter_context(progress_table(output))
                table.show("", "", 0, event)
            else:
                shown.close()
                table = None
                yield event
