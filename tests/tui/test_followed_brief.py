"""A course brief in the laboratory: its current step in the budget card, and the dialog that chooses one."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers.analyse_pilot import golden
from helpers.canned_lab import can_jobs, ended, lab, shown
from helpers.lab_pilot import STARTED, field, look, notices, on_top, row, screen, tell, until
from helpers.saved_runs import make_run
from textual.pilot import Pilot
from textual.widgets import OptionList

from mnist_tui.analysis.brief_progress import assign
from mnist_tui.runs import trash
from mnist_tui.runs.index import RunIndex
from mnist_tui.spec import briefs, presets
from mnist_tui.tui import telemetry
from mnist_tui.tui.help import HelpScreen
from mnist_tui.tui.lab import brief_reader, jobs
from mnist_tui.tui.lab.brief_dialog import BriefDialog, BriefList
from mnist_tui.tui.lab.brief_reader import BriefReader, shown_step
from mnist_tui.tui.lab.budget import BudgetCard
from mnist_tui.tui.lab.followed_brief import FollowedBrief
from mnist_tui.tui.status import Headline


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two runs in ./runs, the first of which reaches step 1 of `steps`; no torch."""
    can_jobs(monkeypatch, tmp_path)
    monkeypatch.setattr(jobs, "advice", lambda folder: [])
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_: tmp_path / "config")
    trained("step1", 1, 0.98, 0.9895)
    trained("step2", 2, 0.98, 0.9928)


def trained(name: str, index: int, *accuracies: float) -> Path:
    """A run of a preset among the runs."""
    return make_run(Path("runs"), presets.load(name), 0, index=index, accuracies=accuracies)


@asynccontextmanager
async def following(brief: str | None = "steps", **changes: Any) -> AsyncIterator[Pilot[Any]]:
    """The laboratory with a brief, once its step is shown or its error is notified."""
    async with lab(**{"size": (120, 40), "brief": brief} | changes) as pilot:
        await until(pilot, lambda: brief is None or screen(pilot).design.step or notices(pilot))
        yield pilot


def card(pilot: Pilot[Any]) -> list[str]:
    """The lines of the budget card."""
    return shown(pilot, BudgetCard).splitlines()


# --- the card -------------------------------------------------------------------------------------------------------


async def test_the_card_judges_the_design_by_the_current_step() -> None:
    """Its title, its limits, the run that reached a step, and the best attempt; the headline has the same limit."""
    async with following() as pilot:
        assert card(pilot) == [
            "steps 2/4: The skeleton",
            "parameters  18,422 < 20,000  ✓ ok",
            "best acc    99.30% wanted",
            "epochs      20",
            "reached: 1 by 0001",
            "best 0002: 99.28%, 0.02 below",
        ]
        assert screen(pilot).query_one(BudgetCard).size.height == 6


async def test_what_is_typed_is_judged_at_once() -> None:
    """Parameters and epochs against the limits of the step, not against those of the preset."""
    trained("step2", 3, 0.99, 0.9935)
    trained("step3", 4, 0.99, 0.9934)
    async with following() as pilot:
        assert card(pilot)[0] == "steps 4/4: Capacity and pooling"
        assert card(pilot)[1] == "params 18,422/8,000 ✗ OVER by 10,423"
        assert card(pilot)[3] == "epochs 20 > 15 ✗ OVER by 5"
        assert "OVER by 10,423 (< 8,000)" in shown(pilot, Headline)
        field(pilot, "epochs").value = "15"
        await until(pilot, lambda: card(pilot)[3] == "epochs 15 ✓ ok")


async def test_a_run_that_ends_is_counted() -> None:
    """The next step is shown; a run that was deleted in another mode is not counted any more."""
    async with following() as pilot:
        folder = trained("step2", 3, 0.99, 0.9935)
        await tell(pilot, STARTED, row(1), ended("completed", row(1)))
        await until(pilot, lambda: card(pilot)[0] == "steps 3/4: Batch normalization")
        assert card(pilot)[4] == "reached: 1 by 0001, 2 by 0003"
        trash.delete(folder)
        await pilot.press("2", "1")
        await until(pilot, lambda: card(pilot)[0] == "steps 2/4: The skeleton")


async def test_without_a_brief_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card is that of the preset's target, and no run is looked at."""
    monkeypatch.setattr(brief_reader, "BriefReader", None)
    async with following(None) as pilot:
        await tell(pilot, STARTED, row(1), ended("completed", row(1)))

        assert card(pilot) == ["parameters  18,422 < 20,000  ✓ ok", "best acc    99.40% wanted", "epochs      20"]
        assert screen(pilot).query_one(BudgetCard).size.height == 3


