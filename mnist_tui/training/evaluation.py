"""Evaluation of a network on plain images: loss, accuracy and the prediction for each image."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mnist_tui.runs.control import Control
from mnist_tui.training.batches import normalise
from mnist_tui.training.data import Images


@dataclass(frozen=True)
class Evaluation:
    """The results of a network on N images."""

    loss: float
    """Mean cross-entropy."""
    accuracy: float
    predictions: Tensor
    """uint8 (N,): the class with the highest logit."""
    probabilities: Tensor
    """float32 (N,): the probability given to the true class."""
    log_probs: Tensor
    """float32 (N, classes): the log-probability of every class."""


class EvaluationStopped(Exception):
    """The run was asked to stop during an evaluation."""


def raise_if_stopped(control: Control | None) -> None:
    """Raises `EvaluationStopped` where the run is to end."""
    if control is not None:
        control.poll()
        if control.should_stop:
            raise EvaluationStopped


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    images: Images,
    batch_size: int,
    normalization: tuple[float, float],
    control: Control | None = None,
) -> Evaluation:
    """Evaluates a model in eval mode on images without augmentation; its state and the random state are unchanged.

    Raises `EvaluationStopped` between two batches when `control` asks to stop.
    """
    was_training = model.training
    model.eval()
    batches = []
    try:
        for pixels in torch.split(images.pixels, batch_size):
            raise_if_stopped(control)
            batches.append(torch.log_softmax(model(normalise(pixels, *normalization)).float(), dim=1))
    finally:
        model.train(was_training)
    return summarise(torch.cat(batches), images.labels)


def summarise(log_probs: Tensor, labels: Tensor) -> Evaluation:
    """The results from log-probabilities float32 (N, classes) and the true classes int64 (N,)."""
    true_log_probs = log_probs.gather(1, labels[:, None])[:, 0].cpu()  # MPS has no float64 to average in.
    predictions = log_probs.argmax(1).cpu()
    return Evaluation(
        loss=-true_log_probs.double().mean().item(),
        accuracy=(predictions == labels.cpu()).double().mean().item(),
        predictions=predictions.to(torch.uint8),
        probabilities=true_log_probs.exp(),
        log_probs=log_probs.cpu(),
    )
