"""The fused and the plain network (`Options.fuse`) train alike, and a run continues as it was begun."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.reliability import few_images, only_folder, options, patched_session, small_spec
from torch import Tensor, nn
from torch.nn import functional

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.storage import load_run
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import batch_norm, loop, session
from mnist_tui.training import resume as resuming
from mnist_tui.training.batch_norm import RowBatchNorm2d
from mnist_tui.training.data import Dataset
from mnist_tui.training.fusion import ConvBatchNorm, FlatLinear
from mnist_tui.training.state import Splits, Training

pytestmark = pytest.mark.slow  # trains presets on the fused and on the plain network

STEPS = 100
EPOCHS = 5

PRESETS = ["iter5", "iter6", "iter7"]
"""All have convolutions, batch norm, pooling and a linear end; iter6 and iter7 have dropout as well."""

TOLERANCES = {"SGD(lr=0.01)": 3e-4, "Adam(lr=0.002)": 0.1}
"""The largest difference of two losses, by optimizer.

Measured: 0.00006 with SGD. Adam divides each gradient by its size, rounding errors included: 0.02 after 100 steps.
"""


def losses(name: str, optimizer: str, digits: Dataset, fuse: bool) -> Tensor:
    """The losses of 100 training steps on digits, and after them the test losses of the five epochs."""
    spec = presets.load(name).with_settings({"epochs": str(EPOCHS), "batch_size": "32", "optimizer": optimizer})
    train_images = digits.train.take(torch.arange(STEPS // EPOCHS * 32))
    training = Training(spec, Splits(train_images, None, digits.test), fuse)
    of_steps, of_tests = [], []
    for event in loop.train(training, Control()):
        if isinstance(event, EpochEnded):
            of_steps += training.step.losses.tolist()
            of_tests.append(event.test_loss)
    training.batches.close()
    assert len(of_steps) == STEPS
    return torch.tensor(of_steps + of_tests)


def difference(name: str, optimizer: str, digits: Dataset) -> float:
    """The largest difference between a loss of the fused and of the plain network."""
    fused, plain = (losses(name, optimizer, digits, fuse) for fuse in (True, False))
    return (fused - plain).abs().max().item()


@pytest.mark.parametrize("optimizer", TOLERANCES)
@pytest.mark.parametrize("name", PRESETS)
def test_both_paths_have_the_same_losses(name: str, optimizer: str, digits: Dataset) -> None:
    """From one seed, with augmentation and dropout, a hundred steps of both paths agree within the tolerance."""
    assert difference(name, optimizer, digits) < TOLERANCES[optimizer]


def no_mean_gradient(patch: pytest.MonkeyPatch) -> None:
    """A norm whose backward pass treats mean and variance as constants."""

    def backward(ctx: Any, gradient: Tensor, *rest: Tensor) -> tuple[Any, ...]:
        images, _, indices, _, inverse, weight = ctx.saved_tensors
        _, *others = original(ctx, gradient, *rest)
        scaled = gradient * (weight * inverse)[:, None, None]
        return scaled if ctx.pool is None else batch_norm._unpool(scaled, images, indices, ctx.pool), *others

    original = batch_norm._NormaliseRows.backward
    patch.setattr(batch_norm._NormaliseRows, "backward", staticmethod(backward))


def contiguous_weights(patch: pytest.MonkeyPatch) -> None:
    """A linear layer on channels_last pixels whose weights are not reordered."""

    def forward(self: FlatLinear, images: Tensor) -> Tensor:
        return functional.linear(images.permute(0, 2, 3, 1).flatten(1), self.linear.weight, self.linear.bias)

    patch.setattr(FlatLinear, "forward", forward)


def unfolded_bias(patch: pytest.MonkeyPatch) -> None:
    """A convolution and norm whose evaluation leaves out the convolution's bias."""

    def fold(self: ConvBatchNorm, images: Tensor) -> Tensor:
        bias, self.convolution.bias = self.convolution.bias, None
        try:
            return original(self, images)
        finally:
            self.convolution.bias = bias

    original = ConvBatchNorm._fold
    patch.setattr(ConvBatchNorm, "_fold", fold)


def large_eps(patch: pytest.MonkeyPatch) -> None:
    """A norm on rows that adds 0.001 to the variance, where the layer says 0.00001."""
    share = RowBatchNorm2d.share

    def share_with_eps(norm: nn.BatchNorm2d) -> RowBatchNorm2d:
        shared = share(norm)
        shared.eps = 1e-3
        return shared

    patch.setattr(RowBatchNorm2d, "share", share_with_eps)


@pytest.mark.parametrize(
    ("name", "break_layer"),
    [
        ("iter5", no_mean_gradient),
        ("iter5", contiguous_weights),
        ("iter5", unfolded_bias),
        ("iter6", unfolded_bias),
        ("iter6", large_eps),
    ],
)
def test_a_wrong_fused_layer_is_noticed(
    name: str, break_layer: Callable[[pytest.MonkeyPatch], None], digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: with one fused layer computed wrongly the losses differ by more than the tolerance."""
    break_layer(monkeypatch)

    assert difference(name, "SGD(lr=0.01)", digits) > TOLERANCES["SGD(lr=0.01)"]


def test_without_fusion_every_module_is_pytorchs_own() -> None:
    """The plain path runs the network itself, and its optimizer updates the network's parameters."""
    images = few_images()
    training = Training(small_spec(), Splits(images.train, None, images.test), fuse=False)
    parameters = training.optimizer.param_groups[0]["params"]

    assert training.forward_model is training.model
    assert {type(module).__module__.split(".")[0] for module in training.forward_model.modules()} == {"torch"}
    assert [id(one) for one in parameters] == [id(one) for one in training.model.parameters()]


@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("continues", ["resume", "extend"])
def test_a_run_continues_as_it_was_begun(
    continues: str, fuse: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """run.json says whether layers are fused; resume and extend follow it, whatever their options say."""
    made: list[bool] = []
    make = session.make_training

    def make_and_note(spec: RunSpec, dataset: Dataset, device: torch.device, fuse: bool) -> Training:
        made.append(fuse)
        return make(spec, dataset, device, fuse)

    monkeypatch.setattr(resuming, "make_training", make_and_note)
    begun, continued = (dataclasses.replace(options(tmp_path / "runs"), fuse=value) for value in (fuse, not fuse))
    spec, control = small_spec(scheduler="StepLR(step_size=1)"), Control()
    if continues == "resume":
        control.stop()
    with patched_session():
        list(session.run(spec, begun, control))
        saved = load_run(only_folder(tmp_path / "runs"))
        if continues == "resume":
            list(resuming.resume(saved, continued, Control()))
            records = [saved.record]
        else:
            list(resuming.extend(saved, 1, dataclasses.replace(continued, runs_dir=tmp_path / "new"), Control()))
            records = [saved.record, load_run(only_folder(tmp_path / "new")).record]

    assert made == [fuse]
    assert [record["fused"] for record in records] == [fuse] * len(records)


def test_runs_of_version_0_1_are_fused(tmp_path: Path) -> None:
    """Their run.json does not say so."""
    control = Control()
    control.stop()
    with patched_session():
        list(session.run(small_spec(), options(tmp_path), control))
        saved = load_run(only_folder(tmp_path))
        del saved.record["fused"]
        training = resuming._make_training_again(saved, few_images(), options(tmp_path))

    assert training.is_fused
