"""PyTorch objects from the calls of a spec: network, loss, optimizer, scheduler, augmentation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler

from mnist_tui.errors import CallError, SpecError
from mnist_tui.spec import catalog
from mnist_tui.spec.calls import Call, Value
from mnist_tui.spec.layers import LayerRow, arguments, image_row, layer_rows
from mnist_tui.spec.layers.composite import NORMS, gate_layers
from mnist_tui.spec.layers.signatures import composite_arguments
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import augment, eager
from mnist_tui.training.augment import Augmentation
from mnist_tui.training.averaging import WeightAverage
from mnist_tui.training.composite_modules import Parallel, Repeat, Residual, SqueezeExcite
from mnist_tui.training.flat_parameters import FlatParameters

FUSED = frozenset({"SGD", "Adam", "AdamW", "Adagrad"})
"""Optimizers with a fused kernel on the CPU and on CUDA."""

BY_SHAPE = frozenset({"Adafactor"})
"""Optimizers that depend on the shape of a weight; all others are elementwise."""

CAPTURABLE = frozenset({"Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adadelta", "ASGD", "RMSprop", "Rprop"})
"""Optimizers with the option `capturable`, which keeps the step count on the device, as a CUDA graph needs it."""


def network(spec: RunSpec) -> nn.Sequential:
    """The network of a run, in the order of its layers: images (N, C, H, W) of its data set to logits (N, classes).

    Weights are drawn from torch's global generator, as PyTorch's constructors do.
    """
    return _make_sequential(image_row(spec.dataset.shape), *spec.resolved_layers)


def _make_sequential(input_row: LayerRow, *layers: Call) -> nn.Sequential:
    modules = []
    for call in layers:
        modules.append(_make_module(input_row, call))
        input_row = layer_rows(call, input_row)[-1]
    return nn.Sequential(*modules)


def _make_module(input_row: LayerRow, call: Call) -> nn.Module:
    if call.name in COMPOSITE_MODULES:
        args, kwargs = composite_arguments(call)
        return COMPOSITE_MODULES[call.name](input_row, *args, **kwargs)
    values = arguments(call)
    values |= _inferred(call.name, input_row) | _normalized_shape(values, input_row)
    if "inplace" in values:
        # It saves nothing here, and overwrites what a `Residual` adds or a backward pass needs.
        values["inplace"] = False
    module: nn.Module = getattr(nn, call.name)(**values)
    return module


def _make_residual(input_row: LayerRow, *layers: Call, shortcut: Call | None) -> nn.Module:
    return Residual(
        _make_sequential(input_row, *layers), _make_sequential(input_row, *([shortcut] if shortcut else []))
    )


def _make_parallel(input_row: LayerRow, *branches: Call) -> nn.Module:
    return Parallel(_make_module(input_row, branch) for branch in branches)


def _make_repeat(input_row: LayerRow, times: int, *layers: Call) -> nn.Module:
    return Repeat(times, _make_sequential(input_row, *layers))


def _make_squeeze_excite(input_row: LayerRow, ratio: int) -> nn.Module:
    return SqueezeExcite(_make_sequential(input_row, *gate_layers(input_row.output_shape, ratio)))


COMPOSITE_MODULES: Mapping[str, Callable[..., nn.Module]] = {
    "Sequential": _make_sequential,
    "Residual": _make_residual,
    "Parallel": _make_parallel,
    "Repeat": _make_repeat,
    "SqueezeExcite": _make_squeeze_excite,
}
"""What makes the module of a composite layer, from the row before it and the arguments as they are written."""


def _inferred(name: str, input_row: LayerRow) -> dict[str, Any]:
    """The sizes of the input that PyTorch wants as arguments."""
    first = input_row.output_shape[0]
    if name in ("Conv2d", "ConvTranspose2d"):
        return {"in_channels": first}
    if name == "Linear":
        return {"in_features": first}
    if name in ("BatchNorm1d", "BatchNorm2d", "InstanceNorm2d"):
        return {"num_features": first}
    if name == "GroupNorm":
        return {"num_channels": first}
    return {}


def _normalized_shape(values: dict[str, Any], input_row: LayerRow) -> dict[str, Any]:
    """The whole input shape, where `LayerNorm` and `RMSNorm` are not told which part of it."""
    is_open = "normalized_shape" in values and values["normalized_shape"] is None
    return {"normalized_shape": input_row.output_shape} if is_open else {}


def loss(spec: RunSpec) -> nn.Module:
    """The loss of a run: logits (N, classes) and labels int64 (N,) to their mean loss."""
    call = spec.resolved(spec.train.loss)
    module: nn.Module = getattr(nn, call.name)(**catalog.check("loss", call))
    return module


def parameter_groups(spec: RunSpec, model: nn.Module) -> list[list[nn.Parameter]]:
    """The weights that the optimizer decays and, where there are any, those that `no_decay` exempts."""
    kinds = spec.train.no_decay
    exempt = {
        weight
        for module in model.modules()
        for name, weight in module.named_parameters(recurse=False)
        if ("norm" in kinds and type(module).__name__ in NORMS) or ("bias" in kinds and name == "bias")
    }
    decayed = [weight for weight in model.parameters() if weight not in exempt]
    return [decayed, [weight for weight in model.parameters() if weight in exempt]] if exempt else [decayed]


def optimizer(spec: RunSpec, parameters: Sequence[nn.Parameter], exempt: Sequence[nn.Parameter] = ()) -> Optimizer:
    """The optimizer of a run, fused where PyTorch has a fused kernel; raises `SpecError` in PyTorch's words.

    The weight decay of the parameters in `exempt` is 0.
    """
    call = spec.resolved(spec.train.optimizer)
    values: dict[str, Any] = catalog.check("optimizer", call)
    device = (*parameters, *exempt)[0].device
    if call.name in FUSED and device.type in ("cpu", "cuda"):
        values["fused"] = True
    if device.type == "cuda" and can_capture(spec):
        values |= {"capturable": True} if call.name in CAPTURABLE else {}
        # As a tensor on the device the learning rate can change between two replays of a captured step.
        values["lr"] = torch.tensor(float(values["lr"]), device=device)
    groups: list[dict[str, Any]] = [{"params": list(parameters)}]
    groups += [{"params": list(exempt), "weight_decay": 0.0}] if exempt else []
    if isinstance(values["lr"], torch.Tensor):
        # Each group its own: ReduceLROnPlateau would lower a shared one once for each group.
        groups = [group | {"lr": values["lr"].clone()} for group in groups]
    eager.skip_compiler()
    built: Optimizer = _construct(lambda: getattr(torch.optim, call.name)(groups, **values), "optimizer")
    return built


def can_capture(spec: RunSpec) -> bool:
    """Whether a step of this recipe can be replayed as a CUDA graph, in which all numbers but the rate are fixed."""
    call = spec.train.scheduler
    moves_momentum = call is not None and _cycles_momentum(spec.resolved(call))
    return spec.train.optimizer.name in CAPTURABLE | {"SGD"} and not moves_momentum


def _cycles_momentum(call: Call) -> bool:
    values = catalog.check("scheduler", call)
    nested = values.get("schedulers", ())
    calls = nested if isinstance(nested, tuple) else (nested,)
    return bool(values.get("cycle_momentum")) or any(_cycles_momentum(item) for item in calls if isinstance(item, Call))


def scheduler(spec: RunSpec, wrapped: Optimizer, train_images: int) -> lr_scheduler.LRScheduler | None:
    """The scheduler of a run over an optimizer; raises `SpecError`, also where it would run out of steps."""
    if spec.train.scheduler is None:
        return None
    call = spec.resolved(spec.train.scheduler, train_images)
    built: lr_scheduler.LRScheduler = _construct(lambda: _scheduler(call, wrapped), "scheduler")
    _check_steps(spec, built, train_images)
    return built


def _scheduler(call: Call, wrapped: Optimizer) -> Any:
    values = catalog.check("scheduler", call)
    nested = values.pop("schedulers", None)
    if nested is not None:
        calls = nested if isinstance(nested, tuple) else (nested,)
        inner = [_scheduler(item, wrapped) for item in calls if isinstance(item, Call)]
        return lr_scheduler.SequentialLR(wrapped, inner, milestones=_numbers(values["milestones"]))
    if "milestones" in values:
        values["milestones"] = tuple(_numbers(values["milestones"]))
    return getattr(lr_scheduler, call.name)(wrapped, **values)


def _numbers(value: Value) -> list[int]:
    numbers = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(number, int) for number in numbers):
        raise CallError("milestones must be whole numbers")
    return [number for number in numbers if isinstance(number, int)]


def average(spec: RunSpec, model: nn.Module, flat: FlatParameters) -> WeightAverage | None:
    """The average of the weights of a run; None where it has none."""
    if spec.train.average is None:
        return None
    values: dict[str, Any] = catalog.check("average", spec.resolved(spec.train.average))
    return WeightAverage(model, flat, float(values["decay"]))


def augmentation(spec: RunSpec) -> Augmentation | None:
    """The augmentation of a run, None where it has none; raises `SpecError`."""
    if not spec.train.augment:
        return None
    calls = [spec.resolved(call) for call in spec.train.augment]
    built: Augmentation = _construct(lambda: Augmentation(calls, spec.dataset.shape), "augment")
    return built


def slow_transforms(spec: RunSpec) -> tuple[str, ...]:
    """Names of the transforms of a run that run image by image and set torch's global random state.

    Draws no random number. Raises `SpecError`.
    """
    calls = [spec.resolved(call) for call in spec.train.augment]
    return tuple(_construct(lambda: augment.slow_transforms(calls), "augment"))


def scheduler_step(spec: RunSpec) -> str:
    """When the scheduler steps: "batch", "epoch" or "burst"."""
    if spec.train.scheduler_step != "auto" or spec.train.scheduler is None:
        return spec.train.scheduler_step
    return "batch" if spec.train.scheduler.name in catalog.STEPPED_PER_BATCH else "epoch"


def _check_steps(spec: RunSpec, built: lr_scheduler.LRScheduler, train_images: int) -> None:
    """OneCycleLR counts its steps and raises when they are used up, which may be the last step of a long run."""
    per_epoch = 1 if scheduler_step(spec) == "epoch" else spec.steps_per_epoch(train_images)
    needed = spec.train.epochs * per_epoch
    milestones = getattr(built, "_milestones", ())  # A SequentialLR hands over from one part to the next there.
    for part, first, end in zip(
        getattr(built, "_schedulers", (built,)), (0, *milestones), (*milestones, needed), strict=True
    ):
        total, steps = getattr(part, "total_steps", None), min(end, needed) - first
        if isinstance(total, int) and total < steps:
            raise SpecError(
                f"{part.__class__.__name__} is made for {total:,} steps, the run takes {steps:,}; "
                "write epochs=epochs, steps_per_epoch=steps_per_epoch",
                ("train", "scheduler"),
                place="train.scheduler",
            )


def _construct(make: Callable[[], Any], field: str) -> Any:
    try:
        return make()
    except (ValueError, TypeError, KeyError, RuntimeError, CallError) as error:
        raise SpecError(str(error), ("train", field), place=f"train.{field}") from None
