"""Analyse under a pilot: every view and key, what is missing or damaged, and text from outside."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.analyse_pilot import (
    HOSTILE,
    LOOKS,
    AnalyseJobs,
    analyse_screen,
    analysed,
    coloured,
    dashboard,
    golden,
    line,
    make_answered,
    open_view,
    predictions,
    settled,
)
from helpers.lab_pilot import look, notices, on_top, screen, until
from helpers.saved_runs import MNIST, make_run, write_log_probs, write_predictions
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from mnist_tui.analysis.coach import rules
from mnist_tui.runs.index import RunIndex
from mnist_tui.spec import presets
from mnist_tui.tui.analyse import jobs as analyse_jobs
from mnist_tui.tui.analyse.gallery import Gallery
from mnist_tui.tui.analyse.inside_view import HINT
from mnist_tui.tui.analyse.matrix import ConfusionMatrix
from mnist_tui.tui.dialogs import MessageDialog, RunDialog
from mnist_tui.tui.help import HelpScreen
from mnist_tui.tui.lab.screen import LabScreen

RUNS = Path("runs")


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AnalyseJobs:
    """Replaces the jobs that load torch."""
    return AnalyseJobs(monkeypatch, tmp_path)


def matrix(pilot: Pilot[Any]) -> ConfusionMatrix:
    """The confusion matrix."""
    return analyse_screen(pilot).query_one(ConfusionMatrix)


def gallery(pilot: Pilot[Any]) -> Gallery:
    """The pictures."""
    return analyse_screen(pilot).query_one(Gallery)


def headline(pilot: Pilot[Any]) -> str:
    """The first line of the screen."""
    return look(pilot).splitlines()[0]


# --- which run ---


async def test_without_runs_it_says_what_to_do() -> None:
    """In one line; every key of the mode is harmless; the first run that has an epoch is shown by itself."""
    async with dashboard() as pilot:
        await until(pilot, lambda: line(pilot).startswith("! "))
        assert line(pilot) == "! runs: no run in it has finished an epoch yet; train one first"
        assert look(pilot).splitlines()[0].startswith(" Analyse ")
        assert "enter Images" not in look(pilot)
        for key in ("enter", "v", "o", "a", "d", "y", "u", "x", "m", "pagedown", "left", *["tab"] * 5, "shift+tab"):
            await pilot.press(key)
        make_answered(RUNS)
        await until(pilot, lambda: analyse_screen(pilot).analysed)

        assert "iter5 s0" in headline(pilot)


async def test_the_newest_run_with_predictions_is_shown() -> None:
    """A younger run without an epoch is passed over; accuracy and mistakes are those of the predictions."""
    make_answered(RUNS, 0, 0)
    make_answered(RUNS, 1, 1)
    make_run(RUNS, presets.load("iter5"), 2, index=2)
    async with analysed() as pilot:
        shown = analyse_screen(pilot).analysed
        assert shown is not None
        wrong = len(shown.run.mistakes)

        assert shown.run.run.seed == 1
        assert f"iter5 s1  {1 - wrong / 400:.2%}  {wrong} of 400 wrong  best epoch 1" in headline(pilot)


async def test_marked_runs_are_the_run_and_its_baseline() -> None:
    """The first marked row against the second; the difference is in the matrix, and in the line about a cell."""
    folders = [make_answered(RUNS, seed, seed) for seed in range(2)]
    async with dashboard(key="4") as pilot:
        selection = analyse_screen(pilot).selection
        selection.colors = {(folders[0].name,): 0, (folders[1].name,): 1}
        await pilot.press("1", "4")
        await until(pilot, lambda: "against iter5 s1" in headline(pilot))
        await pilot.press("v", "v")

        assert "more (+) or fewer (-) than the baseline" in look(pilot)
        assert line(pilot).endswith("against the baseline")


async def test_two_runs_of_one_name_are_told_apart() -> None:
    """By the ends of their folders' names, also on 80 columns."""
    folders = [make_answered(RUNS, 0, index) for index in range(2)]
    async with dashboard((80, 24), key="4") as pilot:
        analyse_screen(pilot).selection.colors = {(folder.name,): place for place, folder in enumerate(folders)}
        await pilot.press("1", "4")
        await until(pilot, lambda: "against" in headline(pilot))

        first, second = (folder.name[-4:] for folder in folders)
        assert f"iter5 s0 {first}" in headline(pilot)
        assert f"against {second}" in headline(pilot)


