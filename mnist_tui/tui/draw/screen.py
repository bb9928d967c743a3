"""Draw, the fifth mode: a digit drawn by hand, and what saved runs take it for."""

import os
import time
from itertools import chain, count
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll

from mnist_tui.analysis.comparison import distinct_titles
from mnist_tui.errors import ImageError
from mnist_tui.files import write_atomically
from mnist_tui.runs.record import Run
from mnist_tui.tui.background import WorkerScreen
from mnist_tui.tui.draw.answers_view import AnswersView
from mnist_tui.tui.draw.canvas import DrawCanvas
from mnist_tui.tui.draw.jobs import Answers, Classifiers
from mnist_tui.tui.help import Names, help_on
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.messages import LookInside
from mnist_tui.tui.runs.selection import RunSelection
from mnist_tui.tui.status import Headline, OneLine

HELP_NAMES: Names = {DrawCanvas: "Canvas", VerticalScroll: "Answers"}
ANSWER_CELLS = 34
"""Columns that the answers get at least."""
CHROME_LINES = 5
"""Lines above and below the canvas, its frame included."""


class DrawScreen(WorkerScreen):
    """A canvas, and beside it the probabilities of one run, or of those that are marked in Runs."""

    AUTO_FOCUS = "DrawCanvas"
    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding(
                "s", "toggle_stability", "Stability", tooltip="the answers to the digit shifted and turned slightly"
            ),
            Binding("i", "look_inside", "Inside", tooltip="what the first run's network does with it, in Analyse"),
            Binding("w", "save", "Save", tooltip="as a PNG file in the current folder"),
            Binding("pagedown", "scroll_answers(1)", "Answers down", show=False),
            Binding("pageup", "scroll_answers(-1)", "Answers up", show=False),
            Binding("question_mark,f1", "help", "Help"),
        ]
    )

    def __init__(self, selection: RunSelection, ascii_only: bool) -> None:
        super().__init__()
        self._selection, self._ascii_only = selection, ascii_only
        self._classifiers = Classifiers()
        self._runs: list[Run] = []
        self._has_stability = False

    def compose(self) -> ComposeResult:
        yield Headline("draw", self._ascii_only)
        yield OneLine(id="draw-line")
        with Horizontal(id="draw"):
            yield DrawCanvas(self._ascii_only)
            with VerticalScroll(can_focus=False):
                yield AnswersView(self._ascii_only)
        yield KeyBar()

    @property
    def canvas(self) -> DrawCanvas:
        return self.query_one(DrawCanvas)

    def on_mount(self) -> None:
        self.set_class(self._ascii_only, "-ascii")
        self.query_one(Headline).show(["Draw"])
        self._show_pen()

    def on_screen_resume(self) -> None:
        """Chooses the runs again: others may be marked, and a run may have had a better epoch."""
        index, names = self._selection.runs, [names[0] for names in self._selection.colors]
        self.submit("runs", lambda: self._classifiers.choose(index, names), self._use_runs)

    def _use_runs(self, runs: list[Run] | None, error: str | None) -> None:
        if runs is None:
            self.query_one(AnswersView).show_error(error or "")
            return
        self._runs = runs
        titles = distinct_titles(runs)
        hint = "" if len(runs) > 1 else "mark several in Runs (2) to ask them together"
        self.query_one(Headline).show([part for part in ("Draw", ", ".join(titles), hint) if part])
        self._ask()

    def on_resize(self, event: events.Resize) -> None:
        self.canvas.use_room(event.size.width - ANSWER_CELLS, event.size.height - CHROME_LINES)

    @on(DrawCanvas.Changed)
    def _ask(self) -> None:
        drawing, runs, with_stability = self.canvas.drawing.copy(), self._runs, self._has_stability
        if runs:
            self.submit("answer", lambda: self._classifiers.answer(runs, drawing, with_stability), self._show_answers)

    def _show_answers(self, answers: Answers | None, error: str | None) -> None:
        view = self.query_one(AnswersView)
        view.show(answers) if error is None else view.show_error(error)

    @on(DrawCanvas.PenMoved)
    def _show_pen(self) -> None:
        """The line above the canvas: what the pen does."""
        canvas = self.canvas
        tool = "eraser" if canvas.is_erasing else "pen"
        state = "down: the arrows draw" if canvas.is_pen_down else "up: the arrows move it, space puts it down"
        shift = "HJKL shift, < > turn it"
        self.query_one("#draw-line", OneLine).put(f"{tool} {state}; {shift}")

    def action_toggle_stability(self) -> None:
        """Shows how the answers change for the digit shifted and turned slightly, or hides it."""
        self._has_stability = not self._has_stability
        self._ask()

    def action_scroll_answers(self, pages: int) -> None:
        """Scrolls the answers where there is too little room for them."""
        answers = self.query_one(VerticalScroll)
        answers.scroll_relative(y=pages * answers.size.height, animate=False)

    def action_look_inside(self) -> None:
        """Opens the drawing in Analyse."""
        if not self._runs:
            self.notify("there is no run to look into", markup=False)
            return
        try:
            image = self.canvas.drawing.prepared().pixels
        except ImageError:  # It is blank, or white all over.
            self.notify("draw a digit first", markup=False)
        else:
            self.post_message(LookInside(self._runs[0].id, image))

    def action_save(self) -> None:
        """Writes the drawing as a PNG file into the current folder."""
        if self.canvas.drawing.is_blank:
            self.notify("draw a digit first", markup=False)
            return
        name = f"digit-{time.strftime('%Y%m%dT%H%M%S')}"
        endings = chain([""], (f"-{number}" for number in count(2)))  # No file is overwritten.
        path = next(path for end in endings if not os.path.lexists(path := Path.cwd() / f"{name}{end}.png"))
        try:
            write_atomically(path, self.canvas.drawing.to_png())
        except OSError as error:
            self.notify(f"{path.name} cannot be written: {error.strerror}", severity="error", markup=False)
        else:
            self.notify(f"saved: {path}", markup=False)

    def action_help(self) -> None:
        """Every key that works where the focus is."""
        self.app.push_screen(help_on(self, "Draw", HELP_NAMES))
