"""What a recipe may call, held against the installed torch and torchvision, and what it may not."""

import enum
import inspect
import math
from types import SimpleNamespace

import pytest
import torch
from torch.optim import swa_utils
from torchvision.transforms import v2

from mnist_tui.errors import CallError
from mnist_tui.spec import catalog
from mnist_tui.spec.calls import Value, parse, signature

AVERAGES = SimpleNamespace(EMA=swa_utils.get_ema_multi_avg_fn)

HOMES = {
    "optimizer": torch.optim,
    "scheduler": torch.optim.lr_scheduler,
    "loss": torch.nn,
    "average": AVERAGES,
    "transform": v2,
}

OURS = {
    "optimizer": {
        "params",
        "maximize",
        "foreach",
        "fused",
        "capturable",
        "differentiable",
        "decoupled_weight_decay",
    },
    "scheduler": {"optimizer", "last_epoch", "scale_fn", "scale_mode"},
    "loss": {"weight", "size_average", "ignore_index", "reduce", "reduction"},
    "average": set(),
    "transform": {"inplace"},
}
"""Arguments that the program decides itself; no call needs to have all of them."""

NAMES = [(catalog_name, name) for catalog_name, calls in catalog.CATALOGS.items() for name in calls]


def parameters(catalog_name: str, name: str) -> dict[str, inspect.Parameter]:
    """The arguments of the real class."""
    return dict(inspect.signature(getattr(HOMES[catalog_name], name)).parameters)


def plain(default: object) -> object:
    """A default of PyTorch's as a preset would write it."""
    value = default.value if isinstance(default, enum.Enum) else default
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize(("catalog_name", "name"), NAMES)
def test_arguments_and_defaults_are_pytorchs(catalog_name: str, name: str) -> None:
    """Every argument of ours exists, in PyTorch's order and with its default; only the program's own are left out."""
    theirs = parameters(catalog_name, name)
    ours = signature(catalog.CATALOGS[catalog_name][name]).parameters

    assert list(ours) == [key for key in theirs if key in ours]
    assert {key: value.default for key, value in ours.items()} == {key: plain(theirs[key].default) for key in ours}
    assert set(theirs) - set(ours) <= OURS[catalog_name]
    assert catalog.arguments(catalog_name, name) == list(ours)


