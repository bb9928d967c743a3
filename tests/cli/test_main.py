"""The command line as a user meets it: what is on stdout and stderr, what is written, and the exit code."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from helpers.command import Command as InProcess
from helpers.saved_runs import make_reference

from mnist_tui.errors import StorageError
from mnist_tui.runs import storage
from mnist_tui.runs.events import EpochEnded
from mnist_tui.spec import presets
from mnist_tui.spec.layers import LAYER_TYPES
from mnist_tui.spec.run_spec import RunSpec

ROOT = Path(__file__).parents[2]

SMALL = """
title = "A small one"
layers = '''
Conv2d(4, 3, stride=2)
ReLU()
MaxPool2d(2)
Dropout(dropout)
Flatten()
Linear(10)
'''
[knobs]
dropout = 0.0
[train]
epochs = 2
optimizer = "Adam(lr=0.01)"
"""

TRAIN = ("--dataset", "digits", "--device", "cpu", "--jobs", "1", "--batch")
"""In this process, so that a test can replace parts of it; tests/system/test_pool.py trains side by side."""


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: list[str]
    err: list[str]

    @property
    def objects(self) -> list[Any]:
        """Every line of stdout as JSON, which knows no NaN."""
        return [json.loads(line, parse_constant=_no_constant) for line in self.out]


Command = Callable[..., Answer]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with presets of which one has a target that is easy, and one that nobody meets."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "small.toml").write_text(SMALL)
    (folder / "plain.toml").write_text(SMALL.replace("Dropout(dropout)\n", "").replace("[knobs]\ndropout = 0.0\n", ""))
    (folder / "easy.toml").write_text(f"{SMALL}[target]\nparameters = 9_999\nepochs = 2\n")
    (folder / "hard.toml").write_text(f"{SMALL}[target]\nparameters = 1\n")
    (folder / "mnist.toml").write_text(f"{SMALL}[target]\ntest_accuracy = 0.01\n")
    (folder / "wild.toml").write_text(SMALL.replace("Adam(lr=0.01)", "SGD(lr=10000)"))
    monkeypatch.chdir(folder)
    for name in ("MNIST_TUI_DATA_DIR", "MNIST_TUI_RUNS_DIR"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def command(command: InProcess, work: Path) -> Command:
    """`mnist-tui` in this process, which has loaded torch already."""

    def run(*arguments: str) -> Answer:
        code, out, err = command(*arguments)
        return Answer(code, out.splitlines(), err.splitlines())

    return run


def runs(folder: Path) -> list[Path]:
    """The run folders of a working folder, in the order they were made."""
    return sorted(folder.glob("runs/*"), key=lambda path: (path / "run.json").stat().st_mtime_ns)


# --- answers without torch --------------------------------------------------------------------------------------------


def test_list_has_a_line_for_each_preset(command: Command, reference_dir: Path) -> None:
    """In their order; parameters, published accuracy, ours on the same images, target and title on it."""
    make_reference(reference_dir, presets.load("iter5"), 0, 0.9935)
    answer = command("--list")

    count = len(presets.published_names())
    named = [line.split()[0] for line in answer.out[1 : count + 1]]
    iter5 = next(line for line in answer.out if line.startswith("iter5 "))
    assert named == list(presets.published_names())
    assert answer.out[0].split() == ["name", "params", "published", "ours", "target", "title"]
    assert iter5.split()[1:5] == ["18,422", "99.50%*", "99.45%*", "99.4%"]
    assert (answer.err, answer.code) == ([], 0)


def test_house_models_are_a_list_of_their_own(command: Command, reference_dir: Path) -> None:
    """Below the others: the mean of the last epoch on the test images, and how many seeds it is of."""
    name = presets.house_names()[0]
    for seed, accuracy in ((100, 0.9940), (101, 0.9950)):
        make_reference(reference_dir, presets.load(name), seed, accuracy)
    out = command("--list").out
    start = next(index for index, line in enumerate(out) if line.startswith("House models"))

    assert out[start - 1] == ""
    assert out[start + 1].split() == ["name", "params", "last", "epoch", "seeds", "target", "title"]
    assert [line.split()[0] for line in out[start + 2 :]] == list(presets.house_names())
    assert out[start + 2].split()[2:4] == ["99.45%", "2"]


def test_a_figure_on_other_images_has_a_star(command: Command, reference_dir: Path) -> None:
    """Where nothing was published that ours can stand beside, ours is on the test images, without a star."""
    text = (presets.builtin_folder() / "iter5.toml").read_text()
    text = text.replace("60,000 augmented training images, in eval mode", "5,000 validation images")
    preset = [line for line in text.splitlines() if not line.startswith("train_accuracy")]
    Path("models").mkdir()
    Path("models/held_out.toml").write_text("\n".join(preset))
    make_reference(reference_dir, presets.load_file(Path("models/held_out.toml")), 0, 0.9935)

    line = next(line for line in command("--list").out if line.startswith("held_out "))
    assert line.split()[1:5] == ["18,422", "99.55%*", "99.35%", "99.4%"]


def test_list_as_json_is_one_list(command: Command) -> None:
    """`list --json` holds what the text shows, with numbers as numbers."""
    answer = command("--list", "--json")

    (listed,) = answer.objects
    iter5 = next(item for item in listed if item["name"] == "iter5")
    assert [item["name"] for item in listed] == list(presets.builtin_names())
    assert (iter5["parameters"], iter5["published_accuracy"], iter5["measured_on"]) == (
        18_422,
        0.9955,
        "60,000 augmented training images, in eval mode",
    )
    assert iter5["target"] == {"parameters": 20_000, "test_accuracy": 0.994}
    assert iter5["title"]


def test_own_presets_stand_beside_the_built_in_ones(work: Path, command: Command) -> None:
    """Those of ./models without asking, those of another folder with --models."""
    for folder, name in (("models", "mine"), ("others", "theirs")):
        (work / folder).mkdir()
        (work / folder / f"{name}.toml").write_text(SMALL)

    alone, both = command("--list"), command("--list", "--models", "others")

    assert {"mine", "theirs"} & {line.partition(" ")[0] for line in alone.out} == {"mine"}
    assert {"mine", "theirs"} <= {line.partition(" ")[0] for line in both.out}
    assert command("show", "theirs", "--models", "others").code == 0


def test_show_reads_a_file_as_well_as_a_name(command: Command) -> None:
    """A preset shown by its path and by its name gives the same output."""
    by_name, by_file = command("show", "iter5"), command("show", str(presets.builtin_folder() / "iter5.toml"))

    assert by_name.out == by_file.out
    assert "iter5: Iteration 5" in by_name.out[0]
    assert any("18,422" in line for line in by_name.out)
    assert (by_name.err, by_name.code) == ([], 0)


def test_show_as_json_keeps_its_promised_keys(command: Command) -> None:
    """The keys of `show --json` do not change; shapes are without the batch."""
    answer = command("show", "iter5", "--json")

    (shown,) = answer.objects
    first = shown["layers"][0]
    assert {"name", "parameters", "trainable", "multiply_adds", "layers"} <= set(shown)
    assert (shown["name"], shown["parameters"], shown["trainable"], shown["multiply_adds"]) == (
        "iter5",
        18_422,
        18_422,
        459_032,
    )
    promised = {"index", "type", "output_shape", "parameters", "multiply_adds", "receptive_field", "jump"}
    assert all(promised <= set(layer) for layer in shown["layers"])
    assert [layer["index"] for layer in shown["layers"]] == list(range(1, len(shown["layers"]) + 1))
    assert {key: first[key] for key in promised} == {
        "index": 1,
        "type": "Conv2d",
        "output_shape": [8, 28, 28],
        "parameters": 80,
        "multiply_adds": 56_448,
        "receptive_field": 3,
        "jump": 1,
    }
    assert shown["layers"][-1]["output_shape"] == [10]


def test_show_torchsummary_has_three_columns_and_the_footer(command: Command) -> None:
    """As the package prints it, so that it can be pasted into a report."""
    answer = command("show", "iter5", "--torchsummary")

    rows = [re.fullmatch(r" *(\w+)-(\d+) +(\[-1(?:, \d+)+\]) +([\d,]+)", line) for line in answer.out]
    columns = [row.groups() for row in rows if row]
    assert columns[0] == ("Conv2d", "1", "[-1, 8, 28, 28]", "80")
    assert [int(number) for _, number, _, _ in columns] == list(range(1, 18))
    assert [line.split(":")[0] for line in answer.out if ":" in line] == [
        "Total params",
        "Trainable params",
        "Non-trainable params",
        "Input size (MB)",
        "Forward/backward pass size (MB)",
        "Params size (MB)",
        "Estimated Total Size (MB)",
    ]


def test_show_with_a_setting_shows_the_changed_network(command: Command) -> None:
    """With `--set` the table has the numbers of the changed knobs."""
    answer = command("show", "small.toml", "--set", "dropout=0.25")

    assert any("Dropout(0.25)" in line for line in answer.out)


def test_layers_lists_every_layer_type_with_its_arguments(command: Command) -> None:
    """`layers` prints each layer type as a call on a line."""
    answer = command("layers")

    assert [line.partition("(")[0] for line in answer.out] == sorted(LAYER_TYPES)
    assert [line for line in answer.out if line.startswith("Conv2d(out_channels, kernel_size, ")]


def test_no_line_of_the_list_of_commands_is_cut(command: Command) -> None:
    """Each command has the whole first sentence of its help, on as many lines as it takes."""
    text = " ".join(" ".join(command("--help").out).split())

    assert "Print a run: settings, changes, epochs, the coach's advice, notes." in text
    assert "..." not in text.partition("Commands:")[2].partition("Examples:")[0]


def test_version_and_help(command: Command) -> None:
    """On stdout, with exit code 0; help names the commands and the exit codes."""
    version, help_text = command("--version"), command("--help")

    assert version.out[0].startswith("mnist-tui ")
    for word in ("--batch", "show", "resume", "doctor", "--dry-run", "--require-target", "130", "143"):
        assert any(word in line for line in help_text.out)
    assert (version.code, help_text.code, version.err, help_text.err) == (0, 0, [], [])


@pytest.mark.parametrize("name", ["show", "resume", "layers", "doctor"])
def test_each_command_has_help_of_its_own(name: str, command: Command) -> None:
    """The help of each command begins with its usage."""
    answer = command(name, "--help")

    assert answer.out[0].startswith(f"Usage: mnist-tui {name} ")
    assert (answer.code, answer.err) == (0, [])


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_doctor_says_what_there_is(work: Path, command: Command) -> None:
    """Versions, device, threads, data and folders, a line each; it changes nothing."""
    text, objects = command("doctor"), command("doctor", "--json")

    (findings,) = objects.objects
    assert [line.split()[1] for line in text.out] == [finding["what"].split()[0] for finding in findings]
    assert {"versions", "device", "threads", "MNIST", "runs", "cache"} <= {finding["what"] for finding in findings}
    assert all(line.startswith("ok ") for line in text.out)
    assert next(finding["found"] for finding in findings if finding["what"] == "MNIST").startswith("not found in ")
    assert (text.code, objects.code, runs(work)) == (0, 0, [])


def test_doctor_finds_a_folder_that_cannot_be_written(work: Path, command: Command) -> None:
    """`doctor` exits with 3 where a run would."""
    (work / "runs").write_text("a file in its place")

    answer = command("doctor")

    assert [line for line in answer.out if line.startswith("!!  runs ") and "not" in line]
    assert answer.code == 3


# --- dry runs ---------------------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_a_run_would_be(work: Path, command: Command) -> None:
    """Table, steps on MNIST, the verdict so far, the time; nothing is trained or written."""
    before = sorted(work.rglob("*"))

    answer = command("--batch", "easy.toml", "--dry-run", "--device", "cpu")

    text = "\n".join(answer.out)
    assert "Conv2d(4, 3, stride=2)" in text
    assert "938 steps an epoch, 1,876 in all" in text
    assert re.search(r"verdict +parameters met, epochs met; accuracy is judged after training", text)
    assert re.search(r"expected +\d+.* an epoch, .* in all on cpu with \d+ thread", text)
    assert sorted(work.rglob("*")) == before
    assert answer.code == 0


def test_a_dry_run_as_json_is_an_object_a_run(work: Path, command: Command) -> None:
    """With the layer table's keys, steps, seconds and the verdict; seeds count."""
    answer = command("--batch", "easy.toml", "plain.toml", "--seeds", "2", "--dry-run", "--json", "--device", "cpu")

    easy = answer.objects[0]
    assert [item["name"] for item in answer.objects] == ["easy", "easy", "plain", "plain"]
    assert [item["spec"]["train"]["seed"] for item in answer.objects] == [0, 1, 0, 1]
    assert (easy["steps_per_epoch"], easy["steps"], easy["parameters"]) == (938, 1_876, 1_490)
    assert easy["seconds"] >= easy["seconds_per_epoch"] > 0
    assert easy["target"] == {"parameters": True, "epochs": True}
    assert runs(work) == []