@pytest.mark.parametrize(
    ("brief", "message"),
    [
        ("stps", "no course brief: there is no brief 'stps'; did you mean 'steps'?"),
        ("bad.toml", "no course brief: bad.toml, title: is missing"),
    ],
)
async def test_a_brief_that_cannot_be_used_is_said_once(brief: str, message: str) -> None:
    """The laboratory opens, with the target of the design."""
    Path("bad.toml").write_text("")
    async with following(brief) as pilot:
        await tell(pilot, STARTED, row(1), ended("completed", row(1)))

        assert notices(pilot) == [message]
        assert card(pilot)[0] == "parameters  18,422 < 20,000  ✓ ok"
        assert screen(pilot).query_one(BudgetCard).size.height == 3


async def test_text_from_a_brief_is_text() -> None:
    """Markup and control characters of a file are shown and not obeyed, in the card and in the dialog."""
    evil = 'title = "[bold]\\u001b[2J[/]"\n[[steps]]\nname = "[@click=app.quit]x[/]"\nasked = "[red]y"\n'
    Path("evil.toml").write_text(f"{evil}target.epochs = 99\n")
    async with following("evil.toml") as pilot:
        assert card(pilot)[0] == "evil: the step is reached"
        await pilot.press("b")
        await until(pilot, lambda: isinstance(pilot.app.screen, BriefDialog))
        await until(pilot, lambda: "asked      [red]y" in look(pilot))

        assert "step 1 of 1  [@click=app.quit]x[/]" in look(pilot)
        assert "\x1b" not in look(pilot)


# --- its texts ------------------------------------------------------------------------------------------------------


def step_of(name: str) -> Any:
    """The step that the runs in ./runs have come to."""
    index = RunIndex(Path("runs"))
    index.refresh()
    brief = briefs.load(name)
    return shown_step(brief, assign(brief, index.all))


def test_where_every_step_is_reached_the_last_one_stays() -> None:
    """Its limits are those of the goal."""
    step = step_of("versions")

    assert step.title == "versions: all 3 steps are reached"
    assert (step.target.parameters, step.best) == (20_000, "")
    assert step.reached == ["reached: 1 by 0002, 2 by 0002, 3 by 0002", "3 of 3 reached, 3 by 0002"]


def test_where_nothing_is_reached_the_best_attempt_is_all() -> None:
    """Parts that are missed by numbers are named."""
    step = step_of("session5")

    assert step.title == "session5 1/1: The whole task"
    assert step.reached == []
    assert step.best == "best 0002: 99.28%, 0.12 below, parameters over by 8,259"


