"""benchmarks/gpu.py, as far as a machine without a GPU can run it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, str(ROOT / "benchmarks/gpu.py"), "--device", "cpu", "--quick"]


@pytest.mark.slow
def test_every_part_runs_on_a_cpu(tmp_path: Path) -> None:
    """All but the dashboard, which scripts/stress.py measures: a table of rows, none of them a failure."""
    out = tmp_path / "table.md"

    done = subprocess.run(
        [*COMMAND, "--parts", "abcdf", "--out", str(out)], capture_output=True, text=True, cwd=tmp_path
    )

    assert done.returncode == 0, done.stderr
    rows = [line for line in out.read_text().splitlines() if line.startswith("| ")]
    assert len(rows) > 10
    assert not [row for row in rows if "failed" in row]
    assert out.read_text() in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"), [(["--parts", "ax"], "there is no part x"), (["--device", "cuda:77"], "cuda:77")]
)
def test_bad_arguments(arguments: list[str], words: str) -> None:
    """In a line, before anything is measured."""
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True)

    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
