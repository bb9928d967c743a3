"""A checkpoint comes back as it was written, or is refused; it never runs code."""

import ast
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.reliability import ROOT, advanced, new_training, small_spec
from safetensors.torch import save

from mnist_tui.errors import CheckpointError
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.training import checkpoint
from mnist_tui.training.state import Training

FORBIDDEN = {
    "pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml",  # modules
    "eval", "exec", "compile", "__import__",  # built-in functions
    "torch.load", "torch.save", "torch.jit.load", "os.system", "os.popen", "numpy.load", "np.load",
}  # fmt: skip


@pytest.fixture(scope="module")
def content() -> bytes:
    """A checkpoint from the middle of the second epoch."""
    return checkpoint.dump(advanced(new_training(small_spec()), 7))


def packed(tensors: dict[str, torch.Tensor], text: str) -> bytes:
    """A checkpoint with a right SHA-256, whatever its state says."""
    return save(tensors, metadata={"state": text, "sha256": checkpoint._digest(text, tensors)})


def identical(content: bytes, other: bytes) -> bool:
    """Whether two checkpoints hold the same."""
    (tensors, state), (others, other_state) = checkpoint.read(content), checkpoint.read(other)
    same = tensors.keys() == others.keys() and all(torch.equal(tensors[name], others[name]) for name in tensors)
    return same and state == other_state


def undetected(content: bytes, damaged: list[bytes]) -> list[int]:
    """The indexes of damaged checkpoints that are read, but as something else."""
    flips = []
    for index, other in enumerate(damaged):
        try:
            if not identical(content, other):
                flips.append(index)
        except CheckpointError:
            continue
    return flips


def flips(content: bytes, first: int) -> list[bytes]:
    """A bit flipped in each of the file's first bytes, and at several hundred places from `first` on."""
    choose = random.Random(0)
    places = [*range(min(first, 64)), *sorted(choose.sample(range(first, len(content)), 700))]
    return [
        content[:place] + bytes([content[place] ^ 1 << choose.randrange(8)]) + content[place + 1 :] for place in places
    ]


def test_a_restored_training_is_dumped_as_it_was(content: bytes) -> None:
    """What a checkpoint holds goes into a fresh training and out again without a change."""
    training = new_training(small_spec())
    checkpoint.restore(training, content)

    assert identical(checkpoint.dump(training), content)


def test_every_flipped_bit_is_detected(content: bytes) -> None:
    """A damaged checkpoint is refused with one kind of error, or holds exactly what it held."""
    damaged = flips(content, first=64)

    assert len(damaged) > 700
    assert undetected(content, damaged) == []


