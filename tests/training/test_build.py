"""From text to PyTorch: networks, the faster order of layers, optimizers, schedulers; and every setting has a use."""

import dataclasses
import itertools

import pytest
import torch
from torch import Tensor, nn

from mnist_tui.errors import SpecError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded
from mnist_tui.spec import catalog, presets
from mnist_tui.spec.recipe import TrainSpec
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import build, data, loop
from mnist_tui.training.data import Dataset, Images
from mnist_tui.training.state import Splits, Training

PRESETS = presets.builtin_names()

SMALL = "MaxPool2d(7)\nFlatten()\nLinear(10)"


def images_like_mnist(count: int) -> Images:
    """So many images that need no memory: all are one black zero."""
    black = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    return Images(black.expand(count, 1, 28, 28), torch.zeros(count, dtype=torch.int64))


def spec_with(train_settings: dict[str, object], layers: str = SMALL) -> RunSpec:
    """A run of a linear network."""
    return make_spec({"layers": layers, "train": train_settings})


def pictures(count: int, seed: int = 0) -> Tensor:
    """Normally distributed images, float32 (`count`, 1, 28, 28)."""
    return torch.randn(count, 1, 28, 28, generator=torch.Generator().manual_seed(seed))


# --- networks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_builds(name: str) -> None:
    """Each network has as many parameters as its table counts, logits 10 classes and can be trained."""
    spec = presets.load(name)
    model = build.network(spec)
    logits = model(pictures(2))
    build.loss(spec)(logits, torch.tensor([3, 7])).backward()
    gradients = [parameter.grad for parameter in model.parameters()]

    assert sum(parameter.numel() for parameter in model.parameters()) == spec.parameters
    assert logits.shape == (2, 10)
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_weights_are_the_seeds() -> None:
    """Networks are drawn from torch's generator in the order of their layers, as by hand."""
    torch.manual_seed(5)
    model = build.network(spec_with({}, "Conv2d(4, 3, bias=False)\nReLU\nMaxPool2d(2)\nFlatten()\nLinear(10)"))
    torch.manual_seed(5)
    convolution, linear = nn.Conv2d(1, 4, 3, bias=False), nn.Linear(676, 10)
    drawn = [convolution.weight, linear.weight, linear.bias]

    assert [type(module).__name__ for module in model] == ["Conv2d", "ReLU", "MaxPool2d", "Flatten", "Linear"]
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), drawn, strict=True))


# --- optimizers ------------------------------------------------------------------------------------------------------


