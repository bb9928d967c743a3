"""What `fit` of Keras prints: a line for the epoch, and one with a progress bar, which ends with the epoch's numbers.

    Epoch 1/12
    469/469 [==============================] - 3s 6ms/step - loss: 0.26 - accuracy: 0.92 - val_loss: 0.05 - ...

Keras 3 writes the bar with other characters; `verbose=2` writes none. What `evaluate` prints behind an epoch is not of
that epoch.
"""

import re
from collections.abc import Iterator

from mnist_tui.import_logs.quantities import looks_like_epoch, values_in
from mnist_tui.import_logs.readings import Log, Number, Reading

_EPOCH = re.compile(r"^\W{0,10}Epoch (\d{1,9})/\d{1,9}(?!\d)")
_STEPS = re.compile(r"^\W{0,10}(\d{1,9})/(\d{1,9}) (?:\[[=>.]{0,100}\] |[\u2501\u2578\u257a ]{0,100})(.*)$")
_SECONDS = re.compile(r"(?:^|[- ])(\d{1,6})s(?= |$)")
_NAMED = re.compile(r"- (?:val_)?(?:loss|\w*acc\w*): ")
_WITHOUT_BAR = re.compile(r"^\s{0,4}- \d{1,6}s ")


def recognise(log: Log) -> bool:
    """Whether any line is a progress bar of Keras that names a loss or an accuracy."""
    return any(_bar(line.text) is not None for line in log.lines)


def read(log: Log) -> Iterator[Reading]:
    """What each line tells; the states of an epoch's bar replace each other."""
    epoch: int | None = None
    steps = 0  # Of the epoch, once a bar was at its end.
    for line in log.lines:
        if header := _EPOCH.match(line.text):
            begins_training = epoch is not None and int(header[1]) <= epoch
            epoch, steps = int(header[1]), 0
            yield Reading(line, epoch, begins_training=begins_training)
        elif (bar := _bar(line.text)) is not None and epoch is not None and not _is_of_evaluate(bar, steps):
            done, total, text = bar
            steps = total if done == total and "ETA" not in text else steps
            yield Reading(line, epoch, _values(text), position=done, is_partial=done < total)
        elif looks_like_epoch(line.text):
            yield Reading(line)


def _is_of_evaluate(bar: tuple[int, int, str], steps: int) -> bool:
    """Whether a bar comes behind the end of the epoch's, which had so many steps: only validation is added to that."""
    return bool(steps) and (bar[1] != steps or "val_" not in bar[2])


def _bar(text: str) -> tuple[int, int, str] | None:
    """Steps done, steps in all, and the text behind the bar."""
    if _WITHOUT_BAR.match(text) and _NAMED.search(text):
        return 1, 1, text
    match = _STEPS.match(text)
    return (int(match[1]), int(match[2]), match[3]) if match and _NAMED.search(match[3]) else None


def _values(text: str) -> dict[str, Number]:
    """The quantities behind a bar, and the seconds of the epoch where the bar is at its end."""
    values = values_in(text)
    seconds = _SECONDS.search(text)
    if seconds and "ETA" not in text:
        values["seconds"] = Number(float(seconds[1]))
    return values
