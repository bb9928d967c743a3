"""The laboratory's widgets, each alone: what stands in them at several widths, and what they tell the screen."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from helpers.lab_pilot import until
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, OptionList

from mnist_tui.analysis.text_images import pixels
from mnist_tui.runs import metrics, verdict
from mnist_tui.runs.events import EpochEnded, best_of
from mnist_tui.spec import presets
from mnist_tui.spec.layer_diff import layer_changes
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui.lab import layer_table
from mnist_tui.tui.lab import picker as preset_picker
from mnist_tui.tui.lab.budget import BudgetCard, budget_lines, budget_text
from mnist_tui.tui.lab.digits import DigitsStrip
from mnist_tui.tui.lab.epochs import EpochTable, cell, columns
from mnist_tui.tui.lab.layer_table import LayerTable
from mnist_tui.tui.lab.picker import PresetPicker
from mnist_tui.tui.pixels import half_blocks, ramp

WIDTHS = (34, 44, 64)
LAB_120 = 39
"""Cells that the pane of the layers has where the terminal has 120."""


def row(epoch: int, test: float = 0.98, **changes: Any) -> EpochEnded:
    """An epoch that ended."""
    ended = EpochEnded(epoch, 0.4, 0.955, None, None, 0.3, test, 0.002, 31.2, 9_000.0)
    return replace(ended, **changes)


@pytest.fixture(scope="module")
def iter5() -> RunSpec:
    """A preset with a target of parameters and accuracy."""
    return presets.load("iter5")


@pytest.fixture(scope="module")
def narrower(iter5: RunSpec) -> RunSpec:
    """The preset with a smaller second convolution."""
    return iter5.with_settings({"layers": iter5.layers.replace("Conv2d(16", "Conv2d(15")})


class One(App[None]):
    """A widget alone on the screen, which keeps the messages that it posts."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        self.told: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_digits_strip_redraw(self, event: DigitsStrip.Redraw) -> None:
        """Other digits are wanted."""
        self.told.append(event)

    def on_preset_picker_picked(self, event: PresetPicker.Picked) -> None:
        """A preset is wanted."""
        self.told.append(event)


@asynccontextmanager
async def alone(widget: Widget, width: int, height: int = 24) -> AsyncIterator[Pilot[None]]:
    """The widget on a screen of its own."""
    async with One(widget).run_test(size=(width, height)) as pilot:
        await pilot.pause()
        yield pilot


async def look(pilot: Pilot[None]) -> list[str]:
    """The lines on the screen, once it is drawn."""
    await pilot.pause()
    return [strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips()]


# --- the budget ---


def with_target(spec: RunSpec, planned: int = 20, /, **target: Any) -> RunSpec:
    """The design with another target and plan."""
    changed = {
        "target": spec.target.model_copy(update=target),
        "train": spec.train.model_copy(update={"epochs": planned}),
    }
    return spec.model_copy(update=changed)


AGREES: dict[bool | None, tuple[str, ...]] = {True: ("met",), False: ("missed", "open"), None: ("not judged",)}


def test_the_card_never_contradicts_the_verdict(iter5: RunSpec) -> None:
    """Whatever is planned, allowed and reached, each part stands as the run's end will judge it."""
    different = []
    for planned, allowed, last, done, reached, is_mnist in product(
        (5, 20), (None, 5, 10), (None, 3), (1, 2, 3, 6, 12), (0.98, 0.995), (True, False)
    ):
        spec = with_target(iter5, planned, epochs=allowed, last_epochs=last, parameters=18_000 + 1_000 * done)
        rows = [row(epoch, reached) for epoch in range(1, done + 1)]
        shown = [line.standing for line in budget_lines(spec, rows, is_mnist)]
        parts = verdict.after_training(spec, rows, is_mnist) or {}
        judged = zip(("parameters", "test_accuracy", "epochs"), shown, strict=True)
        different += [(part, how) for part, how in judged if part in parts and how not in AGREES[parts[part]]]

    assert different == []
    assert "missed" not in AGREES[True]  # The control: what would be a contradiction.


