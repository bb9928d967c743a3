"""Logs of other programs as run folders that are only read: run.json without a spec, and history.jsonl. No torch.

What the log does not tell stays out of run.json, or is named as `unknown` in a row of the history: there is no seed, no
recipe and no network, and what the accuracies were measured on is in words only.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnist_tui.errors import StorageError
from mnist_tui.files import sync_folder, write_all, write_atomically
from mnist_tui.runs import history, reference
from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.reader import FORMAT
from mnist_tui.runs.record import IMPORTED
from mnist_tui.runs.storage import new_folder
from mnist_tui.temporary_files import remove_leftovers, temporary_path


@dataclass(frozen=True)
class ImportedLog:
    """One training as the log of another program tells it."""

    name: str
    rows: Sequence[EpochEnded]
    facts: Mapping[str, Any]
    """What is kept in run.json under `imported`: `file`, `part`, `form`, `measured_on` and more."""
    parameters: int | None = None
    """None where neither the log nor the user tells it."""
    held_out_images: int | None = None
    """Images that the held-out accuracies are counts of; None where they are no counts."""


def write_imported(runs_dir: Path, log: ImportedLog) -> Path:
    """Makes the run folder of a log, whole or not at all; raises `StorageError` where it cannot be written."""
    reference.check_changeable(runs_dir)
    remove_leftovers(runs_dir)
    temporary = temporary_path(runs_dir / "import")
    try:
        temporary.mkdir(parents=True)
        rows = b"".join(map(history.history_line, log.rows))
        write_all(temporary / history.FILE, rows, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        folder = new_folder(runs_dir, log.name, IMPORTED)
        try:
            write_atomically(temporary / "run.json", _record(folder.name, log))
            os.replace(temporary, folder)  # The empty folder gives way.
        except BaseException:
            folder.rmdir()
            raise
        sync_folder(runs_dir)
    except OSError as error:
        raise StorageError(
            f"cannot write to {runs_dir}: {error.strerror}; name another folder with --runs-dir"
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _record(run: str, log: ImportedLog) -> bytes:
    document: dict[str, Any] = {
        "format": FORMAT,
        "run": run,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": log.name,
    }
    if log.parameters is not None:
        document["parameters"] = log.parameters
    if log.held_out_images is not None:
        document["dataset"] = {"test_images": log.held_out_images}
    document[IMPORTED] = dict(log.facts)
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()
