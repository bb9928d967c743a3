"""Which points a process trains next: those of a design in their order, or those that a search proposes.

A point is claimed before it is trained, so that several processes share the points of a sweep. One whose run was
interrupted is resumed; one that another process holds is waited for, in case that process dies.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from mnist_tui.runs.lock import is_running
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.claims import MAX_DEATHS, Claims
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.jobs import Job
from mnist_tui.sweep.plan import Point
from mnist_tui.sweep.results import PointRun, Results
from mnist_tui.sweep.search.search_points import SearchPoints

LOOK_SECONDS = 1.0
"""Time between two looks at the points that other processes hold."""


class Points:
    """The points of a sweep as jobs, one at a time; what `Pool.train` takes its jobs from."""

    def __init__(
        self, sweep: Sweep, options: Options, claims: Claims, results: Results, retry_failed: bool = False
    ) -> None:
        self._sweep, self._options, self._claims, self._results = sweep, options, claims, results
        self._retry_failed = retry_failed
        self.taken: list[Point] = []
        """The points that were given out, in their order."""
        self.failed: dict[str, str] = {}
        """By the key of a point why it has no end; this process does not try it again."""
        self.given_up: list[Point] = []
        """Those of them on which one process after another died."""
        self._refreshed_at = 0.0
        self.waiting: list[Point] = []
        """Points that other processes hold, or held."""
        self._search = SearchPoints(results, claims) if sweep.plan.search else None
        self._new: Iterator[Point] = self._search.known_points() if self._search else sweep.plan.all_points()
        """Points that were not looked at yet."""

    @property
    def may_come(self) -> bool:
        """Whether there may be another job later, though there is none now."""
        is_waiting = bool(self.waiting) or (self._search is not None and self._search.may_come)
        return is_waiting and not self._sweep.is_stopped

    def take(self) -> Job | None:
        """The next job, claimed; None where there is none now. Raises `StorageError`."""
        if self._sweep.is_stopped:
            return None
        return self._take_new() or self._take_over() or self._take_proposed()

    def finish(self, point: Point, error: str = "") -> None:
        """Gives a point back; `error` is why its run has no end."""
        if error:
            self.failed[point.key] = error
        self._claims.release(point.key, error)

    def release(self) -> None:
        """Gives every point back that is still held."""
        for point in self.taken:
            self._claims.release(point.key)

    def _take_new(self) -> Job | None:
        """A point that nobody has ever claimed, or that was claimed as it was proposed."""
        for point in self._new:
            if self._results.is_done(point.key) or self._has_failed(point):
                continue
            if self._claims.holds(point.key) or self._claim_first(point):
                return self._job(point)
            self.waiting.append(point)
        return None

    def _claim_first(self, point: Point) -> bool:
        return not self._claims.is_claimed(point.key) and self._claims.take(point.key, point.values)

    def _take_proposed(self) -> Job | None:
        """A point of the next configuration of a search, proposed from the results so far."""
        while self._search and (points := self._search.next_configuration()):
            self._new = iter(points)
            if job := self._take_new():
                return job
        return None

    def _has_failed(self, point: Point) -> bool:
        """Whether the run of a point ended by an error, and is not to be tried again."""
        run = self._results.of(point.key)
        if run is None or run.state != "failed" or self._retry_failed:
            return False
        self.failed[point.key] = run.run.reason
        return True

    def _take_over(self) -> Job | None:
        """A point whose process has died, or has given it back before its end."""
        if not self.waiting or time.monotonic() - self._refreshed_at < LOOK_SECONDS:
            return None
        self._claims.refresh()
        self._results.refresh()
        self.waiting = [point for point in self.waiting if self._is_open(point)]
        for point in self.waiting:
            if self._is_free(point) and self._claims.take(point.key, point.values):
                self.waiting.remove(point)
                return self._job(point)
        self.waiting = [point for point in self.waiting if point.key not in self.failed]
        self._refreshed_at = time.monotonic()
        return None

    def _is_open(self, point: Point) -> bool:
        return not (self._results.is_done(point.key) or point.key in self.failed)

    def _is_free(self, point: Point) -> bool:
        """Whether nobody holds a point or trains its run: that of a process that died may still save its last step."""
        claim = self._claims.newest(point.key)
        if claim is None or claim.state == "held":
            return claim is None
        run = self._results.of(point.key)
        if run is not None and is_running(run.run.folder):
            return False
        if not self._retry_failed and self._claims.deaths(point.key, _last_progress(run)) >= MAX_DEATHS:
            self.failed[point.key] = f"{MAX_DEATHS} processes died that trained it"
            self.given_up.append(point)
            return False
        return True

    def _job(self, point: Point) -> Job:
        self.taken.append(point)
        run = self._results.of(point.key)
        folder = run.run.folder if run is not None and run.can_resume else None
        options = replace(self._options, sweep=self._sweep.label(point))
        return Job(self._sweep.plan.spec_of(point), options, folder)


def _last_progress(run: PointRun | None) -> float:
    """When the run of a point finished its last epoch, by the time of the file system; 0 before that."""
    with suppress(OSError):
        return (run.run.folder / "history.jsonl").stat().st_mtime if run else 0.0
    return 0.0
