"""A training without a network, for the laboratory in a terminal: its events come many times faster than real ones.

`Lab(before=canned(...))` replaces the session by it.
"""

import time
from collections.abc import Iterator

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Event, Outcome, Progress, RunEnded, RunStarted, best_of
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec

EPOCH_SECONDS = 6.5
"""Of iter5 on two cores."""
STEPS = 938
PROGRESS_EACH_SECOND = 10


def canned(hours: float, rate: float) -> str:
    """Code that makes every training of a laboratory one of so many hours, `rate` times faster than life."""
    return (
        "from helpers import canned_training\n"
        "from mnist_tui.tui import run_events\n"
        "run_events.train_seeds = lambda specs, options, control, on_started=print: "
        f"canned_training.train(specs[0], options, control, {hours}, {rate})\n"
    )


def train(spec: RunSpec, options: Options, control: Control, hours: float, rate: float) -> Iterator[Event]:
    """The events of a run of iter5 of so many hours; nothing is written but an empty run folder."""
    folder = options.runs_dir / "canned"
    folder.mkdir(parents=True, exist_ok=True)
    epochs = round(hours * 3_600 / EPOCH_SECONDS)
    yield RunStarted(
        "canned", str(folder), "iter5", 0, 18_422, epochs, STEPS, 60_000, 0, 10_000, "mnist", "cpu", 1
    )  # fmt: skip
    rows: list[EpochEnded] = []
    began = time.monotonic()
    for epoch in range(1, epochs + 1):
        yield from _progress(epoch, control, began, rate)
        if control.should_stop:
            break
        rows.append(_row(epoch))
        yield rows[-1]
    outcome: Outcome = "stopped" if control.should_stop else "completed"
    last = rows[-1] if rows else None
    (folder / "end.json").write_text("{}")
    yield RunEnded(outcome, outcome, len(rows), best_of(rows), last, "test", None, time.monotonic() - began)


def _progress(epoch: int, control: Control, began: float, rate: float) -> Iterator[Progress]:
    """The reports within an epoch, each at its time."""
    count = round(EPOCH_SECONDS * PROGRESS_EACH_SECOND)
    for index in range(1, count + 1):
        due = began + ((epoch - 1) * EPOCH_SECONDS + index / PROGRESS_EACH_SECOND) / rate
        if (rest := due - time.monotonic()) > 0.001:
            time.sleep(rest)
        if control.should_stop:
            return
        yield Progress(epoch, STEPS * index // count, STEPS, 0.5 / epoch + index / 1_000, 0.001, 9_000.0)


def _row(epoch: int) -> EpochEnded:
    return EpochEnded(
        epoch, 0.3 / epoch, 0.97, None, None, 0.05 + 0.3 / epoch, 1 - 0.1 / epoch, 0.001, EPOCH_SECONDS, 9_000.0
    )
