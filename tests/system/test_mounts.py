"""File systems as they are mounted: runs that cannot be written, and a home without room. Real mounts of Linux."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.lab_terminal import ROOT
from helpers.trained_runs import train_run

NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
"""A program whose mounts nobody else sees."""
CALLS = """
import json, sys
from helpers.command import call
print(json.dumps([call(*line.split()) for line in json.loads(sys.argv[1])]))
"""
READ_ONLY = "mount --bind runs runs && mount -o remount,ro,bind runs"
FULL_HOME = "mount -t tmpfs -o size=64k tmpfs home && mkdir -p home/config/mnist-tui && cat /dev/zero >home/fill"
TRAINED = "--batch small.toml --dataset digits --device cpu --threads 1"


def mounts() -> bool:
    """Whether this user can mount something."""
    tried = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return shutil.which("unshare") is not None and subprocess.run(tried, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not mounts(), reason="nothing can be mounted here")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a run that completed, and one that was interrupted."""
    folder = tmp_path_factory.mktemp("mounted")
    run = train_run(folder)
    run = run.rename(run.with_name("ended"))
    begun = Path(shutil.copytree(run, run.with_name("begun")))
    (begun / "end.json").unlink()
    (folder / "home").mkdir()
    return folder


def answers(folder: Path, mount: str, lines: list[str]) -> dict[str, tuple[int, str, str]]:
    """Exit code, stdout and stderr of each command line, under a mount."""
    homes = {f"XDG_{kind.upper()}_HOME": str(folder / "home" / kind) for kind in ("config", "state", "cache")}
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    ran = subprocess.run(
        [*NAMESPACE, "sh", "-c", f'{mount}; exec "$@"', "sh", sys.executable, "-c", CALLS, json.dumps(lines)],
        cwd=folder, env=os.environ | homes | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return {line: tuple(answer) for line, answer in zip(lines, json.loads(ran.stdout.splitlines()[-1]), strict=True)}


READS = (
    "runs", "runs --json", "open ended", "open begun", "open ended --plot", "report ended -o report.md", "leaderboard",
    "watch begun", "analyse ended", "export ended --to csv -o out.csv", "delete --empty-trash", "sweep",
)  # fmt: skip
WRITES = (
    *(TRAINED, "tag ended kept", "note ended -m more", "delete ended", "resume begun", "extend ended 1"),
    f"sweep run small.toml --set optimizer.lr=0.01,0.02 --jobs 1 {TRAINED.partition('toml ')[2]}",
)


def test_a_read_only_runs_folder(trained: Path) -> None:
    """What only reads works, and nobody is said to train what was interrupted; what writes is refused in one line."""
    before = {path: path.stat().st_mtime_ns for path in trained.glob("runs/**/*")}
    found = answers(trained, READ_ONLY, [*READS, *WRITES])
    reads, writes = ({line: found[line] for line in lines} for lines in (READS, WRITES))
    states = {run["id"]: run["state"] for run in json.loads(reads["runs --json"][1])}

    assert {line: answer for line, answer in reads.items() if answer[0] or answer[2].startswith("mnist-tui")} == {}
    assert states == {"ended": "completed", "begun": "interrupted"}
    for line, (code, _, err) in writes.items():
        assert code == 3, line
        said = [each for each in err.splitlines() if each.startswith("mnist-tui: ")]
        assert len(said) == 1, (line, err)
        assert "Read-only file system" in said[0], line
    assert {path: path.stat().st_mtime_ns for path in trained.glob("runs/**/*")} == before


def test_a_home_without_room(trained: Path) -> None:
    """Runs are trained, listed and reported; a setting that cannot be written is one line."""
    lines = [TRAINED, "runs", "config", "doctor", "config set theme light"]
    *fine, (code, _, err) = answers(trained, FULL_HOME, lines).values()

    assert [answer[0] for answer in fine] == [0] * len(fine)
    assert code == 3
    assert err.count("\n") == 1
    assert "config.toml cannot be written: No space left on device" in err
