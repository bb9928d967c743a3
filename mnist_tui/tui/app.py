"""The dashboard: its modes, its themes, the messages of its screens, and how it ends."""

import os
import sys
import time
import traceback
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Key, Paste
from textual.screen import Screen

from mnist_tui.served import NO_PROGRAMS, is_served
from mnist_tui.settings.last_used import remember
from mnist_tui.tui.dialogs import QuitChoice, QuitDialog
from mnist_tui.tui.diff_driver import DiffDriver
from mnist_tui.tui.key_queue import KeyQueue
from mnist_tui.tui.keys import problems, usable, with_ids
from mnist_tui.tui.lab.screen import LabScreen
from mnist_tui.tui.lag import LagLog
from mnist_tui.tui.messages import LookInside, OpenRun, QueueSweep, ResumeRun, RunnerMessage, UseSettings
from mnist_tui.tui.modes import MODES
from mnist_tui.tui.palette import commands
from mnist_tui.tui.runner import Crashed, Idle, Runner
from mnist_tui.tui.shutdown import ExitState, crash_message, finish, reserve_terminal, signals
from mnist_tui.tui.status import Headline
from mnist_tui.tui.themes import DARK, LIGHT

if TYPE_CHECKING:
    from mnist_tui.tui.real_pixels import RealPixels
    from mnist_tui.tui.request import LabRequest
    from mnist_tui.tui.runs.selection import RunSelection
    from mnist_tui.tui.supervisor import Report