async def test_another_run_and_a_baseline_are_chosen() -> None:
    """`r` and `b` list the runs, the newest first; without a baseline the difference is not shown any more."""
    for seed in range(3):
        make_answered(RUNS, seed, seed)
    async with analysed() as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunDialog))
        options = pilot.app.screen.query_one(OptionList)
        names = [str(options.get_option_at_index(place).prompt).split()[2] for place in range(1, 4)]
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: "iter5 s1" in headline(pilot))
        await pilot.press("b", "down", "enter")
        await until(pilot, lambda: "against iter5 s2" in headline(pilot))
        await pilot.press("v", "v")
        form = matrix(pilot).form
        await pilot.press("b", "enter")
        await until(pilot, lambda: "against" not in headline(pilot))
        await pilot.press("r", "escape")

        assert names == ["s2", "s1", "s0"]
        assert (form, matrix(pilot).form) == ("difference", "counts")


@pytest.mark.parametrize("what", ["other data", "damaged"])
async def test_a_baseline_that_cannot_be_used(what: str) -> None:
    """One sentence says why; the run itself is shown."""
    first = make_answered(RUNS, 0, 0)
    other = make_answered(RUNS, 1, 1, dataset=MNIST | ({"sha256": "1" * 64} if what == "other data" else {}))
    if what == "damaged":
        (other / "predictions.npz").write_bytes(b"PK damaged")
    async with dashboard() as pilot:
        analyse_screen(pilot).selection.colors = {(first.name,): 0, (other.name,): 1}
        await pilot.press("1", "4")
        await until(pilot, lambda: "iter5 s0" in headline(pilot))
        said = [each for each in notices(pilot) if each.startswith("no baseline: ")]
        await pilot.press("d")

        assert len(said) == 1
        assert ("different images" if what == "other data" else "is damaged") in said[0]
        assert "against" not in headline(pilot)
        assert notices(pilot)[-1] == "choose a baseline first: b"


async def test_damaged_predictions_are_said_in_a_line() -> None:
    """Another run can be chosen all the same."""
    make_answered(RUNS, 0, 0)
    (make_answered(RUNS, 1, 1) / "predictions.npz").write_bytes(b"PK damaged")
    async with dashboard() as pilot:
        await until(pilot, lambda: "is damaged" in line(pilot))
        await pilot.press("r", "down", "down", "enter")
        await until(pilot, lambda: analyse_screen(pilot).analysed)

        assert "iter5 s0" in headline(pilot)


async def test_predictions_without_probabilities() -> None:
    """Confidence says what to do; the order by confidence is passed over, and said so; no bars."""
    folder = make_run(RUNS, presets.load("iter5"))
    write_predictions(folder, [3, 14, 25])
    async with analysed() as pilot:
        await open_view(pilot, "Confidence")
        text = " ".join(look(pilot).split())
        orders = []
        for _ in range(3):
            await pilot.press("o")
            orders.append(line(pilot).split(":")[0])

        assert "kept no log-probabilities; train the run again to see confidences" in text
        by_class, by_loss = "mistakes, by true class, then by prediction", "mistakes, highest loss first"
        assert orders == [by_class, by_loss, by_class]
        assert any(notice.startswith("no order by confidence") for notice in notices(pilot))


