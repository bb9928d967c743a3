"""The log of this program's own defects, also where the user's disk takes no file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_tui.cli.exit_code import _report_crash
from mnist_tui.crash_log import keep_traceback
from mnist_tui.tui.shutdown import crash_message, reserve_terminal


@pytest.fixture
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder that cannot be made."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))


def test_a_traceback_is_kept(tmp_path: Path) -> None:
    """In the state folder, without what drives a terminal."""
    said = keep_traceback("Traceback\n\x1b[31m")
    path = next((tmp_path / "home").rglob("crash.log"))

    assert said == f"the traceback is in {path}"
    assert path.read_text() == "Traceback\n\ufffd[31m"


def test_the_log_is_utf8_in_every_locale(tmp_path: Path) -> None:
    """A traceback may hold any letter, and the report of a defect must not be a defect itself."""
    program = "from mnist_tui.crash_log import keep_traceback; print(keep_traceback('caf\\u00e9').isascii())"
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, **locale}, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("True\n", "")
    assert next((tmp_path / "home").rglob("crash.log")).read_bytes() == "caf\u00e9".encode()


@pytest.mark.usefixtures("no_home")
def test_without_a_place_for_it_the_defect_is_still_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a command, and of the dashboard."""
    _report_crash(ZeroDivisionError("oops"))
    said = capsys.readouterr().err, crash_message("ZeroDivisionError: oops", "Traceback")

    assert said[0].count("\n") == 1
    assert all("internal error: ZeroDivisionError: oops; the traceback cannot be written: /" in each for each in said)
    assert all("Not a directory" in each for each in said)


@pytest.mark.usefixtures("no_home")
def test_the_laboratory_opens_without_its_log(capfd: pytest.CaptureFixture[str]) -> None:
    """What libraries print goes nowhere then."""
    with capfd.disabled(), reserve_terminal():
        print("from a library", flush=True)
