"""Which points of a search a process trains next, and that several processes share them; nothing is trained."""

import json
import random
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from helpers.searches import Process, make_plan, save_run, start

from mnist_tui.sweep import points
from mnist_tui.sweep.claims import Claims
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.plan import Point
from mnist_tui.sweep.results import Results
from mnist_tui.sweep.search.proposals import propose
from mnist_tui.sweep.search.trials import trials_of

TRIALS = 12
PROPOSE = "mnist_tui.sweep.search.search_points.propose"


@pytest.fixture(autouse=True)
def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points of other processes are looked at without a pause."""
    monkeypatch.setattr(points, "LOOK_SECONDS", 0.0)


def values_by_number(sweep: Sweep) -> dict[int, set[str]]:
    """By the number of each configuration the values under which its runs were trained."""
    found = defaultdict(set)
    for path in sweep.runs_dir.glob("*/run.json"):
        label = json.loads(path.read_text())["sweep"]
        found[label["point"]].add(json.dumps(label["values"]))
    return dict(found)


def trained(sweep: Sweep) -> list[str]:
    """The keys of the points of all runs."""
    records = [json.loads(path.read_text()) for path in sweep.runs_dir.glob("*/run.json")]
    return sorted(Point(record["sweep"]["point"], record["seed"], {}).key for record in records)


def keys(sweep: Sweep) -> list[str]:
    """The keys of all points that there should be."""
    return [Point(number, seed, {}).key for number in range(TRIALS) for seed in sweep.plan.seed_range]


def train_interleaved(sweep: Sweep, chance: random.Random, kills: float = 0.0) -> None:
    """Three processes take and end points in a random order, until none is left; some are killed and started again."""
    processes = [Process(sweep) for _ in range(3)]
    under_way: dict[int, list[Point]] = {index: [] for index in range(3)}
    for _ in range(2_000):
        index = chance.randrange(3)
        process, held = processes[index], under_way[index]
        if chance.random() < kills:
            for each in processes:  # To the others it looks as if all had died: they have one process id here.
                each.die()
            processes, under_way = [Process(sweep) for _ in range(3)], {index: [] for index in range(3)}
        elif held and chance.random() < 0.5:
            process.end(held.pop(chance.randrange(len(held))), chance.random())
        elif point := process.take():
            held.append(point)
        elif not any(under_way.values()) and not any(each.points.may_come for each in processes):
            return
    raise AssertionError("the search does not end")


# --- one process ---


def test_seeds_come_in_a_row(tmp_path: Path) -> None:
    """Each configuration is trained with all seeds before the next; its number, seeds and values are in the job."""
    sweep = start(tmp_path, make_plan(seeds=3, trials=2))
    process = Process(sweep)
    taken = []
    while (point := process.take()) is not None:
        taken.append(point)
        process.end(point)

    assert [(point.number, point.seed) for point in taken] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert len(values_by_number(sweep)) == 2
    assert all(len(values) == 1 for values in values_by_number(sweep).values())


def test_search_that_was_ended_goes_on_with_more_trials(tmp_path: Path) -> None:
    """Asked for more, it proposes further ones; those that are done are not trained again."""
    process = Process(start(tmp_path, make_plan(trials=3)))
    while (point := process.take()) is not None:
        process.end(point)
    sweep = start(tmp_path, make_plan(trials=5))
    again = Process(sweep)
    numbers = []
    while (point := again.take()) is not None:
        again.end(point)
        numbers.append(point.number)

    assert numbers == [3, 4]


def test_finite_space_ends_the_search_early(tmp_path: Path) -> None:
    """After six configurations there is no other, and nothing more comes."""
    process = Process(start(tmp_path, make_plan({"width": "1..2", "dropout": ("0", "0.1", "0.2")})))
    count = 0
    while (point := process.take()) is not None:
        process.end(point)
        count += 1

    assert count == 6
    assert not process.points.may_come


# --- several processes ---


def test_process_that_is_slower_takes_the_other_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that propose at once, the second trains what the first claimed, with its next seed, or the next number."""
    for seeds, expected in ((2, (0, 1)), (1, (1, 0))):
        sweep = start(tmp_path / str(seeds), make_plan(seeds=seeds))
        faster, slower = Process(sweep), Process(sweep)
        first: list[Point] = []

        def race(*arguments: Any, first: Any = first, faster: Any = faster) -> Any:
            monkeypatch.setattr(PROPOSE, propose)
            first.append(faster.take())
            return {"optimizer.lr": "0.5", "width": "40", "dropout": "0.2"}

        monkeypatch.setattr(PROPOSE, race)
        second = slower.take()
        assert second is not None

        assert (first[0].number, first[0].seed) == (0, 0)
        assert (second.number, second.seed) == expected
        assert (second.values == first[0].values) is (seeds == 2)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("kills", [0.0, 0.05])