async def test_a_better_epoch_is_seen_while_it_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key; the cursor and the pictures stay where they are."""
    monkeypatch.setattr("mnist_tui.tui.analyse.screen.POLL_SECONDS", 0.05)
    folder = make_answered(RUNS)
    async with analysed() as pilot:
        await pilot.press("down", "right")
        cursor = matrix(pilot).cursor
        await pilot.press("a", "right", "right")
        before, place = headline(pilot), gallery(pilot).place
        write_log_probs(folder, *predictions(25))
        await until(pilot, lambda: headline(pilot) != before)

        assert "94.00%" in headline(pilot)
        assert matrix(pilot).cursor == cursor
        assert (gallery(pilot).place, place) == (2, 2)
        assert line(pilot) == "mistakes, highest loss first: 3 of 24, page 1 of 3"


# --- matrix and pictures ---


async def test_the_cursor_of_the_matrix() -> None:
    """It starts on the most confused pair, moves by arrows and letters, and stays inside; a click moves it too."""
    make_answered(RUNS)
    async with analysed() as pilot:
        shown = analyse_screen(pilot).analysed
        assert shown is not None
        first = matrix(pilot).cursor
        matrix(pilot).move_to(0, 0)
        await pilot.press("up", "left", "down", "j", "right", "l", "l", "h", "k")
        moved = matrix(pilot).cursor
        for _ in range(12):
            await pilot.press("down", "right")
        corner = matrix(pilot).cursor
        await pilot.click(ConfusionMatrix, offset=(1 + 8 + 1, 2))
        clicked, said = matrix(pilot).cursor, line(pilot)
        await pilot.click(ConfusionMatrix, offset=(1 + 8 + 1, 2))

        assert first == (shown.run.pairs[0].label, shown.run.pairs[0].prediction)
        assert (moved, corner, clicked) == ((1, 2), (9, 9), (0, 0))
        assert said.startswith("0 recognised: ")
        assert analyse_screen(pilot).view == "Mistakes"


async def test_a_cell_its_pictures_and_inside(canned: AnalyseJobs) -> None:
    """Enter on a cell shows its images, Enter on one of them what the network does with it."""
    make_answered(RUNS)
    async with analysed() as pilot:
        shown = analyse_screen(pilot).analysed
        assert shown is not None
        pair = shown.run.pairs[0]
        await pilot.press("enter")
        await until(pilot, lambda: analyse_screen(pilot).view == "Mistakes")
        title, answers = line(pilot), gallery(pilot).predictions
        await pilot.press("right", "enter")
        await settled(pilot, lambda: "probability" in look(pilot))
        folder, image, label = canned.looked[0]

        assert title == f"{pair.label} taken for {pair.prediction}: 1 of {pair.count}, page 1 of 1"
        assert {(one.label, one.prediction) for one in answers} == {(pair.label, pair.prediction)}
        assert (folder, label, len(image)) == (shown.run.run.folder, pair.label, 784)
        assert line(pilot).startswith(f"test image {answers[1].index}, label {pair.label}")
        assert "HiResCAM of 4" in look(pilot)

        await pilot.press("escape")
        assert analyse_screen(pilot).view == "Mistakes"
        await pilot.press("escape")
        assert analyse_screen(pilot).view == "Matrix"
        await pilot.press("escape", "tab", "escape")
        assert analyse_screen(pilot).view == "Mistakes", "a view that was not opened from another has no way back"


async def test_pages_of_pictures() -> None:
    """By page, row and picture, to both ends; orders change what comes first; a click selects, a second opens."""
    make_answered(RUNS)
    async with analysed(size=(80, 24)) as pilot:
        await pilot.press("a")
        places = []
        for key in ("pagedown", "right_square_bracket", "pageup", "left_square_bracket", "down", "k", "l", "h"):
            await pilot.press(key)
            places.append(gallery(pilot).place)
        per_page = places[0]
        await pilot.press("end")
        last = gallery(pilot).place
        await pilot.press("home")
        first = gallery(pilot).selected
        await pilot.press("o")
        surest = [one.confidence or 0 for one in gallery(pilot).predictions]
        await pilot.press("o")
        classes = [one.label for one in gallery(pilot).predictions]
        await pilot.click(Gallery, offset=(22, 3))
        clicked = gallery(pilot).place
        await pilot.click(Gallery, offset=(22, 3))
        await until(pilot, lambda: analyse_screen(pilot).view == "Inside")

        assert per_page >= 4
        assert places == [per_page, 2 * per_page, per_page, 0, places[4], 0, 1, 0]
        assert last == len(gallery(pilot).predictions) - 1
        assert first is not None
        assert first.loss == max(one.loss for one in gallery(pilot).predictions)
        assert surest == sorted(surest, reverse=True)
        assert classes == sorted(classes)
        assert clicked == 1


async def test_discordant_images() -> None:
    """`d` shows what only the run has right, again what only the baseline has right, and again the first ones.

    Also where both have the same name and seed.
    """
    folders = [make_answered(RUNS, 0, 0), make_answered(RUNS, 0, 1)]
    write_log_probs(folders[1], *predictions(60, 5))
    async with dashboard() as pilot:
        analyse_screen(pilot).selection.colors = {(folder.name,): place for place, folder in enumerate(folders)}
        await pilot.press("1", "4")
        await until(pilot, lambda: "against" in headline(pilot))
        shown = analyse_screen(pilot).analysed
        assert shown is not None
        assert shown.versus is not None
        seen = []
        for _ in range(3):
            await pilot.press("d")
            seen.append(([one.index for one in gallery(pilot).predictions], line(pilot).split(":")[0]))
        first, second = list(shown.versus.images.only_first), list(shown.versus.images.only_second)

        assert [indices for indices, _ in seen] == [first, second, first]
        assert [title.split(", ")[1] for _, title in seen] == ["the run", "the baseline", "the run"]
        await pilot.press("b", "enter")
        await until(pilot, lambda: "against" not in headline(pilot))
        assert line(pilot).startswith("mistakes, ")


async def test_pictures_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """One notice says why; labels and predictions are there, and Enter says that there is no picture."""

    def refuse(*arguments: object) -> None:
        raise RuntimeError("the run's data set, mnist, is not on this machine")

    monkeypatch.setattr("mnist_tui.tui.analyse.jobs.test_images", refuse)
    make_answered(RUNS)
    async with analysed() as pilot:
        await until(pilot, lambda: notices(pilot))
        await pilot.press("a", "enter")

        assert notices(pilot)[0] == "no pictures: the run's data set, mnist, is not on this machine"
        assert notices(pilot)[-1] == "the picture of this image is not read"
        assert ">" in look(pilot)


# --- inside, advice ---


async def test_class_means(canned: AnalyseJobs) -> None:
    """`m` asks for the mean image of 0, then of 1."""
    make_answered(RUNS)
    async with analysed() as pilot:
        await open_view(pilot, "Inside")
        hint = line(pilot)
        await pilot.press("m")
        await until(pilot, lambda: len(canned.looked) == 1)
        await pilot.press("m")
        await until(pilot, lambda: len(canned.looked) == 2)

        assert hint == HINT
        assert [(image[0], label) for _, image, label in canned.looked] == [(0, 0), (1, 1)]
        assert line(pilot).startswith("mean test image of class 1")


async def test_only_the_last_image_is_shown_inside(canned: AnalyseJobs) -> None:
    """An answer about another image that comes late is not shown."""
    make_answered(RUNS)
    async with analysed() as pilot:
        view = analyse_screen(pilot).query_one("#analyse-inside")
        await open_view(pilot, "Inside")
        await pilot.press("m")
        await settled(pilot, lambda: "probability" in look(pilot))
        late = canned._look_inside(Path(), bytes(784), 3)
        view._show(object(), late, None)  # type: ignore[attr-defined]
        view._show(object(), None, "late")  # type: ignore[attr-defined]

        assert "late" not in look(pilot)
        assert line(pilot).startswith("mean test image of class 0")


async def test_advice_goes_to_the_lab_as_a_draft() -> None:
    """Enter puts the change of the advice into the lab; `x` explains the rule."""
    make_answered(RUNS)
    async with analysed() as pilot:
        shown = analyse_screen(pilot).analysed
        assert shown is not None
        await open_view(pilot, "Advice", "shift+tab")
        number = next(place for place, one in enumerate(shown.run.advice) if one.settings)
        for _ in range(number):
            await pilot.press("down")
        advice = shown.run.advice[number]
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, MessageDialog))
        explained = "\n".join(str(each.visual) for each in pilot.app.screen.query(Static))
        await pilot.press("escape", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen))
        spec = shown.run.run.spec
        assert spec is not None
        draft = screen(pilot).design.draft

        assert advice.rule in explained
        assert rules.explain(advice.rule)[:200] in explained
        assert draft.layers.split() == spec.with_settings(advice.settings or {}).layers.split()
        assert draft.layers.split() != presets.load("iter5").layers.split()


async def test_advice_without_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said that there is nothing to put into the lab, and so is that no rule fires."""
    monkeypatch.setattr(
        "mnist_tui.analysis.run_analysis.advise_on",
        lambda run, seeds: [],
    )
    make_answered(RUNS)
    async with analysed() as pilot:
        await open_view(pilot, "Advice")
        await pilot.press("enter", "x", "y")

        assert "no rule has anything to say about this run" in look(pilot)
        assert isinstance(pilot.app.screen, type(analyse_screen(pilot)))


