"""Runs of a search that are stopped early, epoch by epoch, since they fall behind those of other configurations.

That a run was stopped for this is written into its folder before it stops, so that nobody resumes it.
"""

import json

from mnist_tui.errors import StorageError
from mnist_tui.files import write_atomically
from mnist_tui.sweep.claims import Claims
from mnist_tui.sweep.plan import Point
from mnist_tui.sweep.results import PRUNED_FILE, PointRun, Results
from mnist_tui.sweep.search.study import should_prune
from mnist_tui.sweep.search.trials import trials_of

REASONS = {
    "median": "its best accuracy is below the median of the others after this epoch",
    "halving": "it is not among the best third of the runs that came so far",
}


class Pruning:
    """Decides after every epoch whether a run goes on."""

    def __init__(self, results: Results, claims: Claims) -> None:
        self._results, self._claims = results, claims
        search = results.sweep.plan.search
        self._rule = search.prune if search else "none"
        self.pruned: set[str] = set()
        """Keys of the points whose runs this process stopped early."""

    def judge(self, point: Point, epoch: int) -> str:
        """Why the run of a point is to be stopped after `epoch`, which is in its folder then; "" where it goes on.

        Raises `StorageError` where its folder cannot be written.
        """
        if self._rule == "none" or point.key in self.pruned:
            return ""
        self._results.refresh()
        run = self._results.of(point.key)
        if run is None or epoch >= (run.run.planned_epochs or 0):
            return ""
        trials = trials_of(self._results, self._claims)
        if not should_prune(self._results.sweep.plan, trials, point.number, epoch):
            return ""
        accuracy = next(trial.by_epoch[epoch] for trial in trials if trial.number == point.number)
        self._note(run, epoch, accuracy)
        self.pruned.add(point.key)
        return f"stopped early after epoch {epoch} with accuracy {accuracy:.2%}: {REASONS[self._rule]}"

    def _note(self, run: PointRun, epoch: int, accuracy: float) -> None:
        content = json.dumps({"epoch": epoch, "accuracy": accuracy, "rule": self._rule})
        try:
            write_atomically(run.run.folder / PRUNED_FILE, f"{content}\n".encode())
        except OSError as error:
            raise StorageError(f"cannot write to {run.run.folder}: {error.strerror}") from None
