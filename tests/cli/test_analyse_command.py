"""`analyse`, `explain`, and the coach in `open`, as a user meets them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers.command import Command
from helpers.saved_runs import make_run, random_log_probs, write_log_probs, write_predictions

from mnist_tui.analysis.coach.rules import RULES
from mnist_tui.cli import analyse as analyse_command
from mnist_tui.spec import presets

if TYPE_CHECKING:
    from mnist_tui.training.data import Dataset

ROOT = Path(__file__).parents[2]
FIRST = "20260101T000000Z-iter5-s0-0000"
"""The folder of run 0000."""


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with runs 0000 and 0001 on the same images, 0002 on others, and 0003 without a finished epoch."""
    monkeypatch.chdir(tmp_path)
    for name in ("MNIST_TUI_DATA_DIR", "MNIST_TUI_RUNS_DIR"):
        monkeypatch.delenv(name, raising=False)
    labels, log_probs = random_log_probs()
    for index in range(2):
        write_log_probs(saved(index), labels, np.roll(log_probs, index, axis=1))
    write_predictions(saved(2, dataset={"name": "digits", "sha256": "1" * 64, "test_images": 100}), [3])
    saved(3)
    Path("runs/pictures").mkdir()


def saved(index: int, **record: Any) -> Path:
    """A run of iter5."""
    return make_run(Path("runs"), presets.load("iter5"), index, 0.99, index, **record)


def run_ids() -> list[str]:
    """The names of the run folders."""
    return sorted(path.name for path in Path("runs").iterdir())


# --- analyse ---


def test_json(command: Command) -> None:
    """The promised keys: counts with a row per true class, scores per class, the calibration error."""
    code, out, err = command("analyse", "0000", "--json")
    document = json.loads(out)
    confusion = np.array(document["confusion"])
    labels, log_probs = random_log_probs()
    predictions = log_probs.argmax(axis=1)

    assert (code, err) == (0, "")
    assert confusion.shape == (10, 10)
    assert confusion.tolist() == [
        [int(((labels == label) & (predictions == other)).sum()) for other in range(10)] for label in range(10)
    ]
    assert [set(one) for one in document["per_class"]] == [
        {"class", "name", "precision", "recall", "f1", "support"}
    ] * 10
    assert [one["class"] for one in document["per_class"]] == list(range(10))
    assert [one["support"] for one in document["per_class"]] == confusion.sum(axis=1).tolist()
    assert 0 < document["ece"] < 1
    assert "against" not in document


def test_against(command: Command) -> None:
    """In JSON an object of its own, in the text a section; the other run's answers are all shifted by one class."""
    document = json.loads(command("analyse", "0000", "--against", "0001", "--json")[1])["against"]
    code, text, _ = command("analyse", "0000", "--against", "0001")
    labels, log_probs = random_log_probs()
    right, others_right = (np.roll(log_probs, shift, axis=1).argmax(axis=1) == labels for shift in (0, 1))

    assert code == 0
    assert document["run"] == run_ids()[1]
    assert document["only_this"] == np.flatnonzero(right & ~others_right).tolist()
    assert document["only_other"] == np.flatnonzero(others_right & ~right).tolist()
    assert f"against {run_ids()[1]}" in text


def test_text_without_the_images(command: Command) -> None:
    """The run's data set is not on this machine: everything but the pictures, and one line why on stderr."""
    code, out, err = command("analyse", "0000")

    assert code == 0
    assert "true \\ predicted" in out
    assert "mistakes, highest loss first (12 of " in out
    assert "coach" in out
    assert err == ("no pictures: the run's data set, mnist, is not on this machine; --data-dir names its folder\n")


