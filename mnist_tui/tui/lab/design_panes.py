"""The panes of the laboratory, and the design that four of them edit and show.

Presets, recipe and network post what the user changes; each change is a step of `LabDesign`. `show_draft` is the one
way from a change to the panes, and posts `Changed` for the screen.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from textual import on
from textual.app import SuspendNotSupported
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer

from mnist_tui.errors import EditorError, PresetError, SpecError
from mnist_tui.spec import layer_diff, presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.learning_rate import learning_rate_settings
from mnist_tui.text import clean_line
from mnist_tui.tui.dialogs import AskDialog, MessageDialog, Question
from mnist_tui.tui.lab import preset_files
from mnist_tui.tui.lab.budget import BudgetCard, ShownStep
from mnist_tui.tui.lab.design import LabDesign
from mnist_tui.tui.lab.field_line import EditRequested, FieldChanged, FieldLine, KnobRemoved
from mnist_tui.tui.lab.layer_table import LayerTable
from mnist_tui.tui.lab.layers_editor import LayersEditor
from mnist_tui.tui.lab.panes import Folding, Pane
from mnist_tui.tui.lab.picker import PresetPicker
from mnist_tui.tui.lab.previews import Sample
from mnist_tui.tui.lab.recipe import KnobRequested, RecipeForm, ShownDraft
from mnist_tui.tui.lab.varied import Varied, varied_fields
from mnist_tui.tui.messages import OpenScreen
from mnist_tui.tui.request import LabRequest

BURST_SECONDS = 0.02
"""From a change to drawing it: further changes in between are drawn with it."""


class DesignPanes(Horizontal):
    """Presets and recipe, network and layers, and the panes `others` as a third column."""

    class Changed(Message):
        """Posted when the panes show another design, or judge it by another target."""

    class SweepAsked(Message):
        """Request for a sweep over the fields that hold several values."""

        def __init__(self, varied: Varied) -> None:
            super().__init__()
            self.varied = varied

    def __init__(self, request: LabRequest, design: LabDesign, sample: Sample, others: Sequence[Pane]) -> None:
        """Panes on a design; `sample` draws the digits of the augmentation dialog."""
        ascii_only = request.settings.ascii
        pane = partial(Pane, ascii_only=ascii_only)
        budget, layers = BudgetCard(ascii_only, request.settings.brief), LayerTable(ascii_only)
        do = [
            pane(PresetPicker(request.models), name="presets", title="Presets", key="f2", group="do"),
            pane(RecipeForm(ascii_only), name="recipe", title="Recipe", key="f4", group="do"),
        ]
        net = [
            pane(LayersEditor(), name="architecture", title="Network", key="f3", group="do"),
            pane(budget, layers, name="layers", title="Layers", key="f5", group="see"),
        ]
        columns = {"column-do": do, "column-net": net, "column-see": others}
        super().__init__(*(Vertical(*panes, id=name, classes="column") for name, panes in columns.items()), id="panes")
        self.design = design
        self.folding = Folding([do[0], net[0], do[1], net[1], *others])
        self._sample, self._ascii_only = sample, ascii_only
        self._newest_change = 0
        """The number of the newest `FieldChanged` that the draft contains."""
        self._draft_timer: Timer | None = None

    # --- showing the design ---

    def load(self) -> None:
        """Shows the design from its beginning."""
        self.query_one(LayersEditor).load(self.design.draft.layers)
        self._show_design()

    def _show_design(self) -> None:
        """Shows a design that does not come from the fields, so that another preset may be its base."""
        self.query_one(PresetPicker).show_current(self.design.base.name)
        self.show_draft()

    def _show_draft_soon(self) -> None:
        if self._draft_timer is None:
            self._draft_timer = self.set_timer(BURST_SECONDS, self.show_draft)

    def show_draft(self) -> None:
        """Shows the draft in the panes."""
        if self._draft_timer is not None:
            self._draft_timer.stop()
            self._draft_timer = None
        design, result = self.design, self.design.draft.result
        self.query_one(LayersEditor).show_error(result.layer_error)
        self.query_one(RecipeForm).show(ShownDraft(design.draft, design.run_texts, self._newest_change))
        changes = layer_diff.layer_changes(design.base.rows, result.rows)
        shape = (result.spec or design.base).dataset.shape
        self.query_one(LayerTable).show(changes, design.base.rows, result.layer_error is None, shape)
        if result.spec is not None:
            self.query_one(BudgetCard).show(result.spec)
        self.post_message(self.Changed())

    def show_step(self, step: ShownStep | None) -> None:
        """Judges the design by the step of a course brief, None by its own target."""
        self.query_one(BudgetCard).show_step(step)
        if step != self.design.step:
            self.design.step = step
            self.post_message(self.Changed())

    # --- whole designs ---

    @on(PresetPicker.Picked)
    def _pick(self, event: PresetPicker.Picked) -> None:
        try:
            self.use(Draft(presets.load_file(event.path)))
        except PresetError as error:
            self.post_message(OpenScreen(MessageDialog("This preset cannot be used", str(error))))

    def use(self, draft: Draft, name: str = "") -> None:
        """Replaces the draft; undo returns to the previous one and calls the step `name`."""
        self.design.record(draft, name or f"preset {draft.base.name}")
        self.load()

    def revert(self) -> None:
        """Takes all changes of the preset back."""
        self.use(Draft(self.design.base), "revert")

    def undo(self) -> None:
        """Undoes the newest change: of a field, the layers, a knob, or the preset that was picked."""
        self._show_step(self.design.undo(), "undone", "there is nothing to undo")

    def redo(self) -> None:
        """Makes the change again that was undone last."""
        self._show_step(self.design.redo(), "redone", "there is nothing to redo")

    def _show_step(self, name: str | None, done: str, nothing: str) -> None:
        if name is None:
            self.notify(nothing)
        else:
            self.query_one(LayersEditor).replace(self.design.draft.layers)
            self._show_design()
            self.notify(f"{done}: {clean_line(name, 60)}", timeout=2, markup=False)

    # --- changes ---

    @on(LayersEditor.Edited)
    def _edit_layers(self, event: LayersEditor.Edited) -> None:
        draft = self.design.draft
        is_typing = abs(len(event.text) - len(draft.layers)) == 1
        self.design.record(draft.with_layers(event.text), "layers", is_typing)
        self._show_draft_soon()

    @on(FieldChanged)
    def _edit_field(self, event: FieldChanged) -> None:
        self._newest_change = event.number
        if event.path in self.design.run_texts:
            self.design.record_run_text(event.path, event.text)
        else:
            self._notify_kept_arguments(event)
            self.design.record(self.design.draft.with_text(event.path, event.text), event.path, is_typing=True)
        self._show_draft_soon()

    def _notify_kept_arguments(self, event: FieldChanged) -> None:
        """Says which arguments of the previous optimizer or schedule another one begins with."""
        draft = self.design.draft
        if taken := draft.taken_over(event.path, event.text):
            arguments = ", ".join(f"{path.partition('.')[2]}={text}" for path, text in taken.items())
            source = f" from {draft.text_of('optimizer')}" if event.path == "optimizer" else ""
            self.notify(f"{event.text} takes over {arguments}{source}", timeout=8, markup=False)

    @on(FieldLine.Submitted)
    def _submit_field(self, event: FieldLine.Submitted) -> None:
        if self._ask_for_sweep(event.path):
            event.stop()

    def _ask_for_sweep(self, path: str) -> bool:
        """Whether a field holds several values, for which a sweep is asked for then."""
        varied = varied_fields(self.design.draft)
        if path in varied.values:
            self.post_message(self.SweepAsked(varied))
        return path in varied.values

    @on(EditRequested)
    def _edit_in_dialog(self, event: EditRequested) -> None:
        """Edits a field where there is more room: transforms as a list, other texts over the width of the screen."""
        if self._ask_for_sweep(event.path):
            return
        if event.path == "augment":
            from mnist_tui.tui.lab.augment_dialog import AugmentDialog  # The first frame does not wait for it.

            with suppress(SpecError):  # A text that cannot be parsed can only be edited as text.
                dialog = AugmentDialog(self.design.draft, self._sample, self._ascii_only)
                self.post_message(OpenScreen(dialog, partial(self._use_answer, "augmentation")))
                return
        self._edit_text(event.path)

    def _edit_text(self, path: str) -> None:
        draft = self.design.draft
        question = Question(
            path, "", draft.text_of(path), lambda text: draft.with_text(path, text).result.errors.get(path)
        )

        def use(text: str | None) -> None:
            self._use_answer(path, None if text is None else draft.with_text(path, text))

        self.post_message(OpenScreen(AskDialog(question, is_wide=True), use))

    @on(KnobRequested)
    def add_knob(self) -> None:
        """Asks for the name and the value of a new knob."""
        from mnist_tui.tui.lab.knob_dialog import KnobDialog  # The first frame does not wait for it.

        self.post_message(OpenScreen(KnobDialog(self.design.draft), partial(self._use_answer, "new knob")))

    @on(KnobRemoved)
    def _remove_knob(self, event: KnobRemoved) -> None:
        self._use_answer(event.path, self.design.draft.without_knob(event.path.removeprefix("knobs.")))

    def set_learning_rate(self, rate: float) -> None:
        """Changes the learning rate, and the peak of a OneCycleLR; raises `SpecError` where a knob would be left over.

        Transforms that are switched off stay.
        """
        draft, spec = self.design.draft, self.design.valid_spec()
        changed = Draft.of(spec.with_settings(learning_rate_settings(spec, rate)), draft.base)
        self._use_answer(f"learning rate {rate:.3g}", replace(changed, switched_off=draft.switched_off))

    def _use_answer(self, name: str, draft: Draft | None) -> None:
        """Uses the draft that a dialog has returned; None for a dialog that was cancelled."""
        if draft is not None:
            self.design.record(draft, name)
            self.show_draft()

    # --- preset files ---

    def save(self) -> None:
        """Asks for a name and saves the design as a new preset file; raises `SpecError` while it has an error."""
        self.design.valid_spec()
        self.post_message(OpenScreen(AskDialog(preset_files.name_question()), self._save))

    def _save(self, name: str | None) -> None:
        spec = self.design.spec
        if name is None or spec is None:
            return
        try:
            path = presets.save(spec, name, self.design.base)
            self.use(Draft(presets.load_file(path)))
        except (PresetError, OSError) as error:
            self.post_message(OpenScreen(MessageDialog("Not saved", str(error))))
            return
        self.query_one(PresetPicker).refresh_list()
        self.notify(f"saved: {path}", markup=False)

    def edit_as_file(self) -> None:
        """Opens the whole preset in $EDITOR and uses what it was changed to; raises `SpecError` and `EditorError`."""
        try:
            self.use(preset_files.edit_as_file(self.app, self.design.valid_spec(), self.design.base), "editor")
        except PresetError as error:
            self.post_message(OpenScreen(MessageDialog("What was written cannot be used", str(error))))
        except SuspendNotSupported as error:
            raise EditorError(str(error)) from error
