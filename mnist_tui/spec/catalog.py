"""The calls that a recipe may have: optimizers, schedulers, losses, averages, transforms, with PyTorch's own arguments.

The signatures are PyTorch's, without the arguments that the program sets itself (`fused`, `foreach`, `capturable`,
`last_epoch`…); a test holds every name and default against the installed torch and torchvision.
"""

import math
from collections.abc import Mapping

from mnist_tui.errors import CallError
from mnist_tui.spec.calls import Call, Value, bind, parse_lines, show, signature
from mnist_tui.text import clean_line, did_you_mean


def _catalog(text: str) -> dict[str, str]:
    """The calls of a block of text by their names."""
    return {call.name: str(call) for call in parse_lines(text)}


OPTIMIZERS = _catalog("""
    SGD(lr=0.001, momentum=0, dampening=0, weight_decay=0, nesterov=False)
    Adam(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0, amsgrad=False)
    AdamW(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01, amsgrad=False)
    NAdam(lr=0.002, betas=(0.9, 0.999), eps=1e-08, weight_decay=0, momentum_decay=0.004, decoupled_weight_decay=False)
    RAdam(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0, decoupled_weight_decay=False)
    Adamax(lr=0.002, betas=(0.9, 0.999), eps=1e-08, weight_decay=0)
    Adadelta(lr=1.0, rho=0.9, eps=1e-06, weight_decay=0)
    Adagrad(lr=0.01, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10)
    Adafactor(lr=0.01, beta2_decay=-0.8, eps=(None, 0.001), d=1.0, weight_decay=0.0)
    RMSprop(lr=0.01, alpha=0.99, eps=1e-08, weight_decay=0, momentum=0, centered=False)
    Rprop(lr=0.01, etas=(0.5, 1.2), step_sizes=(1e-06, 50))
    ASGD(lr=0.01, lambd=0.0001, alpha=0.75, t0=1000000.0, weight_decay=0)
""")
"""Every optimizer of torch.optim that needs no closure (as LBFGS does) and takes weights of any shape (unlike Muon)."""

SCHEDULERS = _catalog("""
    StepLR(step_size, gamma=0.1)
    MultiStepLR(milestones, gamma=0.1)
    ExponentialLR(gamma)
    ConstantLR(factor=1/3, total_iters=5)
    LinearLR(start_factor=1/3, end_factor=1.0, total_iters=5)
    PolynomialLR(total_iters=5, power=1.0)
    CosineAnnealingLR(T_max, eta_min=0.0)
    CosineAnnealingWarmRestarts(T_0, T_mult=1, eta_min=0.0)
    OneCycleLR(max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3, anneal_strategy="cos",
        cycle_momentum=True, base_momentum=0.85, max_momentum=0.95, div_factor=25.0, final_div_factor=10000.0,
        three_phase=False)
    CyclicLR(base_lr, max_lr, step_size_up=2000, step_size_down=None, mode="triangular", gamma=1.0,
        scale_fn=None, scale_mode="cycle", cycle_momentum=True, base_momentum=0.8, max_momentum=0.9)
    ReduceLROnPlateau(mode="min", factor=0.1, patience=10, threshold=0.0001, threshold_mode="rel", cooldown=0,
        min_lr=0, eps=1e-08)
    SequentialLR(schedulers, milestones)
""")

STEPPED_PER_BATCH = frozenset({"OneCycleLR", "CyclicLR"})
"""Schedulers that are stepped after every batch; the others are stepped once an epoch."""

LOSSES = _catalog("""
    CrossEntropyLoss(label_smoothing=0.0)
    NLLLoss()
""")

AVERAGES = _catalog("EMA(decay=0.999)")
"""Averages of the weights over the steps: the exponential moving average of torch.optim.swa_utils."""