# --- training ---------------------------------------------------------------------------------------------------------


def test_a_run_is_a_line_an_epoch_and_its_folder_last(work: Path, command: Command) -> None:
    """On stdout is data of at most 80 columns; stderr says what is trained on what; the folder holds the run."""
    answer = command(*TRAIN, "small.toml")

    epochs = [line for line in answer.out if line.startswith("epoch ")]
    record = json.loads((work / answer.out[-1] / "run.json").read_text())
    history = (work / answer.out[-1] / "history.jsonl").read_text().splitlines()
    assert len(epochs) == len(history) == 2
    form = r"epoch \d/2  train \d\.\d{4} +\d+\.\d\d%  test \d\.\d{4} +\d+\.\d\d%  lr 0\.01  \d+\.\d s"
    assert all(re.fullmatch(form, line) for line in epochs)
    assert max(map(len, answer.out)) <= 80
    assert [work / answer.out[-1]] == runs(work)
    assert record["command"] == [*TRAIN, "small.toml"]
    assert answer.err[0].startswith("small, seed 0: 1,490 parameters, digits (1,437 train, 360 test), cpu, ")
    assert answer.code == 0


ROW = EpochEnded(
    epoch=1,
    train_loss=2.3026,
    train_accuracy=1.0,
    val_loss=None,
    val_accuracy=None,
    test_loss=2.3026,
    test_accuracy=1.0,
    learning_rate=0.000012345,
    seconds=12.345,
    images_per_second=9_999.9,
)


