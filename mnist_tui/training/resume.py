"""Training on from a saved run: `resume` one that was interrupted or stopped, `extend` one that completed.

Both yield the events of `session.run`, and train as the run was begun: on its data, its device and threads where the
options name no others, with its layers fused or not. The continuation is bit-exact on the same CPU, torch and threads.
"""

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

import torch

from mnist_tui.errors import CheckpointError, DataError, DeviceError, RunError, SpecError, StorageError
from mnist_tui.runs import reference
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Downloading, Event, Notice, Unpaused, best_of
from mnist_tui.runs.lock import is_running
from mnist_tui.runs.reproduction import changed_around
from mnist_tui.runs.storage import RunFolder, SavedRun, load_run, read_checkpoint, readable_checkpoints
from mnist_tui.spec.calls import names_in
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RECIPE_NAMES, RunSpec
from mnist_tui.text import clean_line
from mnist_tui.training import checkpoint, environment
from mnist_tui.training.data import Dataset, loading
from mnist_tui.training.session import make_training, provenance, save_checkpoint, train_in_folder
from mnist_tui.training.state import Training

AFFECTS_NUMBERS = frozenset({"device", "device name", "processor", "threads", "torch", "torchvision", "numpy"})
"""What decides how numbers are rounded and drawn, by its name in `changed_around`."""


def resume(saved: SavedRun, options: Options, control: Control) -> Generator[Event, None, None]:
    """Continues an interrupted or stopped run in its own folder.

    Raises `RunError` for a run that has ended, and `DataError` where the data is not the run's.
    """
    reference.check_changeable(saved.folder)
    _check_resumable(saved)
    dataset = yield from loading_same_dataset(saved, options, control)
    if dataset is None:
        return
    training = _make_training_again(saved, dataset, options)
    with closing(training.batches):
        folder = RunFolder(saved.folder)
        with _close_on_error(folder):
            _check_resumable(load_run(saved.folder))  # Another process may have trained it to its end since.
            yield from _restore_newest(training, folder)
            record = provenance(training, dataset, options)
            yield from _warn_of_changes(saved, record)
            yield from _bring_folder_up_to_date(training, folder, record)
        yield from train_in_folder(training, folder, dataset, control)


def _check_resumable(saved: SavedRun) -> None:
    if not saved.can_resume:
        outcome = clean_line(str(saved.end and saved.end.get("outcome")), 60)
        raise RunError(f"{saved.folder}: this run has {outcome}; there is nothing to resume")


def extend(saved: SavedRun, epochs: int, options: Options, control: Control) -> Generator[Event, None, None]:
    """Trains a completed run for more epochs, in a new run folder; the old folder stays as it is.

    The new run equals one that was given all the epochs from the start. Raises `RunError` for a run that has not
    completed, `StorageError` where its last checkpoint cannot be read, `SpecError` for a recipe that depends on its
    number of epochs, and `DataError` where the data is not the run's.
    """
    _check_extendable(saved, epochs)
    dataset = yield from loading_same_dataset(saved, options, control)
    if dataset is None:
        return
    training = _make_training_again(saved, dataset, options)
    with closing(training.batches):
        content = _restore_end(training, saved)
        spec = _extend_spec(training, epochs)
        record = provenance(training, dataset, options) | {"extends": saved.folder.name}
        folder = RunFolder.create(options.runs_dir, spec, record)
        with _close_on_error(folder):
            yield from _warn_of_changes(saved, record)
            yield from _report_dropped_rules(training.spec, spec)
            yield from _copy_to_new_folder(training, saved, content, spec, folder)
        yield from train_in_folder(training, folder, dataset, control)


# --- the training and the folder of a saved run ---


def _make_training_again(saved: SavedRun, dataset: Dataset, options: Options) -> Training:
    """The training of a saved run before its first step."""
    device = _recorded_device(saved) if options.device == "auto" else environment.resolve_device(options.device)
    torch.set_num_threads(options.threads or recorded_threads(saved))
    fuse = saved.record.get("fused") is not False  # Version 0.1 did not record it, and always fused.
    return make_training(saved.spec, dataset, device, fuse)


