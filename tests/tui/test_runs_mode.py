"""Runs and Compare under a pilot: what stands there, and what every key does to the folders."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import lab_request, notices, row, until
from helpers.saved_runs import make_run, write_predictions
from rich.text import Text
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static, TextArea

from mnist_tui.analysis.palette import COLOURS
from mnist_tui.errors import StorageError
from mnist_tui.runs import annotations, trash
from mnist_tui.runs.history import history_line
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.charts.zoom import CursorPlot, ZoomScreen
from mnist_tui.tui.compare.overlay import Overlay
from mnist_tui.tui.compare.screen import CompareScreen
from mnist_tui.tui.dialogs import ConfirmDialog
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.screen import LabScreen
from mnist_tui.tui.runner import Runner
from mnist_tui.tui.runs import run_actions
from mnist_tui.tui.runs.detail import RunDetail
from mnist_tui.tui.runs.run_screen import RunScreen
from mnist_tui.tui.runs.screen import RunsScreen
from mnist_tui.tui.runs.selection import names_of
from mnist_tui.tui.runs.sort_dialog import SortDialog
from mnist_tui.tui.runs.table import RunTable

pytestmark = pytest.mark.slow

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}
GOLDEN = Path(__file__).parents[1] / "golden"


class CannedRunner(Runner):
    """A runner that does not train; it records its calls."""

    def __init__(self) -> None:
        super().__init__(Options(), lambda folder: None)
        self.done: list[tuple[str, str, int]] = []

    def resume(self, folder: Path) -> None:
        self.done.append(("resume", folder.name, 0))

    def extend(self, folder: Path, epochs: int) -> None:
        self.done.append(("extend", folder.name, epochs))


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No torch, no live run, and the time zone of the goldens."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for name in ("warm_up", "rates", "sample_augmented"):
        monkeypatch.setattr(jobs, name, _never)
    monkeypatch.setattr(jobs, "live_run", lambda runs_dir: None)


def _never(*arguments: object) -> None:
    raise RuntimeError("not in this test")


def one(runs_dir: Path) -> None:
    """A single run."""
    make_run(runs_dir, presets.load("iter5"), 0, 0.9941, 0)


@cache
def _many() -> tempfile.TemporaryDirectory[str]:
    made = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    _make_many(Path(made.name))
    return made


def many(runs_dir: Path) -> None:
    """Twelve seeds of two presets, of which iter4 is worse, and whatever else may lie about; made once and copied."""
    shutil.copytree(_many().name, runs_dir)


def _make_many(runs_dir: Path) -> None:
    for index, name in enumerate(("iter4", "iter5")):
        for seed in range(12):
            accuracy = (0.9932, 0.9941)[index] + (seed * 7 % 12 - 5.5) * 0.00005
            folder = make_run(runs_dir, presets.load(name), seed, accuracy, 20 * index + seed)
            write_predictions(folder, [seed] if index else [seed, 20, 21, 22, 23, 24, 25, 26, 27])
    failed = presets.load("iter5").with_settings({"optimizer.lr": "0.5"})
    annotations.write_tags(make_run(runs_dir, failed, 0, 0.5, 50, outcome="failed"), ["too-fast"])
    interrupted = make_run(runs_dir, presets.load("v2"), 0, 0.99, 51)
    (interrupted / "end.json").unlink()
    (runs_dir / "pictures").mkdir()
    damaged = make_run(runs_dir, presets.load("iter1"), 0, 0.98, 52, epochs=1)
    (damaged / "run.json").write_text('{"format"')


@asynccontextmanager
async def runs_mode(
    make: Callable[[Path], None] | None = many, size: tuple[int, int] = (120, 40), **changes: Any
) -> AsyncIterator[Pilot[Any]]:
    """The application in its second mode, over a directory of runs."""
    if make is not None:
        make(Path("runs"))
    app = LabApp(lab_request(**changes), CannedRunner())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen._is_read)
        await until(pilot, lambda: told(pilot))
        yield pilot


async def until_in_view(pilot: Pilot[Any], word: str) -> None:
    """Waits until a word is in the lines of the open view of a run."""
    lines = pilot.app.screen.query_one("#view-lines", Static)
    await until(pilot, lambda: word in str(lines.content))


async def until_on_top(pilot: Pilot[Any], screen_class: type[Screen[Any]]) -> None:
    """Waits until a screen of this class is on top."""
    await until(pilot, lambda: isinstance(pilot.app.screen, screen_class))


def facts(pilot: Pilot[Any]) -> str:
    """The details of the run under the cursor."""
    return str(pilot.app.screen.query_one("#run-facts", Static).content)


def told(pilot: Pilot[Any]) -> bool:
    """Whether the details are those of the run under the cursor."""
    group, details = table(pilot).group, pilot.app.screen.query_one(RunDetail).facts
    return details is None if group is None else details is not None and names_of(details.group) == names_of(group)


def table(pilot: Pilot[Any]) -> RunTable:
    """The table of runs."""
    return pilot.app.screen.query_one(RunTable)


def names(pilot: Pilot[Any]) -> list[str]:
    """What stands in the first column."""
    return [group[0].name for group in table(pilot).rows]


def look(pilot: Pilot[Any]) -> str:
    """The characters on the screen."""
    return "\n".join(strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips()) + "\n"


def runner(pilot: Pilot[Any]) -> CannedRunner:
    """The canned runner."""
    canned_runner = pilot.app.runner  # type: ignore[attr-defined]
    assert isinstance(canned_runner, CannedRunner)
    return canned_runner


def run_folder(name: str) -> Path:
    """The folder of a run."""
    return next(Path("runs").glob(f"*{name}*"))


def filter_error(pilot: Pilot[Any]) -> str:
    """What is wrong with the filter, as it is shown."""
    return str(pilot.app.screen.query_one("#filter-error", Static).content)


async def type_filter(pilot: Pilot[Any], text: str) -> None:
    """Types a filter and goes back to the table."""
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("slash", "enter")
    await pilot.pause()


# --- the newcomer's minute ---


async def test_in_a_minute_whether_iter4_is_better() -> None:
    """2, m, space on both, 3: the sentence stands at the top."""
    async with runs_mode() as pilot:
        await pilot.press("m")
        await type_filter(pilot, "iter state:completed")
        assert names(pilot) == ["iter5", "iter4"]
        await pilot.press("g", "space", "space", "3")
        await until(pilot, lambda: "is better" in report(pilot))

        assert report(pilot).startswith(
            "iter5 ×12 is better by 0.09 points: 99.41% of iter5 ×12 against 99.32% of iter4"
        )
        assert "p < 0.001 (Welch's t)" in report(pilot)
        assert "only what differs" not in report(pilot)  # Nothing but layers.
        assert "~ Conv2d(28, 1) → Conv2d(32, 1) (+132 params)" in report(pilot)


def report(pilot: Pilot[Any]) -> str:
    """What stands beside the curves of Compare."""
    return str(pilot.app.screen.query_one("#compare-text", Static).content)


# --- the table ---


async def test_filter_as_it_is_typed() -> None:
    """Every letter chooses; a mistake is named and the rows stay; esc shows all again."""
    async with runs_mode() as pilot:
        assert len(names(pilot)) == 28
        await pilot.press("slash", *"seed=3")
        assert names(pilot) == ["iter5", "iter4"]
        await pilot.press(*"x")
        assert "seed=3x: enter a number such as seed=20" in filter_error(pilot)
        assert names(pilot) == ["iter5", "iter4"]
        await pilot.press("backspace", *" or (seed=2 iter5")
        assert "(seed=2 iter5: the bracket is not closed" in filter_error(pilot)
        await pilot.press(")")
        assert filter_error(pilot) == ""
        assert names(pilot) == ["iter5", "iter5", "iter4"]
        await pilot.press("escape", "escape")
        assert len(names(pilot)) == 28


async def test_escape_leaves_a_filter() -> None:
    """It stays where it selects runs, and is cleared at once where it selects none; the line of keys says so."""
    async with runs_mode() as pilot:
        field = pilot.app.screen.query_one(Input)
        await pilot.press("slash", *"iter5")
        await until(pilot, lambda: look(pilot).splitlines()[-1].startswith(" esc Leave the filter"))
        await pilot.press("escape")
        assert (field.value, table(pilot).has_focus) == ("iter5", True)
        await pilot.press("slash", *"zz")
        await until(pilot, lambda: not table(pilot).rows)
        await pilot.press("escape")
        await until(pilot, lambda: bool(table(pilot).rows))
        assert (field.value, table(pilot).has_focus) == ("", True)


async def test_order() -> None:
    """A heading that is clicked, and again; the keys for the same."""
    async with runs_mode() as pilot:
        x = look(pilot).splitlines()[2].index("best")
        await pilot.click(RunTable, offset=(x, 0))
        assert table(pilot).rows[0][0].best_accuracy == pytest.approx(0.994375)
        await pilot.press("full_stop")
        assert names(pilot)[0] == "iter5"
        assert table(pilot).rows[0][0].state == "failed"


async def test_sort_menu() -> None:
    """The columns that are shown come first; the current one is marked, and chosen again it turns the order round."""
    async with runs_mode() as pilot:
        selection = pilot.app.screen.selection  # type: ignore[attr-defined]
        await pilot.press("comma")
        await until(pilot, lambda: isinstance(pilot.app.screen, SortDialog))
        listed = pilot.app.screen.query_one(OptionList)
        lines = [str(option.prompt) for option in listed.options]
        assert [line.split()[0] for line in lines[:3]] == ["name", "id", "seed"]
        assert [line for line in lines if not line.startswith(" ")] == ["▾ when           when it began"]
        assert str(listed.highlighted_option.prompt).startswith("▾ when")  # type: ignore[union-attr]

        await pilot.press("enter")
        await until(pilot, lambda: selection.sort == "when")
        await pilot.press("comma", "home", "j", "j", "j", "j", "enter")
        await until(pilot, lambda: selection.sort == "-parameters")
        assert names(pilot)[0] == "v2"
        await pilot.press("comma", "escape")
        assert selection.sort == "-parameters"


async def test_the_cursor_stays_on_its_run() -> None:
    """Also where the order changes and where another folder comes."""
    async with runs_mode() as pilot:
        await pilot.press("G", "up")
        run = table(pilot).group
        assert run is not None
        name = run[0].folder.name
        await pilot.press("full_stop")
        make_run(Path("runs"), presets.load("era5"), 5, 0.99, 55)
        await until(pilot, lambda: "era5" in names(pilot))
        assert table(pilot).group is not None
        assert table(pilot).group[0].folder.name == name  # type: ignore[index]


async def test_columns_are_chosen_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns can be hidden, shown and moved, and are written to the settings."""
    kept: list[Any] = []
    monkeypatch.setattr(
        "mnist_tui.settings.settings.write", lambda key, value: kept.append((key, value)), raising=False
    )
    async with runs_mode() as pilot:
        await pilot.press("C")
        await pilot.press("space", "down", "J", "enter")
        shown = [column.key for column in table(pilot).columns]
        assert shown[:3] == ["seed", "id", "state"]
        assert kept == [("columns", [*shown[:9], "target", *shown[9:]])]  # None of these runs is judged.
        await pilot.press("C", "escape")
        assert [column.key for column in table(pilot).columns] == shown


