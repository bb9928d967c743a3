"""The dashboard: its one mode so far, its themes, and how it ends. Everything on the screen is in `lab.py`."""

import os
import sys
import time
import traceback
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from mnist_tui.tui.lab import LabScreen
from mnist_tui.tui.lag import LagLog
from mnist_tui.tui.leaving import Ending, crash_message, finish, own_terminal, signals
from mnist_tui.tui.runner import Runner
from mnist_tui.tui.themes import DARK, LIGHT

if TYPE_CHECKING:
    from mnist_tui.guard import Report
    from mnist_tui.request import LabRequest


class LabApp(App[Ending]):
    """The laboratory in a terminal; `runner` goes on without it."""

    TITLE = "mnist-tui"
    CSS_PATH = "lab.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+q", "leave", "Quit", key_display="q", tooltip="asks first while a run is trained here"),
        Binding("ctrl+c", "interrupt", "Stop", show=False, priority=True, tooltip="Copies, stops the run, or quits"),
        Binding("ctrl+z", "suspend_process", "To the shell", show=False),
        Binding("ctrl+l", "switch_theme", "Light or dark", show=False),
    ]

    def __init__(self, request: "LabRequest", runner: Runner) -> None:
        super().__init__()
        self.request = request
        self.runner = runner
        self.ending = Ending()
        self.animation_level = "none"
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if request.light else DARK.name
        self._interrupted_at = -10.0
        self._lag = LagLog(os.environ.get("MNIST_TUI_LAG_LOG"))

    def get_default_screen(self) -> LabScreen:
        return LabScreen(self.request, self.runner)

    async def on_load(self) -> None:
        self._lag.start()

    def action_switch_theme(self) -> None:
        """From dark to light and back."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    async def action_leave(self) -> None:
        """Quits; asks first where a run would be ended by it."""
        if isinstance(self.screen, LabScreen):
            self.screen.leave()
        else:
            self.screen.dismiss()

    def action_interrupt(self) -> None:
        """Ctrl-C copies a selection; stops a run after its step, twice aborts it; twice quits where nothing runs."""
        if text := self.screen.get_selected_text():
            self.copy_to_clipboard(text)
            return
        again = time.monotonic() - self._interrupted_at < 2.0
        self._interrupted_at = time.monotonic()
        if self.runner.is_training and not self.ending.stop_asked:
            self.ending.stop_asked = True
            self.runner.ask("stop")
            self.notify("stopping after this step, and saving; Ctrl-C again aborts")
        elif self.runner.is_training or again:
            self.ending.abort = self.runner.is_training
            self.exit(self.ending)
        else:
            self.notify("Ctrl-C again quits")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything that a key does here, for the palette; and what textual offers."""
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.description and isinstance(active.node, App | Screen):
                run = partial(self.run_action, binding.action, active.node)
                yield SystemCommand(binding.description, binding.tooltip or f"key {binding.key}", run)
        yield from super().get_system_commands(screen)

    def crash(self, what: str, details: str) -> None:
        """Leaves with one sentence; the traceback goes to a log."""
        self.ending.failed = True
        self.ending.message = crash_message(what, details)
        self.exit(return_code=1)

    def _fatal_error(self) -> None:
        # Textual's own prints a traceback with all locals on the terminal, and has no public hook.
        error = sys.exception()
        self.ending.failed = True
        self.ending.message = crash_message(f"{type(error).__name__}: {error}", traceback.format_exc())
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
