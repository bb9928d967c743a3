"""Temporary files that a kill left behind: the next command that writes to their folder removes them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run

from mnist_tui.spec import presets
from mnist_tui.temporary_files import temporary_path

RUN = "20260101T000000Z-iter5-s0-0000"
COMMANDS = {
    f"tag {RUN} kept": f"runs/{RUN}",
    f"note {RUN} -m more": f"runs/{RUN}",
    f"report {RUN} -o report.md": ".",
    f"export {RUN} --to csv -o run.csv": ".",
    f"export {RUN} run.zip": ".",
    "import log.csv": "runs",
    "config set device cpu --project": ".",
}
"""By the command line the folder that it writes to."""


@pytest.mark.parametrize(("line", "folder"), COMMANDS.items())
def test_the_next_command_removes_them(
    line: str, folder: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a process that is gone; one of a process that is there stays."""
    monkeypatch.chdir(tmp_path)
    make_run(Path("runs"), presets.load("iter5"), epochs=3)
    Path("log.csv").write_text("epoch,train_loss,train_accuracy,test_accuracy\n1,0.3,0.9,0.95\n")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    ours = temporary_path(Path(folder, "written"))
    left = ours.with_name(ours.name.replace(f".{os.getpid()}.", f".{ended.pid}."))
    for path in (ours, left):
        path.write_text("half")
    code, _, err = command(*line.split())

    assert code == 0, err
    assert ours.exists()
    assert not left.exists()