# --- copy, help ---


async def test_copy_of_every_view() -> None:
    """The matrix, the pictures that are shown as CSV, the confidence, what is inside, and the advice."""
    make_answered(RUNS)
    async with analysed() as pilot:
        copied = {}
        await pilot.press("enter")
        cell = [one.index for one in gallery(pilot).predictions]
        for _ in range(5):
            await pilot.press("y")
            copied[analyse_screen(pilot).view] = pilot.app.clipboard.splitlines()
            await pilot.press("tab")

        assert copied["Matrix"][0].startswith("true \\ predicted")
        assert copied["Mistakes"][0] == "index,label,prediction,loss"
        assert [int(row.split(",")[0]) for row in copied["Mistakes"][1:]] == cell
        assert copied["Confidence"][0].startswith("expected calibration error")
        assert len(copied) == 5


async def test_scores_scroll_where_there_is_little_room() -> None:
    """By the keys of pages, below the matrix."""
    make_answered(RUNS)
    async with analysed(size=(80, 24)) as pilot:
        before = look(pilot)
        await pilot.press("pagedown")
        await pilot.pause()
        after = look(pilot)
        await pilot.press("pageup")
        await pilot.pause()

        assert "most confused" in before
        assert after != before
        assert look(pilot) == before


async def test_help_names_every_key_of_the_mode() -> None:
    """In every view."""
    make_answered(RUNS)
    async with analysed() as pilot:
        for words in ("Images", "Inside", "", "Class mean", "Explain"):
            await pilot.press("question_mark")
            await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
            text = "\n".join(str(part.visual) for part in pilot.app.screen.query(Static))
            await pilot.press("escape", "tab")

            for key in ("View", "Run", "Baseline", "Order", "All mistakes", "Discordant", "Copy", words):
                assert key in text, (key, words)


