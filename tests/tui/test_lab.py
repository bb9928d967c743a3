"""The laboratory under a pilot: what is typed, picked and told comes to every pane of it. Nothing is trained."""

import errno
import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from helpers.lab_pilot import lab_request
from rich.style import Style
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList, Static, TextArea

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import (
    Downloading,
    EpochEnded,
    LearningRateChanged,
    Notice,
    Paused,
    Progress,
    RunEnded,
    RunStarted,
    Unpaused,
)
from mnist_tui.settings.last_used import last_used
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui import external_editor, telemetry
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.charts.chart import Chart
from mnist_tui.tui.charts.plot import Plot
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.charts.zoom import Readout, ZoomScreen
from mnist_tui.tui.dialogs import AskDialog, MessageDialog, QuitDialog, RunDialog, SavedLine
from mnist_tui.tui.help import HelpScreen
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.budget import BudgetCard
from mnist_tui.tui.lab.choice import Choice
from mnist_tui.tui.lab.field_line import FieldError, FieldLine
from mnist_tui.tui.lab.panes import Pane
from mnist_tui.tui.lab.run_card import RunCard
from mnist_tui.tui.lab.screen import LabScreen
from mnist_tui.tui.messages import RunnerMessage
from mnist_tui.tui.runner import Crashed, Idle, Refused, Runner, RunnerEvent
from mnist_tui.tui.status import Headline, StatusLine

WIDE, MIDDLE, NARROW, TINY = (120, 40), (80, 24), (60, 18), (30, 8)

STARTED = RunStarted(
    "r1", "runs/r1", "iter5", 0, 18_422, 20, 938, 60_000, 0, 10_000, "mnist", "cpu", 1, epochs_done=0, steps_done=0
)


def row(epoch: int, test: float = 0.98, **changes: Any) -> EpochEnded:
    """An epoch that ended."""
    ended = EpochEnded(epoch, 0.1 / epoch, 0.97, None, None, 0.05, test, 0.002, 6.5, 9_000.0)
    return replace(ended, **changes)


class CannedRunner(Runner):
    """A runner that does not train; it records its calls."""

    def __init__(self) -> None:
        super().__init__(Options(), lambda folder: None)
        self.trained: list[RunSpec] = []
        self.asked: list[tuple[str, float | None]] = []
        self.busy = False

    @property
    def is_busy(self) -> bool:
        return self.busy

    def train(self, specs: Sequence[RunSpec]) -> None:
        self.trained += specs
        self.busy = True

    def send_request(self, request: str, rate: float | None = None) -> None:
        self.asked.append((request, rate))
        Control().apply(request, rate)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def no_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "warm_up", lambda: None)
    monkeypatch.setattr(jobs, "rates", lambda spec: (0.1, 0.2, 0.1))
    monkeypatch.setattr(jobs, "live_run", lambda runs_dir: None)
    monkeypatch.setattr(jobs, "run_spec", lambda folder: presets.load("iter5"))
    no_digits = type(
        "AugmentedSample",
        (),
        {"dataset": "mnist", "labels": (3,) * 12, "digits": (bytes(range(196)) * 4,) * 12, "slow": (), "classes": ()},
    )
    monkeypatch.setattr(jobs, "sample_augmented", lambda *asked: no_digits)


@asynccontextmanager
async def lab(name: str = "iter5", size: tuple[int, int] = WIDE, **changes: Any) -> AsyncIterator[Pilot[Any]]:
    """The laboratory on a preset."""
    app = LabApp(lab_request(name, **changes), CannedRunner())
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield pilot


async def settled(pilot: Pilot[Any], until: Callable[[], object] = lambda: True) -> None:
    """Waits until no edit is pending and `until` returns true."""
    for _ in range(2000):
        await pilot.pause(0.01)
        if until() and screen(pilot).panes._draft_timer is None:
            await pilot.pause()
            return
    raise AssertionError("the condition never became true")


def screen(pilot: Pilot[Any]) -> LabScreen:
    """The laboratory's screen."""
    return next(one for one in pilot.app.screen_stack if isinstance(one, LabScreen))


