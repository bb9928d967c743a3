"""A run from end to end: data, network, training, and the folder that is written as it goes.

`for event in run(spec, options, control)` is the whole interface; dashboard, command line and tests loop over it.
What is wrong before the folder exists is raised (`SpecError`, `DataError`, `DeviceError`, `StorageError`); what goes
wrong afterwards is the last event, `RunEnded`.
"""

import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import torch

from mnist_tui.errors import CheckpointError, DataError, DeviceError, RunError, SpecError, StorageError
from mnist_tui.runs.annotations import ended_notes
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import (
    EpochEnded,
    Event,
    LearningRateChanged,
    Notice,
    Paused,
    Progress,
    RunEnded,
    RunStarted,
    Unpaused,
    best_of,
)
from mnist_tui.runs.lock import is_running
from mnist_tui.runs.storage import RunFolder, SavedRun, read_checkpoint, readable_checkpoints
from mnist_tui.spec.calls import names_in
from mnist_tui.spec.run_options import Choice, Options
from mnist_tui.spec.run_spec import RECIPE_NAMES, TRAIN_IMAGES, RunSpec
from mnist_tui.text import clean_line
from mnist_tui.training import build, checkpoint, environment
from mnist_tui.training.data import Dataset, Images, download_notice, load, split
from mnist_tui.training.loop import Splits, Training, run_ended, time_steps, train

TEST_IMAGES = 10_000

CHECKPOINT_SECONDS = 60.0
"""Between two checkpoints inside a long epoch; the end of every epoch has one anyway."""


def run(spec: RunSpec, options: Options, control: Control) -> Generator[Event, None, None]:
    """Trains a spec in a new run folder; set `control` to end it after the step under way."""
    notices: list[Notice] = []
    device = environment.resolve_device(options.device)
    torch.set_num_threads(options.threads or environment.default_threads())
    if notice := download_notice(options.dataset, options.data_dir):
        yield notice
    dataset = load(options.dataset, options.data_dir, notices.append)
    yield from notices
    training = _training(spec, dataset, device)
    with closing(training.batches):
        yield from _remarks(training)
        folder = RunFolder.create(options.runs_dir, spec, _record(spec, training, dataset, options))
        yield from _trained(training, folder, dataset, control)


def resume(saved: SavedRun, options: Options, control: Control) -> Generator[Event, None, None]:
    """Goes on with an interrupted or stopped run; bit for bit on the same CPU, torch and threads.

    Raises `RunError` for a run that is done, and `DataError` where the data is not the run's.
    """
    if not saved.can_resume:
        outcome = saved.end and saved.end.get("outcome")
        raise RunError(f"{saved.folder}: this run has {outcome}; there is nothing to resume")
    training, dataset = _training_again(saved, options)
    with closing(training.batches):
        folder = RunFolder(saved.folder)
        with _closed_on_failure(folder):
            yield from _restored(training, folder)
            record = _record(saved.spec, training, dataset, options)
            yield from _changed_world(saved, record)
            yield from _begun_again(training, folder, record)
        yield from _trained(training, folder, dataset, control)


def extend(saved: SavedRun, epochs: int, options: Options, control: Control) -> Generator[Event, None, None]:
    """Goes on with a completed run for so many more epochs, in a new run folder; the old one stays as it is.

    The new run is the one that more epochs would have made from the start, bit for bit on the same CPU, torch and
    threads. Raises `RunError` for a run that is not completed, `StorageError` where its last checkpoint cannot be read,
    `SpecError` for a recipe that is made for its number of epochs, and `DataError` where the data is not the run's.
    """
    _check_extendable(saved, epochs)
    training, dataset = _training_again(saved, options)
    with closing(training.batches):
        end = _at_its_end(training, saved)
        spec = _longer(training, epochs)
        record = _record(spec, training, dataset, options) | {"extends": saved.folder.name}
        folder = RunFolder.create(options.runs_dir, spec, record)
        with _closed_on_failure(folder):
            yield from _changed_world(saved, record)
            yield from _dropped_rules(training.spec, spec)
            yield from _taken_over(training, saved, end, spec, folder)
        yield from _trained(training, folder, dataset, control)


def check(spec: RunSpec) -> None:
    """Raises `SpecError` for what only PyTorch can tell of a recipe, before anything is loaded or written."""
    if not spec.parameters:
        raise SpecError(f"{spec.name}: no layer has weights, so there is nothing to train", ("layers",))
    weight = torch.nn.Parameter(torch.zeros(1))
    build.scheduler(spec, build.optimizer(spec, [weight]), spec.train_images)
    build.augmentation(spec)


