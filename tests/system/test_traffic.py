"""What the laboratory sends to its terminal: little while nothing happens, whatever is open, and little for a key."""

import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.lab_terminal import Lab
from helpers.typing_model import DOWN, ESCAPE, F4

OFTEN = "import mnist_tui.tui.lab.screen; mnist_tui.tui.lab.screen.DEVICE_SECONDS = 0.5"
"""What the device does is drawn below whatever is open, in every second that is measured."""

WASTEFUL = """
from types import SimpleNamespace
from textual.drivers.linux_driver import LinuxDriver
from mnist_tui.tui import app, repaint
del repaint.LeanScreen._compositor_refresh, repaint.LeanScreen.is_current
repaint.LeanScreen.focused._repaint = True
app.DiffDriver = type("PlainDriver", (LinuxDriver,), {"memory": SimpleNamespace(forget=lambda: None)})
"""
"""Repaints, and writes to the terminal, as textual does."""

OPEN = {
    "help": ("?", "Keys, where the focus is", 3.0),
    "zoom": ("z", "Zoom out", 10.0),
    "palette": ("\x10", "Search for commands", 3.0),
    "optimizers": (F4 + DOWN * 3 + "\r", "Adadelta", 3.0),
}
"""What can be open: its keys, what then stands on the screen, and the kilobytes a second that it may send."""
KEY_BYTES = 4_000


@contextmanager
def opened(folder: Path, before: str = "") -> Iterator[Lab]:
    """The laboratory in a terminal, once PyTorch is loaded; no field has the focus."""
    lab = Lab(
        folder, "--preset", "iter5", "--dataset", "digits", before=f"{OFTEN}\n{before}", size=(120, 40), warm=True
    )
    try:
        lab.wait_for("t trains")
        lab.press(ESCAPE)
        settle(lab, 20)
        yield lab
    finally:
        lab.close()


def settle(lab: Lab, seconds: float) -> None:
    """Reads until nothing came for a moment, at most so many seconds."""
    end = time.monotonic() + seconds
    while lab.read(0.3) and time.monotonic() < end:
        continue


def rate(lab: Lab, limit: float, windows: int = 5) -> float:
    """Kilobytes a second; the lowest of several tries, unless the first is within the limit.

    What repaints for ever does so in every one; what comes late, once, does not count.
    """
    rates: list[float] = []
    while not rates or (min(rates) > limit and len(rates) < windows):
        written, began = len(lab.output), time.monotonic()
        while time.monotonic() - began < 1.0:
            lab.read(0.02)
        rates.append((len(lab.output) - written) / (time.monotonic() - began) / 1000)
    return min(rates)


def excessive(lab: Lab, names: Iterable[str], windows: int = 5) -> dict[str, float]:
    """What sends more than it may while it is open and nothing happens, with its rate."""
    rates = {}
    for name in names:
        keys, word, limit = OPEN[name]
        lab.press(keys)
        lab.wait_for(word)
        rates[name] = rate(lab, limit, windows)
        lab.press(ESCAPE)
        lab.wait_until_gone(word)
        lab.press(ESCAPE)
        settle(lab, 0.5)
    return {name: kilobytes for name, kilobytes in rates.items() if kilobytes > OPEN[name][2]}


def bytes_of_a_move(lab: Lab) -> float:
    """What comes for a move of the focus from one field to the next, typically."""
    lab.press(F4)
    settle(lab, 3)
    sent = []
    for _ in range(5):
        written = len(lab.output)
        lab.press(DOWN)
        settle(lab, 1)
        sent.append(len(lab.output) - written)
    return statistics.median(sent)


def test_little_is_sent(tmp_path: Path) -> None:
    """With nothing open and with every kind of thing open; and for a move of the focus, of which something is seen."""
    with opened(tmp_path) as lab:
        closed, rates, moved = rate(lab, 2.0), excessive(lab, OPEN), bytes_of_a_move(lab)

    assert closed <= 2.0
    assert rates == {}
    assert 0 < moved < KEY_BYTES


def test_textuals_own_way_sends_too_much(tmp_path: Path) -> None:
    """The control: without what `repaint` and `diff_driver` override, the test above sees it."""
    with opened(tmp_path, WASTEFUL) as lab:
        rates, moved = excessive(lab, ("help", "optimizers"), windows=2), bytes_of_a_move(lab)

    assert set(rates) == {"help", "optimizers"}
    assert moved > KEY_BYTES
