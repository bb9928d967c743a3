"""The training of a sweep as lines: what it will cost, a line for each run that ends, and the report."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnist_tui.cli.formats import event_record, json_text, record
from mnist_tui.cli.output import Output, interruptible
from mnist_tui.cli.progress_table import ProgressTable, progress_table
from mnist_tui.cli.sweep_output import text_lines, wrapped
from mnist_tui.errors import ExitCode
from mnist_tui.runs.events import Downloading, Notice, RunEnded, RunStarted
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.cost import Cost, cost_words, expected_cost, time_words
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.jobs import JobEnded, Message
from mnist_tui.sweep.place import Place
from mnist_tui.sweep.plan import Point, SweepPlan, in_words
from mnist_tui.sweep.report import SweepReport, make_report
from mnist_tui.sweep.report_text import chosen_words, heading
from mnist_tui.sweep.results import PRUNED_FILE, Results
from mnist_tui.sweep.train import train_points
from mnist_tui.sweep.train_jobs import Trainer
from mnist_tui.table import aligned
from mnist_tui.text import duration


def dry_run(plan: SweepPlan, options: Options, place: Place, as_json: bool) -> ExitCode:
    """Prints every point and what all of them cost; trains and writes nothing."""
    cost = expected_cost(plan, options)
    jobs = place.jobs_at_a_time(cost.runs, options)
    points = [] if plan.search else list(plan.all_points())
    if as_json:
        print(json_text(record(_plan_record(plan, cost, jobs, points))))
        return ExitCode.OK
    if points:
        rows = [[str(point.number), *point.values.values(), str(point.seed), _size(plan, point)] for point in points]
        heads = ["point", *plan.vary, "seed", "params"]
        print("\n".join(aligned([heads, *rows], [True] * len(heads))))
    print("\n".join(["", *wrapped(cost_words(plan, cost, jobs)), *wrapped(chosen_words(plan))]))
    return ExitCode.OK


def _size(plan: SweepPlan, point: Point) -> str:
    return f"{plan.spec_of(point).parameters:,}"


def _plan_record(plan: SweepPlan, cost: Cost, jobs: int | None, points: list[Point]) -> Mapping[str, Any]:
    return {
        "runs": cost.runs,
        "jobs": jobs,
        "seconds": cost.seconds / (jobs or 1),
        "bytes": cost.bytes,
        "choose_on": plan.choose_on,
        "points": [{"number": point.number, "seed": point.seed, "values": dict(point.values)} for point in points],
    }


def train(
    sweep: Sweep, options: Options, output: Output, place: Place, retry_failed: bool, is_helper: bool
) -> ExitCode:
    """Trains what is not done of a sweep; prints the report unless this process only helps. Returns the exit code."""
    results = Results(sweep)
    results.refresh()
    left = sweep.plan.runs - sum(each.is_done for each in results.all())
    cost = expected_cost(sweep.plan, options)
    jobs = place.jobs_at_a_time(left, options)
    trainer = place.trainer(jobs, sweep, options)
    output.talk(f"sweep {sweep.name}: {cost_words(sweep.plan, cost, jobs)}")
    if left < cost.runs:
        still = time_words(cost.seconds * left / cost.runs, jobs)
        output.talk(f"{cost.runs - left} of them are done; {left} are left, about {still}")
    code = _train_left(sweep, options, output, trainer, retry_failed)
    report = make_report(sweep)
    if not output.as_json and not is_helper:
        output.data("\n" + "\n".join(text_lines(report)))
    elif report.done < report.planned and not code and not sweep.is_stopped:
        output.talk(_left_words(report), always=True)
    return code or (ExitCode.OK if report.done >= report.planned else ExitCode.FAILED)


def _left_words(report: SweepReport) -> str:
    retry = " --retry-failed" if report.states.get("failed") else ""
    return f"{heading(report)}; mnist-tui sweep resume {report.sweep.name}{retry} trains what is left"


def _train_left(
    sweep: Sweep, options: Options, output: Output, trainer: Callable[[], Trainer], retry_failed: bool
) -> ExitCode:
    with interruptible() as interruption, progress_table(output) as table:
        lines = _Lines(sweep, output, table)
        for point, message in train_points(sweep, options, interruption.control, trainer, retry_failed=retry_failed):
            lines.show(point, message)
    if sweep.is_stopped:
        output.talk(f"stopped by mnist-tui sweep stop; mnist-tui sweep resume {sweep.name} goes on", always=True)
    return interruption.code or ExitCode.OK


class _Lines:
    """Prints what happens in a sweep: a line for each run that ends."""

    def __init__(self, sweep: Sweep, output: Output, table: ProgressTable) -> None:
        self._sweep, self._output, self._table = sweep, output, table
        self._started: dict[str, RunStarted] = {}

    def show(self, point: Point | None, message: Message) -> None:
        """Prints one message; `point` is None for what is about all."""
        if point is None:
            if isinstance(message, Notice):
                self._output.notice(message)
            elif isinstance(message, Downloading):
                self._table.show(message.file, "", 0, message)
            return
        if isinstance(message, Downloading):
            return  # A node fetches the data of its own.
        label = f"{in_words(point.values)} s{point.seed}"
        if isinstance(message, RunStarted):
            self._started[point.key] = message
        if isinstance(message, JobEnded):
            if message.error:
                self._output.talk(f"{label}: {message.error}", always=True)
            return
        if self._output.as_json:
            about = {"point": point.number, "seed": point.seed, "values": dict(point.values)}
            run = started.run if (started := self._started.get(point.key)) else None
            self._output.json({**event_record(message, run), "sweep": about})
        if isinstance(message, Notice):
            self._output.notice(replace(message, text=f"{label}: {message.text}"))
        elif isinstance(message, RunEnded):
            self._show_end(point, label, message)
        if started := self._started.get(point.key):
            self._table.show(point.key, label, started.epochs, message)

    def _show_end(self, point: Point, label: str, ended: RunEnded) -> None:
        started = self._started.get(point.key)
        is_pruned = started is not None and (Path(started.folder) / PRUNED_FILE).is_file()
        outcome = "pruned" if ended.outcome == "stopped" and is_pruned else ended.outcome
        if not self._output.as_json:
            self._output.data(f"{label}: {outcome}{self._accuracy(ended)}, {duration(ended.seconds)}")
        if ended.outcome in ("diverged", "failed"):
            self._output.talk(f"{label}: {ended.outcome}: {ended.message}", always=True)

    def _accuracy(self, ended: RunEnded) -> str:
        """That of the epoch that counts; on the test images only where those choose, so that nobody chooses by them."""
        row = ended.best if self._sweep.plan.by == "best" else ended.last
        if row is None:
            return ""
        if self._sweep.plan.choose_on == "test":
            return f", test {row.test_accuracy:.2%}"
        return f", validation {row.val_accuracy:.2%}" if row.val_accuracy is not None else ""
