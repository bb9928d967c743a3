"""Designing under a pilot: knobs that come and go, and the list of all completions. Nothing is trained."""

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import lab_request, until
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

from mnist_tui.errors import SpecError
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.dialogs import AskDialog
from mnist_tui.tui.help import HelpScreen
from mnist_tui.tui.lab import jobs, preset_files
from mnist_tui.tui.lab.completions import CompletionList
from mnist_tui.tui.lab.design import LabDesign
from mnist_tui.tui.lab.field_line import FieldError, FieldLine
from mnist_tui.tui.lab.knob_dialog import KnobDialog
from mnist_tui.tui.lab.layer_names import completion, names_at
from mnist_tui.tui.lab.layers_editor import LayersEditor
from mnist_tui.tui.lab.recipe import Heading
from mnist_tui.tui.lab.screen import LabScreen
from mnist_tui.tui.request import LabRequest
from mnist_tui.tui.runner import Runner

WIDE, MIDDLE, NARROW = (120, 40), (80, 24), (60, 18)


@pytest.fixture(autouse=True)
def no_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "warm_up", lambda: None)
    monkeypatch.setattr(jobs, "rates", lambda spec: (0.1, 0.2, 0.1))
    monkeypatch.setattr(jobs, "live_run", lambda runs_dir: None)
    no_digits = type("AugmentedSample", (), {"dataset": "mnist", "labels": (), "digits": (), "slow": (), "classes": ()})
    monkeypatch.setattr(jobs, "sample_augmented", lambda *asked: no_digits)


@asynccontextmanager
async def lab(name: str = "iter5", size: tuple[int, int] = WIDE, **changes: Any) -> AsyncIterator[Pilot[Any]]:
    """The laboratory on a preset."""
    app = LabApp(lab_request(name, **changes), Runner(Options(), lambda folder: None))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield pilot


def screen(pilot: Pilot[Any]) -> LabScreen:
    """The laboratory's screen."""
    return next(one for one in pilot.app.screen_stack if isinstance(one, LabScreen))


def area(pilot: Pilot[Any]) -> TextArea:
    """The editor of the layers."""
    return screen(pilot).query_one(TextArea)


# --- knobs ---


def knobs(pilot: Pilot[Any]) -> dict[str, str]:
    """The knobs in the form, with what stands in their fields."""
    lines = [line for line in screen(pilot).query(FieldLine) if line.field.group == "knobs"]
    return {line.field.label: line.query_one(Input).value for line in lines}


def said(pilot: Pilot[Any]) -> dict[str, str]:
    """The errors in the form, by path."""
    return {wrong.path: str(wrong.visual) for wrong in screen(pilot).query(FieldError) if wrong.display}


def asks(pilot: Pilot[Any]) -> bool:
    """Whether a new knob is asked for."""
    return isinstance(pilot.app.screen, KnobDialog)


def refused(pilot: Pilot[Any]) -> dict[str, str]:
    """The errors in the dialog, by field."""
    lines = pilot.app.screen.query(".wrong").results(Static)
    return {str(line.id).split("-")[1]: str(line.visual) for line in lines if line.display}


async def add_knob(pilot: Pilot[Any], name: str, value: str) -> None:
    """Types a new knob."""
    screen(pilot).set_focus(None)
    await pilot.press("n")
    await until(pilot, lambda: asks(pilot))
    await pilot.press(*name, "enter", *value, "enter")
    await until(pilot, lambda: not asks(pilot))