def loading_same_dataset(
    saved: SavedRun, options: Options, control: Control
) -> Generator[Notice | Downloading, None, Dataset | None]:
    """Returns the data set that a run was trained on, as `loading` does; raises `DataError` where it is another."""
    recorded = saved.record.get("dataset", {})
    choice = "digits" if recorded.get("name") == "digits" else saved.spec.data.name
    dataset = yield from loading(choice, options.data_dir, saved.spec.data, control)
    if dataset is not None and dataset.sha256 != recorded.get("sha256"):
        raise DataError(
            f"{saved.folder}: this run was trained on other data (its SHA-256 differs from that of {dataset.origin}); "
            "train it where its data is"
        )
    return dataset


def _recorded_device(saved: SavedRun) -> torch.device:
    """The device the run was begun on; where this machine does not have it, the best one there is."""
    try:
        return environment.resolve_device(str(saved.record.get("device", "auto")))
    except DeviceError:
        return environment.resolve_device("auto")


def recorded_threads(saved: SavedRun) -> int:
    """The CPU threads that a run was trained with; this machine's default where it does not say."""
    threads = saved.record.get("threads")
    return threads if isinstance(threads, int) and 1 <= threads <= 1024 else environment.default_threads()


def _warn_of_changes(saved: SavedRun, record: dict[str, Any]) -> Iterator[Notice]:
    """A warning where something else than before keeps the continuation from being bit-exact."""
    changed = {name: values for name, values in changed_around(saved.record, record).items() if name in AFFECTS_NUMBERS}
    if changed:
        before = ", ".join(old for old, _ in changed.values())
        now = ", ".join(f"{name} {new}" for name, (_, new) in changed.items())
        yield Notice(f"resumed with {now}, begun with {before}: the numbers may differ", is_warning=True)


@contextmanager
def _close_on_error(folder: RunFolder) -> Iterator[None]:
    """Releases the folder where it could not be filled; an `OSError` becomes a `StorageError`."""
    try:
        yield
    except OSError as error:
        folder.close()
        raise StorageError(f"cannot write to {folder.folder}: {error.strerror}") from None
    except BaseException:
        folder.close()
        raise


# --- resuming a run ---


def _restore_newest(training: Training, folder: RunFolder) -> Iterator[Notice]:
    """Restores the newest checkpoint that can be read; without one the training begins again from its seed."""
    found = "no checkpoint yet"
    for path, content in readable_checkpoints(folder.folder):
        try:
            checkpoint.restore(training, content)
            return
        except CheckpointError as error:
            path.rename(path.with_suffix(".damaged"))
            yield Notice(f"{path.name} {error}; it is renamed to {path.stem}.damaged", is_warning=True)
            found = "no other checkpoint"
    yield Notice(f"{found}: the run begins again from its seed")


def _bring_folder_up_to_date(training: Training, folder: RunFolder, record: dict[str, Any]) -> Iterator[Notice]:
    """Writes what the restored checkpoint implies: a crash may have come between it and the other files."""
    folder.begin_again(record)
    folder.save_rate_changes(training.rate_changes)
    if training.steps_done or training.rows:
        folder.report(Unpaused(training.epoch, training.steps_done))  # A pause ends with its process.
    for row in training.rows:
        if warning := folder.append(row):
            yield Notice(warning, is_warning=True)


# --- extending a run ---


def _check_extendable(saved: SavedRun, epochs: int) -> None:
    folder, outcome = saved.folder, saved.end and saved.end.get("outcome")
    reference.check_has_weights(folder)
    if saved.can_resume and is_running(folder):
        raise RunError(f"{folder}: this run is being trained; extend it when it has completed")
    if saved.can_resume:
        raise RunError(f"{folder}: this run is not done; `mnist-tui resume {folder}` completes it")
    if outcome != "completed":
        raise RunError(
            f"{folder}: this run has {clean_line(str(outcome), 60)}, so it cannot be extended; train it anew"
        )
    if epochs < 1:
        raise SpecError(f"{epochs} epochs more: must be at least 1", ("train", "epochs"))
    _check_schedule(saved.spec)


