"""Who can read and write what is written: the modes of every file and folder, under several umasks."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.lab_terminal import MAIN, PRESET
from helpers.python_processes import environment

pytestmark = pytest.mark.slow

TRAIN = ("--batch", "small.toml", "--dataset", "digits", "--device", "cpu", "--threads", "1", "-q")
COMMANDS = [
    "tag {run} kept",
    "note {run} -m good",
    "export {run} run.zip",
    "export {run} copied",
    "report {run}",
    "delete {run}",
    "sweep small.toml --set optimizer.lr=0.1,0.2 --dataset digits --jobs 1",
]


def call(folder: Path, umask: int, *arguments: str) -> None:
    """`mnist-tui` under a umask, in a process of its own."""
    homes = {f"XDG_{name}_HOME": str(folder / "home") for name in ("STATE", "CONFIG", "CACHE")}
    command = [sys.executable, "-c", f"import os; os.umask({umask}); {MAIN}", *arguments]
    subprocess.run(command, cwd=folder, env=environment() | homes, check=True, capture_output=True)


def made(folder: Path, mask: int) -> list[str]:
    """Files and folders with a bit of `mask`."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.lstat().st_mode & mask]


@pytest.mark.parametrize(("umask", "never"), [(0o000, 0o002), (0o077, 0o077)])
def test_nothing_can_be_written_by_everybody(umask: int, never: int, tmp_path: Path) -> None:
    """Not even under umask 000; what a stricter umask takes away is taken away from every file and folder."""
    (tmp_path / "small.toml").write_text(PRESET.format(epochs=1).replace("batch_size = 1", "batch_size = 64"))
    (tmp_path / "small.toml").chmod(0o600)
    call(tmp_path, umask, *TRAIN)
    (run,) = [path.parent.name for path in tmp_path.glob("runs/*/run.json")]
    for line in COMMANDS if umask == 0 else ():
        call(tmp_path, umask, *line.format(run=run).split())

    assert len(made(tmp_path, 0o400)) > 8
    assert made(tmp_path, never) == []
