"""Draw under a pilot: the mouse, every key, several runs, what is saved, and the way into Analyse."""

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.analyse_pilot import (
    HOSTILE,
    LOOKS,
    AnalyseJobs,
    analyse_screen,
    coloured,
    dashboard,
    draw_screen,
    golden,
    line,
    make_answered,
    settled,
)
from helpers.lab_pilot import look, notices, until
from helpers.saved_runs import make_run
from PIL import Image
from textual.events import MouseDown, MouseUp
from textual.pilot import Pilot
from textual.widgets import Static

from mnist_tui.images.drawing import Drawing
from mnist_tui.spec import presets
from mnist_tui.tui.analyse.screen import AnalyseScreen
from mnist_tui.tui.draw.canvas import CELLS, DrawCanvas
from mnist_tui.tui.help import HelpScreen

RUNS = Path("runs")


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AnalyseJobs:
    """Replaces the jobs that load torch."""
    return AnalyseJobs(monkeypatch, tmp_path)


def canvas(pilot: Pilot[Any]) -> DrawCanvas:
    """The canvas."""
    return draw_screen(pilot).canvas


def drawing(pilot: Pilot[Any]) -> bytes:
    """The pixels that are drawn."""
    return canvas(pilot).drawing.pixels


async def draw_line(pilot: Pilot[Any], *arrows: str) -> None:
    """Draws with the keys."""
    await pilot.press("space", *arrows, "space")


async def answered(pilot: Pilot[Any]) -> None:
    """Waits for the answer to what is drawn."""
    await settled(pilot, lambda: "as MNIST's" in look(pilot))


# --- keys ---


async def test_keys_draw() -> None:
    """Space puts the pen down, the arrows draw, as a stroke of a `Drawing` does; up, they move the pen alone."""
    make_answered(RUNS, seed=3)
    async with dashboard(key="5") as pilot:
        first = line(pilot, "#draw-line")
        await pilot.press("left", "up")
        nothing = drawing(pilot)
        await pilot.press("space", "right", "down")
        down = line(pilot, "#draw-line")
        await pilot.press("space", "right", "right")
        expected = Drawing()
        expected.press((13.5, 13.5))
        expected.drag((14.5, 13.5))
        expected.drag((14.5, 14.5))
        await answered(pilot)

        assert not any(nothing)
        assert drawing(pilot) == expected.pixels
        assert first.startswith("pen up: the arrows move it, space puts it down")
        assert down.startswith("pen down: the arrows draw")
        assert "iter5 s3: 3" in look(pilot)
        assert "91.0%" in look(pilot)


async def test_the_pen_stays_on_the_canvas() -> None:
    """At every edge."""
    async with dashboard(key="5") as pilot:
        for key, edge in (("right", (27, 14)), ("down", (27, 27)), ("left", (0, 27)), ("up", (0, 0))):
            for _ in range(30):
                await pilot.press(key)
            assert canvas(pilot)._pen == edge


async def test_eraser_undo_and_clear() -> None:
    """Each change is one step back, by both keys of undo; clear can be undone too."""
    make_answered(RUNS)
    async with dashboard(key="5") as pilot:
        await draw_line(pilot, *["right"] * 6)
        one = drawing(pilot)
        await draw_line(pilot, *["down"] * 6)
        two = drawing(pilot)
        await pilot.press("e")
        eraser = line(pilot, "#draw-line")
        await draw_line(pilot, *["up"] * 3)
        erased = drawing(pilot)
        await pilot.press("c")
        cleared = drawing(pilot)
        states = []
        for key in ("ctrl+z", "backspace", "ctrl+z", "backspace", "backspace"):
            await pilot.press(key)
            states.append(drawing(pilot))

        assert eraser.startswith("eraser up")
        assert sum(erased) < sum(two)
        assert not any(cleared)
        assert states == [erased, two, one, bytes(784), bytes(784)]


@pytest.mark.parametrize("key", ["backspace", "H", "less_than_sign", "c"])
async def test_a_change_lifts_the_pen(key: str) -> None:
    """After it the arrows draw nothing until the pen is put down again, and the eraser is still one."""
    async with dashboard(key="5") as pilot:
        await draw_line(pilot, *["right"] * 8)
        await pilot.press("e", "space", "left", key)
        changed = drawing(pilot)
        await pilot.press("left", "left")

        assert line(pilot, "#draw-line").startswith("eraser up")
        assert drawing(pilot) == changed


