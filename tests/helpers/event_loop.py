"""The dashboard's event loop: code that runs in it, and a terminal that nobody reads, for which it has to wait."""

import time

from helpers.lab_terminal import HungError, Lab

WITHOUT_ENFORCER = """
import mnist_tui.tui.shutdown as shutdown
shutdown._enforce = lambda *arguments: None
"""
"""A control: nobody ends the process where the event loop cannot."""


def in_event_loop(statements: str) -> str:
    """Code for `Lab(before=...)` that repeats statements, on one line, in the event loop beside the dashboard."""
    return f"""
import asyncio, pathlib, time
from mnist_tui.tui.lag import LagLog
start = LagLog.start
def start_both(self):
    start(self)
    async def repeat():
        while True:
            {statements}
    self.repeating = asyncio.get_running_loop().create_task(repeat())
LagLog.start = start_both
"""


HEARTBEAT = in_event_loop('pathlib.Path("heartbeat").touch(); await asyncio.sleep(0.1)')
"""The event loop touches a file ten times a second, unless something holds it."""


def fill_terminal(lab: Lab, most: float = 30) -> None:
    """Opens and closes the help, unread, until the event loop has stood still for a second, by its `HEARTBEAT`."""
    end = time.monotonic() + most
    while time.time() - (lab.folder / "heartbeat").stat().st_mtime < 1:
        if time.monotonic() > end:
            raise HungError(f"the dashboard draws on after {most:g} s of keys that nobody reads the answers to")
        lab.press("?\x1b")
        time.sleep(0.05)  # Keys pressed at once would be one drawing; and their own buffer, too, may not overflow.
