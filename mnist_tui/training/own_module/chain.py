"""A module's forward pass as a chain of layers, by torch.fx's symbolic trace; or the part that is no chain.

A chain is what a preset can say: each step has the output of the one before as its only input, and no module with
parameters is called twice. Where the pass cannot be traced, a chain of module calls is still seen in a real pass: each
module gets the very tensor that the one before it returned.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from mnist_tui.errors import CallError
from mnist_tui.spec.calls import Call
from mnist_tui.training.own_module.layer_calls import call_of_function, call_of_module
from mnist_tui.training.own_module.layer_table import IMAGES, ForwardPass
from mnist_tui.training.own_module.load import place_of

RESHAPING = {"view", "reshape", "flatten", "squeeze", "contiguous", "clone", "unsqueeze"}
"""Functions and methods that only change the shape: which layer they are follows from the shapes before and after."""


@dataclass
class Chain:
    """The layers of a module as calls of a preset."""

    calls: list[Call] = field(default_factory=list)
    broken: str = ""
    """Which part is no chain; "" where all of it is one."""
    remarks: list[str] = field(default_factory=list)
    """Where the preset does not do quite what the module does."""


def find_chain(network: nn.Module, forward: ForwardPass, file: Path) -> Chain:
    """The chain of a network of which a pass was made."""
    try:
        traced = _trace(network)
    except Exception as error:  # Whatever a user's code does with a proxy in the place of a tensor.
        return _chain_of_calls(forward, f"{place_of(error, file)}: {error}".partition("\n")[0])
    assert forward.images is not None
    with torch.no_grad():
        ShapeProp(traced).propagate(forward.images)
    return _chain_of_graph(traced, file)


def _has_parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _trace(network: nn.Module) -> fx.GraphModule:
    tracer = fx.Tracer()
    tracer.record_stack_traces = True
    return fx.GraphModule(network, tracer.trace(network))


def _chain_of_calls(forward: ForwardPass, why: str) -> Chain:
    """The chain of the modules in a pass; broken where a module got anything but the tensor of the one before."""
    chain, previous = Chain(), forward.images
    called: set[int] = set()
    for (module, given, output), row in zip(forward.calls, forward.rows, strict=True):
        if given is not previous or (id(module) in called and _has_parameters(module)):
            chain.broken = (
                f"forward cannot be traced ({why}), and between its modules, before {row.name}, is something else"
            )
            return chain
        try:
            chain.calls.append(call_of_module(module))
        except CallError as error:
            chain.broken = f"{row.name}: {error}"
            return chain
        called.add(id(module))
        previous = output
    if forward.output is not previous:
        chain.broken = f"forward cannot be traced ({why}), and something follows its last module"
    return chain


# --- the graph of a symbolic trace ---


def _chain_of_graph(traced: fx.GraphModule, file: Path) -> Chain:
    chain = Chain()
    previous: fx.Node | None = None
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            if previous is not None:
                if node.users:
                    chain.broken = f"forward takes a second input, {node.name}"
                    return chain
                continue
            previous = node
        elif _shape(node) is None and node.op != "output":
            continue  # A size, for a view.
        elif broken := _add(node, previous, traced, chain):
            chain.broken = f"{_place(node, file)}{broken}"
            return chain
        else:
            previous = node
    return chain


def _add(node: fx.Node, previous: fx.Node | None, traced: fx.GraphModule, chain: Chain) -> str:
    """Adds the layers of a step to a chain; returns why the step is no part of one, or ""."""
    if node.op == "output":
        return "" if node.args == (previous,) else "forward returns something else than the last step's tensor"
    tensors = [one for one in node.all_input_nodes if _shape(one) is not None]
    if tensors != [previous]:
        what = "a second branch joins" if len(tensors) > 1 else "the step does not take the output of the one before"
        hint = "; a preset writes x + f(x) as Residual(...)" if "add" in node.name else ""
        return f"{what} in {node.name}{hint}"
    try:
        chain.calls += _calls_of(node, traced, chain)
    except CallError as error:
        return str(error)
    return ""


def _calls_of(node: fx.Node, traced: fx.GraphModule, chain: Chain) -> list[Call]:
    if node.op == "call_module":
        module = traced.get_submodule(str(node.target))
        users = [one for one in traced.graph.nodes if one.op == "call_module" and one.target == node.target]
        if len(users) > 1 and _has_parameters(module):
            hint = "a preset writes layers that are applied again as Repeat(...)"
            raise CallError(f"{node.target} is called twice with the same parameters; {hint}")
        return [call_of_module(module)]
    if node.op == "get_attr":
        raise CallError(f"{node.target} is a tensor of the module itself")
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    if name in RESHAPING:
        return _reshaping(node, name)
    values = _arguments(node, traced)
    if name == "mean":
        return _mean(node)
    if "dropout" in name and values.get("training") is True:
        chain.remarks.append(
            f"{name}() without training=self.training drops at evaluation as well; the preset's layer does not"
        )
    return [call_of_function(name, values)]


def _arguments(node: fx.Node, traced: fx.GraphModule) -> dict[str, Any]:
    """The arguments of a function or method by name, the input left out."""
    normalized = node.normalized_arguments(traced, normalize_to_only_use_kwargs=True)
    if normalized is not None:
        return {name: value for name, value in normalized.kwargs.items() if not isinstance(value, fx.Node)}
    rest = node.args[1:]
    return dict(node.kwargs) | ({"dim": rest[0]} if rest else {})


def _reshaping(node: fx.Node, name: str) -> list[Call]:
    """`Flatten`, or nothing; raises `CallError` where images are mixed, or a shape comes out that is not flat."""
    before, after = _shape(node.all_input_nodes[0]) or (), _shape(node) or ()
    if before == after:
        return []
    if after == (IMAGES, torch.Size(before[1:]).numel()):
        return [Call("Flatten")]
    mixed = "" if after[:1] == (IMAGES,) else ", which mixes images"
    raise CallError(f"{name}() makes {list(after[1:])} of {list(before[1:])}{mixed}")


def _mean(node: fx.Node) -> list[Call]:
    """The mean over rows and columns: a pool to one pixel, and without `keepdim` a `Flatten`."""
    before, after = _shape(node.all_input_nodes[0]) or (), _shape(node) or ()
    if len(before) == 4 and after in (before[:2], (*before[:2], 1, 1)):
        pool = Call("AdaptiveAvgPool2d", (1,))
        return [pool] if len(after) == 4 else [pool, Call("Flatten")]
    raise CallError(f"mean() makes {list(after[1:])} of {list(before[1:])}")


def _shape(node: fx.Node) -> tuple[int, ...] | None:
    """The shape of a node's tensor, with the batch; None for what is no tensor."""
    meta = node.meta.get("tensor_meta")
    shape = getattr(meta, "shape", None)
    return tuple(shape) if shape is not None else None


def _place(node: fx.Node, file: Path) -> str:
    """`line 12: ` of the user's file, where a step comes from; "" where that is not known."""
    lines = [line.strip() for line in (node.stack_trace or "").splitlines()]
    numbers = [line.partition(", line ")[2].partition(",")[0] for line in lines if f'"{file.resolve()}"' in line]
    return f"line {numbers[-1]}: " if numbers else ""
