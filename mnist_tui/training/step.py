"""One training step on the device: forward, backward, check for finite values, optimizer.

Everything a step reads and writes is in tensors whose address does not change between steps, so that on CUDA the step
is captured once as a graph and then replayed; elsewhere the same code runs eagerly.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_
from torch.optim import Optimizer

from mnist_tui.spec.recipe import TrainSpec
from mnist_tui.training import mixup
from mnist_tui.training.averaging import WeightAverage
from mnist_tui.training.capture import Captured


class TrainStep:
    """Takes optimizer steps, and keeps loss, correct predictions and gradient norm of every step of the epoch."""

    def __init__(
        self,
        settings: TrainSpec,
        model: nn.Module,
        vector: nn.Parameter,
        loss: nn.Module,
        optimizer: Optimizer,
        average: WeightAverage | None,
        device: torch.device,
        steps_per_epoch: int,
        can_capture: bool,
    ) -> None:
        self.settings = settings
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.average = average
        self.device = device
        assert vector.grad is not None
        self.vector = vector
        """All weights (P,)."""
        self.gradient = vector.grad
        """The gradients of all weights (P,)."""
        self.losses = torch.zeros(steps_per_epoch, device=device)
        """The batch's mean loss, for every step of the epoch; float32 (S,), 0 for steps to come."""
        self.correct = torch.zeros(steps_per_epoch, dtype=torch.int64, device=device)
        """The number of correct predictions, for every step of the epoch; int64 (S,)."""
        self.gradient_norms = torch.zeros(steps_per_epoch, device=device)
        """The gradient's 2-norm before clipping, for every step of the epoch; float32 (S,), NaN where not measured."""
        self.shares = torch.ones(steps_per_epoch, device=device)
        """With mixup the share of own images in the batch, for every step of the epoch; float32 (S,)."""
        self.found_nonfinite = torch.zeros((), dtype=torch.float32, device=device)
        """1 once a loss or a gradient was not finite; a scalar, since fused Adam subtracts it from its step counts."""
        self._one = torch.ones(1, dtype=torch.float32, device=device)
        self._index = torch.zeros(1, dtype=torch.int64, device=device)
        self._captured = Captured(self._step, device)
        # BatchNorm(momentum=None) reads its batch count on the host, which a capture forbids.
        reads_back = any(getattr(module, "momentum", 0) is None for module in model.modules())
        self.is_captured = device.type == "cuda" and can_capture and not reads_back
        if device.type == "cuda" and optimizer.defaults.get("fused"):
            # Where this is 1 the fused kernels do not update the weights (it is there for torch.amp's gradient scaler).
            optimizer.found_inf = self.found_nonfinite  # type: ignore[attr-defined]

    def begin(self, steps_done: int, shares: Tensor | None = None) -> None:
        """Sets how many steps of the epoch are done and its shares, and clears what is kept of the steps to come."""
        self._index.fill_(steps_done)
        if shares is not None:
            self.shares.copy_(shares)
        for of_each_step in (self.losses, self.correct, self.gradient_norms):
            of_each_step[steps_done:].zero_()

    def __call__(self, inputs: Tensor, labels: Tensor) -> bool:
        """Takes a step on a batch; False where loss or gradient was not finite, and then the weights are unchanged.

        On CUDA always True, since the host does not wait for the device: read `found_nonfinite` from time to time.
        """
        if not self.is_captured or len(labels) != self.settings.batch_size:
            return self._step(inputs, labels)
        self._captured(inputs, labels)
        return True

    def _step(self, inputs: Tensor, labels: Tensor) -> bool:
        self.gradient.zero_()
        shares = self.shares.index_select(0, self._index) if self.settings.mixup else None  # (1,)
        inputs = inputs if shares is None else mixup.mix_images(inputs, shares)
        is_bfloat16 = self.settings.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=is_bfloat16, cache_enabled=False):
            logits = self.model(inputs)
        logits = logits.float()
        loss = self.loss(logits, labels)
        if shares is not None:
            loss = mixup.mix_losses(loss, self.loss(logits, mixup.partners(labels)), shares.squeeze())
            labels = mixup.main_labels(labels, shares)
        loss.backward()
        if not self._is_finite(loss.detach()):
            return False
        gradient_norm = torch.linalg.vector_norm(self.gradient)
        if self.settings.clip_grad_norm is not None:
            clip_grads_with_norm_(self.vector, self.settings.clip_grad_norm, gradient_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update()
        self.losses.index_copy_(0, self._index, loss.detach()[None])
        self.correct.index_copy_(0, self._index, (logits.argmax(1) == labels).sum()[None])
        self.gradient_norms.index_copy_(0, self._index, gradient_norm[None])
        self._index += 1
        return True

    def _is_finite(self, loss: Tensor) -> bool:
        """Whether loss and gradients are finite; also kept in `found_nonfinite`. Does not synchronise on CUDA."""
        # torch.amp's check of all gradients in one call; it multiplies them by 1.
        torch._amp_foreach_non_finite_check_and_unscale_([self.gradient], self.found_nonfinite, self._one)
        if self.device.type == "cuda":
            self.found_nonfinite.copy_(torch.maximum(self.found_nonfinite, (~torch.isfinite(loss)).float()))
            return True
        if not math.isfinite(loss.item()):
            self.found_nonfinite.fill_(1)
        return not self.found_nonfinite.item()
