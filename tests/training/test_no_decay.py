"""`no_decay`: the numbers are those of PyTorch with two parameter groups, on the plain and on the fused network."""

import pytest
import torch
from helpers.reliability import few_images, new_training, small_spec, state_of
from torch import Tensor, nn

from mnist_tui.spec import catalog
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import build, checkpoint
from mnist_tui.training.state import Splits, Training

OPTIMIZERS = [
    "AdamW(lr=0.01, weight_decay=0.9)",
    "Adam(lr=0.01, weight_decay=0.9)",
    "SGD(lr=0.01, momentum=0.9, weight_decay=0.9)",
    "RMSprop(lr=0.01, weight_decay=0.9)",
    "Adafactor(lr=0.01, weight_decay=0.9)",
]
STEPS = 5


def spec_of(optimizer: str, *kinds: str) -> RunSpec:
    """A small recipe without augmentation and schedule, whose norm is behind random numbers other than 1 and 0."""
    return small_spec(optimizer=optimizer, scheduler=None, no_decay=list(kinds))


def shifted(model: nn.Module) -> nn.Module:
    """The network with every weight moved, so that scales are not 1 and shifts not 0 and decay changes them."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3)
    return model


def trained(spec: RunSpec, fuse: bool) -> list[Tensor]:
    """The weights after an epoch of five steps."""
    images = few_images()
    training = Training(spec, Splits(images.train, None, images.test), fuse)
    shifted(training.model)
    training.begin_epoch()
    for _ in range(STEPS):
        training.step(*training.batches.take())
    training.batches.close()
    return [weight.detach() for weight in training.model.parameters()]


def trained_by_hand(spec: RunSpec, *exempt: str) -> list[Tensor]:
    """The same by a loop of PyTorch with two parameter groups; `exempt` are the names of those without decay."""
    images = few_images()
    training = Training(spec, Splits(images.train, None, images.test), fuse=False)
    training.begin_epoch()
    batches = [training.batches.take() for _ in range(STEPS)]
    training.batches.close()
    torch.manual_seed(spec.train.seed)
    model = shifted(build.network(spec).to(memory_format=torch.channels_last))
    names = [name for name, _ in model.named_parameters()]
    assert set(exempt) <= set(names)
    groups = [
        {"params": [weight for name, weight in model.named_parameters() if name not in exempt]},
        {"params": [weight for name, weight in model.named_parameters() if name in exempt], "weight_decay": 0.0},
    ]
    values = catalog.check("optimizer", spec.train.optimizer)
    fused = {"fused": True} if spec.train.optimizer.name in build.FUSED else {}
    optimizer = getattr(torch.optim, spec.train.optimizer.name)(groups, **values, **fused)
    for inputs, labels in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    return [weight.detach() for weight in model.parameters()]


BIASES = ("0.bias", "1.bias", "4.bias", "7.bias")
NORM = ("1.weight", "1.bias")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("kinds", "exempt"), [(("bias",), BIASES), (("norm",), NORM), (("norm", "bias"), (*BIASES, "1.weight"))]
)
def test_weights_are_those_of_two_parameter_groups(optimizer: str, kinds: tuple[str, ...], exempt: tuple[str]) -> None:
    """Bit for bit on the plain network, and up to rounding where the optimizer has the weights as two vectors."""
    spec = spec_of(optimizer, *kinds)
    by_hand = trained_by_hand(spec, *exempt)
    plain = trained(spec, fuse=False)

    assert all(torch.equal(weight, expected) for weight, expected in zip(plain, by_hand, strict=True))
    # A bias before a norm has a gradient of rounding errors, which fused layers do not compute.
    names = [name for name, _ in build.network(spec).named_parameters()]
    for name, weight, expected in zip(names, trained(spec, fuse=True), by_hand, strict=True):
        if name != "0.bias":
            torch.testing.assert_close(weight, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("fuse", [True, False])
def test_decay_of_all_weights_is_seen(fuse: bool) -> None:
    """Negative control: decayed like the others, exactly the weights of `no_decay` end elsewhere by this much."""
    optimizer = "SGD(lr=0.05, weight_decay=0.9)"
    exempt, decayed = (trained(spec_of(optimizer, *kinds), fuse) for kinds in (("norm",), ()))
    names = [name for name, _ in build.network(spec_of(optimizer)).named_parameters()]
    differences = {name: (a - b).abs().max().item() for name, a, b in zip(names, exempt, decayed, strict=True)}

    assert min(differences[name] for name in NORM) > 0.02


def test_norms_of_every_kind_are_found() -> None:
    """Scale and shift of each; the biases of other layers are not norms."""
    layers = """
        Conv2d(4, 3)
        BatchNorm2d
        GroupNorm(2)
        InstanceNorm2d(affine=True)
        LayerNorm
        RMSNorm
        Flatten
        BatchNorm1d
        Linear(10)
    """
    spec = make_spec({"layers": layers, "train": {"optimizer": "AdamW()", "no_decay": ["norm"]}})
    model = build.network(spec)
    decayed, exempt = build.parameter_groups(spec, model)

    assert [weight.shape for weight in decayed] == [
        weight.shape for weight in (*model[0].parameters(), *model[8].parameters())
    ]
    assert len(exempt) == 11


def test_a_network_of_norms_alone_trains() -> None:
    """No weight is left to decay."""
    layers = "AdaptiveAvgPool2d((2, 5))\nBatchNorm2d\nFlatten"
    spec = make_spec({"layers": layers, "train": {"optimizer": "AdamW()", "no_decay": ["norm"], "batch_size": 30}})
    ends = [trained(spec, fuse) for fuse in (True, False)]

    torch.testing.assert_close(*ends)


def test_a_checkpoint_fits_the_plain_and_the_fused_network() -> None:
    """The moments are those of each weight, whatever order the vector has."""
    spec = small_spec(optimizer="AdamW(lr=0.01, weight_decay=0.5)", no_decay=["bias"])
    training = new_training(spec)
    training.begin_epoch()
    training.step(*training.batches.take())
    content = checkpoint.dump(training)
    images = few_images()
    plain = Training(spec, Splits(images.train, None, images.test), fuse=False)
    checkpoint.restore(plain, content)

    assert state_of(checkpoint.dump(plain)) == state_of(content)
    for weight in plain.model.parameters():
        assert plain.optimizer.state[weight]["exp_avg"].shape == weight.shape