def test_without_the_digest_flipped_bits_go_unnoticed(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: safetensors alone has no checksum, so damage would be loaded as weights."""
    header = 8 + int.from_bytes(content[:8], "little")
    digest = json.loads(content[8:header])["__metadata__"]["sha256"]
    monkeypatch.setattr(checkpoint, "_digest", lambda text, tensors: digest)

    assert len(undetected(content, flips(content, first=header)[64:])) > 600


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100, 1000, -1000, -8, -1])
def test_a_cut_off_checkpoint_is_refused(content: bytes, size: int) -> None:
    """A truncated checkpoint is refused."""
    with pytest.raises(CheckpointError):
        checkpoint.read(content[:size])


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"rows": 3},
        {"rows": [{"epoch": 1}]},
        {"rows": [3]},
        {"optimizer": []},
        {"groups": []},
        {"groups": [3]},
        {"scheduler": None},
        {"scheduler": 3},
    ],
    ids=str,
)
def test_a_whole_checkpoint_with_a_wrong_state_is_refused(content: bytes, change: dict[str, Any]) -> None:
    """Right digests do not help a state that is none of ours: there is one error for all of it."""
    tensors, state = checkpoint.read(content)
    other = packed(tensors, json.dumps(state | change))
    training = new_training(small_spec())
    before = checkpoint.dump(training)

    with pytest.raises(CheckpointError):
        checkpoint.restore(training, other)
    assert identical(checkpoint.dump(training), before)


@pytest.mark.parametrize("text", ["[]", "3", "null", "", "{", "[" * 100_000], ids=lambda text: text[:3])
def test_a_state_that_is_no_object_is_refused(content: bytes, text: str) -> None:
    """A state that is not a JSON object is refused."""
    tensors, _ = checkpoint.read(content)

    with pytest.raises(CheckpointError):
        checkpoint.read(packed(tensors, text))


@pytest.mark.parametrize("missing", ["random.cpu", "random.epoch_start", "losses", "hits", "model.0.weight"])
def test_a_checkpoint_that_lacks_a_piece_is_refused(content: bytes, missing: str) -> None:
    """A checkpoint that lacks a key is refused, since the resume would not be exact; the training is as it was."""
    tensors, state = checkpoint.read(content)
    other = packed({name: value for name, value in tensors.items() if name != missing}, json.dumps(state))
    training = new_training(small_spec())
    before = checkpoint.dump(training)

    with pytest.raises(CheckpointError, match=r"^does not fit this run: .{1,200}$") as raised:
        checkpoint.restore(training, other)
    assert "\n" not in str(raised.value)
    assert identical(checkpoint.dump(training), before)


@pytest.mark.parametrize("missing", ["epoch", "steps_done"])
def test_a_state_without_an_epoch_is_refused_by_whatever_reads_it(content: bytes, missing: str) -> None:
    """Predictions and exports look for the checkpoint of an epoch, and restore no training."""
    tensors, state = checkpoint.read(content)
    del state[missing]

    with pytest.raises(CheckpointError, match="is no checkpoint: its state tells no epoch and step"):
        checkpoint.read(packed(tensors, json.dumps(state)))


@pytest.mark.parametrize("layers", ["Flatten()\nLinear(10)", "Conv2d(4, 3, stride=2)\nFlatten()\nLinear(10)"])
def test_a_checkpoint_of_another_network_is_refused(content: bytes, layers: str) -> None:
    """Weights go only into the network that they were trained in."""
    other = new_training(make_spec({"layers": layers, "train": small_spec().model_dump(mode="json")["train"]}))

    with pytest.raises(CheckpointError, match="does not fit this run"):
        checkpoint.restore(other, content)


@pytest.mark.parametrize("recipe", [{"optimizer": "SGD(lr=0.01, momentum=0.9)"}, {"scheduler": None}])
def test_a_checkpoint_of_another_recipe_is_refused(content: bytes, recipe: dict[str, Any]) -> None:
    """A run.json edited by hand must not be resumed with half of the old recipe and half of the new one."""
    with pytest.raises(CheckpointError):
        checkpoint.restore(new_training(small_spec(**recipe)), content)


MOMENTS = {
    "Adam(lr=0.01)": {"step", "exp_avg", "exp_avg_sq"},
    "AdamW(lr=0.01, amsgrad=True)": {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
    "SGD(lr=0.01, momentum=0.9)": {"momentum_buffer"},
    "Adafactor()": {"step", "row_var", "col_var"},
}


def moments(training: Training) -> list[torch.Tensor]:
    """What the optimizer keeps from step to step, in the order of its weights and of the names."""
    states = [training.optimizer.state[weight] for weight in training.optimizer.param_groups[0]["params"]]
    return [values[name] for values in states for name in sorted(values)]


@pytest.mark.parametrize("optimizer", MOMENTS)
def test_moments_come_back_to_where_they_were(optimizer: str) -> None:
    """The file holds them weight by weight; the optimizer may have all in one vector, and walks through memory."""
    spec = small_spec(optimizer=optimizer, scheduler=None)
    before = advanced(new_training(spec), 3)
    stored = checkpoint.dump(before)
    training = new_training(spec)
    checkpoint.restore(training, stored)
    of_first = {name: value for name, value in checkpoint.read(stored)[0].items() if name.startswith("optimizer.0.")}

    assert len(moments(training)) >= len(MOMENTS[optimizer])
    assert all(torch.equal(a, b) for a, b in zip(moments(before), moments(training), strict=True))
    assert {name.removeprefix("optimizer.0.") for name in of_first} == MOMENTS[optimizer]
    if optimizer != "Adafactor()":
        assert training.model[0].weight.shape in {value.shape for value in of_first.values()}


def test_moments_in_the_order_of_the_file_are_not_where_they_were() -> None:
    """Negative control: put one after the other as the file holds them, they would be taken for other weights'."""
    training = advanced(new_training(small_spec(optimizer="Adam(lr=0.01)", scheduler=None)), 3)
    tensors = checkpoint.read(checkpoint.dump(training))[0]
    weights = len(list(training.model.parameters()))
    joined = torch.cat([tensors[f"optimizer.{index}.exp_avg"].flatten() for index in range(weights)])

    assert not torch.equal(joined, training.optimizer.state[training.vector]["exp_avg"])


def forbidden_in(source: str) -> list[str]:
    """What of a module's source could run code from a file, or hand text to a shell."""
    uses = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call):
            names = [ast.unparse(node.func)]
            names += ["shell=True"] if any(key.arg == "shell" for key in node.keywords) else []
        uses += [name for name in names if name in FORBIDDEN | {"shell=True"} or name.split(".")[0] in FORBIDDEN]
    return uses


MODULES = sorted((ROOT / "mnist_tui").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_runs_what_it_reads(path: Path) -> None:
    """No pickle is read, nothing evaluated, no shell; numpy's archives only with pickles refused.

    One is written: the weights beside an exported script, which it reads with `weights_only=True`.
    """
    source = path.read_text()
    safe = source.replace("np.load(io.BytesIO(content), allow_pickle=False)", "archive")
    safe = safe.replace("torch.save(weights, buffer)", "state_dict") if path.parent.name == "export" else safe
    assert forbidden_in(safe) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import torch\ntorch.load('x')",
        "from torch import load",
        "eval('1')",
        "import subprocess\nsubprocess.run('x', shell=True)",
        "import os\nos.system('x')",
        "import yaml",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
    ],
)
def test_what_runs_code_would_be_found(source: str) -> None:
    """Negative control: the search sees each of these."""
    assert forbidden_in(source)
