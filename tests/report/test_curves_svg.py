"""Curves as SVG: valid on their own, described in words, every point in its place, whatever the names and numbers."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from helpers.saved_runs import make_run

from mnist_tui.analysis import comparison
from mnist_tui.analysis.comparison import Arm
from mnist_tui.report.curves_svg import MAX_ARMS, WIDTH, curves_svg
from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.history import history_line
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets

SVG = "{http://www.w3.org/2000/svg}"


def saved(runs_dir: Path, name: str = "iter5", seed: int = 0, accuracy: float = 0.99, epochs: int = 20) -> Run:
    """A run whose curves rise to `accuracy`."""
    return read_run(make_run(runs_dir, presets.load(name), seed, accuracy, epochs=epochs))


def with_rows(run: Run, rows: Sequence[EpochEnded]) -> Run:
    """The run with another history."""
    (run.folder / "history.jsonl").write_bytes(b"".join(map(history_line, rows)))
    return read_run(run.folder)


def row(epoch: int, test_loss: float = 0.1, test_accuracy: float = 0.99) -> EpochEnded:
    """An epoch."""
    return EpochEnded(epoch, 0.1, 0.99, None, None, test_loss, test_accuracy, 0.01, 1.0, 1.0)


def parsed(text: str) -> Element:
    """The root of an SVG."""
    return ElementTree.fromstring(text)


def texts(root: Element) -> list[str]:
    """Every text that is drawn."""
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def by_class(root: Element, tag: str, name: str) -> list[Element]:
    """The elements of a tag that have a class."""
    return [each for each in root.iter(f"{SVG}{tag}") if name in (each.get("class") or "").split()]


def points(path: Element) -> list[tuple[float, float]]:
    """The corners of a path."""
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path.get("d") or "")]


def test_one_run(tmp_path: Path) -> None:
    """Its test curve ends where its axis has the last accuracy; the training curve, target and best epoch are there."""
    root = parsed(curves_svg(comparison.labelled([[saved(tmp_path)]]), target=0.985))
    (curve,) = [path for path in by_class(root, "path", "f-curve") if "f-dashed" not in (path.get("class") or "")]
    ends = points(curve)
    labels = {text: element for element in root.iter(f"{SVG}text") if (text := element.text or "")}
    y = {value: float(labels[value].get("y") or 0) - 4 for value in ("98.5", "99.0")}

    marks = [(float(each.get("cx", 0)), float(each.get("cy", 0))) for each in by_class(root, "circle", "f-fill0")]
    level = [line for line in by_class(root, "line", "f-axis") if line.get("y1") == line.get("y2")]
    axis = max(float(line.get("y1", 0)) for line in level)

    assert len(ends) == 20
    assert {end for end in ends if end[1] <= axis} == set(marks[1:])  # The first one is the legend's.
    assert [x for x, _ in ends] == sorted(x for x, _ in ends)
    assert abs(ends[-1][1] - y["99.0"]) < 0.1
    assert abs(float(by_class(root, "path", "f-target")[0].get("d", "").split()[-1]) - y["98.5"]) < 0.1
    assert {"iter5 s0, test", "train", "target 98.5%", "best epoch", "epoch", "accuracy, %"} <= set(texts(root))
    assert len(by_class(root, "circle", "f-ring")) == 2


def test_it_says_in_words_what_it_shows(tmp_path: Path) -> None:
    """A title and a description, which a screen reader finds by their ids."""
    root = parsed(curves_svg(comparison.labelled([[saved(tmp_path)]]), target=0.994))
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")

    assert title is not None
    assert description is not None
    assert root.get("role") == "img"
    assert (root.get("aria-labelledby") or "").split() == [title.get("id"), description.get("id")]
    assert title.text == "Accuracy over the epochs"
    assert description.text == (
        "iter5 s0, test: 94.25% in epoch 1, 99.00% in epoch 20, 99.00% in the best epoch, 20. The target is 99.4%."
    )


def test_seeds_are_a_mean_and_a_band(tmp_path: Path) -> None:
    """One line through the means, and an area from the lowest to the highest seed; nobody's best epoch is marked."""
    runs = [saved(tmp_path, seed=seed, accuracy=0.99 + seed / 1000) for seed in range(3)]
    root = parsed(curves_svg(comparison.labelled([runs])))
    (band,) = by_class(root, "path", "f-band")
    (mean, _) = sorted(by_class(root, "path", "f-curve"), key=lambda path: "f-dashed" in (path.get("class") or ""))
    edge = points(band)
    highest, lowest = edge[:20], edge[:19:-1]

    assert "iter5 ×3, test, 3 seeds" in texts(root)
    assert by_class(root, "circle", "f-ring") == []
    for (x, y), (_, top), (_, bottom) in zip(points(mean), highest, lowest, strict=True):
        assert top < y < bottom, x
        assert math.isclose(y - top, bottom - y, abs_tol=0.02)


