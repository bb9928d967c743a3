"""The lag of the event loop, measured for `scripts/stress.py lag` if an environment variable names a file."""

import asyncio
import json
import time
from pathlib import Path

PERIOD = 0.01
"""Seconds of a sleep; the lag is the time that it takes longer."""


class LagLog:
    """Samples of the loop's lag, written to a file at the end; does nothing without a file."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        self._samples: list[tuple[float, float]] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to sample, on the running loop."""
        if self._path is not None:
            self._task = asyncio.get_running_loop().create_task(self._sample())

    async def _sample(self) -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(PERIOD)
            self._samples.append((time.time(), time.perf_counter() - started - PERIOD))

    def write(self) -> None:
        """Writes one JSON line a sample: the time, and the lag in milliseconds."""
        if self._path is None or self._task is None:
            return
        self._task.cancel()
        lines = (json.dumps({"t": at, "lag_ms": 1000 * lag}, allow_nan=False) for at, lag in self._samples)
        self._path.write_text("\n".join(lines) + "\n")
