"""Reference runs: presets trained as published, by this program, shipped with it as histories without weights.

They are a runs directory of their own, with a folder `PRESET-sSEED` for each run, that no command changes. On the
command line `reference/` before a name means the runs in it: `reference/iter5-s0`.
"""

from functools import cache
from pathlib import Path

from mnist_tui.errors import RunError

NAME = "reference"
PREFIX = f"{NAME}/"


@cache
def runs_dir() -> Path:
    """The runs directory of the reference runs: inside the package in a wheel, in `runs/` beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    in_wheel, in_checkout = package / NAME, package.parent / "runs" / NAME
    return in_wheel if in_wheel.is_dir() else in_checkout


def is_runs_dir(folder: Path) -> bool:
    """Whether a path leads to `runs_dir`."""
    return folder.resolve() == runs_dir()


def canonical(folder: Path) -> Path:
    """A runs directory by the one path by which reference runs are known, where it is theirs; else as it is."""
    return runs_dir() if is_runs_dir(folder) else folder


def is_reference(folder: Path) -> bool:
    """Whether a run folder, named by way of a `canonical` directory, is that of a reference run."""
    return folder.parent == runs_dir()


def without_prefix(named: str) -> str | None:
    """What follows `reference/` in a name on the command line; None for a name without it."""
    return named.removeprefix(PREFIX) if named.startswith(PREFIX) else None


def check_changeable(folder: Path) -> None:
    """Raises `RunError` for the folder of a reference run, and for their runs directory."""
    if is_runs_dir(folder) or is_runs_dir(folder.parent):
        raise RunError(
            f"{_name(folder)}: reference runs are read-only; mnist-tui --batch PRESET trains one of your own"
        )


def check_has_weights(folder: Path) -> None:
    """Raises `RunError` for the folder of a reference run, which holds no checkpoint and no predictions."""
    if is_runs_dir(folder.parent):
        raise RunError(
            f"{_name(folder)}: reference runs have no weights and no predictions; mnist-tui --batch PRESET trains one "
            "of your own"
        )


def _name(folder: Path) -> str:
    return NAME if is_runs_dir(folder) else f"{PREFIX}{folder.name}"
