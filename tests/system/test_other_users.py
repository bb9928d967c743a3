"""Runs of other users of the machine, which this one may not read or write. Needs root, who becomes somebody else."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.lab_terminal import ROOT
from helpers.saved_runs import make_run

from mnist_tui.spec import presets

NOBODY = 65_534
CALLS = f"""
import json, os, shutil, sys
from helpers.command import call
shutil.copytree("runs", "tried/runs")
os.chdir("tried")
for line in sys.argv[1:]:  # Imports what root alone may read.
    call(*line.split())
os.chdir("..")
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
print(json.dumps([call(*line.split()) for line in sys.argv[1:]]))
"""
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


@pytest.fixture
def work() -> Iterator[Path]:
    """A folder that everybody reads, with runs of root: one that others read, one that they do not, one locked."""
    work = Path("/tmp") / f"mnist-tui-others-{os.getpid()}"
    for index, name in enumerate(("open", "closed", "half", "begun")):
        run = make_run(work / "runs", presets.load("iter5"), seed=index, index=index, epochs=3)
        run.rename(work / "runs" / name)
    (work / "runs" / "closed").chmod(0o700)
    (work / "runs" / "half" / "history.jsonl").chmod(0o600)
    (work / "runs" / "half" / "notes.md").chmod(0o600)
    (work / "runs" / "begun" / "end.json").unlink()
    (work / "runs" / "begun" / "run.lock").touch()
    work.chmod(0o755)
    yield work
    shutil.rmtree(work)


def answers(work: Path, *lines: str) -> list[tuple[int, str, str]]:
    """What each command line says to another user."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    homes = {f"XDG_{kind}_HOME": str(work) for kind in ("CONFIG", "STATE", "CACHE")}
    ran = subprocess.run(
        [sys.executable, "-c", CALLS, *lines],
        cwd=work, env=os.environ | homes | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return [tuple(answer) for answer in json.loads(ran.stdout.splitlines()[-1])]


def test_runs_of_another_user(work: Path) -> None:
    """What may be read is; the rest is a state or one line that says why; nothing of it is changed."""
    (listed, *reads, tag, note, delete) = answers(
        work, "runs --json", "open open", "open half", "open closed", "tag open kept", "note open -m x", "delete open"
    )
    states = {Path(run["folder"]).name: run["state"] for run in json.loads(listed[1])}

    assert states == {"open": "completed", "closed": "damaged", "half": "completed", "begun": "interrupted"}
    assert reads[0][0] == 0
    assert "Permission denied" in reads[2][1]
    for code, _, err in (reads[1], tag, note, delete):
        assert code == 3
        assert err.count("\n") == 1
        assert "Permission denied" in err
    assert sorted(path.name for path in (work / "runs").iterdir()) == ["begun", "closed", "half", "open"]
    assert not (work / "runs" / "open" / "tags.txt").exists()