def _check_schedule(spec: RunSpec) -> None:
    """Raises `SpecError` where a call of the recipe depends on the number of epochs."""
    advice = f"made for {spec.train.epochs} epochs; train a new run with more epochs instead"
    scheduler = spec.train.scheduler
    if scheduler and (names_in(scheduler) & set(RECIPE_NAMES) or "OneCycleLR" in str(scheduler)):
        raise SpecError(f"train.scheduler: {clean_line(str(scheduler), 100)} is {advice}", ("train", "scheduler"))
    for name in ("optimizer", "loss", "average", "augment"):
        if "epochs" in names_in(getattr(spec.train, name)):
            raise SpecError(f"train.{name}: uses `epochs`, so it is {advice}", ("train", name))


def _restore_end(training: Training, saved: SavedRun) -> bytes:
    """Restores the checkpoint of a completed run's end, and returns its content."""
    path, content = next(readable_checkpoints(saved.folder), (saved.folder, b""))
    if not content:
        raise StorageError(f"{saved.folder}: no checkpoint can be read; train a new run with more epochs instead")
    try:
        checkpoint.restore(training, content)
    except CheckpointError as error:
        raise StorageError(f"{path}: {error}; train a new run with more epochs instead") from None
    epochs = saved.end and saved.end.get("epochs")
    if training.steps_done or not training.rows or len(training.rows) != epochs:
        raise StorageError(f"{path}: is not from the run's end, whose checkpoint is gone; train a new run instead")
    return content


def _extend_spec(training: Training, epochs: int) -> RunSpec:
    """The spec with this many epochs more than are done, without the stopping rules that are already met."""
    train, rows = training.spec.train, training.rows
    settings = {"epochs": str(len(rows) + epochs)}
    last, best = rows[-1], best_of(rows)
    if train.stop_at_accuracy is not None and last.accuracy_to_choose_by >= train.stop_at_accuracy:
        settings["stop_at_accuracy"] = "None"
    if train.patience is not None and best and last.epoch - best.epoch >= train.patience:
        settings["patience"] = "None"
    return training.spec.with_settings(settings)


def _report_dropped_rules(spec: RunSpec, extended: RunSpec) -> Iterator[Notice]:
    for name in ("patience", "stop_at_accuracy"):
        value = getattr(spec.train, name)
        if value is not None and getattr(extended.train, name) is None:
            yield Notice(f"{name}={value} ended the run; the extension ignores it")


def _copy_to_new_folder(
    training: Training, saved: SavedRun, end_content: bytes, spec: RunSpec, folder: RunFolder
) -> Iterator[Notice]:
    """Writes predictions, checkpoints and history of the old run into the new folder, and continues from its end."""
    best = best_of(training.rows)
    try:
        folder.copy_predictions(saved.folder)
    except StorageError as error:
        yield Notice(f"{error}; there are no predictions until an epoch is better", is_warning=True)
    if best and best is not training.rows[-1]:
        content = read_checkpoint(saved.folder, best.epoch * training.steps_per_epoch)
        try:
            _rewrite_checkpoint(training, content or b"", spec, folder)
        except CheckpointError:
            yield Notice(
                f"{saved.folder}: the weights of epoch {best.epoch}, its best, cannot be read", is_warning=True
            )
    _rewrite_checkpoint(training, end_content, spec, folder)
    training.spec = spec
    folder.save_rate_changes(training.rate_changes)
    for row in training.rows:
        folder.append(row)


def _rewrite_checkpoint(training: Training, content: bytes, spec: RunSpec, folder: RunFolder) -> None:
    """Restores a checkpoint and saves it as one of the extended spec."""
    original_spec = training.spec
    checkpoint.restore(training, content)
    try:
        training.spec = spec
        save_checkpoint(training, folder)
    finally:
        training.spec = original_spec
