"""How many runs this machine can train at a time."""

import psutil

MEMORY_PER_RUN = 2**30
"""Bytes that a process needs with torch, MNIST and a small network, rounded up."""


def default_jobs(runs: int, cores: int, threads: int) -> int:
    """As many as cores and free memory allow, at least one and at most `runs`; each run has so many threads."""
    available = int(psutil.virtual_memory().available)
    return max(1, min(runs, cores // threads, available // MEMORY_PER_RUN))
