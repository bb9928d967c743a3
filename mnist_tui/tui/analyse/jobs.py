"""The jobs of the background worker: plain functions that may load torch or read the disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.analysis.run_analysis import RunAnalysis, Versus, analyse, compare_with
from mnist_tui.analysis.saved_predictions import FILE
from mnist_tui.datasets.test_images import class_mean as mean_of_class
from mnist_tui.datasets.test_images import read_test_images
from mnist_tui.errors import MnistTuiError
from mnist_tui.runs.index import RunIndex
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line

if TYPE_CHECKING:
    from mnist_tui.training.activations import Inside


@dataclass(frozen=True)
class Analysed:
    """A run, and what it is held against."""

    run: RunAnalysis
    versus: Versus | None = None
    no_versus: str = ""
    """Why the run is not held against the baseline that was asked for."""
    files: tuple[tuple[Path, int], ...] = ()
    """The files that change with an analysis, with their times of modification in nanoseconds; 0 for a missing file."""

    @property
    def is_mnist(self) -> bool:
        """Whether the published label errors are among the test images."""
        return self.run.ceiling is not None

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for analyses that show the same."""
        return (self.run.run.state, self.no_versus, self.files)

    @property
    def is_outdated(self) -> bool:
        """Whether a run has had a better epoch or has ended since."""
        return any(_modified(path) != modified for path, modified in self.files)


def analyse_runs(index: RunIndex, names: Sequence[str]) -> Analysed:
    """The analysis of the first named run against the second; without names, of the newest run with predictions.

    Raises `MnistTuiError` where the first cannot be analysed; where the second cannot, `Analysed.no_versus` says why.
    """
    if names and not (index.runs_dir / names[0]).is_dir():
        names = ()  # It was deleted; its baseline is not meant instead.
    runs = index.choose(names, lambda run: (run.folder / FILE).is_file())[:2]
    files = tuple((path, _modified(path)) for run in runs for path in (run.folder / FILE, run.folder / "end.json"))
    first = analyse(runs[0], index.all)
    if len(runs) == 1:
        return Analysed(first, files=files)
    try:
        return Analysed(first, compare_with(first, analyse(runs[1])), files=files)
    except MnistTuiError as error:
        return Analysed(first, no_versus=clean_line(str(error), 300), files=files)


def _modified(path: Path) -> int:
    """The time of modification in nanoseconds; 0 where there is no such file."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def test_images(run: Run, data_dir: Path | None, indices: Sequence[int]) -> Mapping[int, bytes]:
    """784 grey values of each test image, by its index; raises `DataError` where the data is not the run's."""
    return read_test_images(run.dataset or "", run.data[1] or "", data_dir, indices, run.own_folder)


def class_mean(run: Run, data_dir: Path | None, label: int) -> bytes:
    """784 grey values: the mean of a class's test images; raises `DataError` where the data is not the run's."""
    return mean_of_class(run.dataset or "", run.data[1] or "", data_dir, label, run.own_folder)


def look_inside(folder: Path, image: bytes, label: int | None) -> "Inside":
    """What the network of a run's best epoch does with an image."""
    from mnist_tui.training import activations

    return activations.look_inside(folder, image, label)