# --- text from outside ---


async def test_text_from_outside_is_text() -> None:
    """Escape sequences and markup in names of runs and files are shown, and never obeyed: in every view and dialog."""
    spec = presets.load("iter5").model_copy(update={"name": HOSTILE})
    first = make_run(RUNS, presets.load("iter5"), 0, index=0, name=HOSTILE)
    write_log_probs(first, *predictions())
    second = make_run(RUNS, presets.load("iter5"), 1, index=1, name=HOSTILE, dataset=MNIST | {"name": HOSTILE})
    write_log_probs(second, *predictions(30, 1))
    assert spec.name == HOSTILE
    async with dashboard(size=(200, 60)) as pilot:
        analyse_screen(pilot).selection.colors = {(first.name,): 0, (second.name,): 1}
        await pilot.press("1", "4")
        await until(pilot, lambda: analyse_screen(pilot).analysed)
        seen = []
        for keys in (
            ["d"],
            ["tab"],
            ["tab"],
            ["m"],
            ["tab"],
            ["x"],
            ["escape", "r"],
            ["escape", "b", "down", "enter"],
            ["tab"],
            ["tab"],
        ):
            await pilot.press(*keys)
            await pilot.pause(0.05)
            seen.append(look(pilot))
        text = "\n".join(seen)
        controls = {character for character in text if ord(character) < 32 or 127 <= ord(character) < 160}

        assert controls <= {"\n"}
        assert "\u202e" not in text
        assert "[bold]" in text
        assert pilot.app.return_code is None


# --- anything at any time ---

