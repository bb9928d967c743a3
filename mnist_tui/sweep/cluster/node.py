"""A task of a Ray cluster: trains one run on its node, where the runs directory may be shared or not."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from mnist_tui.datasets import places
from mnist_tui.datasets.published import MNIST, SMALL_DIGITS
from mnist_tui.datasets.record import DataSet
from mnist_tui.errors import DataError, MnistTuiError
from mnist_tui.files import write_atomically
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, RunEnded, RunStarted
from mnist_tui.runs.lock import is_running
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.cluster.mailbox import TaskChannel, TaskMessage
from mnist_tui.sweep.cluster.mirror import Original
from mnist_tui.sweep.jobs import ControlRequest, Job, JobEnded
from mnist_tui.sweep.worker import train

LOOKS = (0.0, 0.1, 0.3, 1.0)
"""Seconds before each look at the marker: on a shared disk a new file may be seen late."""
LOCK_SECONDS = 120.0
"""How long a file server may hold the lock of a node that died: NFS version 4 has leases of 90 s."""


@dataclass(frozen=True)
class Assignment:
    """A job, and what its task must know of the process that gives it."""

    token: str
    job: Job
    """With absolute paths, as they are where it comes from."""
    marker: Path
    """A file in the sweep's folder, which is there only where the runs directory is shared."""
    dataset: DataSet = MNIST
    """The data set of the sweep."""
    raw: Path | None = None
    """The folder of its files where the job comes from; None for the small digits and for a folder of images."""
    data: tuple[Any, ...] = ()
    """A reference to its files by name, where a node may lack them."""
    files: tuple[Any, ...] = ()
    """A reference to the files of the folder to resume."""
    requests: tuple[ControlRequest, ...] = ()
    """What was requested of all runs before."""
    gpu: float = 0.0


def train_assignment(assignment: Assignment, mailbox: Any) -> None:
    """Trains a job; everything that happens goes to the mailbox, and a `JobEnded` last. The body of the task.

    A task that is stopped before it began ends without one.
    """
    control = Control()
    with TaskChannel(mailbox, assignment.token, control) as channel:
        if control.should_stop:
            return
        for request in assignment.requests:
            control.apply(request.request, request.value)
        try:
            is_shared = sees(assignment.marker)
            job = replace(assignment.job, options=_node_options(assignment))
            _train_here(job, control, channel) if is_shared else _train_apart(assignment, job, control, channel)
        except MnistTuiError as error:
            channel.send(JobEnded(str(error), error.exit_code))


@cache
def sees(marker: Path) -> bool:
    """Whether a file is seen from this machine."""
    for seconds in LOOKS:
        time.sleep(seconds)
        if os.path.lexists(marker):
            return True
    return False


# --- where the runs directory is shared, and where it is not ---


def _train_here(job: Job, control: Control, channel: TaskChannel) -> None:
    """Trains in the runs directory."""
    end = time.monotonic() + LOCK_SECONDS
    while job.folder is not None and is_running(job.folder) and time.monotonic() < end and not control.should_stop:
        time.sleep(1.0)
    for message in train(job, control):
        channel.send(message)
        if isinstance(message, RunStarted):
            channel.flush()  # From here on a run whose node dies is resumed, not begun anew.


def _train_apart(assignment: Assignment, job: Job, control: Control, channel: TaskChannel) -> None:
    """Trains in a temporary folder, and sends what changed in it before each message that tells so."""
    runs_dir = job.options.runs_dir
    with _temporary_runs_dir() as temporary:
        original = None
        job = replace(job, options=replace(job.options, runs_dir=temporary))
        if job.folder is not None:
            folder = temporary / job.folder.name
            job, original = replace(job, folder=folder), Original(folder, (temporary, runs_dir))
            original.write(_get(assignment.files[0]))
        for message in train(job, control):
            if isinstance(message, RunStarted) and original is None:
                original = Original(Path(message.folder), (temporary, runs_dir))
            if isinstance(message, RunStarted | EpochEnded | RunEnded) and original is not None:
                channel.send(original.changes())
            channel.send(_renamed(message, str(temporary), str(runs_dir)))
            if isinstance(message, RunStarted | EpochEnded):
                channel.flush()


@contextmanager
def _temporary_runs_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mnist-tui-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "runs"


def _renamed(message: TaskMessage, old: str, new: str) -> TaskMessage:
    """A message without the path of the temporary folder."""
    match message:
        case RunEnded(message=text):
            return replace(message, message=text.replace(old, new))
        case JobEnded(error=text):
            return replace(message, error=text.replace(old, new))
    return message


# --- device and data of the node ---


def _node_options(assignment: Assignment) -> Options:
    """The options of the job as they are on this node; raises `DataError`."""
    options = assignment.job.options
    if options.device == "auto":
        options = replace(options, device=_device(assignment.gpu))
    dataset = assignment.dataset
    if assignment.raw is None or options.dataset == SMALL_DIGITS.name:
        return replace(options, dataset=SMALL_DIGITS.name) if dataset in (MNIST, SMALL_DIGITS) else options
    return replace(options, dataset=dataset.name, data_dir=_find_data(dataset, assignment.raw, assignment.data))


def _device(gpu: float) -> str:
    """The device that Ray gave to the task."""
    if not gpu:
        return "cpu"
    import ray

    ids = ray.get_runtime_context().get_accelerator_ids()["GPU"]
    return f"cuda:{device_index(ids[0], os.environ.get('CUDA_VISIBLE_DEVICES'))}"


def device_index(name: str, visible: str | None) -> int:
    """The index that CUDA gives a device: its place among those that the process sees, all where nothing is said.

    Ray hides the other devices from a task by a variable that CUDA reads only once, while its processes train one run
    after another, on any device. So here every task sees all of them, and is told its own.
    """
    return visible.split(",").index(name) if visible else int(name)


def _find_data(dataset: DataSet, raw: Path, data: tuple[Any, ...]) -> Path | None:
    """The folder with a data set on this node, to which it is written where there is none; None for the usual ones."""
    if places.raw_folder(dataset, raw) or not data:
        return raw
    if places.find(dataset, None) is None:
        folder = places.download_folder(dataset, None)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in _get(data[0]).items():
                write_atomically(folder / name, content)
        except OSError as error:
            raise DataError(f"{folder}: {dataset.title} cannot be written there: {error.strerror}") from None
    return None


def _get(reference: Any) -> Any:
    import ray

    return ray.get(reference)
