"""The leaderboard as SVG: runs filled, published figures hollow, every interval, and the same in words."""

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from helpers.saved_runs import make_run

from mnist_tui.analysis.leaderboard import Leaderboard, load_presets, make_leaderboard
from mnist_tui.report.leaderboard_svg import leaderboard_svg
from mnist_tui.runs.index import RunIndex
from mnist_tui.spec import presets

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    """Two recipes on the front, one of them with three seeds, one behind it, and the published figures."""
    for seed, accuracy in enumerate((0.9938, 0.9943, 0.9947)):
        make_run(tmp_path, presets.load("step4"), seed, accuracy, seed)
    make_run(tmp_path, presets.load("iter5"), 0, 0.9949, 5)
    make_run(tmp_path, presets.load("v1"), 0, 0.9890, 6)
    index = RunIndex(tmp_path)
    index.refresh()
    return make_leaderboard(index.all, load_presets())


def texts(root: Element) -> list[str]:
    """Every text that is drawn."""
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def of_class(root: Element, *classes: str) -> list[Element]:
    """The elements that have all these classes."""
    return [each for each in root.iter() if set(classes) <= set((each.get("class") or "").split())]


def test_every_point_is_drawn(board: Leaderboard) -> None:
    """And one of its kind in the legend: 2 on the front, 1 behind it, 34 published."""
    root = ElementTree.fromstring(leaderboard_svg(board))

    assert len(of_class(root, "f-fill1")) == 2 + 1
    assert len(of_class(root, "f-fill5")) == 1 + 1
    assert len(of_class(root, "f-hollow0")) == 34 + 2
    assert len(of_class(root, "f-interval", "f-stroke1")) == 3  # The bar and its two ends.


def test_points_stand_where_they_belong(board: Leaderboard) -> None:
    """More parameters to the right, higher accuracies upwards; the front is joined through its points."""
    root = ElementTree.fromstring(leaderboard_svg(board))
    _, step4, iter5 = [(float(each.get("cx", 0)), float(each.get("cy", 0))) for each in of_class(root, "f-fill1")]
    _, v1 = [(float(each.get("cx", 0)), float(each.get("cy", 0))) for each in of_class(root, "f-fill5")]
    (line,) = of_class(root, "f-curve", "f-stroke1")

    assert step4[0] < iter5[0] < v1[0]
    assert iter5[1] < step4[1] < v1[1]
    assert (line.get("d") or "").startswith(f"M{step4[0]:g} {step4[1]:g}L")
    assert (line.get("d") or "").endswith(f"L{iter5[0]:g} {iter5[1]:g}")


def test_names_and_limits(board: Leaderboard) -> None:
    """The front is named, the budgets and targets are labelled."""
    root = ElementTree.fromstring(leaderboard_svg(board))

    assert {"iter5 s0", "step4 ×3", "8k", "10k", "20k", "99.4", "99", "parameters", "published"} <= set(texts(root))
    assert "v1 s0" not in texts(root)


def test_it_says_in_words_what_it_shows(board: Leaderboard) -> None:
    """The front, the highest accuracy first, with its intervals, and how much else there is."""
    words = ElementTree.fromstring(leaderboard_svg(board)).findtext(f"{SVG}desc") or ""

    assert words.startswith(
        "Recipes by the test accuracy of the best epoch and by parameters. On the front: "
        "iter5 s0, 18,422 parameters, 99.49%; step4 ×3, 7,074 parameters, 99.43%, 3 seeds, 95% interval "
    )
    assert words.endswith("1 behind it, and 34 published figures, which are not ranked.")


def test_everything_is_inside(board: Leaderboard) -> None:
    """No mark and no text leaves the figure."""
    root = ElementTree.fromstring(leaderboard_svg(board))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))

    for element in root.iter():
        for name, limit in (("x", width), ("x1", width), ("x2", width), ("cx", width), ("y", height), ("cy", height)):
            assert 0 <= float(element.get(name, 0)) <= limit, ElementTree.tostring(element)


def test_without_a_run() -> None:
    """One line that says what to do."""
    root = ElementTree.fromstring(leaderboard_svg(make_leaderboard([], load_presets())))

    assert len(texts(root)) == 1
    assert "mnist-tui --batch step4" in texts(root)[0]
