"""What several test files share: a small run, a small data set, and folders of the user's that are not the user's."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.command import Command, in_process
from hypothesis import settings

from mnist_tui.runs import reference
from mnist_tui.spec.run_spec import RunSpec, make_spec

if TYPE_CHECKING:
    from mnist_tui.training.data import Dataset


def _use_one_thread() -> None:
    """Two threads on busy cores are many times slower than one; tests that never load torch do not load it here."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


gc.set_threshold(7000, 10, 20)
"""A collection over all that torch has loaded takes 0.4 s, and with Python's own thresholds a quarter of the time."""

settings.register_profile("whole", max_examples=100, deadline=None, derandomize=True)
settings.register_profile("fast", settings.get_profile("whole"), max_examples=20)
settings.load_profile("whole")  # Unless pytest gets --hypothesis-profile; a busy machine may take its time.

LONGEST_FILES = (
    *("system/test_ray.py", "training/test_stacked_training.py", "system/test_sweep.py", "tui/test_lab.py"),
    *("system/test_lab_signals.py", "tui/test_analyse.py", "system/test_pool.py", "tui/test_runs_mode.py"),
    *("system/test_signals.py", "tui/test_draw.py", "system/test_typing.py", "tui/test_design.py"),
    *(
        "system/test_stress.py",
        "tui/test_many_classes.py",
        "system/test_lab_queue_runs.py",
        "tui/test_lr_finder_dialog.py",
    ),
    *("system/test_serve.py", "tui/test_followed_brief.py", "system/test_traffic.py", "tui/test_leaderboard_view.py"),
    *("system/test_browser.py", "training/test_gpu_benchmark.py", "system/test_kill.py", "tui/test_advice.py"),
    *("system/test_file_modes.py", "export/test_script_alone.py", "system/test_lab_cli.py", "training/test_no_fuse.py"),
)
"""These begin first, else one process would be busy with the last of them while the others had nothing left to do.

Those that mostly wait for other processes and those that compute take turns, so that the cores have work.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the longest files to the front; `pytest -n 4 --dist loadfile --no-loadscope-reorder` keeps that order."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST_FILES)}
    if renamed := [str(path) for path in places if not path.exists()]:
        raise pytest.UsageError(f"LONGEST_FILES in tests/conftest.py names a file that is not there: {renamed}")
    items.sort(key=lambda item: places.get(item.path, len(places)))


HOMES = tempfile.TemporaryDirectory(prefix="mnist-tui-tests-", ignore_cleanup_errors=True)
"""Where threads that outlive their test find the folders below; removed at the end of the process."""
USERS_FOLDERS = {f"XDG_{kind.upper()}_HOME": kind for kind in ("cache", "config", "state")}
os.environ |= {variable: str(Path(HOMES.name) / kind) for variable, kind in USERS_FOLDERS.items()}


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees or touches the user's own cache, presets and settings, or changes what later tests collect."""
    for variable, kind in USERS_FOLDERS.items():
        monkeypatch.setenv(variable, str(tmp_path / "home" / kind))
    _use_one_thread()
    yield
    gc.unfreeze()  # The dashboard freezes what it has loaded.


@pytest.fixture
def reference_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty runs directory in place of the reference runs that are shipped."""
    runs_dir = (tmp_path / "shipped" / "reference").resolve()
    monkeypatch.setattr(reference, "runs_dir", lambda: runs_dir)
    return runs_dir


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`mnist-tui` in this process: the exit code, stdout and stderr."""
    return in_process(monkeypatch, capsys)


@pytest.fixture(scope="session")
def digits() -> "Dataset":
    """The stand-in for MNIST: 1,437 training and 360 test images, on the CPU; not to be changed by a test."""
    from mnist_tui.training import data  # torch: 2 s.

    _use_one_thread()
    return data.load_digits()


@pytest.fixture
def small_spec() -> RunSpec:
    """A run of a second on the digits: each layer type that has a state or a mode of its own, and a knob."""
    return make_spec(
        {
            "name": "small",
            "layers": """
                Conv2d(4, 3, padding=1)
                BatchNorm2d()
                ReLU()
                MaxPool2d(4)
                Dropout(dropout)
                Flatten()
                Linear(10)
            """,
            "knobs": {"dropout": 0.1},
            "train": {"epochs": 2, "batch_size": 64, "optimizer": "Adam(lr=0.01)"},
        }
    )
