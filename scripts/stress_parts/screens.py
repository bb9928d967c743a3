"""Keys of the laboratory, and what a screen costs: bytes to the terminal, processor time, time to repaint."""

import re
import statistics
import time
from collections.abc import Sequence

import psutil
from helpers.lab_terminal import HungError, Lab

F2, F3, F4 = "\x1bOQ", "\x1bOR", "\x1bOS"
DOWN, RIGHT, LEFT, HOME, PAGE_UP, PAGE_DOWN = "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[5~", "\x1b[6~"
ESCAPE = "\x1b"


def seconds_to_paint(lab: Lab, key: str) -> float:
    """Seconds from a key to the first output after it."""
    while lab.read(0.001):
        pass
    lab.press(key)
    began = time.perf_counter()
    while not lab.read(0.0005):
        if time.perf_counter() - began > 5:
            raise HungError(f"{key!r} changed nothing:\n{lab.text()}")
    return time.perf_counter() - began


def measure(lab: Lab, seconds: float) -> tuple[float, float]:
    """Kilobytes per second that a laboratory writes, and its share of a core, after a second without measuring."""
    process = psutil.Process(lab.child())
    lab.read_for(1.0)
    written, busy, began = len(lab.output), sum(process.cpu_times()[:2]), time.monotonic()
    lab.read_for(seconds)
    passed = time.monotonic() - began
    return (len(lab.output) - written) / passed / 1000, (sum(process.cpu_times()[:2]) - busy) / passed


def move_cost(lab: Lab, keys: Sequence[str], times: int = 10) -> tuple[float, float, float]:
    """Kilobytes, CPU milliseconds and milliseconds to repaint of one move of the focus or a cursor."""
    process = psutil.Process(lab.child())
    lab.read_for(1.0)
    presses = list(keys) * times
    written, busy = len(lab.output), sum(process.cpu_times()[:2])
    paint_seconds: list[float] = []
    for key in presses:
        paint_seconds.append(seconds_to_paint(lab, key))
        lab.read_for(0.3)
    cpu = (sum(process.cpu_times()[:2]) - busy) / len(presses)
    return (len(lab.output) - written) / len(presses) / 1000, 1000 * cpu, 1000 * statistics.median(paint_seconds)


def press_slowly(lab: Lab, keys: str) -> None:
    """Sends keys one after another, each when the one before has been drawn."""
    for key in re.findall(r"\x1b\[[<\d;]*[A-Za-z~]|\x1bO.|\x1b|[^\x1b]", keys):
        lab.press(key)
        lab.read_for(1.0)
