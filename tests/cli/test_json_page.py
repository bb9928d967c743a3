"""docs/json.md against what the commands print: every key, its type, and whether it may be null or absent."""

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import reliability
from helpers.command import Command
from helpers.json_page import PAGE, Checker, Key, read_tables, table_rows
from helpers.logs import EPOCHS, code_cell, markdown_cell, notebook, tqdm_log, write
from helpers.saved_runs import make_reference, make_run, random_log_probs, write_log_probs, write_predictions
from helpers.sweeps import lr_sweep, make_point
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import nn

from mnist_tui.analysis import exam as exam_analysis
from mnist_tui.analysis.label_errors import LABEL_ERRORS
from mnist_tui.cli import main as cli
from mnist_tui.cli import sweep_runs
from mnist_tui.datasets.exam import ExamDigits
from mnist_tui.import_logs.import_file import import_file
from mnist_tui.runs import reference
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import (
    EpochEnded,
    Event,
    LearningRateChanged,
    Notice,
    Paused,
    Progress,
    RunEnded,
    RunStarted,
    Unpaused,
)
from mnist_tui.runs.history import history_line
from mnist_tui.runs.imported import write_imported
from mnist_tui.runs.lr_range import RatesFound, Suggestion
from mnist_tui.runs.reproduction import Difference, EpochCompared, Reproduced, WeightsCompared
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.jobs import Message
from mnist_tui.sweep.plan import Point
from mnist_tui.training import exam, lr_finder, predict, reproduce, resume, session

ROOT = Path(__file__).parents[2]
TABLES = read_tables(PAGE)

SMALL = """
layers = '''
Conv2d(2, (3, 5), stride=2)
ReLU()
MaxPool2d(2)
Flatten()
Linear(10)
'''
[train]
epochs = 1
[target]
epochs = 2
"""
"""Its receptive field is not a square."""
PLAIN_LOG = "Epoch 1: train loss 0.5\nEpoch 2: train loss 0.4\nEpoch x: train loss 0.3\n"
MODEL = """
from torch import nn
class Chain(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
        self.more = nn.Identity()
class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(2, 2)
    def forward(self, x):
        return x, x
class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(28, 28)
    def forward(self, x):
        return x + self.linear(x)
"""
COURSE = """
title = "Two steps"
source = "a course"

[[steps]]
name = "easy"
asked = "Learn."
target = { test_accuracy = 0.1 }

[[steps]]
name = "hard"
asked = "All of it."
target = { test_accuracy = 1.0, last_epochs = 2, rule = "mean", parameters = 1_000_000, epochs = 100 }
preset = "v1"
"""
NARROW = "Conv2d(10, 3)\nAdaptiveAvgPool2d(1)\nFlatten()"
"""Its receptive field is so small that the coach suggests no single setting."""

# --- runs of every kind ---


def epochs(*losses: float, **changes: Any) -> list[EpochEnded]:
    """Epochs with these training losses."""
    one = EpochEnded(1, 0.0, 0.9, None, None, 0.3, 0.9, 0.002, 9.0, 7_000.0)
    return [replace(one, epoch=epoch, train_loss=loss, **changes) for epoch, loss in enumerate(losses, start=1)]


NORMS = {"gradient_norm": 0.5, "weight_norm": 20.0}
FULL = epochs(math.nan, 0.2, val_loss=0.3, val_accuracy=0.9, test_loss=math.inf, **NORMS)
"""Epochs with all numbers, some of which are not finite."""