# --- what is done with a run ---


async def test_what_changed_is_found() -> None:
    """The details show what changed for the run under the cursor."""
    async with runs_mode() as pilot:
        await type_filter(pilot, "tag:too-fast")
        await until(pilot, lambda: "  optimizer.lr: 0.002 → 0.5" in facts(pilot))

        assert "iter5, seed 0  failed\n" in facts(pilot)
        assert "\nit failed for a test\n" in facts(pilot)


async def test_open(tmp_path: Path) -> None:
    """Every view of a run can be opened and closed."""
    async with runs_mode() as pilot:
        await type_filter(pilot, "iter5 seed=0 state:completed")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        words = {
            "Epochs": "20*",
            "Changes": "changes against",
            "Advice": "bias-before-batch-norm: ",
            "Layers": "MaxPool2d",
            "Spec": 'optimizer = "Adam(lr=0.002)"',
            "Environment": '"torch": "2.11"',
            "Log": "there is no run.log",
            "Notes": "## Analysis",
        }
        for view, word in words.items():
            await pilot.press("right")
            assert pilot.app.screen.view == view  # type: ignore[attr-defined]
            await until_in_view(pilot, word)
        await pilot.press("right")
        assert pilot.app.screen.query_one("#view-curves").display
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, RunsScreen)