def test_a_run_over_its_allowance(iter5: RunSpec) -> None:
    """By how much is said; a plan that is too long is over it before a run, and only then until it comes to it."""
    spec = with_target(iter5, epochs=15, parameters=18_422)
    spec = with_target(spec, 20, epochs=15)
    before, during = budget_lines(spec, [], True), budget_lines(spec, [row(1)], True)

    assert (before[0].fact, before[0].words) == ("18,422 of 18,422", "OVER by 1")
    assert (before[2].fact, before[2].words) == ("20, at most 15", "OVER by 5")
    assert (during[2].fact, during[2].words) == ("1 of 20, at most 15", "ok so far")


def test_no_target(iter5: RunSpec) -> None:
    """Without a target only the facts are shown."""
    spec = with_target(iter5, parameters=None, test_accuracy=None, last_epochs=None, epochs=None)

    assert [line.standing for line in budget_lines(spec, [row(1)], True)] == ["not asked"] * 3
    assert budget_text(budget_lines(spec, [row(1)], True), True, False).plain == ""


def test_what_is_open_is_missed_once_the_run_has_ended(iter5: RunSpec) -> None:
    """While a run is trained it may still reach its target; what is not judged is never missed."""
    lines, digits = budget_lines(iter5, [row(1)], True), budget_lines(iter5, [row(1)], False)

    assert "… best 98.00/99.40%" in budget_text(lines, has_ended=False, ascii_only=False).plain
    assert "✗ best 98.00/99.40%" in budget_text(lines, has_ended=True, ascii_only=False).plain
    assert "✗" not in budget_text(digits, has_ended=True, ascii_only=False).plain
    assert budget_text(lines, has_ended=True, ascii_only=True).plain.isascii()


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_verdict_is_in_sight(width: int, iter5: RunSpec) -> None:
    """A sign and a word, however narrow; no verdict by colour alone."""
    card = BudgetCard(ascii_only=False)
    async with alone(card, width) as pilot:
        card.show(iter5)
        lines = await look(pilot)

    assert "18,422" in lines[0]
    assert "✓ ok" in lines[0]
    assert "99.40%" in lines[1]


async def test_the_card_in_ascii(iter5: RunSpec) -> None:
    """No block and no tick."""
    card = BudgetCard(ascii_only=True)
    async with alone(card, 64) as pilot:
        card.show(iter5)
        lines = await look(pilot)

    assert "".join(lines).isascii()
    assert "+ ok  ###########- 92%" in lines[0]


# --- the layers ---


@pytest.mark.parametrize("width", [*range(34, 120, 7), LAB_120 - 2])
def test_no_line_is_longer_than_there_is_room(width: int, iter5: RunSpec, narrower: RunSpec) -> None:
    """With and without changes, the numbers at the right are whole."""
    for changes in (layer_changes(iter5.rows, iter5.rows), layer_changes(iter5.rows, narrower.rows)):
        assert max(line.cell_len for line in layer_table.table(changes, width)) <= width


async def test_changes_are_marked_with_their_parameters(iter5: RunSpec, narrower: RunSpec) -> None:
    """Also in the pane of a terminal of 120 columns; a layer that stays has no mark."""
    table = LayerTable()
    async with alone(table, LAB_120) as pilot:
        table.show(layer_changes(iter5.rows, narrower.rows), iter5.rows, is_valid=True)
        lines = await look(pilot)

    assert lines[0].split() == ["layer", "output", "params", "change"]
    assert lines[1].startswith("  Conv2d(8")
    assert lines[5].startswith("~ Conv2d(15")
    assert lines[5].endswith("1,095    -73")
    assert "18,339 params (-83)" in "\n".join(lines)