def runner(pilot: Pilot[Any]) -> CannedRunner:
    """The canned runner."""
    canned_runner = pilot.app.runner  # type: ignore[attr-defined]
    assert isinstance(canned_runner, CannedRunner)
    return canned_runner


def shown(pilot: Pilot[Any], selector: str | type[Static]) -> str:
    """The text of a widget."""
    return str(screen(pilot).query(selector).first(Static).visual)


def legend(chart: Chart) -> str:
    """What stands above a chart."""
    return str(chart.query_one(Static).visual)


async def tell(pilot: Pilot[Any], *events: RunnerEvent) -> None:
    """Posts events as the runner does."""
    for event in events:
        screen(pilot).post_message(RunnerMessage(event))
    await settled(pilot)


# --- designing ---


async def test_the_first_screen() -> None:
    """Preset, parameters, verdict, layer table and recipe are there at once."""
    async with lab() as pilot:
        layers = shown(pilot, "#layer-rows")
        budget = shown(pilot, BudgetCard)
        headline = shown(pilot, Headline)

        assert "Conv2d(16,3,p=1) 16x14x14     1,168" in layers
        assert "18,422 < 20,000  ✓ ok" in budget
        assert headline.startswith("iter5  18,422 params  ok (< 20,000)")


async def test_typing_a_layer_changes_table_and_count() -> None:
    """Every keystroke comes to the table, the count, the budget and the marks of what differs."""
    async with lab() as pilot:
        area = screen(pilot).query_one(TextArea)
        area.text = area.text.replace("Conv2d(16, 3", "Conv2d(26, 3")
        await settled(pilot)
        layers = shown(pilot, "#layer-rows")

        assert "~ Conv2d(26,3" in layers
        assert "+730" in layers
        assert "OVER by" not in shown(pilot, Headline)
        assert "1 change" in shown(pilot, Headline)


async def test_a_mistake_is_said_below_the_layers() -> None:
    """With the line, the reason and the nearest word, over no layer; taken back when it is right again."""
    async with lab() as pilot:
        area = screen(pilot).query_one(TextArea)
        right = area.text
        area.text = right.replace("BatchNorm2d()", "BatchNorm2()", 1)
        mistake = screen(pilot).query_one("#mistake", Static)
        await settled(pilot, lambda: bool(mistake.display))
        said, covered = shown(pilot, "#mistake"), area.region.overlaps(mistake.region)
        stale = shown(pilot, "#layer-rows")
        area.text = right
        await settled(pilot, lambda: not mistake.display)

        assert "line 2: there is no layer 'BatchNorm2'; did you mean 'BatchNorm2d'?" in said
        assert not covered
        assert stale.startswith("! as they were before the mistake")
        assert not mistake.display


async def test_completion() -> None:
    """The rest of a layer's name, and of an argument's, is offered and taken with the right arrow."""
    async with lab() as pilot:
        area = screen(pilot).query_one(TextArea)
        area.focus()
        area.text = ""
        await pilot.press(*"Drop")
        offered = area.suggestion
        await pilot.press("right", *"0.1)")

        assert offered == "out("
        assert area.text == "Dropout(0.1)"


async def test_undo() -> None:
    """What was typed is taken back by ctrl+z."""
    async with lab() as pilot:
        area = screen(pilot).query_one(TextArea)
        before = area.text
        area.focus()
        await pilot.press("x")
        typed = area.text
        await pilot.press("ctrl+z")

        assert typed == f"x{before}"
        assert area.text == before


def field(pilot: Pilot[Any], path: str) -> FieldLine:
    """The line of a field in the form."""
    return next(line for line in screen(pilot).query(FieldLine) if line.field.path == path)


def said(pilot: Pilot[Any]) -> list[str]:
    """The errors under the fields."""
    return [str(line.visual) for line in screen(pilot).query(FieldError) if line.display]


async def test_a_wrong_value_is_named_under_its_field() -> None:
    """A wrong value has an error under its field and no run begins; a valid one removes the error."""
    async with lab() as pilot:
        value = field(pilot, "optimizer.lr").query_one(Input)
        value.value = "nan"
        await settled(pilot, lambda: said(pilot))
        errors = said(pilot)
        await pilot.press("f9")
        began = list(runner(pilot).trained)
        value.value = "0.01"
        await settled(pilot)

        assert len(errors) == 1
        assert "finite" in errors[0]
        assert began == []
        assert said(pilot) == []
        assert str(screen(pilot).design.draft.result.spec.train.optimizer) == "Adam(lr=0.01)"  # type: ignore[union-attr]