async def test_resume_and_extend() -> None:
    """Runs are resumed and extended in the lab; one that cannot be resumed is refused."""
    async with runs_mode() as pilot:
        await type_filter(pilot, "iter5 seed=1")
        await pilot.press("r")
        assert runner(pilot).done == []
        await pilot.press("x")
        await pilot.pause()
        await pilot.press("backspace", "7", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen))
        await pilot.press("2")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        await type_filter(pilot, "state:interrupted")
        await pilot.press("r")
        await until(pilot, lambda: len(runner(pilot).done) == 2)

        assert [(what, epochs) for what, _, epochs in runner(pilot).done] == [("extend", 7), ("resume", 0)]
        assert "-v2-" in runner(pilot).done[1][1]


async def test_enlarged_curves_of_a_run_that_is_trained_move() -> None:
    """They are read again with the folders; those of the run under the cursor, and of no other."""

    def with_a_live_run(runs_dir: Path) -> None:
        one(runs_dir)
        (make_run(runs_dir, presets.load("iter4"), 0, 0.98, 1, epochs=3) / "end.json").unlink()

    async with runs_mode(with_a_live_run) as pilot:
        (folder,) = Path("runs").glob("*iter4*")
        await pilot.press("z")
        await until(pilot, lambda: isinstance(pilot.app.screen, ZoomScreen))
        before = [len(line.xs) for line in pilot.app.screen.query_one(CursorPlot).picture.lines]
        with (folder / "history.jsonl").open("ab") as history:
            history.write(history_line(row(4, 0.9999)))
        await until(pilot, lambda: pilot.app.screen._epochs == 4)  # type: ignore[attr-defined]
        await pilot.press("end")
        await until(pilot, lambda: "epoch 4" in look(pilot) and "99.99" in look(pilot))
        after = [len(line.xs) for line in pilot.app.screen.query_one(CursorPlot).picture.lines]

        assert [count + 1 for count in before] == after


