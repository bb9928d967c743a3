"""What the thread of the runner trains, as events: seeds of a recipe, an entry of the queue, the points of a sweep."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Event, Notice, RunEnded, RunStarted
from mnist_tui.runs.queue import QueuedDesign, Taken
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import RESUMABLE, Run
from mnist_tui.spec.run_spec import RunSpec

if TYPE_CHECKING:
    from mnist_tui.spec.run_options import Options
    from mnist_tui.sweep.jobs import Message
    from mnist_tui.sweep.plan import Point

OnStarted = Callable[[RunStarted], None]
"""Gets the start of a run as it happens, which may be before its events are shown."""


@dataclass(frozen=True)
class GroupBegan:
    """The runs that follow belong together, and not with those before."""

    title: str
    """What is waited for until the first of them has started."""
    runs: int = 1
    sweep: str = ""
    """How far the sweep is that they belong to: `sweep iter5: 12 of 27 done`; "" for none."""


def _ignore(started: RunStarted) -> None:
    """Does nothing."""


def train_seeds(
    specs: Sequence[RunSpec], options: "Options", control: Control, on_started: OnStarted = _ignore
) -> Iterator[Event]:
    """The events of runs, run by run; they are trained side by side where there are cores and memory."""
    from mnist_tui.training import environment, session  # torch: seconds, and only in the thread of the runner.

    for spec in specs:
        session.check(spec)
    if (jobs := environment.jobs_at_a_time(len(specs), options)) > 1:
        yield from _train_side_by_side(specs, options, control, jobs, on_started)
        return
    for spec in specs:
        for event in session.run(spec, options, control):
            if isinstance(event, RunStarted):
                on_started(event)
            yield event
        if control.should_stop:
            return


def _train_side_by_side(
    specs: Sequence[RunSpec], options: "Options", control: Control, jobs: int, on_started: OnStarted
) -> Iterator[Event]:
    from mnist_tui.sweep import pool
    from mnist_tui.sweep.side_by_side import train_side_by_side

    pool.preload()
    messages = train_side_by_side(specs, options, control, jobs, is_silent=True)
    yield from _run_by_run(messages, on_started)


def _run_by_run(messages: "Iterable[tuple[int, Message]]", on_started: OnStarted = _ignore) -> Iterator[Event]:
    """The events of runs that are trained side by side, one run after the other; an error becomes a notice."""
    from mnist_tui.sweep.in_order import in_order
    from mnist_tui.sweep.jobs import JobEnded

    def announce_starts() -> "Iterator[tuple[int, Message]]":
        for index, message in messages:
            if isinstance(message, RunStarted):
                on_started(message)
            yield index, message

    for message in in_order(announce_starts()):
        if not isinstance(message, JobEnded):
            yield message
        elif message.error:
            yield Notice(message.error, is_warning=True)


def resume_run(folder: Path, options: "Options", control: Control) -> Iterator[Event]:
    """The events of the run in a folder, which is resumed."""
    from mnist_tui.runs import storage
    from mnist_tui.training import resume

    yield from resume.resume(storage.load_run(folder), options, control)


# --- the queue ---


def train_entry(taken: Taken, options: "Options", control: Control) -> Iterator[Event | GroupBegan]:
    """The events of an entry of the queue; raises what no run of it can begin for."""
    if taken.entry.design is not None:
        yield from _train_design(taken, taken.entry.design, options, control)
    else:
        yield from _train_sweep(taken.entry.sweep, options, control)


def _train_design(
    taken: Taken, design: QueuedDesign, options: "Options", control: Control
) -> Iterator[Event | GroupBegan]:
    """Resumes runs that another process has begun and not ended, then trains the seeds that are left."""
    options = replace(options, device=design.device, dataset=design.dataset)
    begun = [run for run in _runs(taken, options.runs_dir) if run.is_run]
    yield GroupBegan(f"from the queue: {taken.entry.name}", design.seeds)
    for run in begun:
        if run.state in RESUMABLE and not control.should_stop:
            yield from resume_run(run.folder, options, control)
    left = [spec for spec in design.specs if spec.train.seed not in {run.seed for run in begun}]
    if left and not control.should_stop:
        yield from train_seeds(left, options, control, lambda started: taken.note_run(started.run))


def _runs(taken: Taken, runs_dir: Path) -> list[Run]:
    return [read_run(runs_dir / name) for name in taken.entry.runs]


def _train_sweep(name: str, options: "Options", control: Control) -> Iterator[Event | GroupBegan]:
    """The events of the points of a sweep, run by run, each a group of its own since their recipes differ."""
    from mnist_tui.sweep import folder, pool
    from mnist_tui.sweep.pool import Pool
    from mnist_tui.sweep.results import FINAL, Results
    from mnist_tui.sweep.train import train_points
    from mnist_tui.training import environment

    sweep = folder.find(options.runs_dir, name)
    results = Results(sweep)
    results.refresh()
    done = sum(each.is_done for each in results.all())

    def began() -> GroupBegan:
        words = f"sweep {sweep.name}: {done:,} of {sweep.plan.runs:,} done"
        return GroupBegan(words, sweep=words)

    pool.preload()
    yield began()
    jobs = environment.jobs_at_a_time(sweep.plan.runs, options)
    messages = train_points(sweep, options, control, lambda: Pool(jobs, is_silent=True))
    for event in _run_by_run(_numbered(messages)):
        if isinstance(event, RunStarted):
            yield began()
        elif isinstance(event, RunEnded):
            done += event.outcome in FINAL
        yield event
    if done >= sweep.plan.runs:
        yield Notice(f"sweep {sweep.name} is done: mnist-tui sweep report {sweep.name}")


def _numbered(messages: "Iterable[tuple[Point | None, Message]]") -> "Iterator[tuple[int, Message]]":
    """The messages with the number of their point, in the order in which the points begin; notices about all with 0."""
    numbers: dict[str, int] = {}
    for point, message in messages:
        yield 0 if point is None else numbers.setdefault(point.key, len(numbers)), message