WIDE_ROWS = {
    "a validation split": replace(ROW, epoch=20, val_accuracy=1.0),
    "a hundred epochs": replace(ROW, epoch=100, val_accuracy=1.0),
    "ten thousand epochs": replace(ROW, epoch=10_000),
    "ten thousand epochs and a validation split": replace(ROW, epoch=10_000, val_accuracy=1.0),
    "an epoch of hours": replace(ROW, epoch=20, seconds=45_678.9, val_accuracy=1.0),
    "a loss that explodes": replace(ROW, epoch=20, train_loss=2.5e15, test_loss=2.5e35),
}


@pytest.mark.parametrize("row", WIDE_ROWS.values(), ids=WIDE_ROWS)
def test_an_epoch_fits_80_columns(row: EpochEnded) -> None:
    """Whatever the numbers are, the line does not break in a terminal of the usual width; what matters stays on it."""
    from mnist_tui.cli import headless

    line = headless.epoch_line(row, row.epoch)

    assert len(line) <= 80
    assert line.startswith(f"epoch {row.epoch}/{row.epoch}")
    assert line.count("100.00%") == (2 if row.val_accuracy is None else 3)


@pytest.mark.slow
def test_several_runs_end_in_a_table_and_their_folders(work: Path, command: Command) -> None:
    """Names times seeds; the table says how each ended, with the mean over the seeds; folders come last, in order."""
    answer = command(*TRAIN, "small.toml", "plain.toml", "--epochs", "1", "--seed", "7", "--seeds", "2")

    folders = [work / line for line in answer.out[-4:]]
    table = answer.out[next(index for index, line in enumerate(answer.out) if line.startswith("run ")) : -4]
    recorded = [json.loads((folder / "run.json").read_text()) for folder in folders]
    assert [(run["name"], run["seed"]) for run in recorded] == [("small", 7), ("small", 8), ("plain", 7), ("plain", 8)]
    assert [line.split()[:3] for line in table[1:5]] == [
        [name, seed, "completed"] for name in ("small", "plain") for seed in ("7", "8")
    ]
    assert [line for line in table if re.match(r"small: mean best [\d.]+% over 2 seeds, from ", line)]
    assert max(map(len, answer.out)) <= 80
    assert folders == runs(work)
    assert answer.code == 0