def test_many_arms(tmp_path: Path) -> None:
    """More than can be told apart are counted, not drawn; of many only the test curves are."""
    run = saved(tmp_path)
    arms = [Arm(f"arm {number}", (run,)) for number in range(MAX_ARMS + 2)]
    root = parsed(curves_svg(arms))

    assert len(by_class(root, "path", "f-curve")) == MAX_ARMS
    assert "and 2 more, not drawn" in texts(root)
    assert "2 more are not drawn." in (root.findtext(f"{SVG}desc") or "")


def test_losses_that_are_not_finite_interrupt_the_line(tmp_path: Path) -> None:
    """On the logarithmic axis a loss of 0 does, too; what is left is drawn."""
    losses = [1.0, 0.1, math.nan, 0.01, 0.0, 0.001]
    run = with_rows(saved(tmp_path), [row(epoch, loss) for epoch, loss in enumerate(losses, start=1)])
    root = parsed(curves_svg(comparison.labelled([[run]]), "loss"))
    (curve,) = [path for path in by_class(root, "path", "f-curve") if "f-dashed" not in (path.get("class") or "")]

    assert (curve.get("d") or "").count("M") == 3
    assert len(points(curve)) == 4
    assert "nan" not in ElementTree.tostring(root, "unicode").lower()
    heights = [y for _, y in points(curve)]
    assert math.isclose(heights[1] - heights[0], heights[2] - heights[1], abs_tol=0.05)  # A power of ten each.


def test_a_seed_that_diverged_leaves_the_mean_to_the_others(tmp_path: Path) -> None:
    """Where no seed has a finite loss the line ends; nothing says nan."""
    runs = [saved(tmp_path, seed=seed) for seed in range(2)]
    ends = [[1.0, 0.1, math.inf], [1.0, math.nan, math.nan]]
    changed = [
        with_rows(run, [row(epoch, loss) for epoch, loss in enumerate(losses, start=1)])
        for run, losses in zip(runs, ends, strict=True)
    ]
    root = parsed(curves_svg(comparison.labelled([changed]), "loss"))

    assert root.findtext(f"{SVG}desc") == "iter5 ×2, test, 2 seeds: 1 in epoch 1, 0.1 in epoch 2."
    assert "nan" not in ElementTree.tostring(root, "unicode").lower()


@pytest.mark.parametrize("target", [0.9, 0.95, 0.9999])
def test_the_target_is_in_sight(target: float, tmp_path: Path) -> None:
    """Also where every epoch is far above it."""
    root = parsed(curves_svg(comparison.labelled([[saved(tmp_path)]]), target=target))
    (line,) = by_class(root, "path", "f-target")
    (plot,) = root.findall(f"{SVG}svg")
    top = float(plot.get("y", 0))

    assert all(top <= y <= top + float(plot.get("height", 0)) for _, y in points(line))


def test_the_target_is_of_accuracies(tmp_path: Path) -> None:
    """A chart of losses has no line of it."""
    root = parsed(curves_svg(comparison.labelled([[saved(tmp_path)]]), "loss", target=0.994))

    assert not any("target" in text for text in texts(root))


