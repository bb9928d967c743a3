"""The sweeps that are not done, as lines: what they say, and that what did not change is not read again."""

from pathlib import Path

import pytest
from helpers.sweeps import lr_sweep, make_point

from mnist_tui.runs.index import RunIndex
from mnist_tui.sweep import open_sweeps
from mnist_tui.sweep.open_sweeps import OpenSweeps, SweepLine
from mnist_tui.sweep.results import Results


def scanned(index: RunIndex) -> RunIndex:
    """An index that has read what changed."""
    index.refresh()
    return index


def test_how_far_a_sweep_is(tmp_path: Path) -> None:
    """Done, failed, stopped, and the highest mean over seeds so far, on the validation images."""
    sweep = lr_sweep(tmp_path, "0.001", "0.01", seeds=2)
    for point, accuracy in zip(sweep.plan.all_points(), (0.97, 0.98, 0.99), strict=False):
        make_point(sweep, point, accuracy)
    last = list(sweep.plan.all_points())[-1]
    make_point(sweep, last, outcome="failed")
    index, sweeps = scanned(RunIndex(tmp_path)), OpenSweeps(tmp_path)
    (line,) = sweeps.lines(index.all)
    sweep.stop()

    assert (line.name, line.varied, line.done, line.planned, line.failed) == ("iter5", ("optimizer.lr",), 3, 4, 1)
    assert line.best == pytest.approx(0.98)
    assert [line.is_stopped, sweeps.lines(index.all)[0].is_stopped] == [False, True]


def test_a_sweep_that_was_open_stays(tmp_path: Path) -> None:
    """So that its result is seen; one that was done before is not listed, a damaged one neither."""
    done = lr_sweep(tmp_path, "0.1", "0.2")
    for point in done.plan.all_points():
        make_point(done, point)
    opened = lr_sweep(tmp_path, "0.001", "0.01")
    (tmp_path / ".sweeps" / "broken").mkdir()
    (tmp_path / ".sweeps" / "broken" / "sweep.json").write_text("{")
    index, sweeps = scanned(RunIndex(tmp_path)), OpenSweeps(tmp_path)
    before = [(line.name, line.done) for line in sweeps.lines(index.all)]
    for point in opened.plan.all_points():
        make_point(opened, point)
    after = [(line.name, line.done) for line in sweeps.lines(scanned(index).all)]

    assert before == [(opened.name, 0)]
    assert after == [(opened.name, 2)]


def test_only_what_changed_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same runs and files again cost nothing; a new run, or a sweep that has grown, is seen."""
    sweep = lr_sweep(tmp_path, "0.001", "0.01")
    points = list(sweep.plan.all_points())
    make_point(sweep, points[0])
    index, sweeps = scanned(RunIndex(tmp_path)), OpenSweeps(tmp_path)
    counted: list[object] = []
    real = open_sweeps._line

    def count(results: Results) -> SweepLine:
        counted.append(results)
        return real(results)

    monkeypatch.setattr(open_sweeps, "_line", count)
    sweeps.lines(index.all)
    sweeps.lines(scanned(index).all)
    once = len(counted)
    make_point(sweep, points[1])
    sweeps.lines(scanned(index).all)
    lr_sweep(tmp_path, "0.001", "0.01", seeds=3)

    assert (once, len(counted)) == (1, 2)
    assert sweeps.lines(index.all)[0].planned == 6