async def test_another_optimizer_has_its_own_fields() -> None:
    """Left and right turn the choice; the fields follow PyTorch's signature."""
    async with lab() as pilot:
        choice = field(pilot, "optimizer").query_one(Choice)
        choice.focus()
        await pilot.press("left")
        await settled(pilot, lambda: any(f.field.path == "optimizer.momentum" for f in screen(pilot).query(FieldLine)))
        paths = [line.field.path for line in screen(pilot).query(FieldLine) if line.field.path.startswith("optimizer.")]

        assert choice.value == "SGD"
        assert paths == [f"optimizer.{name}" for name in ("lr", "momentum", "dampening", "weight_decay", "nesterov")]
        assert pilot.app.focused is choice


async def test_picking_a_preset() -> None:
    """Enter in the list shows the preset everywhere; the search looks at titles too."""
    async with lab() as pilot:
        await settled(pilot, lambda: "Session 5" in str(screen(pilot).query_one(OptionList).get_option("era5").prompt))
        await pilot.press("slash")
        await settled(pilot)
        await pilot.press(*"one-cycle", "enter")
        await settled(pilot)

        assert shown(pilot, Headline).startswith("era5  9,798 params")
        assert screen(pilot).query_one(TextArea).text == presets.load("era5").layers


async def test_revert_and_save(tmp_path: Path) -> None:
    """A changed network is saved under a new name, without its author's results; u takes changes back."""
    async with lab() as pilot:
        field(pilot, "epochs").query_one(Input).value = "7"
        await settled(pilot)
        await pilot.press("ctrl+s")
        await settled(pilot, lambda: isinstance(pilot.app.screen, AskDialog))
        await pilot.press(*"iter5", "enter")
        refused = str(pilot.app.screen.query_one("#dialog-error", Static).visual)
        pilot.app.screen.query_one(Input).value = "mine"
        await pilot.press("enter")
        await settled(pilot)
        saved = presets.load("mine")
        field(pilot, "epochs").query_one(Input).value = "9"
        await settled(pilot)
        await pilot.press("u")
        await settled(pilot)

        assert "there is a preset iter5 already" in refused
        assert saved.train.epochs == 7
        assert saved.reported is None
        assert field(pilot, "epochs").query_one(Input).value == "7"


async def test_a_preset_that_cannot_be_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told in a dialog, which opens after that for the name has closed."""

    def refuse(*_: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(presets, "save", refuse)
    async with lab() as pilot:
        await pilot.press("ctrl+s")
        await settled(pilot, lambda: isinstance(pilot.app.screen, AskDialog))
        await pilot.press(*"mine", "enter")
        await settled(pilot, lambda: isinstance(pilot.app.screen, MessageDialog))
        told = " ".join(str(one.visual) for one in pilot.app.screen.query(Static))

    assert "No space left on device" in told


async def test_the_editor_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes back from $EDITOR is the draft; what cannot be read is refused, and nothing changes."""
    written = [presets.as_toml(presets.load("iter5")).replace("lr=0.002", "lr=0.5"), "layers = 1"]

    def edit(path: Path, _: object) -> int:
        path.write_text(written.pop(0))
        return 0

    monkeypatch.setattr(external_editor, "edit", edit)
    monkeypatch.setattr(LabApp, "suspend", nullcontext)
    async with lab() as pilot:
        for _ in range(2):
            screen(pilot).action_editor()
        await settled(pilot)

        assert isinstance(pilot.app.screen, MessageDialog)
        assert str(screen(pilot).design.draft.result.spec.train.optimizer) == "Adam(lr=0.5)"  # type: ignore[union-attr]


# --- training, as events tell it ---