def expected_cost(spec: RunSpec, options: Options) -> dict[str, Any]:
    """Steps and expected seconds of a run on MNIST, from a few steps on random images; nothing is kept."""
    device = environment.resolve_device(options.device)
    torch.set_num_threads(options.threads or environment.default_threads())
    steps = 20
    count = min(TRAIN_IMAGES, steps * spec.train.batch_size)
    pixels = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8)
    images = Images(pixels, torch.randint(0, 10, (count,))).to(device)
    training = Training(spec, Splits(images, None, images))
    per_step, per_image = time_steps(training)
    evaluated = spec.train.validation_images + TEST_IMAGES
    per_epoch = per_step * spec.steps_per_epoch() + per_image * evaluated
    return {
        "steps_per_epoch": spec.steps_per_epoch(),
        "steps": spec.steps_per_epoch() * spec.train.epochs,
        "seconds_per_epoch": round(per_epoch, 3),
        "seconds": round(per_epoch * spec.train.epochs, 3),
        "device": str(device),
        "threads": torch.get_num_threads(),
    }


def _training_again(saved: SavedRun, options: Options) -> tuple[Training, Dataset]:
    """The training of a saved run before its first step, where it was trained unless `options` say otherwise."""
    device = _recorded_device(saved) if options.device == "auto" else environment.resolve_device(options.device)
    torch.set_num_threads(options.threads or _recorded_threads(saved))
    dataset = _same_dataset(saved, options)
    return _training(saved.spec, dataset, device), dataset


def _training(spec: RunSpec, dataset: Dataset, device: torch.device) -> Training:
    """The training of a spec on a data set; a smaller data set gives up the same share for validation."""
    share = spec.train.validation_images / TRAIN_IMAGES
    wanted = min(round(share * len(dataset.train)), len(dataset.train) - 1)
    train_images, val_images = split(dataset.train, wanted, spec.train.seed)
    val_images = val_images and val_images.to(device)
    is_mnist = dataset.name == "mnist"
    return Training(spec, Splits(train_images.to(device), val_images, dataset.test.to(device), is_mnist))


def _remarks(training: Training) -> Iterator[Notice]:
    if training.augmentation is not None and training.augmentation.slow:
        names = ", ".join(training.augmentation.slow)
        yield Notice(f"{names}: augmented image by image, which is much slower than the batched transforms")


def _record(spec: RunSpec, training: Training, dataset: Dataset, options: Options) -> dict[str, Any]:
    """What run.json says of the world, beside the spec."""
    splits, device = training.splits, training.step.device
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": spec.name,
        "seed": spec.train.seed,
        "parameters": spec.parameters,
        "dataset": {
            "name": dataset.name,
            "origin": dataset.origin,
            "sha256": dataset.sha256,
            "train_images": len(splits.train),
            "val_images": len(splits.val) if splits.val else 0,
            "test_images": len(splits.test),
        },
        "device": str(device),
        "device_name": environment.device_name(device),
        "threads": torch.get_num_threads(),
        "versions": environment.versions(),
        "git": environment.git(),
        "command": list(options.command),
    }


def _trained(training: Training, folder: RunFolder, dataset: Dataset, control: Control) -> Iterator[Event]:
    """The events of a training whose folder is written before each is passed on."""
    started = time.perf_counter()
    control.consume_learning_rate()  # What was asked too late for the run before.
    try:
        yield _run_started(training, folder, dataset)
        yield from _written(training, folder, dataset, control)
    except Exception as error:
        folder.log(traceback.format_exc())
        ended = run_ended(training, "failed", _what_failed(error, folder), time.perf_counter() - started)
        _end(folder, training, dataset, ended)
        yield ended
    finally:
        folder.close()


def _run_started(training: Training, folder: RunFolder, dataset: Dataset) -> RunStarted:
    spec, splits = training.spec, training.splits
    return RunStarted(
        run=folder.folder.name,
        folder=str(folder.folder),
        name=spec.name,
        seed=spec.train.seed,
        parameters=spec.parameters,
        epochs=spec.train.epochs,
        steps_per_epoch=training.steps_per_epoch,
        train_images=len(splits.train),
        val_images=len(splits.val) if splits.val else 0,
        test_images=len(splits.test),
        dataset=dataset.name,
        device=str(training.step.device),
        threads=torch.get_num_threads(),
        epochs_done=len(training.rows),
        steps_done=training.steps_done,
    )


