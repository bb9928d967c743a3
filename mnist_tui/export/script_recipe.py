"""The calls of a recipe as source: optimizer, scheduler, loss and transforms, on the variables of the script."""

from mnist_tui.export.source import Names, Source, brackets, value_text
from mnist_tui.spec.calls import Call, Value, signature
from mnist_tui.spec.catalog import CATALOGS, default_of
from mnist_tui.spec.run_spec import RunSpec


def optimizer_source(spec: RunSpec, names: Names) -> Source:
    """`optim.Adam(network.parameters(), lr=0.002)`."""
    parameters = "parameter_groups(network)" if spec.train.no_decay else "network.parameters()"
    return _call("optimizer", "optim", spec.train.optimizer, names, parameters)


def average_source(spec: RunSpec, names: Names) -> Source | None:
    """`AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.999), use_buffers=True)`; None without an average."""
    if spec.train.average is None:
        return None
    decay = _given("average", spec.train.average).get("decay", default_of("average", "EMA", "decay"))
    function = Source(f"get_ema_multi_avg_fn({value_text(decay, names)})").named("multi_avg_fn")
    return brackets("AveragedModel(", [Source("network"), function, Source("use_buffers=True")])


def loss_source(spec: RunSpec, names: Names) -> Source:
    """`nn.CrossEntropyLoss()`."""
    return _call("loss", "nn", spec.train.loss, names)


def scheduler_source(spec: RunSpec, names: Names) -> Source | None:
    """`lr_scheduler.StepLR(optimizer, step_size=15, gamma=0.1)`; None where the learning rate is constant."""
    call = spec.train.scheduler
    return _call("scheduler", "lr_scheduler", call, names, "optimizer") if call else None


def plateau_mode(spec: RunSpec) -> Value:
    """What a `ReduceLROnPlateau` watches: "min" for a loss, "max" for an accuracy; None for other schedulers."""
    call = spec.train.scheduler
    if call is None or call.name != "ReduceLROnPlateau":
        return None
    return _given("scheduler", spec.resolved(call)).get("mode", default_of("scheduler", call.name, "mode"))


def transform_sources(spec: RunSpec, names: Names) -> list[Source]:
    """The transforms of the training images, such as `v2.RandomRotation(7)`."""
    return [_call("transform", "v2", call, names) for call in spec.train.augment]


def _call(catalog: str, module: str, call: Call, names: Names, *first: str) -> Source:
    """A call of a catalog, of a class in `module`, with `first` before its own arguments."""
    by_name = [name for name, _ in call.kwargs]
    arguments = []
    for name, value in _given(catalog, call).items():
        source = _argument(catalog, module, name, value, names, *first)
        # A loss of PyTorch has other arguments before those that a preset may give.
        arguments.append(source.named(name) if name in by_name or catalog == "loss" else source)
    return brackets(f"{module}.{call.name}(", [*map(Source, first), *arguments])


def _given(catalog: str, call: Call) -> dict[str, Value]:
    """The arguments that a call gives, by name."""
    bound = signature(CATALOGS[catalog][call.name]).bind(*call.args, **dict(call.kwargs))
    return dict(bound.arguments)


def _argument(catalog: str, module: str, name: str, value: Value, names: Names, *first: str) -> Source:
    items = value if isinstance(value, tuple) else (value,)
    if name in ("transforms", "schedulers"):
        calls = [_call(catalog, module, item, names, *first) for item in items if isinstance(item, Call)]
        return brackets("[", calls, "]")
    if name == "milestones":
        return Source(f"[{', '.join(value_text(item, names) for item in items)}]")
    if name == "interpolation" and isinstance(value, str):
        return Source(f"v2.InterpolationMode.{value.upper().replace('-', '_')}")
    if name == "policy" and isinstance(value, str):
        return Source(f"v2.AutoAugmentPolicy.{value.upper()}")
    return Source(value_text(value, names))
