"""Which points a process gets, and what it does with those of others: run folders and claims are made up."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from helpers.sweeps import lr_plan, lr_sweep, make_point

from mnist_tui.errors import StorageError, SweepError
from mnist_tui.runs.storage import RunFolder
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep import folder, points
from mnist_tui.sweep.claims import MAX_DEATHS, Claims
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.points import Points
from mnist_tui.sweep.results import PRUNED_FILE, Results

MakePoints = Callable[..., Points]


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    """Two learning rates with two seeds."""
    return lr_sweep(tmp_path, seeds=2)


@pytest.fixture
def make_points(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakePoints]:
    """The points of a process of its own, which looks at those of others each time."""
    monkeypatch.setattr(points, "LOOK_SECONDS", 0.0)
    with ExitStack() as stack:

        def make(retry_failed: bool = False) -> Points:
            claims = stack.enter_context(closing(Claims(sweep.folder / "claims", 60)))
            results = Results(sweep)
            results.refresh()
            return Points(sweep, Options(runs_dir=sweep.runs_dir), claims, results, retry_failed)

        yield make


def keys(ours: Points) -> list[str]:
    """The keys of all points that can be taken now."""
    while ours.take() is not None:
        pass
    return [point.key for point in ours.taken]


def test_two_processes_share_the_points(make_points: MakePoints) -> None:
    """Each of them is given out once; the other waits for it."""
    one, other = make_points(), make_points()
    one.take()
    other.take()

    assert keys(one) == ["00000-s0", "00000-s1", "00001-s1"]
    assert [point.key for point in other.taken] == ["00001-s0"]
    assert other.take() is None
    assert other.may_come
    assert [point.key for point in other.waiting] == ["00000-s0", "00000-s1", "00001-s1"]


def test_a_run_says_which_point_it_is(make_points: MakePoints, sweep: Sweep) -> None:
    """In its options, which go into its run.json; its spec has the point's values and seed."""
    job = make_points().take()

    assert job is not None
    assert job.options.sweep == {
        "name": "iter5",
        "id": sweep.id,
        "point": 0,
        "values": {"optimizer.lr": "0.001"},
    }
    assert "lr=0.001" in str(job.spec.train.optimizer)
    assert job.folder is None


def test_done_points_are_skipped(make_points: MakePoints, sweep: Sweep) -> None:
    """Completed, diverged, and stopped early by a search; of another sweep of the name they are not done."""
    first, second, third, last = sweep.plan.all_points()
    make_point(sweep, first)
    make_point(sweep, second, outcome="diverged")
    (make_point(sweep, third, outcome="stopped") / PRUNED_FILE).write_text("{}")
    (sweep.folder / "sweep.json").rename(sweep.folder / "old")

    assert keys(make_points()) == [last.key]
    again = lr_sweep(sweep.runs_dir, seeds=2)
    results = Results(again)
    results.refresh()
    assert list(results.all()) == []


def test_an_interrupted_point_is_resumed(make_points: MakePoints, sweep: Sweep) -> None:
    """In its folder; a stopped one, too."""
    first, second, *_ = sweep.plan.all_points()
    stopped = make_point(sweep, first, outcome="stopped")
    interrupted = make_point(sweep, second)
    (interrupted / "end.json").unlink()
    ours = make_points()
    jobs = [ours.take(), ours.take()]

    assert [job and job.folder for job in jobs] == [stopped, interrupted]


def test_a_failed_point_is_tried_again_only_when_asked(make_points: MakePoints, sweep: Sweep) -> None:
    """It is listed with its reason."""
    first, *others = sweep.plan.all_points()
    make_point(sweep, first, outcome="failed")
    ours = make_points()

    assert keys(ours) == [point.key for point in others]
    assert ours.failed == {first.key: "it failed for a test"}
    ours.release()
    assert first.key in keys(make_points(retry_failed=True))