def _written(training: Training, folder: RunFolder, dataset: Dataset, control: Control) -> Iterator[Event]:
    saved_at = time.monotonic()
    control.source = partial(_poll_requests, folder, control)
    for event in train(training, control):
        if isinstance(event, EpochEnded):
            if note := _save_epoch(training, folder, event):
                yield Notice(note, is_warning=True)
            saved_at = time.monotonic()
        elif isinstance(event, LearningRateChanged):
            _save(training, folder)
            folder.save_steering(training.steered)
        elif isinstance(event, Paused | Unpaused):
            folder.report(event)
        elif isinstance(event, Progress):
            control.poll()
            folder.report(event)
            is_last = event.step == event.steps_per_epoch  # The epoch's own checkpoint follows, under the same name.
            if time.monotonic() - saved_at >= CHECKPOINT_SECONDS and not is_last:
                _save(training, folder)
                saved_at = time.monotonic()
        elif isinstance(event, RunEnded):
            if event.outcome == "stopped":
                _save(training, folder)
            folder.end(event, ended_notes(training.spec, event, dataset.name, training.steered))
        yield event


def _poll_requests(folder: RunFolder, control: Control) -> None:
    """Does what other processes ask of this run, through its folder."""
    for line in folder.requests.dispatch(control):
        folder.log(f"not a request: {line[:200]}")


def _save_epoch(training: Training, folder: RunFolder, row: EpochEnded) -> str | None:
    """Predictions, checkpoint, history row, in this order; a sentence where the row differs from a stored one."""
    answers = training.best_evaluation
    if answers is not None and best_of(training.rows) is row:
        folder.save_predictions(row.epoch, training.splits.test.labels, answers.predictions, answers.probabilities)
    _save(training, folder)
    return folder.append(row)


def _save(training: Training, folder: RunFolder) -> None:
    best = best_of(training.rows)
    steps = (training.epoch - 1) * training.steps_per_epoch + training.steps_done
    best_steps = best.epoch * training.steps_per_epoch if best else None
    folder.save_checkpoint(checkpoint.dump(training), steps, best_steps)


def _restored(training: Training, folder: RunFolder) -> Iterator[Notice]:
    """Brings the training to its newest checkpoint that is whole; without one it begins anew, from its seed."""
    for path, content in readable_checkpoints(folder.folder):
        try:
            checkpoint.restore(training, content)
            return
        except CheckpointError as error:
            path.rename(path.with_suffix(".damaged"))
            yield Notice(f"{path.name} {error}; going back to the one before", is_warning=True)
    yield Notice("no checkpoint yet: the run begins again from its seed")


def _begun_again(training: Training, folder: RunFolder, record: dict[str, Any]) -> Iterator[Notice]:
    """Brings the folder to where its checkpoint stands: a crash may have come between two files."""
    folder.begin_again(record)
    folder.save_steering(training.steered)
    if training.steps_done or training.rows:
        folder.report(Unpaused(training.epoch, training.steps_done))  # A pause ends with the process that paused.
    for row in training.rows:
        if note := folder.append(row):
            yield Notice(note, is_warning=True)


# --- extending a run ---


def _check_extendable(saved: SavedRun, epochs: int) -> None:
    folder, outcome = saved.folder, saved.end and saved.end.get("outcome")
    if saved.can_resume and is_running(folder):
        raise RunError(f"{folder}: this run is being trained; extend it when it has completed")
    if saved.can_resume:
        raise RunError(f"{folder}: this run is not done; `mnist-tui resume {folder}` goes on with it")
    if outcome != "completed":
        what = clean_line(str(outcome), 60)
        raise RunError(f"{folder}: this run has {what}, so it has no end to go on from; train it anew")
    if epochs < 1:
        raise SpecError(f"{epochs} epochs more: must be at least 1", ("train", "epochs"))
    _check_schedule(saved.spec)


def _check_schedule(spec: RunSpec) -> None:
    """Raises `SpecError` where the recipe's calls are made for the number of epochs that it has."""
    advice = f"made for {spec.train.epochs} epochs; train a new run with more epochs instead"
    scheduler = spec.train.scheduler
    if scheduler and (names_in(scheduler) & set(RECIPE_NAMES) or "OneCycleLR" in str(scheduler)):
        raise SpecError(f"train.scheduler: {clean_line(str(scheduler), 100)} is {advice}", ("train", "scheduler"))
    for name in ("optimizer", "loss", "augment"):
        if "epochs" in names_in(getattr(spec.train, name)):
            raise SpecError(f"train.{name}: uses `epochs`, so it is {advice}", ("train", name))


def _at_its_end(training: Training, saved: SavedRun) -> bytes:
    """Brings the training to the end of a completed run; the checkpoint that it comes from."""
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


