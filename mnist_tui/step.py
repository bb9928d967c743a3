"""One training step on the device: gather, augment, normalise, forward, backward, optimizer.

Everything a step reads lies in tensors whose place does not change between steps, so that on CUDA the whole step is
captured once as a graph and then replayed; elsewhere the same code runs eagerly.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from mnist_tui.augment import Augmentation
from mnist_tui.build import FUSED
from mnist_tui.data import Images
from mnist_tui.spec import TrainSpec

WARM_UP_STEPS = 3
"""Eager steps before a capture, in which libraries set up their workspaces (PyTorch's notes on CUDA graphs)."""


def normalise(pixels: Tensor, mean: float, std: float) -> Tensor:
    """Pixels 0 to 255, any dtype, as float32 in channels_last with the given mean and deviation of 0..1 taken out."""
    scaled = pixels.float().mul(1 / (255 * std)).sub_(mean / std)
    return scaled.contiguous(memory_format=torch.channels_last)


class TrainStep:
    """Takes optimizer steps over an epoch whose order was set by `begin`, and adds up loss and hits."""

    def __init__(
        self,
        settings: TrainSpec,
        model: nn.Module,
        loss: nn.Module,
        optimizer: Optimizer,
        images: Images,
        augmentation: Augmentation | None,
        can_capture: bool,
    ) -> None:
        self.settings = settings
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.images = images
        self.augmentation = augmentation
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        device = images.labels.device
        self.device = device
        self.order = torch.zeros(len(images), dtype=torch.int64, device=device)
        self.draws = torch.zeros(len(images), augmentation.sequence.draws if augmentation else 0, device=device)
        self.position = torch.zeros(1, dtype=torch.int64, device=device)
        # MPS has no float64.
        self.sums = torch.zeros(2, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
        """Loss times images, and right answers, of the epoch so far."""
        self.is_finite = torch.ones(1, dtype=torch.bool, device=device)
        # What runs image by image leaves the device, and so cannot be captured.
        self.is_captured = device.type == "cuda" and can_capture and not (augmentation and augmentation.slow)
        self._graph: Any = None
        self._eager_steps = 0
        self._offsets = torch.arange(settings.batch_size, device=device)
        if device.type == "cuda" and type(optimizer).__name__ in FUSED:
            # The fused kernels leave the weights alone where this is 1 (made for torch.amp's gradient scaler).
            optimizer.found_inf = torch.zeros(1, device=device)  # type: ignore[attr-defined]

    def begin(self, order: Tensor, draws: Tensor, first: int) -> None:
        """Sets the order (N,) of an epoch's images and their augmentation (N, K), and the first image to take."""
        self.order.copy_(order)
        self.draws.copy_(draws)
        self.position.fill_(first)

    def __call__(self, count: int) -> bool:
        """Steps on the next `count` images; False where loss or gradient was not finite and no step was taken.

        On CUDA nothing is read, so the answer is True; `is_finite` tells it when it is looked at.
        """
        if not self.is_captured or count != self.settings.batch_size:
            return self._step(count)
        if self._graph is None and self._eager_steps < WARM_UP_STEPS:
            self._eager_steps += 1
            return self._on_side_stream(count)
        if self._graph is None:
            self._capture(count)
        self._graph.replay()
        return True

    def _step(self, count: int) -> bool:
        index = self.position + self._offsets[:count]
        self.position += count
        chosen = self.order[index]
        labels = self.images.labels[chosen]
        scores, loss = self._forward(self._inputs(chosen, index), labels)
        loss.backward()
        norm = self._clip()
        finite = torch.isfinite(loss.detach() + norm)
        self.is_finite &= finite
        if self.device.type != "cuda" and not finite:
            return False
        self._update()
        self.sums += torch.stack([loss.detach() * count, (scores.argmax(1) == labels).sum()])
        return True

    def _inputs(self, chosen: Tensor, index: Tensor) -> Tensor:
        pixels = self.images.pixels[chosen]
        if self.augmentation is not None:
            pixels = self.augmentation(pixels.float(), self.draws[index])
        return normalise(pixels, *self.settings.normalize)

    def _forward(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        self.optimizer.zero_grad(set_to_none=True)
        half = self.settings.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half, cache_enabled=False):
            scores = self.model(inputs)
        return scores, self.loss(scores.float(), labels)

    def _clip(self) -> Tensor:
        """The gradient's 2-norm, after which the gradient is no longer than `clip_grad_norm`."""
        norm: Tensor = get_total_norm([weight.grad for weight in self.parameters if weight.grad is not None])
        if self.settings.clip_grad_norm is not None:
            clip_grads_with_norm_(self.parameters, self.settings.clip_grad_norm, norm)
        return norm

    def _update(self) -> None:
        found_inf = getattr(self.optimizer, "found_inf", None)
        if found_inf is not None:
            found_inf.copy_(~self.is_finite)
        self.optimizer.step()

    def _on_side_stream(self, count: int) -> bool:
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            taken = self._step(count)
        torch.cuda.current_stream(self.device).wait_stream(stream)
        return taken

    def _capture(self, count: int) -> None:
        """Records a step on a full batch; recording runs nothing."""
        self.optimizer.zero_grad(set_to_none=True)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._step(count)
