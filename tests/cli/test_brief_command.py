"""`mnist-tui brief`: the list of briefs, one brief with its runs, as text and as JSON, and what it refuses."""

import json
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run

from mnist_tui.spec import briefs, presets

STEPS = """
title = "Two steps"
source = "A course"

[[steps]]
name = "First"
asked = "Anything that learns, described in a sentence that is long enough to be wrapped in a terminal of 60 columns."
target = { test_accuracy = 0.98 }

[[steps]]
name = "Second"
asked = "Small and steady."
target = { test_accuracy = 0.99, last_epochs = 2, parameters = 8_000, epochs = 3 }
preset = "step4"
"""


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Four runs in ./runs and a brief in ./two.toml; the names of the runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_: tmp_path / "config")
    (tmp_path / "two.toml").write_text(STEPS)
    large, small = presets.load("step1"), presets.load("step4")
    folders = [
        make_run(Path("runs"), large, 0, index=1, accuracies=[0.97, 0.985]),
        make_run(Path("runs"), large, 1, index=2, accuracies=[0.97, 0.975]),
        make_run(Path("runs"), small, 0, index=3, accuracies=[0.97, 0.991, 0.9898]),
        make_run(Path("runs"), small, 0, index=4, accuracies=[1.0], dataset={"name": "digits", "test_images": 360}),
    ]
    return [folder.name for folder in folders]


def test_a_brief_with_its_runs(command: Command, runs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked, who reaches it, how many seeds do, or the best run and what it is short of."""
    monkeypatch.setenv("COLUMNS", "60")
    code, out, err = command("brief", "two.toml")

    assert (code, err) == (0, "")
    assert (
        out
        == f"""\
two: Two steps
source: A course

step 1 of 2  First (reached)
  asked      Anything that learns, described in a sentence
             that is long enough to be wrapped in a terminal
             of 60 columns.
  target     98.00% on the test set
  reached by {runs[0]}: 98.50% in the
             best epoch; 190,442 parameters; 2 epochs; 1 of
             2 seeds reach it

step 2 of 2  Second (not reached)
  asked      Small and steady.
  target     fewer than 8,000 parameters, 99.00% on the test
             set, in each of the last 2 epochs, at most 3
             epochs
  published  step4: 7,074 parameters, 99.47% on 10,000 test
             images
  best run   {runs[2]}: 98.98% in the
             lowest of the last 2 epochs, 0.02 below; 7,074
             parameters; 3 epochs

not counted: 1 run on digits, not MNIST
"""
    )


def test_a_brief_as_json(command: Command, runs: list[str]) -> None:
    """The same facts; accuracies are fractions."""
    code, out, err = command("brief", "two.toml", "--json")
    record = json.loads(out)

    assert (code, err) == (0, "")
    assert {key: record[key] for key in ("name", "title", "source", "not_counted")} == {
        "name": "two",
        "title": "Two steps",
        "source": "A course",
        "not_counted": {"on digits, not MNIST": 1},
    }
    first, second = record["steps"]
    assert first["reached_by"] == {
        "run": runs[0],
        "accuracy": 0.985,
        "parameters": 190_442,
        "epochs": 2,
        "met": {"test_accuracy": True},
        "missing": {},
        "seeds": 2,
        "seeds_reaching": 1,
    }
    assert (first["best_attempt"], first["runs"]) == (None, runs[:1])
    assert second["reached_by"] is None
    assert second["best_attempt"]["run"] == runs[2]
    assert second["best_attempt"]["missing"] == {"test_accuracy": 0.0002}
    assert second["target"] == {"parameters": 8_000, "test_accuracy": 0.99, "last_epochs": 2, "epochs": 3}
    assert (second["number"], second["preset"], second["runs"]) == (2, "step4", runs[1:])


def test_without_runs_every_step_is_open(command: Command) -> None:
    """A folder that is not there holds no runs, as for `mnist-tui runs`."""
    code, out, _ = command("brief", "steps", "--runs-dir", "elsewhere")

    assert code == 0
    assert out.count("(not reached)") == out.count("none that counts has been trained") == 4
    assert "not counted" not in out


def test_the_list_of_briefs(command: Command) -> None:
    """Built in and in ./briefs, with the number of steps; and which one is chosen."""
    Path("briefs").mkdir()
    Path("briefs/mine.toml").write_text(STEPS)
    code, out, _ = command("brief")

    assert code == 0
    names = [line.split()[0] for line in out.splitlines()[1:-1]]
    assert names == [*briefs.builtin_names(), "mine"]
    assert "mine             2  Two steps" in out
    assert out.splitlines()[-1] == "mnist-tui brief NAME shows one"
    assert command("config", "set", "brief", "mine", "--project")[0] == 0
    assert command("brief")[1].splitlines()[-1] == "mnist-tui brief NAME shows one; chosen is mine"
    assert json.loads(command("brief", "--json")[1])[-1] == {
        "format": 1,
        "name": "mine",
        "title": "Two steps",
        "source": "A course",
        "steps": 2,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("brief", "step"), "there is no brief 'step'; did you mean 'steps'?"),
        (("brief", ""), "NAME is empty; mnist-tui brief lists the briefs"),
        (("brief", "none.toml"), "none.toml: No such file or directory"),
        (("brief", "steps", "--briefs", "none"), "none: there is no such folder of briefs"),
        (("brief", "bad.toml"), "bad.toml, line 10: step 2, target: is missing"),
        (("config", "set", "brief", "stps"), "config set brief: there is no brief 'stps'; did you mean 'steps'?"),
        (("config", "set", "brief", "bad.toml"), "config set brief: bad.toml, line 10: step 2, target: is missing"),
        (("config", "set", "brief", " x"), "config set: brief must be a name, got ' x'"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], message: str, command: Command) -> None:
    """In one line, with the exit code of wrong input; nothing is written."""
    Path("bad.toml").write_text(STEPS.partition("target = { test_accuracy = 0.99, last")[0])
    code, out, err = command(*arguments)

    assert (code, out, err) == (2, "", f"mnist-tui: {message}\n")
    assert not Path("config").exists()


def test_a_folder_of_runs_that_cannot_be_read(command: Command) -> None:
    """The error of `mnist-tui runs`."""
    Path("file").write_text("")
    code, out, err = command("brief", "steps", "--runs-dir", "file")

    assert (code, out) == (3, "")
    assert err.startswith("mnist-tui: file: ")