def _longer(training: Training, epochs: int) -> RunSpec:
    """The spec with so many epochs more than are done, without the rules that would end it before the first."""
    train, rows = training.spec.train, training.rows
    settings = {"epochs": str(len(rows) + epochs)}
    last, best = rows[-1], best_of(rows)
    if train.stop_at_accuracy is not None and last.accuracy_to_choose_by >= train.stop_at_accuracy:
        settings["stop_at_accuracy"] = "None"
    if train.patience is not None and best and last.epoch - best.epoch >= train.patience:
        settings["patience"] = "None"
    return training.spec.with_settings(settings)


def _dropped_rules(before: RunSpec, after: RunSpec) -> Iterator[Notice]:
    for name in ("patience", "stop_at_accuracy"):
        value = getattr(before.train, name)
        if value is not None and getattr(after.train, name) is None:
            yield Notice(f"{name}={value} ended the run; the extension goes on without it")


def _taken_over(training: Training, saved: SavedRun, end: bytes, spec: RunSpec, folder: RunFolder) -> Iterator[Notice]:
    """Fills a new folder with what the old run came to, and brings the training there, under the longer spec."""
    best = best_of(training.rows)
    try:
        folder.copy_predictions(saved.folder)
    except StorageError as error:
        yield Notice(f"{error}; there are no predictions until an epoch is better", is_warning=True)
    if best and best is not training.rows[-1]:
        content = read_checkpoint(saved.folder, best.epoch * training.steps_per_epoch)
        try:
            _rewrite(training, content or b"", spec, folder)
        except CheckpointError:
            yield Notice(
                f"{saved.folder}: the weights of epoch {best.epoch}, its best, cannot be read", is_warning=True
            )
    _rewrite(training, end, spec, folder)
    training.spec = spec
    folder.save_steering(training.steered)
    for row in training.rows:
        folder.append(row)


def _rewrite(training: Training, content: bytes, spec: RunSpec, folder: RunFolder) -> None:
    """Brings the training to a checkpoint of its own, and saves it as one of the longer spec."""
    before = training.spec
    checkpoint.restore(training, content)
    try:
        training.spec = spec
        _save(training, folder)
    finally:
        training.spec = before


# --- the world again ---


def _same_dataset(saved: SavedRun, options: Options) -> Dataset:
    recorded = saved.record.get("dataset", {})
    choice: Choice = "digits" if recorded.get("name") == "digits" else "mnist"
    dataset = load(choice, options.data_dir)  # Only `auto` has something to say.
    if dataset.sha256 != recorded.get("sha256"):
        raise DataError(f"{saved.folder}: this run was trained on other data (its SHA-256 differs); it cannot go on")
    return dataset


def _recorded_device(saved: SavedRun) -> torch.device:
    """The device the run was begun on; another one, with a warning, where this machine does not have it."""
    try:
        return environment.resolve_device(str(saved.record.get("device", "auto")))
    except DeviceError:
        return environment.resolve_device("auto")


def _recorded_threads(saved: SavedRun) -> int:
    threads = saved.record.get("threads")
    return threads if isinstance(threads, int) and 1 <= threads <= 1024 else environment.default_threads()


@contextmanager
def _closed_on_failure(folder: RunFolder) -> Iterator[None]:
    """Gives the folder back where it could not be filled; what the disk refuses is a `StorageError`."""
    try:
        yield
    except OSError as error:
        folder.close()
        raise StorageError(f"cannot write to {folder.folder}: {error.strerror}") from None
    except BaseException:
        folder.close()
        raise


def _changed_world(saved: SavedRun, record: dict[str, Any]) -> Iterator[Notice]:
    """A warning for everything that keeps the continuation from being bit-exact."""
    pairs = [(name, saved.record.get(name), record[name]) for name in ("device", "threads")]
    old = saved.record.get("versions", {})
    pairs += [(name, old.get(name), record["versions"][name]) for name in ("torch", "torchvision")]
    for name, before, now in pairs:
        if before != now:
            was = clean_line(str(before), 60)
            yield Notice(f"resumed with {name} {now}, begun with {was}: the numbers may differ", is_warning=True)


def _what_failed(error: BaseException, folder: RunFolder) -> str:
    """One sentence: what failed and what to do."""
    if isinstance(error, OSError):
        what = error.strerror or str(error)
        return f"cannot write the run: {what}; then `mnist-tui resume {folder.folder}` goes on"
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return "out of memory; try a smaller train.batch_size or train.eval_batch_size, or a smaller network"
    return f"{type(error).__name__}: {clean_line(text, 200)}; the traceback is in {folder.folder}/run.log"


def _end(folder: RunFolder, training: Training, dataset: Dataset, ended: RunEnded) -> None:
    """Marks a failed run; where even that cannot be written, the run counts as interrupted."""
    try:
        folder.end(ended, ended_notes(training.spec, ended, dataset.name, training.steered))
    except OSError as error:
        folder.log(f"cannot write end.json: {error}")
