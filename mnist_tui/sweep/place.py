"""Where the runs of a sweep are trained: in processes of this machine, or on a Ray cluster."""

from collections.abc import Callable
from dataclasses import dataclass

from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.train_jobs import Trainer


@dataclass(frozen=True)
class Place:
    """What `--jobs`, `--on` and `--per-run` say."""

    jobs: int | None = None
    """How many runs at a time on this machine; None for as many as there is room for."""
    on: str | None = None
    """A Ray cluster, as `cluster.options.parse_address` reads it; None for this machine."""
    per_run: str | None = None
    """What a run takes of a node, as `cluster.options.parse_per_run` reads it."""

    def jobs_at_a_time(self, runs: int, options: Options) -> int | None:
        """How many of so many runs are trained at a time; None on a cluster, which decides by itself."""
        from mnist_tui.training.environment import jobs_at_a_time

        if self.on:
            return None
        return jobs_at_a_time(runs, options) if self.jobs is None else min(self.jobs, max(1, runs))

    def trainer(self, jobs: int | None, sweep: Sweep, options: Options) -> Callable[[], Trainer]:
        """What begins the processes, `jobs` of them, or connects to the cluster; raises `UsageError`."""
        if self.on is None:
            from mnist_tui.sweep.pool import Pool

            return lambda: Pool(jobs or 1)
        from mnist_tui.sweep.cluster.ray_tasks import make_trainer

        return make_trainer(self.on, self.per_run, sweep, options)
