"""Nothing that was typed is lost: undo over the whole design in the laboratory, and a process that is killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.lab_pilot import COLD, CannedJobs, area, field, lab, notices, screen, until
from helpers.lab_terminal import Lab

from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.lab.picker import PresetPicker
from mnist_tui.tui.messages import UseSettings
from mnist_tui.tui.runs.screen import RunsScreen

UNDO, REDO = "ctrl+z", "ctrl+y"
F4, DOWN = "\x1bOS", "\x1b[B"


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    return CannedJobs(monkeypatch, tmp_path)


@pytest.mark.usefixtures("canned")
async def test_every_kind_of_edit_is_taken_back_and_made_again() -> None:
    """A field, the layers, a preset, a run's settings; every step is one design, which form and editor show."""
    presets_folder = presets.builtin_folder()
    saved = presets.load("v1").with_settings({"optimizer.lr": "0.5"})
    async with lab() as pilot:
        app = pilot.app
        assert isinstance(app, LabApp)
        drafts = [screen(pilot).design.draft]
        field(pilot, "epochs").focus()
        await pilot.press("7")
        await until(pilot, lambda: screen(pilot).design.draft != drafts[-1])
        drafts.append(screen(pilot).design.draft)
        area(pilot).text = area(pilot).text.replace("Conv2d(16,", "Conv2d(12,", 1)
        await until(pilot, lambda: screen(pilot).design.draft != drafts[-1])
        drafts.append(screen(pilot).design.draft)
        screen(pilot).query_one(PresetPicker).post_message(PresetPicker.Picked(presets_folder / "iter4.toml"))
        await until(pilot, lambda: screen(pilot).design.base.name == "iter4")
        drafts.append(screen(pilot).design.draft)
        await pilot.press("escape", "2")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        app.screen.post_message(UseSettings(saved))
        await until(pilot, lambda: app.screen is screen(pilot))
        drafts.append(screen(pilot).design.draft)
        shown = []
        for key in (*[UNDO] * 4, *[REDO] * 4):
            await pilot.press(key)
            texts = area(pilot).text, field(pilot, "epochs").value
            shown.append((screen(pilot).design.draft, texts))

        expected = [*drafts[-2::-1], *drafts[1:]]
        assert drafts[-1].result.spec == saved
        assert [draft for draft, _ in shown] == expected
        assert [texts for _, texts in shown] == [(draft.layers, draft.text_of("epochs")) for draft in expected]


@pytest.mark.usefixtures("canned")
async def test_undo_in_a_field_leads_to_what_was_designed_the_last_time() -> None:
    """Where another preset was asked for on the command line; each step is named, and the end is said."""
    last = Draft(presets.load("v1")).with_text("epochs", "3")
    async with lab(previous=last) as pilot:
        field(pilot, "epochs").focus()
        await pilot.press("4", UNDO, UNDO, UNDO, REDO)
        await until(pilot, lambda: screen(pilot).design.base.name == "iter5")
        redone = screen(pilot).design.draft
        await pilot.press(UNDO)
        await until(pilot, lambda: field(pilot, "epochs").value == "3")

        assert redone == Draft(presets.load("iter5"))
        assert screen(pilot).design.draft == last
        assert notices(pilot) == [
            "undone: epochs",
            "undone: preset iter5",
            "there is nothing to undo",
            "redone: preset iter5",
            "undone: preset iter5",
        ]


# --- a process that is killed ---


@pytest.fixture
def labs(tmp_path: Path) -> Iterator[list[Lab]]:
    """The laboratories of a test, closed when it ends."""
    opened: list[Lab] = []
    yield opened
    for each in opened:
        each.close()


def test_a_killed_laboratory_comes_back_with_what_was_typed(labs: list[Lab], tmp_path: Path) -> None:
    """SIGKILL while somebody types, a pause after the last key; also a text that is wrong as it stands."""
    state = str(tmp_path / "state")
    labs.append(Lab(tmp_path, "--preset", "iter5", before=COLD, size=(120, 40), XDG_STATE_HOME=state))
    labs[0].wait_for("weight_decay")
    labs[0].press(F4 + "12" + DOWN * 4 + "0..1")
    kept = tmp_path / "state" / "mnist-tui" / "last.json"
    labs[0].wait(lambda: kept.exists() and '"0..1"' in kept.read_text())
    labs[0].press("2")  # On its way, it may be lost.
    os.kill(labs[0].child(), signal.SIGKILL)
    labs[0].ended()
    labs.append(Lab(tmp_path, before=COLD, size=(120, 40), XDG_STATE_HOME=state))
    labs[1].wait(lambda: "1 error" in labs[1].text() and "0..1" in labs[1].text())
    lines = labs[1].screen.display
    shown = [tuple(line[1:32].replace("•", " ").split()) for line in lines]

    assert ("epochs", "12") in shown
    assert {("lr", "0..1"), ("lr", "0..12")} & set(shown)