def three_steps(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> list[Tensor]:
    """The weight after each of three steps down a parabola."""
    weights = []
    for _ in range(3):
        optimizer.zero_grad()
        (weight**2 * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
        optimizer.step()
        weights.append(weight.detach().clone())
    return weights


@pytest.mark.parametrize("name", catalog.OPTIMIZERS)
@pytest.mark.parametrize("arguments", ["", "lr=0.005, weight_decay=0.01"])
def test_every_optimizer_takes_steps(name: str, arguments: str) -> None:
    """Each optimizer, fused or not, goes where PyTorch's own with the same arguments goes."""
    if name == "Rprop":
        arguments = arguments.split(",")[0]
    start = torch.tensor([[1.0, -2.0, 0.5]])
    weight, reference = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    spec = spec_with({"optimizer": f"{name}({arguments})"})
    optimizer = build.optimizer(spec, [weight])
    values = catalog.check("optimizer", spec.train.optimizer)
    steps = three_steps(optimizer, weight)
    expected = three_steps(getattr(torch.optim, name)([reference], **values), reference)

    assert type(optimizer) is getattr(torch.optim, name)
    assert bool(optimizer.defaults.get("fused")) == (name in build.FUSED)
    assert all(not torch.equal(a, b) for a, b in itertools.pairwise([start, *steps]))
    torch.testing.assert_close(steps, expected, rtol=1e-5, atol=1e-7)


def test_a_knob_reaches_the_optimizer() -> None:
    """A name in the recipe stands for the knob's number."""
    spec = make_spec({"layers": SMALL, "knobs": {"rate": 0.03}, "train": {"optimizer": "SGD(rate, momentum=rate*2)"}})
    group = build.optimizer(spec, [nn.Parameter(torch.zeros(1))]).param_groups[0]

    assert (group["lr"], group["momentum"]) == (0.03, 0.06)


@pytest.mark.parametrize("call", ["Adam(betas=(2.0, 0.9))", "SGD(nesterov=True)", "Adam(betas=0.9)", "AdamW(eps=-1.0)"])
def test_what_pytorch_refuses_is_an_error_of_the_field(call: str) -> None:
    """PyTorch's words, behind the name of the field."""
    with pytest.raises(SpecError, match=r"^train\.optimizer: ") as error:
        build.optimizer(spec_with({"optimizer": call}), [nn.Parameter(torch.zeros(1))])

    assert error.value.where == ("train", "optimizer")


# --- schedulers ------------------------------------------------------------------------------------------------------

SCHEDULERS = {
    "StepLR": "StepLR(2, gamma=0.5)",
    "MultiStepLR": "MultiStepLR([1, 3], gamma=0.5)",
    "ExponentialLR": "ExponentialLR(0.5)",
    "ConstantLR": "ConstantLR(factor=0.5, total_iters=2)",
    "LinearLR": "LinearLR(0.1, total_iters=3)",
    "PolynomialLR": "PolynomialLR(4)",
    "CosineAnnealingLR": "CosineAnnealingLR(epochs)",
    "CosineAnnealingWarmRestarts": "CosineAnnealingWarmRestarts(2)",
    "OneCycleLR": "OneCycleLR(1.0, epochs=epochs, steps_per_epoch=steps_per_epoch)",
    "CyclicLR": "CyclicLR(0.1, 1.0, step_size_up=2)",
    "ReduceLROnPlateau": "ReduceLROnPlateau(patience=0)",
    "SequentialLR": "SequentialLR([LinearLR(0.1, total_iters=2), ExponentialLR(0.5)], milestones=[2])",
}
"""A call of each, under an optimizer with the rate 1."""

RATES = {
    "StepLR": [1, 1, 0.5, 0.5],
    "MultiStepLR": [1, 0.5, 0.5, 0.25],
    "ExponentialLR": [1, 0.5, 0.25, 0.125],
    "ConstantLR": [0.5, 0.5, 1, 1],
    "LinearLR": [0.1, 0.4, 0.7, 1],
    "PolynomialLR": [1, 0.75, 0.5, 0.25],
    "CosineAnnealingLR": [1, 0.853553, 0.5, 0.146447],
    "CosineAnnealingWarmRestarts": [1, 0.5, 1, 0.5],
    "OneCycleLR": [0.819275, 0.811746, 0.283061, 0.000004],  # The rate of each epoch's second step, of 8.
    "CyclicLR": [0.55, 0.55, 0.55, 0.55],
    "ReduceLROnPlateau": [1, 1, 0.1, 0.01],
    "SequentialLR": [0.1, 0.55, 1, 0.5],
}
"""The rate of each of four epochs of two steps, worked out from PyTorch's documentation."""


def rates(call: str, step: str = "auto") -> list[float]:
    """The rate of the last step of each of four epochs of two steps, in a run whose weights cannot move."""
    optimizer = "SGD(lr=1.0)"
    spec = spec_with({"epochs": 4, "batch_size": 8, "optimizer": optimizer, "scheduler": call, "scheduler_step": step})
    images = images_like_mnist(16)
    training = Training(spec, Splits(images, None, images))
    for weight in training.model.parameters():
        weight.requires_grad_(False)
        weight.grad = torch.zeros_like(weight)
    values = []
    for epoch in range(1, 5):
        for _ in range(training.steps_per_epoch):
            training.optimizer.step()
            values.append(training.learning_rate)
            training.step_scheduler(None)
        training.step_scheduler(row(epoch))
    return values[1::2]


def row(epoch: int) -> EpochEnded:
    """An epoch that was no better than the one before."""
    return EpochEnded(epoch, 1.0, 0.5, None, None, 1.0, 0.5, 0.1, 1.0, 1.0)


def test_every_scheduler_is_covered() -> None:
    """A scheduler that is added to the catalogue has a case here."""
    assert SCHEDULERS.keys() == RATES.keys() == catalog.SCHEDULERS.keys()


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_steps(name: str) -> None:
    """Each scheduler gives the rates that PyTorch documents, stepped as it is meant to be."""
    assert rates(SCHEDULERS[name]) == pytest.approx(RATES[name], abs=2e-6)


def test_when_a_scheduler_steps() -> None:
    """Each epoch, each batch, or all steps of an epoch at its end, as asked."""
    assert rates("ExponentialLR(0.5)", "epoch") == [1, 0.5, 0.25, 0.125]
    assert rates("ExponentialLR(0.5)", "batch") == [0.5, 0.125, 0.03125, 0.0078125]
    assert rates("ExponentialLR(0.5)", "burst") == [1, 0.25, 0.0625, 0.015625]


ERA5_RATES = "1.5 3.68 8.81 13.6 15 14.8 14.2 13.4 12.3 11.1 9.64 8.12 6.58 5.07 3.67 2.43 1.41 0.645 0.174"
ERA5_MOMENTA = (
    "0.950 0.934 0.896 0.861 0.850 0.852 0.855 0.861 0.868 0.876 0.886 0.896 0.906 0.916 0.926 0.934 0.941 0.946 0.949"
)


def test_era5_climbs_its_cycle_in_stairs() -> None:
    """The published run: 469 steps of a one-cycle schedule at the end of each of 19 epochs of 60,000 images."""
    images = images_like_mnist(60_000)
    training = Training(presets.load("era5"), Splits(images, None, images))
    for weight in training.model.parameters():
        weight.grad = torch.zeros_like(weight)
    training.optimizer.step()
    rates_by_epoch = []
    for epoch in range(1, 20):
        group = training.optimizer.param_groups[0]
        rates_by_epoch.append((f"{1000 * group['lr']:.3g}", f"{group['momentum']:.3f}"))
        for _ in range(training.steps_per_epoch):
            training.step_scheduler(None)
        training.step_scheduler(row(epoch))

    assert training.steps_per_epoch == 469
    assert rates_by_epoch == list(zip(ERA5_RATES.split(), ERA5_MOMENTA.split(), strict=True))


def test_one_cycle_ends_where_it_should(digits: Dataset) -> None:
    """Stepped after every batch, the last step uses the rate max_lr / div_factor / final_div_factor."""
    spec = spec_with(
        {
            "epochs": 4,
            "batch_size": 30,
            "optimizer": "SGD(momentum=0.9)",
            "scheduler": "OneCycleLR(0.1, epochs=epochs, steps_per_epoch=steps_per_epoch, pct_start=0.25, "
            "div_factor=10, final_div_factor=100)",
        }
    )
    images = digits.train.take(torch.arange(100))
    training = Training(spec, Splits(images, None, images))
    first = training.learning_rate
    rows = [event for event in loop.train(training, Control()) if isinstance(event, EpochEnded)]

    assert first == pytest.approx(0.01)
    assert rows[0].learning_rate == pytest.approx(0.1)
    assert rows[-1].learning_rate == pytest.approx(0.0001)
    assert len(rows) == 4


TOO_SHORT = [
    ("OneCycleLR(0.1, total_steps=15)", "auto"),
    ("OneCycleLR(0.1, epochs=3, steps_per_epoch=steps_per_epoch)", "batch"),
    ("OneCycleLR(0.1, epochs=epochs, steps_per_epoch=3)", "burst"),
    ("OneCycleLR(0.1, total_steps=3)", "epoch"),
    ("SequentialLR([ConstantLR(), OneCycleLR(0.1, total_steps=2)], milestones=[1])", "epoch"),
]


@pytest.mark.parametrize(("call", "step"), TOO_SHORT)
def test_a_cycle_that_is_too_short_is_refused(call: str, step: str) -> None:
    """A schedule that runs out of steps is refused before the first one, and not in the last epoch."""
    spec = spec_with(
        {
            "epochs": 4,
            "batch_size": 30,
            "optimizer": "SGD(momentum=0.9)",
            "scheduler": call,
            "scheduler_step": step,
        }
    )
    images = images_like_mnist(100)
    with pytest.raises(SpecError, match=r"^train\.scheduler: OneCycleLR is made for \d+ steps"):
        Training(spec, Splits(images, None, images))


@pytest.mark.parametrize(
    ("call", "step"),
    [
        ("OneCycleLR(0.1, total_steps=16)", "auto"),
        ("OneCycleLR(0.1, 4)", "epoch"),
        ("SequentialLR([ConstantLR(), OneCycleLR(0.1, total_steps=3)], milestones=[1])", "epoch"),
    ],
)
def test_a_cycle_that_is_just_long_enough(call: str, step: str) -> None:
    """As many steps as the run takes are enough, to the last step of all."""
    settings = {"epochs": 4, "batch_size": 30, "optimizer": "SGD(momentum=0.9)", "scheduler": call}
    images = images_like_mnist(100)
    training = Training(spec_with({**settings, "scheduler_step": step}), Splits(images, None, images))
    rows = [event for event in loop.train(training, Control()) if isinstance(event, EpochEnded)]

    assert len(rows) == 4


@pytest.mark.parametrize(
    "call",
    [
        "OneCycleLR(0.1)",
        "OneCycleLR(0.1, total_steps=99, pct_start=2.0)",
        "MultiStepLR([0.5])",
        "SequentialLR([ConstantLR(), ConstantLR()], milestones=[1, 2])",
        "SequentialLR([ReduceLROnPlateau(), ConstantLR()], milestones=[1])",
        "CyclicLR(0.1, 0.2)",
        "ReduceLROnPlateau(factor=1.0)",
    ],
)
def test_a_scheduler_that_pytorch_refuses(call: str) -> None:
    """PyTorch's words, behind the name of the field; CyclicLR wants a momentum that this optimizer has not."""
    spec = spec_with({"epochs": 2, "optimizer": "Adagrad()", "scheduler": call})
    optimizer = build.optimizer(spec, [nn.Parameter(torch.zeros(1))])
    with pytest.raises(SpecError, match=r"^train\.scheduler: "):
        build.scheduler(spec, optimizer, 60_000)


# --- every setting has a use -----------------------------------------------------------------------------------------

BASE: dict[str, object] = {
    "epochs": 3,
    "batch_size": 32,
    "optimizer": "SGD(lr=0.05)",
    "scheduler": "ExponentialLR(0.5)",
}

USES: dict[str, dict[str, object]] = {
    "epochs": {"epochs": 2},
    "batch_size": {"batch_size": 20},
    "eval_batch_size": {"eval_batch_size": 7},
    "optimizer": {"optimizer": "SGD(lr=0.04)"},
    "no_decay": {"no_decay": ["bias"], "optimizer": "SGD(lr=0.05, weight_decay=0.5)"},
    "average": {"average": "EMA(decay=0.5)"},
    "scheduler": {"scheduler": "ExponentialLR(0.6)"},
    "scheduler_step": {"scheduler_step": "batch"},
    "loss": {"loss": "CrossEntropyLoss(label_smoothing=0.2)"},
    "augment": {"augment": ["RandomRotation(30)"]},
    "mixup": {"mixup": 0.2},
    "normalize": {"normalize": [0.2, 0.4]},
    "validation_images": {"validation_images": 30},
    "seed": {"seed": 1},
    "precision": {"precision": "bfloat16"},
    "clip_grad_norm": {"clip_grad_norm": 0.1},
    "patience": {"patience": 1, "optimizer": "SGD(lr=0)"},
    "stop_at_accuracy": {"stop_at_accuracy": 0.01},
}
"""A change of every setting of a recipe, by the setting's name."""


def history(digits: Dataset, settings: dict[str, object]) -> tuple[list[EpochEnded], list[int]]:
    """The rows of a run on 100 digits, less its times, and the sizes of the batches that were evaluated."""
    spec = spec_with({**BASE, **settings})
    images, val = data.split(digits.train.take(torch.arange(100)), spec.train.validation_images, spec.train.seed)
    training = Training(spec, Splits(images, val, digits.test.take(torch.arange(50))))
    sizes = []
    training.forward_model.register_forward_hook(
        lambda model, inputs, _: None if model.training else sizes.append(len(inputs[0]))
    )
    events = loop.train(training, Control())
    rows = [dataclasses.replace(e, seconds=0, images_per_second=0) for e in events if isinstance(e, EpochEnded)]
    return rows, sizes


def test_every_setting_is_covered() -> None:
    """A setting that is added to a recipe has a case here."""
    assert USES.keys() == TrainSpec.model_fields.keys()


@pytest.mark.parametrize("setting", USES)
def test_every_setting_changes_the_run(setting: str, digits: Dataset) -> None:
    """No setting is read and forgotten: its change alone changes what happens."""
    change = USES[setting]
    before = {key: value for key, value in change.items() if key != setting}
    rows, sizes = history(digits, before)
    changed_rows, changed_sizes = history(digits, change)

    assert (rows, sizes) == history(digits, before)
    assert (rows, sizes) != (changed_rows, changed_sizes)
    assert setting != "eval_batch_size" or (max(sizes), max(changed_sizes)) == (50, 7)


@pytest.mark.parametrize("cycle", [True, False])
def test_a_nested_schedule_that_moves_momentum_is_not_captured(cycle: bool) -> None:
    """A captured step has its momentum fixed, also where the schedule stands inside another."""
    nested = f"OneCycleLR(max_lr=0.1, total_steps=30, cycle_momentum={cycle})"
    spec = spec_with({"scheduler": f"SequentialLR([LinearLR(), {nested}], milestones=[5])"})

    assert build.can_capture(spec) is not cycle


@pytest.mark.parametrize("name", sorted(build.FUSED))
def test_fused_optimizers_take_the_note_of_what_is_not_finite(name: str, digits: Dataset) -> None:
    """As on CUDA: an optimizer that is handed `found_nonfinite` steps, and stays where it is once that is set."""
    training = Training(spec_with({"optimizer": f"{name}(lr=0.01)"}), Splits(digits.train, None, digits.test))
    training.optimizer.found_inf = training.step.found_nonfinite  # type: ignore[attr-defined]
    weight = training.vector
    training.begin_epoch()
    weights = [weight.detach().clone()]
    training.step(*training.batches.take())
    weights.append(weight.detach().clone())
    training.step.found_nonfinite.fill_(1)
    training.optimizer.step()

    assert not torch.equal(*weights)
    assert torch.equal(weight, weights[1])