async def test_starting_several_seeds() -> None:
    """T trains what is designed, once for every seed, and remembers it for the next time."""
    async with lab() as pilot:
        field(pilot, "seeds").query_one(Input).value = "3"
        field(pilot, "epochs").query_one(Input).value = "2"
        await settled(pilot)
        await pilot.press("t")
        await settled(pilot)

        assert [(spec.train.seed, spec.train.epochs) for spec in runner(pilot).trained] == [(0, 2), (1, 2), (2, 2)]
        assert last_used() is not None


async def test_a_run_is_drawn() -> None:
    """Epochs fill table, budget, progress and curves; the best epoch is marked."""
    async with lab() as pilot:
        runner(pilot).busy = True
        await tell(pilot, STARTED, Progress(1, 400, 938, 0.3, 0.002, 9_000.0), row(1), row(2, 0.995), row(3, 0.99))
        chart = screen(pilot).query_one("#chart-accuracy", Chart)
        await settled(pilot, lambda: "test 99.00%" in legend(chart))
        table = screen(pilot).query_one(DataTable)
        screen(pilot).lines.show_progress()

        assert table.row_count == 3
        assert str(table.get_cell("2", "epoch")) == "2*"
        assert "99.40% wanted" in shown(pilot, BudgetCard)
        assert "✓ best 99.50/99.40%" in shown(pilot, RunCard)
        assert "epoch 1/20" in shown(pilot, StatusLine)
        assert "training iter5" in shown(pilot, Headline)
        assert "test 99.00%" in legend(chart)


async def test_a_rate_changed_by_hand_is_marked() -> None:
    """L asks for a rate, a wrong one is refused in place; the change is marked in curve, table and headline."""
    async with lab() as pilot:
        runner(pilot).busy = True
        await tell(pilot, STARTED, Progress(1, 400, 938, 0.3, 0.002, 9_000.0))
        await pilot.press("l")
        await settled(pilot, lambda: isinstance(pilot.app.screen, AskDialog))
        pilot.app.screen.query_one(Input).value = "-1"
        await pilot.press("enter")
        refused = str(pilot.app.screen.query_one("#dialog-error", Static).visual)
        pilot.app.screen.query_one(Input).value = "0.01"
        await pilot.press("enter")
        await tell(pilot, LearningRateChanged(1, 469, 0.01), row(1, steered=True))

        assert "greater than 0" in refused
        assert runner(pilot).asked == [("learning_rate", 0.01)]
        assert screen(pilot).view.run.marks == [(0.5, 0.01)]  # type: ignore[union-attr]
        assert "rate by hand" in shown(pilot, Headline)
        assert str(screen(pilot).query_one(DataTable).get_cell("1", "epoch")).startswith("1!")


async def test_pause_step_stop() -> None:
    """Space pauses and unpauses, full stop takes a step, s stops."""
    async with lab() as pilot:
        runner(pilot).busy = True
        await tell(pilot, STARTED)
        await pilot.press("space")
        await tell(pilot, Paused(1, 5))
        await pilot.press("full_stop", "space")
        await tell(pilot, Unpaused(1, 6))
        await pilot.press("s")

        assert [request for request, _ in runner(pilot).asked] == ["pause", "step", "unpause", "stop"]


async def test_controls_without_a_run_say_so() -> None:
    """Without a run, the keys that control one request nothing of the runner."""
    async with lab() as pilot:
        await pilot.press("space", "s", "full_stop", "l")

        assert runner(pilot).asked == []


async def test_earlier_seeds_are_drawn_behind_the_newest() -> None:
    """Each with its test accuracy; the line of progress says which of how many is trained."""
    async with lab() as pilot:
        screen(pilot).view.begin_group(3)
        second = replace(STARTED, run="r2", seed=1)
        await tell(pilot, STARTED, row(1), row(2), second, row(1, 0.97), row(2, 0.96))
        lines = screen(pilot).view.picture("accuracy", 0.0).lines
        screen(pilot).lines.show_progress()

        assert [list(line.ys) for line in lines if line.role == "seed"] == [[98.0, 98.0]]
        assert "seed 2 of 3" in shown(pilot, StatusLine)


