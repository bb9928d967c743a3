"""Who can read and write what is written: the modes of every file and folder, under several umasks."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.python_processes import environment
from helpers.trained_runs import write_preset

CALLS = """
import os, sys
from pathlib import Path
from helpers.command import call
os.umask(int(sys.argv[1]))
for line in sys.argv[2:]:
    runs = [path.parent.name for path in Path().glob("runs/*/run.json")]
    code, _, err = call(*line.format(run=next(iter(runs), "")).split())
    assert code == 0, f"{line}: {err}"
"""
COMMANDS = (
    "--batch small.toml --dataset digits --device cpu --threads 1 --jobs 1 -q",
    "tag {run} kept",
    "note {run} -m good",
    "export {run} run.zip",
    "export {run} copied",
    "report {run}",
    "delete {run}",
    "sweep small.toml --set optimizer.lr=0.1,0.2 --dataset digits --jobs 1",
)


def made(folder: Path, mask: int) -> list[str]:
    """Files and folders with a bit of `mask`."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.lstat().st_mode & mask]


@pytest.mark.parametrize(("umask", "never"), [(0o000, 0o002), (0o077, 0o077)])
def test_nothing_can_be_written_by_everybody(umask: int, never: int, tmp_path: Path) -> None:
    """Not even under umask 000; what a stricter umask takes away is taken away from every file and folder."""
    write_preset(tmp_path).chmod(0o600)
    homes = {f"XDG_{name}_HOME": str(tmp_path / "home" / name) for name in ("STATE", "CONFIG", "CACHE")}
    (tmp_path / "home").mkdir(mode=0o700)
    subprocess.run(
        [sys.executable, "-c", CALLS, str(umask), *COMMANDS], cwd=tmp_path, env=environment() | homes, check=True
    )

    assert len(made(tmp_path, 0o400)) > 20
    assert made(tmp_path, never) == []
