"""The leaderboard in text, as JSON and as a plot: it says what was measured, and every point is in its place."""

import json
import math
from pathlib import Path

import plotext
import pytest
from helpers.saved_runs import MNIST, make_run
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.analysis import leaderboard_scale as scale
from mnist_tui.analysis import leaderboard_text
from mnist_tui.analysis.leaderboard import BUDGETS, Leaderboard, load_presets, make_leaderboard
from mnist_tui.analysis.plots import leaderboard_plot
from mnist_tui.runs.index import RunIndex, read_runs
from mnist_tui.spec import presets


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    """Three recipes, one of them with three seeds, one behind the front, and the published figures of all presets."""
    for seed, accuracy in enumerate((0.9938, 0.9943, 0.9947)):
        make_run(tmp_path, presets.load("step4"), seed, accuracy, seed)
    make_run(tmp_path, presets.load("iter5"), 0, 0.9949, 5)
    make_run(tmp_path, presets.load("v1"), 0, 0.9890, 6)
    make_run(tmp_path, presets.load("v1"), 0, 0.9990, 7, dataset={**MNIST, "name": "digits"})
    index = RunIndex(tmp_path)
    index.refresh()
    return make_leaderboard(index.all, load_presets())


def empty() -> Leaderboard:
    """A leaderboard without a run and without presets."""
    return make_leaderboard([], [])


# --- words ---


def test_rows(board: Leaderboard) -> None:
    """A line for each recipe, the highest accuracy first."""
    heads, *rows = leaderboard_text.rows(board)

    assert heads == list(leaderboard_text.HEADS)
    assert [row[:4] for row in rows] == [
        ["1", "iter5 s0", "18,422", "99.49%"],
        ["2", "step4 ×3", "7,074", "99.43%"],
        ["", "v1 s0", "420,614", "98.90%"],
    ]
    assert [row[5:8] for row in rows] == [["1", "20k", "99.4%"], ["3", "8k", "99.4%"], ["1", "", ""]]
    assert [bool(row[4]) for row in rows] == [False, True, False]


def test_a_table_has_no_empty_column(board: Leaderboard) -> None:
    """Nothing was stopped or steered, so nobody needs the column of remarks."""
    heading, *lines = leaderboard_text.table_lines(leaderboard_text.rows(board), leaderboard_text.IS_RIGHT)

    assert heading.split() == ["front", "name", "params", "test", "acc", "95%", "interval", "seeds", "below", "reaches"]
    assert len(lines) == 3
    assert len({line.index("99.4%") for line in lines if "99.4%" in line}) == 1


def test_published_rows_say_what_was_measured(board: Leaderboard) -> None:
    """A figure of other images has a star and the images; it reaches no target that is set for the test images."""
    rows = {row[0]: row for row in leaderboard_text.published_rows(board)}

    assert rows["iter4"][2:] == ["99.58%*", "", "", "60,000 augmented training images, in eval mode"]
    assert rows["step4"][2:] == ["99.47% ", "8k", "99.4%", "10,000 test images"]


def test_sentences(board: Leaderboard) -> None:
    """What is ranked by, what is not ranked, and what the published figures are."""
    ranked, noise, left_out, published = leaderboard_text.sentences(board)

    assert ranked == f"ranked by the test accuracy of the best epoch; {leaderboard_text.FRONT}"
    assert "noise" in noise
    assert left_out == "not ranked: 1 not on MNIST"
    assert published == (
        "34 published figures of the best epoch, not ranked; "
        "7 of them (*) measured on other images than the test images"
    )


def test_without_a_run_it_says_what_to_do() -> None:
    """In text, in the plot, and no more than that."""
    assert leaderboard_text.sentences(empty()) == [leaderboard_text.NO_RUN]
    assert "mnist-tui --batch step4" in leaderboard_text.NO_RUN


@pytest.mark.parametrize(
    ("accuracies", "words", "reaches"),
    [
        ((0.9939, 0.99404), "99.397%", "99%"),
        ((0.9939, 0.99408), "99.399%", "99%"),
        ((0.9940, 0.9940), "99.40%", "99.4%"),
    ],
)
def test_rounding_reaches_no_target(accuracies: tuple[float, float], words: str, reaches: str, tmp_path: Path) -> None:
    """A mean below a target is not shown as if it were the target."""
    for seed, accuracy in enumerate(accuracies):
        make_run(tmp_path, presets.load("step4"), seed, accuracy, seed)
    index = RunIndex(tmp_path)
    index.refresh()
    row = leaderboard_text.rows(make_leaderboard(index.all, load_presets()))[1]

    assert (row[3], row[7]) == (words, reaches)


def test_json(board: Leaderboard) -> None:
    """Fractions and ids; it can be written without NaN."""
    record = json.loads(json.dumps(leaderboard_text.as_json(board), allow_nan=False))
    best, seeds, _ = record["entries"]

    assert record["measure"] == "best"
    assert record["left_out"] == {"not on MNIST": 1}
    assert (best["front"], best["name"], best["accuracy"], best["interval"]) == (1, "iter5 s0", 0.9949, None)
    assert (best["budgets"], best["targets"]) == ([20_000], [0.994, 0.99])
    assert len(seeds["runs"]) == seeds["seeds"] == 3
    assert seeds["interval"][0] < seeds["accuracy"] < seeds["interval"][1]
    assert {each["name"] for each in record["published"]} == {spec.name for spec in load_presets()}