async def test_an_earlier_run_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """P lists the saved runs; the chosen one is drawn behind the curves, and "none" takes it away."""
    lines = [SavedLine("none", "99.10%  none"), SavedLine("older", "98.00%  older [/]")]
    monkeypatch.setattr(jobs, "saved_lines", lambda runs_dir: lines)
    monkeypatch.setattr(
        jobs, "saved_run_curves", lambda folder: RunCurves.from_saved("iter4", 7, folder.name, [row(1), row(2)])
    )
    async with lab() as pilot:
        await tell(pilot, STARTED, row(1))
        await pilot.press("p")
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunDialog))
        await pilot.press("down", "enter")
        await settled(pilot, lambda: screen(pilot).view.pinned is not None)
        labels = [line.label for line in screen(pilot).view.picture("accuracy", 0.0).lines]
        pinned = screen(pilot).view.pinned.run  # type: ignore[union-attr]
        await pilot.press("p")
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunDialog))
        await pilot.press("enter")
        await settled(pilot)

        assert labels[0] == "iter4 s7"
        assert pinned == "none"  # As its folder may be called, too.
        assert screen(pilot).view.pinned is None


@pytest.mark.parametrize("key", ["p", "2"])
async def test_the_list_of_runs_comes_late(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """Who asks for it twice gets one dialog, and who has gone to another mode meanwhile gets none there."""
    goes_on = Event()

    def read_slowly(_: Path) -> list[SavedLine]:
        goes_on.wait(10)
        return [SavedLine("older", "98.00%  older")]

    monkeypatch.setattr(jobs, "saved_lines", read_slowly)
    async with lab() as pilot:
        await pilot.press("p", key)
        await pilot.pause()
        goes_on.set()
        await pilot.pause(0.5)
        dialogs = sum(isinstance(each, RunDialog) for each in pilot.app.screen_stack)

    assert dialogs == (1 if key == "p" else 0)


async def test_the_palette_has_every_action() -> None:
    """What a key does can be found by its name as well."""
    async with lab() as pilot:
        titles = {command.title for command in pilot.app.get_system_commands(screen(pilot))}
        described = {binding.description for binding in [*LabScreen.BINDINGS]}  # type: ignore[union-attr]

        assert titles >= described


async def test_zoom_reads_exact_values() -> None:
    """Z opens the canvas on the last epoch; the cursor reads every curve; what is told meanwhile is drawn."""
    async with lab() as pilot:
        await tell(pilot, STARTED, row(1), row(2, 0.9871))
        await pilot.press("f6", "z")
        await settled(pilot, lambda: isinstance(pilot.app.screen, ZoomScreen))
        at_two = str(pilot.app.screen.query_one(Readout).visual)
        await pilot.press("left")
        at_one = str(pilot.app.screen.query_one(Readout).visual)
        await tell(pilot, row(3, 0.99))
        await pilot.press("G")
        at_three = str(pilot.app.screen.query_one(Readout).visual)
        await pilot.press("plus", "minus", "0", "Y", "w", "up", "escape")
        await settled(pilot)

        assert "test 98.71%" in at_two
        assert "test 98.00%" in at_one
        assert "test 99.00%" in at_three
        assert isinstance(pilot.app.screen, LabScreen)


async def test_what_goes_wrong_is_shown() -> None:
    """A run that could not begin, one that diverged, and a notice: each can be read, and markup in it is text."""
    async with lab() as pilot:
        await tell(pilot, Refused("no MNIST [bold]here[/bold]"))
        first = "\n".join(str(text.visual) for text in pilot.app.screen.query(Static))
        await pilot.press("enter")
        ended = RunEnded("diverged", "try a lower learning rate", 0, None, None, "test", None, 1.0)
        await tell(pilot, STARTED, Notice("careful [/]", is_warning=True), ended)
        second = "\n".join(str(text.visual) for text in pilot.app.screen.query(Static))

        assert "no MNIST [bold]here[/bold]" in first
        assert "try a lower learning rate" in second


async def test_a_download_is_followed_in_the_status_line() -> None:
    """Until the run begins it says which file arrives, and how much of it is there."""
    async with lab() as pilot:
        await tell(pilot, Downloading("images.gz", 6_600_000, 26_400_000))
        waiting = "\n".join(str(text.visual) for text in pilot.app.screen.query(Static))
        await tell(pilot, STARTED)
        begun = "\n".join(str(text.visual) for text in pilot.app.screen.query(Static))

        assert "downloading images.gz: 25%" in waiting
        assert "downloading" not in begun


async def test_a_mistake_of_ours_ends_the_laboratory() -> None:
    """With one sentence that names the log, and the traceback in it."""
    async with lab() as pilot:
        await tell(pilot, Crashed("internal error: KeyError: 'x'", "Traceback: the details"))
        ending = pilot.app.exit_state  # type: ignore[attr-defined]

        assert pilot.app.return_code == 1
        assert ending.failed
        assert "crash.log" in ending.message


@pytest.mark.parametrize(("key", "asked"), [("s", [("stop", None)]), ("l", []), ("escape", [])])
async def test_quit_asks_while_a_run_is_trained(key: str, asked: list[Any]) -> None:
    """Stop and save waits for the run; leave running does not; escape stays."""
    async with lab() as pilot:
        runner(pilot).busy = runner(pilot).has_begun = True
        await pilot.press("q")
        await settled(pilot, lambda: isinstance(pilot.app.screen, QuitDialog))
        await pilot.press(key)
        await settled(pilot)
        stays = pilot.app.return_value is None and not pilot.app._exit
        await tell(pilot, Idle())

        assert runner(pilot).asked == asked
        assert stays is (key != "l")
        assert pilot.app._exit is (key != "escape")
        assert pilot.app.exit_state.leave_running is (key == "l")  # type: ignore[attr-defined]


async def test_quit_names_no_other_run() -> None:
    """While a run begins that has no folder yet, the one before it is not what would be stopped."""
    async with lab() as pilot:
        runner(pilot).busy, runner(pilot).folder = True, Path("runs/the-last-one")
        await pilot.press("q")
        await settled(pilot, lambda: isinstance(pilot.app.screen, QuitDialog))
        said = [str(part.content) for part in pilot.app.screen.query(Static)]

        assert "It has not begun: there is nothing to save yet." in said
        assert not any("the-last-one" in words for words in said)


async def test_quit_asks_no_longer_once_the_run_is_over() -> None:
    """The laboratory closes if the run ends while the dialog is open."""
    async with lab() as pilot:
        runner(pilot).busy = runner(pilot).has_begun = True
        await pilot.press("q")
        await settled(pilot, lambda: isinstance(pilot.app.screen, QuitDialog))
        stays = not pilot.app._exit
        await tell(pilot, Idle())

        assert stays
        assert pilot.app._exit
        assert runner(pilot).asked == []


# --- sizes, help, looks ---


@pytest.mark.parametrize(
    ("size", "visible"),
    [
        (WIDE, {"presets", "recipe", "architecture", "layers", "training", "digits"}),
        ((200, 60), {"presets", "recipe", "architecture", "layers", "training", "digits"}),
        (MIDDLE, {"architecture", "layers"}),
        ((119, 40), {"architecture", "layers"}),
        ((120, 24), {"architecture", "layers"}),
        (NARROW, {"layers"}),
        (TINY, set()),
        ((1, 1), set()),
    ],
)
async def test_panes_fold(size: tuple[int, int], visible: set[str]) -> None:
    """All at once, two, one or none; the parameter count is in sight at every size that can hold it."""
    async with lab(size=size) as pilot:
        seen = {str(pane.id) for pane in screen(pilot).query(Pane) if pane.is_on_screen and pane.size.area}
        headline = shown(pilot, Headline)

        assert seen == visible
        assert "18,422 params" in headline or size == (1, 1)


async def test_a_pane_is_fetched_by_its_key() -> None:
    """In the narrow fold F6 shows the curves alone, and F3 the editor, with the focus in it."""
    async with lab(size=NARROW) as pilot:
        await pilot.press("f6")
        await settled(pilot)
        first = {str(pane.id) for pane in screen(pilot).query(Pane) if pane.display}
        await pilot.press("f3")
        await settled(pilot)

        assert first == {"training"}
        assert isinstance(pilot.app.focused, TextArea)


@pytest.mark.painted
async def test_resizing_while_it_trains() -> None:
    """Any number of sizes in a row: nothing is lost and nothing fails."""
    async with lab() as pilot:
        runner(pilot).busy = True
        await tell(pilot, STARTED, row(1))
        for size in ((200, 60), (80, 24), (60, 18), (20, 5), (1, 1), (250, 70), (119, 33), (120, 40)):
            await pilot.resize_terminal(*size)
            await tell(pilot, Progress(2, 10, 938, 0.2, 0.002, 9_000.0))

        assert screen(pilot).query_one(DataTable).row_count == 1


async def test_help_tells_every_key() -> None:
    """Each binding of the laboratory that is described is in the help, by its key."""
    async with lab() as pilot:
        await pilot.press("question_mark")
        await settled(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        text = "\n".join(str(part.visual) for part in pilot.app.screen.query(Static))
        bindings = [*LabScreen.BINDINGS, *LabApp.BINDINGS]
        described = {binding.description for binding in bindings if binding.description in text}  # type: ignore[union-attr]

        # In the laboratory Ctrl-Z is undo; the palette leads to the shell.
        assert {binding.description for binding in bindings} - described == {"To the shell"}  # type: ignore[union-attr]


async def test_every_binding_has_its_action() -> None:
    """Every binding has an action method."""
    async with lab() as pilot:
        for node in (screen(pilot), pilot.app):
            for binding in node._bindings.key_to_bindings.values():
                for one in binding:
                    name = one.action.partition("(")[0].rpartition(".")[2]
                    assert hasattr(node, f"action_{name}") or hasattr(pilot.app, f"action_{name}"), one


@pytest.mark.parametrize("size", [WIDE, MIDDLE])
async def test_ascii(size: tuple[int, int]) -> None:
    """Without Unicode, every character on the screen is ASCII."""
    async with lab(size=size, ascii=True) as pilot:
        await tell(pilot, STARTED, row(1), row(2), row(3))
        chart = screen(pilot).query_one("#chart-accuracy", Chart)
        screen(pilot).action_pane("training")
        await settled(pilot, lambda: "test" in legend(chart))
        lines = [strip.text for strip in pilot.app.screen._compositor.render_strips()]
        odd = {character for line in lines for character in line if ord(character) > 126}

        assert odd == set()


async def test_without_colour_lines_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR train and test are told apart by their markers."""
    monkeypatch.setenv("NO_COLOR", "1")
    async with lab() as pilot:
        await tell(pilot, STARTED, row(1), row(2), row(3))
        chart = screen(pilot).query_one("#chart-accuracy", Chart)
        await settled(pilot, lambda: "test" in legend(chart))
        drawing = chart.query_one(Plot).render().plain.splitlines()

        assert "─ train" in legend(chart)
        assert "● test" in legend(chart)
        assert any("●" in line for line in drawing)


# --- anything at any time ---

KEYS = [
    *"abcdfghjklmnoprstuvwxyz019.,=()/?+-",
    *("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "tab", "shift+tab", "enter", "escape"),
    *("space", "backspace", "delete", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "ctrl+l", "ctrl+p"),
]
"""All but those that leave the laboratory or open an editor."""


@pytest.mark.painted
@pytest.mark.parametrize("seed", range(2))
async def test_random_keys(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """80 keys, events and sizes in any order: nothing fails, and the laboratory still draws."""
    monkeypatch.setattr(jobs, "saved_lines", lambda runs_dir: [])
    chance = random.Random(seed)
    async with lab() as pilot:
        for _ in range(80):
            match chance.randrange(12):
                case 0:
                    await pilot.resize_terminal(chance.randint(1, 220), chance.randint(1, 60))
                case 1:
                    events: list[RunnerEvent] = [
                        STARTED,
                        Progress(1, 9, 938, 0.3, 0.002, 9e3),
                        row(1),
                        row(2),
                        Paused(1, 3),
                        Unpaused(1, 3),
                    ]
                    screen(pilot).post_message(RunnerMessage(chance.choice(events)))
                case _:
                    await pilot.press(chance.choice(KEYS))
        await pilot.resize_terminal(120, 40)
        await settled(pilot)

        assert "params" in shown(pilot, Headline)
        assert pilot.app.return_code is None


HOSTILE = "\x1b[31m[bold]\x9b2J\u202eevil[/]\r\n\x00[@click=app.quit]x[/]"


async def test_text_from_outside_is_text(tmp_path: Path) -> None:
    """Control characters and markup in names, titles, notices and errors: shown, and never obeyed."""
    spec = presets.load("iter5")
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "evil.toml").write_text(presets.as_toml(spec.model_copy(update={"title": HOSTILE})))
    (folder / "broken.toml").write_text("layers = '[/]'")
    hostile = spec.model_copy(update={"name": HOSTILE, "title": HOSTILE})
    async with lab(draft=Draft(hostile), size=(200, 60)) as pilot:
        started = replace(STARTED, name=HOSTILE, run=HOSTILE, folder=HOSTILE)
        await tell(pilot, started, Notice(HOSTILE, is_warning=True), row(1), Refused(HOSTILE))
        lines = [strip.text for strip in pilot.app.screen._compositor.render_strips()]
        text = "\n".join(lines)
        controls = {character for character in text if ord(character) < 32 or 127 <= ord(character) < 160}

        assert controls <= {"\n"}
        assert "\u202e" not in text
        assert "[bold]" in text


# --- pictures ---

GOLDEN = Path(__file__).parents[1] / "golden"


def look(pilot: Pilot[Any]) -> str:
    """The characters on the screen."""
    return "\n".join(strip.text.rstrip() for strip in screen(pilot)._compositor.render_strips()) + "\n"


async def drawn(pilot: Pilot[Any]) -> None:
    """A run of three epochs, drawn in every chart that is in sight."""
    runner(pilot).busy = True
    screen(pilot).set_focus(None)
    await tell(pilot, STARTED, Progress(1, 400, 938, 0.3, 0.002, 9_000.0), row(1), row(2, 0.995), row(3, 0.99))
    screen(pilot).action_pane("training")
    await settled(pilot)
    charts = [chart for chart in screen(pilot).query(Chart) if chart.is_on_screen and chart.size.area]
    await settled(pilot, lambda: all(chart.query_one(Plot).picture.lines for chart in charts))
    screen(pilot).lines.show_progress()
    await settled(pilot)


def coloured(pilot: Pilot[Any]) -> int:
    """How many cells on the screen have a colour that is no grey, in front or behind."""
    segments = [segment for strip in screen(pilot)._compositor.render_strips() for segment in strip]
    return sum(segment.cell_length for segment in segments if segment.style and _has_colour(segment.style))


def _has_colour(style: Style) -> bool:
    colours = [colour.get_truecolor() for colour in (style.color, style.bgcolor) if colour and not colour.is_default]
    return any(len(set(colour)) > 1 for colour in colours)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine and the clock say is left out."""
    monkeypatch.setattr(telemetry, "read", lambda device: telemetry.Reading(0.0, 0.0))
    monkeypatch.setattr(telemetry, "in_words", lambda reading, width: "")
    monkeypatch.setattr(RunCurves, "eta_seconds", lambda track: None)


@pytest.mark.slow
@pytest.mark.usefixtures("still")
@pytest.mark.parametrize(
    ("size", "ascii_only", "no_color"),
    [
        ((80, 24), False, False),
        ((120, 40), False, False),
        ((200, 60), False, False),
        ((120, 40), True, False),
        ((120, 40), False, True),
    ],
    ids=["80x24", "120x40", "200x60", "120x40-ascii", "120x40-no-color"],
)
async def test_looks_as_it_did(
    size: tuple[int, int],
    ascii_only: bool,
    no_color: bool,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """The screen while it trains, character by character; MNIST_TUI_WRITE_GOLDEN=1 writes what is to be looked at.

    With NO_COLOR every cell is grey.
    """
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    path = GOLDEN / f"lab-{request.node.callspec.id}.txt"
    async with lab(size=size, ascii=ascii_only) as pilot:
        await settled(pilot, lambda: "Session 5" in str(screen(pilot).query_one(OptionList).get_option("era5").prompt))
        await drawn(pilot)
        seen, colours = look(pilot), coloured(pilot)
    if os.environ.get("MNIST_TUI_WRITE_GOLDEN"):
        path.write_text(seen)

    assert seen == path.read_text()
    assert (colours == 0) is no_color