async def test_shift_and_rotate() -> None:
    """As `Drawing` does it, by a pixel and by 5 degrees."""
    async with dashboard(key="5") as pilot:
        await draw_line(pilot, *["right"] * 6, *["down"] * 3)
        changes: dict[str, Callable[[Drawing], None]] = {
            "H": lambda one: one.shift(-1, 0),
            "L": lambda one: one.shift(1, 0),
            "K": lambda one: one.shift(0, -1),
            "J": lambda one: one.shift(0, 1),
            "less_than_sign": lambda one: one.rotate(5),
            "greater_than_sign": lambda one: one.rotate(-5),
        }
        for key, change in changes.items():
            expected = Drawing(drawing(pilot))
            change(expected)
            await pilot.press(key)

            assert drawing(pilot) == expected.pixels, key


# --- the mouse ---


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 70)])
async def test_the_mouse_draws(size: tuple[int, int]) -> None:
    """Press, drag and release; what is under the pointer is drawn at every scale, also where it leaves the canvas."""
    async with dashboard(size=size, key="5") as pilot:
        columns, lines = CELLS[canvas(pilot)._scale]
        middle, right = (columns // 2 + 1, lines // 2 + 1), (columns * 3 // 4, lines // 2 + 1)
        await pilot.mouse_down(DrawCanvas, offset=middle)
        await pilot.hover(DrawCanvas, offset=right)
        await pilot.hover(offset=(size[0] - 1, right[1] + 2))
        await pilot.mouse_up(offset=(size[0] - 1, right[1] + 2))
        drawn = drawing(pilot)
        await pilot.hover(DrawCanvas, offset=(2, 2))
        rows = [drawn[start : start + 28] for start in range(0, 784, 28)]

        assert rows[14][14] == rows[14][20] == rows[14][27] == 255
        assert rows[14][10] == 0
        assert drawing(pilot) == drawn
        await pilot.press("backspace")
        assert not any(drawing(pilot))


async def test_the_right_button_erases() -> None:
    """Also while the pen is no eraser, and the next stroke of the keys draws."""
    async with dashboard(key="5") as pilot:
        await draw_line(pilot, *["right"] * 8)
        drawn = sum(drawing(pilot))
        for kind in (MouseDown, MouseUp):
            canvas(pilot).post_message(kind(canvas(pilot), 34, 15, 0, 0, 3, False, False, False))
            await pilot.pause()
        erased = sum(drawing(pilot))
        await draw_line(pilot, "down")

        assert erased < drawn
        assert sum(drawing(pilot)) > erased


# --- runs ---


async def test_without_runs_it_says_what_to_do() -> None:
    """In one line; drawing works; nothing can be looked into."""
    async with dashboard(key="5") as pilot:
        await until(pilot, lambda: "! runs: no run in it has finished an epoch yet" in look(pilot))
        assert look(pilot).splitlines()[0].startswith(" Draw ")
        await draw_line(pilot, "right")
        await pilot.press("s", "i")

        assert any(drawing(pilot))
        assert notices(pilot) == ["there is no run to look into"]
        assert draw_screen(pilot)


async def test_marked_runs_answer_beside_each_other(canned: AnalyseJobs) -> None:
    """Up to three of the marked ones; a run without weights says so, and the others answer all the same."""
    folders = [make_answered(RUNS, seed, seed) for seed in range(2)]
    folders.append(make_answered(RUNS, 2, 2).rename(RUNS / "broken-s2-0"))
    folders.append(make_answered(RUNS, 3, 3))
    async with dashboard(key="4") as pilot:
        analyse_screen(pilot).selection.colors = {(folder.name,): place for place, folder in enumerate(folders)}
        await pilot.press("5")
        await draw_line(pilot, *["right"] * 5)
        await answered(pilot)
        titles = next(text for text in look(pilot).splitlines() if "iter5 s0:" in text)
        await pilot.press("4", "5")
        await settled(pilot, lambda: len(canned.loaded) == 4)

        assert titles.split()[-8:] == ["iter5", "s0:", "0", "iter5", "s1:", "1", "iter5", "s2"]
        assert "the weights are" in look(pilot)
        assert "s3" not in look(pilot)


async def test_stability() -> None:
    """`s` shows how the answer changes for the digit moved slightly, and hides it again."""
    make_answered(RUNS, 4)
    async with dashboard(key="5") as pilot:
        await draw_line(pilot, *["right"] * 5)
        await answered(pilot)
        await pilot.press("s")
        await settled(pilot, lambda: "moved 28 times" in look(pilot))
        text = " ".join(look(pilot).split())
        await pilot.press("s")
        await settled(pilot, lambda: "moved 28 times" not in look(pilot))

        assert "21 say 4" in text
        assert "50.0%" in text


async def test_a_drawing_goes_to_analyse(canned: AnalyseJobs) -> None:
    """`i` opens it in Inside, prepared as MNIST's digits are, with the network that was asked here; then any run's."""
    folders = [make_answered(RUNS, seed, seed) for seed in range(2)]
    async with dashboard(key="5") as pilot:
        await pilot.press("i")
        refused = notices(pilot)
        await draw_line(pilot, *["right"] * 5)
        await answered(pilot)
        prepared = canvas(pilot).drawing.prepared().pixels
        await pilot.press("i")
        await until(pilot, lambda: isinstance(pilot.app.screen, AnalyseScreen))
        await settled(pilot, lambda: "probability" in look(pilot))

        assert refused == ["draw a digit first"]
        assert [(folder.name, image, label) for folder, image, label in canned.looked] == [
            (folders[1].name, prepared, None)
        ]
        assert line(pilot).startswith("a drawn digit;")
        assert "iter5 s1" in look(pilot).splitlines()[0]

        analyse_screen(pilot)._use_run(folders[0].name)
        await until(pilot, lambda: "iter5 s0" in look(pilot).splitlines()[0])
        await settled(pilot, lambda: len(canned.looked) == 2)

        assert [(folder.name, image) for folder, image, _ in canned.looked[1:]] == [(folders[0].name, prepared)]


async def test_a_canvas_without_a_digit_goes_nowhere() -> None:
    """One that is white all over has pixels, but nothing that stands out of its background."""
    make_answered(RUNS)
    async with dashboard(key="5") as pilot:
        await until(pilot, lambda: draw_screen(pilot)._runs)
        canvas(pilot).drawing = Drawing(b"\xff" * 784)
        await pilot.press("i")
        await pilot.pause()

        assert notices(pilot) == ["draw a digit first"]
        assert pilot.app.screen is draw_screen(pilot)


# --- save, help ---


async def test_save(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PNG of what is drawn; nothing is written for a blank canvas, and no file is overwritten."""
    monkeypatch.setattr("time.strftime", lambda pattern: "20260101T000000")
    async with dashboard(key="5") as pilot:
        await pilot.press("w")
        none = list(tmp_path.glob("*.png"))
        await draw_line(pilot, *["right"] * 5)
        await pilot.press("w")
        path = tmp_path / "digit-20260101T000000.png"
        saved = path.read_bytes()
        pixels = Image.open(path).tobytes()
        expected = drawing(pilot)
        await draw_line(pilot, *["down"] * 5)
        await pilot.press("w")

        assert none == []
        assert pixels == expected
        assert notices(pilot)[:2] == ["draw a digit first", f"saved: {path}"]
        assert notices(pilot)[2] == f"saved: {tmp_path / 'digit-20260101T000000-2.png'}"
        assert path.read_bytes() == saved


async def test_a_drawing_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said, and no part of a file is left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with dashboard(key="5") as pilot:
        await draw_line(pilot, *["right"] * 5)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # No file may grow, as on a full disk.
        try:
            await pilot.press("w")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

        assert notices(pilot)[0].endswith(".png cannot be written: File too large")
        assert [path.name for path in tmp_path.iterdir() if "digit" in path.name] == []


async def test_help_names_every_key_of_the_mode() -> None:
    """Of the canvas and of the screen."""
    async with dashboard(key="5") as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        text = "\n".join(str(part.visual) for part in pilot.app.screen.query(Static))

        for words in ("Pen", "Eraser", "Clear", "Undo", "Shift left", "Turn right", "Stability", "Inside", "Save"):
            assert words in text, words


async def test_text_from_outside_is_text() -> None:
    """Escape sequences and markup in the name of a run are shown, and never obeyed."""
    make_run(RUNS, presets.load("iter5"), 0, name=HOSTILE)
    async with dashboard(size=(200, 60), key="5") as pilot:
        await draw_line(pilot, *["right"] * 5)
        await answered(pilot)
        text = look(pilot)
        controls = {character for character in text if ord(character) < 32 or 127 <= ord(character) < 160}

        assert controls <= {"\n"}
        assert "\u202e" not in text
        assert "[bold]" in text


# --- how it looks ---


@pytest.mark.parametrize(("size", "ascii_only", "no_color"), LOOKS)
async def test_how_draw_looks(
    size: tuple[int, int], ascii_only: bool, no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen equals the golden file; with NO_COLOR every cell is grey."""
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    folders = [make_answered(RUNS, seed, seed) for seed in range(2)]
    suffix = f"{size[0]}x{size[1]}" + ("-ascii" if ascii_only else "") + ("-no-color" if no_color else "")
    async with dashboard(size=size, key="4", ascii=ascii_only) as pilot:
        analyse_screen(pilot).selection.colors = {(folder.name,): place for place, folder in enumerate(folders)}
        await pilot.press("5", "up", "up", "up", "up", "up")
        await draw_line(pilot, *["right"] * 7, *["down"] * 4, *["left"] * 5, *["down"] * 7)
        await pilot.press("s")
        await settled(pilot, lambda: "moved 28" in look(pilot))
        text = look(pilot)
        golden(f"draw-{suffix}", text)

        assert (coloured(pilot) == 0) is no_color
        assert text.isascii() or not ascii_only