@pytest.mark.parametrize("chart", ["accuracy", "loss", "learning rate", "norms"])
@pytest.mark.parametrize("epochs", [1, 2, 20, 300])
def test_everything_is_inside(chart: str, epochs: int, tmp_path: Path) -> None:
    """What is drawn outside the clipped part lies in the figure, for every chart and length."""
    arms = comparison.labelled([[saved(tmp_path, epochs=epochs)], [saved(tmp_path, "step3", epochs=epochs)]])
    root = parsed(curves_svg(arms, chart, target=0.999))  # type: ignore[arg-type]
    height = float(root.get("height") or 0)

    assert root.get("viewBox") == f"0 0 {WIDTH:g} {height:g}"
    for element in root.iter():
        for name, limit in (("x", WIDTH), ("x1", WIDTH), ("x2", WIDTH), ("cx", WIDTH), ("y", height), ("cy", height)):
            assert 0 <= float(element.get(name, 0)) <= limit, ElementTree.tostring(element)


def test_no_run_and_no_epoch(tmp_path: Path) -> None:
    """A figure that says so."""
    empty = with_rows(saved(tmp_path), [])

    for arms in ([], comparison.labelled([[empty]])):
        root = parsed(curves_svg(arms))
        assert texts(root) == ["no epoch was finished"]
        assert root.findtext(f"{SVG}desc") == "No epoch was finished."


@pytest.mark.parametrize(
    "label", ["<script>alert(1)</script>", "a & b \x1b[31m\x00", "\"'>", "字" * 60, "", "\ud800", "\uffff"]
)
def test_names_from_outside(label: str, tmp_path: Path) -> None:
    """Any name is text, and nothing but text: valid XML without a control character."""
    text = curves_svg([Arm(label, (saved(tmp_path),))])
    root = parsed(text)

    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "line", "text", "path", "circle")
    }
    assert text.encode()


def test_it_stands_alone(tmp_path: Path) -> None:
    """It refers to nothing outside, runs nothing, and is the same every time; two have different ids."""
    arms = comparison.labelled([[saved(tmp_path)]])
    text = curves_svg(arms)
    rest = text.replace('xmlns="http://www.w3.org/2000/svg"', "")

    assert not re.search(r"http|url\(|href|@import|@font-face|<script|\son\w+=", rest)
    assert text == curves_svg(arms)
    assert parsed(text)[0].get("id") != parsed(curves_svg(arms, "loss"))[0].get("id")


def test_it_is_readable_on_any_ground(tmp_path: Path) -> None:
    """It has a ground of its own, and both palettes; in print it is light."""
    root = parsed(curves_svg(comparison.labelled([[saved(tmp_path)]])))
    style = root.findtext(f"{SVG}style") or ""
    light, dark = style.split("@media screen and (prefers-color-scheme: dark)")

    assert by_class(root, "rect", "f-ground")
    assert ".f-ground { fill: #ffffff; }" in light
    assert "#ffffff" not in dark
    assert re.findall(r"(\.f-\w+) \{ (?:fill|stroke): #", light) == re.findall(r"(\.f-\w+) \{ (?:fill|stroke): #", dark)


@pytest.mark.slow
def test_a_long_run_stays_small(tmp_path: Path) -> None:
    """Ten thousand epochs are thinned to the width of the chart, and keep their lowest point."""
    rows = [row(epoch, 0.1 + 0.01 * math.sin(epoch)) for epoch in range(1, 10_001)]
    rows[4_321] = row(4_322, 0.0123)
    run = with_rows(saved(tmp_path), rows)
    text = curves_svg(comparison.labelled([[run]]), "loss")
    usual = curves_svg(comparison.labelled([[with_rows(run, [*rows[:4_321], *rows[4_322:]])]]), "loss")

    assert len(text) < 60_000
    assert "0.02" in texts(parsed(text))
    assert "0.02" not in texts(parsed(usual))
