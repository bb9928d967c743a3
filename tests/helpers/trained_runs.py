"""A run that is really trained, in a second: 23 steps on the small digits."""

from pathlib import Path

from helpers.lab_terminal import PRESET
from mnist_tui import api


def write_preset(folder: Path) -> Path:
    """Makes small.toml in a folder: the preset of one epoch of 23 steps."""
    preset = folder / "small.toml"
    preset.write_text(PRESET.format(epochs=1).replace("batch_size = 1", "batch_size = 64"))
    return preset


def train_run(folder: Path) -> Path:
    """The folder of a run of small.toml, which completed, in a new runs directory of `folder`."""
    for _ in api.train(write_preset(folder), dataset="digits", runs_dir=folder / "runs", device="cpu", threads=1):
        pass
    (run,) = (path.parent for path in folder.glob("runs/*/run.json"))
    return run
