"""Claims on points: one process has each, and another takes over where it died."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from helpers.python_processes import wait

from mnist_tui.sweep.claims import Claims

KEY = "00003-s1"


@pytest.fixture
def claims(tmp_path: Path) -> Iterator[Claims]:
    """Those of this process."""
    with closing(Claims(tmp_path, 60)) as ours:
        yield ours


def test_a_point_is_claimed_once(claims: Claims, tmp_path: Path) -> None:
    """By whoever is first; the other learns of it, and of the values that it carries."""
    with closing(Claims(tmp_path, 60)) as others:
        assert claims.take(KEY, {"lr": "0.1"})
        assert not others.take(KEY)

        assert others.is_claimed(KEY)
        newest = others.newest(KEY)
        assert newest is not None
        assert (newest.state, newest.values) == ("held", {"lr": "0.1"})


def test_what_was_given_back_can_be_taken(claims: Claims, tmp_path: Path) -> None:
    """Once; it is no death, and what it carried stays."""
    with closing(Claims(tmp_path, 60)) as others, closing(Claims(tmp_path, 60)) as third:
        claims.take(KEY, {"lr": "0.1"})
        claims.release(KEY, "the disk is full")
        others.refresh()
        third.refresh()
        newest = others.newest(KEY)

        assert newest is not None
        assert (newest.state, newest.error, newest.values) == ("released", "the disk is full", {"lr": "0.1"})
        assert [others.take(KEY), third.take(KEY)] == [True, False]
        assert others.deaths(KEY) == 0


def _claim_and_die(folder: Path) -> None:
    assert Claims(folder, 60).take(KEY)
    os._exit(0)


def test_a_dead_process_of_this_machine_is_seen_at_once(tmp_path: Path) -> None:
    """Without waiting for its lease; a living one is held, whoever it is."""
    process = multiprocessing.get_context("spawn").Process(target=_claim_and_die, args=(tmp_path,))
    process.start()
    process.join()
    with closing(Claims(tmp_path, 60)) as claims:
        newest = claims.newest(KEY)

        assert newest is not None
        assert newest.state == "dead"
        assert claims.deaths(KEY) == 1
        assert claims.take(KEY)
        assert claims.newest(KEY) is not None
        assert claims.newest(KEY).state == "held"  # type: ignore[union-attr]


def test_another_machine_is_dead_when_its_lease_is_over(tmp_path: Path) -> None:
    """By the time of the file system; it is held until then, and a claim that cannot be read too."""
    path = tmp_path / f"{KEY}.1"
    path.write_text(json.dumps({"host": "another", "pid": os.getpid(), "started": 1}))
    (tmp_path / "00004-s0.1").write_text("")
    with closing(Claims(tmp_path, 60)) as claims:
        states = [claims.newest(key).state for key in (KEY, "00004-s0")]  # type: ignore[union-attr]
        for name in (path, tmp_path / "00004-s0.1"):
            os.utime(name, (time.time() - 61, time.time() - 61))
        later = [claims.newest(key).state for key in (KEY, "00004-s0")]  # type: ignore[union-attr]

    assert (states, later) == (["held", "held"], ["dead", "dead"])
    assert not list(tmp_path.glob(".*"))


def test_a_claim_of_a_clock_that_was_ahead_is_not_held_for_hours(tmp_path: Path) -> None:
    """Its process would have renewed it by the clock that was set since."""
    path = tmp_path / f"{KEY}.1"
    path.write_text(json.dumps({"host": "another", "pid": 1, "started": 1}))
    with closing(Claims(tmp_path, 60)) as claims:
        states = []
        for ahead in (5, 3 * 3600):
            os.utime(path, (time.time() + ahead, time.time() + ahead))
            states.append(claims.newest(KEY).state)  # type: ignore[union-attr]

    assert states == ["held", "dead"]


def test_a_number_that_is_used_again_is_another_process(tmp_path: Path, claims: Claims) -> None:
    """A process with the same number that began at another time is not the claim's."""
    claims.take(KEY)
    document = json.loads((tmp_path / f"{KEY}.1").read_text())
    (tmp_path / f"{KEY}.1").write_text(json.dumps(document | {"started": document["started"] - 1}))

    assert claims.newest(KEY).state == "dead"  # type: ignore[union-attr]


def test_claims_are_renewed_and_losing_one_is_noticed(tmp_path: Path) -> None:
    """As a process does that was suspended for longer than its lease."""
    with closing(Claims(tmp_path, 0.3)) as claims:
        claims.take(KEY)
        os.utime(tmp_path / f"{KEY}.1", (1, 1))
        wait(lambda: time.time() - (tmp_path / f"{KEY}.1").stat().st_mtime < 10)
        was_lost = bool(claims.lost)
        (tmp_path / f"{KEY}.2").write_text("{}")
        wait(lambda: claims.lost == {KEY})

    assert not was_lost


RACE = """
import sys, time
from pathlib import Path
from mnist_tui.sweep.claims import Claims
claims = Claims(Path(sys.argv[1]), 60)
time.sleep(max(0, float(sys.argv[2]) - time.time()))
print(" ".join(str(number) for number in range(200) if claims.take(f"{number:05d}-s0")))
"""


@pytest.mark.slow
def test_of_processes_that_race_one_gets_each_point(tmp_path: Path) -> None:
    """Four processes claim the same 200 points: each is claimed, none of them twice."""
    at = str(time.time() + 3)
    command = [sys.executable, "-c", RACE, str(tmp_path), at]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    taken = [number for racer in racers for number in racer.communicate()[0].split()]

    assert sorted(taken, key=int) == [str(number) for number in range(200)]


def test_claiming_is_quick(claims: Claims) -> None:
    """Under 5 ms each, 2,000 of them, on a busy machine too."""
    started = time.perf_counter()
    for number in range(2_000):
        assert claims.take(f"{number:05d}-s0")

    assert (time.perf_counter() - started) / 2_000 < 0.005
