"""The end of the processes of a local Ray."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from mnist_tui.sweep.cluster.processes import wait_for_end, with_descendants


@contextmanager
def sleeping(seconds: float) -> Iterator[psutil.Process]:
    """A process that ends by itself."""
    with subprocess.Popen([sys.executable, "-S", "-c", f"import time; time.sleep({seconds})"]) as process:
        yield psutil.Process(process.pid)
        process.kill()


def test_processes_are_waited_for() -> None:
    """Until they have ended, also where nobody has asked for their exit codes."""
    with sleeping(0) as short, sleeping(0.3) as long:
        wait_for_end([short, long])
        assert {short.status(), long.status()} == {psutil.STATUS_ZOMBIE}


def test_the_wait_has_an_end() -> None:
    """After the seconds that it is given."""
    with sleeping(60) as process:
        began = time.monotonic()
        wait_for_end([process], seconds=0.1)
        assert time.monotonic() - began < 30
        assert process.status() != psutil.STATUS_ZOMBIE


def test_descendants_are_found() -> None:
    """Those of one that has ended are none."""
    with sleeping(60) as child, sleeping(0) as ended:
        wait_for_end([ended])
        own = psutil.Process()
        assert child in with_descendants([own])
        assert with_descendants([ended]) == [ended]
    with pytest.raises(psutil.NoSuchProcess):
        child.status()
