"""The confusion matrix of data sets with more classes than the screen has room for: the cursor stays in sight."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.analyse_pilot import AnalyseJobs, analyse_screen, analysed, line
from helpers.lab_pilot import look, until
from helpers.saved_runs import MNIST, make_run, write_log_probs
from textual.pilot import Pilot

from mnist_tui.datasets.published import PUBLISHED
from mnist_tui.spec import presets
from mnist_tui.tui.analyse.matrix import ConfusionMatrix
from mnist_tui.tui.analyse.matrix_layout import HEADER_LINES, MatrixLayout

RUNS = Path("runs")
PER_CLASS = 400
STEPS = {"right": (0, 1), "down": (1, 0), "left": (0, -1), "up": (-1, 0)}


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AnalyseJobs:
    """Replaces the jobs that load torch."""
    return AnalyseJobs(monkeypatch, tmp_path)


def make_answered_on(dataset: str) -> None:
    """A run on a data set, with predictions for 400 images of each class."""
    folder = make_run(RUNS, presets.load("iter5"), dataset=MNIST | {"name": dataset})
    count = len(PUBLISHED[dataset].classes)
    chance = np.random.default_rng(0)
    labels = (np.arange(PER_CLASS * count) % count).astype(np.uint8)
    logits = chance.normal(size=(len(labels), count)) * 2
    logits[np.arange(len(labels)), labels] += 6
    logits[labels == 3] = np.eye(count)[3] * 20  # A class without a mistake, whose share is 100.0 %.
    log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    write_log_probs(folder, labels, log_probs.astype(np.float32))


def matrix(pilot: Pilot[Any]) -> ConfusionMatrix:
    """The confusion matrix."""
    return analyse_screen(pilot).query_one(ConfusionMatrix)


def cursor_on_screen(pilot: Pilot[Any]) -> tuple[str, str, str]:
    """The text of the reversed cell of the matrix as the terminal shows it, of its column's heading and of its row's.

    Fails where the screen has not exactly one such cell.
    """
    screen, region = pilot.app.screen, matrix(pilot).region
    assert matrix(pilot).parent.region.contains_region(region)  # type: ignore[union-attr]
    found, text = [], look(pilot).splitlines()
    for y, strip in enumerate(screen._compositor.render_strips()):
        x = 0
        for segment in strip:
            if segment.style and segment.style.reverse and region.contains(x, y):
                found.append((x, y, segment.cell_length))
            x += segment.cell_length
    assert len({x for x, _, _ in found}) == 1, found
    left, _, width = found[0]
    assert [y for _, y, _ in found] == list(range(found[0][1], found[0][1] + len(found)))  # The lines of one cell.
    numbers = [text[y][left : left + width] for _, y, _ in found]
    first_cell = len(text[region.y].split("predicted")[0])
    headings = [text[y][region.x : first_cell] for _, y, _ in found]
    return "".join(numbers).strip(), text[region.y + 1][left : left + width].strip(), "".join(headings).strip()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("dataset", ["emnist-letters", "emnist-balanced"])
async def test_the_cursor_and_its_headings_are_in_sight(dataset: str, size: tuple[int, int]) -> None:
    """Wherever it is moved to, by arrows to the corners and to any cell, in each form of the numbers."""
    make_answered_on(dataset)
    data, chance = PUBLISHED[dataset], random.Random(0)
    last = len(data.classes) - 1
    async with analysed(size=size) as pilot:
        shown = analyse_screen(pilot).analysed
        assert shown is not None
        matrix(pilot).move_to(0, 0)
        steps = [*["right"] * last, *["down"] * last, *["left"] * last, *["up"] * last]
        walk = [steps[start : start + 5] for start in range(0, len(steps), 5)]
        anywhere = [(chance.randint(0, last), chance.randint(0, last)) for _ in range(15)]
        moves: list[list[str] | tuple[int, int]] = [*walk, *anywhere, (3, 3), ["v"]]
        for move in moves:
            if isinstance(move, list):
                for key in move[:-1]:  # At once: each key that is pressed is drawn, which takes most of the time.
                    matrix(pilot).action_move(*STEPS[key])
                await pilot.press(move[-1])
            else:
                matrix(pilot).move_to(*move)
            await pilot.pause()
            label, prediction = matrix(pilot).cursor
            number, column, row = cursor_on_screen(pilot)

            count = shown.run.matrix[label][prediction]
            assert number == ("·" if not count else "100" if matrix(pilot).form == "shares" else str(count))
            assert column == str(prediction)
            assert row.removeprefix("true").split() == [str(label), data.classes[label]]
        assert f"of {len(data.classes)}, in percent of the true class" in look(pilot)


async def test_a_click_on_a_part_of_the_matrix() -> None:
    """It moves the cursor to the cell that is drawn there; what is drawn stays, and a second click opens its images."""
    make_answered_on("emnist-balanced")
    async with analysed(size=(80, 24)) as pilot:
        matrix(pilot).move_to(46, 46)
        await pilot.pause()
        before = look(pilot)
        layout = matrix(pilot)._layout
        offset = (1 + layout.heading_width + 2 * layout.cell_width, HEADER_LINES + 3)
        await pilot.click(ConfusionMatrix, offset=offset)
        clicked, said = matrix(pilot).cursor, line(pilot)
        headings = [text[:40] for text in look(pilot).splitlines()[3:6]]
        await pilot.click(ConfusionMatrix, offset=offset)

        assert clicked == (layout.rows.start + 3, layout.columns.start + 2)
        assert layout.rows.start > 0 < layout.columns.start
        assert said.startswith(f"{clicked[0]} ({PUBLISHED['emnist-balanced'].classes[clicked[0]]}) taken for")
        assert headings == [text[:40] for text in before.splitlines()[3:6]]
        assert analyse_screen(pilot).view == "Mistakes"


async def test_the_height_of_the_cells_follows_the_run() -> None:
    """Rows of three lines for ten classes, of one line for 26; the lines below the matrix keep their room."""
    make_answered_on("emnist-letters")
    make_answered_on("emnist-digits")
    async with analysed(size=(120, 40)) as pilot:
        heights = []
        for name in ("letters", "digits"):
            folder = next(run for run in analyse_screen(pilot).selection.runs.all if (run.dataset or "").endswith(name))
            analyse_screen(pilot)._use_run(folder.id)
            await until(pilot, lambda folder=folder: analyse_screen(pilot).analysed.run.run.id == folder.id)  # type: ignore[misc, union-attr]
            await pilot.pause()
            heights.append(matrix(pilot)._layout.row_height)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()

        assert heights == [1, 3]
        assert analyse_screen(pilot).query_one("#analyse-classes").size.height >= 7


@pytest.mark.parametrize("seed", range(20))
def test_what_is_drawn_holds_the_cursor_and_stays(seed: int) -> None:
    """In any size; it moves only with a cursor that would leave it, and no farther than that needs."""
    chance = random.Random(seed)
    count, width, height = chance.randint(2, 250), chance.randint(0, 220), chance.randint(0, 60)
    first = (0, 0)
    for _ in range(200):
        cursor = (chance.randrange(count), chance.randrange(count))
        layout = MatrixLayout(width, height, count, chance.randint(1, 5), chance.randint(0, 12), 3, cursor, first)
        for axis, drawn in enumerate((layout.rows, layout.columns)):
            assert cursor[axis] in drawn
            assert 0 <= drawn.start < drawn.stop <= count
            is_held = first[axis] <= cursor[axis] < first[axis] + len(drawn) <= count
            assert drawn.start == first[axis] or not is_held
        first = layout.rows.start, layout.columns.start


@pytest.mark.parametrize(("width", "columns", "recall"), [(78, 10, 7), (52, 10, 0), (40, 8, 0), (2, 1, 0)])
def test_recall_gives_way_to_the_columns(width: int, columns: int, recall: int) -> None:
    """It is behind ten columns where there is room for all of it."""
    layout = MatrixLayout(width, 12, 10, 1)

    assert (len(layout.columns), layout.recall_width) == (columns, recall)
