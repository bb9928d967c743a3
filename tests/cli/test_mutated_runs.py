"""Damaged run folders: every command that reads them answers with what there is, or with a reason, and valid JSON."""

import json
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.command import Command
from helpers.mutated_runs import MutatedRuns, wrong_answer
from helpers.saved_runs import make_run, random_log_probs, write_log_probs

from mnist_tui.runs import history, record
from mnist_tui.spec import presets

SEED = 20_261_130
HUGE = 10**400
NAMES = ("huge", "negative", "longer", "nan", "infinite", "text", "list", "bool")
JSON_COMMANDS = ("runs", "open", "compare", "leaderboard", "analyse")


@pytest.fixture
def runs_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, s0 and s1, with predictions, in the working folder."""
    monkeypatch.chdir(tmp_path)
    runs_dir = tmp_path / "runs"
    for seed in (0, 1):
        folder = make_run(runs_dir, presets.load("iter5"), seed, index=seed, epochs=4)
        write_log_probs(folder.rename(runs_dir / f"s{seed}"), *random_log_probs(40))
    return runs_dir


def change(path: Path, *keys: str, value: Any) -> None:
    """Puts a value into a JSON file."""
    document = json.loads(path.read_text())
    inner = document
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(document))


def change_rows(folder: Path, **values: Any) -> None:
    """Puts values into every row of the history, with the checksum of what it then holds."""
    lines = []
    for line in (folder / "history.jsonl").read_text().splitlines():
        row = json.loads(line)
        del row["crc32"]
        text = json.dumps(row | values)
        lines.append(f'{text[:-1]}, "crc32": {zlib.crc32(text.encode())}}}\n')
    (folder / "history.jsonl").write_text("".join(lines))


def answers(command: Command) -> dict[str, Any]:
    """What each command says of s0 in JSON, by its name; checks that it is JSON, and that it has no internal error."""
    said = {}
    for name in JSON_COMMANDS:
        named = {"open": ["s0"], "analyse": ["s0"], "compare": ["s0", "s1"]}.get(name, [])
        code, out, err = command(name, *named, "--json")
        assert wrong_answer(code, out, err, is_json=True) is None
        said[name] = json.loads(out) if code == 0 else err
    return said


@pytest.mark.parametrize("huge", [HUGE, -HUGE, 10**4_000, math.nan, math.inf, "x", [], True], ids=NAMES)
def test_numbers_of_an_end_that_no_float_holds(command: Command, runs_dir: Path, huge: Any) -> None:
    """They are missing: null in JSON, - in tables; nothing stands for them."""
    for keys in (("epochs",), ("seconds",), ("best", "test_accuracy"), ("last", "train_accuracy"), ("best", "epoch")):
        change(runs_dir / "s0" / "end.json", *keys, value=huge)
    (run,) = (each for each in answers(command)["runs"] if each["run"] == "s0")

    assert [run[key] for key in ("epochs", "seconds", "best", "gap")] == [None] * 4
    code, out, _ = command("runs", "--columns", "run,best,seconds,last", "epochs!=20 or run:s0")
    assert code == 0
    assert out.splitlines()[-1].split() == ["s0", "-", "-", "99.00%"]


@pytest.mark.parametrize("huge", [HUGE, -5, 1.5, math.nan, None, {}], ids=range(6))
def test_counts_of_a_record_that_are_none(command: Command, runs_dir: Path, huge: Any) -> None:
    """A huge or negative number of parameters, images or epochs is missing, and so is such a seed."""
    counts = [("dataset", f"{part}_images") for part in ("train", "val", "test")]
    for keys in (("parameters",), ("seed",), ("spec", "train", "batch_size"), *counts):
        change(runs_dir / "s0" / "run.json", *keys, value=huge)
    opened = answers(command)["open"]
    assert command("open", "s0")[0] == command("report", "s0")[0] == 0

    assert [opened[key] for key in ("parameters", "seed", "batch")] == [None] * 3


@pytest.mark.parametrize(
    "values",
    [
        *({"test_accuracy": 1.5}, {"test_accuracy": -HUGE}, {"seconds": HUGE}, {"seconds": math.inf}),
        *({"train_loss": 1e200}, {"val_accuracy": math.nan}, {"epoch": -1}, {"epoch": HUGE}, {"segment": -HUGE}),
    ],
    ids=range(9),
)
def test_rows_that_no_training_writes(command: Command, runs_dir: Path, values: dict[str, Any]) -> None:
    """A row with an impossible number is a damaged row, whatever its checksum says, and is left out."""
    change_rows(runs_dir / "s0", **values)

    assert answers(command)["open"]["epochs"] == []
    assert command("open", "s0", "--plot")[0] == 0


def test_a_mean_of_more_than_all_images(command: Command, runs_dir: Path) -> None:
    """An accuracy above 1 in end.json is no accuracy: there is nothing to compare, and the reason says so."""
    change(runs_dir / "s0" / "end.json", "best", "test_accuracy", value=1.5)

    assert answers(command)["compare"] == ("mnist-tui: s0 has no test accuracy of the best epoch: 4 epochs are done\n")


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "overwritten": lambda content: content[:100] + bytes(60) + content[160:],
    "empty": lambda content: b"",
    "of another kind": lambda content: b"PK\x03\x04" + bytes(200),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_predictions(command: Command, runs_dir: Path, damage: str) -> None:
    """Runs are compared without them; what needs them says that the file is damaged."""
    path = runs_dir / "s0" / "predictions.npz"
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    said = answers(command)

    assert isinstance(said["compare"], dict)
    assert (
        said["analyse"]
        == f"mnist-tui: {path.relative_to(Path.cwd())}: is damaged, or was not written by this program\n"
    )


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("labels", None),
        ("labels", np.zeros((40, 1), np.uint8)),
        ("labels", np.uint8(3)),
        ("labels", np.zeros(0, np.uint8)),
        ("predictions", np.zeros(40, np.int64)),
        ("predictions", np.full(40, 10, np.uint8)),
        ("probabilities", np.full(40, math.nan, np.float32)),
        ("probabilities", np.array(["x"] * 40)),
        ("epoch", np.array([1, 2])),
        ("epoch", np.uint64(2**64 - 1)),
        ("epoch", np.int64(-1)),
        ("log_probs", np.zeros((40, 9), np.float16)),
        ("log_probs", np.full((40, 10), math.nan, np.float16)),
    ],
)
def test_arrays_of_another_kind(command: Command, runs_dir: Path, name: str, array: Any) -> None:
    """A file without one of its arrays, or with another shape, dtype or range, is damaged."""
    path = runs_dir / "s0" / "predictions.npz"
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored.files if key != name}
    np.savez(path, **arrays, **({} if array is None else {name: array}))

    assert "is damaged" in answers(command)["analyse"]


def test_deep_and_broken_texts_in_a_record(command: Command, runs_dir: Path) -> None:
    """A document nested too deeply is damaged; half of a character, which no file can hold, becomes a question mark."""
    change(runs_dir / "s1" / "run.json", "device_name", value="\ud800 a processor")
    code, _, err = command("report", "s1", "-o", "report.html")
    assert code == 0, err
    assert "? a processor" in Path("report.html").read_text()

    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    change(runs_dir / "s0" / "run.json", "spec", "train", "augment", value=deep)
    said = answers(command)
    (run,) = (each for each in said["runs"] if each["run"] == "s0")
    assert (run["state"], run["reason"]) == ("damaged", "run.json is nested more than 50 levels deep")


# --- a taste of `scripts/stress.py fuzz` ---


@pytest.mark.slow
def test_no_ugly_answer_to_damaged_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some commands on each of a few damaged runs directories: no traceback, wrong exit code or invalid JSON."""
    monkeypatch.chdir(tmp_path)
    runs = MutatedRuns(tmp_path, SEED)

    assert [ugly for number in range(12) for ugly in runs.check(number)] == []
    assert runs.commands > 80
    assert {0, 3} <= runs.codes.keys()  # Some are read, and some are damaged.


@pytest.mark.slow
def test_a_program_that_trusts_files_is_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: where numbers and rows are taken as they are, one of a few folders shows it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(history, "_is_row", lambda row: "epoch" in row)
    for name in ("count", "finite_number", "fraction"):
        monkeypatch.setattr(record, name, lambda value: value)
    runs = MutatedRuns(tmp_path, SEED)

    assert any(runs.check(number) for number in range(60))