def test_processes_share_a_search(tmp_path: Path, seeds: int, kills: float) -> None:
    """Every point is trained once, under one set of values for each number, whatever the order; kills lose none."""
    for seed in range(2):
        sweep = start(tmp_path / str(seed), make_plan(seeds=seeds, sampler="random", trials=TRIALS))
        train_interleaved(sweep, random.Random(seed), kills)

        assert trained(sweep) == keys(sweep)
        assert all(len(values) == 1 for values in values_by_number(sweep).values())


def test_control_without_exclusive_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above fails where a claim can be made twice: two processes train something else under one number."""

    def take_alone(self: Claims, key: str, values: Mapping[str, str] | None = None) -> bool:
        self._generations[key] = self._held[key] = self._generations.get(key, 0) + 1
        return True

    monkeypatch.setattr(Claims, "take", take_alone)
    monkeypatch.setattr(Claims, "refresh", lambda self: None)
    sweep = start(tmp_path, make_plan(trials=TRIALS))
    train_interleaved(sweep, random.Random(0))

    assert trained(sweep) != keys(sweep)
    assert any(len(values) > 1 for values in values_by_number(sweep).values())


def test_claim_of_a_process_that_died_keeps_its_values(tmp_path: Path) -> None:
    """Killed between its claim and its run, a configuration is trained by the next process with the same values."""
    sweep = start(tmp_path, make_plan())
    first = Process(sweep)
    claimed = first.take()
    first.die()
    process = Process(sweep)
    taken = [process.take(), process.take()]
    assert claimed is not None

    assert claimed in taken
    assert claimed.values == next(point.values for point in taken if point and point.number == 0)


def test_claim_that_is_being_written_is_passed_over(tmp_path: Path) -> None:
    """While another process writes its values, the next number is proposed; died it in there, they are chosen anew."""
    sweep = start(tmp_path, make_plan())
    claim = sweep.folder / "claims" / "00000-s0.1"
    claim.touch()
    process = Process(sweep)
    before = process.take()
    assert process.points.may_come
    claim.write_text('{"released": true}')
    after = process.take()

    assert (before and before.number, after and after.number) == (1, 0)
    assert json.loads((sweep.folder / "claims" / "00000-s0.2").read_text())["values"] == (after and after.values)


def test_interrupted_run_is_resumed(tmp_path: Path) -> None:
    """A run that was stopped goes on in its folder, with its values, before anything is proposed."""
    sweep = start(tmp_path, make_plan())
    first = Process(sweep)
    point = first.take()
    assert point is not None
    folder = save_run(sweep, point, (0.5,), "stopped")
    first.points.finish(point)
    jobs = [job for _ in range(2) if (job := Process(sweep).take_job())]

    assert folder in [job.folder for job in jobs]


def test_failed_run_does_not_end_the_search(tmp_path: Path) -> None:
    """The configuration counts as failed, and the next is proposed."""
    sweep = start(tmp_path, make_plan(trials=2))
    process = Process(sweep)
    point = process.take()
    assert point is not None
    save_run(sweep, point, (0.5,), "failed")
    process.points.finish(point, "out of memory")
    other = process.take()
    results = Results(sweep)
    results.refresh()

    assert other is not None
    assert other.number == 1
    assert [trial.state for trial in trials_of(results, process.claims)] == ["failed", "running"]
