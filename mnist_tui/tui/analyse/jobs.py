"""What the background worker does for the screen: each a plain function that may load torch or read the disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.runs.index import RunIndex
from mnist_tui.runs.record import Run
from mnist_tui.tui.analyse.run_analysis import RunAnalysis, newest_analysed, read_analysis

if TYPE_CHECKING:
    from mnist_tui.training.activations import Inside


def analysis_of(index: RunIndex, names: Sequence[str]) -> RunAnalysis:
    """The analysis of the first named run against the second; without a name, of the newest run."""
    index.refresh()
    by_name = {run.id: run for run in index.all}
    chosen = [by_name[name] for name in names if name in by_name]
    run = chosen[0] if chosen else newest_analysed(index.all)
    return read_analysis(run, chosen[1] if len(chosen) > 1 else None, index.all)


def test_images(run: Run, data_dir: Path | None, indices: Sequence[int]) -> Mapping[int, bytes]:
    """784 grey values of each test image, by its index; raises `DataError` where the data is not the run's."""
    from mnist_tui.training import preview

    return preview.test_images(run.dataset or "", run.data[1] or "", data_dir, indices)


def look_inside(folder: Path, image: bytes, label: int | None) -> "Inside":
    """What the network of a run's best epoch does with an image."""
    from mnist_tui.training import activations

    return activations.look_inside(folder, image, label)
