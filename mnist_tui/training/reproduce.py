"""Training a saved run again from its seed, to see whether it comes out as before.

It is trained as it was begun: on its data, its device and its threads where the options name no others, with the
changes of its learning rate that were made by hand. On the same processor and versions a CPU gives the same bits.
"""

from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path

import torch

from mnist_tui.errors import CheckpointError, DeviceError, FileError
from mnist_tui.files import read_bytes
from mnist_tui.runs import annotations
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Event, Notice, RunEnded, RunStarted
from mnist_tui.runs.history import read_rate_changes
from mnist_tui.runs.reader import read_files
from mnist_tui.runs.reproduction import (
    TAG,
    Comparison,
    EpochCompared,
    Reproduced,
    WeightsCompared,
    changed_around,
    changed_words,
    check_reproducible,
    read_resumes,
)
from mnist_tui.runs.storage import MAX_CHECKPOINT, RunFolder, SavedRun, checkpoints, readable_checkpoints
from mnist_tui.spec.run_options import Options
from mnist_tui.text import clean_line
from mnist_tui.training import checkpoint, environment
from mnist_tui.training.resume import loading_same_dataset, recorded_threads
from mnist_tui.training.session import make_training, provenance, train_in_folder

Events = Generator[Event | EpochCompared | Reproduced, None, None]


def reproduce(saved: SavedRun, options: Options, control: Control, to_the_end: bool = False) -> Events:
    """Trains a saved run again in a new folder of `options.runs_dir`, as far as it went, and compares every epoch.

    The events of the new run, an `EpochCompared` behind each of its epochs, and `Reproduced` last, unless it fails. It
    is stopped at the first difference, unless `to_the_end`. Raises as `check_reproducible`, `DataError` where the data
    is not the run's, and `DeviceError` where its device is not here and the options name no other.
    """
    check_reproducible(saved)
    comparison = Comparison(saved)
    folder = Path()
    for event in _train_again(saved, options, control):
        if isinstance(event, RunStarted):
            folder = Path(event.folder)
            annotations.write_tags(folder, [TAG])
        yield event
        if isinstance(event, EpochEnded):
            yield comparison.add(event)
            if comparison.is_over or (comparison.differences and not to_the_end):
                control.stop()
        elif isinstance(event, RunEnded) and event.outcome != "failed":
            comparison.end(event)
            is_same = comparison.is_complete and not comparison.differences
            weights = _compare_weights(saved.folder, folder) if is_same else None
            yield comparison.result(weights, read_files(folder).record)


def _train_again(saved: SavedRun, options: Options, control: Control) -> Iterator[Event]:
    device = _recorded_device(saved) if options.device == "auto" else environment.resolve_device(options.device)
    torch.set_num_threads(options.threads or recorded_threads(saved))
    dataset = yield from loading_same_dataset(saved, options, control)
    if dataset is None:
        return
    training = make_training(saved.spec, dataset, device, options.fuse)
    changes = read_rate_changes(saved.folder)
    training.replayed_rates = {(change.epoch, change.step): change.learning_rate for change in changes}
    with closing(training.batches):
        record = provenance(training, dataset, options) | {"reproduces": saved.folder.name}
        folder = RunFolder.create(options.runs_dir, saved.spec, record)
        yield from map(Notice, _remarks(saved, len(changes)))
        yield from train_in_folder(training, folder, dataset, control)


def _recorded_device(saved: SavedRun) -> torch.device:
    """The device that a run was trained on; raises `DeviceError` where this machine does not have it."""
    name = str(saved.record.get("device"))
    try:
        return environment.resolve_device(name)
    except DeviceError as error:
        why = error.why or "is unknown here"
        raise DeviceError(
            f"{saved.folder}: was trained on {clean_line(name, 40)}: {why}; --device cpu trains it on another device"
        ) from None


def _remarks(saved: SavedRun, rate_changes: int) -> Iterator[str]:
    """What is special about the saved run, a sentence each."""
    if resumes := read_resumes(saved.folder):
        differing = "".join(
            f", with {changed_words(around)}" for each in resumes if (around := changed_around(saved.record, each))
        )
        yield f"the run was resumed {_times(len(resumes))}{differing}; it is trained again in one go"
    if extended := saved.record.get("extends"):
        yield f"the run extends {clean_line(str(extended), 100)}; all of its epochs are trained again, from its seed"
    if saved.record.get("stacked"):
        yield "the run was trained as one network with other seeds; alone, its numbers are rounded differently"
    if rate_changes:
        yield f"its learning rate was changed by hand {_times(rate_changes)}; it is changed again at the same steps"
    if saved.can_resume:
        state = (saved.end or {}).get("outcome", "interrupted")
        epochs = f"{len(saved.rows)} of {saved.spec.train.epochs} epochs"
        yield f"the run was not completed ({state}): its {epochs} are trained again"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _compare_weights(stored: Path, computed: Path) -> WeightsCompared | None:
    """Compares the weights in the newest checkpoint that two runs have; None where there is none that can be read."""
    names = {path.name for path in checkpoints(computed)}
    for path, content in readable_checkpoints(stored):
        if path.name in names:
            with suppress(CheckpointError, FileError):
                other = read_bytes(computed / path.name, MAX_CHECKPOINT)
                step = int(path.stem.removeprefix("ckpt-"))
                return WeightsCompared(step, checkpoint.weights_sha256(content), checkpoint.weights_sha256(other))
    return None
