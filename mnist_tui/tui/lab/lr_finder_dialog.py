"""The learning-rate finder: the loss over a rising learning rate, drawn live, and the rates that follow from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mnist_tui.errors import SpecError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Downloading, Notice
from mnist_tui.runs.lr_range import HIGHEST, LOWEST, MIN_FALL, RatesFound, RateTried, Suggestion
from mnist_tui.spec.learning_rate import learning_rate_settings
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui.charts.rates_plot import RatesPlot
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.repaint import Dialog

Step = Notice | Downloading | RateTried
OnStep = Callable[[Step], None]
OnFound = Callable[[RatesFound | None, str | None], None]
Find = Callable[[Control, OnStep, OnFound], None]
"""Starts the finder in another thread: each event goes to the `OnStep`, in that thread; the result or the reason why
there is none to the `OnFound`, in the screen's. The test ends early once the `Control` is stopped."""

DRAW_SECONDS = 0.1
"""Between two drawings of new steps."""


@dataclass
class StepReported(Message):
    """An event of the range test; posted by its thread."""

    event: Step


class LrFinderDialog(Dialog[Suggestion]):
    """Returns the suggested learning rate to use."""

    AUTO_FOCUS = "OptionList"
    BINDINGS: ClassVar[list[BindingType]] = with_ids([Binding("escape,q,ctrl+q", "dismiss", "Cancel")])

    def __init__(self, spec: RunSpec, find: Find, ascii_only: bool) -> None:
        super().__init__()
        self._spec, self._find, self._ascii_only = spec, find, ascii_only
        self._control = Control()
        self._steps: list[RateTried] = []
        self._has_news = False
        self._found: RatesFound | None = None

    def compose(self) -> ComposeResult:
        title = f"Learning-rate finder: {self._spec.name}, {self._spec.train.optimizer}"
        with Vertical(classes="dialog"):
            yield Static(Content(clean_line(title, 200)), classes="dialog-title")
            yield Static("loading PyTorch and the data", id="finder-line", markup=False)
            yield RatesPlot(self._ascii_only)
            yield OptionList(compact=True)
            yield Static(id="dialog-error")
            yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self.app.size.height < 30, "-short")
        self.set_interval(DRAW_SECONDS, self._draw_new)
        self._find(self._control, self._report, self._end)

    def on_unmount(self) -> None:
        self._control.stop()

    def _report(self, event: Step) -> None:
        """Called in the thread of the range test."""
        self.post_message(StepReported(event))

    @on(StepReported)
    def _add(self, message: StepReported) -> None:
        match message.event:
            case Notice(text=text):
                self._say(text)
            case Downloading():
                self._say(str(message.event))
            case RateTried() as step:
                self._steps.append(step)
                self._has_news = True

    def _draw_new(self) -> None:
        if not self._has_news or self._found is not None:
            return
        self._has_news = False
        step = self._steps[-1]
        self._say(f"step {step.step:,} of {step.steps:,}, rate {step.rate:.2e}, smoothed loss {step.smoothed:.4g}")
        rates, losses = [each.rate for each in self._steps], [each.smoothed for each in self._steps]
        self.query_one(RatesPlot).show(rates, losses)

    def _end(self, found: RatesFound | None, error: str | None) -> None:
        if not self.is_attached:
            return
        if found is None:
            self._say("")
            self.query_one("#dialog-error", Static).update(Content(f"! {clean_line(error or 'no result', 300)}"))
            return
        self._found = found
        self._say(_ending(found))
        self.query_one(RatesPlot).show(found.rates, found.smoothed, found.suggestions)
        options = self.query_one(OptionList)
        options.add_options([Option(Content(self._option_line(each))) for each in found.suggestions])
        options.display = bool(found.suggestions)
        options.highlighted = 0 if found.suggestions else None

    @property
    def _suggestions(self) -> tuple[Suggestion, ...]:
        return self._found.suggestions if self._found else ()

    def _option_line(self, suggestion: Suggestion) -> str:
        """A suggestion, and what Enter changes."""
        try:
            settings = learning_rate_settings(self._spec, suggestion.rate)
        except SpecError as error:
            return f"{suggestion.rule}: {clean_line(str(error), 200)}"
        changes = ", ".join(f"{path} = {text}" for path, text in settings.items())
        return f"{suggestion.rule:<15} {suggestion.rate:.3g}   sets {clean_line(changes, 300)}"

    def _say(self, line: str) -> None:
        self.query_one("#finder-line", Static).update(Content(clean_line(line, 200)))

    @on(OptionList.OptionHighlighted)
    def _select(self, event: OptionList.OptionHighlighted) -> None:
        self.query_one(RatesPlot).select(event.option_index)

    @on(OptionList.OptionSelected)
    def _take(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._suggestions[event.option_index])


def _ending(found: RatesFound) -> str:
    """How the test ended, and why there is no suggestion."""
    steps = f"{len(found.rates):,} steps"
    ended = f"{steps}, until the loss diverged" if found.ended == "diverged" else steps
    if found.suggestions:
        return f"{ended}; arrows choose, Enter uses a rate"
    return f"{ended}; no suggestion: no rate from {LOWEST:g} to {HIGHEST:g} lowered the smoothed loss by {MIN_FALL:.0%}"