@pytest.mark.slow
def test_a_repeated_seed_is_one_in_the_mean(work: Path, command: Command) -> None:
    """The same recipe named twice is trained twice; it counts once a seed. Another recipe of that name is another."""
    (work / "other").mkdir()
    (work / "other" / "small.toml").write_text(SMALL.replace("Conv2d(4, 3", "Conv2d(3, 3"))

    answer = command(*TRAIN, "small.toml", "small.toml", "other/small.toml", "--epochs", "1", "--seeds", "2")

    means = [line for line in answer.out if "mean best" in line]
    assert [line.partition("% over ")[2].partition(", from")[0] for line in means] == [
        "2 seeds, 2 repeats not counted",
        "2 seeds",
    ]


def test_json_is_one_object_an_event(work: Path, command: Command) -> None:
    """Every line of stdout; a run begins with RunStarted and ends with RunEnded, epochs between."""
    answer = command(*TRAIN, "small.toml", "easy.toml", "--json")

    names = [item["event"] for item in answer.objects]
    halves = [names[: names.index("RunEnded") + 1], names[names.index("RunEnded") + 1 :]]
    for half in halves:
        assert (half[0], half[-1], half.count("EpochEnded")) == ("RunStarted", "RunEnded", 2)
        assert set(half[1:-1]) == {"Progress", "EpochEnded"}
    started = [item for item in answer.objects if item["event"] == "RunStarted"]
    ended = [item for item in answer.objects if item["event"] == "RunEnded"]
    assert [work / item["folder"] for item in started] == runs(work)
    assert [item["outcome"] for item in ended] == ["completed", "completed"]
    assert [item["target"] for item in ended] == [None, {"parameters": True, "epochs": True}]


