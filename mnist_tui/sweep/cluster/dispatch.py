"""Makes tasks of jobs: what all tasks of a sweep share is made once, and removed at the end."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnist_tui.datasets import places
from mnist_tui.datasets.record import DataSet
from mnist_tui.errors import StorageError
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.cluster.connection import Cluster
from mnist_tui.sweep.cluster.mailbox import Mailbox, TaskMessage
from mnist_tui.sweep.cluster.mirror import read_files
from mnist_tui.sweep.cluster.node import Assignment, train_assignment
from mnist_tui.sweep.cluster.options import PerRun
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.jobs import ControlRequest, Job


class Dispatcher:
    """Submits tasks to a cluster, and exchanges messages with them. All but `close` raise `RayError`."""

    def __init__(self, cluster: Cluster, per_run: PerRun, sweep: Sweep, options: Options) -> None:
        """Raises `StorageError` for a folder that cannot be written, `DataError` for data that cannot be read."""
        self._per_run = per_run
        self._threads = options.threads or per_run.threads
        self._marker = sweep.folder.absolute() / f".shared-{secrets.token_hex(8)}"
        self._mailbox = _start_mailbox()
        self._function = _as_task(per_run)
        self._dataset = sweep.plan.specs[0].data.dataset_for(sweep.plan.dataset)
        self._raw = _absolute(places.find(self._dataset, options.data_dir))
        self._data = () if cluster.is_local or self._raw is None else (_put_files(self._dataset, self._raw),)
        try:
            self._marker.touch()
        except OSError as error:
            raise StorageError(f"cannot write to {sweep.folder}: {error.strerror}") from None

    def submit(self, job: Job, is_paused: bool) -> tuple[str, Any]:
        """Submits a job; returns the token of its task, and a reference that is ready when it ends.

        Raises `StorageError` where the folder to resume cannot be read.
        """
        import ray

        token = secrets.token_hex(8)
        # The node may not see the folder.
        files = () if job.folder is None else (ray.put(read_files(job.folder)),)
        options = replace(
            job.options,
            runs_dir=job.options.runs_dir.absolute(),
            data_dir=_absolute(job.options.data_dir),
            threads=self._threads,
        )
        assignment = Assignment(
            token,
            replace(job, options=options, folder=_absolute(job.folder)),
            self._marker,
            self._dataset,
            self._raw,
            self._data,
            files,
            (ControlRequest("pause"),) if is_paused else (),
            self._per_run.gpu,
        )
        return token, self._function.remote(assignment, self._mailbox)

    def take(self) -> list[tuple[str, TaskMessage]]:
        """The new messages of all tasks, each with the token of its task."""
        import ray

        messages: list[tuple[str, TaskMessage]] = ray.get(self._mailbox.take.remote())
        return messages

    def send(self, tokens: Sequence[str], requests: Sequence[ControlRequest]) -> None:
        """Sends requests to tasks."""
        import ray

        if tokens:
            ray.get(self._mailbox.send.remote(tokens, requests))

    def close(self) -> None:
        """Removes what was written."""
        with suppress(OSError):
            self._marker.unlink(missing_ok=True)


def _start_mailbox() -> Any:
    """The actor, on the node of this process or of the server of its client: where that dies, all is lost anyway."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    mailbox = ray.remote(Mailbox).options(num_cpus=0, scheduling_strategy=here).remote()
    ray.get(mailbox.take.remote())
    return mailbox


def _as_task(per_run: PerRun) -> Any:
    """The function of all tasks."""
    import ray

    # Without max_calls a process on a GPU would end after each run, and the next one load PyTorch again.
    task = ray.remote(num_cpus=per_run.cpu, num_gpus=per_run.gpu, max_retries=0, max_calls=0)(train_assignment)
    if not per_run.gpu:
        return task
    return task.options(runtime_env={"env_vars": {"RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1"}})


def _put_files(dataset: DataSet, raw: Path) -> Any:
    """A reference to the files of a data set by their names."""
    import ray

    return ray.put({file.name: places.read_file(dataset, raw, file) for file in dataset.files})


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()
