"""A run from end to end: data, network, training, and the folder that is written as it goes.

`for event in run(spec, options, control)` is the whole interface; dashboard, command line and tests loop over it.
Errors before the folder exists are raised (`SpecError`, `DataError`, `DeviceError`, `StorageError`); an error after
that ends the run, and is reported by its last event, `RunEnded`.
"""

import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import torch

from mnist_tui.errors import LockedError, SpecError
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
from mnist_tui.runs.storage import RunFolder
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.training import build, checkpoint, environment
from mnist_tui.training.data import Dataset, loading, split_for
from mnist_tui.training.loop import run_ended, train
from mnist_tui.training.state import Splits, Training

CHECKPOINT_SECONDS = 60.0
"""Time between two checkpoints inside a long epoch; at the end of an epoch there is always one."""


def run(spec: RunSpec, options: Options, control: Control) -> Generator[Event, None, None]:
    """Trains a spec in a new run folder, on the data set of the options; `control` may stop it after any step.

    Where it stops the download of the data set, there is no run.
    """
    spec = spec.for_dataset(options.dataset)
    device = environment.resolve_device(options.device)
    torch.set_num_threads(options.threads or environment.default_threads())
    dataset = yield from loading(options.dataset, options.data_dir, spec.data, control)
    if dataset is None:
        return
    training = make_training(spec, dataset, device, options.fuse)
    with closing(training.batches):
        yield from warn_of_slow_transforms(training)
        folder = RunFolder.create(options.runs_dir, spec, provenance(training, dataset, options))
        yield from train_in_folder(training, folder, dataset, control)


def check(spec: RunSpec) -> None:
    """Raises `SpecError` where PyTorch refuses the recipe, before anything is loaded or written."""
    if not spec.parameters:
        raise SpecError(f"{spec.name}: no layer has weights, so there is nothing to train", ("layers",))
    weight = torch.nn.Parameter(torch.zeros(1))
    build.scheduler(spec, build.optimizer(spec, [weight]), spec.train_images)
    build.augmentation(spec)


# --- shared with resume.py ---


def make_training(spec: RunSpec, dataset: Dataset, device: torch.device, fuse: bool) -> Training:
    """The training of a spec on a data set, before its first step."""
    train_images, val_images = split_for(spec, dataset)
    val_images = val_images and val_images.to(device)
    splits = Splits(train_images.to(device), val_images, dataset.test.to(device), spec.is_judged_on(dataset.name))
    return Training(spec, splits, fuse)


def provenance(training: Training, dataset: Dataset, options: Options) -> dict[str, Any]:
    """What run.json holds beside the spec: data, device, versions, command."""
    spec, splits, device = training.spec, training.splits, training.step.device
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
        "processor": environment.processor(),
        "threads": torch.get_num_threads(),
        "fused": training.is_fused,
        "versions": environment.versions(),
        "git": environment.git(),
        "command": list(options.command),
        **({} if options.sweep is None else {"sweep": dict(options.sweep)}),
    }


def train_in_folder(training: Training, folder: RunFolder, dataset: Dataset, control: Control) -> Iterator[Event]:
    """Trains to the end and writes the run folder; an event is yielded once the folder holds what it reports."""
    started = time.perf_counter()
    writer = RunWriter(training, folder, dataset)
    control.consume_learning_rate()  # A request that came too late for the run before.
    try:
        yield writer.run_started()
        if not folder.has_system_lock:
            yield Notice(f"{folder.folder}: its file system has no locks; run.lock tells other processes who trains")
        control.source = partial(writer.poll_requests, control)
        for event in train(training, control):
            if isinstance(event, Progress):
                control.poll()
            yield from writer.write(event)
    except Exception as error:
        yield writer.fail(error, traceback.format_exc(), time.perf_counter() - started)
    finally:
        folder.close()


def save_checkpoint(training: Training, folder: RunFolder) -> None:
    """Writes a checkpoint of the current step."""
    best = best_of(training.rows)
    steps = (training.epoch - 1) * training.steps_per_epoch + training.steps_done
    best_steps = best.epoch * training.steps_per_epoch if best else None
    folder.save_checkpoint(checkpoint.dump(training), steps, best_steps)


# --- a run and its folder ---


def warn_of_slow_transforms(training: Training) -> Iterator[Notice]:
    """A notice where transforms of the recipe run image by image."""
    if training.augmentation is not None and training.augmentation.slow:
        names = ", ".join(training.augmentation.slow)
        yield Notice(f"{names}: augmented image by image, which is much slower than the batched transforms")


