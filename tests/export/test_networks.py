"""Networks for other programs: what ONNX Runtime and torch.export compute from the files, and what the files say."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.exports import RICH, unsaved_run
from safetensors import safe_open
from safetensors.torch import load
from torch import Tensor, nn

from mnist_tui.errors import CheckpointError, RunError
from mnist_tui.export.weights import safetensors_file
from mnist_tui.runs.record import Run
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.training import build
from mnist_tui.training.batches import normalise
from mnist_tui.training.data import Dataset
from mnist_tui.training.predict import load_network


@pytest.fixture(scope="module")
def images(digits: Dataset) -> Tensor:
    """1,000 digits, normalised as in training."""
    assert digits.train.pixels[:1000].shape == (1000, 1, 28, 28)
    return normalise(digits.train.pixels[:1000], *RICH.train.normalize).contiguous()


@pytest.fixture(scope="module")
def logits(rich_run: Run, images: Tensor) -> Tensor:
    """What the run's network computes from them."""
    with torch.no_grad():
        computed: Tensor = load_network(rich_run.folder)(images)
    return computed


# --- ONNX ---


@pytest.fixture(scope="module")
def model(rich_run: Run) -> bytes:
    """The content of the ONNX file."""
    return onnx_file(rich_run)


def onnx_file(run: Run) -> bytes:
    """The ONNX file of a run; torch.export takes a second to load, in every process that collects this file."""
    from mnist_tui.export import onnx_model

    return onnx_model.onnx_file(run)


@pytest.mark.slow
def test_onnxruntime_computes_the_logits_of_1000_digits(model: bytes, images: Tensor, logits: Tensor) -> None:
    """From one file, in batches of any size, to rounding; and so the same classes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    parts = [session.run(["logits"], {"images": part.numpy()})[0] for part in images.split([1, 7, 992])]
    computed = torch.cat([torch.from_numpy(part) for part in parts])

    torch.testing.assert_close(computed, logits, rtol=1e-4, atol=1e-4)
    assert torch.equal(computed.argmax(1), logits.argmax(1))
    assert len(computed.argmax(1).unique()) == 10


@pytest.mark.slow
def test_what_an_onnx_file_says(model: bytes, rich_run: Run) -> None:
    """How images are normalised, which run it is of, the spec; all weights are in it, and no folder of this machine."""
    import onnx

    loaded = onnx.load_from_string(model)
    onnx.checker.check_model(loaded)
    said = {each.key: each.value for each in loaded.metadata_props}

    assert said["run"] == rich_run.id
    assert json.loads(said["normalize"]) == [0.1307, 0.3081]
    assert said["input"] == "float32 (N, 1, 28, 28), white digits on black: (pixel / 255 - 0.1307) / 0.3081"
    assert make_spec(json.loads(said["spec"])) == RICH
    assert [each.data_location for each in loaded.graph.initializer] == [0] * len(loaded.graph.initializer)
    assert not [path for path in (b"site-packages", str(Path(torch.__file__).parent).encode()) if path in model]


@pytest.mark.slow
def test_an_export_to_onnx_prints_nothing(rich_run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither torch nor onnxruntime, which would wreck a screen."""
    onnx_file(rich_run)

    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("AvgPool2d(3, divisor_override=4)", "as ONNX this network computes other outputs, by up to"),
        ("RReLU()", "torch cannot write this network as ONNX: No ONNX function found for"),
        ("ConvTranspose2d(2, 3, dilation=2, output_padding=1)", "onnxruntime cannot run this network:"),
    ],
)
def test_what_onnx_cannot_do(
    layer: str, message: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Layers that it lacks, or computes in another way, are one line, and no file that is wrong."""
    run = use_untrained(monkeypatch, f"Conv2d(2, 3)\n{layer}\nFlatten()\nLinear(10)")
    with pytest.raises(RunError) as refused:
        onnx_file(run)

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


def use_untrained(monkeypatch: pytest.MonkeyPatch, layers: str) -> Run:
    """A run that is nowhere on the disk, whose network is a new one."""
    spec = make_spec({"layers": layers})
    torch.manual_seed(0)
    network: nn.Module = build.network(spec).eval()
    monkeypatch.setattr("mnist_tui.export.onnx_model.load_network", lambda folder: network)
    return unsaved_run(spec)


# --- torch.export and safetensors ---


@pytest.mark.slow
def test_a_program_of_torch_export(rich_run: Run, images: Tensor, logits: Tensor) -> None:
    """It computes the logits, for batches of any size, and has the metadata; no folder of this machine is in it."""
    from mnist_tui.export.torch_program import program_file

    content = program_file(rich_run)
    extra = {"normalize": "", "spec": "", "run": ""}
    program = torch.export.load(io.BytesIO(content), extra_files=extra)
    with torch.no_grad():
        computed = torch.cat([program.module()(part) for part in images.split([1, 7, 992])])

    torch.testing.assert_close(computed, logits, rtol=1e-4, atol=1e-4)
    assert (json.loads(extra["normalize"]), extra["run"]) == ([0.1307, 0.3081], rich_run.id)
    assert make_spec(json.loads(extra["spec"])) == RICH
    assert b"site-packages" not in content


@pytest.mark.slow
def test_safetensors(rich_run: Run, tmp_path: Path) -> None:
    """All weights and buffers under their names in the network, and the spec as metadata."""
    path = tmp_path / "weights.safetensors"
    path.write_bytes(safetensors_file(rich_run))
    expected = load_network(rich_run.folder).state_dict()
    weights = load(path.read_bytes())
    with safe_open(path, "pt") as file:
        said: dict[str, Any] = file.metadata()

    assert set(weights) == set(expected)
    assert all(torch.equal(weights[name], value) for name, value in expected.items())
    assert make_spec(json.loads(said["spec"])) == RICH
    assert (said["format"], said["epoch"]) == ("pt", str(rich_run.best_epoch))
    network = build.network(RICH)
    network.load_state_dict(weights)


def test_weights_that_are_gone(rich_run: Run, tmp_path: Path) -> None:
    """The error names the folder."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in ("run.json", "history.jsonl", "end.json"):
        (folder / file).write_bytes((rich_run.folder / file).read_bytes())

    with pytest.raises(CheckpointError, match="copy: no weights are kept of epoch"):
        safetensors_file(replace(rich_run, folder=folder))
