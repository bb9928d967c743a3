"""TensorBoard's event files, read by TensorBoard itself (an extra). Scalars become epochs.

The step of a scalar is its epoch where the steps count 0, 1, 2, … or 1, 2, 3, …. Else an epoch ends at each step at
which a validation or test scalar was written, and a training scalar counts with its last value up to there.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from mnist_tui.errors import FileError, LogError, UsageError
from mnist_tui.import_logs.quantities import fields_of
from mnist_tui.import_logs.readings import Line, Log, Number, Reading

PATTERN = "events.out.tfevents.*"
"""The name of an event file."""
READ_IN_FOLDER = "*tfevents*"
"""The names of all that TensorBoard reads in a folder."""
MAX_BYTES = 64 * 2**20
"""Of all event files of a folder together."""
MAX_SCALARS = 100_000
"""Of a curve; of more TensorBoard keeps a sample."""
HELD_OUT = ("val_", "test_")
Scalars = Sequence[tuple[int, float]]
"""Steps and values of a curve."""


def recognise(log: Log) -> bool:
    """Whether it is an event file, or a folder with any."""
    return log.path is not None


def event_files(path: Path) -> list[Path]:
    """The event files at a path: itself, or those in a folder and in its folders (`train`, `validation`)."""
    if not path.is_dir():
        return [path] if path.match(PATTERN) else []
    found = (file for pattern in (READ_IN_FOLDER, f"*/{READ_IN_FOLDER}") for file in path.glob(pattern))
    return sorted(file for file in found if not file.is_dir())


def read(log: Log) -> Iterator[Reading]:
    """An epoch for each step that ends one; raises `LogError` and `FileError`."""
    assert log.path is not None
    curves = _curves(log.path)
    if not curves:
        raise LogError("names no loss and no accuracy among its scalars")
    counted = {field: scalars for field, scalars in curves.items() if _counts_epochs(scalars)}
    if any(field.startswith(HELD_OUT) for field in counted):
        yield from (Reading(Line(0, f"{field}: its steps are no epochs")) for field in curves if field not in counted)
        curves = counted
    steps = _epoch_steps(curves)
    first = 0 if steps[0] == 0 else 1
    for epoch, (low, step) in enumerate(pairwise([-1, *steps]), start=first):
        values = {field: number for field, scalars in curves.items() if (number := _last(scalars, low, step))}
        yield Reading(Line(epoch, f"step {step}"), epoch, values)


def _last(scalars: Scalars, low: int, high: int) -> Number | None:
    """The last value of a curve after the step `low`, up to `high`."""
    at = bisect_right(scalars, high, key=lambda scalar: scalar[0]) - 1
    return Number(scalars[at][1]) if at >= 0 and scalars[at][0] > low else None


def _epoch_steps(curves: Mapping[str, Scalars]) -> list[int]:
    """The steps at which epochs end; raises `LogError` where the curves do not say."""
    ends = [
        _steps(scalars)
        for field, scalars in curves.items()
        if field.startswith(HELD_OUT) or all(map(_counts_epochs, curves.values()))
    ]
    if not ends:
        raise LogError("has steps that are no epochs, and no validation or test scalar that shows where epochs end")
    return max(ends, key=len)


def _steps(scalars: Scalars) -> list[int]:
    return sorted({step for step, _ in scalars})


def _counts_epochs(scalars: Scalars) -> bool:
    """Whether the steps of a curve are 0, 1, 2, … or 1, 2, 3, …"""
    steps = _steps(scalars)
    return steps[0] in (0, 1) and steps == list(range(steps[0], steps[-1] + 1))


def _curves(path: Path) -> dict[str, Scalars]:
    """The curves that name a loss, an accuracy or a learning rate, by their fields of `EpochEnded`."""
    files = event_files(path)
    if other := next((file for file in files if not file.is_file()), None):
        raise FileError(other, "is not a regular file")  # A pipe would hold TensorBoard's reader for ever.
    if sum(file.stat().st_size for file in files) > MAX_BYTES:
        raise FileError(path, f"is larger than {MAX_BYTES:,} bytes")
    curves: dict[str, Scalars] = {}
    for folder in dict.fromkeys([path] if path.is_file() else [file.parent for file in files]):
        place = f"{folder.name}/" if path.is_dir() and folder != path else ""
        for tag, scalars in _scalars(folder).items():
            ((field, _),) = fields_of(iter([f"{place}{tag}"]))
            if field and scalars:
                curves.setdefault(field, scalars)
    return curves


def _scalars(path: Path) -> dict[str, Scalars]:
    """Every scalar of an event file or of a folder's event files, in the order of its steps."""
    accumulator = _accumulator(path)
    tags: list[str] = accumulator.Tags()["scalars"]
    return {tag: sorted((event.step, event.value) for event in accumulator.Scalars(tag)) for tag in tags}


def _accumulator(path: Path) -> Any:
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        raise UsageError(
            "reading TensorBoard's event files needs an extra: pip install 'mnist-tui[tensorboard]'"
        ) from None
    accumulator = EventAccumulator(str(path), size_guidance={"scalars": MAX_SCALARS, "images": 1, "histograms": 1})
    try:
        accumulator.Reload()
    except Exception as error:  # TensorBoard's reader documents none.
        raise FileError(path, f"is no event file that TensorBoard can read ({type(error).__name__})") from None
    return accumulator