async def test_a_knob_by_keyboard() -> None:
    """It is added, used by a layer, turned, and saved in a preset that opens again; the layer table follows it."""
    async with lab() as pilot:
        await add_knob(pilot, "width", "12")
        await until(pilot, lambda: "width" in knobs(pilot) and said(pilot))
        before, count = said(pilot), screen(pilot).design.draft.changed_count
        area(pilot).text = area(pilot).text.replace("Conv2d(16,", "Conv2d(width,", 1)
        await until(pilot, lambda: not said(pilot))
        table = str(screen(pilot).query_one("#layer-rows", Static).visual)
        field = next(line for line in screen(pilot).query(FieldLine) if line.field.label == "width").query_one(Input)
        field.value = "14"
        await until(pilot, lambda: "14x" in str(screen(pilot).query_one("#layer-rows", Static).visual))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskDialog))
        await pilot.press(*"mine", "enter")
        await until(pilot, lambda: screen(pilot).design.base.name == "mine")
        saved = presets.load("mine")

    assert before == {"knobs.width": "! no layer and no argument uses it [remove]"}
    assert count == 1
    assert "Conv2d(12,3" in table
    assert saved.knobs == {"width": 14}
    assert "[knobs]\nwidth = 14\n" in (presets.user_folder() / "mine.toml").read_text()
    assert [row.output_shape for row in saved.rows if row.type == "Conv2d"][1][0] == 14


async def test_a_knob_by_mouse() -> None:
    """A click on the heading asks, one on Add adds; one on what is wrong with an unused knob removes it."""
    async with lab() as pilot:
        await pilot.click(Heading)
        await until(pilot, lambda: asks(pilot))
        await pilot.click("#knob-value")
        await pilot.press(*"0.25")
        await pilot.click("#knob-name")
        await pilot.press(*"rate")
        await pilot.click("#add")
        await until(pilot, lambda: said(pilot))
        added = knobs(pilot)
        await pilot.click(FieldError)
        await until(pilot, lambda: not said(pilot))

        assert added == {"rate": "0.25"}
        assert knobs(pilot) == {}
        assert screen(pilot).design.draft.result.spec == presets.load("iter5")
        assert screen(pilot).design.draft.changed_count == 0


@pytest.mark.parametrize(
    ("name", "value", "where", "words"),
    [
        ("a b", "1", "name", "! 'a b' cannot be the name of a knob"),
        ("", "1", "name", "! '' cannot be the name of a knob"),
        ("ReLU", "1", "name", "! 'ReLU' cannot be the name of a knob"),
        ("epochs", "1", "name", "! 'epochs' cannot be the name of a knob"),
        ("dropout", "1", "name", "! there is a knob dropout already"),
        ("width", "wide", "value", "! cannot read 'wide'; enter a number such as 0.001"),
        ("width", "", "value", "! enter a number such as 0.001"),
        ("width", "(1, 2)", "value", "! must be a finite number, got (1, 2)"),
        ("width", "1e13", "value", "! must be a finite number"),
    ],
)
async def test_a_wrong_knob_is_named_under_its_field(name: str, value: str, where: str, words: str) -> None:
    """Nothing changes, what was typed stays, and the focus is where it is wrong; escape leaves it at that."""
    async with lab("iter6") as pilot:
        before = screen(pilot).design.draft
        screen(pilot).set_focus(None)
        await pilot.press("n")
        await until(pilot, lambda: asks(pilot))
        await pilot.press(*name, "enter", *value, "enter")
        await until(pilot, lambda: refused(pilot))
        wrong, focused = refused(pilot), pilot.app.focused
        await pilot.press("escape")
        await until(pilot, lambda: not asks(pilot))

        assert wrong == {where: words}
        assert focused is not None
        assert focused.id == f"knob-{where}"
        assert screen(pilot).design.draft is before


async def test_only_a_knob_that_nothing_uses_is_removed() -> None:
    """Ctrl+r in its field; while a layer uses it, or elsewhere, it says so. What is undone wants it back."""
    async with lab("iter6") as pilot:
        with_dropout = area(pilot).text
        next(line for line in screen(pilot).query(FieldLine) if line.field.label == "dropout").query_one(Input).focus()
        await pilot.press("ctrl+r")
        await pilot.pause()
        used = dict(knobs(pilot))
        area(pilot).text = "\n".join(line for line in with_dropout.splitlines() if "dropout" not in line)
        await until(pilot, lambda: said(pilot))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: not said(pilot))
        spec = screen(pilot).design.draft.result.spec
        area(pilot).text = with_dropout
        await until(pilot, lambda: screen(pilot).design.draft.result.layer_error)
        line, words = screen(pilot).design.draft.result.layer_error or (0, "")

        assert "dropout" in used
        assert knobs(pilot) == {}
        assert spec is not None
        assert spec.knobs == {}
        assert "dropout" in with_dropout.splitlines()[line - 1]
        assert "unknown name 'dropout'" in words


