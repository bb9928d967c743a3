"""Logs of training loops that print their own lines, as PyTorch's MNIST example and most notebooks do.

Epoch 3                                                        the epoch, on a line of its own or before numbers
Loss=0.03 Batch_id=937 Accuracy=98.43: 100%|███| 938/938 [...]  tqdm
Train Epoch: 3 [59520/60000 (99%)]  Loss: 0.012345             PyTorch's example
Test set: Average loss: 0.0013, Accuracy: 9912/10000 (99.12%)
Epoch [3/20] - Train Loss: 0.04, Train Acc: 98.7% - Test Loss: 0.03, Test Acc: 99.1%
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from mnist_tui.import_logs.quantities import looks_like_epoch, values_in
from mnist_tui.import_logs.readings import Line, Log, Reading

_EPOCH = re.compile(r"(?<![a-z])epoch(?![a-z])[\s:=#\[(]{0,8}(?P<epoch>\d{1,9})(?!\d|\.\d)", re.IGNORECASE)
_BAR = re.compile(r"\|\s{0,4}(\d{1,9})/(\d{1,9})\s{0,4}\[")
"""Of tqdm: `|███| 938/938 [00:20<00:00, 45.1it/s]`."""
_BATCH = re.compile(
    r"(?:batch(?:_id)?|step|iter(?:ation)?)[\s=:#\[]{1,4}(\d{1,9})|\[(\d{1,9})/\d{1,9} \(\s*\d{1,3}%\)\]", re.IGNORECASE
)
_LOGGING = re.compile(r"^.{0,100}?\b(?:DEBUG|INFO|WARNING)\b")
"""What the module `logging` puts before a message."""
_HEADER_WORDS = {"train", "training", "start", "starting", "current", "currently", "in", "running", "it", "s"}
"""Words that may stand before an epoch that has a line to itself; behind others its number is a part of a sentence."""
BESIDE = {"learning_rate", "seconds"}
"""Quantities that alone tell nothing of an epoch."""


def recognise(log: Log) -> bool:
    """Whether any line tells an epoch together with a number, or what a progress bar shows."""
    has_values = has_epoch = False
    for reading in read(log):
        has_values |= bool(reading.values)
        has_epoch |= reading.epoch is not None or reading.is_progress
        if has_values and has_epoch:
            return True
    return False


def read(log: Log) -> Iterator[Reading]:
    """What each line tells; other lines are left out."""
    for line in log.lines:
        reading = read_line(line)
        if reading.tells_something or looks_like_epoch(line.text):
            yield reading


def read_line(line: Line) -> Reading:
    """The epoch and the quantities on a line; of a progress bar they are running ones."""
    values = values_in(line.text)
    bar, batch = _BAR.search(line.text), _BATCH.search(line.text)
    done, total = map(int, bar.groups()) if bar else (None, None)
    position = int(batch[1] or batch[2]) if batch else done
    if position is not None:
        values = {name: replace(number, is_running=True) for name, number in values.items()}
    is_partial = done is not None and total is not None and done < total
    epoch = _epoch(line.text, bool(values))
    if epoch is None and values.keys() <= BESIDE:
        values = {}  # Of the settings that are printed before the training.
    return Reading(line, epoch, values, position, is_partial)


def _epoch(text: str, has_values: bool) -> int | None:
    """The epoch that a line names; None where it only speaks of one: `best result at epoch 17`."""
    match = _EPOCH.search(text)
    if match is None:
        return None
    before = re.sub(r"\[[^\]]{0,200}\]", " ", _LOGGING.sub("", text[: match.start()]))
    words = re.findall(r"[a-z]+", before.lower())
    is_header = has_values or all(word in _HEADER_WORDS for word in words)
    return int(match["epoch"]) if is_header else None
