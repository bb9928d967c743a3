"""A function of tensors that CUDA captures as a graph and then replays, so that its kernels start without Python."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

WARM_UP_CALLS = 3
"""Eager calls before a capture, in which libraries allocate their workspaces (PyTorch's notes on CUDA graphs)."""


class Captured:
    """A function that is captured on its inputs' shapes; what it reads and writes besides must stay at its address."""

    def __init__(
        self, function: Callable[..., Any], device: torch.device, generators: Iterable[torch.Generator] = ()
    ) -> None:
        self.function = function
        self.device = device
        self.generators = tuple(generators)
        """CUDA generators that the function draws from, besides the device's own."""
        self._calls = 0
        self._graph: Any = None
        self._inputs: Sequence[Tensor] = ()

    def __call__(self, *inputs: Tensor) -> None:
        """Calls the function on tensors of the same shapes as before; the first calls are eager, and count."""
        if self._calls < WARM_UP_CALLS:
            self._calls += 1
            self._call_on_side_stream(inputs)
            return
        if self._graph is None:
            self._inputs = [value.clone() for value in inputs]
            self._capture()
        for static, value in zip(self._inputs, inputs, strict=True):
            static.copy_(value)
        self._graph.replay()

    def _call_on_side_stream(self, inputs: Sequence[Tensor]) -> None:
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            self.function(*inputs)
        torch.cuda.current_stream(self.device).wait_stream(stream)

    def _capture(self) -> None:
        """Captures a call as a graph, without running it."""
        self._graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            self._graph.register_generator_state(generator)
        # Without a stream on this device `torch.cuda.graph` captures on device 0, whichever device is used.
        with torch.cuda.graph(self._graph, stream=torch.cuda.Stream(self.device)):
            self.function(*self._inputs)