@pytest.mark.parametrize("is_utf8", [True, False])
def test_pictures(is_utf8: bool, digits: "Dataset", command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistakes are drawn, as many beside each other as the terminal is wide, and in ASCII where it has no more."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(analyse_command, "has_utf8", lambda: is_utf8)
    labels = digits.test.labels.numpy().astype(np.uint8)
    log_probs = np.full((len(labels), 10), np.log(0.01), np.float32)
    log_probs[np.arange(len(labels)), labels] = np.log(0.91)
    log_probs[:3] = np.roll(log_probs[:3], 1, axis=1)
    about = {"name": "digits", "sha256": digits.sha256, "test_images": len(labels)}
    write_log_probs(saved(4, dataset=about), labels, log_probs)
    code, out, err = command("analyse", "0004")
    captions = [line for line in out.splitlines() if line.startswith("#")]

    assert (code, err) == (0, "")
    assert [line.count("#") for line in captions] == [2, 1]
    assert ("█" in out) is is_utf8
    assert out.isascii() is not is_utf8


def test_a_run_that_is_trained_right_now(command: Command) -> None:
    """Its best epoch so far: it has no end.json yet."""
    folder = Path("runs") / run_ids()[0]
    (folder / "end.json").unlink()

    assert json.loads(command("analyse", "0000", "--json")[1])["epoch"] == 1


@pytest.mark.parametrize(
    ("arguments", "expected", "message"),
    [
        (("nothing",), 2, "nothing: is no run folder, and no run in runs has that name"),
        (("0000", "--against", "nothing"), 2, "nothing: is no run folder"),
        (("0000", "--against", "0002"), 2, "were tested on different images; name two runs on the same data set"),
        (("0000", "--against", "s0-0000"), 2, "-iter5-s0-0000: is the run itself; name another run"),
        (("0000", "--against", f"runs/{FIRST}/"), 2, "-iter5-s0-0000: is the run itself; name another run"),
        (("",), 2, "RUN is empty"),
        (("0000", "--against", ""), 2, "RUN is empty"),
        (("pictures",), 2, "somebody else's folder"),
        (("0003",), 3, "though 20 epochs are done"),
        (("0000", "--data-dir", "runs/pictures/x/y"), 2, "--data-dir runs/pictures/x/y: "),
        ((), 2, "RUN is missing; see mnist-tui analyse --help"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_what_is_wrong(
    arguments: tuple[str, ...], expected: int, message: str, as_json: bool, command: Command
) -> None:
    """One line, the right exit code, nothing on stdout."""
    code, out, err = command("analyse", *arguments, *(["--json"] if as_json else []))

    assert (code, out, err.count("\n")) == (expected, "", 1)
    assert message in err


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_damaged_predictions(content: bytes, command: Command) -> None:
    """One line that names the file."""
    (Path("runs") / run_ids()[0] / "predictions.npz").write_bytes(content)
    code, out, err = command("analyse", "0000", "--json")

    assert (code, out) == (3, "")
    assert "predictions.npz: is damaged" in err


# --- the coach ---


def test_open_has_the_coachs_advice(command: Command) -> None:
    """In the text with the options that carry it out, before the notes; in JSON as `coach`."""
    spec = presets.load("iter5").with_settings({"target.epochs": "30", "target.test_accuracy": "0.999"})
    write_predictions(make_run(Path("runs"), spec, index=5), [3])
    text = command("open", "0005")[1]
    coach = json.loads(command("open", "0005", "--json")[1])["coach"]

    assert text.index("coach\n") < text.index("Train 30 epochs. --set epochs=30") < text.index("## Target")
    assert [set(one) for one in coach] == [{"rule", "sentence", "suggestion", "settings"}] * len(coach)
    assert {"epochs": "30"} in [one["settings"] for one in coach]
    assert coach == json.loads(command("analyse", "0005", "--json")[1])["coach"]


def test_open_of_no_run_has_no_coach(command: Command) -> None:
    """There is nothing to be said of somebody else's folder."""
    code, out, _ = command("open", "pictures")

    assert code == 0
    assert "somebody else's folder" in out
    assert "coach" not in out
    assert json.loads(command("open", "pictures", "--json")[1])["coach"] == []


def test_explain_lists_the_rules(command: Command) -> None:
    """Each with its first sentence."""
    code, out, err = command("explain")
    lines = out.splitlines()

    assert (code, err) == (0, "")
    assert [line for line in lines if not line.startswith("  ")] == [rule.name for rule in RULES]
    assert all(" ".join(out.split()).count(rule.summary) == 1 for rule in RULES)
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_explain_a_rule(rule: str, command: Command) -> None:
    """Its name, its reasoning, and its source last, in lines that fit."""
    code, out, _ = command("explain", rule)
    lines = out.splitlines()

    assert code == 0
    assert lines[0] == rule
    assert out.split("\n\n")[-1].startswith("Source: ")
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("rule", "advice"),
    [("overfiting", "did you mean 'overfitting'?"), ("nope", "mnist-tui explain lists them")],
)
def test_explain_an_unknown_rule(rule: str, advice: str, command: Command) -> None:
    """One short line that names the nearest, or the list, exit code 2."""
    assert command("explain", rule) == (2, "", f"mnist-tui: there is no rule {rule!r}; {advice}\n")


# --- what is loaded ---


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "modules"),
    [
        (("explain",), []),
        (("explain", "plateau"), []),
        (("analyse", "0000", "--json"), ["numpy"]),
        (("analyse", "0000"), ["numpy"]),
    ],
)
def test_torch_is_not_loaded(arguments: tuple[str, ...], modules: list[str]) -> None:
    """The reasoning of a rule needs no numpy either."""
    script = f"import sys; from mnist_tui.cli import main as cli; sys.argv = ['mnist-tui', *{list(arguments)!r}]\n"
    script += "try: cli.main()\nexcept SystemExit as ended: assert not ended.code\n"
    script += "print([name for name in ('numpy', 'textual', 'torch') if name in sys.modules])"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)

    assert done.stdout.splitlines()[-1] == repr(modules)
