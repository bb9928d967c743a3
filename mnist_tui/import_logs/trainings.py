"""Readings put together: which epoch each is of, and where one training ends and the next begins."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile

from mnist_tui.import_logs.readings import Line, Number, Reading

MAX_EPOCH = 1_000_000
Epoch = dict[str, Number]
"""Numbers by the names of `EpochEnded`'s fields."""


@dataclass
class Training:
    """The epochs of one training, by the numbers that the log gives them."""

    first_line: int
    epochs: dict[int, Epoch] = field(default_factory=dict)


@dataclass(frozen=True)
class _Placed:
    """A number with the reading that it comes from."""

    number: Number
    reading: Reading


def collect(readings: Sequence[Reading]) -> tuple[list[Training], list[Line]]:
    """The trainings in a log, and the lines whose numbers belong to no epoch.

    A new training begins where the epochs count from the start again. In an epoch a line replaces what a progress bar
    showed before it; any other number that is told twice counts where it names its epoch.
    """
    trainings: list[tuple[Training, dict[int, dict[str, _Placed]]]] = []
    unplaced: list[Line] = []
    previous: int | None = None
    for epoch, reading in _with_epochs(readings):
        if epoch is None or epoch > MAX_EPOCH or not reading.tells_something:
            unplaced += [reading.line] if reading.values or not reading.tells_something else []
            continue
        if previous is None or epoch < previous or reading.begins_training:
            trainings.append((Training(reading.line.number), {}))
        previous = epoch
        if not _place(reading, trainings[-1][1].setdefault(epoch, {})):
            unplaced.append(reading.line)
    for training, epochs in trainings:
        training.epochs = {number: values for number, epoch in epochs.items() if (values := _without_partial(epoch))}
    return [training for training, _ in trainings if training.epochs], unplaced


def _place(reading: Reading, epoch: dict[str, _Placed]) -> bool:
    """Adds the numbers of a reading to its epoch; whether each of them has a place there."""
    is_placed = True
    for name, number in reading.values.items():
        old = epoch.get(name)
        if old is None or old.reading.is_progress or (reading.epoch is not None and not reading.is_progress):
            epoch[name] = _Placed(number, reading)
        elif not reading.is_progress:
            is_placed = False
    return is_placed


def _without_partial(epoch: dict[str, _Placed]) -> Epoch:
    """The numbers of an epoch without those of a bar that did not come to its end: of an epoch that was broken off."""
    return {name: placed.number for name, placed in epoch.items() if not placed.reading.is_partial}


# --- epochs ---


def _with_epochs(readings: Sequence[Reading]) -> Iterator[tuple[int | None, Reading]]:
    """Each reading with its epoch; None before the first.

    A line without an epoch is of the one named before it, or, in a log that names the epoch at its end, after it. Where
    no line names one, they are counted.
    """
    if all(reading.epoch is None for reading in readings):
        yield from _count_epochs(readings)
    elif _is_named_at_end(readings):
        yield from reversed(list(_spread_epochs(reversed(readings))))
    else:
        yield from _spread_epochs(readings)


def _spread_epochs(readings: Iterable[Reading]) -> Iterator[tuple[int | None, Reading]]:
    epoch = None
    for reading in readings:
        epoch = epoch if reading.epoch is None else reading.epoch
        yield epoch, reading


def _is_named_at_end(readings: Sequence[Reading]) -> bool:
    """Whether numbers come before the first epoch, which is 0 or 1, and none behind the last."""
    telling = [reading for reading in readings if reading.tells_something]
    first = next(dropwhile(lambda reading: reading.epoch is None, telling))
    return telling[0].epoch is None and first.epoch in (0, 1) and telling[-1].epoch is not None


def _count_epochs(readings: Sequence[Reading]) -> Iterator[tuple[int, Reading]]:
    """Epochs counted from 1: a new one begins where a bar starts anew, or where a number is told a second time."""
    epoch, last_bar = 1, None
    fields: set[str] = set()
    for reading in readings:
        if _is_next(reading, last_bar, fields):
            epoch, last_bar, fields = epoch + 1, None, set()
        if reading.is_progress:
            last_bar = reading
        else:
            fields |= reading.values.keys()
        yield epoch, reading


def _is_next(reading: Reading, last_bar: Reading | None, fields: set[str]) -> bool:
    if not reading.is_progress:
        return bool(fields & reading.values.keys())
    if fields:
        return True
    # tqdm draws its last state twice, on one line.
    position, last = reading.position or 0, (last_bar.position or 0) if last_bar else -1
    return position < last or (
        position == last and last_bar is not None and last_bar.line.number != reading.line.number
    )
