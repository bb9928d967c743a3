"""How far a sweep is: its points with their states, and the sweeps of a runs directory on a line each. No torch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_tui.runs.columns import column
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.plan import Point
from mnist_tui.sweep.report import SweepReport
from mnist_tui.sweep.report_text import state_words
from mnist_tui.sweep.results import PointRun, Results, accuracy_of

POINT_KEYS = ("number", "seed", "state", "epochs", "accuracy", "run")


@dataclass(frozen=True)
class PointStatus:
    """A point and the run that it has."""

    point: Point
    run: PointRun | None

    @property
    def state(self) -> str:
        """That of its run; `waiting` without one."""
        return "waiting" if self.run is None else self.run.state


# --- one sweep ---


def points_of(sweep: Sweep) -> list[PointStatus]:
    """Every point: those of the plan in their order; of a search, those that were tried."""
    results = Results(sweep)
    results.refresh()
    if sweep.plan.search is None:
        return [PointStatus(point, results.of(point.key)) for point in sweep.plan.all_points()]
    tried = sorted(results.all(), key=lambda each: each.point.key)
    return [PointStatus(each.point, each) for each in tried]


def heading(sweep: Sweep, points: Sequence[PointStatus]) -> str:
    """`sweep iter5: 27 points: 12 completed, 2 training, 13 waiting`."""
    parts = ", ".join(state_words(Counter(each.state for each in points)))
    stopped = "; stopped, mnist-tui sweep resume goes on" if sweep.is_stopped else ""
    planned = f" of {sweep.plan.runs:,}" if sweep.plan.search else ""
    return f"sweep {sweep.name}: {len(points):,}{planned} points{': ' if parts else ''}{parts}{stopped}"


def points_table(sweep: Sweep, points: Sequence[PointStatus]) -> tuple[list[list[str]], list[bool]]:
    """A row for each point, and which columns are aligned to the right."""
    paths = list(sweep.plan.vary)
    on = "test acc" if sweep.plan.choose_on == "test" else "val acc"
    rows = [_point_row(sweep, each, paths) for each in points]
    heads = ["point", *paths, "seed", "state", "epochs", on, "run"]
    return [heads, *rows], [True, *[True] * len(paths), True, False, True, True, False]


def _point_row(sweep: Sweep, each: PointStatus, paths: Sequence[str]) -> list[str]:
    values = [each.point.values.get(path, "") for path in paths]
    facts = ["", "", ""]
    if each.run is not None:
        run = each.run.run
        accuracy = accuracy_of(run, sweep.plan)
        facts = [str(run.epochs), "" if accuracy is None else f"{accuracy:.2%}", column("id").of([run])]
    return [str(each.point.number), *values, str(each.point.seed), each.state, *facts]


def point_records(sweep: Sweep, points: Sequence[PointStatus]) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """A record for each point, and the columns of the CSV."""
    return [_point_record(sweep, each) for each in points], POINT_KEYS


def _point_record(sweep: Sweep, each: PointStatus) -> dict[str, Any]:
    run = each.run.run if each.run is not None else None
    return {
        "number": each.point.number,
        "seed": each.point.seed,
        "values": dict(each.point.values),
        "state": each.state,
        "epochs": run.epochs if run else 0,
        "accuracy": accuracy_of(run, sweep.plan) if run else None,
        "run": run.id if run else None,
    }


# --- all sweeps ---


def table(reports: Sequence[SweepReport]) -> tuple[list[list[str]], list[bool]]:
    """A row for each sweep."""
    heads = ["name", "when", "varied", "done", "of", "failed", "best"]
    return [heads, *map(_row, reports)], [False, False, False, True, True, True, True]


def _row(report: SweepReport) -> list[str]:
    best = f"{report.ranked[0].accuracy:.2%}" if report.ranked else "-"
    failed = report.states.get("failed", 0)
    when = column("when").text(report.sweep.created)
    varied = ", ".join(report.sweep.plan.vary)
    return [report.sweep.name, when, varied, f"{report.done:,}", f"{report.planned:,}", str(failed or ""), best]


def as_record(report: SweepReport) -> Mapping[str, Any]:
    """A sweep of the list, for programs."""
    plan = report.sweep.plan
    return {
        "name": report.sweep.name,
        "created": report.sweep.created,
        "varied": list(plan.vary),
        "planned": report.planned,
        "done": report.done,
        "states": dict(report.states),
        "is_stopped": report.sweep.is_stopped,
        "choose_on": plan.choose_on,
        "best": report.ranked[0].accuracy if report.ranked else None,
    }
