"""The learning-rate finder over the laboratory: what it draws, what Enter changes, and what stops it."""

import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import CannedJobs, lab, look, notices, runner, screen, until
from rich.style import Style
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from mnist_tui.errors import DataError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Notice
from mnist_tui.runs.lr_range import STEEPEST, TENTH, RangeTest, RatesFound, RateTried, geometric_rates
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.tui.charts.rates_plot import RatesDrawing
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.lr_finder_dialog import LrFinderDialog
from mnist_tui.tui.themes import DARK, LIGHT, style_of

GOLDEN = Path(__file__).parents[1] / "golden"
STEPS = 100
ONE_CYCLE = "OneCycleLR(max_lr=0.1, epochs=epochs, steps_per_epoch=steps_per_epoch)"


def falling(rate: float) -> float:
    """A loss that falls around 0.001, and rises from 0.1 on."""
    return 2.3 - 2 / (1 + math.pow(0.001 / rate, 1.5)) + 8 * rate * rate


class CannedFinder:
    """Replaces the range test: canned losses, with a pause before a step."""

    def __init__(self) -> None:
        self.loss: Callable[[float], float] = falling
        self.pause_before = -1
        """Index of the step; -1 for no pause."""
        self.go = threading.Event()
        self.control = Control()
        self.error: Exception | None = None

    def find(
        self, spec: RunSpec, options: Options, control: Control, on_step: Callable[[Notice | RateTried], None]
    ) -> RatesFound:
        """What `jobs.find_learning_rate` does."""
        self.control = control
        if self.error is not None:
            raise self.error
        test = RangeTest(geometric_rates(STEPS))
        for index, rate in enumerate(test.rates):
            if index == self.pause_before:
                assert self.go.wait(30)
            if control.should_stop:
                return test.end("stopped")
            on_step(test.add(self.loss(rate)))
            if test.has_diverged:
                return test.end("diverged")
        return test.end("completed")


@pytest.fixture(autouse=True)
def finder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedFinder:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    CannedJobs(monkeypatch, tmp_path)
    canned = CannedFinder()
    monkeypatch.setattr(jobs, "find_learning_rate", canned.find)
    return canned


async def open_finder(pilot: Pilot[Any]) -> LrFinderDialog:
    """Presses its key, once torch is loaded."""
    await until(pilot, lambda: screen(pilot).previews.is_warm)
    await pilot.press("escape", "f")
    await until(pilot, lambda: isinstance(pilot.app.screen, LrFinderDialog))
    dialog = pilot.app.screen
    assert isinstance(dialog, LrFinderDialog)
    return dialog


async def find(pilot: Pilot[Any]) -> LrFinderDialog:
    """Opens the finder and waits for its suggestions."""
    dialog = await open_finder(pilot)
    await until(pilot, lambda: dialog.query_one(OptionList).option_count)
    return dialog


def line(dialog: LrFinderDialog) -> str:
    """The line above the plot."""
    return str(dialog.query_one("#finder-line", Static).visual)


def suggested(dialog: LrFinderDialog) -> dict[str, float]:
    """The suggested rates by their rules."""
    assert dialog._found is not None
    return {each.rule: each.rate for each in dialog._found.suggestions}


def curve_cells(pilot: Pilot[Any]) -> int:
    """How many cells of the screen have braille dots."""
    return sum("\u2801" <= sign <= "\u28ff" for sign in look(pilot))


def spec_of(pilot: Pilot[Any]) -> RunSpec:
    """The spec of the design."""
    spec = screen(pilot).design.spec
    assert spec is not None
    return spec


# --- what it draws ---


async def test_losses_are_drawn_as_they_come(finder: CannedFinder) -> None:
    """The newest step in words, and a curve that grows; at the end each suggestion by its name."""
    finder.pause_before = 40
    async with lab() as pilot:
        dialog = await open_finder(pilot)
        await until(pilot, lambda: "step 40 of 100" in line(dialog))
        before, cells = look(pilot), curve_cells(pilot)
        finder.go.set()
        await until(pilot, lambda: dialog.query_one(OptionList).option_count)
        rates = suggested(dialog)

        assert 0 < cells < curve_cells(pilot)
        assert STEEPEST not in before
        assert list(rates) == [STEEPEST, TENTH]
        for rule, rate in rates.items():
            assert f"▾ {rule} {rate:.3g}" in look(pilot)
            assert f"{rate:.3g}   sets optimizer.lr = {rate:.3g}" in look(pilot)
        assert line(dialog) == "82 steps, until the loss diverged; arrows choose, Enter uses a rate"


async def test_arrow_keys_move_the_mark(finder: CannedFinder) -> None:
    """The line of the selected suggestion is solid, that of the other one dotted."""
    async with lab() as pilot:
        dialog = await find(pilot)
        columns = {sign: look_at(dialog, sign) for sign in "│┊"}
        await pilot.press("down")
        await until(pilot, lambda: look_at(dialog, "│") != columns["│"])

        assert [look_at(dialog, sign) for sign in "│┊"] == [columns["┊"], columns["│"]]


