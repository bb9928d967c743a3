"""`lr-find`: a range test of a preset on the small digits."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.command import Command

from mnist_tui.cli import lr_find as lr_find_command
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Notice
from mnist_tui.runs.lr_range import HIGHEST, LOWEST, RatesFound, RateTried, Suggestion
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import lr_finder

SMALL = """
layers = '''
Conv2d(2, 3, stride=2)
ReLU()
MaxPool2d(2)
Flatten()
Linear(10)
'''
[train]
epochs = 1
batch_size = 32
optimizer = "Adam(lr=0.01)"
scheduler = "OneCycleLR(0.02, epochs=epochs, steps_per_epoch=steps_per_epoch)"
"""
ON_DIGITS = ("--dataset", "digits", "--device", "cpu", "--threads", "1")


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a small preset."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_DATA_DIR", raising=False)
    Path("small.toml").write_text(SMALL)


def test_json(command: Command) -> None:
    """Rates and losses of every step, one suggestion, and all of them with the settings that carry them out."""
    code, out, err = command("lr-find", "small.toml", *ON_DIGITS, "--json")
    document = json.loads(out)
    rates, suggestions = document["rates"], document["suggestions"]

    assert code == 0
    assert err == "small: range test of 45 steps\n"
    assert LOWEST == rates[0] < rates[-1] <= HIGHEST * 1.001
    assert len(rates) == len(document["losses"]) == len(document["smoothed"])
    assert [one["rule"] for one in suggestions] == ["steepest slope", "minimum / 10"]
    assert document["suggestion"] == suggestions[0]["rate"]
    assert LOWEST < document["suggestion"] < HIGHEST
    text = f"{document['suggestion']:.3g}"
    assert suggestions[0]["settings"] == {"optimizer.lr": text, "scheduler.max_lr": text}
    assert sorted(path.name for path in Path().iterdir() if path.name != "home") == ["small.toml"]


def test_text(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A curve that fits the terminal; the options beside each suggestion are taken by other commands."""
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setattr(lr_find_command, "has_utf8", lambda: False)
    code, out, _ = command("lr-find", "small.toml", "--set", "batch_size=16", *ON_DIGITS)
    lines = out.splitlines()
    options = lines[-1].partition("--set")
    shown = command("show", "small.toml", "--json", *"".join(options[1:]).split())

    assert code == 0
    assert out.isascii()
    assert "x steepest slope, o minimum / 10" in lines[0]
    assert "learning rate" in out
    assert max(len(line) for line in lines if "|" in line) <= 70
    assert [line.partition("  lr ")[0].strip() for line in lines[-2:]] == ["steepest slope", "minimum / 10"]
    assert shown[0] == 0
    rate = lines[-1].split("  lr ")[1].split()[0]
    assert f"lr={float(rate)}" in json.loads(shown[1])["spec"]["train"]["optimizer"]


def test_changes_and_run_options_are_carried_out(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The finder gets the changed preset, and how to run."""
    calls: list[tuple[RunSpec, Options]] = []

    def find(spec: RunSpec, options: Options, control: Control) -> Iterator[Any]:
        calls.append((spec, options))
        yield Notice("no MNIST here", is_warning=True)
        yield RatesFound((1e-6, 1e-5), (2.3, 2.4), (2.3, 2.4), (), "completed")

    monkeypatch.setattr(lr_finder, "find_learning_rate", find)
    code, out, err = command("lr-find", "small.toml", "--set", "seed=3", "--no-fuse", *ON_DIGITS)
    ((spec, options),) = calls

    assert code == 0
    assert (spec.train.seed, options.fuse, options.threads, options.dataset) == (3, False, 1, "digits")
    assert "no suggestion: the loss did not fall" in out
    assert "no MNIST here" in err
    assert json.loads(command("lr-find", "small.toml", "--json")[1])["suggestion"] is None


def test_a_preset_that_cannot_take_the_rate_says_why(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A knob that would be left without use; the rate itself is printed all the same."""

    def find(spec: RunSpec, options: Options, control: Control) -> Iterator[Any]:
        yield RatesFound((1e-6, 1e-5), (2.3, 2.2), (2.3, 2.2), (Suggestion("steepest slope", 1e-5),), "completed")

    monkeypatch.setattr(lr_finder, "find_learning_rate", find)
    Path("knob.toml").write_text(SMALL.replace("Adam(lr=0.01)", "Adam(lr=2*peak)") + "[knobs]\npeak = 0.01\n")
    code, out, _ = command("lr-find", "knob.toml")
    document = json.loads(command("lr-find", "knob.toml", "--json")[1])

    assert code == 0
    assert "steepest slope" in out
    assert "lr 1e-05" in out
    assert "peak" in out
    assert "--set" not in out
    assert document["suggestions"] == [{"rule": "steepest slope", "rate": 1e-5, "settings": None}]


@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c(as_json: bool, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends it after the step under way with exit code 130, and prints no result."""
    find = lr_finder.find_learning_rate
    handler_before = signal.getsignal(signal.SIGINT)
    steps: list[RateTried] = []

    def find_and_interrupt(spec: RunSpec, options: Options, control: Control) -> Iterator[Any]:
        for event in find(spec, options, control):
            if isinstance(event, RateTried):
                steps.append(event)
                if len(steps) == 3:
                    signal.raise_signal(signal.SIGINT)
            yield event

    monkeypatch.setattr(lr_finder, "find_learning_rate", find_and_interrupt)
    code, out, err = command("lr-find", "small.toml", *ON_DIGITS, *(["--json"] if as_json else []))

    assert (code, out, len(steps)) == (130, "", 3)
    assert "stopping after this step; Ctrl-C again aborts" in err
    assert err.endswith("small: stopped; there is no result\n")
    assert signal.getsignal(signal.SIGINT) is handler_before


@pytest.mark.parametrize(
    ("arguments", "expected", "message"),
    [
        (("nosuch",), 2, "nosuch"),
        (("small.toml", "--set", "lr"), 2, "--set lr: expected KEY=VALUE"),
        (("small.toml", "--set", "optimizer.lr=x y"), 2, "optimizer.lr"),
        (("small.toml", "--device", "tpu"), 2, "--device tpu: must be"),
        (("small.toml", "--set", "batch_size=1000", *ON_DIGITS), 2, "to find a learning rate takes at least 10"),
        ((), 2, "NAME is missing; see mnist-tui lr-find --help"),
    ],
)
def test_what_is_wrong(arguments: tuple[str, ...], expected: int, message: str, command: Command) -> None:
    """One line, the right exit code, nothing on stdout."""
    code, out, err = command("lr-find", *arguments)

    assert (code, out, err.count("\n")) == (expected, "", 1)
    assert message in err


def test_every_preset_takes_a_suggestion() -> None:
    """The settings of a rate are accepted by every preset that comes with the package."""
    for spec in presets.load_all(None):
        settings, error = lr_find_command._settings(spec, 0.0123)
        assert settings, f"{spec.name}: {error}"