def test_json_has_no_nan(work: Path, command: Command) -> None:
    """An evaluation that overflows after a good step: the run ends as JSON can say, and the next one is tried."""
    (work / "over.toml").write_text(
        "layers = '''\nFlatten()\nLinear(10)\n'''\n[train]\nepochs = 1\nbatch_size = 2000\n"
        'normalize = [0, 1e-17]\noptimizer = "SGD(lr=10000)"\n'
    )

    answer = command(*TRAIN, "over.toml", "small.toml", "--json")

    ended = [item for item in answer.objects if item["event"] == "RunEnded"]
    assert [item["outcome"] for item in ended] == ["diverged", "completed"]
    assert not [line for line in answer.err if "internal error" in line]
    assert answer.code == 1


def test_quiet_leaves_the_data(work: Path, command: Command) -> None:
    """With -q stderr is empty, and stdout is the same."""
    loud, quiet = command(*TRAIN, "small.toml"), command(*TRAIN, "small.toml", "-q")

    assert loud.err
    assert quiet.err == []
    assert len(quiet.out) == len(loud.out)


@pytest.mark.slow
def test_names_seeds_and_settings_at_once(work: Path, command: Command) -> None:
    """Two published networks, two seeds each, an argument of the recipe: every run has it."""
    typed = "iter1 iter4 --epochs 1 --seeds 2 --set optimizer.lr=0.005 --json"

    answer = command(*TRAIN, *typed.split())

    recorded = [json.loads((folder / "run.json").read_text()) for folder in runs(work)]
    settings = [(run["name"], run["seed"], run["spec"]["train"]["epochs"]) for run in recorded]
    assert settings == [("iter1", 0, 1), ("iter1", 1, 1), ("iter4", 0, 1), ("iter4", 1, 1)]
    assert all("lr=0.005" in run["spec"]["train"]["optimizer"] for run in recorded)
    assert [item["event"] for item in answer.objects].count("RunEnded") == 4
    assert answer.code == 0


