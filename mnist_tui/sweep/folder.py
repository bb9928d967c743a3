"""The sweeps of a runs directory: `.sweeps/NAME/sweep.json` says what is tried; the results are the run folders.

.sweeps/NAME/sweep.json    the plan, written whole; rewritten only with more seeds, points or trials
.sweeps/NAME/claims/       which process trains which point (claims.py)
.sweeps/NAME/stop          while it is there, no process begins a point, and those under way are stopped and saved
"""

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnist_tui.errors import FileError, StorageError, SweepError
from mnist_tui.files import read_text, sync_folder, write_atomically
from mnist_tui.runs import reference
from mnist_tui.sweep.plan import Point, SweepPlan, make_plan
from mnist_tui.text import as_name, clean_line, did_you_mean, is_name

SWEEPS = ".sweeps"
FILE = "sweep.json"
STOP = "stop"
FORMAT = 1
MAX_BYTES = 64 * 2**20
"""A plan of thousands of layer texts."""
MAX_NAME = 60


@dataclass(frozen=True)
class Sweep:
    """A sweep of a runs directory."""

    runs_dir: Path
    name: str
    id: str
    """Tells it from one of the same name that was deleted."""
    created: str
    """In UTC, as ISO 8601."""
    plan: SweepPlan

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.runs_dir / SWEEPS / self.name

    @property
    def is_stopped(self) -> bool:
        """Whether somebody asked all its processes to stop."""
        return os.path.lexists(self.folder / STOP)

    def stop(self) -> None:
        """Asks all processes that train its points to stop after their step; raises `StorageError`."""
        try:
            (self.folder / STOP).touch()
        except OSError as error:
            raise StorageError(f"cannot write to {self.folder}: {error.strerror}") from None

    def allow(self) -> None:
        """Takes `stop` back."""
        with suppress(OSError):
            (self.folder / STOP).unlink(missing_ok=True)

    def label(self, point: Point) -> dict[str, Any]:
        """What the run of a point holds in its run.json, under `sweep`."""
        return {"name": self.name, "id": self.id, "point": point.number, "values": dict(point.values)}


def start(runs_dir: Path, plan: SweepPlan, name: str | None = None) -> Sweep:
    """The sweep that asks what a plan asks, grown to its seeds and points; else a new one.

    A new one is called `name`, or as its preset is, with a number where that is taken. Raises `SweepError` where `name`
    is that of a sweep that asks something else, and `StorageError` where nothing can be written.
    """
    reference.check_changeable(runs_dir)
    name = None if name is None else as_name(name)
    if name is not None and (not is_name(name, MAX_NAME) or name.endswith(".toml")):
        raise SweepError(f"--name {clean_line(name, 60)!r}: letters, digits, - _ and . only, at most {MAX_NAME}")
    for sweep in sweeps(runs_dir):
        if sweep.plan.question == plan.question and name in (None, sweep.name):
            return _grow(sweep, plan)
        if sweep.name == name:
            raise SweepError(f"there is a sweep {name} that tries something else; give this one another name (--name)")
    return _create(runs_dir, plan, name)


def find(runs_dir: Path, name: str | None) -> Sweep:
    """The sweep called `name`, without one the newest.

    Raises `SweepError` where there is none, `StorageError` where it cannot be read.
    """
    known = list(names(runs_dir))
    name = None if name is None else as_name(name)
    if name in known:
        return load(runs_dir, name)
    if name is None and (readable := sweeps(runs_dir)):
        return readable[0]
    listed = f"; there are {', '.join(known[:12])}" if known else "; mnist-tui sweep --help shows how to begin one"
    named = "no sweep" if name is None else f"no sweep {clean_line(name, 60)!r}"
    raise SweepError(f"there is {named} in {runs_dir}{did_you_mean(name or '', known) or listed}")


def sweeps(runs_dir: Path) -> list[Sweep]:
    """Every sweep that can be read, the newest first."""
    readable = []
    for name in names(runs_dir):
        with suppress(StorageError):
            readable.append(load(runs_dir, name))
    return sorted(readable, key=lambda sweep: sweep.created, reverse=True)


def load(runs_dir: Path, name: str) -> Sweep:
    """A sweep by its file; raises `StorageError`."""
    path = runs_dir / SWEEPS / name / FILE
    try:
        document = json.loads(read_text(path, MAX_BYTES, follow=False))
        if document["format"] != FORMAT:
            raise StorageError(f"{path}: was written by a newer version of mnist-tui")
        return Sweep(runs_dir, name, str(document["id"]), str(document["created"]), make_plan(document["plan"]))
    except FileError as error:
        raise StorageError(str(error)) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StorageError(f"{path}: is damaged: {clean_line(str(error), 200)}") from None


def names(runs_dir: Path) -> Iterator[str]:
    """The names of all sweeps."""
    with suppress(OSError), os.scandir(runs_dir / SWEEPS) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False) and os.path.lexists(f"{entry.path}/{FILE}"):
                yield entry.name


def _create(runs_dir: Path, plan: SweepPlan, name: str | None) -> Sweep:
    created = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        (runs_dir / SWEEPS).mkdir(parents=True, exist_ok=True)
        folder_name = _make_folder(runs_dir / SWEEPS, name, plan.base.name)
        sweep = Sweep(runs_dir, folder_name, secrets.token_hex(4), created, plan)
        (sweep.folder / "claims").mkdir()
        _write(sweep)
        sync_folder(runs_dir / SWEEPS)
    except OSError as error:
        raise StorageError(
            f"cannot write to {runs_dir}: {error.strerror}; name another folder with --runs-dir"
        ) from None
    return sweep


def _make_folder(parent: Path, name: str | None, base: str) -> str:
    """Makes the folder of a sweep and returns its name; raises `OSError`, and `SweepError` for a name that is taken."""
    if name is not None:
        try:
            (parent / name).mkdir()
        except FileExistsError:
            raise SweepError(
                f"there is a folder {parent / name} already; give the sweep another name (--name)"
            ) from None
        return name
    plain = re.sub(r"[^\w.-]+", "-", base).strip("-.")[: MAX_NAME - 6] or "sweep"
    number = 1
    while True:
        candidate = plain if number == 1 else f"{plain}-{number}"
        try:
            (parent / candidate).mkdir()
        except FileExistsError:
            number += 1
            continue
        return candidate


def _grow(sweep: Sweep, plan: SweepPlan) -> Sweep:
    grown = sweep.plan.grown(plan)
    if grown == sweep.plan:
        return sweep
    bigger = replace(sweep, plan=grown)
    try:
        _write(bigger)
    except OSError as error:
        raise StorageError(f"cannot write to {sweep.folder}: {error.strerror}") from None
    return bigger


def _write(sweep: Sweep) -> None:
    plan = sweep.plan.model_dump(mode="json", exclude_none=True)
    document = {"format": FORMAT, "id": sweep.id, "name": sweep.name, "created": sweep.created, "plan": plan}
    write_atomically(sweep.folder / FILE, (json.dumps(document, indent=1) + "\n").encode())
