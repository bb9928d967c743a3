"""Keys as keyboards send them: every binding can be typed, and comes to its action in a real terminal."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.lab_pilot import COLD
from helpers.lab_terminal import Lab
from helpers.saved_runs import make_runs
from helpers.terminal_keys import sequence_of
from textual.binding import Binding

from mnist_tui.runs.queue import Queue
from mnist_tui.tui import keys
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.charts.zoom import ZoomScreen
from mnist_tui.tui.compare.screen import CompareScreen
from mnist_tui.tui.lab.layers_editor import LayersEditor
from mnist_tui.tui.lab.layers_text_area import LayersTextArea
from mnist_tui.tui.lab.screen import LabScreen
from mnist_tui.tui.runs.queue_pane import QueuePane
from mnist_tui.tui.runs.run_screen import RunScreen
from mnist_tui.tui.runs.screen import RunsScreen
from mnist_tui.tui.runs.table import RunTable

LOGGED = """
import os
from mnist_tui.tui.app import LabApp
real = LabApp.run_action
async def run_action(self, action, *arguments, **named):
    if not os.path.exists("log-actions"):
        return await real(self, action, *arguments, **named)
    if action in ("scroll_left", "scroll_right"):
        return False  # As a view that has no such bar does.
    with open("actions.log", "a") as log:
        log.write(f"{action}\\n")
    return True
LabApp.run_action = run_action
"""
"""From the moment a file is there, actions are written down, and not run."""


def bindings(*kinds: type) -> list[tuple[str, str]]:
    """Every key and action of some classes."""
    declared = [binding for kind in kinds for binding in Binding.make_bindings(vars(kind)["BINDINGS"])]
    return [(binding.key, binding.action) for binding in declared]


def test_every_action_can_be_typed() -> None:
    """On any keyboard; by another name of the key than textual's parser gives it, an action would never run."""
    lost = [
        f"{binding.key}: {binding.action}"
        for group in keys._bound()
        for binding in group
        if not any(sequence_of(one.key) for one in Binding.make_bindings([binding]))
    ]

    assert lost == []
    assert sequence_of("hash") is None  # The control: what `#` was once bound by.
    assert sequence_of("number_sign") == "#"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """The laboratory over some saved runs, with its actions written down from a moment on."""
    labs = []

    def open_lab(*before: str) -> Lab:
        make_runs(tmp_path / "runs", 4)
        Queue(tmp_path / "runs").add_sweep("lr")
        lab = Lab(
            tmp_path, "--preset", "iter5", before=COLD + LOGGED, size=(120, 40), XDG_STATE_HOME=str(tmp_path / "state")
        )
        labs.append(lab)
        lab.wait_for("PyTorch is not loaded")
        for typed, seen in zip(before[::2], before[1::2], strict=True):
            lab.press(typed)
            lab.wait_for(seen)
        (tmp_path / "log-actions").touch()
        return lab

    yield open_lab
    for lab in labs:
        lab.close()


PLACES: dict[str, tuple[tuple[str, ...], tuple[type, ...]]] = {
    "lab": ((), (LabScreen, LabApp)),
    "layers": (("\x1bOR", "F9 Train"), (LayersTextArea, LayersEditor)),
    "runs": (("2", "4 rows of"), (RunTable, RunsScreen)),
    "queue": (("2", "done, or not there", "\x1b[A", "Take out"), (QueuePane, RunsScreen)),
    "run": (("2", "4 rows of", "\r", "Curves"), (RunScreen,)),
    "compare": (("2", "4 rows of", " ", "1 marked", "3", "judged by"), (CompareScreen,)),
    "zoom": (("\x1b[17~", "Enlarge", "z", "Zoom in"), (ZoomScreen,)),
}
"""How each place is reached, what is seen then, and whose bindings work there."""


@pytest.mark.parametrize("place", PLACES)
def test_every_key_comes_to_its_action(place: str, opened: Callable[..., Lab], tmp_path: Path) -> None:
    """The bytes that a keyboard sends for each binding, one after the other without a pause."""
    before, kinds = PLACES[place]
    lab = opened(*before)
    expected: list[str] = []
    first: dict[str, str] = {}
    for key, action in bindings(*kinds):
        first.setdefault(key, action)  # The widget with the focus is asked first.
    for key, action in first.items():
        sequence = sequence_of(key)
        if sequence is None or key in ("ctrl+c", "escape"):  # Another way through the program; a pause behind it.
            continue
        lab.press(sequence)
        expected.append(action)
    log = tmp_path / "actions.log"
    lab.wait(lambda: log.exists() and len(log.read_text().splitlines()) >= len(expected), 30)

    assert json.dumps(log.read_text().splitlines()) == json.dumps(expected)
