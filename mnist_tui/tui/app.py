"""The dashboard: its three modes, its themes, and how it ends. What is on the screen is in the screens' own files."""

import os
import sys
import time
import traceback
from collections.abc import Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Key, Paste
from textual.screen import Screen

from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui.diff_driver import DiffDriver, ScreenMemory
from mnist_tui.tui.key_queue import KeyQueue
from mnist_tui.tui.keys import own_bindings, problems, usable, with_ids
from mnist_tui.tui.lab.screen import LabScreen
from mnist_tui.tui.lag import LagLog
from mnist_tui.tui.runner import Runner
from mnist_tui.tui.shutdown import ExitState, crash_message, finish, own_terminal, signals
from mnist_tui.tui.themes import DARK, LIGHT

if TYPE_CHECKING:
    from mnist_tui.tui.request import LabRequest
    from mnist_tui.tui.runs.selection import RunSelection
    from mnist_tui.tui.supervisor import Report


class LabApp(App[ExitState]):
    """The laboratory in a terminal; `runner` goes on without it."""

    TITLE = "mnist-tui"
    DEFAULT_MODE = "lab"
    CSS_PATH = "lab.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("q,ctrl+q", "leave", "Quit", tooltip="asks first while a run is trained here"),
            Binding(
                "ctrl+c", "interrupt", "Stop", show=False, priority=True, tooltip="Copies, stops the run, or quits"
            ),
            Binding("ctrl+z", "suspend_process", "To the shell", show=False),
            Binding("ctrl+l", "switch_theme", "Light or dark", show=False),
            Binding("1", "mode('lab')", "Lab", show=False, tooltip="design, train, watch"),
            Binding(
                "2", "mode('runs')", "Runs", show=False, tooltip="every run folder: find, open, tag, resume, delete"
            ),
            Binding("3", "mode('compare')", "Compare", show=False, tooltip="what is marked in Runs"),
        ]
    )

    def __init__(self, request: "LabRequest", runner: Runner) -> None:
        super().__init__(driver_class=None if os.environ.get("TEXTUAL_DRIVER") else DiffDriver)
        self.screen_memory = ScreenMemory()
        """What the terminal shows; the driver writes what differs from it."""
        self.request = request
        self.runner = runner
        self.exit_state = ExitState()
        self.animation_level = "none"
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if request.light else DARK.name
        self.set_class(request.ascii, "-ascii")  # For dialogs too, which know nothing of the request.
        self.set_keymap(usable(request.keymap))
        self.lab = LabScreen(request, runner)
        for mode in ("lab", "runs", "compare"):
            self.add_mode(mode, partial(self._make_screen, mode))
        self._keys = KeyQueue(self, super().on_event)
        self._interrupted_at = -10.0
        self._lag = LagLog(os.environ.get("MNIST_TUI_LAG_LOG"))

    async def on_event(self, event: Event) -> None:
        is_key = isinstance(event, Key | Paste) and not event.is_forwarded
        # Ctrl-C must work also where something holds the keys before it.
        if is_key and not (isinstance(event, Key) and event.key == "ctrl+c"):
            await self._keys.put(event)
        else:
            await super().on_event(event)

    def on_resize(self) -> None:
        self.screen_memory.forget()  # The terminal has moved what it shows to other cells, in its own way.

    async def on_load(self) -> None:
        self._lag.start()

    def on_ready(self) -> None:
        """Says what is wrong with the keymap; only who has one waits for the screens that it may speak of."""
        for problem in problems(self.request.keymap) if self.request.keymap else ():
            self.notify(problem, severity="warning", timeout=10, markup=False)

    def action_switch_theme(self) -> None:
        """From dark to light and back."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    # --- modes ---

    @cached_property
    def selection(self) -> "RunSelection":
        """What Runs and Compare look at."""
        from mnist_tui.runs.index import RunIndex
        from mnist_tui.tui.runs.selection import RunSelection

        return RunSelection(RunIndex(self.request.options.runs_dir), self.request.columns, self.request.sort)

    async def action_mode(self, mode: str) -> None:
        """Goes to a mode; the others stay as they are, and a run goes on."""
        if len(self.screen_stack) > 1:
            return  # Something on top wants an answer first.
        await self.switch_mode(mode)

    def _make_screen(self, mode: str) -> Screen[None]:
        if mode == "lab":
            return self.lab
        # Loaded when they are first looked at: the first frame does not wait for them.
        from mnist_tui.tui.compare.screen import CompareScreen
        from mnist_tui.tui.runs.screen import RunsScreen

        made = RunsScreen if mode == "runs" else CompareScreen
        return made(self.selection, self.request.ascii)

    async def design(self, spec: RunSpec) -> None:
        """Takes a saved run's settings into the lab."""
        await self.action_mode("lab")
        self.lab.take(spec)

    async def resume_run(self, folder: Path, epochs: int = 0) -> None:
        """Resumes a run in the lab; with `epochs`, extends it by so many."""
        await self.action_mode("lab")
        self.lab.resume_run(folder, epochs)

    def open_run(self, folder: Path) -> None:
        """Opens a run on top of the lab."""
        from mnist_tui.runs.reader import read_run
        from mnist_tui.tui.runs.run_screen import RunScreen

        self.push_screen(RunScreen([read_run(folder)], self.selection, self.request.ascii))

    async def action_leave(self) -> None:
        """Quits; asks first where a run would be ended by it."""
        if len(self.screen_stack) == 1:
            self.lab.leave()
        else:
            self.screen.dismiss()

    def action_interrupt(self) -> None:
        """Ctrl-C copies a selection; stops a run after its step, twice aborts it; twice quits where nothing runs."""
        if text := self.screen.get_selected_text():
            self.copy_to_clipboard(text)
            return
        again = time.monotonic() - self._interrupted_at < 2.0
        self._interrupted_at = time.monotonic()
        if self.runner.is_training and not self.exit_state.stop_asked:
            self.exit_state.stop_asked = True
            self.runner.send_request("stop")
            self.notify("stopping after this step, and saving; Ctrl-C again aborts")
        elif self.runner.is_training or again:
            self.exit_state.abort = self.runner.is_training
            self.exit(self.exit_state)
        else:
            self.notify("Ctrl-C again quits")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything that a key does here, each thing once, whatever has the focus; and a picture of the screen."""
        seen = set()
        for node, binding in [(owner, each) for owner in (screen, self) for each in own_bindings(type(owner))]:
            is_idle = screen is not self.screen_stack[0] and binding.action.startswith(("leave", "mode("))
            if binding.description and binding.description not in seen and not is_idle:
                seen.add(binding.description)
                run = partial(self.run_action, binding.action, node)
                yield SystemCommand(binding.description, binding.tooltip or f"key {binding.key}", run)
        after_palette = partial(self.set_timer, 0.1, self.save_picture)
        yield SystemCommand("Screenshot", "the screen as an SVG file, in the current folder", after_palette)

    def save_picture(self) -> None:
        """Writes the screen into an SVG file in the current folder, and says where."""
        try:
            path = Path.cwd() / f"mnist-tui-{time.strftime('%Y%m%dT%H%M%S')}.svg"
            path.write_text(self.export_screenshot(), encoding="utf-8")
        except OSError as error:
            self.notify(f"no screenshot in the current folder: {error.strerror}", severity="error", markup=False)
        else:
            self.notify(f"saved: {path}", markup=False)

    def crash(self, what: str, details: str) -> None:
        """Leaves with one sentence; the traceback goes to a log."""
        self.exit_state.failed = True
        self.exit_state.message = crash_message(what, details)
        self.exit(return_code=1)

    def _fatal_error(self) -> None:
        # Textual's own prints a traceback with all locals on the terminal, and has no public hook.
        error = sys.exception()
        self.exit_state.failed = True
        self.exit_state.message = crash_message(f"{type(error).__name__}: {error}", traceback.format_exc())
        self._close_messages_no_wait()

    async def on_unmount(self) -> None:
        self._lag.write()


def run_lab(request: "LabRequest", report: "Report") -> int:
    """Opens the laboratory and stays until it is left and no run of it goes on; the exit code of the process."""
    runner = Runner(request.options, report.folder)
    app = LabApp(request, runner)
    with signals(app, runner, request):
        with own_terminal():
            app.run(mouse=request.mouse)
        return finish(app, runner, report)
