"""How fast the machine is, for limits on time: a loop of pure Python."""

import time


def loop_seconds() -> float:
    """The shortest time of 20 loops over 20,000 numbers: about a millisecond."""
    return min(_seconds() for _ in range(20))


def _seconds() -> float:
    started = time.perf_counter()
    sum(number * number for number in range(20_000))
    return time.perf_counter() - started