KNOBLESS = {
    "batch": (*TRAIN, "iter1", "--set", "dropout=0.2"),
    "knobs.": (*TRAIN, "iter1", "--set", "knobs.dropout=0.2"),
    "show": ("show", "iter1", "--set", "dropout=0.2"),
    "laboratory": ("--preset", "iter1", "--plain", "--set", "dropout=0.2"),
}


@pytest.mark.parametrize("arguments", KNOBLESS.values(), ids=KNOBLESS)
def test_a_knob_that_the_preset_lacks_is_an_error(arguments: tuple[str, ...], work: Path, command: Command) -> None:
    """It trained for minutes without it; now nothing is trained, and the presets that have it are named."""
    (work / "models").mkdir()
    (work / "models" / "broken.toml").write_text("layers = ")
    answer = command(*arguments)

    assert answer.code == 2
    assert answer.err == [
        f"mnist-tui: --set {arguments[-1].partition('=')[0]}: iter1 has no knob 'dropout'; it is in "
        "era5, exp13, exp14, exp16, exp17, exp18, exp19, iter6, v2, v3"
    ]
    assert (answer.out, runs(work)) == ([], [])


def test_a_knob_that_some_of_the_presets_lack_is_an_error(work: Path, command: Command) -> None:
    """The error names the presets that lack the knob and one that has it."""
    answer = command(*TRAIN, "iter1", "small.toml", "plain.toml", "--set", "dropout=0.5")

    assert answer.code == 2
    assert answer.err[0].startswith("mnist-tui: --set dropout: iter1, plain have no knob 'dropout'; it is in small, ")
    assert runs(work) == []


@pytest.mark.parametrize(
    ("names", "required", "code"),
    [
        (["easy.toml"], True, 0),
        (["hard.toml"], True, 4),
        (["hard.toml"], False, 0),
        (["small.toml"], True, 0),
        (["mnist.toml"], True, 4),
        (["mnist.toml"], False, 0),
        (["hard.toml", "easy.toml"], True, 4),
        (["wild.toml"], False, 1),
        (["wild.toml", "easy.toml"], True, 1),
        (["hard.toml", "wild.toml", "easy.toml"], True, 1),
    ],
)
def test_the_exit_code_is_the_worst_outcome(
    names: list[str], required: bool, code: int, work: Path, command: Command
) -> None:
    """0 done, 4 a required target missed, 1 a run failed, in this order of weight; all runs are tried."""
    answer = command(*TRAIN, *names, "--epochs", "1", *["--require-target"] * required)

    assert len(runs(work)) == len(names)
    assert answer.code == code


@pytest.mark.parametrize(("name", "verdict"), [("easy", "met"), ("hard", "MISSED")])
def test_a_verdict_stands_above_the_folder(name: str, verdict: str, work: Path, command: Command) -> None:
    """The verdict on the target is printed above the run folder, and is in end.json."""
    answer = command(*TRAIN, f"{name}.toml")

    ended = json.loads((work / answer.out[-1] / "end.json").read_text())
    assert answer.out[-2].startswith(f"target {verdict}: ")
    assert all(ended["target"].values()) is (verdict == "met")


