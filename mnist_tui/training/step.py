"""One training step on the device: forward, backward, a look at what is finite, optimizer.

Everything a step reads and writes lies in tensors whose place does not change between steps, so that on CUDA the step
is captured once as a graph and then replayed; elsewhere the same code runs eagerly.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from mnist_tui.spec.recipe import TrainSpec
from mnist_tui.training.build import FUSED

WARM_UP_STEPS = 3
"""Eager steps before a capture, in which libraries set up their workspaces (PyTorch's notes on CUDA graphs)."""


class TrainStep:
    """Takes optimizer steps, and keeps each one's mean loss and right answers until the epoch is over."""

    def __init__(
        self,
        settings: TrainSpec,
        model: nn.Module,
        vector: nn.Parameter,
        loss: nn.Module,
        optimizer: Optimizer,
        device: torch.device,
        steps_per_epoch: int,
        can_capture: bool,
    ) -> None:
        self.settings = settings
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.device = device
        assert vector.grad is not None
        self.vector = vector
        """All weights (P,)."""
        self.gradient = vector.grad
        """Their gradients (P,)."""
        self.losses = torch.zeros(steps_per_epoch, device=device)
        """The mean loss of every step of the epoch so far."""
        self.correct = torch.zeros(steps_per_epoch, dtype=torch.int64, device=device)
        """The right answers of every step of the epoch so far."""
        self.found_nonfinite = torch.zeros((), device=device)
        """1 once a loss or a gradient was not finite; a scalar, since fused Adam subtracts it from its step counts."""
        self._one = torch.ones(1, device=device)
        self._index = torch.zeros(1, dtype=torch.int64, device=device)
        self._graph: Any = None
        self._graph_inputs: tuple[Tensor, Tensor] | None = None
        self._eager_steps = 0
        # BatchNorm(momentum=None) reads its count of batches back, which a capture forbids.
        reads_back = any(getattr(module, "momentum", 0) is None for module in model.modules())
        self.is_captured = device.type == "cuda" and can_capture and not reads_back
        if device.type == "cuda" and type(optimizer).__name__ in FUSED:
            # The fused kernels leave the weights alone where this is 1 (made for torch.amp's gradient scaler).
            optimizer.found_inf = self.found_nonfinite  # type: ignore[attr-defined]

    def begin(self, steps_done: int) -> None:
        """Sets how many steps of the epoch were taken."""
        self._index.fill_(steps_done)
        self.losses[steps_done:].zero_()
        self.correct[steps_done:].zero_()

    def __call__(self, inputs: Tensor, labels: Tensor) -> bool:
        """Steps on a batch; False where loss or gradient was not finite and no step was taken.

        On CUDA nothing is read, so the answer is True; `found_nonfinite` tells it when it is looked at.
        """
        if not self.is_captured or len(labels) != self.settings.batch_size:
            return self._step(inputs, labels)
        if self._eager_steps < WARM_UP_STEPS:
            self._eager_steps += 1
            return self._on_side_stream(inputs, labels)
        if self._graph_inputs is None:
            self._graph_inputs = (inputs.clone(), labels.clone())
            self._capture(*self._graph_inputs)
        for place, value in zip(self._graph_inputs, (inputs, labels), strict=True):
            place.copy_(value)
        self._graph.replay()
        return True

    def _step(self, inputs: Tensor, labels: Tensor) -> bool:
        self.gradient.zero_()
        half = self.settings.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half, cache_enabled=False):
            logits = self.model(inputs)
        loss = self.loss(logits.float(), labels)
        loss.backward()
        if not self._is_finite(loss.detach()):
            return False
        if self.settings.clip_grad_norm is not None:
            clip_grad_norm_(self.vector, self.settings.clip_grad_norm)
        self.optimizer.step()
        self.losses.index_copy_(0, self._index, loss.detach()[None])
        self.correct.index_copy_(0, self._index, (logits.argmax(1) == labels).sum()[None])
        self._index += 1
        return True

    def _is_finite(self, loss: Tensor) -> bool:
        """Whether loss and gradients are finite, also kept in `found_nonfinite`; on CUDA without a synchronisation."""
        # torch.amp's own look at gradients in one call; they are multiplied by 1.
        torch._amp_foreach_non_finite_check_and_unscale_([self.gradient], self.found_nonfinite, self._one)
        if self.device.type == "cuda":
            self.found_nonfinite.copy_(torch.maximum(self.found_nonfinite, (~torch.isfinite(loss)).float()))
            return True
        if not math.isfinite(loss.item()):
            self.found_nonfinite.fill_(1)
        return not self.found_nonfinite.item()

    def _on_side_stream(self, inputs: Tensor, labels: Tensor) -> bool:
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            taken = self._step(inputs, labels)
        torch.cuda.current_stream(self.device).wait_stream(stream)
        return taken

    def _capture(self, inputs: Tensor, labels: Tensor) -> None:
        """Records a step on a full batch; recording runs nothing."""
        self._graph = torch.cuda.CUDAGraph()
        # Without a stream of its own device, `graph` captures on device 0 whatever device is trained on.
        with torch.cuda.graph(self._graph, stream=torch.cuda.Stream(self.device)):
            self._step(inputs, labels)
