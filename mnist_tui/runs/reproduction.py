"""A saved run held against the same run trained again: every number of every epoch, and what differs around them.

`reproduce` of the package `training` trains and yields these events behind those of the run. No torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mnist_tui.errors import FileError, RunError, StorageError
from mnist_tui.files import read_bytes
from mnist_tui.runs.events import EpochEnded, RunEnded
from mnist_tui.runs.history import MAX_BYTES, differing_fields, parse_object, read_rate_changes
from mnist_tui.runs.lock import is_running
from mnist_tui.runs.storage import RESUMED_FILE, SavedRun
from mnist_tui.text import clean_line

TAG = "repro"
"""The tag of a run that was trained to reproduce another."""
OUTCOME = "outcome"
"""The name of a difference in how an epoch ended, instead of a number in it."""
RECORDED = ("device", "device_name", "processor", "threads", "fused")
"""What run.json says about how a run was trained, beside versions and git commit."""


@dataclass(frozen=True)
class Difference:
    """A number of an epoch that came out differently."""

    epoch: int
    name: str
    """The field of `EpochEnded`, or `OUTCOME`."""
    stored: float | str | None
    computed: float | str | None

    @property
    def size(self) -> float | None:
        """Computed − stored; None where one of the two is no number."""
        if isinstance(self.stored, int | float) and isinstance(self.computed, int | float):
            return self.computed - self.stored
        return None


@dataclass(frozen=True)
class EpochCompared:
    """An epoch was trained again and compared."""

    epoch: int
    differences: tuple[Difference, ...]
    """() where every number is the same."""


@dataclass(frozen=True)
class WeightsCompared:
    """SHA-256 of all weights and buffers in the newest checkpoint that both runs have."""

    step: int
    """Optimizer steps before the checkpoint."""
    stored: str
    computed: str


@dataclass(frozen=True)
class Reproduced:
    """The last event: whether a run came out as before."""

    run: str
    """The id of the saved run."""
    verdict: Literal["identical", "different", "stopped"]
    """stopped: somebody ended it before all was compared, and so far all was the same."""
    epochs: int
    """Epochs that were compared."""
    stored_epochs: int
    """Epochs of the saved run."""
    differences: tuple[Difference, ...]
    """In the order of epochs and of their numbers."""
    has_diverged: bool
    """Whether both runs diverged, in the same epoch."""
    weights: WeightsCompared | None
    """None where the numbers differ already, and where there is no such checkpoint."""
    around: Mapping[str, tuple[str, str]]
    """What differs in what run.json recorded, by name: before, and now."""


class Comparison:
    """Compares the epochs of a saved run with those of the run that repeats it, as they come."""

    def __init__(self, saved: SavedRun) -> None:
        self._saved = saved
        self._stored = {row.epoch: row for row in saved.rows}
        self._last = max(self._stored, default=0)
        self._has_diverged_again = False
        self.epochs = 0
        """Epochs compared so far."""
        self.differences: list[Difference] = []

    @property
    def is_complete(self) -> bool:
        """Whether everything that the saved run has was compared."""
        return self.epochs == len(self._stored) and self._saved.has_diverged == self._has_diverged_again

    @property
    def is_over(self) -> bool:
        """Whether no later epoch of the saved run, and no divergence, is left to be compared."""
        return self.epochs == len(self._stored) and not self._saved.has_diverged

    def add(self, row: EpochEnded) -> EpochCompared:
        """Compares an epoch; one that the saved run does not have is a difference where the run diverged in it."""
        stored = self._stored.get(row.epoch)
        differences: list[Difference] = []
        if stored is not None:
            self.epochs += 1
            names = differing_fields(stored, row)
            differences = [Difference(row.epoch, name, getattr(stored, name), getattr(row, name)) for name in names]
        elif self._saved.has_diverged and row.epoch > self._last:
            differences = [Difference(row.epoch, OUTCOME, "diverged", "finished")]
        self.differences += differences
        return EpochCompared(row.epoch, tuple(differences))

    def end(self, ended: RunEnded) -> None:
        """Compares how the runs ended, where one of them diverged."""
        if ended.outcome != "diverged":
            return
        if self._saved.has_diverged and ended.epochs == self._last:
            self._has_diverged_again = True
        else:
            self.differences.append(Difference(ended.epochs + 1, OUTCOME, "finished", "diverged"))

    def result(self, weights: WeightsCompared | None, record: Mapping[str, Any]) -> Reproduced:
        """The verdict; `record` is the run.json of the run that was trained now."""
        differ = bool(self.differences) or (weights is not None and weights.stored != weights.computed)
        return Reproduced(
            run=self._saved.folder.name,
            verdict="different" if differ else "identical" if self.is_complete else "stopped",
            epochs=self.epochs,
            stored_epochs=len(self._stored),
            differences=tuple(self.differences),
            has_diverged=self._has_diverged_again,
            weights=weights,
            around=changed_around(self._saved.record, record),
        )


def check_reproducible(saved: SavedRun) -> None:
    """Raises `RunError` for a run that is being trained or has nothing to compare, `StorageError` for lost changes."""
    folder = saved.folder
    if saved.end is None and is_running(folder):
        raise RunError(f"{folder}: this run is being trained; reproduce it when it has ended")
    if not saved.rows and not saved.has_diverged:
        raise RunError(f"{folder}: this run has finished no epoch, so there is nothing to compare")
    if any(row.steered for row in saved.rows) and not read_rate_changes(folder):
        raise StorageError(
            f"{folder}: the learning rate of this run was changed by hand, and steering.jsonl, which says when and "
            "to what, cannot be read; so it cannot be reproduced"
        )


def read_resumes(folder: Path) -> list[Mapping[str, Any]]:
    """What a run was resumed with, each time, in the form of run.json; [] where the file cannot be read."""
    try:
        lines = read_bytes(folder / RESUMED_FILE, MAX_BYTES, follow=False).splitlines()
    except FileError:
        return []
    return [record for line in lines if (record := parse_object(line))]


# --- what may explain a difference ---


def changed_around(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What two run.json recorded differently of device, threads, versions and git commit, by name.

    What one of them does not say is left out: older versions recorded less.
    """
    old, new = _around(before), _around(after)
    return {name: (old[name], new[name]) for name in old if name in new and old[name] != new[name]}


def changed_words(around: Mapping[str, Sequence[str]]) -> str:
    """`threads 1 → 2, torch 2.11.0 → 2.13.0`; "" where nothing changed."""
    return ", ".join(f"{name} {before} → {after}" for name, (before, after) in around.items())


def _around(record: Mapping[str, Any]) -> dict[str, str]:
    versions = record.get("versions")
    values: dict[str, Any] = dict(versions) if isinstance(versions, Mapping) else {}
    values |= {name.replace("_", " "): record[name] for name in RECORDED if name in record}
    if "git" in record:
        values["git"] = _commit(record["git"])
    return {clean_line(str(name), 40): clean_line(str(value), 60) for name, value in values.items()}


def _commit(git: Any) -> str:
    """`1a2b3c4d5e6f`, `1a2b3c4d5e6f with changes`; `none` outside a repository."""
    if not isinstance(git, Mapping):
        return "none"
    return f"{str(git.get('commit'))[:12]}{' with changes' if git.get('dirty') else ''}"