TRANSFORMS = _catalog("""
    RandomRotation(degrees, interpolation="nearest", expand=False, center=None, fill=0)
    RandomAffine(degrees, translate=None, scale=None, shear=None, interpolation="nearest", fill=0, center=None)
    RandomPerspective(distortion_scale=0.5, p=0.5, interpolation="bilinear", fill=0)
    RandomCrop(size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant")
    RandomResizedCrop(size, scale=(0.08, 1.0), ratio=(3/4, 4/3), interpolation="bilinear", antialias=True)
    CenterCrop(size)
    Resize(size, interpolation="bilinear", max_size=None, antialias=True)
    Pad(padding, fill=0, padding_mode="constant")
    RandomHorizontalFlip(p=0.5)
    RandomVerticalFlip(p=0.5)
    RandomInvert(p=0.5)
    RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0.0)
    ElasticTransform(alpha=50.0, sigma=5.0, interpolation="bilinear", fill=0)
    GaussianBlur(kernel_size, sigma=(0.1, 2.0))
    ColorJitter(brightness=None, contrast=None, saturation=None, hue=None)
    RandomGrayscale(p=0.1)
    RandomAdjustSharpness(sharpness_factor, p=0.5)
    RandomAutocontrast(p=0.5)
    RandomEqualize(p=0.5)
    RandomPosterize(bits, p=0.5)
    RandomSolarize(threshold, p=0.5)
    RandAugment(num_ops=2, magnitude=9, num_magnitude_bins=31, interpolation="nearest", fill=None)
    AutoAugment(policy="imagenet", interpolation="nearest", fill=None)
    TrivialAugmentWide(num_magnitude_bins=31, interpolation="nearest", fill=None)
    AugMix(severity=3, mixture_width=3, chain_depth=-1, alpha=1.0, all_ops=True, interpolation="bilinear", fill=None)
    RandomApply(transforms, p=0.5)
    RandomChoice(transforms, p=None)
    RandomOrder(transforms)
    Identity()
""")
"""The transforms of torchvision.transforms.v2 that keep the number of channels; tensors are made elsewhere."""

CATALOGS: Mapping[str, dict[str, str]] = {
    "optimizer": OPTIMIZERS,
    "scheduler": SCHEDULERS,
    "loss": LOSSES,
    "average": AVERAGES,
    "transform": TRANSFORMS,
}

CALLS = ("optimizer", "scheduler", "loss", "average")
"""The settings of a recipe that are one call: in the form a choice, and a field for each of its arguments."""

_BELONGS_ELSEWHERE = {
    "ToTensor": "images are always converted to tensors",
    "ToImage": "images are always converted to tensors",
    "PILToTensor": "images are always converted to tensors",
    "ToDtype": "images are always converted to tensors",
    "Normalize": "it has a field of its own: normalize = [mean, std]",
    "Compose": "write its transforms as a list",
    "Grayscale": "images keep their channels, and RandomGrayscale turns some of those with colours grey",
}

_BOUNDS: Mapping[str, tuple[float, float]] = {
    "lr": (0, 1e4),
    "max_lr": (0, 1e4),
    "base_lr": (0, 1e4),
    "min_lr": (0, 1e4),
    "eta_min": (0, 1e4),
    "weight_decay": (0, 1e4),
    "momentum": (0, 1),
    "label_smoothing": (0, 1),
    "decay": (0, 1),
    "gamma": (0, 1e3),
    "factor": (0, 1),
    "p": (0, 1),
    "step_size": (1, 1e9),
    "T_max": (1, 1e9),
    "T_0": (1, 1e9),
    "total_iters": (0, 1e9),
    "total_steps": (1, 1e9),
    "step_size_up": (1, 1e9),
    "patience": (0, 1e9),
    "size": (1, 1024),
    "max_size": (1, 1024),
    "padding": (0, 1024),
    "fill": (0, 255),
    "kernel_size": (1, 55),
    "num_ops": (0, 20),
    "num_magnitude_bins": (2, 100),
    "mixture_width": (1, 20),
    "chain_depth": (-1, 20),
    "severity": (1, 10),
}
"""Bounds of arguments that are checked before torch is loaded; torch checks the rest when the run is built."""

