"""Asks for a sweep over the fields of the design that hold several values; Enter makes it."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.plan import SweepPlan
from mnist_tui.sweep.report_text import chosen_words
from mnist_tui.text import clean_line, parse_count
from mnist_tui.tui.background import Submit
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.design import MAX_SEEDS
from mnist_tui.tui.lab.varied import Varied
from mnist_tui.tui.repaint import Dialog
from mnist_tui.tui.text_field import TextField

if TYPE_CHECKING:
    from mnist_tui.sweep.cost import Cost

MEASURING = "time: measuring a few steps"


class SweepDialog(Dialog[str]):
    """Returns the name of the sweep that was made; stays open while something is wrong."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("escape", "dismiss", "Cancel"),
            Binding("down", "app.focus_next", "Next field", show=False),
            Binding("up", "app.focus_previous", "Field before", show=False),
        ]
    )

    def __init__(self, varied: Varied, seeds: str, options: Options, submit: Submit) -> None:
        super().__init__()
        self._varied, self._seeds, self._options, self._submit = varied, seeds, options, submit
        self._plan: SweepPlan | None = None
        """With one seed; None before it was made."""
        self._cost: tuple[Cost, int] | None = None
        """Of one seed, and how many runs go at a time; None before it was measured."""
        self._no_cost = MEASURING
        self._is_starting = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content("New sweep"), classes="dialog-title")
            for path, values in self._varied.values.items():
                yield Static(Content(clean_line(f"{path.removeprefix('knobs.')}: {', '.join(values)}", 300)))
            with Horizontal(classes="sweep-field"):
                yield Static(Content("seeds of each"), classes="dialog-hint")
                yield TextField(self._seeds, name="sweep-seeds")
            with Horizontal(classes="sweep-field"):
                yield Static(Content("name"), classes="dialog-hint")
                yield TextField(name="sweep-name", hint="without one, that of the preset")
            yield Static(id="sweep-cost")
            yield Static(id="sweep-chosen", classes="dialog-hint")
            yield Static(id="dialog-error")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Train", id="train", variant="primary", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        self.set_class(self.app.size.height < 30, "-short")
        base = self._varied.base.result.spec
        assert base is not None
        dataset = self._options.dataset
        self._submit("sweep-plan", lambda: jobs.sweep_plan(base, self._varied.values, dataset), self._take_plan)
        self._show()

    def _take_plan(self, plan: SweepPlan | None, error: str | None) -> None:
        if not self.is_attached:
            return
        self._plan = plan
        if plan is None:
            self._show_error(error or "")
        else:
            self._submit("sweep-cost", lambda: jobs.sweep_cost(plan, self._options), self._take_cost)
        self._show()

    def _take_cost(self, cost: "tuple[Cost, int] | None", error: str | None) -> None:
        if self.is_attached:
            self._cost, self._no_cost = cost, f"time: not known: {error}"
            self._show()

    @property
    def seeds(self) -> int:
        """As typed; 0 for what is no number of seeds."""
        seeds = parse_count(self.query_one("#sweep-seeds", Input).value.strip()) or 0
        return seeds if seeds <= MAX_SEEDS else 0

    @on(Input.Changed, "#sweep-seeds")
    def _show(self) -> None:
        """Shows what the sweep will be, as far as it is known."""
        plan, seeds = self._plan, self.seeds
        if plan is None or not seeds:
            cost = ""
        elif self._cost is None:
            cost = f"{len(plan.configurations):,} configurations, {seeds * plan.runs:,} runs; {self._no_cost}"
        else:
            cost = self._cost_words(plan.model_copy(update={"seeds": seeds}))
        self.query_one("#sweep-cost", Static).update(Content(clean_line(cost, 300)))
        self.query_one("#sweep-chosen", Static).update(Content(chosen_words(plan) if plan else ""))
        if not seeds:
            self._show_error(f"seeds: a whole number from 1 to {MAX_SEEDS:,}")
        elif plan is not None:
            self._show_error("")

    def _cost_words(self, plan: SweepPlan) -> str:
        from mnist_tui.sweep.cost import cost_words

        assert self._cost is not None
        cost, jobs_at_a_time = self._cost
        cost = replace(cost, runs=plan.runs, seconds=cost.seconds * plan.seeds, bytes=cost.bytes * plan.seeds)
        return cost_words(plan, cost, min(jobs_at_a_time, plan.runs))

    def _show_error(self, error: str) -> None:
        self.query_one("#dialog-error", Static).update(Content(f"! {clean_line(error, 300)}" if error else ""))

    # --- answers ---

    @on(Input.Submitted)
    @on(Button.Pressed, "#train")
    def _start(self) -> None:
        if self._plan is None or not self.seeds or self._is_starting:
            return
        self._is_starting = True
        plan = self._plan.model_copy(update={"seeds": self.seeds})
        name = self.query_one("#sweep-name", Input).value.strip() or None
        self._submit("sweep-start", lambda: jobs.start_sweep(self._options.runs_dir, plan, name), self._end)

    def _end(self, name: str | None, error: str | None) -> None:
        self._is_starting = False
        if not self.is_attached:
            return
        if name is None:
            self._show_error(error or "")
        else:
            self.dismiss(name)

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss()