async def test_enlarged_curves_of_a_run_that_is_deleted_stay() -> None:
    """As they were last."""
    async with runs_mode(one) as pilot:
        selection = pilot.app.screen.selection  # type: ignore[attr-defined]
        (folder,) = Path("runs").glob("*iter5*")
        await pilot.press("z")
        await until(pilot, lambda: isinstance(pilot.app.screen, ZoomScreen))
        shutil.rmtree(folder)
        await until(pilot, lambda: not selection.all)
        await pilot.pause(0.2)

        assert isinstance(pilot.app.screen, ZoomScreen)
        assert "test" in look(pilot)
        assert notices(pilot) == []
        assert pilot.app.return_code is None


async def test_a_run_that_is_trained_is_neither_resumed_nor_extended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice says so, before it is asked by how many epochs."""
    async with runs_mode(one) as pilot:
        running = replace(table(pilot).rows[0][0], state="training")
        monkeypatch.setattr(type(pilot.app.screen._actions), "run", running)  # type: ignore[attr-defined]
        await pilot.press("x", "r")
        await pilot.pause()

        assert isinstance(pilot.app.screen, RunsScreen)
        assert runner(pilot).done == []
        assert {note.message.partition(":")[0] for note in pilot.app._notifications} == {"this run is being trained"}


async def test_settings_into_the_lab() -> None:
    """Held against their preset."""
    async with runs_mode() as pilot:
        await type_filter(pilot, "state:failed")
        await pilot.press("u")
        await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen))
        lab = pilot.app.screen
        assert isinstance(lab, LabScreen)

        assert lab.design.draft.result.spec is not None
        assert str(lab.design.draft.result.spec.train.optimizer) == "Adam(lr=0.5)"
        assert lab.design.base == presets.load("iter5")


async def test_notes_and_tags() -> None:
    """Typed, saved, and found by a filter."""
    async with runs_mode() as pilot:
        await type_filter(pilot, "iter5 seed=2")
        await pilot.press("n")
        await until(pilot, lambda: bool(pilot.app.screen.query("#notes-analysis")))
        pilot.app.screen.query_one("#notes-analysis", TextArea).load_text("It overfits.\nMore dropout.")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: table(pilot).rows[0][0].note == "It overfits.")
        await pilot.press("number_sign")
        await until(pilot, lambda: bool(pilot.app.screen.query("AskDialog Input")))
        await pilot.press(*"a/b", "enter")
        assert "is no tag" in str(pilot.app.screen.query_one("#dialog-error", Static).content)
        pilot.app.screen.query_one(Input).value = "keep this"
        await pilot.press("enter")
        await until(pilot, lambda: table(pilot).rows[0][0].tags == ("keep", "this"))
        await type_filter(pilot, "tag:keep note:overfits")

        assert len(table(pilot).rows) == 1
        assert "## Analysis\n\nIt overfits.\nMore dropout." in annotations.notes_text(table(pilot).rows[0][0].folder)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_long_notes_are_seen_where_they_are_typed(size: tuple[int, int]) -> None:
    """What is typed follows what is there, in sight; all keys of the dialog are, too."""
    async with runs_mode(one, size) as pilot:
        folder = table(pilot).rows[0][0].folder
        notes = annotations.read_notes(folder)
        annotations.write_notes(folder, replace(notes, analysis="a long line of words " * 60), notes)
        await pilot.press("n")
        await until(pilot, lambda: bool(pilot.app.screen.query("#notes-analysis")))
        await pilot.press(*"xyz")
        await until(pilot, lambda: "wordsxyz" in look(pilot))

        assert pilot.app.screen.query_one("#notes-analysis", TextArea).text.endswith("wordsxyz")
        assert " ".join(("tab Next field", "^s Save", "F4 Editor", "esc Cancel")) in " ".join(look(pilot).split())


async def test_delete_asks_and_is_undone() -> None:
    """Deleting asks first and can be undone; of a group all seeds are deleted."""
    async with runs_mode() as pilot:
        await type_filter(pilot, "iter4")
        await pilot.press("D")
        await pilot.pause()
        await pilot.press("escape")
        assert len(names(pilot)) == 12
        await pilot.press("D")
        await pilot.pause()
        await pilot.press("y")
        await until(pilot, lambda: len(names(pilot)) == 11)
        await pilot.press("U")
        await until(pilot, lambda: len(names(pilot)) == 12)
        await pilot.press("m")
        assert len(names(pilot)) == 1
        await pilot.press("space", "D")
        await pilot.pause()
        await pilot.press("y")
        await until(pilot, lambda: names(pilot) == [])

        assert len(trash.trashed(Path("runs"))) == 12
        assert pilot.app.screen.selection.colors == {}  # type: ignore[attr-defined]


async def test_a_trash_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key that restores says why it does not."""

    def refuse(runs_dir: Path) -> list[Path]:
        raise StorageError("runs/.trash: Permission denied")

    monkeypatch.setattr(trash, "trashed", refuse)
    async with runs_mode(one) as pilot:
        await pilot.press("U")
        await pilot.pause()

        assert notices(pilot) == ["runs/.trash: Permission denied"]


