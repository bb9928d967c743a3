"""`y` copies what is looked at: in the lab, in RunIndex, in an opened run and in Compare; as OSC 52, also over SSH."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import COLD, STARTED, CannedJobs, lab, notices, on_top, row, screen, tell, until
from helpers.lab_terminal import Lab
from helpers.saved_runs import make_run
from textual.pilot import Pilot

from mnist_tui.analysis import markdown
from mnist_tui.runs.reader import read_run
from mnist_tui.spec import presets, summary
from mnist_tui.tui.compare.screen import CompareScreen
from mnist_tui.tui.runs.run_screen import RunScreen
from mnist_tui.tui.runs.screen import RunsScreen
from mnist_tui.tui.runs.table import RunTable


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    return CannedJobs(monkeypatch, tmp_path)


def is_shown(pilot: Pilot[Any]) -> bool:
    """Whether Runs has its rows."""
    return isinstance(pilot.app.screen, RunsScreen) and bool(pilot.app.screen.query_one(RunTable).rows)


async def copied(pilot: Pilot[Any]) -> str:
    """What `y` copies, once it is said."""
    before = len(notices(pilot))
    await pilot.press("y")
    await until(pilot, lambda: len(notices(pilot)) > before)
    assert "copied" in notices(pilot)[-1]
    return str(pilot.app.clipboard)


@pytest.mark.usefixtures("canned")
async def test_the_lab_copies_the_pane_with_the_focus() -> None:
    """The layer table, the recipe as a preset, the epoch log as Markdown; in the editor a `y` is a letter.

    Where no run is, and nothing marked, nothing is copied.
    """
    spec = presets.load("iter5")
    async with lab() as pilot:
        await tell(pilot, STARTED, row(1), row(2, 0.9912))
        texts = []
        for key in ("f5", "f6", "f4"):
            await pilot.press(key, *(["down"] * 3 if key == "f4" else []))
            texts.append(await copied(pilot))
        await pilot.press("f3", "y", "escape", "2", "y", "3", "y")
        await pilot.pause()
        layers, epochs, recipe = texts

        assert layers == summary.table(spec) + "\n"
        assert epochs.splitlines()[0].replace(" ", "").startswith("|epoch|trainloss|")
        assert epochs.splitlines()[-1].replace(" ", "").startswith("|2*|0.0500|97.00%|0.0500|99.12%|")
        assert recipe == presets.as_toml(spec).rstrip("\n") + "\n"
        assert screen(pilot).design.draft.layers == f"y{spec.layers}"
        assert pilot.app.clipboard == recipe


@pytest.mark.usefixtures("canned")
async def test_runs_an_opened_run_and_compare_copy_markdown() -> None:
    """The run, its epochs as a table, a view of text as it is, and the comparison of what is marked."""
    folders = [make_run(Path("runs"), presets.load(name), 0, 0.99, index) for index, name in enumerate(("v1", "iter5"))]
    async with lab() as pilot:
        await pilot.press("2")
        await until(pilot, lambda: is_shown(pilot))
        run = await copied(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        curves = await copied(pilot)
        await pilot.press("right", "right", "right", "right")
        await until(pilot, lambda: "sees farther" in on_top(pilot, "#view-lines"))
        layers = await copied(pilot)
        await pilot.press("escape", "space", "space", "3")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        compared = await copied(pilot)

        opened = read_run(folders[1])
        assert run == "\n".join(markdown.run_lines([opened])).rstrip("\n") + "\n"
        assert curves == "\n".join(markdown.epoch_lines(opened.rows, opened.best_epoch)) + "\n"
        assert layers.rstrip() == summary.table(presets.load("iter5")).rstrip()
        assert compared.startswith("### iter5 s0 and v1 s0\n")
        assert "| parameters " in compared


# --- in a terminal ---


@pytest.fixture
def labs(tmp_path: Path) -> Iterator[list[Lab]]:
    """The laboratories of a test, which are closed with it."""
    opened: list[Lab] = []
    yield opened
    for each in opened:
        each.close()


@pytest.mark.parametrize("env", [{}, {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22", "SSH_TTY": "/dev/pts/9"}])
def test_the_text_goes_to_the_terminal(env: dict[str, str], labs: list[Lab], tmp_path: Path) -> None:
    """By the sequence that terminals take for their clipboard, whole, as base64."""
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    labs.append(Lab(tmp_path, "--preset", "iter5", before=COLD, size=(120, 40), warm=False, **state, **env))
    labs[0].wait_for("receptive field")
    labs[0].press("y")
    sequence = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07")
    labs[0].wait(lambda: sequence.search(labs[0].output))
    match = sequence.search(labs[0].output)

    assert match is not None
    assert base64.b64decode(match[1]).decode() == summary.table(presets.load("iter5")) + "\n"