class LabApp(App[ExitState]):
    """The laboratory in a terminal; the thread of `runner` outlives it."""

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
            Binding("P", "toggle_queue", "Queue", show=False, tooltip="trains what waits in the queue, or pauses it"),
            Binding(
                "ctrl+p", "command_palette", "Palette", show=False, priority=True, tooltip="every command, by its name"
            ),
            Binding("ctrl+z", "suspend_process", "To the shell", show=False),
            Binding("ctrl+l", "switch_theme", "Light or dark", show=False, tooltip="the theme of the screen"),
            *(
                Binding(mode.key, f"mode('{mode.name}')", mode.title, show=False, tooltip=mode.tooltip)
                for mode in MODES
            ),
        ]
    )

    def __init__(self, request: "LabRequest", runner: Runner, real_pixels: "RealPixels | None" = None) -> None:
        super().__init__(driver_class=None if os.environ.get("TEXTUAL_DRIVER") else DiffDriver)
        self.request = request
        self.runner = runner
        self.real_pixels = real_pixels
        self.exit_state = ExitState()
        self.animation_level = "none"
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        settings = request.settings
        self.theme = LIGHT.name if settings.theme == "light" else DARK.name
        self.set_class(settings.ascii, "-ascii")  # For the rules of dialogs too.
        self.set_keymap(usable(settings.keymap))
        self.lab = LabScreen(request, runner)
        for mode in MODES:
            self.add_mode(mode.name, partial(self._open_screen, mode.name))
        self._keys = KeyQueue(self, super().on_event)
        self._interrupted_at = -10.0
        self._lag = LagLog(os.environ.get("MNIST_TUI_LAG_LOG"))

    async def on_event(self, event: Event) -> None:
        is_key = isinstance(event, Key | Paste) and not event.is_forwarded
        # Ctrl-C must work even if an earlier key is not handled yet.
        if is_key and not (isinstance(event, Key) and event.key == "ctrl+c"):
            await self._keys.put(event)
        else:
            await super().on_event(event)

    def on_resize(self) -> None:
        if isinstance(self._driver, DiffDriver):
            self._driver.memory.forget()  # The terminal has moved its cells in a way of its own.

    async def on_load(self) -> None:
        self._lag.start()

    def on_ready(self) -> None:
        """Shows problems of the keymap; without a keymap, the screens that it may name are not loaded."""
        if self.real_pixels and isinstance(self._driver, DiffDriver):
            self._driver.memory.sixels = self.real_pixels.sixels
        for problem in problems(keymap) if (keymap := self.request.settings.keymap) else ():
            self.notify(problem, severity="warning", timeout=10, markup=False)

    def action_switch_theme(self) -> None:
        """Switches between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_suspend_process(self) -> None:
        """Goes to the shell until the user comes back; in a browser there is none."""
        if is_served():
            self.notify(NO_PROGRAMS, severity="warning")
        else:
            super().action_suspend_process()

    # --- modes ---

    @cached_property
    def selection(self) -> "RunSelection":
        """The runs and the marks that Runs and Compare share."""
        from mnist_tui.runs.index import RunIndex
        from mnist_tui.tui.runs.selection import RunSelection

        options, settings = self.request.options, self.request.settings
        return RunSelection(RunIndex(options.runs_dir), settings.columns, settings.sort)

    async def action_mode(self, mode: str) -> None:
        """Switches to a mode; the screens of the others stay as they are, and a run continues.

        An opened run or enlarged curves are closed; a dialog must be answered first.
        """
        if any(screen.is_modal for screen in self.screen_stack):
            return
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        await self.switch_mode(mode)

    def _open_screen(self, mode: str) -> Screen[None]:
        """The screen of a mode. Its widgets get the style rules as they are mounted."""
        screen = self._make_screen(mode)
        # Otherwise Textual parses every rule twice and applies them to all widgets, which takes 100 ms.
        screen._css_update_count = self._css_update_count
        return screen

    def _make_screen(self, mode: str) -> Screen[None]:
        """The screen of a mode, made when it is first shown: the first frame does not wait for the others."""
        data_dir, ascii_only = self.request.options.data_dir, self.request.settings.ascii
        match mode:
            case "runs":
                from mnist_tui.tui.runs.screen import RunsScreen

                return RunsScreen(self.selection, data_dir, ascii_only)
            case "compare":
                from mnist_tui.tui.compare.screen import CompareScreen

                return CompareScreen(self.selection, data_dir, ascii_only)
            case "analyse":
                from mnist_tui.tui.analyse.screen import AnalyseScreen

                return AnalyseScreen(self.selection, data_dir, ascii_only, self.real_pixels)
            case "draw":
                from mnist_tui.tui.draw.screen import DrawScreen

                return DrawScreen(self.selection, ascii_only)
        return self.lab

    # --- messages of screens and widgets ---

    @on(Headline.ModeClicked)
    async def _open_mode(self, message: Headline.ModeClicked) -> None:
        await self.action_mode(message.mode)

    @on(OpenRun)
    def _open_run(self, message: OpenRun) -> None:
        from mnist_tui.runs.reader import read_run
        from mnist_tui.tui.runs.run_screen import RunScreen

        self.push_screen(RunScreen([read_run(message.folder)], self.selection, self.request.settings.ascii))

    @on(UseSettings)
    async def _use_settings(self, message: UseSettings) -> None:
        await self.action_mode("lab")
        self.lab.use_settings(message.spec)

    @on(ResumeRun)
    async def _resume_run(self, message: ResumeRun) -> None:
        await self.action_mode("lab")
        self.lab.resume_run(message.folder, message.epochs)

    @on(QueueSweep)
    def _queue_sweep(self, message: QueueSweep) -> None:
        self.lab.queue_sweep(message.name)

    def action_toggle_queue(self) -> None:
        """Trains what waits in the queue, or pauses it."""
        self.lab.toggle_queue()

    @on(LookInside)
    async def _look_inside(self, message: LookInside) -> None:
        from mnist_tui.tui.analyse.screen import AnalyseScreen

        await self.action_mode("analyse")
        if isinstance(self.screen, AnalyseScreen):
            self.screen.look_inside_drawing(message.run, message.image)

    @on(RunnerMessage)
    def _on_runner_message(self, message: RunnerMessage) -> None:
        """Exits after a mistake in the runner's thread, and at the end of the run if the user wants to quit."""
        match message.event:
            case Crashed(message=text, details=details):
                self._crash(text, details)
            case Idle():
                self.exit_state.stop_asked = False  # Ctrl-C stops the next run, as it stopped this one.
                # The end of the run answers the question of what becomes of it, also below a dialog about that end.
                is_asking = any(isinstance(screen, QuitDialog) for screen in self.screen_stack)
                if self.lab.is_quitting or is_asking:
                    self._quit()

    # --- quitting ---

    async def action_leave(self) -> None:
        """Quits; asks first if that would end a run."""
        if len(self.screen_stack) > 1:
            self.screen.dismiss()
        elif self.runner.is_training:
            run = (
                str(self.runner.folder) if self.runner.has_begun else "It has not begun: there is nothing to save yet."
            )
            dialog = QuitDialog(run, self.lab.queue.quit_words())
            self.push_screen(dialog, self._answer_quit)
        else:
            self._quit()

    def _answer_quit(self, choice: QuitChoice | None) -> None:
        if choice == "stop":
            self.lab.stop_and_quit()
            if not self.runner.is_busy or not self.runner.has_begun:
                self._quit()
        elif choice == "leave":
            self.exit_state.leave_running = True
            self._quit()

    def _quit(self) -> None:
        remember(self.lab.design.last_used())
        self.exit()

    def action_interrupt(self) -> None:
        """Ctrl-C copies a selection, else stops the run; pressed twice, it aborts the run or, without one, quits."""
        if text := self.screen.get_selected_text():
            self.copy_to_clipboard(text)
            return
        again = time.monotonic() - self._interrupted_at < 2.0
        self._interrupted_at = time.monotonic()
        if self.runner.is_training and not self.exit_state.stop_asked:
            self.exit_state.stop_asked = True
            remark = self.lab.queue.stop()
            self.runner.send_request("stop")
            self.notify(f"stopping after this step, and saving; Ctrl-C again aborts{remark}", markup=False)
        elif self.runner.is_training or again:
            self.exit_state.abort = self.runner.is_training
            self.exit(self.exit_state)
        else:
            self.notify("Ctrl-C again quits")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The actions of the screen and the application, and the screenshot."""
        yield from commands(self, screen)
        after_palette = partial(self.set_timer, 0.1, self.save_picture)
        yield SystemCommand("Screenshot", "the screen as an SVG file, in the current folder", after_palette)

    def save_picture(self) -> None:
        """Writes the screen into an SVG file in the current folder."""
        try:
            path = Path.cwd() / f"mnist-tui-{time.strftime('%Y%m%dT%H%M%S')}.svg"
            path.write_text(self.export_screenshot(), encoding="utf-8")
        except OSError as error:
            self.notify(f"no screenshot in the current folder: {error.strerror}", severity="error", markup=False)
        else:
            self.notify(f"saved: {path}", markup=False)

    def _crash(self, error: str, details: str) -> None:
        """Exits with one sentence; the traceback goes to a log."""
        self.exit_state.failed = True
        self.exit_state.message = crash_message(error, details)
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
    """Runs the laboratory until the user quits and its run has ended; returns the exit code of the process."""
    runner = Runner(request.options, report.folder)
    real_pixels = None
    if request.settings.pixels and not request.settings.ascii:
        from mnist_tui.tui.real_pixels import NO_REAL_PIXELS, find_real_pixels

        real_pixels = find_real_pixels()
        request = request if real_pixels else replace(request, notice=request.notice or NO_REAL_PIXELS)
    app = LabApp(request, runner, real_pixels)
    with signals(app, app.exit_state, runner, request):
        with reserve_terminal():
            app.run(mouse=request.settings.mouse)
        return finish(app.exit_state, app.return_code, runner, report)