@pytest.mark.parametrize("text", ["²", "٣", "1" * 5_000, "0", "10001", "-1"])
def test_what_is_no_number_of_epochs(text: str) -> None:
    """Digits of other scripts, and more of them than Python reads as a number, are refused as a word is."""
    assert run_actions._wrong_count(text) == "a whole number from 1 to 10,000"


async def test_export(tmp_path: Path) -> None:
    """To a file that is named."""
    async with runs_mode(one) as pilot:
        await pilot.press("E")
        await until(pilot, lambda: bool(pilot.app.screen.query("AskDialog Input")))
        pilot.app.screen.query_one(Input).value = str(tmp_path / "copy.zip")
        await pilot.press("enter")
        await until(pilot, (tmp_path / "copy.zip").exists)


async def test_what_is_no_run_cannot_be_changed() -> None:
    """Keys on a folder that is no run show a notice and change nothing."""
    async with runs_mode() as pilot:
        before = sorted(Path("runs").iterdir())
        for what in ("state:damaged", "pictures"):
            await type_filter(pilot, what)
            await pilot.press("enter", "space", "u", "r", "x", "n", "number_sign", "e", "E", "y", "z")
            await pilot.pause()
            assert isinstance(pilot.app.screen, RunsScreen)
            assert pilot.app.screen.selection.colors == {}
        assert sorted(Path("runs").iterdir()) == before
        assert "somebody else's folder" in facts(pilot)