def look_at(dialog: LrFinderDialog, sign: str) -> int:
    """The column of the plot that has a line of this sign."""
    return next(row.index(sign) for row in drawn(dialog)[1:-1] if sign in row)


def drawn(dialog: LrFinderDialog) -> list[str]:
    """The rows inside the frame of the dialog."""
    x, y, width, height = dialog.query_one(".dialog").region
    rows = [strip.text for strip in dialog._compositor.render_strips()][y + 1 : y + height - 1]
    return [row[x + 1 : x + width - 1].rstrip() for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "ascii_only"),
    [((80, 24), False), ((120, 40), False), ((200, 60), False), ((80, 24), True)],
    ids=["80x24", "120x40", "200x60", "80x24-ascii"],
)
async def test_looks_as_it_did(size: tuple[int, int], ascii_only: bool, request: pytest.FixtureRequest) -> None:
    """The dialog at the end of a test, character by character; MNIST_TUI_WRITE_GOLDEN=1 writes what to look at."""
    path = GOLDEN / f"lr-finder-{request.node.callspec.id}.txt"
    async with lab(size=size, ascii=ascii_only) as pilot:
        dialog = await find(pilot)
        await until(pilot, lambda: any("minimum / 10" in row for row in drawn(dialog)))
        seen = "\n".join(drawn(dialog)) + "\n"
        is_ascii = look(pilot).isascii()
    if os.environ.get("MNIST_TUI_WRITE_GOLDEN"):
        path.write_text(seen)

    assert seen == path.read_text()
    assert is_ascii is ascii_only


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_the_selected_suggestion_has_the_accent_of_the_theme(theme: Any) -> None:
    """In its name and its line."""
    colours = {name: getattr(theme, name) for name in ("primary", "accent", "background")}
    test = RangeTest(geometric_rates(STEPS))
    for rate in test.rates:
        test.add(falling(rate))
    found = test.end("completed")
    variables = {**colours, "foreground-muted": theme.foreground}
    drawing = RatesDrawing(found.rates, found.smoothed, found.suggestions, 1, 80, 20, False, variables)
    accent = style_of("accent", variables) + Style(bold=True)
    has_accent = [accent in (row.style, *(span.style for span in row.spans)) for row in drawing.text().split("\n")]

    assert has_accent[:2] == [False, True]
    assert any(has_accent[2:])


@pytest.mark.parametrize("size", [(40, 10), (20, 1)])
async def test_opens_however_small_the_terminal(size: tuple[int, int]) -> None:
    """Nothing fails, and Enter still uses the first suggestion."""
    async with lab(size=size) as pilot:
        dialog = await find(pilot)
        rate = suggested(dialog)[STEEPEST]
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen(pilot))

        assert f"lr={float(f'{rate:.3g}')}" in str(spec_of(pilot).train.optimizer)


# --- what Enter changes ---


async def test_enter_uses_the_selected_suggestion() -> None:
    """As one change of the learning rate alone, rounded to three digits; one undo takes it back."""
    async with lab() as pilot:
        draft, spec = screen(pilot).design.draft, spec_of(pilot)
        dialog = await find(pilot)
        rate = suggested(dialog)[TENTH]
        await pilot.press("down", "enter")
        await until(pilot, lambda: pilot.app.screen is screen(pilot))
        changed = spec_of(pilot)
        await pilot.press("ctrl+z")
        await until(pilot, lambda: screen(pilot).design.draft == draft)

        assert changed == spec.with_settings({"optimizer.lr": f"{rate:.3g}"})
        assert changed != spec
        assert any("undone: learning rate" in notice for notice in notices(pilot))


async def test_one_cycle_gets_the_rate_as_its_peak() -> None:
    """With the optimizer's rate, as one change; the dialog names both settings."""
    base = presets.load("iter5").with_settings({"scheduler": ONE_CYCLE})
    async with lab(draft=Draft(base)) as pilot:
        dialog = await find(pilot)
        text = f"{suggested(dialog)[STEEPEST]:.3g}"
        named = look(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: spec_of(pilot) != base)
        changed = spec_of(pilot)
        await pilot.press("ctrl+z")
        await until(pilot, lambda: spec_of(pilot) == base)

        assert f"sets optimizer.lr = {text}, scheduler.max_lr = {text}" in named
        assert changed == base.with_settings({"optimizer.lr": text, "scheduler.max_lr": text})


async def test_transforms_that_are_switched_off_stay() -> None:
    """The learning rate is all that changes."""
    draft = Draft(presets.load("iter5")).with_transforms([("RandomInvert()", False), ("RandomRotation(7)", True)])
    async with lab(draft=draft) as pilot:
        await find(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: screen(pilot).design.draft != draft)

        assert screen(pilot).design.draft.transforms() == draft.transforms()