@pytest.mark.parametrize(("catalog_name", "name"), [pair for pair in NAMES if pair[0] != "loss"])
def test_positional_arguments_are_at_pytorchs_place(catalog_name: str, name: str) -> None:
    """What is written without its name is the same argument in PyTorch, or is not accepted."""
    theirs = [key for key, p in parameters(catalog_name, name).items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    theirs = [key for key in theirs if key not in ("params", "optimizer")]
    ours = [
        key
        for key, p in signature(catalog.CATALOGS[catalog_name][name]).parameters.items()
        if p.kind is not p.KEYWORD_ONLY
    ]

    assert ours[: len(theirs)] == theirs[: len(ours)]


@pytest.mark.parametrize(
    ("catalog_name", "home", "base"),
    [
        ("optimizer", torch.optim, torch.optim.Optimizer),
        ("scheduler", torch.optim.lr_scheduler, torch.optim.lr_scheduler.LRScheduler),
    ],
)
def test_what_pytorch_has_and_we_leave_out_is_known(catalog_name: str, home: object, base: type) -> None:
    """An optimizer or scheduler that a new PyTorch brings is noticed here."""
    theirs = {
        name
        for name, value in vars(home).items()
        if isinstance(value, type) and issubclass(value, base) and value is not base and not name.startswith("_")
    }
    left_out = {
        "LBFGS",  # Needs a closure.
        "SparseAdam",  # Needs sparse gradients.
        "Muon",  # Takes matrices only.
        "LambdaLR",  # Takes a function.
        "MultiplicativeLR",
        "ChainedScheduler",
        "LRScheduler",
    }

    assert theirs - set(catalog.CATALOGS[catalog_name]) <= left_out


@pytest.mark.parametrize(
    ("catalog_name", "text", "values"),
    [
        ("optimizer", "SGD", {"lr": 0.001, "momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False}),
        ("scheduler", "StepLR(15)", {"step_size": 15, "gamma": 0.1}),
        ("scheduler", "LinearLR(total_iters=3)", {"start_factor": 1 / 3, "end_factor": 1.0, "total_iters": 3}),
        ("loss", "CrossEntropyLoss(0.1)", {"label_smoothing": 0.1}),
        ("loss", "NLLLoss()", {}),
        ("transform", "CenterCrop((22, 20))", {"size": (22, 20)}),
        ("transform", "RandomApply([CenterCrop(22)], p=0.1)", {"transforms": (parse("CenterCrop(22)"),), "p": 0.1}),
        ("transform", "RandomChoice([Identity(), Pad(2)], p=[3, 1])", None),
        ("transform", "RandomCrop(28, padding=None)", None),
        ("transform", "Pad((1, 2, 3, 4), fill=0)", None),
        ("scheduler", "SequentialLR([LinearLR(), CosineAnnealingLR(20)], milestones=[5])", None),
        ("scheduler", "ReduceLROnPlateau(mode='max')", None),
    ],
)
def test_a_right_call_is_given_its_defaults(catalog_name: str, text: str, values: dict[str, Value] | None) -> None:
    """`check` returns every argument by name, with its default."""
    checked = catalog.check(catalog_name, parse(text))

    assert list(checked) == catalog.arguments(catalog_name, parse(text).name)
    assert values is None or checked == values


@pytest.mark.parametrize(
    ("catalog_name", "text", "words"),
    [
        ("optimizer", "Adm(lr=0.1)", "there is no optimizer 'Adm'; did you mean 'Adam'?"),
        ("optimizer", "LBFGS()", "known are SGD, Adam"),
        ("optimizer", "StepLR(3)", "there is no optimizer 'StepLR'"),
        ("optimizer", "Adam(learning_rate=0.1)", "Adam has no argument 'learning_rate'"),
        ("optimizer", "Adam(weight_decai=0.1)", "did you mean 'weight_decay'?"),
        ("optimizer", "Adam(fused=True)", "it takes lr, betas, eps"),
        ("optimizer", "Adam(0.1, lr=0.1)", "multiple values"),
        ("optimizer", "Adam(lr=-0.1)", "lr=-0.1 must be between 0 and 10000"),
        ("optimizer", "Adam(lr=1e9)", "must be between"),
        ("optimizer", "Adam(lr='0.1')", "lr must be a number"),
        ("optimizer", "Adam(lr=None)", "lr"),
        ("optimizer", "Adam(lr=True)", "lr"),
        ("optimizer", "Adam(lr=(0.1, 0.2))", "lr"),
        ("optimizer", "Adam(lr=Adam())", "lr takes no call"),
        ("optimizer", "Adam(betas=(Adam(), 0.9))", "takes no call"),
        ("optimizer", "Adam(amsgrad=1)", "amsgrad=1 must be True or False"),
        ("optimizer", "SGD(momentum=1.5)", "momentum=1.5 must be between 0 and 1"),
        ("optimizer", "SGD(weight_decay=-1)", "weight_decay=-1 must be between"),
        ("scheduler", "StepLR()", "missing a required argument: 'step_size'"),
        ("scheduler", "StepLR(0)", "step_size=0 must be between 1"),
        ("scheduler", "StepLR(15, gama=0.5)", "did you mean 'gamma'?"),
        ("scheduler", "CosineAnnealingLR(0)", "T_max=0"),
        (
            "transform",
            "RandomRotation(5, 'bilinaer')",
            "there is no interpolation 'bilinaer'; did you mean 'bilinear'?",
        ),
        ("transform", "AutoAugment('mnist')", "there is no policy 'mnist'; known are imagenet, cifar10, svhn"),
        ("scheduler", "CyclicLR(0.1, 0.2, mode=1)", "must be a word in quotes, such as 'triangular'"),
        ("scheduler", "ReduceLROnPlateau(patience=-1)", "patience=-1"),
        ("scheduler", "SequentialLR([], milestones=[])", "takes a list of schedulers"),
        ("scheduler", "SequentialLR([3], milestones=[])", "takes a list of schedulers"),
        ("scheduler", "SequentialLR([SetpLR(3)], milestones=[])", "did you mean 'StepLR'?"),
        ("loss", "MSELoss()", "known are CrossEntropyLoss, NLLLoss"),
        ("loss", "CrossEntropyLoss(label_smoothing=1.5)", "between 0 and 1"),
        ("loss", "NLLLoss(1)", "too many positional"),
        ("transform", "ToTensor()", "not needed here: images are always converted to tensors"),
        ("transform", "Normalize((0.1307,), (0.3081,))", "normalize = [mean, std]"),
        ("transform", "Compose([CenterCrop(22)])", "write its transforms as a list"),
        ("transform", "RandomRotatoin(15)", "did you mean 'RandomRotation'?"),
        ("transform", "RandomRotation('15')", "degrees must be a number"),
        ("transform", "RandomRotation(15, expand=1)", "expand=1 must be True or False"),
        ("transform", "RandomHorizontalFlip(p=2)", "p=2 must be between 0 and 1"),
        ("transform", "CenterCrop(0)", "size=0 must be between 1 and 1024"),
        ("transform", "Resize(100_000)", "size=100000 must be between 1 and 1024"),
        ("transform", "Resize((100_000, 28))", "must be between 1 and 1024"),
        ("transform", "Pad((1, 100_000))", "must be between 0 and 1024"),
        ("transform", "RandomApply(CenterCrop)", "takes a list of transforms"),
        ("transform", "RandomApply([RandomApply([Resize(0)])])", "size=0"),
        ("transform", "RandomApply([Adam()])", "there is no transform 'Adam'"),
    ],
)
def test_a_wrong_call_is_explained(catalog_name: str, text: str, words: str) -> None:
    """The error names what is wrong and, where it can, what was meant."""
    with pytest.raises(CallError) as caught:
        catalog.check(catalog_name, parse(text))
    assert words in str(caught.value)


def test_every_bound_belongs_to_an_argument_and_holds_its_default() -> None:
    """A misspelt bound would check nothing; a bound that excludes a default would refuse PyTorch's own call."""
    defaults: dict[str, list[object]] = {}
    for catalog_name, name in NAMES:
        for key, parameter in signature(catalog.CATALOGS[catalog_name][name]).parameters.items():
            defaults.setdefault(key, []).append(parameter.default)

    for name, (low, high) in catalog._BOUNDS.items():
        numbers = [value for value in defaults[name] if isinstance(value, int | float)]
        assert math.isfinite(low + high)
        assert all(low <= number <= high for number in numbers)


def test_schedulers_stepped_per_batch_exist() -> None:
    """The names in the list are names of the catalog."""
    assert set(catalog.SCHEDULERS) > catalog.STEPPED_PER_BATCH
