"""Seeds of one recipe from end to end: trained as one network, each in a run folder of its own."""

import time
import traceback
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial

import torch

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Event, Progress, RunEnded
from mnist_tui.runs.storage import RunFolder
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import environment
from mnist_tui.training.data import Dataset, LoadEvents, loading
from mnist_tui.training.loop import Moment, train_together
from mnist_tui.training.session import RunWriter, make_training, provenance, warn_of_slow_transforms
from mnist_tui.training.stacked.stack import Stack
from mnist_tui.training.state import Training

Events = Generator[tuple[int, Event], None, None]


def run(specs: Sequence[RunSpec], options: Options, control: Control) -> Events:
    """Trains specs that differ in the seed only, each in a new run folder; the events of all, with their spec's index.

    `control` is that of all: they pause and end after the same step. The folders are those of `session.run`, so each
    run can be resumed alone. Raises as `session.run`; `fit.why_not` must be None.
    """
    specs = [spec.for_dataset(options.dataset) for spec in specs]
    device = environment.resolve_device(options.device)
    torch.set_num_threads(options.threads or environment.default_threads())
    load_events = LoadEvents(loading(options.dataset, options.data_dir, specs[0].data, control))
    yield from ((0, event) for event in load_events)
    dataset = load_events.dataset
    if dataset is None:
        return
    stack = Stack(make_trainings(specs, dataset, device, options.fuse))
    with closing(stack):
        yield from ((0, notice) for notice in warn_of_slow_transforms(stack.trainings[0]))
        yield from _train_in_folders(stack, _make_writers(stack.trainings, dataset, options), control)


def make_trainings(specs: Sequence[RunSpec], dataset: Dataset, device: torch.device, fuse: bool) -> list[Training]:
    """A training for each spec before its first step, with generators of its own, in the state a single run's have."""
    on_device = replace(dataset, train=dataset.train.to(device), test=dataset.test.to(device))
    trainings = []
    for spec in specs:
        training = make_training(spec, on_device, device, fuse)
        training.generators = {kind: _copy(generator) for kind, generator in training.generators.items()}
        trainings.append(training)
    return trainings


def _copy(generator: torch.Generator) -> torch.Generator:
    copied = torch.Generator(generator.device)
    copied.set_state(generator.get_state())
    return copied


def _make_writers(trainings: Sequence[Training], dataset: Dataset, options: Options) -> list[RunWriter]:
    """A writer for each training, into a new run folder."""
    record = provenance(trainings[0], dataset, options) | {"stacked": len(trainings)}
    writers: list[RunWriter] = []
    try:
        for training in trainings:
            own_record = record | {"seed": training.spec.train.seed}
            folder = RunFolder.create(options.runs_dir, training.spec, own_record)
            writers.append(RunWriter(training, folder, dataset))
    except BaseException:
        for writer in writers:
            writer.folder.close()
        raise
    return writers


def _train_in_folders(stack: Stack, writers: Sequence[RunWriter], control: Control) -> Iterator[tuple[int, Event]]:
    """Trains to the end and writes the run folders; an event is yielded once its folder holds what it reports."""
    started = time.perf_counter()
    indexes = {writer.training: index for index, writer in enumerate(writers)}
    running = set(indexes)
    control.consume_learning_rate()  # A request that came too late for the run before.
    try:
        yield from ((index, writer.run_started()) for index, writer in enumerate(writers))
        control.source = partial(_poll_requests, writers, control)
        with ThreadPoolExecutor(environment.cores(), "folders") as pool:
            for moment in train_together(stack, control):
                if any(isinstance(event, Progress) for _, event in moment):
                    control.poll()
                for training, event in _write(moment, indexes, writers, pool):
                    if isinstance(event, RunEnded):
                        running.discard(training)
                    yield indexes[training], event
    except Exception as error:
        details, seconds = traceback.format_exc(), time.perf_counter() - started
        for training in sorted(running, key=indexes.__getitem__):
            yield indexes[training], writers[indexes[training]].fail(error, details, seconds)
    finally:
        for writer in writers:
            writer.folder.close()


def _write(
    moment: Moment, indexes: dict[Training, int], writers: Sequence[RunWriter], pool: ThreadPoolExecutor
) -> Iterator[tuple[Training, Event]]:
    """Writes what has happened to each training, epochs in threads, since each waits for the disk; the events then."""
    in_threads = any(isinstance(event, EpochEnded) for _, event in moment)
    tasks = [(training, partial(writers[indexes[training]].write, event)) for training, event in moment]
    results = pool.map(lambda task: task[1](), tasks) if in_threads else (task() for _, task in tasks)
    for (training, _), events in zip(tasks, results, strict=True):
        yield from ((training, event) for event in events)


def _poll_requests(writers: Sequence[RunWriter], control: Control) -> None:
    """Passes on to `control` what other processes request through any of the run folders."""
    for writer in writers:
        writer.poll_requests(control)