def test_what_another_process_gave_back_is_taken_over(make_points: MakePoints, sweep: Sweep) -> None:
    """Not what it holds, and not what it finished."""
    other, ours = make_points(), make_points()
    taken = [other.take(), other.take(), other.take()]
    assert all(taken)
    make_point(sweep, other.taken[0])
    other.finish(other.taken[0])
    other.finish(other.taken[1], "the disk is full")

    assert keys(ours) == ["00001-s1", "00001-s0"]
    assert [point.key for point in ours.waiting] == ["00000-s1"]


def test_a_run_that_is_still_being_saved_is_waited_for(make_points: MakePoints, sweep: Sweep) -> None:
    """Its trainer is alive though the process that claimed it is gone: its lock is held."""
    first, *_ = sweep.plan.all_points()
    path = make_point(sweep, first)
    (path / "end.json").unlink()
    other, ours = make_points(), make_points()
    other.take()
    other.finish(first)
    run = RunFolder(path)

    assert first.key not in keys(ours)
    run.close()
    assert first.key in keys(ours)


def test_a_point_that_kills_its_processes_is_given_up(
    make_points: MakePoints, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After ten of them without another epoch; not where its run goes on, nor where it is asked for."""
    first, *_ = sweep.plan.all_points()
    for generation in range(1, MAX_DEATHS + 1):
        host = Claims(sweep.folder / "claims", 60)
        host.close()
        assert host.take(first.key)
        path = sweep.folder / "claims" / f"{first.key}.{generation}"
        path.write_text(path.read_text().replace('"pid": ', '"pid": 9999999'))
    ours = make_points()

    assert first.key not in keys(ours)
    assert "10 processes died" in ours.failed[first.key]
    assert ours.given_up == [first]
    assert not ours.may_come
    ours.release()
    again = make_points(retry_failed=True)
    assert first.key in keys(again)
    again.release()
    (make_point(sweep, first) / "end.json").unlink()  # Its last epoch is newer than the claims.
    assert first.key in keys(make_points())


def test_a_stopped_sweep_gives_nothing_out(make_points: MakePoints, sweep: Sweep) -> None:
    """Until it is allowed again."""
    ours = make_points()
    sweep.stop()

    assert ours.take() is None
    assert not ours.may_come
    sweep.allow()
    assert ours.take() is not None


def test_the_same_question_goes_on(sweep: Sweep) -> None:
    """With more seeds, too; another one is another sweep, which may not have the name of this one."""
    more = lr_sweep(sweep.runs_dir, seeds=3)
    fewer = lr_sweep(sweep.runs_dir, seeds=1)
    other = lr_sweep(sweep.runs_dir, "0.3", "0.4")

    assert (more.id, more.plan.seeds) == (sweep.id, 3)
    assert (fewer.id, fewer.plan.seeds) == (sweep.id, 3)
    assert (other.name, other.id != sweep.id) == ("iter5-2", True)
    assert {each.name for each in folder.sweeps(sweep.runs_dir)} == {"iter5", "iter5-2"}
    with pytest.raises(SweepError, match="tries something else"):
        folder.start(sweep.runs_dir, other.plan, "iter5")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "id": 3, "created": "x", "plan": {}}'])
def test_a_damaged_sweep_is_said(sweep: Sweep, text: str) -> None:
    """In one line that names the file; it is no reason not to list the others."""
    (sweep.folder / "sweep.json").write_text(text)
    other = lr_sweep(sweep.runs_dir, "0.3", "0.4")

    with pytest.raises(StorageError, match=r"sweep\.json"):
        folder.find(sweep.runs_dir, "iter5")
    assert folder.find(sweep.runs_dir, None).name == other.name


def test_a_name_is_the_same_in_both_normal_forms(tmp_path: Path) -> None:
    """Some keyboards and file systems write é as two characters; it is found by one as well."""
    sweep = folder.start(tmp_path, lr_plan(), "cafe\u0301")

    assert folder.find(tmp_path, "caf\u00e9") == sweep
    assert folder.find(tmp_path, "cafe\u0301") == sweep
    assert folder.start(tmp_path, lr_plan(), "caf\u00e9") == sweep
