"""Makes the README's pictures: the first minute in the laboratory, on real MNIST. `python scripts/pictures.py docs`."""

import argparse
import asyncio
import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.lab_terminal import Lab
from rich.console import Console
from rich.text import Text
from textual.pilot import Pilot
from textual.widgets import OptionList

from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options
from mnist_tui.tui.analyse.gallery import Gallery
from mnist_tui.tui.analyse.screen import AnalyseScreen
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.compare.overlay import Overlay
from mnist_tui.tui.lab.field_line import EditRequested
from mnist_tui.tui.request import LabRequest
from mnist_tui.tui.runner import Runner

SIZE = (120, 40)
EPOCHS = 6
"""Epochs that are trained before the picture of the training."""
COLOURS = {"brown": "yellow", "brightbrown": "bright_yellow"} | {
    name: name for name in ("red", "green", "blue", "magenta", "cyan", "black", "white")
}
"""rich's names for the colours of pyte."""
SEVEN = [*["left"] * 6, *["up"] * 7, "space", *["right"] * 11, *["down", "down", "left"] * 6, "space"]
"""Keys that draw a 7."""


def save(pilot: Pilot[Any], path: Path) -> None:
    """Writes the screen as an SVG without web fonts."""
    write_svg(path, pilot.app.export_screenshot(title="mnist-tui"))


def write_svg(path: Path, svg: str) -> None:
    """Writes a picture without web fonts."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg)
    path.write_text(re.sub(r"Fira Code", "DejaVu Sans Mono, Menlo, Consolas", svg))
    print(path)


async def until(pilot: Pilot[Any], is_so: Callable[[], bool]) -> None:
    """Waits until `is_so` returns true, and 1.5 s for the screen to be drawn."""
    while not is_so():
        await pilot.pause(0.1)
    await pilot.pause(1.5)


async def first_minute(folder: Path, runs_dir: Path) -> None:
    """Pictures of picking a preset, changing a layer, the augmentation dialog, training and stopping."""
    spec = presets.load("iter5")
    runner = Runner(Options(runs_dir=runs_dir), lambda text: None)
    app = LabApp(LabRequest(draft=Draft(spec), options=runner.options), runner)
    async with app.run_test(size=SIZE) as pilot:
        lab = app.lab
        await until(pilot, lambda: lab.previews.is_warm)
        await pilot.press("slash", *"batch norm")
        await pilot.pause(1)
        save(pilot, folder / "1-pick.svg")
        await pilot.press(*["backspace"] * len("batch norm"), "f3", *["down"] * 12, "end", *["left"] * 4)
        await pilot.press("backspace", "backspace", *"36")
        await pilot.pause(1)
        save(pilot, folder / "2-change.svg")
        await pilot.press("ctrl+z")
        lab.panes.post_message(EditRequested("augment"))
        await pilot.pause(2)
        save(pilot, folder / "3-augment.svg")
        await pilot.press("escape", "escape", "f")
        await until(pilot, lambda: bool(app.screen.query("OptionList")) and app.screen.query_one(OptionList).display)
        save(pilot, folder / "10-learning-rate.svg")
        await pilot.press("escape", "t")
        await until(pilot, lambda: lab.view.run is not None and len(lab.view.run.rows) >= EPOCHS)
        save(pilot, folder / "4-train.svg")
        await pilot.press("s")
        await until(pilot, lambda: not runner.is_busy)
        save(pilot, folder / "5-stop.svg")


async def saved_runs(folder: Path, runs_dir: Path) -> None:
    """Pictures of Runs, of Compare with two recipes, of Analyse and of Draw."""
    spec = presets.load("iter5")
    runner = Runner(Options(runs_dir=runs_dir), lambda text: None)
    app = LabApp(LabRequest(draft=Draft(spec), options=runner.options), runner)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(1)
        await pilot.press("2")
        await pilot.pause(2)
        save(pilot, folder / "6-runs.svg")
        await pilot.press("m", "g", "space", "space", "3")
        await until(pilot, lambda: bool(app.screen.query_one(Overlay).lines))
        save(pilot, folder / "7-compare.svg")
        await pilot.press("4")
        await until(pilot, lambda: isinstance(app.screen, AnalyseScreen) and app.screen.analysed is not None)
        await pilot.press("tab")
        await until(pilot, lambda: bool(app.screen.query_one(Gallery).predictions))
        save(pilot, folder / "8-analyse.svg")
        await pilot.press("5", *SEVEN)
        await pilot.pause(8)  # PyTorch is loaded and answers.
        save(pilot, folder / "9-draw.svg")


def commands(folder: Path, working: Path) -> None:
    """Pictures of seeds side by side, of a sweep on Ray and of a sweep's report, as a terminal shows them.

    They take minutes on two cores.
    """
    seeds = ["--batch", "iter5", "--seeds", "4", "--epochs", "2", "--jobs", "2"]
    save_terminal(working, seeds, folder / "11-jobs.svg", lambda text: text.count("epoch 2/2  loss") == 2, (100, 16))
    sweep = ["sweep", "iter5", "--set", "optimizer.lr=0.0005,0.002,0.008", "--set", "batch_size=64,256"]
    sweep += ["--set", "epochs=1", "--seeds", "3"]
    subprocess.run([sys.executable, "-m", "mnist_tui", *sweep, "--quiet"], cwd=working, check=True)
    cluster = ["sweep", "step4", "--set", "optimizer.lr=0.01,0.02,0.03,0.05", "--set", "epochs=1", "--on", "ray"]
    save_terminal(working, cluster, folder / "13-ray.svg", lambda text: text.count("completed") == 2, (110, 16))
    report = ["sweep", "report", "iter5"]
    save_terminal(working, report, folder / "12-sweep.svg", lambda text: "To report it" in text, (104, 36))


def save_terminal(
    working: Path, arguments: list[str], path: Path, is_so: Callable[[str], bool], size: tuple[int, int]
) -> None:
    """Writes what a command has printed, once `is_so` returns true of it, as an SVG without web fonts."""
    lab = Lab(working, *arguments, size=size)
    while not is_so(lab.text()):
        lab.read()
        if lab.process.poll() is not None and not lab.read(0.5):
            break
    console = Console(record=True, width=size[0], file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ mnist-tui {' '.join(arguments)}", style="bold"))
    filled = [row for row, text in enumerate(lab.screen.display) if text.strip()]
    for row in range(max(filled) + 1):
        line = Text()
        for column in range(size[0]):
            character = lab.screen.buffer[row][column]
            colour = "" if character.fg == "default" else COLOURS.get(character.fg, f"#{character.fg}")
            line.append(character.data, f"{'bold ' if character.bold else ''}{colour}".strip())
        line.rstrip()
        console.print(line)
    lab.process.kill()
    write_svg(path, console.export_svg(title="mnist-tui"))


def main() -> None:
    """Writes six pictures into a folder, with --runs-dir four more; or, with --commands, three of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs-dir", type=Path, help="of `mnist-tui --batch iter4 iter5 --seeds 6 --epochs 3`")
    parser.add_argument("--commands", action="store_true", help="only the pictures of the command line")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.commands:
        with tempfile.TemporaryDirectory() as working:
            commands(options.folder, Path(working))
        return
    if options.runs_dir:
        asyncio.run(saved_runs(options.folder, options.runs_dir))
    with tempfile.TemporaryDirectory() as runs_dir:
        asyncio.run(first_minute(options.folder, Path(runs_dir)))


if __name__ == "__main__":
    main()