@pytest.mark.parametrize("size", [(80, 24), (60, 18), (40, 12)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_in_little_room_the_limits_come_first(size: tuple[int, int]) -> None:
    """The layer table keeps its lines: the best attempt is left out, then the runs that reached a step."""
    async with following(size=size) as pilot:
        await pilot.press("f5")
        await until(pilot, lambda: screen(pilot).query_one(BudgetCard).size.height in (4, 5))

        assert "steps 2/4: The skeleton" in look(pilot)
        assert "99.30%" in look(pilot)
        assert ("reached: 1 by 0001" in look(pilot)) is (size == (80, 24))
        assert "best 0002" not in look(pilot)


# --- choosing one ---------------------------------------------------------------------------------------------------


async def test_b_lists_the_briefs_and_enter_follows_one() -> None:
    """With what each asks for; the choice is for this session, and the notice says how to keep it."""
    async with following(None) as pilot:
        await pilot.press("b")
        await until(pilot, lambda: isinstance(pilot.app.screen, BriefDialog))
        names = [str(option.prompt).split()[0] for option in pilot.app.screen.query_one(BriefList).options]
        assert names == ["none", *briefs.builtin_names()]
        await pilot.press("down", "down", "down", "down")
        await until(pilot, lambda: "source: Paurnima-Chavan" in on_top(pilot, "#brief-text"))
        assert "step 1 of 4  The set-up (reached)" in on_top(pilot, "#brief-text")
        await pilot.press("enter")
        await until(pilot, lambda: card(pilot)[0] == "steps 2/4: The skeleton")

        assert notices(pilot) == ["until you quit; mnist-tui config set brief steps keeps it"]


@pytest.mark.parametrize("is_late", [True, False], ids=["late", "control"])
async def test_the_list_does_not_open_over_another_dialog(is_late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was opened while the runs were read stays on top."""
    may_end, has_ended = threading.Event(), threading.Event()
    read, ask = BriefReader.list_briefs, FollowedBrief._ask

    def read_late(*arguments: Any) -> Any:
        may_end.wait(10)
        return read(*arguments)

    def note(*arguments: Any) -> None:
        ask(*arguments)
        has_ended.set()

    monkeypatch.setattr(BriefReader, "list_briefs", read_late)
    monkeypatch.setattr(FollowedBrief, "_ask", note)
    async with following(None) as pilot:
        await pilot.press("b")
        if is_late:
            await pilot.press("question_mark")
        may_end.set()
        await until(pilot, has_ended.is_set)
        await pilot.pause(0.2)

        assert isinstance(pilot.app.screen, HelpScreen if is_late else BriefDialog)


async def test_none_brings_the_target_of_the_design_back() -> None:
    """The card is as without a brief; Escape changes nothing."""
    async with following() as pilot:
        await pilot.press("b")
        await until(pilot, lambda: isinstance(pilot.app.screen, BriefDialog))
        assert pilot.app.screen.query_one(BriefList).highlighted == 1 + briefs.builtin_names().index("steps")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen(pilot))
        assert card(pilot)[0] == "steps 2/4: The skeleton"
        await pilot.press("b")
        await until(pilot, lambda: isinstance(pilot.app.screen, BriefDialog))
        await pilot.press("home", "enter")
        await until(pilot, lambda: card(pilot)[0] == "parameters  18,422 < 20,000  ✓ ok")

        assert screen(pilot).query_one(BudgetCard).size.height == 3
        assert notices(pilot) == ["until you quit; mnist-tui config unset brief keeps it"]


async def test_a_file_that_is_followed_and_a_broken_one_are_in_the_list() -> None:
    """A broken file says what is wrong with it and can be left alone."""
    Path("mine.toml").write_text('title = "Mine"\n[[steps]]\nname = "One"\nasked = "It."\ntarget.epochs = 5\n')
    Path("briefs").mkdir()
    Path("briefs/broken.toml").write_text("title = 1")
    async with following("mine.toml") as pilot:
        await pilot.press("b")
        await until(pilot, lambda: isinstance(pilot.app.screen, BriefDialog))
        options = pilot.app.screen.query_one(OptionList)
        assert [str(option.prompt).split()[0] for option in options.options[:2]] == ["none", "mine.toml"]
        assert options.highlighted == 1
        options.highlighted = options.option_count - 1
        await until(pilot, lambda: "broken.toml, " in on_top(pilot, "#brief-text"))
        await pilot.press("enter")
        await until(pilot, lambda: any(notice.startswith("no course brief: ") for notice in notices(pilot)))

        assert card(pilot)[0] == "parameters  18,422 < 20,000  ✓ ok"


async def test_the_palette_has_it() -> None:
    """By its name, as every key."""
    async with following() as pilot:
        titles = {command.title for command in pilot.app.get_system_commands(screen(pilot))}

        assert "Brief" in titles


# --- pictures -------------------------------------------------------------------------------------------------------

SIZES = {
    "80x24": ((80, 24), False),
    "120x40": ((120, 40), False),
    "200x60": ((200, 60), False),
    "120x40-ascii": ((120, 40), True),
}


@pytest.mark.slow
@pytest.mark.painted  # What lies behind the dialog is in the picture.
@pytest.mark.parametrize("size", SIZES)
async def test_how_a_brief_looks(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The laboratory with the current step of a brief, then the dialog; MNIST_TUI_WRITE_GOLDEN=1 writes the files."""
    monkeypatch.setattr(telemetry, "in_words", lambda reading, width: "")
    cells, ascii_only = SIZES[size]
    async with following(size=cells, ascii=ascii_only) as pilot:
        presets_list = screen(pilot).query_one(OptionList)
        await until(pilot, lambda: "Session 5" in str(presets_list.get_option("era5").prompt))
        done: list[object] = []
        screen(pilot).submit("last", lambda: None, lambda result, error: done.append(error))
        await until(pilot, lambda: done)
        golden(f"brief-card-{size}", look(pilot))
        await pilot.press("b")
        await until(pilot, lambda: isinstance(pilot.app.screen, BriefDialog) and "step 1 of 4" in look(pilot))
        golden(f"brief-dialog-{size}", look(pilot))