def doubtful_log_probs() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Labels and log-probabilities of 10,000 images, with MNIST's wrong labels where they are; one loss is infinite."""
    labels, log_probs = random_log_probs(10_000)
    for error in LABEL_ERRORS.values():
        labels[error.index] = error.label
    log_probs[0, labels[0]] = -math.inf
    return labels, log_probs


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs of every kind, a preset and an image."""
    folder = tmp_path_factory.mktemp("json")
    runs, iter5 = folder / "runs", presets.load("iter5")
    labels, log_probs = doubtful_log_probs()
    with reliability.patched_session():
        list(session.run(reliability.small_spec(), reliability.options(runs), Control()))
    write_log_probs(judged(make_run(runs, iter5, 0, 0.99, 1, epochs=4)), labels, log_probs)
    other = make_run(runs, iter5.with_settings({"batch_size": "32"}), 1, 0.991, 2, epochs=1)
    write_log_probs(other, labels, np.roll(log_probs, 1, axis=1))
    make_run(runs, iter5, 0, 0.992, 3, epochs=4)  # Repeats the first.
    write_predictions(without_accuracies(make_run(runs, presets.load("v1"), 0, 0.98, 4, parameters=None)), [3])
    begun = make_run(runs, presets.load("era5"), 0, 0.9, 5)
    (begun / "end.json").unlink()
    (begun / "history.jsonl").write_bytes(b"".join(map(history_line, FULL)))
    empty = make_run(runs, presets.load("step1"), 0, 0.9, 6)
    for name in ("end.json", "history.jsonl"):
        (empty / name).unlink()
    make_run(runs, iter5, 7, 0.2, 7, epochs=3)
    make_run(runs, make_spec({"name": "narrow", "layers": NARROW}), 0, 0.5, 8)
    (make_run(folder / "odd", iter5, 0, outcome="failed", parameters=None) / "history.jsonl").unlink()
    make_sweeps(runs)
    (runs / "pictures").mkdir()
    for name in ("small", "flat"):
        (folder / f"{name}.toml").write_text(SMALL)
    (folder / "knob.toml").write_text(
        SMALL.replace("epochs = 1", 'optimizer = "Adam(lr=2*peak)"') + "[knobs]\npeak = 0.01\n"
    )
    write(folder / "S7.ipynb", notebook(markdown_cell("# Session 7"), code_cell(tqdm_log(EPOCHS))))
    (folder / "plain.log").write_text(PLAIN_LOG)
    (told,) = import_file(str(folder / "plain.log"), None, None, None).trainings
    write_imported(runs, told).rename(runs / "20260101T000900Z-plain-0009")
    (folder / "model.py").write_text(MODEL)
    (folder / "course.toml").write_text(COURSE)
    (folder / "more").mkdir()
    (folder / "more" / "own.toml").write_text(
        SMALL.replace("[target]", "[target]\ntest_accuracy = 0.9\nlast_epochs = 2\nrule = 'mean'")
    )
    for preset in (iter5, presets.load_file(folder / "more" / "own.toml")):  # Nobody published figures of the second.
        make_reference(folder / "shipped" / "reference", preset)
    image = Image.new("L", (28, 28), 255)
    ImageDraw.Draw(image).line([(8, 8), (20, 8), (12, 22)], fill=0, width=3)
    image.save(folder / "seven.png")
    return folder


def make_sweeps(runs: Path) -> None:
    """Two seeds of a configuration, a failed and a waiting point; one whose runs say little; one without a run."""
    sweep = lr_sweep(runs, "0.001", "0.01", "0.1", seeds=2)
    first, second, third, *others = sweep.plan.all_points()
    make_point(sweep, first, 0.98)
    make_point(sweep, second, 0.97)
    make_point(sweep, others[0], 0.99)
    failed = make_point(sweep, third, outcome="failed")
    change_end(failed, {"best": None, "last": None})
    (failed / "history.jsonl").unlink()
    sweep = lr_sweep(runs, "0.2", "0.3")
    for point in sweep.plan.all_points():
        change_end(make_point(sweep, point, 0.9), {"best": {"epoch": 1, "val_accuracy": 0.9}})
    lr_sweep(runs, "0.5", "0.6")


def judged(folder: Path) -> Path:
    """A run whose target is met."""
    return change_end(folder, {"target": {"parameters": True}})


def without_accuracies(folder: Path) -> Path:
    """A run whose last row lacks the training accuracy."""
    return change_end(folder, {"last": {"epoch": 20, "test_accuracy": 0.98}})


def change_end(folder: Path, changes: dict[str, Any]) -> Path:
    """A run with other values in end.json."""
    path = folder / "end.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


STARTED = RunStarted("x", "runs/x", "x", 0, 10, 2, 5, 150, 0, 40, "digits", "cpu", 1)
EVENTS: list[Event] = [
    Notice("a notice"),
    STARTED,
    Progress(1, 1, 5, math.nan, 0.1, 100.0),
    Paused(1, 1),
    Unpaused(1, 1),
    LearningRateChanged(1, 1, 0.2),
    *FULL,
    RunEnded("stopped", "it stopped", 0, None, None, "test", None, 1.0),
    RunEnded("completed", "all epochs", 2, FULL[0], FULL[1], "validation", {"parameters": True}, 1.0),
    RunEnded("failed", "why", 0, None, None, "test", {"epochs": None, "test_accuracy": None}, 1.0),
    RunEnded("completed", "all", 2, FULL[1], FULL[1], "test", {"epochs": True, "test_accuracy": False}, 1.0),
]


def made_events(*_: Any) -> Iterator[Event]:
    """Every kind of event, with all that may be missing."""
    yield from EVENTS


def made_points(sweep: Sweep, *_: Any, **__: Any) -> Iterator[tuple[Point | None, Message]]:
    """The same events, of the first point of a sweep."""
    yield None, Notice("about the data")
    for event in EVENTS:
        yield next(sweep.plan.all_points()), event


def made_rates(spec: RunSpec, *_: Any) -> Iterator[RatesFound]:
    """A range test that diverged; without a suggestion for a preset that is called flat."""
    suggestions = () if spec.name == "flat" else (Suggestion("minimum / 10", 1e-5),)
    yield RatesFound((1e-6, 1e-5), (2.3, math.inf), (2.3, math.nan), suggestions, "diverged")


def made_reproduction(*_: Any) -> Iterator[Any]:
    """A run that is trained again and differs, and one that does not."""
    differences = (Difference(1, "train_loss", math.nan, 0.3), Difference(2, "outcome", "completed", None))
    weights = WeightsCompared(5, "0" * 64, "1" * 64)
    yield STARTED
    yield EpochCompared(1, differences)
    yield Reproduced("x", "different", 1, 2, differences, False, None, {"threads": ("1", "2")})
    yield Reproduced("x", "identical", 2, 2, (), False, weights, {})


EXAM = ExamDigits(np.zeros((40, 1, 28, 28), np.uint8), np.arange(40) % 10, np.arange(40) % 4, 20)
"""The digits of a small exam."""

COMMANDS: dict[str, Sequence[str]] = {
    "mnist-tui --list --json": ["--list --json", "--list --format json --models more"],
    "mnist-tui show NAME --json": ["show small.toml --json", "show v2 --json", "show step4 --json"],
    "mnist-tui show FILE.py:CLASS --json": [f"show model.py:{name} --json" for name in ("Chain", "Pair", "Residual")],
    "mnist-tui --batch NAME --dry-run --json": ["--batch small.toml --dry-run --json --device cpu"],
    "mnist-tui --batch NAME --json": ["--batch small.toml --json --dataset digits"],
    "mnist-tui resume RUN --json": ["resume 0005 --json"],
    "mnist-tui extend RUN N --json": ["extend 0001 1 --json"],
    "mnist-tui watch RUN --json": ["watch 0001 --json", "watch 0005 --json", "watch 0006 --json"],
    "mnist-tui repro RUN --json": ["repro 0001 --json"],
    "mnist-tui runs --json": ["runs --json", "runs --format json iter5", "runs --reference --json"],
    "mnist-tui runs --group --json": ["runs --group --json"],
    "mnist-tui runs --reference --published --json": ["runs --reference --published --json"],
    "mnist-tui open RUN --json": [
        f"open {run} --json"
        for run in ("0001", "0004", "0005", "0007", "0008", "0009", "pictures", "reference/iter5-s0")
    ],
    "mnist-tui compare A B --json": [
        "compare 0001 0002 --json",
        "compare 0001 0004 --format json",
        "compare 0001 0003 --json",
        "compare 0001 0007 --json --measure mean",
    ],
    "mnist-tui leaderboard --json": ["leaderboard --json"],
    "mnist-tui sweep --json": ["sweep --json"],
    "mnist-tui sweep run NAME --dry-run --json": [
        f"sweep small.toml --set batch_size=16,32 --dry-run --json {place}" for place in ("", "--on ray")
    ],
    "mnist-tui sweep run NAME --json": ["sweep small.toml --set batch_size=16,32 --json"],
    "mnist-tui sweep resume SWEEP --json": ["sweep resume small --json"],
    "mnist-tui work SWEEP --json": ["work small --json"],
    "mnist-tui sweep status SWEEP --json": ["sweep status iter5 --json"],
    "mnist-tui sweep report SWEEP --json": [f"sweep report {name} --json" for name in ("iter5", "iter5-2", "small")],
    "mnist-tui import FILE --json": ["import S7.ipynb plain.log --json"],
    "mnist-tui analyse RUN --json": ["analyse 0001 --json --against 0002", "analyse 0004 --json"],
    "mnist-tui exam RUN --json": ["exam 0001 --json"],
    "mnist-tui classify IMAGE --json": ["classify seven.png --json"],
    "mnist-tui brief --json": ["brief --json"],
    "mnist-tui brief NAME --json": ["brief course.toml --json", "brief course.toml --json --runs-dir odd"],
    "mnist-tui lr-find NAME --json": [f"lr-find {name}.toml --json" for name in ("small", "flat", "knob")],
    "mnist-tui config --json": ["config --json"],
    "mnist-tui config get KEY --json": ["config get sort --json"],
    "mnist-tui config path --json": ["config path --json"],
    "mnist-tui doctor --json": ["doctor --json"],
}
"""The command lines by which each command of the page is held against it."""


def documents(out: str) -> list[Any]:
    """The lines of an output as JSON, which knows no NaN."""
    return [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()]


@pytest.fixture
def checker(work: Path, monkeypatch: pytest.MonkeyPatch) -> Checker:
    """A checker of the page, in the folder with the runs; trainings are made up."""
    monkeypatch.chdir(work)
    for name in ("MNIST_TUI_RUNS_DIR", "MNIST_TUI_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(reference, "runs_dir", lambda: work / "shipped" / "reference")
    monkeypatch.setattr(sweep_runs, "train_points", made_points)
    for module, function in ((session, "run"), (resume, "resume"), (resume, "extend")):
        monkeypatch.setattr(module, function, made_events)
    monkeypatch.setattr(reproduce, "reproduce", made_reproduction)
    monkeypatch.setattr(lr_finder, "find_learning_rate", made_rates)
    monkeypatch.setattr(exam, "load_exam", lambda data_dir: EXAM)
    monkeypatch.setattr(exam, "fetch_exam", lambda data_dir: ())
    load = predict.load_network
    without_weights = "iter5-s0-0001"  # The run of the exam.
    monkeypatch.setattr(
        predict, "load_network", lambda folder: nn.Identity() if folder.name.endswith(without_weights) else load(folder)
    )
    monkeypatch.setattr(exam, "predictions", lambda network, normalization, digits: digits.labels % 9)
    monkeypatch.setattr(exam_analysis, "right_of_known", lambda run, digits: digits.labels[: digits.known] < 9)
    return Checker(TABLES)


@pytest.mark.slow
def test_the_page_is_what_is_printed(checker: Checker, command: Command) -> None:
    """No key is printed that is not on the page, none is on the page that is never printed, and each is of its type.

    What is said to be null or absent is so somewhere, and nothing else is.
    """
    mistakes, of_commands = [], {row[0].strip("`"): row[1] for row in table_rows(PAGE)}
    for named, lines in COMMANDS.items():
        described = re.split(", an? ", of_commands[named])[-1]
        for line in lines:
            _, out, err = command(*line.split())
            assert out, f"{line}: {err}"
            mistakes += [
                f"{line}: {mistake}" for each in documents(out) for mistake in checker.mistakes(each, described)
            ]

    assert list(of_commands) == list(COMMANDS)
    assert mistakes == []
    keys = {key for record, keys in TABLES.items() if record != "Compared side" for key in keys}
    assert names(keys - checker.printed) == []
    assert names({key for key in keys if "null" in key.missing} - checker.null) == []
    assert names({key for key in keys if "absent" in key.missing} - checker.absent) == []


def names(keys: set[Key]) -> list[str]:
    """Keys as a reader of the page finds them."""
    return sorted(f"{key.record}: {key.name}" for key in keys)


def test_the_preset_in_show_has_the_keys_of_its_own_page(checker: Checker, command: Command) -> None:
    """`spec` is described by models/README.md, where each of its keys has a place."""
    page = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    (shown,) = documents(command("show", "step4", "--json")[1])
    spec = shown["spec"]
    named = {*spec, *(key for part in ("train", "target", "reported") for key in spec[part])}

    assert {key for key in named if not re.search(rf"[`\[\n]{key}\b", page)} == set()


def test_every_command_with_json_is_on_the_page() -> None:
    """Every command that takes `--json`, also one that is added later."""
    on_page = [row[0].strip("`").removeprefix("mnist-tui ") for row in table_rows(PAGE)]
    root: Any = cli.command_line()
    below = {
        f"{group} {name}": each for group in ("config", "sweep") for name, each in root.commands[group].commands.items()
    }
    commands = {**root.commands, **below}
    with_json = [name for name, each in commands.items() if "--json" in [o for p in each.params for o in p.opts]]

    assert len(with_json) > 10
    assert [name for name in with_json if not any(line.startswith(f"{name} ") for line in on_page)] == []


@pytest.mark.parametrize(
    ("value", "described", "mistakes"),
    [
        ({"class": 1, "probability": 0.5}, "[Probability](#probability)", []),
        ({"class": 1, "probability": 1}, "[Probability](#probability)", []),
        ({"class": 1}, "[Probability](#probability)", [".probability: is not printed"]),
        ({"class": 1, "probability": 0.5, "x": 1}, "[Probability](#probability)", [".x: is not documented"]),
        ({"class": 1.0, "probability": 0.5}, "[Probability](#probability)", [".class: 1.0 is no integer"]),
        ({"class": True, "probability": 0.5}, "[Probability](#probability)", [".class: True is no integer"]),
        ({"class": 1, "probability": None}, "[Probability](#probability)", [".probability: is null"]),
        ({"rule": "x", "rate": 0.1, "settings": None}, "[Suggested rate](#suggested-rate)", []),
        (
            [{"rule": "x", "rate": 0.1, "settings": {"lr": 1}}],
            "array of [Suggested rate](#suggested-rate)",
            ["[0].settings[lr]: 1 is no string"],
        ),
        ([[1, 2], [3, "4"]], "array of array of integer", ["[1][1]: '4' is no integer"]),
        ({"a": 1}, "array of integer", [": {'a': 1} is no array of integer"]),
        ("x", "[Probability](#probability)", [": 'x' is no [Probability](#probability)"]),
    ],
)
def test_the_checker_finds_a_mistake(value: Any, described: str, mistakes: list[str]) -> None:
    """The control: a key too many, one too few, another type, and a null that is not documented."""
    assert Checker(TABLES).mistakes(value, described) == mistakes


def test_a_long_document_is_whole(checker: Checker, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A range test of many steps is millions of characters: no line of JSON is cut."""
    numbers = tuple(step / 7 for step in range(60_000))
    monkeypatch.setattr(
        lr_finder, "find_learning_rate", lambda *_: iter([RatesFound(numbers, numbers, numbers, (), "completed")])
    )
    (document,) = documents(command("lr-find", "small.toml", "--json")[1])

    assert document["rates"] == list(numbers)