def test_a_run_that_cannot_begin_does_not_take_the_others_with_it(
    work: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for the second of three runs: the table has all three, and 1 says that one failed."""
    create = storage.RunFolder.create.__func__  # type: ignore[attr-defined]

    def full_for_plain(cls: type, runs_dir: Path, spec: RunSpec, record: dict[str, Any]) -> storage.RunFolder:
        if spec.name == "plain":
            raise StorageError("cannot write: the disk is full")
        folder: storage.RunFolder = create(cls, runs_dir, spec, record)
        return folder

    monkeypatch.setattr(storage.RunFolder, "create", classmethod(full_for_plain))
    answer = command(*TRAIN, "small.toml", "plain.toml", "easy.toml", "--epochs", "1")

    outcomes = [line.split()[2:4] for line in answer.out if line.startswith(("small ", "plain ", "easy "))]
    assert [words[0] for words in outcomes] == ["completed", "not", "completed"]
    assert any(line == "plain: cannot write: the disk is full" for line in answer.err)
    assert len(runs(work)) == 2
    assert answer.code == 1


def test_digits_are_not_judged_by_an_accuracy_on_mnist(work: Path, command: Command) -> None:
    """An accuracy on other images is neither met nor missed, however low the target."""
    answer = command(*TRAIN, "mnist.toml")

    ended = json.loads((work / answer.out[-1] / "end.json").read_text())
    assert answer.out[-2] == "target not judged: test_accuracy not judged (the target is of another data set)"
    assert ended["target"] == {"test_accuracy": None}


@pytest.mark.parametrize("extra", [[], ["-q"]], ids=["loud", "quiet"])
def test_a_run_that_diverges_says_so_in_one_line(extra: list[str], work: Path, command: Command) -> None:
    """What happened, where, and what to try; on stderr, also with -q."""
    answer = command(*TRAIN, "wild.toml", *extra)

    said = [line for line in answer.err if "diverged" in line]
    ended = json.loads(next(work.glob("runs/*/end.json")).read_text())
    assert len(said) == 1
    assert said[0].startswith("wild: diverged: ")
    assert "epoch 1" in said[0]
    assert "lower learning rate" in said[0]
    assert ended["outcome"] == "diverged"
    assert answer.code == 1


def test_an_exception_in_training_is_one_line_and_a_log(
    work: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails, the next one is tried, the traceback lies in the run's folder."""
    from mnist_tui.training import loop
    from mnist_tui.training.state import Training

    original = loop._epoch_row

    def fail(training: Training, *arguments: Any) -> Any:
        if training.spec.name == "small":
            raise ZeroDivisionError("oops\x1b")
        return original(training, *arguments)

    monkeypatch.setattr(loop, "_epoch_row", fail)

    answer = command(*TRAIN, "small.toml", "plain.toml", "--epochs", "1", "-q")

    small, plain = runs(work)
    assert len(answer.err) == 1
    assert answer.err[0].startswith("small: failed: ZeroDivisionError: oops\ufffd; the traceback is in ")
    assert "Traceback" in (small / "run.log").read_text()
    assert json.loads((small / "end.json").read_text())["outcome"] == "failed"
    assert json.loads((plain / "end.json").read_text())["outcome"] == "completed"
    assert answer.code == 1


@pytest.mark.parametrize("where", ["--runs-dir", "MNIST_TUI_RUNS_DIR"])
def test_runs_go_where_they_are_sent(where: str, work: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs directory of the option or the environment is made."""
    monkeypatch.setenv("MNIST_TUI_RUNS_DIR", "deep/from-environment")
    option = ["--runs-dir", "deep/from-option"] if where == "--runs-dir" else []

    answer = command(*TRAIN, "small.toml", "--epochs", "1", *option)

    assert answer.out[-1].startswith("deep/from-option/" if option else "deep/from-environment/")
    assert (work / answer.out[-1] / "end.json").exists()
    assert not (work / "runs").exists()


def test_resume_without_a_folder_takes_the_newest_interrupted_run(work: Path, command: Command) -> None:
    """Done runs are passed over; the same run is resumed, in its folder, to its end."""
    for name in ("small", "plain", "easy"):
        command(*TRAIN, f"{name}.toml", "--set", f"name={name}")
    small, plain, easy = runs(work)
    for number, folder in enumerate((small, plain, easy)):
        folder.rename(folder.with_name(f"2026112{number}T000000Z-x"))
    small, plain, easy = sorted(work.glob("runs/*"))
    (small / "end.json").unlink()
    (plain / "end.json").unlink()

    answer = command("resume", "--device", "cpu")

    assert answer.out[-1] == str(plain.relative_to(work))
    assert (plain / "end.json").exists()
    assert not (small / "end.json").exists()
    assert answer.code == 0


# --- streams ----------------------------------------------------------------------------------------------------------


def test_nothing_but_text_where_there_is_no_terminal(command: Command) -> None:
    """No escape code, no carriage return, no bar."""
    answer = command(*TRAIN, "small.toml")

    text = "".join([*answer.out, *answer.err])
    assert not set(text) & set("\x1b\r")
    assert "ETA" not in text


def _on_a_terminal(monkeypatch: pytest.MonkeyPatch, run: Callable[[], Answer]) -> tuple[Answer, str]:
    """A command's answer, and what it wrote to its stderr, a real terminal."""
    master, slave = os.openpty()
    written: list[bytes] = []

    def read() -> None:
        while True:
            try:
                if not (piece := os.read(master, 65_536)):
                    return
            except OSError:  # Linux says so when the last writer has closed.
                return
            written.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    with open(slave, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        answer = run()
    reader.join(10)
    os.close(master)
    return answer, b"".join(written).decode()


@pytest.mark.parametrize("extra", [[], ["--json"]], ids=["text", "json"])
def test_a_terminal_gets_a_progress_bar(extra: list[str], command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the ETA, on stderr alone; it is wiped before other text and leaves no colour, whatever NO_COLOR says."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")

    answer, shown = _on_a_terminal(monkeypatch, lambda: command(*TRAIN, "small.toml", *extra))

    assert re.search(r"\r\x1b\[2Ksmall epoch 2/2 \[#+-*\] +\d+%  loss \d.* img/s  ETA \d+ s", shown)
    assert set(re.findall(r"\x1b\[?[\d;]*[a-zA-Z]", shown)) == {"\x1b[2K"}
    assert not set("".join(answer.out)) & set("\x1b\r")
    assert "ETA" not in "".join(answer.out)
    assert shown.endswith("\x1b[2K")


@pytest.mark.parametrize(("term", "extra"), [("dumb", []), ("xterm", ["-q"])])
def test_some_terminals_get_no_bar(
    term: str, extra: list[str], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot wipe a line, and one whose user wants quiet."""
    monkeypatch.setenv("TERM", term)

    answer, shown = _on_a_terminal(monkeypatch, lambda: command(*TRAIN, "small.toml", *extra))

    assert "ETA" not in shown
    assert "\x1b" not in shown
    assert answer.code == 0


@pytest.mark.slow
def test_a_real_process_from_start_to_end(work: Path) -> None:
    """Nothing patched: stdout, stderr and exit code of `python -m mnist_tui` in another folder than the project's."""
    arguments = [*TRAIN, "small.toml", "--seeds", "2", "--require-target", "--set", "target.test_accuracy=1.0"]

    done = subprocess.run(
        [sys.executable, "-m", "mnist_tui", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    lines = done.stdout.splitlines()
    assert [work / line for line in lines[-2:]] == runs(work)
    assert len([line for line in lines if line.startswith("epoch ")]) == 4
    assert not set(done.stdout + done.stderr) & set("\x1b\r")
    assert "Traceback" not in done.stderr
    assert done.returncode == 4


def test_a_reader_that_leaves_is_no_error(work: Path) -> None:
    """`mnist-tui --list | head -1`: no traceback and no complaint of Python's."""
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        [sys.executable, "-m", "mnist_tui", "--list"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write)

    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [("--list",), ("--help",), ("config", "path")])
def test_output_that_cannot_be_written(arguments: tuple[str, ...], unbuffered: str, work: Path) -> None:
    """`mnist-tui --list > FILE` on a full disk: one line that says so, exit code 3; it is no error of the program."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mnist_tui", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.stderr == "mnist-tui: cannot write the output: No space left on device\n"
    assert done.returncode == 3


def test_every_preset_can_be_shown(command: Command) -> None:
    """In each of the three forms."""
    answers = {
        name: [command("show", name, *form) for form in ([], ["--json"], ["--torchsummary"])]
        for name in presets.builtin_names()
    }

    bad = [name for name, forms in answers.items() if any(form.code or form.err or not form.out for form in forms)]
    assert bad == []


def test_settings_go_through_the_same_checks_as_files(command: Command) -> None:
    """`--set` on a preset gives the spec that a file with that value gives."""
    (shown,) = command("show", "iter5", "--json", "--set", "optimizer.lr=0.01", "--set", "epochs=3").objects

    spec = RunSpec.model_validate(shown["spec"])
    assert (str(spec.train.optimizer), spec.train.epochs) == ("Adam(lr=0.01)", 3)
