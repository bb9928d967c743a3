"""A run of somebody else that was interrupted, with links, pipes and devices in place of its files, is trained on."""

import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.time_limits import time_limit
from helpers.trained_runs import train_run

OPTIONAL = ("steps.jsonl", "run.log", "control.jsonl", "steering.jsonl", "predictions.npz", "notes.md", "tags.txt")
"""Files without which a run can be resumed."""
NEEDED = ("run.json", "history.jsonl", "resumed.jsonl", "run.lock")
"""Files in whose place nothing else may be."""
OUTSIDE = "precious\n"


def _bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


KINDS: dict[str, Callable[[Path], object]] = {
    "link": lambda path: path.symlink_to(Path("outside").absolute()),
    "dangling link": lambda path: path.symlink_to(Path("nowhere").absolute()),
    "link to itself": lambda path: path.symlink_to(path.name),
    "pipe": os.mkfifo,
    "socket": _bind,
    "device": lambda path: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5)),
    "folder": lambda path: path.mkdir(),
}
"""What may stand in place of a file; the device is /dev/zero."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 23 steps without its end."""
    run = train_run(tmp_path_factory.mktemp("trained"))
    (run / "end.json").unlink()
    return run


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in the current folder, beside a file that is nobody's business."""
    monkeypatch.chdir(tmp_path)
    Path("outside").write_text(OUTSIDE)
    return Path(shutil.copytree(trained, "r/run"))


def replaced(path: Path, kind: str) -> None:
    """Puts something else in place of a file."""
    path.unlink(missing_ok=True)
    try:
        KINDS[kind](path)
    except PermissionError:
        pytest.skip(f"only root makes a {kind}")


def leads_nowhere(run: Path) -> bool:
    """Whether nothing was written through a link, and nothing of it came into the run."""
    files = [path for path in run.iterdir() if path.is_file() and not path.is_symlink()]
    is_inside = any(OUTSIDE.encode() in path.read_bytes() for path in files)
    return Path("outside").read_text() == OUTSIDE and not is_inside and not os.path.lexists("nowhere")


@pytest.mark.parametrize("kind", KINDS)
def test_in_place_of_what_can_be_missing(kind: str, run: Path, command: Command) -> None:
    """The run is resumed to its end without a wait, and without a byte that goes elsewhere."""
    for file in OPTIONAL:
        replaced(run / file, kind)
    if kind != "folder":  # The newest checkpoint, so that the one before it counts.
        replaced(run / "ckpt-00000099.safetensors", kind)
    with time_limit(60, KeyboardInterrupt("it waits")):
        code, _, err = command("resume", str(run), "--device", "cpu")

    assert "internal error" not in err
    assert code in ((0, 3) if kind == "folder" else (0,)), err
    assert leads_nowhere(run)


@pytest.mark.parametrize("file", NEEDED)
@pytest.mark.parametrize("kind", ["link", "pipe", "socket", "folder"])
def test_in_place_of_what_is_needed(kind: str, file: str, run: Path, command: Command) -> None:
    """One line, which names the file or the run."""
    replaced(run / file, kind)
    with time_limit(60, KeyboardInterrupt("it waits")):
        code, _, err = command("resume", str(run), "--device", "cpu")
    said = [line for line in err.splitlines() if line.startswith("mnist-tui: ")]

    assert code in (2, 3), err
    assert len(said) == 1
    assert "internal error" not in err
    assert leads_nowhere(run)