async def test_a_typed_layer_waits_for_its_knob() -> None:
    """The other way round: the layer first, which is wrong until there is a knob of that name."""
    async with lab() as pilot:
        area(pilot).text = area(pilot).text.replace("Conv2d(16,", "Conv2d(width,", 1)
        await until(pilot, lambda: screen(pilot).design.draft.result.layer_error)
        await add_knob(pilot, "width", "8")
        await until(pilot, lambda: knobs(pilot))

        assert screen(pilot).design.draft.result.spec is not None
        assert said(pilot) == {}
        assert knobs(pilot) == {"width": "8"}


async def test_another_preset_has_its_own_knobs() -> None:
    """What was added goes with the draft that it was added to; a mistake goes with its field."""
    async with lab() as pilot:
        await add_knob(pilot, "width", "8")
        await until(pilot, lambda: said(pilot))
        screen(pilot).panes.use(Draft(presets.load("iter6")))
        await until(pilot, lambda: "dropout" in knobs(pilot))
        await until(pilot, lambda: not said(pilot))

        assert knobs(pilot) == {"dropout": str(presets.load("iter6").knobs["dropout"])}
        assert screen(pilot).design.draft.changed_count == 0


@pytest.mark.parametrize("name", ["seed", "layers", "device", "width", "lr"])
def test_a_knob_called_like_a_setting(name: str) -> None:
    """It is not taken for it."""
    base = presets.load("iter5")
    draft = Draft(base).with_knob(name, "12").with_layers(base.layers.replace("Conv2d(16", f"Conv2d({name}", 1))
    turned = draft.with_text(f"knobs.{name}", "13").result.spec
    spec = draft.result.spec

    assert spec is not None
    assert turned is not None
    assert (spec.knobs, turned.knobs) == ({name: 12}, {name: 13})
    assert spec.train == turned.train == base.train
    assert Draft.of(turned, base).result.spec == turned
    assert Draft.of(turned, base).changed_count == 2


def test_a_wrong_value_of_a_new_knob() -> None:
    """Is said at its field; the layers are not to blame."""
    base = presets.load("iter5")
    draft = Draft(base).with_knob("width", "12").with_layers(base.layers.replace("Conv2d(16", "Conv2d(width", 1))
    wrong = [draft.with_text("knobs.width", text).result for text in ("", "x", "1e13", "-3", "0.5")]

    assert [set(checked.errors) for checked in wrong] == [{"knobs.width"}] * 5
    assert [checked.layer_error for checked in wrong] == [None] * 5
    with pytest.raises(SpecError, match="there is a knob width already"):
        draft.with_knob("width", "1")


# --- completions ---


def completion_names(pilot: Pilot[Any]) -> list[str]:
    """The names in the list; none where it is not in sight."""
    lists = [one for one in screen(pilot).query(CompletionList) if one.display]
    return [str(option.id) for one in lists for option in one.options]


async def type_layers(pilot: Pilot[Any], before: str, behind: str = "") -> None:
    """Puts the cursor between two texts in the editor, which has nothing else."""
    area(pilot).focus()
    area(pilot).text = before + behind
    rows = before.split("\n")
    area(pilot).move_cursor((len(rows) - 1, len(rows[-1])))
    await pilot.pause()


