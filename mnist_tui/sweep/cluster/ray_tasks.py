"""Trains runs as tasks of a Ray cluster: on this machine, or on many."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mnist_tui.errors import ClusterError, ExitCode, StorageError, UsageError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Notice, RunStarted
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.cluster.connection import Cluster
from mnist_tui.sweep.cluster.dispatch import Dispatcher
from mnist_tui.sweep.cluster.mailbox import TaskBegun, TaskMessage
from mnist_tui.sweep.cluster.mirror import Changes, Mirror
from mnist_tui.sweep.cluster.options import PerRun, check_installed, parse_address, parse_per_run
from mnist_tui.sweep.cluster.ray_errors import end_of, lost_connection_as_error, unfit_nodes_as_error
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.jobs import ControlRequest, Job, JobEnded, JobSource, Message
from mnist_tui.sweep.pool import ATTEMPTS
from mnist_tui.sweep.requests import NewRequests

POLL_SECONDS = 0.1
END_SECONDS = 10.0
"""How long `close` waits for runs to be saved."""
SLOTS_SECONDS = 2.0
"""Time between two looks at which nodes there are."""
MAX_TASKS = 256
"""As many as one mailbox serves with ease: each calls it twice a second."""
STOP = ControlRequest("stop")


def make_trainer(on: str, per_run: str | None, sweep: Sweep, options: Options) -> Callable[[], "RayTasks"]:
    """What connects to the cluster that `--on` names, or starts one, and trains there.

    Raises `UsageError` for texts and options that do not fit, and `MissingPackageError`. What is returned raises
    `ClusterError` where the cluster cannot be used, and `UsageError` where no node has what `--per-run` asks for.
    """
    address, amounts = parse_address(on), parse_per_run(per_run)
    if options.device.startswith("cuda") and not amounts.gpu:
        raise UsageError(f"--device {options.device}: a run gets no GPU of the cluster; add gpu=0.1 to --per-run")
    if amounts.gpu and options.device != "auto":
        raise UsageError(f"--per-run {amounts}: Ray chooses the GPU; leave --device {options.device} out")
    check_installed()
    return lambda: RayTasks(address, amounts, sweep, options)


@dataclass
class _Task:
    """A job that waits or is trained."""

    index: int
    job: Job
    attempts: int = 0
    token: str = ""
    reference: Any = None
    has_begun: bool = False
    mirror: Mirror | None = None
    """Where its node does not see the runs directory."""
    local: tuple[Control, NewRequests] = field(default_factory=lambda: (Control(), NewRequests()))
    """What is asked of it through the folder of the mirror."""


class RayTasks:
    """Up to as many tasks as the nodes have room for; a `Trainer`."""

    attempts = ATTEMPTS
    """How often a run is trained whose process or node dies."""

    def __init__(self, address: str, per_run: PerRun, sweep: Sweep, options: Options) -> None:
        """Raises `ClusterError`, `UsageError` and `StorageError`."""
        self._runs_dir = sweep.runs_dir
        self._tasks: dict[str, _Task] = {}
        """Those that are trained, by their token."""
        self._requests = NewRequests()
        self._count = self._slots = 0
        self._counted_at = -SLOTS_SECONDS
        self._has_warned = False
        self._cluster = Cluster(address, per_run)
        try:
            with unfit_nodes_as_error(address):
                self._dispatcher = Dispatcher(self._cluster, per_run, sweep, options)
        except BaseException:
            self._cluster.close()
            raise

    def train(self, source: JobSource, control: Control) -> Iterator[tuple[int, Message]]:
        """As `Pool.train`: a run whose process or node dies is resumed once, elsewhere where its node is gone."""
        self._count = 0
        waiting: deque[_Task] = deque()
        with lost_connection_as_error(self._cluster.address):
            while True:
                self._dispatch_requests(control)
                if self._requests.is_stopping:
                    waiting.clear()
                else:
                    yield from self._begin(waiting, source)
                if not self._tasks:
                    if self._requests.is_stopping or not (waiting or source.may_come):
                        return
                    control.wait_for_stop(POLL_SECONDS)
                    continue
                yield from self._receive(waiting)

    def stop(self, index: int) -> None:
        """Stops one job after its current step; does nothing where it has ended."""
        tokens = [token for token, task in self._tasks.items() if task.index == index]
        with lost_connection_as_error(self._cluster.address):
            self._dispatcher.send(tokens, [STOP])

    def close(self) -> None:
        """Ends the connection; runs that are still trained are stopped and saved."""
        end = time.monotonic() + END_SECONDS
        with suppress(ClusterError), lost_connection_as_error(self._cluster.address):
            self._drop_pending()
            self._dispatcher.send(list(self._tasks), [STOP])
            waiting: deque[_Task] = deque()
            while self._tasks and time.monotonic() < end:
                for _ in self._receive(waiting):
                    pass
        self.kill()

    def kill(self) -> None:
        """Ends the connection at once, and with it the tasks; their runs are interrupted, and can be resumed."""
        for task in self._tasks.values():
            _close_mirror(task)
        self._tasks.clear()
        self._cluster.close()
        self._dispatcher.close()

    # --- beginning tasks ---

    def _begin(self, waiting: deque[_Task], source: JobSource) -> Iterator[tuple[int, Message]]:
        """Begins as many tasks as there is room for."""
        if time.monotonic() - self._counted_at >= SLOTS_SECONDS:
            self._slots, self._counted_at = min(self._cluster.slots, MAX_TASKS), time.monotonic()
            if not self._slots and waiting and not self._has_warned:
                self._has_warned = True
                yield waiting[0].index, Notice("no node of the cluster has room for a run; waiting", is_warning=True)
        while len(self._tasks) < self._slots:
            task = waiting.popleft() if waiting else self._take(source)
            if task is None:
                return
            yield from self._submit(task)

    def _take(self, source: JobSource) -> _Task | None:
        job = source.take()
        if job is None:
            return None
        self._count += 1
        return _Task(self._count - 1, job)

    def _submit(self, task: _Task) -> Iterator[tuple[int, Message]]:
        task.attempts += 1
        try:
            task.token, task.reference = self._dispatcher.submit(task.job, self._requests.is_paused)
        except StorageError as error:
            yield task.index, JobEnded(str(error), error.exit_code)
        else:
            task.has_begun = False
            self._tasks[task.token] = task

    # --- requests to tasks ---

    def _dispatch_requests(self, control: Control) -> None:
        """Sends new requests: those to all runs, and those to single ones through the folders of mirrors."""
        if requests := self._requests.read(control):
            if STOP in requests:
                self._drop_pending()
            self._dispatcher.send(list(self._tasks), requests)
        for task in self._tasks.values():
            if task.mirror is not None:
                local, news = task.local
                task.mirror.requests.dispatch(local)
                if own := news.read(local):
                    self._dispatcher.send([task.token], own)

    def _drop_pending(self) -> None:
        """Takes tasks back that no node has begun."""
        import ray

        pending = [task for task in self._tasks.values() if not task.has_begun]
        self._dispatcher.send([task.token for task in pending], [STOP])  # One that begins meanwhile ends at once.
        for task in pending:
            ray.cancel(task.reference)

    # --- messages of tasks ---

    def _receive(self, waiting: deque[_Task]) -> Iterator[tuple[int, Message]]:
        import ray

        references = {task.reference: task for task in self._tasks.values()}
        ended, _ = ray.wait(list(references), timeout=POLL_SECONDS)
        for token, message in self._dispatcher.take():
            if token in self._tasks:  # Else of a task that counted as dead.
                yield from self._handle(self._tasks[token], message)
        for reference in ended:
            task = references[reference]
            if self._tasks.get(task.token) is task:
                yield from self._replace(task, waiting)

    def _handle(self, task: _Task, message: TaskMessage) -> Iterator[tuple[int, Message]]:
        match message:
            case TaskBegun():
                task.has_begun = True
            case Changes():
                yield from self._mirror(task, message)
            case RunStarted(run=run):
                folder = self._runs_dir / Path(run).name
                task.job = replace(task.job, folder=folder)
                yield task.index, replace(message, folder=str(folder))
            case JobEnded():
                self._forget(task)
                yield task.index, message
            case _:
                yield task.index, message

    def _mirror(self, task: _Task, changes: Changes) -> Iterator[tuple[int, Message]]:
        """Writes what changed on a node; where that fails, the run is stopped."""
        try:
            if task.mirror is None:
                task.mirror = Mirror(self._runs_dir, changes.run, is_new=task.job.folder is None)
            task.mirror.apply(changes)
        except StorageError as error:
            self._dispatcher.send([task.token], [STOP])
            self._forget(task)
            yield task.index, JobEnded(str(error), error.exit_code)

    def _replace(self, task: _Task, waiting: deque[_Task]) -> Iterator[tuple[int, Message]]:
        """Gives up a task that ended without a `JobEnded`; its run waits to be resumed, where its process died."""
        self._forget(task)
        why, has_died = end_of(task.reference)
        if not why:
            return  # It was stopped before it began.
        if has_died and task.attempts < self.attempts and not self._requests.is_stopping:
            self._dispatcher.send([task.token], [STOP])  # In case it is only the connection that was lost.
            waiting.appendleft(task)
            yield task.index, Notice(f"{why}; it is resumed", is_warning=True)
        else:
            yield task.index, JobEnded(why, ExitCode.FAILED)

    def _forget(self, task: _Task) -> None:
        _close_mirror(task)
        del self._tasks[task.token]


def _close_mirror(task: _Task) -> None:
    if task.mirror is not None:
        task.mirror.close()
        task.mirror = None