_WORDS: Mapping[str, tuple[str, ...]] = {
    "interpolation": ("nearest", "nearest-exact", "bilinear", "bicubic"),
    "padding_mode": ("constant", "edge", "reflect", "symmetric"),
    "policy": ("imagenet", "cifar10", "svhn"),
    "anneal_strategy": ("cos", "linear"),
}
"""Arguments that are one of a few words; `interpolation` has those that torchvision knows for tensors."""


def check(catalog: str, call: Call) -> dict[str, Value]:
    """The arguments of a recipe's call by name, defaults filled in; `catalog` is a key of `CATALOGS`.

    Raises `CallError` for an unknown name, a wrong argument or a number out of bounds. Knobs must be resolved.
    """
    known = CATALOGS[catalog]
    if call.name not in known:
        reason = _BELONGS_ELSEWHERE.get(call.name)
        if reason and catalog == "transform":
            raise CallError(f"{call.name} is not needed here: {reason}")
        near = did_you_mean(call.name, known) or f"; known are {', '.join(known)}"
        raise CallError(f"there is no {catalog} {call.name!r}{near}")
    expected = signature(known[call.name])
    values = bind(call, expected)
    for name, value in values.items():
        try:
            _check_value(catalog, call, name, value, expected.parameters[name].default)
        except CallError as error:
            raise CallError(str(error), error.line, name) from None
    return values


def _check_value(catalog: str, call: Call, name: str, value: Value, default: Value) -> None:
    if name in ("transforms", "schedulers"):
        _check_nested(catalog, call, name, value)
    elif isinstance(value, Call) or (isinstance(value, tuple) and any(isinstance(item, Call) for item in value)):
        raise CallError(f"{call.name}: {name} takes no call")
    elif isinstance(default, bool) and not isinstance(value, bool):
        raise CallError(f"{call.name}: {name}={value} must be True or False")
    elif isinstance(default, str) and not isinstance(value, str):
        raise CallError(f"{call.name}: {name}={value} must be a word in quotes, such as {default!r}")
    elif isinstance(value, str) and not isinstance(default, str):
        raise CallError(f"{call.name}: {name} must be a number")
    elif name in _WORDS and value not in _WORDS[name]:
        near = did_you_mean(str(value), _WORDS[name]) or f"; known are {', '.join(_WORDS[name])}"
        raise CallError(f"{call.name}: there is no {name} {clean_line(str(value), 40)!r}{near}")
    if name in _BOUNDS and value != default and not (name == "p" and isinstance(value, tuple)):
        # Sizes and paddings may be lists, RandomChoice's p is a list of weights; all else is one number.
        for item in value if isinstance(value, tuple) and name in ("size", "padding", "kernel_size") else (value,):
            _check_bounds(call, name, item)


def _check_nested(catalog: str, call: Call, name: str, value: Value) -> None:
    calls = value if isinstance(value, tuple) else (value,)
    if not calls or not all(isinstance(item, Call) for item in calls):
        raise CallError(f"{call.name}: {name} takes a list of {catalog}s, such as {next(iter(CATALOGS[catalog]))}(…)")
    for item in calls:
        assert isinstance(item, Call)
        check(catalog, item)


def _check_bounds(call: Call, name: str, value: Value) -> None:
    low, high = _BOUNDS[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CallError(f"{call.name}: {name}={show(value)} must be a number between {low:g} and {high:g}")
    if not math.isfinite(value) or not low <= value <= high:
        raise CallError(f"{call.name}: {name}={value} must be between {low:g} and {high:g}")


def default_of(catalog: str, name: str, argument: str) -> Value:
    """The default of a known call's argument; None where it must be given, or there is no such argument."""
    parameter = signature(CATALOGS[catalog][name]).parameters.get(argument)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def arguments(catalog: str, name: str) -> list[str]:
    """The names of a known call's arguments, in PyTorch's order."""
    return list(signature(CATALOGS[catalog][name]).parameters)
