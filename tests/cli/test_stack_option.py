"""`--batch NAME --seeds N --stack`: what is trained as one network, what is refused, and what stays as it was."""

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from helpers.command import Command

from mnist_tui.cli import batch
from mnist_tui.runs.control import Control
from mnist_tui.training import environment, session

LAYERS = "Conv2d(4, 3, stride=2)\nReLU()\nMaxPool2d(4)\nFlatten()\n{last}Linear(10)\n"
TRAIN = ("--dataset", "digits", "--device", "cpu", "--epochs", "1", "-q", "--batch")


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two presets: one that is stacked, and one that is not."""
    monkeypatch.chdir(tmp_path)
    for name, last in {"fits": "", "random": "AlphaDropout(0.1)\n"}.items():
        Path(f"{name}.toml").write_text(f'layers = """\n{LAYERS.format(last=last)}"""\n[train]\nbatch_size = 256\n')
    return tmp_path


def records(work: Path) -> list[dict[str, Any]]:
    """The run.json of every run, in the order in which they began, by seed within a stack."""
    paths = sorted(work.glob("runs/*/run.json"))
    return sorted((json.loads(path.read_text()) for path in paths), key=lambda record: (record["name"], record["seed"]))


def test_seeds_are_trained_as_one_network(work: Path, command: Command) -> None:
    """A folder for each seed, a table at the end, lines that say which seed they are about."""
    code, out, err = command(*TRAIN, "fits.toml", "--seeds", "3", "--stack")

    assert code == 0
    assert err == ""
    assert [(record["seed"], record["stacked"]) for record in records(work)] == [(0, 3), (1, 3), (2, 3)]
    assert [line.split("  ")[0] for line in out.splitlines()[:3]] == ["fits s0", "fits s1", "fits s2"]
    assert "over 3 seeds" in out


def test_seeds_that_cannot_be_are_trained_one_by_one(work: Path, command: Command) -> None:
    """It says why, and the other recipe of the command is stacked."""
    code, _, err = command(
        *[word for word in TRAIN if word != "-q"], "random.toml", "fits.toml", "--seeds", "2", "--stack"
    )

    assert code == 0
    assert "random: its seeds are trained one by one: AlphaDropout draws its numbers from a generator" in err
    assert [record.get("stacked") for record in records(work)] == [2, 2, None, None]


def test_a_run_of_a_stack_is_resumed(work: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends all seeds, which is seen in the exit code; then `mnist-tui resume` completes one."""
    monkeypatch.setattr(Control, "should_stop", property(lambda self: True))
    code, _, err = command(*TRAIN, "fits.toml", "--seeds", "2", "--stack")
    monkeypatch.undo()
    monkeypatch.chdir(work)

    assert code == 1
    assert err.count("resume it with: mnist-tui resume ") == 2
    folder = sorted(work.glob("runs/*"))[0]
    assert command("resume", str(folder))[0] == 0
    assert json.loads((folder / "end.json").read_text())["outcome"] == "completed"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--batch", "fits.toml", "--stack"], "--stack goes with --seeds N"),
        (["--batch", "fits.toml", "--stack", "--seeds", "2", "--jobs", "2"], "--jobs is not allowed with --stack"),
        (["--stack"], "--stack goes with --batch NAME"),
        (["--no-stack"], "--no-stack goes with --batch NAME"),
        (["--batch", "fits.toml", "--stack", "--seeds", "x"], "--seeds"),
        (["--batch", "fits.toml", "--stack", "--seeds", "2", "--device", "cuda:99"], "cuda:99"),
    ],
)
def test_refusals(arguments: list[str], words: str, work: Path, command: Command) -> None:
    """In one line, with nothing begun."""
    code, _, err = command(*arguments)

    assert code == 2 or "cuda" in words
    assert code != 0
    assert len(err.splitlines()) == 1
    assert words in err
    assert not (work / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "device", "is_stacked"),
    [
        (["--seeds", "2"], "cuda", True),
        (["--seeds", "2"], "cpu", False),
        (["--seeds", "2"], "mps", False),
        (["--seeds", "2", "--no-stack"], "cuda", False),
        (["--seeds", "2", "--jobs", "1"], "cuda", False),
        ([], "cuda", False),
        (["--seeds", "2", "--stack"], "cpu", True),
    ],
)
def test_the_default_depends_on_the_device(
    arguments: list[str], device: str, is_stacked: bool, command: Command
) -> None:
    """On a CUDA GPU the seeds of `--seeds` are stacked, unless `--no-stack` or `--jobs` says otherwise."""
    with (
        mock.patch.object(environment, "resolve_device", return_value=torch.device(device)),
        mock.patch.object(batch, "_batch_in_stacks", return_value=0) as in_stacks,
        mock.patch.object(batch, "_batch_in_processes", return_value=0),
        mock.patch.object(session, "run", return_value=iter(())),
    ):
        command("--dataset", "digits", "--batch", "fits.toml", *arguments)

    assert in_stacks.called is is_stacked