@pytest.mark.parametrize(
    ("line", "word", "first", "end"),
    [
        ("", "", "AdaptiveAvgPool2d", "("),
        ("Conv2d(", "", "out_channels", "="),
        ("Conv2d(16, pad", "pad", "kernel_size", "="),
        ("Conv2d(16, 3, stride=2, ", "", "padding", "="),
        ("Upsample(size=(1, 2), ", "", "scale_factor", "="),
        ("Residual(Conv2d(8, 3, padding=1), Conv2d(8, 3, ", "", "stride", "="),
        ("Residual(Conv2d(8, 3), ", "", "AdaptiveAvgPool2d", "("),
        ("Parallel(", "", "AdaptiveAvgPool2d", "("),
        ("Repeat(3, Conv2d(8, ", "", "kernel_size", "="),
        ("Repeat(", "", None, ""),
        ("Repeat(3, ", "", "AdaptiveAvgPool2d", "("),
        ("Parallel(Sequential(ReLU, ", "", "AdaptiveAvgPool2d", "("),
        ("SqueezeExcite(", "", "ratio", "="),
        ("Conv2d(8, (3, ", "", None, "="),
        ("Conv2d(16", "", None, ""),
        ("Conv2d(16, 3) ", "", None, ""),
        ("Conv2d(8, 3, padding=", "", None, ""),
        ("ReLU()  # Re", "Re", None, ""),
        ("Nothing(", "", None, "="),
    ],
)
def test_the_names_that_may_stand_at_the_cursor(line: str, word: str, first: str | None, end: str) -> None:
    """Layers outside of calls and in those that take layers; else the arguments that are not given yet."""
    start, names, follows = names_at(line)

    assert (start, next(iter(names), None), follows) == (word, first, end)
    assert completion(line) == ("ding=" if word == "pad" else "")


@pytest.mark.parametrize("key", ["ctrl+space", "ctrl+@"])
async def test_the_list_of_layers(key: str) -> None:
    """Made when first asked for, it narrows as one types, in any case; what the arrows choose replaces the word."""
    async with lab() as pilot:
        await type_layers(pilot, "ReLU()\nm")
        is_lazy = not screen(pilot).query(CompletionList)
        await pilot.press(key)
        wide = completion_names(pilot)
        await pilot.press("a")
        await pilot.pause()
        narrow = completion_names(pilot)
        await pilot.press("backspace", "down")
        await pilot.pause()
        signature = str(screen(pilot).query_one("#signature", Static).visual)
        await pilot.press("enter")
        await pilot.pause()
        taken = area(pilot).text
        await pilot.press("ctrl+z")

        assert is_lazy
        assert wide == ["MaxPool2d", "Mish"]
        assert narrow == ["MaxPool2d"]
        assert signature == "Mish(inplace=False)"
        assert taken == "ReLU()\nMish("
        assert area(pilot).text == "ReLU()\nm"
        assert completion_names(pilot) == []
        assert pilot.app.focused is area(pilot)


async def test_the_list_of_arguments_by_mouse() -> None:
    """A click writes the name; a sign that is there already is not written twice; the list is below the cursor."""
    async with lab() as pilot:
        await type_layers(pilot, "Conv2d(16, 3, p", "add=1)")
        await pilot.press("ctrl+space")
        await pilot.pause()
        names, completions = completion_names(pilot), screen(pilot).query_one(CompletionList)
        below = completions.region.y - area(pilot).cursor_screen_offset.y
        await pilot.click(CompletionList, offset=(3, 1))
        await pilot.pause()

        assert names == ["padding", "padding_mode"]
        assert below == 1
        assert area(pilot).text == "Conv2d(16, 3, padding_mode=1)"
        assert completion_names(pilot) == []
        assert pilot.app.focused is area(pilot)


async def test_what_closes_the_list() -> None:
    """Escape, which leaves the focus; a word that is none; the next word; Tab, which moves the focus as ever."""
    async with lab() as pilot:
        closed = []
        for key in ("escape", "x", "space", "tab"):
            await type_layers(pilot, "ReLU()\nCo")
            await pilot.press("ctrl+space")
            was_open = bool(completion_names(pilot))
            await pilot.press(key)
            await pilot.pause()
            closed.append((key, was_open, completion_names(pilot), pilot.app.focused is area(pilot)))

        assert closed == [(key, True, [], key != "tab") for key in ("escape", "x", "space", "tab")]


async def test_where_no_name_can_stand_there_is_no_list() -> None:
    """It says so, and Enter is a line break as ever."""
    async with lab() as pilot:
        await type_layers(pilot, "Conv2d(16")
        await pilot.press("ctrl+space")
        names = completion_names(pilot)
        await pilot.press("enter")

        assert names == []
        assert area(pilot).text == "Conv2d(16\n"


