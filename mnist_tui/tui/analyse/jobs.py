"""The jobs of the background worker: plain functions that may load torch or read the disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.analysis.run_analysis import RunAnalysis, Versus, analyse, compare_with
from mnist_tui.analysis.saved_predictions import FILE
from mnist_tui.errors import RunError
from mnist_tui.runs.index import RunIndex
from mnist_tui.runs.record import Run

if TYPE_CHECKING:
    from mnist_tui.training.activations import Inside


@dataclass(frozen=True)
class Analysed:
    """A run, and what it is held against."""

    run: RunAnalysis
    versus: Versus | None = None

    @property
    def is_mnist(self) -> bool:
        """Whether the published label errors are among the test images."""
        return self.run.ceiling is not None

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for analyses that show the same."""
        others = (self.versus.other,) if self.versus else ()
        return tuple((each.run.id, each.predictions.epoch) for each in (self.run, *others))


def analyse_runs(index: RunIndex, names: Sequence[str]) -> Analysed:
    """The analysis of the first named run against the second; without names, of the newest run with predictions."""
    index.refresh()
    by_name = {run.id: run for run in index.all}
    named = [by_name[name] for name in names if name in by_name]
    first = analyse(named[0] if named else _newest(index.all), index.all)
    return Analysed(first, compare_with(first, analyse(named[1])) if len(named) > 1 else None)


def _newest(runs: Sequence[Run]) -> Run:
    for run in sorted((run for run in runs if run.is_run), key=lambda run: run.created, reverse=True):
        if (run.folder / FILE).is_file():
            return run
    raise RunError("no run has finished an epoch yet; train one in the lab (1)")


def test_images(run: Run, data_dir: Path | None, indices: Sequence[int]) -> Mapping[int, bytes]:
    """784 grey values of each test image, by its index; raises `DataError` where the data is not the run's."""
    from mnist_tui.training import preview

    return preview.test_images(run.dataset or "", run.data[1] or "", data_dir, indices)


def look_inside(folder: Path, image: bytes, label: int | None) -> "Inside":
    """What the network of a run's best epoch does with an image."""
    from mnist_tui.training import activations

    return activations.look_inside(folder, image, label)