class RunWriter:
    """Writes the run folder of a training as its events happen."""

    def __init__(self, training: Training, folder: RunFolder, dataset: Dataset) -> None:
        self.training = training
        self.folder = folder
        self.dataset = dataset
        self._saved_at = time.monotonic()

    def run_started(self) -> RunStarted:
        """The first event of the run."""
        spec, splits = self.training.spec, self.training.splits
        return RunStarted(
            run=self.folder.folder.name,
            folder=str(self.folder.folder),
            name=spec.name,
            seed=spec.train.seed,
            parameters=spec.parameters,
            epochs=spec.train.epochs,
            steps_per_epoch=self.training.steps_per_epoch,
            train_images=len(splits.train),
            val_images=len(splits.val) if splits.val else 0,
            test_images=len(splits.test),
            dataset=self.dataset.name,
            device=str(self.training.step.device),
            threads=torch.get_num_threads(),
            epochs_done=len(self.training.rows),
            steps_done=self.training.steps_done,
        )

    def write(self, event: Event) -> list[Event]:
        """Writes what an event reports; the event, behind a notice where something is odd."""
        events = [event]
        if isinstance(event, EpochEnded):
            if warning := self._save_epoch(event):
                events.insert(0, Notice(warning, is_warning=True))
            self._saved_at = time.monotonic()
        elif isinstance(event, LearningRateChanged):
            save_checkpoint(self.training, self.folder)
            self.folder.save_rate_changes(self.training.rate_changes)
        elif isinstance(event, Paused | Unpaused):
            self.folder.report(event)
        elif isinstance(event, Progress):
            self.folder.report(event)
            is_last = event.step == event.steps_per_epoch  # The epoch's own checkpoint follows, under the same name.
            if time.monotonic() - self._saved_at >= CHECKPOINT_SECONDS and not is_last:
                save_checkpoint(self.training, self.folder)
                self._saved_at = time.monotonic()
        elif isinstance(event, RunEnded):
            if event.outcome == "stopped":
                save_checkpoint(self.training, self.folder)
            self._write_end(event)
        return events

    def poll_requests(self, control: Control) -> None:
        """Passes on to `control` what other processes request through the run folder."""
        for line in self.folder.requests.dispatch(control):
            self.folder.log(f"not a request: {line[:200]}")

    def fail(self, error: Exception, details: str, seconds: float) -> RunEnded:
        """Marks the run as failed, its last event; where that cannot be written the run counts as interrupted."""
        self.folder.log(details)
        ended = run_ended(self.training, "failed", _failure_message(error, self.folder), seconds)
        ended = replace(ended, is_out_of_memory=_is_out_of_memory(error))
        try:
            self._write_end(ended)
        except (OSError, LockedError) as write_error:
            self.folder.log(f"cannot write end.json: {write_error}")
        return ended

    def _write_end(self, ended: RunEnded) -> None:
        notes = ended_notes(self.training.spec, ended, self.dataset.name, self.training.rate_changes)
        self.folder.end(ended, notes)

    def _save_epoch(self, row: EpochEnded) -> str | None:
        """Writes predictions, checkpoint and history row, in this order.

        Returns a warning where the row differs from one that is stored already.
        """
        evaluation = self.training.best_evaluation
        if evaluation is not None and best_of(self.training.rows) is row:
            labels = self.training.splits.test.labels
            self.folder.save_predictions(
                row.epoch, labels, evaluation.predictions, evaluation.probabilities, evaluation.log_probs
            )
        save_checkpoint(self.training, self.folder)
        return self.folder.append(row)


def _failure_message(error: BaseException, folder: RunFolder) -> str:
    """One sentence: what failed and what to do."""
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"cannot write the run: {reason}; then resume it with: mnist-tui resume {folder.folder}"
    text = str(error)
    if isinstance(error, LockedError):
        return text
    if _is_out_of_memory(error):
        return "out of memory; try a smaller train.batch_size or train.eval_batch_size, or a smaller network"
    return f"{type(error).__name__}: {clean_line(text, 200)}; the traceback is in {folder.folder}/run.log"


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was short; of the machine's, and of some GPU libraries', PyTorch says so only in words."""
    text = str(error)
    is_of_pytorch = isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    return isinstance(error, MemoryError) or is_of_pytorch
