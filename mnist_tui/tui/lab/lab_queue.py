"""The queue as the laboratory uses it: what is put into it, who trains it, and what the status line says of it."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from mnist_tui.errors import RunError, StorageError
from mnist_tui.runs.queue import Entry, QueuedDesign, wait_words
from mnist_tui.tui.background import Submit
from mnist_tui.tui.lab.design import LabDesign
from mnist_tui.tui.lab.lines import LabLines
from mnist_tui.tui.lab.run_control import RunControl
from mnist_tui.tui.run_events import GroupBegan


class LabQueue:
    """Puts designs and sweeps into the queue of the runs directory, and lets the runner train it."""

    def __init__(
        self, submit: Submit, design: LabDesign, run_control: RunControl, lines: LabLines, notify: Callable[[str], None]
    ) -> None:
        self._submit, self._design, self._run_control, self._lines = submit, design, run_control, lines
        self._notify = notify
        self._runner = run_control.runner
        self._queue = self._runner.queue
        self.is_shown = False
        """Whether the runs that the training pane shows are of the queue."""
        self._sweep = ""

    # --- what the user asks for; each raises `StorageError` ---

    def add_design(self) -> None:
        """Puts the design at the end; raises `SpecError` while it has an error."""
        specs, options = self._design.specs(), self._design.run_options()
        queued = QueuedDesign(spec=specs[0], seeds=len(specs), device=options.device, dataset=options.dataset)
        self._queue.add(queued)
        self._begin("queued")

    def add_sweep(self, name: str) -> None:
        """Puts a sweep at the end."""
        self._queue.add_sweep(name)
        self._begin(f"sweep {name} is queued")

    def toggle(self) -> None:
        """Pauses the queue after the run that is trained, or trains what waits."""
        is_trained = self._runner.serves_queue or self._is_elsewhere(self._queue.entries())
        if not self._queue.is_paused and (is_trained or not self._waiting):
            self._queue.pause()
            then = ": the run goes on, no other follows" if self._runner.is_training else "; P goes on"
            self._notify(f"the queue is paused{then}")
        else:
            self._queue.unpause()
            self._begin("the queue goes on", is_at_once=True)

    def stop(self) -> str:
        """Keeps the runner from the next entry, as the current run is stopped; returns a remark for the user."""
        self._runner.drop_entry()
        if not self._runner.serves_queue or not self._waiting:
            return ""
        with suppress(StorageError):  # The runner stops serving it in any case.
            self._queue.pause()
        return f"; the queue is paused, {wait_words(self._waiting)}: P goes on"

    def _begin(self, what: str, is_at_once: bool = False) -> None:
        """Lets the runner train the queue, and says what is to come.

        A run of another process that is watched goes on, and the queue follows it unless it is to begin `is_at_once`.
        """
        words = wait_words(self._waiting) if self._waiting else "nothing waits"
        if self._queue.is_paused:
            self._notify(f"{what}: {words}; the queue is paused, P goes on")
        else:
            self._notify(f"{what}: {words}")
            self._runner.serves_queue = True  # `look` begins it, where that is not possible now.
            if is_at_once or not self._runner.is_watching or not self._runner.is_busy:
                self._train()
        self.poll()

    def _train(self) -> None:
        with suppress(RunError):  # While the learning-rate finder trains.
            self._run_control.train_queue(self._design.run_options())

    # --- what is shown ---

    def show_group(self, began: GroupBegan | None) -> None:
        """Notes which runs the training pane shows: of the queue, or None for others."""
        self.is_shown, self._sweep = began is not None, began.sweep if began else ""
        self.poll()

    def poll(self) -> None:
        """Reads the queue in the background, and trains what came into it meanwhile, where that was asked for."""
        self._submit("queue", lambda: (self._queue.entries(), self._queue.is_paused), self._show)

    def _show(self, read: tuple[list[Entry], bool] | None, error: str | None) -> None:
        if read is None:
            return  # A folder that cannot be read now is looked at again.
        entries, is_paused = read
        waiting = [entry for entry in entries if entry.waits]
        words = self._words(waiting, is_paused, self._is_elsewhere(entries))
        sweep = self._sweep if self._runner.is_training else ""
        self._lines.status.queue = "  ".join(part for part in (sweep, words) if part)
        self._lines.show_progress()
        if waiting and not is_paused and self._runner.serves_queue and not self._runner.is_busy:
            self._train()

    def _is_elsewhere(self, entries: Sequence[Entry]) -> bool:
        """Whether another process trains an entry, and this one none."""
        return self._runner.entry is None and any(entry.is_taken for entry in entries)

    def _words(self, waiting: Sequence[Entry], is_paused: bool, is_elsewhere: bool) -> str:
        if not waiting:
            return ""
        if is_paused:
            return f"queue paused, {len(waiting)} wait{'s' * (len(waiting) == 1)}: P goes on"
        if self._runner.serves_queue:
            return f"{len(waiting)} queued"
        if is_elsewhere:
            return f"{len(waiting)} queued in another process"
        return f"{wait_words(waiting)} in the queue: P trains {'them' if len(waiting) > 1 else 'it'}"

    def quit_words(self) -> str:
        """What becomes of the queue when the dashboard is left, for the question before; "" where nothing waits."""
        waiting = self._waiting
        if not waiting:
            return ""
        is_trained = self._runner.serves_queue and not self._queue.is_paused
        then = "left running, it is trained too" if is_trained else "it stays there"
        return f"{wait_words(waiting)} in the queue; {then}."

    @property
    def _waiting(self) -> list[Entry]:
        """What waits now; [] where that cannot be read."""
        with suppress(StorageError):
            return [entry for entry in self._queue.entries() if entry.waits]
        return []