@pytest.mark.parametrize("size", [WIDE, MIDDLE, NARROW])
@pytest.mark.parametrize("lines", [0, 3, 30])
async def test_the_list_is_in_sight(size: tuple[int, int], lines: int) -> None:
    """Inside the pane, beside the line of the cursor, however small the pane and wherever the cursor."""
    async with lab(size=size) as pilot:
        await pilot.press("f3")
        await pilot.pause()
        await type_layers(pilot, "ReLU()\n" * lines + "Residual(ReLU(), ReLU(), ReLU(), ReLU(), A")
        await pilot.press("ctrl+space")
        await pilot.pause()
        completions, editor = screen(pilot).query_one(CompletionList), screen(pilot).query_one(LayersEditor)
        cursor = area(pilot).cursor_screen_offset

        assert completions.size.height >= 3
        assert editor.region.contains_region(completions.region)
        assert cursor.y in (completions.region.y - 1, completions.region.bottom)


async def test_the_help_has_the_key_of_the_list() -> None:
    """By what is written on the keyboard."""
    async with lab() as pilot:
        await type_layers(pilot, "")
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        text = "\n".join(str(part.visual) for part in pilot.app.screen.query(Static))

        assert "\nEditor\n" in text
        assert "^space" in text
        assert "All completions: of the layer or argument at" in text


def test_another_data_set_in_the_form() -> None:
    """The draft is checked against the chosen data set, which undo takes back; a preset that is picked gets it too."""
    design = LabDesign(LabRequest(draft=Draft(presets.load("iter5"))))
    design.record_run_text("dataset", "emnist-letters")
    refused = design.draft.result.layer_error
    design.record(design.draft.with_layers(design.draft.layers.replace("Linear(10)", "Linear(26)")), "layers")
    spec = design.spec

    assert refused is not None
    assert "26 logits" in refused[1]
    assert spec is not None
    assert spec.dataset.name == "emnist-letters"
    design.record(Draft(presets.load("step4")), "preset step4")
    assert design.draft.dataset == "emnist-letters"
    while design.undo():
        pass
    assert design.spec == presets.load("iter5")


@pytest.mark.parametrize("text", ["²", "٣", "1" * 5_000, "", "0", "1001", "-1", "1.5"])
def test_what_is_no_number_of_seeds(text: str) -> None:
    """Digits of other scripts, and more of them than Python reads as a number, are refused as a word is."""
    design = LabDesign(LabRequest(draft=Draft(presets.load("iter5"))))
    design.record_run_text("seeds", text)

    with pytest.raises(SpecError, match=r"^seeds: 1 to 1,000, got "):
        design.specs()


@pytest.mark.parametrize("name", ["../../../mine", "/mine", "a/b", "x" * 300, "iter5"])
def test_the_name_of_a_saved_run_names_no_other_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run folder may be somebody else's, and its name goes into the name of the file that the editor is given."""
    edited: list[Path] = []

    def edit(app: object, path: Path) -> int:
        edited.append(path)
        return 0

    monkeypatch.setattr(preset_files, "edit_suspended", edit)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "a" / "b"))
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "mine.toml").write_text("precious")
    spec = presets.load("iter5").model_copy(update={"name": name})
    draft = preset_files.edit_as_file(App(), spec, spec)

    assert draft.result.spec == spec
    assert edited[0].parent.parent == tmp_path / "a" / "b"
    assert (tmp_path / "mine.toml").read_text() == "precious"


def test_a_preset_is_edited_in_every_locale(tmp_path: Path) -> None:
    """The file is UTF-8, as it is read again, whatever letters its author has."""
    program = """
from mnist_tui.spec import presets
from mnist_tui.tui.lab import preset_files

preset_files.edit_suspended = lambda app, path: 0
spec = presets.load("iter5").model_copy(update={"title": "caf\\u00e9"})
print(preset_files.edit_as_file(None, spec, spec).result.spec == spec)
"""
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, **locale}, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("True\n", "")
