"""The keys of the laboratory: `LabScreen` has an action for each."""

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input, OptionList

from mnist_tui.tui.advice_list import AdviceList
from mnist_tui.tui.help import Names
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab.epochs import EpochTable
from mnist_tui.tui.lab.layers_editor import LayersEditor
from mnist_tui.tui.lab.layers_text_area import LayersTextArea
from mnist_tui.tui.lab.picker import PresetPicker
from mnist_tui.tui.lab.recipe import RecipeForm
from mnist_tui.tui.lab.training import TrainingView

BINDINGS: list[BindingType] = with_ids(
    [
        Binding("f2", "pane('presets')", "Presets", show=False),
        Binding("f3", "pane('architecture')", "Network", show=False),
        Binding("f4", "pane('recipe')", "Recipe", show=False),
        Binding("f5", "pane('layers')", "Layers", show=False),
        Binding("f6", "pane('training')", "Training", show=False),
        Binding("f7", "pane('digits')", "Digits", show=False),
        Binding("r", "redraw", "Other digits", show=False, tooltip="through another draw of the augmentation"),
        Binding("n", "new_knob", "New knob", show=False, tooltip="a number that layers and recipe call by its name"),
        Binding("u", "revert", "Revert", show=False, tooltip="to the preset as it was picked"),
        Binding("ctrl+z", "undo_change", "Undo", show=False, tooltip="the newest change, of whatever pane"),
        Binding("ctrl+y", "redo_change", "Redo", show=False),
        Binding("escape", "leave_field", "Leave the field", show=False, tooltip="single letters are keys again"),
        Binding("t,f9", "start", "Train"),
        Binding("space,f8", "pause", "Pause", tooltip="or unpause"),
        Binding("full_stop", "step", "Step", tooltip="one optimizer step, then pauses"),
        Binding("s", "stop", "Stop", tooltip="after this step; saves, and keeps the run"),
        Binding("l", "rate", "Rate", tooltip="another learning rate, while it runs"),
        Binding(
            "T,shift+f9", "queue", "Queue this design", tooltip="to be trained after what is trained and what waits"
        ),
        Binding("f", "find_rate", "LR finder", tooltip="loss over a rising learning rate; suggests one"),
        Binding("a", "advice", "Advice", tooltip="on the run that ended: what to change, and why"),
        Binding("p", "pin", "Pin", show=False, tooltip="an earlier run, drawn behind the curves"),
        Binding("z,f12", "zoom", "Enlarge", tooltip="the pane with the focus; the curves with a cursor"),
        Binding("y", "copy", "Copy", show=False, tooltip="as text: what the focused pane shows"),
        Binding("Y", "toggle_log", "Log y", show=False, tooltip="the loss on a logarithmic axis, or not"),
        Binding("w", "smooth", "Smooth", show=False, tooltip="step losses: none, over 0.1 or 0.5 epochs"),
        Binding("slash", "search", "Search", tooltip="a preset"),
        Binding(
            "b", "brief", "Brief", show=False, tooltip="a course brief: what it asks for, its current step in Layers"
        ),
        Binding("e", "editor", "$EDITOR", show=False, tooltip="the whole preset in your editor"),
        Binding("ctrl+s,f10", "save", "Save", tooltip="as a new preset file"),
        Binding("question_mark,f1", "help", "Help"),
    ]
)

HELP_NAMES: Names = {
    LayersTextArea: "Editor",
    LayersEditor: "Network",
    Input: "Field",
    RecipeForm: "Recipe",
    PresetPicker: "Presets",
    OptionList: "List",
    TrainingView: "Training",
    EpochTable: "Epochs",
    AdviceList: "Advice",
    Screen: "Everywhere",
    App: "Everywhere",
}

RUN_ACTIONS = ("pause", "step", "stop", "rate")
"""Actions that need a run that is trained or watched."""

QUEUE_ACTIONS = ("queue",)
"""Actions that are there at any time, and are shown while a run is trained here, in place of `DESIGN_ACTIONS`."""

DESIGN_ACTIONS = ("start", "find_rate")
"""Actions that train on what is designed, while no run is trained here."""