async def test_a_damaged_run_can_be_deleted() -> None:
    """Into the trash and back, as any other; a folder that may be somebody else's stays."""
    async with runs_mode() as pilot:
        await type_filter(pilot, "pictures")
        await pilot.press("D")
        await until(pilot, lambda: "is no run folder" in " ".join(notices(pilot)))
        await type_filter(pilot, "state:damaged")
        await pilot.press("D")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: names(pilot) == [])
        deleted = trash.trashed(Path("runs"))
        await pilot.press("U")
        await until(pilot, lambda: len(names(pilot)) == 1)

        assert len(deleted) == 1
        assert trash.trashed(Path("runs")) == []
        assert Path("runs/pictures").is_dir()


def torn(runs_dir: Path) -> None:
    """A run, and two folders whose run.json is gone, with names that begin alike."""
    one(runs_dir)
    for end in ("aaaa", "bbbb"):
        (runs_dir / f"20260101T000000Z-a-preset-with-a-long-name-s0-{end}").mkdir()


async def test_folders_that_begin_alike_are_told_apart() -> None:
    """Their names are cut where they differ; Enter is no key for what cannot be opened; their facts get all room."""
    async with runs_mode(torn, (80, 24)) as pilot:
        await pilot.press("end")
        await until(pilot, lambda: "half written" in facts(pilot))
        seen = look(pilot)

        assert all(re.search(rf"^  …\S*{end}  ", seen, re.MULTILINE) for end in ("aaaa", "bbbb"))
        assert "enter Open" not in seen.splitlines()[-1]
        assert pilot.app.screen.query_one(RunDetail).has_class("-text")
        await pilot.press("home")
        await until(pilot, lambda: "enter Open" in look(pilot).splitlines()[-1])
        await until(pilot, lambda: not pilot.app.screen.query_one(RunDetail).has_class("-text"))


# --- compare ---


async def test_compare_single_runs_and_what_is_refused() -> None:
    """McNemar's sentence, a cursor that reads all, the other measures, and a refusal in words."""
    async with runs_mode() as pilot:
        await type_filter(pilot, "seed=4")
        await pilot.press("g", "space", "space", "3")
        await until(pilot, lambda: "exact McNemar" in report(pilot))
        assert "is right on 8 test images that iter5 s4 misses" not in report(pilot)
        assert "misses 8 that iter5 s4 has right" in report(pilot)
        overlay = pilot.app.screen.query_one(Overlay)
        await pilot.press("left", "left")
        assert overlay.cursor == 18
        assert "epoch 18" in str(pilot.app.screen.query_one("#compare-legend", Static).content)
        await pilot.press("m")
        await until(pilot, lambda: "the answers are stored for the best epoch alone" in report(pilot))
        await pilot.press("n", "d")
        await until(pilot, lambda: "all settings" in report(pilot))
        assert overlay.what == "loss"

        digits = {"name": "digits", "sha256": "1" * 64, "test_images": 360}
        make_run(Path("runs"), presets.load("iter4"), 4, 0.9, 60, dataset=digits)
        await pilot.press("2")
        await until(pilot, lambda: len(table(pilot).rows) == 3)
        await pilot.press("g", "space", "3")
        await until(pilot, lambda: "Not compared:" in report(pilot))