# --- the scale ---


@given(st.floats(0, 1), st.floats(0, 1))
def test_higher_accuracies_stand_higher(first: float, second: float) -> None:
    """Never lower; above the smallest error that is told apart, strictly higher."""
    if first < second:
        assert scale.height(first) <= scale.height(second)
        if 1 - second > 2 * scale.SMALLEST_ERROR and second - first > 1e-6:
            assert scale.height(first) < scale.height(second)


def test_a_tenth_of_the_error_is_one_step() -> None:
    """99.5 % is as far from 99 % as 95 % is from 90 %; 100 % has a place, too."""
    assert math.isclose(scale.height(0.995) - scale.height(0.99), scale.height(0.95) - scale.height(0.90))
    assert math.isclose(scale.height(0.99) - scale.height(0.9), 1)
    assert math.isfinite(scale.height(1.0))


def test_the_window_holds_every_run(board: Leaderboard) -> None:
    """With its interval, the budgets and the targets; published figures from 98 % on, all numbers of parameters."""
    shown = scale.window(board)
    ends = [end for entry in board.entries for end in entry.interval or (entry.accuracy,)]
    published = [each.accuracy for each in board.published if each.accuracy >= 0.98]
    sizes = [each.parameters for each in board.entries] + [each.parameters for each in board.published]

    assert all(shown.low_y < scale.height(each) < shown.high_y for each in (*ends, *board.targets, *published))
    assert all(shown.low_x < math.log10(each) < shown.high_x for each in (*BUDGETS, *sizes))
    assert scale.height(0.8819) < shown.low_y  # exp02's would flatten the rest.


def test_ticks_are_round() -> None:
    """Errors of 1, 2 and 5 over a long scale, evenly spaced accuracies over a short one."""
    long = scale.Window(3, 6, scale.height(0.85), scale.height(0.996))
    short = scale.Window(3, 6, scale.height(0.9885), scale.height(0.9952))

    assert [scale.percent(tick) for tick in long.accuracy_ticks(8)] == ["90", "95", "98", "99", "99.5"]
    assert [scale.percent(tick) for tick in short.accuracy_ticks(4)] == ["99", "99.2", "99.4"]
    assert long.parameter_ticks(10) == [1_000, 2_000, 5_000, *BUDGETS, 50_000, 100_000, 200_000, 500_000, 1_000_000]


def test_the_front_line_is_a_staircase(board: Leaderboard) -> None:
    """From one recipe of the front to the next: first to the right, then up; none without a run."""
    corners = scale.front_line(board)

    assert len(corners) == 3
    assert corners[0][1] == corners[1][1]
    assert corners[1][0] == corners[2][0]
    assert corners[2][1] > corners[1][1]
    assert scale.front_line(empty()) == []


@pytest.mark.parametrize(("parameters", "text"), [(500, "500"), (8_000, "8k"), (2_500, "2.5k"), (1_500_000, "1.5M")])
def test_thousands(parameters: int, text: str) -> None:
    """Short labels."""
    assert scale.thousands(parameters) == text


# --- the plot in text ---


@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_plot(ascii_only: bool, board: Leaderboard) -> None:
    """What the signs are stands above it; runs are filled, published figures hollow; it is as wide as asked."""
    legend, *lines = leaderboard_plot(board, 100, 24, ascii_only)
    picture = "\n".join(lines)
    signs = {kind: each[ascii_only] for kind, each in scale.SIGNS.items()}

    assert legend == "  ".join(f"{signs[kind]} {scale.NAMES[kind]}" for kind in scale.SIGNS)
    assert picture.count(signs["front"]) == 2
    assert picture.count(signs["published"]) > 8
    assert scale.BELOW[ascii_only] in picture
    assert {"8k", "10k", "20k", "100k"} <= set(picture.split())
    assert "99.4" in picture
    assert max(map(len, lines)) <= 100
    assert picture.isascii() is ascii_only


def test_labels_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target of 99.4 is not called 99.5, which is in its row: plotext draws either, by the hashes of the process."""
    make_run(tmp_path, presets.load("step4"), 0, 0.9947, 0)
    make_run(tmp_path, presets.load("exp01"), 0, 0.86, 1)
    board = make_leaderboard(read_runs(tmp_path), load_presets())
    labels: dict[str, set[str]] = {}
    monkeypatch.setattr(plotext, "yticks", lambda ticks, texts: labels.update(accuracies=set(texts)))
    monkeypatch.setattr(plotext, "xticks", lambda ticks, texts: labels.update(parameters=set(texts)))
    leaderboard_plot(board, 80, 24, ascii_only=False)

    assert labels["accuracies"] == {"90", "95", "98", "99", "99.4"}
    assert "8k" in labels["parameters"]
    assert "10k" not in labels["parameters"]


def test_the_plot_without_anything() -> None:
    """Empty axes, no error."""
    assert leaderboard_plot(empty(), 60, 15, False)
