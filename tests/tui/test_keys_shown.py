"""What the program says about its keys: the palette, the line of keys, the help; and the palette's screenshot."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
from helpers.lab_pilot import STARTED, CannedJobs, area, lab, look, notices, row, screen, tell, until
from helpers.saved_runs import make_run
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from mnist_tui.spec import presets
from mnist_tui.tui.analyse.screen import AnalyseScreen
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.charts.zoom import ZoomScreen
from mnist_tui.tui.dialogs import AskDialog, ChoiceDialog, Question, RunDialog
from mnist_tui.tui.draw.screen import DrawScreen
from mnist_tui.tui.help import HelpScreen
from mnist_tui.tui.key_bar import active_keys
from mnist_tui.tui.repaint import Dialog
from mnist_tui.tui.runs.run_screen import RunScreen
from mnist_tui.tui.runs.screen import RunsScreen
from mnist_tui.tui.runs.table import RunTable

Visited = TypeVar("Visited")


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    return CannedJobs(monkeypatch, tmp_path)


def app_of(pilot: Pilot[Any]) -> LabApp:
    """The dashboard."""
    assert isinstance(pilot.app, LabApp)
    return pilot.app


async def walk(pilot: Pilot[Any], visit: Callable[[], Visited]) -> dict[str, Visited]:
    """What `visit` finds in the lab, its editor, the zoom, Runs, an opened run, Compare, Analyse and Draw."""
    results = {"lab": visit()}
    make_run(Path("runs"), presets.load("v1"))
    await tell(pilot, STARTED, row(1))
    await pilot.press("f6", "z")
    await until(pilot, lambda: isinstance(pilot.app.screen, ZoomScreen))
    results["zoom"] = visit()
    await pilot.press("ctrl+q", "f3")
    await until(pilot, lambda: pilot.app.focused is area(pilot))
    results["editor"] = visit()
    await pilot.press("escape", "2")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen) and pilot.app.screen.query_one(RunTable).rows)
    results["runs"] = visit()
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
    results["run"] = visit()
    await pilot.press("ctrl+q", "3")
    await until(pilot, lambda: isinstance(pilot.app.screen, Screen))
    results["compare"] = visit()
    for key, mode, kind in (("4", "analyse", AnalyseScreen), ("5", "draw", DrawScreen)):
        await pilot.press(key)
        await until(pilot, lambda kind=kind: isinstance(pilot.app.screen, kind))  # type: ignore[misc]
        results[mode] = visit()
    return results


# --- the palette and the line of keys ---


class Said(NamedTuple):
    """What is said about the keys of a place."""

    titles: list[str]
    """In the palette."""
    keys: set[str]
    """Of those that may stand in the line of keys."""
    line: str
    """The line of keys."""
    parts: list[tuple[str, list[tuple[str, str]]]]
    """In the help."""


def said(pilot: Pilot[Any]) -> Said:
    """What is said about the keys that work now."""
    app, top = app_of(pilot), pilot.app.screen
    top.action_help()  # type: ignore[attr-defined]
    opened = app.screen
    assert isinstance(opened, HelpScreen)
    app.pop_screen()
    titles = [command.title for command in app.get_system_commands(top)]
    return Said(titles, {key.description for key in active_keys(top)}, look(pilot).splitlines()[-1], opened._parts)


async def test_keys_are_said_once_and_quit_is_no_way_back() -> None:
    """In palette and help, also while the editor takes the letters; in zoom and run Ctrl-Q goes back, and says so."""
    async with lab() as pilot:
        places = await walk(pilot, lambda: said(pilot))

        assert places["editor"].titles == places["lab"].titles
        assert {"Train", "Stop", "Rate", "Training", "Quit", "To the shell", "Screenshot"} <= set(places["lab"].titles)
        for place, each in places.items():
            is_below, names = place not in ("zoom", "run"), [name for name, _ in each.parts]
            assert len(each.titles) == len(set(each.titles)), (place, each.titles)
            assert ["Quit" in where for where in (each.titles, each.keys, each.line)] == [is_below] * 3, place
            assert is_below or "Back" in each.line
            assert len(names) == len(set(names)), (place, names)
            for name, rows in each.parts:
                keys = [key for keys, _ in rows for key in keys.split(", ")]
                assert len(keys) == len(set(keys)), (place, name, keys)


async def test_dialogs_show_the_keys_that_end_them() -> None:
    """On the border, since the line of keys below belongs to the screen that they cover."""
    keys: dict[type, str] = {}
    dialogs: tuple[Dialog[Any], ...] = (
        AskDialog(Question("Tags", "", "", lambda _: None)),
        ChoiceDialog("Optimizer", ["Adam"], "Adam"),
        RunDialog("Pin a run", [], "none"),
        HelpScreen([]),
    )
    async with lab() as pilot:
        for dialog in dialogs:
            await pilot.app.push_screen(dialog)
            keys[type(dialog)] = str(dialog.query_one(".dialog").border_subtitle)
            await pilot.app.pop_screen()

    assert keys == {
        AskDialog: "enter OK  esc Cancel",
        ChoiceDialog: "enter Choose  esc Cancel",
        RunDialog: "enter Choose  esc Cancel",
        HelpScreen: "esc Close",
    }


async def test_the_palette_runs_what_it_lists() -> None:
    """The lab's own Stop, and not what Ctrl-C does, which aborts where it comes twice."""
    async with lab() as pilot:
        commands = {command.title: command for command in app_of(pilot).get_system_commands(pilot.app.screen)}
        assert commands["Stop"].help == "after this step; saves, and keeps the run; key s"
        assert commands["Help"].help == "key ?, F1"
        await pilot.press("ctrl+p")
        await until(pilot, lambda: pilot.app.screen is not screen(pilot))
        await pilot.press(*"Recip")
        await until(pilot, lambda: "Recipe" in look(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen(pilot) and screen(pilot).focused_pane is not None)

        await until(pilot, lambda: screen(pilot).focused_pane.id == "recipe")  # type: ignore[union-attr]


async def test_panes_are_fetched_from_the_editor_too() -> None:
    """F6 and F7 are no keys of the text area there."""
    async with lab(size=(80, 24)) as pilot:
        await pilot.press("f3", "f6")
        await until(pilot, lambda: screen(pilot).folding.visible() == {"architecture", "training"})
        await pilot.press("f3", "f7")
        await until(pilot, lambda: screen(pilot).folding.visible() == {"architecture", "digits"})

        assert area(pilot).selected_text == ""


# --- the screenshot ---


async def test_a_screenshot_goes_to_the_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As SVG, and it is said where; where it cannot be written, that is said and nothing ends."""
    async with lab() as pilot:
        app = app_of(pilot)
        picture = next(each for each in app.get_system_commands(app.screen) if each.title == "Screenshot")
        picture.callback()
        await until(pilot, lambda: notices(pilot))
        (path,) = tmp_path.glob("mnist-tui-*.svg")
        saved, text = notices(pilot)[-1], path.read_text()

        def refuse(*arguments: object, **named: object) -> int:
            raise PermissionError(13, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_text", refuse)
            app.save_picture()
        await pilot.pause()
        refused = notices(pilot)[-1]
        gone = tmp_path / "gone"
        gone.mkdir()
        with contextlib.chdir(gone):
            gone.rmdir()
            app.save_picture()
        await pilot.pause()

        assert saved == f"saved: {path}"
        assert text.startswith("<svg")
        assert "iter5" in text
        assert refused == "no screenshot in the current folder: Permission denied"
        assert notices(pilot)[-1] == "no screenshot in the current folder: No such file or directory"
        assert app.return_code is None


# --- the help ---


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_the_help_has_a_legend(ascii_only: bool) -> None:
    """Of every sign that stands on the screen without a word; in ASCII as they are drawn there."""
    async with lab(ascii=ascii_only) as pilot:
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        text = "\n".join(str(part.visual) for part in pilot.app.screen.query(Static))
        assert "as everywhere" not in text
        assert "Palette: every command, by its name" in text
        legend = text.partition("\nSigns\n")[2].split("\n\n")[0].splitlines()

        assert [line.split()[0] for line in legend if line[2:3].strip()] == [
            ">",
            "*" if ascii_only else "•",
            "~",
            "*",
            "!",
        ]
        assert look(pilot).isascii() or not ascii_only
