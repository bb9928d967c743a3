"""PyTorch's optimizers without its compiler, which would take over a second to import; nothing here is compiled.

PyTorch imports `torch._dynamo` at the first optimizer and at the first step, to keep both out of compiled graphs:
torch/_compile.py and torch/optim/optimizer.py of version 2.14.
"""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch.optim import Optimizer

KEPT_OUT = "__dynamo_disable"
"""Where `torch._compile` keeps the form of a method that the compiler passes over, once it has been imported."""


def skip_compiler() -> None:
    """Lets optimizers be made and take steps without `torch._dynamo`; in a process that has it, changes nothing.

    Numbers stay the same. Parts that have other names in another version of PyTorch stay as they are.
    """
    if "torch._dynamo" in sys.modules:
        return
    for name in dir(Optimizer):
        method = getattr(getattr(Optimizer, name), "__wrapped__", None)
        if method is not None and not hasattr(method, KEPT_OUT):
            setattr(method, KEPT_OUT, method)
    for name in torch.optim.__all__:
        kind = getattr(torch.optim, name)
        step = vars(kind).get("step")
        if "torch._dynamo" in getattr(getattr(step, "__code__", None), "co_names", ()):
            kind.step = _eager(step.__wrapped__)


def _eager(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step without gradients unless the optimizer is differentiable, as `_use_grad_for_differentiable` makes it."""

    @wraps(step)
    def eager_step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return step(self, *args, **kwargs)

    return eager_step
