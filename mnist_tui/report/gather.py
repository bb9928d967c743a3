"""Gathers a report from saved runs."""

from collections.abc import Sequence
from pathlib import Path

from mnist_tui.analysis import comparison
from mnist_tui.analysis.comparison import Arm
from mnist_tui.report import figures
from mnist_tui.report.brief_section import make_brief_section
from mnist_tui.report.front_section import make_front_section
from mnist_tui.report.measurements import comparison_remarks, measurements
from mnist_tui.report.model import Report
from mnist_tui.report.steps import Surroundings, make_step
from mnist_tui.runs.index import grouped
from mnist_tui.runs.record import Run
from mnist_tui.spec.briefs import Brief
from mnist_tui.text import clean_line

MAX_TITLE = 200


def make_report(
    runs: Sequence[Run],
    others: Sequence[Run] = (),
    title: str = "",
    data_dir: Path | None = None,
    is_torchsummary: bool = False,
    brief: Brief | None = None,
) -> Report:
    """The report on `runs`, in their order; the seeds of one recipe are one step, in the place of the first.

    `others` are the runs among which the coach looks for other seeds; `data_dir` is where MNIST is, for the pictures of
    mistakes; `is_torchsummary` gives the layer tables in that form; with a `brief` the report says how far the runs are
    with it. Nothing is written.
    """
    arms = comparison.labelled(grouped(list({run.folder: run for run in runs}.values())))
    is_mixed = len({arm.runs[0].dataset for arm in arms}) > 1
    surroundings = Surroundings(others, data_dir, is_torchsummary, is_mixed)
    pairs = zip(arms, [None, *arms], strict=False)
    steps = tuple(make_step(number, arm, before, surroundings) for number, (arm, before) in enumerate(pairs, start=1))
    return Report(
        title=clean_line(title.strip(), MAX_TITLE) or _title(arms),
        steps=steps,
        mean_heading=_mean_heading(arms),
        has_seeds=any(step.count > 1 for step in steps),
        remarks=comparison_remarks(arms),
        overview=figures.overview(arms),
        measurements=measurements(arms),
        program=_program(),
        brief=make_brief_section(brief, runs) if brief else None,
        front=make_front_section(runs),
    )


def _title(arms: Sequence[Arm]) -> str:
    names = list(dict.fromkeys(arm.runs[0].name for arm in arms))
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} to {names[-1]}, {len(arms)} steps"


def _mean_heading(arms: Sequence[Arm]) -> str:
    counts = {run.last_epochs for arm in arms for run in arm.runs}
    return f"mean of last {counts.pop()}" if len(counts) == 1 else "mean of last epochs"


def _program() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"mnist-tui {version('mnist-tui')}"
    except PackageNotFoundError:
        return "mnist-tui"