def repeated(runs_dir: Path) -> None:
    """Two recipes with two seeds each, one of them trained twice; and a run on other images."""
    for index, (name, seed) in enumerate((("iter4", 0), ("iter4", 1), ("iter5", 0), ("iter5", 1), ("iter5", 0))):
        make_run(runs_dir, presets.load(name), seed, 0.99 + 0.001 * index, index)
    digits = {"name": "digits", "sha256": "1" * 64, "test_images": 360}
    make_run(runs_dir, presets.load("v2"), 0, 0.999, 9, dataset=digits)


async def test_repeats_and_data_sets() -> None:
    """A row says how many repeats it has, Compare counts them once, and digits stand apart behind MNIST."""
    async with runs_mode(repeated) as pilot:
        pilot.app.screen.selection.sort = "-best"  # type: ignore[attr-defined]
        await pilot.press("m")
        await type_filter(pilot, "state:completed")
        assert names(pilot) == ["iter5", "iter4", "v2"]
        assert "2 seeds (+1 repeat)" in look(pilot)
        assert [column.key for column in table(pilot).columns][5:8] == ["data", "curve", "best"]
        await pilot.press("g", "space", "space", "3")
        await until(pilot, lambda: "iter5 ×2" in report(pilot))
        assert "2 (+1 repeat not counted)" in report(pilot)


def long_names(runs_dir: Path) -> None:
    """Two runs of presets with long names."""
    for index, name in enumerate(("x" * 70, "y" * 70)):
        make_run(runs_dir, presets.load("iter4").model_copy(update={"name": name}), 0, 0.99 + index / 1000, index)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_long_names_fit_into_compare(size: tuple[int, int]) -> None:
    """From the first time it is shown: no line of the table is wrapped, and a sign stands beside its run."""
    async with runs_mode(long_names, size) as pilot:
        await pilot.press("g", "space", "space", "3")
        await until(pilot, lambda: "best epoch, test acc" in report(pilot))
        width = pilot.app.screen.query_one("#compare-report").size.width
        await until(pilot, lambda: max(len(line) for line in report(pilot).splitlines() if "● " in line) <= width)
        legend = str(pilot.app.screen.query_one("#compare-legend", Static).content)

        assert "● yyy" in legend
        assert "■ xxx" in legend
        assert max(map(len, legend.splitlines())) <= pilot.app.screen.query_one("#compare-legend").size.width


async def test_compare_without_marks_shows_no_keys_of_theirs() -> None:
    """And once rows are marked again, the cursor is in the last epoch."""
    async with runs_mode() as pilot:
        await pilot.press("g", "space", "3")
        await until(pilot, lambda: "m Measure" in look(pilot).splitlines()[-1])
        await pilot.press("S")
        await until(pilot, lambda: "m Measure" not in look(pilot).splitlines()[-1])
        assert look(pilot).splitlines()[-1].startswith(" tab View")
        await pilot.press("2", "g", "space", "3")
        overlay = pilot.app.screen.query_one(Overlay)
        await until(pilot, lambda: bool(overlay.lines))
        assert overlay.cursor == 20


async def test_a_mark_keeps_its_colour() -> None:
    """A mark keeps its colour when another is removed, and after a new scan."""
    async with runs_mode() as pilot:
        await pilot.press("g", "down", "down", "down", "space", "space", "space")
        selection = pilot.app.screen.selection  # type: ignore[attr-defined]
        before = dict(selection.colors)
        await pilot.press("up", "up", "space")
        kept = {names: slot for names, slot in before.items() if names in selection.colors}
        assert selection.colors == kept
        assert sorted(before.values()) == [0, 1, 2]
        await pilot.press("up", "space")
        assert selection.colors == before


async def test_the_lab_stays_in_other_modes() -> None:
    """The lab stays as it is while other modes are shown."""
    async with runs_mode() as pilot:
        lab = pilot.app.lab  # type: ignore[attr-defined]
        for key, screen_class in (("3", CompareScreen), ("1", LabScreen), ("2", RunsScreen), ("3", CompareScreen)):
            await pilot.press(key)
            await until_on_top(pilot, screen_class)
        assert lab.is_attached
        await pilot.press("q")
        await until(pilot, lambda: pilot.app._exit)