async def test_more_room_more_columns(iter5: RunSpec) -> None:
    """Wider tables have more columns, those of torchsummary first."""
    headings = []
    for width in (40, 64, 120):
        table = LayerTable()
        async with alone(table, width) as pilot:
            table.show(layer_changes(iter5.rows, iter5.rows), iter5.rows, is_valid=True)
            headings.append((await look(pilot))[0].split())

    assert headings[0] == ["layer", "output", "params"]
    assert headings[1] == ["layer", "output", "params", "RF", "jump", "MACs"]
    assert headings[2] == ["layer", "output", "params", "RF", "jump", "MACs", "share", "KiB"]


@pytest.mark.parametrize("is_valid", [True, False])
async def test_while_it_is_wrong_it_says_so(is_valid: bool, iter5: RunSpec) -> None:
    """In words, over the layers as they were."""
    table = LayerTable()
    async with alone(table, 64) as pilot:
        table.show(layer_changes(iter5.rows, iter5.rows), iter5.rows, is_valid)
        lines = await look(pilot)

    assert ("before the mistake" in lines[0]) is not is_valid
    assert any("Conv2d(8" in line for line in lines)


# --- the epochs ---


@pytest.mark.parametrize("has_val", [False, True])
def test_columns_fit(has_val: bool) -> None:
    """None is cut off; the accuracies are always among them."""
    ended = row(20, val_loss=0.3, val_accuracy=0.98) if has_val else row(20)
    for width in range(34, 120):
        layout = columns(width, metrics.measured([ended]))
        cells = [max(len(heading), len(cell(metric, ended, is_best=True))) + 2 for heading, metric in layout.items()]

        assert sum(cells) <= width
        assert {"epoch", "train %", "test %"} <= set(layout)


async def test_the_best_epoch_and_changed_rates_are_marked() -> None:
    """`*` and bold move to the new best, from every cell of the old one; `!` stays."""
    table = EpochTable()
    rows = [row(1, 0.98), row(2, 0.99, steered=True), row(3, 0.985, steered=True)]
    async with alone(table, 64) as pilot:
        for count, ended in enumerate(rows, start=1):
            table.add(ended, best_of(rows[:count]))
        lines = await look(pilot)
        styles = [{str(cell.style) for cell in table.get_row(str(epoch))} for epoch in (1, 2, 3)]

    assert [line.split()[0] for line in lines[1:4]] == ["1", "2!*", "3!"]
    assert styles == [{""}, {"bold"}, {""}]


async def test_an_epoch_adds_a_row() -> None:
    """The rows that are there stay, and the newest is in sight; an epoch that comes again is shown anew."""
    table = EpochTable()
    async with alone(table, 64, height=8) as pilot:
        for epoch in range(1, 31):
            table.add(row(epoch), row(1))
        first = next(iter(table.rows.values()))
        table.add(row(31), row(1))
        lines = await look(pilot)
        is_same = next(iter(table.rows.values())) is first
        table.add(row(31, 0.5), row(1))
        again = await look(pilot)

    assert is_same
    assert lines[-1].split()[0] == "31"
    assert "50.00" in again[-1]
    assert table.row_count == 31


# --- the digits ---


DIGIT = bytes([0] * 392 + [255] * 392)


def test_grey_is_kept() -> None:
    """Halves of four pixels' mean; black and white at the ends of the ramp."""
    half = pixels(bytes([0, 255, *([0] * 26), 255, 255, *([0] * 26)]) + bytes(728), 14)

    assert half[0][:2] == [191, 0]
    assert len(half) == 14
    assert [line.plain for line in ramp(pixels(DIGIT, 14))] == [" " * 14] * 3 + ["=" * 14] + ["@" * 14] * 3
    assert {line.plain for line in half_blocks(pixels(DIGIT))} == {"▀" * 28}