async def test_a_knob_that_would_be_left_over_is_named() -> None:
    """In one line; the draft stays as it was."""
    spec = make_spec(
        {
            "layers": "Flatten()\nLinear(10)",
            "knobs": {"peak": 0.1},
            "train": {"optimizer": "SGD(lr=2*peak)"},
        }
    )
    async with lab(draft=Draft(spec)) as pilot:
        await find(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: notices(pilot))

        assert "peak" in notices(pilot)[-1]
        assert "\n" not in notices(pilot)[-1]
        assert spec_of(pilot) == spec


# --- what stops it ---


async def test_escape_stops_it_and_changes_nothing(finder: CannedFinder) -> None:
    """No run begins, and no other finder, until it has stopped."""
    finder.pause_before = 40
    async with lab() as pilot:
        draft = screen(pilot).design.draft
        dialog = await open_finder(pilot)
        await until(pilot, lambda: "step 40 of 100" in line(dialog))
        await pilot.press("escape")
        await until(pilot, lambda: finder.control.should_stop)
        await pilot.press("t", "f")
        await until(pilot, lambda: len(notices(pilot)) == 2)
        refused, too_early = notices(pilot), list(runner(pilot).trained)
        finder.go.set()
        await until(pilot, lambda: not screen(pilot).run_control.is_finding_rate)
        await pilot.press("t")
        await until(pilot, lambda: runner(pilot).trained)

        assert refused == ["the learning-rate finder is still stopping; try again"] * 2
        assert too_early == []
        assert screen(pilot).design.draft == draft


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_quitting_closes_and_stops_it(key: str, finder: CannedFinder) -> None:
    """The laboratory stays."""
    finder.pause_before = 40
    async with lab() as pilot:
        await open_finder(pilot)
        await pilot.press(key)
        await until(pilot, lambda: pilot.app.screen is screen(pilot) and finder.control.should_stop)
        finder.go.set()

        assert pilot.app.return_code is None


async def test_an_error_is_said_in_one_line(finder: CannedFinder) -> None:
    """Enter uses nothing then."""
    finder.error = DataError("MNIST is not there;\nname a folder with --data-dir [/]")
    async with lab() as pilot:
        draft = screen(pilot).design.draft
        dialog = await open_finder(pilot)
        error = dialog.query_one("#dialog-error", Static)
        await until(pilot, lambda: str(error.visual))
        await pilot.press("enter")
        is_open = pilot.app.screen is dialog
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen(pilot))

        assert str(error.visual) == "! MNIST is not there; name a folder with --data-dir [/]"
        assert is_open
        assert screen(pilot).design.draft == draft
        assert not screen(pilot).run_control.is_finding_rate


async def test_a_loss_that_never_falls_has_no_suggestion(finder: CannedFinder) -> None:
    """And says so."""
    finder.loss = lambda rate: 2.3
    async with lab() as pilot:
        dialog = await open_finder(pilot)
        await until(pilot, lambda: "no suggestion" in line(dialog))

        assert line(dialog) == ("100 steps; no suggestion: no rate from 1e-06 to 10 lowered the smoothed loss by 1%")
        assert not dialog.query_one(OptionList).display


async def test_never_while_this_process_trains() -> None:
    """One line says so."""
    async with lab() as pilot:
        await until(pilot, lambda: screen(pilot).previews.is_warm)
        runner(pilot).busy = True
        await pilot.press("escape", "f")
        await until(pilot, lambda: notices(pilot))

        assert notices(pilot) == ["a run is being trained; T queues this design, s stops the run"]
        assert pilot.app.screen is screen(pilot)


async def test_a_design_with_an_error_is_corrected_first() -> None:
    """One line says so."""
    async with lab(draft=Draft(presets.load("iter5")).with_text("epochs", "none")) as pilot:
        await pilot.press("escape", "f")
        await until(pilot, lambda: notices(pilot))

        assert notices(pilot) == ["correct what is marked with ! first"]


# --- the engine ---


async def test_with_the_real_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the small digits; torch's random state is as before, and the suggestion comes to the draft."""
    import torch

    monkeypatch.undo()
    spec = make_spec(
        {"layers": "Flatten()\nLinear(10)", "train": {"epochs": 2, "batch_size": 16, "optimizer": "SGD(lr=0.1)"}}
    )
    monkeypatch.setattr(jobs, "warm_up", lambda: None)
    options = Options(device="cpu", dataset="digits", threads=1)
    async with lab(draft=Draft(spec), options=options) as pilot:
        await until(pilot, lambda: screen(pilot).previews.is_warm)
        torch.manual_seed(7)
        state = torch.get_rng_state()
        dialog = await find(pilot)
        after, rate = torch.get_rng_state(), suggested(dialog)[STEEPEST]
        await pilot.press("enter")
        await until(pilot, lambda: spec_of(pilot) != spec)

        assert torch.equal(state, after)
        assert spec_of(pilot) == spec.with_settings({"optimizer.lr": f"{rate:.3g}"})
