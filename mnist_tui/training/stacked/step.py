"""One training step of S networks at once: forward, backward, check for finite values, optimizer."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mnist_tui.spec.recipe import TrainSpec
from mnist_tui.training import mixup
from mnist_tui.training.capture import Captured
from mnist_tui.training.stacked.layers import StackedNetwork
from mnist_tui.training.step import TrainStep

NORM_EPSILON = 1e-6
"""What `torch.nn.utils.clip_grad_norm_` adds to a norm that it divides by."""


class StackedStep:
    """Takes optimizer steps of S networks; what each training's own `TrainStep` keeps of a step is a row here."""

    def __init__(
        self,
        settings: TrainSpec,
        network: StackedNetwork,
        loss: nn.Module,
        optimizer: Optimizer,
        steps: list[TrainStep],
        generators: list[torch.Generator],
    ) -> None:
        self.settings = settings
        self.network = network
        self.weights = network.weights
        self.loss = loss
        self.loss.reduction = "none"  # type: ignore[assignment]  # nn.Module is untyped; each network has its mean
        self.optimizer = optimizer
        self.device = steps[0].device
        self.count = len(steps)
        self.averages = [step.average for step in steps if step.average is not None]
        self.losses = torch.stack([step.losses for step in steps])
        """(S, steps of the epoch), as `TrainStep.losses`; those below likewise."""
        self.correct = torch.stack([step.correct for step in steps])
        self.gradient_norms = torch.stack([step.gradient_norms for step in steps])
        self.found_nonfinite = torch.stack([step.found_nonfinite for step in steps])
        self.shares = torch.stack([step.shares for step in steps])
        self._index = torch.zeros(1, dtype=torch.int64, device=self.device)
        for index, step in enumerate(steps):
            step.losses, step.correct = self.losses[index], self.correct[index]
            step.gradient_norms, step.found_nonfinite = self.gradient_norms[index], self.found_nonfinite[index]
            step.shares = self.shares[index]
        self.is_captured = steps[0].is_captured
        self._captured = Captured(self._step, self.device, generators if self.device.type == "cuda" else ())

    def begin(self) -> None:
        """Begins an epoch."""
        self._index.zero_()

    def __call__(self, inputs: Tensor, labels: Tensor) -> list[int]:
        """Takes a step on batches (N * S, 1, 28, 28) and labels (N * S,), the S first images of the batches first.

        The numbers of the networks whose loss or a gradient is not finite; they are no longer of use, the others are
        not affected. On CUDA none, since the host does not wait for the device: read `found_nonfinite`.
        """
        images = inputs.view(-1, self.count, *inputs.shape[2:])  # (N, S, 28, 28)
        if self.is_captured and len(images) == self.settings.batch_size:
            self._captured(images, labels)
        else:
            self._step(images, labels)
        if self.device.type == "cuda":
            return []
        return [index for index, is_found in enumerate(self.found_nonfinite.tolist()) if is_found]

    def _step(self, images: Tensor, labels: Tensor) -> None:
        self.weights.gather()
        shares = self.shares.index_select(1, self._index)[:, 0] if self.settings.mixup else None  # (S,)
        images = images if shares is None else mixup.mix_images(images, shares)
        is_bfloat16 = self.settings.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=is_bfloat16, cache_enabled=False):
            logits = self.network(images)  # (N, S, 10)
        logits, labels = logits.float(), labels.view(-1, self.count)  # (N, S, 10), (N, S)
        losses = self._losses(logits, labels)
        if shares is not None:
            losses = mixup.mix_losses(losses, self._losses(logits, mixup.partners(labels)), shares)
            labels = mixup.main_labels(labels, shares)
        losses = losses.mean(0)  # (S,)
        losses.sum().backward()
        self.weights.gather_gradients()
        gradients = self.weights.gradients
        is_finite = torch.isfinite(losses.detach()) & torch.isfinite(gradients).all(1)
        self.found_nonfinite.copy_(torch.maximum(self.found_nonfinite, (~is_finite).float()))
        norms = torch.linalg.vector_norm(gradients, dim=1)
        if self.settings.clip_grad_norm is not None:
            factors = (self.settings.clip_grad_norm / (norms + NORM_EPSILON)).clamp(max=1)
            gradients.mul_(factors[:, None])
        self.optimizer.step()
        for average in self.averages:
            average.update()
        correct = (logits.argmax(2) == labels).sum(0)
        for kept, values in zip(
            (self.losses, self.correct, self.gradient_norms), (losses.detach(), correct, norms), strict=True
        ):
            kept.index_copy_(1, self._index, values[:, None])
        self._index += 1

    def _losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of every image, (N, S), from logits (N, S, 10) and labels (N, S)."""
        losses: Tensor = self.loss(logits.flatten(0, 1), labels.flatten())
        return losses.view_as(labels)
