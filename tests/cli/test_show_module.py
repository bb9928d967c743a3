"""`mnist-tui show FILE.py:CLASS`: a user's file in a process of its own."""

import json
import subprocess
from pathlib import Path

import pytest
from helpers.command import Command

from mnist_tui.cli import own_module
from mnist_tui.spec import presets

MODEL = """
from torch import nn
import torch.nn.functional as F
print("hello from the file")

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.fc = nn.Linear(width * 169, 10)
        self.never = nn.Linear(2, 2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn(self.conv(x))), 2)
        return F.log_softmax(self.fc(x.view(x.size(0), -1)), dim=1)

class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Conv2d(3, 7, 1)
    def forward(self, x):
        return self.fc(x).mean(dim=(2, 3))
"""


@pytest.fixture(autouse=True)
def _model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)


@pytest.mark.slow
def test_the_table_and_the_preset(command: Command) -> None:
    """On stdout; that the file is run is said on stderr. The preset loads with the same layers and numbers."""
    code, out, err = command("show", "model.py:Net")

    assert code == 0
    assert err == "mnist-tui: model.py is run to make Net, in a process of its own\n"
    assert "conv      Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1), bias=False)" in out
    assert "parameters  13,624 (trainable 13,624, non-trainable 0)" in out
    assert "never called: never (6 parameters)" in out

    Path("own.toml").write_text(out.partition("alone):\n\n")[2])
    spec = presets.load_file(Path("own.toml"))
    assert (spec.parameters, str(spec.train.loss)) == (13_618, "NLLLoss()")
    assert [str(call) for call in spec.calls] == [
        *["Conv2d(8, 3, bias=False)", "BatchNorm2d()", "ReLU()", "MaxPool2d(2)", "Flatten()", "Linear(10)"],
        "LogSoftmax(1)",
    ]


@pytest.mark.slow
def test_other_images_are_no_preset(command: Command) -> None:
    """The table is printed for any input; a preset takes MNIST's."""
    code, out, _ = command("show", "model.py:Wide", "--input", "3x5x6", "--json")
    found = json.loads(out)

    assert code == 0
    assert found["rows"][0]["output_shape"] == [7, 5, 6]
    assert (found["preset"], found["no_preset"]) == (None, "a preset takes 1x28x28, not 3x5x6")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import os\nos._exit(7)\n", "model.py: the process that ran it ended with code 7"),
        ("print('{}')\ninput('name? ')\n", "model.py, line 2: EOFError: EOF when reading a line"),
    ],
)
def test_a_file_that_fails_is_one_line(command: Command, text: str, why: str) -> None:
    """Whatever it does to its process."""
    Path("model.py").write_text(text)
    code, out, err = command("show", "model.py:Net")

    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"mnist-tui: {why}"
    assert "Traceback" not in err


def test_a_file_that_trains_is_stopped(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, with what to do."""

    def run(command: list[str], **options: object) -> None:
        raise subprocess.TimeoutExpired(command, own_module.SECONDS)

    monkeypatch.setattr(subprocess, "run", run)
    code, _, err = command("show", "model.py:Net")

    assert code == 2
    assert "model.py: did not end in 120 s; does it train when it is imported?" in err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["model.py"], "model.py: name the class as well, such as model.py:Wide"),
        (["model.py:"], "model.py: name the class as well, such as model.py:Wide"),
        (["model.py:a b"], "model.py: name the class as well, such as model.py:Wide"),
        (["missing.py:Net"], "missing.py: there is no such file"),
        (["model.py:Net", "--input", "28x28"], "--input 28x28: must be channels, height and width, such as 1x28x28"),
        (["model.py:Net", "--input", "1x28x99999"], "--input 1x28x99999: must be channels"),
        (["model.py:Net", "--set", "a=1"], "model.py:Net: --torchsummary, --set and --models are for presets"),
        (["iter5", "--input", "1x28x28"], "--input is for FILE.py:CLASS; a preset takes 1x28x28"),
        (["iter5", "--toml", "--json"], "--toml is not allowed with --json"),
    ],
)
def test_bad_input_runs_nothing(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str], why: str
) -> None:
    """One line, before any process is started."""
    monkeypatch.setattr(subprocess, "run", pytest.fail)
    code, out, err = command("show", *arguments)

    assert (code, out) == (2, "")
    assert err.startswith(f"mnist-tui: {why}")
    assert len(err.splitlines()) == 1


def test_a_preset_as_toml(command: Command) -> None:
    """The text of its file, which loads again."""
    _, out, _ = command("show", "iter5", "--toml")
    Path("copy.toml").write_text(out)

    assert presets.load_file(Path("copy.toml")).layers == presets.load("iter5").layers


def test_no_other_command_runs_a_file(command: Command) -> None:
    """Only `show`, since only there it is asked for."""
    for arguments in (["--batch", "model.py:Net"], ["lr-find", "model.py:Net"], ["--preset", "model.py:Net"]):
        code, _, err = command(*arguments)

        assert code == 2
        assert "hello" not in err


def test_without_a_chain_there_is_no_preset(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --toml that is an error, so that no empty file is written by `>`; else a line below the table."""
    answer = {"rows": [], "output_shape": [10], "parameters": 3, "trainable": 3, "uncalled": {}, "remarks": []}
    broken = {**answer, "layers": None, "no_chain": "line 7: a second branch joins in add"}
    done = subprocess.CompletedProcess([], 0, stdout=json.dumps(broken).encode())
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: done)

    code, out, _ = command("show", "model.py:Net")
    assert code == 0
    assert out.splitlines()[-1] == "no preset: line 7: a second branch joins in add"
    code, out, err = command("show", "model.py:Net", "--toml")
    assert (code, out) == (2, "")
    assert err.endswith("model.py:Net is no preset: line 7: a second branch joins in add\n")


@pytest.mark.parametrize(
    ("layers", "parameters", "why"),
    [
        (["Flatten()", "Linear(7)"], 5_495, "the network ends in [7]"),
        (["Flatten()", "Linear(10)"], 1, "as a preset it would have 7,850 parameters instead of 1"),
    ],
)
def test_a_chain_that_is_no_preset(
    command: Command, monkeypatch: pytest.MonkeyPatch, layers: list[str], parameters: int, why: str
) -> None:
    """Other numbers of classes or of parameters: what would be printed is checked before it is."""
    answer = {"rows": [], "output_shape": [7], "uncalled": {}, "remarks": [], "layers": layers, "no_chain": ""}
    sums = {"parameters": parameters, "trainable": parameters}
    done = subprocess.CompletedProcess([], 0, stdout=json.dumps(answer | sums).encode())
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: done)
    _, out, _ = command("show", "model.py:Net")

    assert out.splitlines()[-1].startswith(f"no preset: {why}")