@pytest.mark.parametrize(
    ("size", "across", "down", "side"),
    [((34, 9), 2, 1, 14), ((44, 9), 3, 1, 14), ((64, 17), 4, 2, 14), ((120, 17), 4, 1, 28), ((60, 31), 2, 2, 28)],
)
async def test_as_many_digits_as_fit(size: tuple[int, int], across: int, down: int, side: int) -> None:
    """At half their size where fewer than four have room; labels below each row, then the caption."""
    strip = DigitsStrip(ascii_only=False)
    async with alone(strip, *size) as pilot:
        strip.show([DIGIT] * 8, list(range(8)), "MNIST, draw 1: RandomRotation(15)")
        lines = await look(pilot)

    for row in range(down):
        first = row * (side // 2 + 1)
        assert lines[first].split() == ["▀" * side] * across
        assert lines[first + side // 2].split() == [str(row * across + label) for label in range(across)]
    assert lines[down * (side // 2 + 1)] == "MNIST, draw 1: RandomRotation(15)"


async def test_a_long_caption_takes_the_lines_that_are_left() -> None:
    """The title of the digits is whole where there is room, else cut at the end."""
    strip = DigitsStrip(ascii_only=False)
    async with alone(strip, 34, 11) as pilot:
        strip.show([DIGIT], [7], "MNIST as the network sees it: " + "RandomRotation(15), " * 3)
        roomy = await look(pilot)
        await pilot.resize_terminal(34, 9)
        tight = await look(pilot)

    assert roomy[8:11] == [
        "MNIST as the network sees it:",
        "RandomRotation(15),",
        "RandomRotation(15), RandomRotatio…",
    ]
    assert tight[8] == "MNIST as the network sees it: Ran…"


async def test_digits_in_ascii_and_on_demand() -> None:
    """A ramp of characters; why there are none is said; a click asks for others."""
    strip = DigitsStrip(ascii_only=True)
    async with alone(strip, 34, 9) as pilot:
        strip.show_reason("waiting for [PyTorch]")
        waiting = await look(pilot)
        strip.show([DIGIT] * 8, list(range(8)), "MNIST")
        lines = await look(pilot)
        await pilot.click(DigitsStrip)
        messages = pilot.app.told  # type: ignore[attr-defined]

    assert waiting[0] == "waiting for [PyTorch]"
    assert "".join(lines).isascii()
    assert "@" * 14 in lines[6]
    assert [type(message) for message in messages] == [DigitsStrip.Redraw]


# --- the presets ---

OWN = "a_name_longer_than_ten_and_more_than_there_is_room"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with two presets of one's own, alike at their beginnings, and one that is broken."""
    text = (presets.builtin_folder() / "iter5.toml").read_text()
    for name in ("my_network_wide", "my_network_deep", OWN):
        (tmp_path / f"{name}.toml").write_text(text)
    (tmp_path / "broken.toml").write_text("layers = [b]3[/b]")
    return tmp_path


def prompts(picker: PresetPicker) -> dict[str, str]:
    """What stands in the list, by name."""
    return {option.id: str(option.prompt) for option in picker.query_one(OptionList).options if option.id}


async def read(pilot: Pilot[None], picker: PresetPicker) -> None:
    """Waits until the files are read."""
    await until(pilot, lambda: "18,422" in prompts(picker).get("iter5", ""))


async def test_a_late_answer_does_not_hide_a_new_preset(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the files are still read a preset is saved: what the first reading found does not replace the second."""
    goes_on, began, ended = Event(), Event(), Event()
    read_file = preset_picker.read

    def read_slowly(entry: preset_picker.Entry) -> preset_picker.Entry:
        if not began.is_set():
            began.set()
            goes_on.wait(10)
            ended.set()
        return read_file(entry)

    monkeypatch.setattr(preset_picker, "read", read_slowly)
    picker = PresetPicker(own)
    async with alone(picker, 64) as pilot:
        await until(pilot, began.is_set)
        shutil.copy(own / "my_network_wide.toml", own / "saved_now.toml")
        picker.refresh_list()
        await until(pilot, lambda: "18,422" in prompts(picker).get("saved_now", ""))
        goes_on.set()
        await until(pilot, ended.is_set)
        await pilot.pause(0.5)
        shown = prompts(picker)

    assert "saved_now" in shown


async def test_every_preset_is_listed(own: Path) -> None:
    """The built-in ones and one's own; a broken one with its error, which stops no other; names told apart."""
    picker = PresetPicker(own)
    async with alone(picker, 64) as pilot:
        at_once = set(prompts(picker))
        await read(pilot, picker)
        picker.show_current("iter5")
        shown = prompts(picker)

    assert at_once == set(shown) == {*presets.builtin_names(), "my_network_wide", "my_network_deep", OWN, "broken"}
    assert shown["iter5"].startswith(">iter5")
    assert shown["my_network_wide"].split()[0] != shown["my_network_deep"].split()[0]
    assert shown[OWN].startswith(" a_name_longer_than_ten_~")
    assert " ! " in shown["broken"]
    assert "[b]" in shown["broken"] or "broken.toml" in shown["broken"]


async def test_the_preset_that_is_designed_on_from_is_in_sight(own: Path) -> None:
    """The cursor is on it from the first frame on, however far down the list it stands."""
    picker = PresetPicker(own)
    async with alone(picker, 64, 8) as pilot:
        picker.show_current("v3")
        await read(pilot, picker)
        lines = await look(pilot)
        marked = picker.query_one(OptionList).highlighted_option

    assert marked is not None
    assert marked.id == "v3"
    assert any(line.startswith(">v3") for line in lines)


@asynccontextmanager
async def searching(own: Path) -> AsyncIterator[tuple[Pilot[None], PresetPicker, Input]]:
    """The picker on v3, with the focus in its search field."""
    picker = PresetPicker(own)
    async with alone(picker, 64) as pilot:
        await read(pilot, picker)
        picker.show_current("v3")
        field = picker.query_one(Input)
        field.focus()
        yield pilot, picker, field


async def test_search_and_pick(own: Path) -> None:
    """Words of name, title and author; Enter picks the first, which is the one that is marked."""
    async with searching(own) as (pilot, picker, field):
        field.value = "network deep"
        await pilot.pause()
        none = list(prompts(picker))
        field.value = "my_net"
        await pilot.pause()
        names = list(prompts(picker))
        marked = picker.query_one(OptionList).highlighted
        await pilot.press("enter")
        picked = [message.path.stem for message in pilot.app.told]  # type: ignore[attr-defined]

    assert none == ["my_network_deep"]
    assert names == ["my_network_deep", "my_network_wide"]
    assert marked == 1  # Below the heading.
    assert picked == ["my_network_deep"]


async def test_a_search_without_a_match(own: Path) -> None:
    """The list says so and how to see all again, the details of no preset stay below it, and Esc clears the search."""
    async with searching(own) as (pilot, picker, field):
        field.value = "zzz"
        lines = await look(pilot)
        await pilot.press("escape")
        await pilot.pause()
        marked = picker.query_one(OptionList).highlighted_option
        count = len(prompts(picker))

    assert any("nothing found; esc shows all" in line for line in lines)
    assert not any("v3" in line or "Version" in line for line in lines)
    assert field.value == ""
    assert count > 30
    assert marked is not None
    assert marked.id == "v3"


@pytest.mark.parametrize(("width", "is_marked"), [(30, False), (40, True)])
async def test_a_title_that_is_cut_ends_in_a_mark(width: int, is_marked: bool, own: Path) -> None:
    """Where there is room for titles; behind the target, the mark would belong to a number."""
    picker = PresetPicker(own)
    async with alone(picker, width) as pilot:
        await read(pilot, picker)
        picker.query_one(Input).value = "iter5"
        lines = await look(pilot)

    assert ("…" in next(line for line in lines if line.startswith(" iter5"))) is is_marked


@pytest.mark.parametrize("width", [30, *WIDTHS])
async def test_parameters_are_in_sight(width: int, own: Path) -> None:
    """However narrow the list."""
    picker = PresetPicker(own)
    async with alone(picker, width) as pilot:
        await read(pilot, picker)
        picker.query_one(Input).value = "iter5"
        lines = await look(pilot)

    assert "18,422" in next(line for line in lines if line.startswith(" iter5"))