# --- how it looks ---


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("what", ["empty", "one", "many"])
async def test_how_runs_looks(what: str, size: str) -> None:
    """The screen equals the golden file."""
    make = {"empty": None, "one": one, "many": many}[what]
    async with runs_mode(make, SIZES[size]) as pilot:
        if what == "many":
            await pilot.press("g", "down", "down", "down", "space", "m")
            await until(pilot, lambda: told(pilot))
        await pilot.pause()
        golden(f"runs-{what}-{size}", look(pilot))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("what", ["empty", "one", "many"])
async def test_how_compare_looks(what: str, size: str) -> None:
    """The screen equals the golden file."""
    make = {"empty": None, "one": one, "many": many}[what]
    async with runs_mode(make, SIZES[size]) as pilot:
        if what == "many":
            await pilot.press("m")
            await type_filter(pilot, "iter state:completed")
            await pilot.press("g", "space")
        if what != "empty":
            await pilot.press("space")
        await pilot.press("3")
        # The curves are drawn at the next refresh of the screen.
        await until(pilot, lambda: bool(report(pilot)) and (what == "empty" or "accuracy, epoch" in look(pilot)))
        golden(f"compare-{what}-{size}", look(pilot))


async def test_the_table_has_the_colours_of_the_theme() -> None:
    """Not those of the terminal, which may be light where the theme is dark."""
    async with runs_mode(many, (120, 40)) as pilot:
        strips = [table(pilot).render_line(y) for y in range(20)]

    assert all(part.style and part.style.bgcolor and part.style.color for strip in strips for part in strip)


@pytest.mark.parametrize("width", [80, 100, 120, 140, 200])
async def test_the_table_does_not_scroll_sideways(width: int) -> None:
    """Long notes are cut, and what is less important gives way: name, state and best stay, also with the seeds."""
    async with runs_mode(many, (width, 40)) as pilot:
        for _ in range(2):
            await until(pilot, lambda: table(pilot).virtual_size.width <= table(pilot).size.width)
            headings = look(pilot).splitlines()[2].split()
            assert {"name", "state", "best"} <= set(headings)
            await pilot.press("m")
        left_out = [column.heading for column in table(pilot).left_out]
        assert ("no room for" in look(pilot).splitlines()[0]) is (bool(left_out) and width >= 100)


async def test_a_time_that_has_no_room_lacks_its_year() -> None:
    """Not a part of it."""
    async with runs_mode(many, (146, 40)) as pilot:
        await until(pilot, lambda: "completed" in look(pilot))
        times = re.findall(r"(\S*)[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}", look(pilot))

    assert len(times) > 10
    assert set(times) <= {"", "2026-"}


async def test_ascii() -> None:
    """No character that a plain terminal lacks; colours it has, and the facts of the run are in sight."""
    async with runs_mode(many, ascii=True) as pilot:
        await until(pilot, lambda: "changes against" in look(pilot))
        await pilot.press("m", "g", "space", "space")
        assert {sign for sign in look(pilot) if not sign.isascii()} == set()
        await pilot.press("3")
        await until(pilot, lambda: bool(report(pilot)))
        assert {sign for sign in look(pilot) if not sign.isascii()} == set()
        for place in ("#compare-text", "#compare-legend"):
            shown = pilot.app.screen.query_one(place, Static).content
            assert isinstance(shown, Text)
            assert any(COLOURS[0][0] in str(span.style) for span in shown.spans)


async def test_the_folders_are_not_scanned_while_the_program_ends() -> None:
    """The timer's last tick may come when the screens are gone."""
    async with runs_mode(one) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunsScreen)

    with pilot.app._context():
        assert pilot.app.screen_stack == []
        screen._scan()


def golden(name: str, text: str) -> None:
    """Compares with golden/, or writes it where MNIST_TUI_WRITE_GOLDEN is set."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("MNIST_TUI_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()
