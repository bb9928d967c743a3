"""The line below the panes: what it says of a run, and what stays where there is less room."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.canned_lab import can_jobs, lab
from helpers.lab_pilot import STARTED, look, row, screen, tell
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mnist_tui.runs.events import Event, Paused, Progress
from mnist_tui.tui import telemetry
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.status import Part, SeedProgress, StatusLine, fitted, progress_parts

DEVICE = "cpu 97%  mem 818 MB"


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    can_jobs(monkeypatch, tmp_path)


def track(*events: Event) -> RunCurves:
    """A run in its seventh epoch of 20, ten seconds an epoch."""
    now = 0.0
    curves = RunCurves(clock=lambda: now)
    curves.add(STARTED)
    now = 1.0
    curves.add(Progress(1, 1, 938, 0.9, 0.002, 9_000.0))
    curves.add(Progress(1, 1, 938, 0.9, 0.002, 9_000.0))
    for epoch in range(1, 7):
        curves.add(row(epoch, 0.9923 if epoch == 4 else 0.9912))
    now = 66.0
    for event in (Progress(7, 469, 938, 0.0123, 0.002, 9_000.0), *events):
        curves.add(event)
    return curves


def line(width: int, seeds: int = 5, *events: Event) -> str:
    """What is said of that run, the second of so many, in so many cells."""
    progress = SeedProgress(track(*events), min(2, seeds), seeds)
    return fitted([*progress_parts(progress, ascii_only=False), Part(DEVICE, rank=7)], width)


# --- parts of a line ---

PARTS = st.lists(
    st.builds(Part, st.text("abc測", max_size=9), st.text("xy", max_size=3), st.integers(0, 4)), max_size=8
)


@given(PARTS, st.integers(0, 60))
def test_no_line_is_too_long(parts: list[Part], width: int) -> None:
    """Whatever its parts are; and something stands there where there is anything to say and room for it."""
    text = fitted(parts, width)

    assert cell_len(text) <= width
    assert text or width < 2 or not any(part.text for part in parts)


@given(st.permutations(range(6)), st.integers(2, 60))
def test_the_highest_rank_goes_first(ranks: list[int], width: int) -> None:
    """What stays keeps its order."""
    parts = [Part(f"part{rank}", rank=rank) for rank in ranks]
    kept = fitted(parts, width).split()

    assert kept == [part.text for part in parts if part.rank < len(kept)] or len(kept) == 1


def test_short_before_nothing() -> None:
    """What is most important is written short before any of it goes; then the last goes first."""
    parts = [Part("epoch 7/20", "7/20"), Part("test 99.12%", "99.12%"), Part("ETA 3 min", "3m")]
    lines = [fitted(parts, width) for width in (34, 33, 16, 15, 12, 11, 4)]

    assert lines[:2] == ["epoch 7/20  test 99.12%  ETA 3 min", "7/20  99.12%  3m"]
    assert lines[2:] == ["7/20  99.12%  3m", "7/20  99.12%", "7/20  99.12%", "7/20", "7/20"]


# --- what is said of a run ---


def test_everything_where_there_is_room() -> None:
    """In the order in which it is read."""
    assert line(200) == (
        "iter5 s0  training  seed 2 of 5  epoch 7/20  █████░░░░░░░░░░░  32%  test 99.12%  best 99.23% in 4"
        "  ETA 2 min 15 s  loss 0.0123  9,000 img/s  step 469/938  cpu 97%  mem 818 MB"
    )


def test_what_goes_first() -> None:
    """The device, then the numbers of the step, the bar and the name; what is asked most is never given up for them."""
    words = ["mem", "step 469", "img/s", "loss", "32%", "training", "iter5", "best"]
    whole = "seed 2 of 5  epoch 7/20  test 99.12%  ETA 2 min 15 s"
    widths = range(200, len(whole) - 1, -1)
    gone = [next(width for width in widths if word not in line(width)) for word in words]

    assert gone == sorted(gone, reverse=True)
    assert all(word in line(width) for word in whole.split("  ") for width in widths)


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (78, "training  seed 2 of 5  epoch 7/20  test 99.12%  best 99.23% in 4  ETA 2 min 15 s"),
        (38, "2/5  7/20  99.12%  2m 15s"),
        (18, "2/5  7/20  99.12%"),
        (12, "2/5  7/20"),
    ],
)
def test_terminals_that_are_small(width: int, said: str) -> None:
    """Seed, epoch, accuracy and time of arrival stay, as long as there is any room for them."""
    text = line(width)

    assert set(said.split("  ")) - set(text.split("  ")) <= {"training", "best 99.23% in 4"}
    assert cell_len(text) <= width


def test_one_seed_is_not_counted() -> None:
    """Nothing is said of seeds where there is one."""
    assert "seed" not in line(200, seeds=1)


def test_a_pause_is_said_in_any_width() -> None:
    """A paused run is marked as paused at every width."""
    lines = [line(width, 1, Paused(7, 469)) for width in (200, 78, 38, 18)]

    assert ["paused" in said for said in lines] == [True] * 4
    assert not any("ETA" in said for said in lines)


def test_no_epoch_beyond_the_plan() -> None:
    """A run that ended says its last epoch, and no more."""
    last = [row(epoch) for epoch in range(7, 21)]

    assert "epoch 20/20" in line(200, 1, *last, Progress(20, 938, 938, 0.01, 0.002, 9_000.0))


# --- on the screen ---


@pytest.mark.slow
@pytest.mark.usefixtures("canned")
@pytest.mark.parametrize("size", [(80, 24), (40, 10), (20, 1), (12, 1)])
async def test_the_line_at_every_size(size: tuple[int, int]) -> None:
    """Seed, epoch and accuracy are in sight; where the terminal has one line, it is this one."""
    async with lab(size=size) as pilot:
        screen(pilot).query_one(StatusLine).device = DEVICE
        screen(pilot).view.begin_group(5)
        await tell(pilot, STARTED, row(1), row(2, 0.9912), Progress(3, 469, 938, 0.0123, 0.002, 9_000.0))
        screen(pilot).lines.show_progress()
        await pilot.pause()
        seen = look(pilot).splitlines()

    expected = (
        ["1/5", "3/20", "99.12%"][: size[0] // 5] if size[1] == 1 else ["seed 1 of 5", "epoch 3/20", "test 99.12%"]
    )

    assert any(set(expected) <= set(text.strip().split("  ")) for text in seen)
    assert all("cpu" not in text for text in seen)
    assert len(seen) == size[1]


@pytest.mark.slow
@pytest.mark.usefixtures("canned")
async def test_the_device_stands_at_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is room for it."""
    monkeypatch.setattr(telemetry, "in_words", lambda reading, width: DEVICE)
    async with lab(size=(160, 40)) as pilot:
        screen(pilot).query_one(StatusLine).device = DEVICE
        await tell(pilot, replace(STARTED, name="測試"), row(1), Progress(2, 1, 938, 0.3, 0.002, 9_000.0))
        screen(pilot).lines.show_progress()
        await pilot.pause()
        seen = next(text for text in look(pilot).splitlines() if DEVICE in text)

    assert seen.startswith(" 測試 s0  training  epoch 2/20")
    assert cell_len(seen) == 159


@pytest.mark.slow
@pytest.mark.usefixtures("canned")
async def test_a_sweep_that_begins_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both what is waited for and the queue say how far it is."""
    async with lab() as pilot:
        status = screen(pilot).query_one(StatusLine)
        lines: list[str] = []
        monkeypatch.setattr(status, "put", lines.append)
        status.queue, status.device = "sweep iter3: 0 of 2 done  1 queued", ""
        status.show(None, "sweep iter3: 0 of 2 done", ascii_only=False)

        assert lines == ["sweep iter3: 0 of 2 done  1 queued"]
