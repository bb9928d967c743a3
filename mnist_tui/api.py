"""The library: the network of a run, the runs of a folder, and training, for scripts and notebooks.

`mnist_tui` itself has these functions, `mnist_tui.load`. Importing it loads neither torch nor pydantic; calling them
does. Errors are the `MnistTuiError`s of `mnist_tui.errors`, each with a message for people.
"""

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from mnist_tui.runs.control import Control
    from mnist_tui.runs.events import Event
    from mnist_tui.runs.record import Run
    from mnist_tui.settings.model import Settings
    from mnist_tui.spec.run_spec import RunSpec


def load(run: "str | Path | Run", *, epoch: int | None = None, runs_dir: "str | Path | None" = None) -> "nn.Module":
    """The trained network of a run, on the CPU and in eval mode, with the weights of its best epoch or of `epoch`.

    It takes float32 (N, 1, 28, 28), white digits on black, or images of its data set, `(pixel / 255 - mean) / std` with
    the recipe's `normalize`, and returns (N, classes). A run keeps its best epoch and its newest two checkpoints.

    `run` is a folder, the name of one in `runs_dir`, or the end of such a name, as in `mnist-tui open a17f`; or one of
    `list_runs`. Raises `RunError` where there is no such run, `CheckpointError` where the weights of the epoch were not
    kept or cannot be used, and `StorageError` where the folder cannot be read.
    """
    from mnist_tui.runs.index import find_readable
    from mnist_tui.runs.record import Run
    from mnist_tui.training.predict import load_network

    record = run if isinstance(run, Run) else find_readable(str(run), _settings(runs_dir=runs_dir).runs_dir)
    return load_network(record.folder, epoch)


def list_runs(runs_dir: "str | Path | None" = None) -> "list[Run]":
    """The runs of a folder, the newest first; without a folder, those of the folder in the settings: `runs`.

    A `Run` has the facts of the table of runs: `name`, `seed`, `parameters`, `best_accuracy`, `rows` (the epochs),
    `spec`, `state`, `tags` and more; what a run does not say is None. Folders that hold no readable run are left out.
    Raises `StorageError` where the folder cannot be read.
    """
    from mnist_tui.runs.index import RunIndex

    index = RunIndex(_settings(runs_dir=runs_dir).runs_dir)
    index.refresh()
    return [run for run in index.all if run.is_run]


def train(
    spec: "str | Path | RunSpec",
    *,
    changes: Mapping[str, object] | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    dataset: str | None = None,
    data_dir: "str | Path | None" = None,
    runs_dir: "str | Path | None" = None,
    threads: int | None = None,
    fuse: bool | None = None,
    control: "Control | None" = None,
) -> "Generator[Event, None, None]":
    """Trains a network in a new run folder, and yields the events of `mnist_tui.runs.events` as it goes.

    Training happens while the events are taken: `for event in train("iter5"): ...`. The last one is `RunEnded`. `spec`
    is a preset's name, a preset file or a `RunSpec`; `changes` are those of `--set`, such as `{"optimizer.lr": 0.01}`.
    What is not named comes from the settings, as on the command line. `control.stop()`, in another thread or between
    two events, ends the run after the current step. The number of torch's threads is set for the whole process.

    Raises `PresetError` and `SpecError` for what cannot be trained and `SettingsError` for an option, at once; and
    `DeviceError`, `DataError` and `StorageError` from the first event on.
    """
    from mnist_tui.runs.control import Control
    from mnist_tui.spec.run_options import Options
    from mnist_tui.training import session

    named = {"device": device, "dataset": dataset, "data_dir": data_dir, "threads": threads, "fuse": fuse}
    settings = _settings(runs_dir=runs_dir, **named)
    options = Options(**{name: getattr(settings, name) for name in (*named, "runs_dir")})
    numbers = {name: value for name, value in {"epochs": epochs, "seed": seed}.items() if value is not None}
    texts = {path: str(value) for path, value in {**(changes or {}), **numbers}.items()}
    changed = _load_spec(spec).for_dataset(options.dataset).with_settings(texts)
    session.check(changed)
    return session.run(changed, options, control or Control())


def _settings(**named: object) -> "Settings":
    """The settings in force, with those that are not None in place; raises `SettingsError`."""
    from mnist_tui.settings import settings

    values = {key: settings.check_value("mnist_tui", key, value) for key, value in named.items() if value is not None}
    if values.get("data_dir") is not None:
        settings.check_data_dir("data_dir", values["data_dir"])
    return settings.load().model_copy(update=values)


def _load_spec(spec: "str | Path | RunSpec") -> "RunSpec":
    from mnist_tui.spec import presets
    from mnist_tui.spec.run_spec import RunSpec

    if isinstance(spec, RunSpec):
        return spec
    return presets.load_file(spec) if isinstance(spec, Path) else presets.load(spec)
