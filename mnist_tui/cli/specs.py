"""The specs that names on the command line stand for: those of presets, of FILE.toml, and of saved runs."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mnist_tui.cli.exit_code import print_error
from mnist_tui.errors import PresetError, RunError, StorageError
from mnist_tui.runs import filters, reference
from mnist_tui.runs.folders import scan
from mnist_tui.runs.index import find_run, read_runs
from mnist_tui.runs.names import matching, name_list
from mnist_tui.runs.reader import check_readable, spec_of
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import as_name, clean_line, did_you_mean


def load_specs(names: Sequence[str], models: Path | None, runs_dir: Path) -> list[RunSpec]:
    """The spec of each name, as `load_spec`; a line on stderr for a preset whose name stands for a run as well."""
    specs = [load_spec(name, models, runs_dir) for name in names]
    for name in dict.fromkeys(names):
        if is_preset(name, models):
            warn_of_run(name, runs_dir)
    return specs


def load_spec(name: str, models: Path | None, runs_dir: Path) -> RunSpec:
    """The spec of a preset or of FILE.toml, else of a run; raises `PresetError`, `RunError` and `StorageError`."""
    run = find_named_run(name, models, runs_dir)
    return presets.load(name, models) if run is None else spec_of(run)


def find_named_run(name: str, models: Path | None, runs_dir: Path) -> Run | None:
    """The run that a name stands for; None for a preset, and for the file of one.

    Raises `PresetError` where the name is neither a preset's nor a run's, and `RunError` where several runs have it.
    """
    if is_preset(name, models) or name.endswith(".toml") or ("/" in name and Path(name).is_file()):
        return None
    try:
        return find_run(name, runs_dir)
    except RunError as error:
        if not error.is_missing:
            raise
    near = did_you_mean(name, presets.find(models)) or "; mnist-tui --list and mnist-tui runs show all"
    raise PresetError(f"{clean_line(name, 100)!r} is no preset, and no run in {runs_dir} has that name{near}")


def choose_runs(named: str, runs_dir: Path, runs: Sequence[Run]) -> tuple[list[Run], bool]:
    """The runs of a preset's name, or the run of a name, or what a filter chooses; and whether it is that one run.

    After `reference/` all of it is meant of the reference runs, whatever `runs` are. Raises `RunError` where it is none
    of them, and `StorageError` where the one run cannot be read.
    """
    if (rest := reference.without_prefix(named)) is not None:
        runs_dir = reference.runs_dir()
        return _choose_runs(rest, runs_dir, read_runs(runs_dir), prefix=reference.PREFIX)
    return _choose_runs(named, runs_dir, runs)


def _choose_runs(named: str, runs_dir: Path, runs: Sequence[Run], prefix: str = "") -> tuple[list[Run], bool]:
    if chosen := [run for run in runs if run.is_run and run.name == named]:
        warn_of_run(named, runs_dir)
        return chosen, False
    try:
        run = find_run(f"{prefix}{named}", runs_dir)
    except RunError as error:
        if chosen := [run for run in filters.choose(runs, named) if run.is_run]:
            return chosen, False
        near = did_you_mean(named, {run.name for run in runs})
        raise RunError(f"{error}; and as a filter it chooses none{near}") from None
    check_readable(run)
    return [run], True


def is_preset(name: str, models: Path | None) -> bool:
    """Whether a preset has this name."""
    return as_name(name) in presets.find(models)


def warn_of_run(preset: str, runs_dir: Path) -> None:
    """Prints a line on stderr where a run, too, has the name of a preset, which is taken."""
    with suppress(StorageError):
        if runs := matching(preset, [entry.name for entry in scan(runs_dir)]):
            folders = name_list([str(runs_dir / run) for run in runs])
            print_error(f"{preset} is taken for the preset; to name a run, write its folder: {folders}")