# --- CSV ---

OF_GROUPS = ["best", "last", "mean", "gap", "seconds"]
HEADINGS = {
    "--list --format csv": [
        *(key.name for key in TABLES["Preset"] if key.name not in ("format", "target", "ours")),
        *(f"target.{key.name}" for key in TABLES["Target"]),
        *(f"ours.{key.name}" for key in TABLES["Ours"]),
    ],
    "runs --format csv": [key.name for key in TABLES["Run"] if key.name not in ("format", "curve")],
    "runs nosuch --format csv": [key.name for key in TABLES["Run"] if key.name not in ("format", "curve")],
    "runs --format csv --columns name,acc,curve": ["name", "best", "curve"],
    "runs --group --format csv --columns name,seed,acc,run": ["name", "seed", "best", "best_sd", "run"],
    "open 0001 --format csv": ["run", *(key.name for key in TABLES["Epoch"] if key.name != "unknown")],
    "open pictures --format csv": ["run", *(key.name for key in TABLES["Epoch"] if key.name != "unknown")],
    "sweep status iter5 --format csv": ["number", "seed", "state", "epochs", "accuracy", "run"],
    "leaderboard --format csv": [
        cell
        for key in TABLES["Ranked recipe"]
        for cell in (["interval_low", "interval_high"] if key.name == "interval" else [key.name])
    ],
    "compare 0001 0002 --format csv": [key.name for key in TABLES["Compared side"]],
}


@pytest.mark.parametrize(("line", "headings"), HEADINGS.items(), ids=HEADINGS)
def test_csv_has_the_keys_of_the_page(line: str, headings: list[str], checker: Checker, command: Command) -> None:
    """As headings; every line has as many cells, and numbers are those of the JSON."""
    code, out, err = command(*line.split())
    read = list(csv.reader(io.StringIO(out)))

    assert (code, err) == (0, "")
    assert read[0] == headings
    assert {len(row) for row in read} == {len(headings)}


def test_csv_has_the_numbers_of_the_json(checker: Checker, command: Command) -> None:
    """With all their digits; null is an empty cell, and booleans are JSON's."""
    lines = csv.DictReader(io.StringIO(command("runs", "--format", "csv")[1]))
    for line, run in zip(lines, documents(command("runs", "--json")[1])[0], strict=True):
        for key, cell in line.items():
            assert cell == in_csv(run[key]), key


def in_csv(value: Any) -> str:
    """A JSON value as a cell."""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
