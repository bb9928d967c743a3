"""Runs and comparisons as Markdown, letter by letter."""

import json
import re
from pathlib import Path

import pytest
from helpers.saved_runs import make_run, write_predictions

from mnist_tui.analysis import comparison, markdown
from mnist_tui.runs import annotations
from mnist_tui.runs.index import RunIndex
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets

ITER5 = """\
### iter5, seed 3

- parameters: 18,422
- receptive field: 18x18 of 28 px (64%) before the head, after layer 14 (ReLU): only the head sees farther
- recipe: 2 epochs, batch size 64, `Adam(lr=0.002)`, `StepLR(step_size=15, gamma=0.1)`, `CrossEntropyLoss()`, \
augmentation `RandomApply([CenterCrop(22)], p=0.1)`, `Resize(28)`, `RandomRotation(15)`
- target: fewer than 20,000 parameters, 99.40% on the test set
- result: completed
- best: 99.00% on the test set in epoch 2, chosen on the test set
- last: 99.00% on the test set in epoch 2
- folder: `20260101T000000Z-iter5-s3-0000`
- data: mnist, 10,000 test images

It overfits.
**More** dropout.

|   epoch |   train loss |   train acc |   test loss |   test acc |    lr |   s |
|--------:|-------------:|------------:|------------:|-----------:|------:|----:|
|       1 |       0.4000 |      96.60% |      0.3000 |     96.50% | 0.002 | 9.0 |
|      2* |       0.2000 |      99.10% |      0.1500 |     99.00% | 0.002 | 9.0 |
"""


def cells(line: str) -> list[str]:
    """The cells of a line of a table, without what aligns them."""
    return [
        re.sub("-+", "-", cell) if set(cell) <= set(":-") else cell for cell in re.split(r" *(?<!\\)\| *", line)[1:-1]
    ]


def runs_in(folder: Path) -> list[Run]:
    """The runs, the newest first."""
    runs = RunIndex(folder)
    runs.refresh()
    return runs.all


def test_a_run(tmp_path: Path) -> None:
    """A run has its recipe, target, result, data, analysis and epochs."""
    folder = make_run(tmp_path, presets.load("iter5"), 3, 0.99, epochs=2)
    annotations.write_notes(folder, annotations.Notes(analysis="It overfits.\n**More** dropout."))

    assert "\n".join(markdown.run_lines(runs_in(tmp_path))) + "\n" == ITER5


def test_a_verdict_and_what_went_wrong(tmp_path: Path) -> None:
    """The result has the target part by part, and the reason why the run did not complete."""
    folder = make_run(tmp_path, presets.load("iter5"), outcome="failed")
    end = json.loads((folder / "end.json").read_text())
    (folder / "end.json").write_text(json.dumps(end | {"target": {"parameters": True, "test_accuracy": False}}))

    assert (
        "- result: failed (it failed for a test); target MISSED: parameters met, test accuracy MISSED"
    ) in markdown.run_lines(runs_in(tmp_path))


def test_a_run_without_an_epoch(tmp_path: Path) -> None:
    """A run without an epoch has no accuracies, and says so."""
    folder = make_run(tmp_path, presets.load("iter5"), outcome="failed")
    (folder / "end.json").unlink()
    (folder / "history.jsonl").unlink()
    lines = markdown.run_lines(runs_in(tmp_path))

    assert lines[-1] == "No epoch was finished."
    assert not [line for line in lines if line.startswith(("- best", "- last"))]


def test_several_seeds(tmp_path: Path) -> None:
    """Several seeds have mean and standard deviation and a row each; a repeat is named, and not counted."""
    for index, seed in enumerate((0, 1, 1)):
        make_run(tmp_path, presets.load("iter5"), seed, 0.99 + 0.001 * index, index)
    lines = markdown.run_lines(runs_in(tmp_path))

    assert lines[0] == "### iter5, 2 seeds (+1 repeat)"
    assert "- best, mean ± standard deviation: 99.10% ±0.14" in lines
    assert list(map(cells, lines[-4:])) == [
        ["seed", "best", "last", "gap", "target", "run"],
        ["-:", "-:", "-:", "-:", ":-", ":-"],
        ["0", "99.00%", "99.00%", "+0.10", "-", "20260101T000000Z-iter5-s0-0000"],
        ["1", "99.20%", "99.20%", "+0.10", "-", "20260101T000200Z-iter5-s1-0002"],
    ]


def test_other_images_are_named(tmp_path: Path) -> None:
    digits = {"name": "digits", "sha256": "1" * 64, "test_images": 360}
    make_run(tmp_path, presets.load("iter5"), dataset=digits)

    assert (
        "- data: digits, 360 test images (not MNIST: its accuracies do not compare with MNIST's)"
    ) in markdown.run_lines(runs_in(tmp_path))


def test_a_comparison(tmp_path: Path) -> None:
    """A comparison has the sentence, the results in a column for each arm, and the differences."""
    changed = presets.load("iter5").with_settings({"batch_size": "32"})
    for index, spec in enumerate((presets.load("iter5"), changed)):
        write_predictions(make_run(tmp_path, spec, 0, 0.99 + 0.001 * index, index), [7] if index else list(range(20)))
    arms = comparison.labelled([[run] for run in reversed(runs_in(tmp_path))])
    sentences = [verdict.sentence for verdict in comparison.compare(arms, "best")]
    first, second = [arm.label for arm in arms]
    lines = markdown.comparison_lines(arms, sentences, "best")

    assert lines[0] == f"### {first} and {second}"
    assert lines[2] == f"**{sentences[0]}**"
    assert list(map(cells, lines[4:7])) == [["", first, second], [":-", ":-", ":-"], ["seeds", "1", "1"]]
    assert ["best epoch, test acc (judged)", "99.00%", "99.10%"] in map(cells, lines)
    assert list(map(cells, lines[-3:])) == [
        ["only what differs", first, second],
        [":-", ":-", ":-"],
        ["batch_size", "64", "32"],
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("iter5 ×12 is better: p < 0.001 (Welch's t)", "iter5 ×12 is better: p < 0.001 (Welch's t)"),
        ("12*", "12*"),
        ("batch_size", "batch_size"),
        ("*bold* _too_ [a](b) <b>x</b> `c` \\", "\\*bold* \\_too_ \\[a](b) \\<b>x\\</b> \\`c\\` \\\\"),
        ("a\x1b[31m\nb", "a\ufffd\\[31m b"),
    ],
)
def test_what_would_be_markup_is_shown_as_it_is(text: str, shown: str) -> None:
    assert markdown.plain(text) == shown


def test_code_and_cells_hold_what_would_end_them() -> None:
    assert markdown.code("a`b") == "`` a`b ``"
    assert markdown.code("Adam(lr=0.1)") == "`Adam(lr=0.1)`"
    assert cells(markdown.table([["a b|*c*", "d"]], [False, True])[0]) == ["a b\\|\\*c*", "d"]