KEYS = [
    *"abdghjklmoruvxyGHJK?<>[]sciwe",
    *("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "tab", "shift+tab", "enter", "escape"),
    *("space", "backspace", "4", "5", "ctrl+l", "ctrl+p"),
]


@pytest.mark.painted
@pytest.mark.parametrize("seed", range(2))
async def test_random_keys(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """60 keys and sizes in any order, in Analyse and Draw: nothing fails, and the screen still draws."""
    monkeypatch.setattr("mnist_tui.tui.lab.jobs.saved_lines", lambda runs_dir: [])
    for number in range(2):
        make_answered(RUNS, number, number)
    chance = random.Random(seed)
    async with analysed() as pilot:
        for _ in range(60):
            if chance.randrange(12) == 0:
                await pilot.resize_terminal(chance.randint(1, 220), chance.randint(1, 60))
            else:
                await pilot.press(chance.choice(KEYS))
            if isinstance(pilot.app.screen, LabScreen):  # Where some of the keys open an editor.
                await pilot.app.run_action("mode('analyse')")
        await pilot.resize_terminal(120, 40)
        for _ in range(len(pilot.app.screen_stack)):
            await pilot.press("escape")
        await pilot.press("4")
        await settled(pilot, lambda: "Analyse" in headline(pilot))

        assert pilot.app.return_code is None


# --- how it looks ---


@pytest.mark.parametrize(("size", "ascii_only", "no_color"), LOOKS)
async def test_how_analyse_looks(
    size: tuple[int, int], ascii_only: bool, no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each view equals its golden file; with NO_COLOR every cell is grey, in ASCII every character is one."""
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    for seed in range(2):
        make_answered(RUNS, seed, seed)
    suffix = f"{size[0]}x{size[1]}" + ("-ascii" if ascii_only else "") + ("-no-color" if no_color else "")
    async with analysed(size=size, ascii=ascii_only) as pilot:
        await settled(pilot, lambda: analyse_screen(pilot).query_one("#analyse-mistakes")._images)  # type: ignore[attr-defined]
        for view, keys in (
            ("matrix", ""),
            ("mistakes", "a"),
            ("confidence", "tab"),
            ("advice", "tab tab"),
            ("inside", ""),
        ):
            if view == "inside":
                await pilot.press("a", "enter")
                await settled(pilot, lambda: "probability" in look(pilot))
            else:
                await pilot.press(*keys.split())
            await pilot.pause(0.1)
            text = look(pilot)
            golden(f"analyse-{view}-{suffix}", text)

            assert (coloured(pilot) == 0) is no_color, view
            assert text.isascii() or not ascii_only, view


# --- with torch ---


async def test_a_run_that_was_really_trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the run's folder to pictures of its data and to the output of its layers."""
    from helpers.reliability import only_folder, run, small_spec

    from mnist_tui.training import activations

    list(run(tmp_path / "runs", small_spec()))
    folder = only_folder(tmp_path / "runs")
    monkeypatch.setattr("mnist_tui.tui.analyse.jobs.look_inside", activations.look_inside)
    images = {index: bytes([index % 256]) * 784 for index in range(2_000)}
    monkeypatch.setattr(
        "mnist_tui.tui.analyse.jobs.read_test_images", lambda *asked: {index: images[index] for index in asked[-1]}
    )
    async with analysed() as pilot:
        await pilot.press("a", "enter")
        await until(pilot, lambda: "filters of the first convolution" in look(pilot))
        shown = analyse_screen(pilot).analysed
        assert shown is not None

        assert shown.run.run.folder.name == folder.name
        assert "Conv2d(" in on_top(pilot, "#inside-lines")
        assert np.isfinite(shown.run.accuracy)


async def test_inside_follows_the_run(canned: AnalyseJobs) -> None:
    """Another run gets the same test image: the headline and the network are of one run."""
    folders = [make_answered(RUNS, seed) for seed in range(2)]
    async with analysed() as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: analyse_screen(pilot).view == "Mistakes")
        await pilot.press("enter")
        await settled(pilot, lambda: len(canned.looked) == 1)
        first = analyse_screen(pilot).analysed
        assert first is not None
        other = next(folder for folder in folders if folder.name != first.run.run.id)
        analyse_screen(pilot)._use_run(other.name)
        await settled(pilot, lambda: len(canned.looked) == 2)

        assert [folder.name for folder, _, _ in canned.looked] == [first.run.run.id, other.name]
        assert canned.looked[0][1:] == canned.looked[1][1:]


async def test_a_late_mean_does_not_replace_another_view() -> None:
    """The mean image of a class that is read while the user has gone on to another view."""
    make_answered(RUNS)
    async with analysed() as pilot:
        shown = analyse_screen(pilot).analysed
        assert shown is not None
        analyse_screen(pilot)._show_mean(shown.run.run, 3, None, bytes(784), None)

        assert analyse_screen(pilot).view == "Matrix"


async def test_the_end_of_a_run_is_seen() -> None:
    """Its last epochs were no better, so that the predictions stay; its state and its advice change."""
    folder = make_answered(RUNS)
    end = (folder / "end.json").read_bytes()
    (folder / "end.json").unlink()
    async with analysed() as pilot:
        shown = analyse_screen(pilot).analysed
        assert shown is not None
        assert not shown.is_outdated
        (folder / "end.json").write_bytes(end)

        assert shown.is_outdated


async def test_a_baseline_does_not_take_the_place_of_a_deleted_run() -> None:
    """The newest run does."""
    for seed in range(3):
        make_answered(RUNS, seed)
    newest = analyse_jobs.analyse_runs(RunIndex(RUNS), ()).run.run.id
    others = [folder.name for folder in sorted(RUNS.iterdir()) if folder.name != newest]

    assert analyse_jobs.analyse_runs(RunIndex(RUNS), others).run.run.id == others[0]
    assert analyse_jobs.analyse_runs(RunIndex(RUNS), ("deleted", others[0])).run.run.id == newest
