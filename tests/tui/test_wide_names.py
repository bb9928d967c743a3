"""Names whose characters take two terminal cells: what stands beside them stays in its column."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.saved_runs import make_run, write_log_probs
from rich.cells import cell_len
from rich.style import Style

from mnist_tui.analysis.run_analysis import analyse
from mnist_tui.datasets.published import PUBLISHED
from mnist_tui.runs.reader import read_run
from mnist_tui.spec import presets
from mnist_tui.training.activations import Inside
from mnist_tui.training.predict import Prediction
from mnist_tui.tui.analyse.inside import inside_lines
from mnist_tui.tui.analyse.jobs import Analysed
from mnist_tui.tui.analyse.texts import class_lines
from mnist_tui.tui.lab import picker
from mnist_tui.tui.lab.digits import label_text

NAMES = ("零", "一", "二二", "three", "四", "五", "六", "七", "八", "九九九")


def cells_before(line: str, text: str) -> int:
    """The column where a text begins."""
    assert text in line
    return cell_len(line.partition(text)[0])


@pytest.mark.parametrize("label", [0, 2, 3])
def test_the_line_under_a_digit(label: int) -> None:
    """It is as wide as the digit, so that the next one stands under its own."""
    assert label_text(label, Prediction(label, 0.634), 14, "reverse", NAMES).cell_len == 14


def test_the_probabilities_of_an_image() -> None:
    """The percentages stand below each other."""
    inside = Inside(probabilities=(0.1,) * 10, layers=(), filters=None, class_maps=(), occlusions=())
    lines = [
        line
        for line in inside_lines(inside, bytes(784), None, 80, ascii_only=True, names=NAMES).plain.splitlines()
        if "10.00%" in line
    ]

    assert len(lines) == 10
    assert len({cells_before(line, "10.00%") for line in lines}) == 1


def test_the_pairs_beside_the_scores_of_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The most confused pairs stand below each other."""
    monkeypatch.setitem(PUBLISHED, "mnist", replace(PUBLISHED["mnist"], classes=NAMES))
    folder = make_run(tmp_path, presets.load("iter5"))
    labels = (np.arange(400) % 10).astype(np.uint8)
    log_probs = np.log(np.full((400, 10), 0.01) + 0.9 * np.eye(10)[(labels + (np.arange(400) < 60)) % 10])
    write_log_probs(folder, labels, log_probs.astype(np.float32))

    lines = class_lines(Analysed(analyse(read_run(folder))), 120).plain.splitlines()

    beside = ["most confused", *(f"{one} ({NAMES[one]}) taken for" for one in range(10))]
    columns = {cells_before(line, pair) for line in lines for pair in beside if pair in line}
    assert len([line for line in lines if "taken for" in line]) > 3
    assert len(columns) == 1


def test_the_numbers_of_a_preset(tmp_path: Path) -> None:
    """The parameters of a preset with a short wide name end where those of the others do."""
    spec = presets.load("iter4")
    plain, wide = (
        picker.line(picker.Entry(name, tmp_path, spec=spec), is_current=False, warning=Style()).plain
        for name in ("ab", "数")
    )

    assert cells_before(wide, f"{spec.parameters:,}") == cells_before(plain, f"{spec.parameters:,}")


def test_a_long_name_of_a_preset(tmp_path: Path) -> None:
    """It takes as many cells as another long one, at most."""
    spec = presets.load("iter4")
    plain, wide = (
        picker.line(picker.Entry(name, tmp_path, spec=spec), is_current=False, warning=Style()).plain
        for name in ("a" * 40, "数" * 40)
    )

    assert cells_before(wide, f" {spec.parameters:,}") <= cells_before(plain, f" {spec.parameters:,}")
