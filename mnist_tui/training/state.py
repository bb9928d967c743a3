"""The state of a training between two steps: network, optimizer, scheduler, random state, and the epochs done."""

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from mnist_tui.errors import SpecError
from mnist_tui.runs.events import EpochEnded, LearningRateChanged, best_of
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import build, mixup
from mnist_tui.training.batches import Batches
from mnist_tui.training.data import Images
from mnist_tui.training.evaluation import Evaluation
from mnist_tui.training.flat_parameters import FlatParameters
from mnist_tui.training.fusion import fuse_layers
from mnist_tui.training.step import TrainStep

MIN_LEARNING_RATE = 1e-12
"""Learning rates up to this count as zero: there is nothing to scale by."""

ORDER_STREAM = 0x0DE7
"""Added to the seed of the run for the generator of image order and augmentation."""


@dataclass(frozen=True)
class Splits:
    """The images of a run, on its device."""

    train: Images
    val: Images | None
    test: Images
    is_judged: bool = True
    """Whether the images are of the data set that the target is of."""


@dataclass(frozen=True)
class EpochTotals:
    """Sums and means over the steps of the epoch so far."""

    loss: float
    """Sum over the images of their loss."""
    correct: int
    """Number of images that were predicted correctly."""
    gradient_norm: float | None
    """Mean over the whole epoch's steps of the gradient's 2-norm; None where a checkpoint did not have the first."""


class Training:
    """Everything that decides how a run continues, between two steps.

    Built from a spec and its images; `checkpoint.restore` brings it to a saved state. With `fuse` the forward pass runs
    on fused layers and the optimizer updates all weights as one vector; without, on the network's own modules, with an
    optimizer over its parameters. Raises `SpecError` where PyTorch refuses the recipe.
    """

    def __init__(self, spec: RunSpec, splits: Splits, fuse: bool = True) -> None:
        settings = spec.train
        device = splits.train.labels.device
        torch.manual_seed(settings.seed)
        self.spec = spec
        self.splits = splits
        self.is_fused = fuse
        self.model = build.network(spec).to(device).to(memory_format=torch.channels_last)
        if not spec.parameters:
            raise SpecError("layers: no layer has weights, so there is nothing to train", ("layers",))
        self.flat = FlatParameters(build.parameter_groups(spec, self.model))
        self.vector = self.flat.vector
        """All P weights of the network (P,); its `grad` (P,) holds their gradients."""
        self.updates_vectors = fuse and settings.optimizer.name not in build.BY_SHAPE
        """Whether the optimizer works on the vectors of `flat` instead of the weights."""
        groups = [[group.vector] if self.updates_vectors else group.weights for group in self.flat.groups]
        self.optimizer = build.optimizer(spec, *groups)
        self.average = build.average(spec, self.model, self.flat)
        """The average of the weights that the run is evaluated with; None: with the weights themselves."""
        self.scheduler = build.scheduler(spec, self.optimizer, len(splits.train))
        self.augmentation = build.augmentation(spec)
        self.forward_model = (fuse_layers(self.model) if fuse else self.model).train()
        """The module that computes the forward pass: `model`, or the same weights in fused layers."""
        self.batches = Batches(splits.train, settings.batch_size, settings.normalize, self.augmentation)
        self.step = TrainStep(
            settings,
            self.forward_model,
            self.vector,
            build.loss(spec),
            self.optimizer,
            self.average,
            device,
            self.steps_per_epoch,
            build.can_capture(spec),
        )
        self.generator = torch.Generator().manual_seed(settings.seed + ORDER_STREAM)
        self.generators = _default_generators(device)
        """The generators that dropout draws from, by the kind of their device; torch's own."""
        self.epoch_start = self.generator.get_state()
        """State of `generator` before it draws the order of the current epoch."""
        self.epoch = 1
        """The current epoch, from 1."""
        self.steps_done = 0
        """Steps taken in the current epoch."""
        self.seconds = 0.0
        """Seconds of training in the current epoch, without pauses."""
        self.last_rate = self.learning_rate
        """The learning rate of the previous step."""
        self.rate_changes: list[LearningRateChanged] = []
        """The changes of the learning rate by hand."""
        self.rate_factor = 1.0
        """Factor on the scheduler's learning rates since the last change by hand."""
        self.scheduled: list[float] = []
        """The scheduler's own learning rates, one per parameter group; only kept after a change by hand."""
        self.replayed_rates: dict[tuple[int, int], float] = {}
        """Learning rates to set by hand, as in the run that this one repeats, by epoch and steps taken in it."""
        self.rows: list[EpochEnded] = []
        self.best_evaluation: Evaluation | None = None
        """The evaluation on the test images in the best epoch; None where another process trained it."""

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in an epoch of these images."""
        return self.spec.steps_per_epoch(len(self.splits.train))

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def set_learning_rate(self, rate: float) -> LearningRateChanged:
        """Sets the learning rate of the next step by hand; the scheduler's later rates are scaled in proportion."""
        if not self.rate_changes:
            self.scheduled = _get_rates(self.optimizer)
        first = self.scheduled[0]
        if first > MIN_LEARNING_RATE:  # Else the rate holds until the scheduler sets another.
            self.rate_factor = rate / first
        rates = [rate * scheduled / first if first > MIN_LEARNING_RATE else rate for scheduled in self.scheduled]
        _set_rates(self.optimizer, rates)
        self.rate_changes.append(LearningRateChanged(self.epoch, self.steps_done, rate))
        return self.rate_changes[-1]

    def begin_epoch(self) -> None:
        """Begins the current epoch, or continues it."""
        order, params, shares = self.draw_epoch()
        self.batches.begin(order, params, self.steps_done * self.spec.train.batch_size)
        self.step.begin(self.steps_done, shares)

    def draw_epoch(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Order int64 (N,), augmentation parameters (N, K) and shares of mixup of the current epoch.

        The same after a resume. The shares (S,) are those of the steps; None without mixup.
        """
        self.generator.set_state(self.epoch_start)
        count = len(self.splits.train)
        order = torch.randperm(count, generator=self.generator)
        params = torch.zeros(count, 0)
        if self.augmentation is not None:
            device = self.step.device if self.step.device.type == "cuda" else None  # MPS has no float64.
            params = self.augmentation.sample_params(count, self.generator, device)
        alpha = self.spec.train.mixup
        shares = None if alpha is None else mixup.draw_shares(alpha, self.steps_per_epoch, self.generator)
        return order, params, shares

    def totals(self) -> EpochTotals:
        """The totals of the epoch so far; the host waits for the device here.

        Always summed over all steps of the epoch in the same order, so the result does not depend on when it is read.
        """
        count, batch_size = len(self.splits.train), self.spec.train.batch_size
        losses = self.step.losses.cpu().double()
        sizes = torch.full_like(losses, batch_size)
        sizes[-1] = count - batch_size * (len(losses) - 1)
        gradient_norm = self.step.gradient_norms.cpu().double().mean().item()
        return EpochTotals(
            loss=(losses * sizes).sum().item(),
            correct=int(self.step.correct.sum().item()),
            gradient_norm=gradient_norm if math.isfinite(gradient_norm) else None,
        )

    def evaluated_weights(self) -> AbstractContextManager[None]:
        """Puts the average, where the recipe has one, into the network in this block."""
        return nullcontext() if self.average is None else self.average.in_use()

    def weight_norm(self) -> float:
        """The 2-norm of all weights; the host waits for the device here."""
        return float(self.vector.detach().cpu().double().norm())  # MPS has no float64.

    def step_scheduler(self, row: EpochEnded | None) -> None:
        """Steps the scheduler where it is due: after a batch (`row` is None) or after an epoch."""
        when = build.scheduler_step(self.spec)
        if self.scheduler is None or (row is None) != (when == "batch"):
            return
        if self.rate_changes:
            # Some schedulers compute a rate from the one before: each must see what it set itself.
            _set_rates(self.optimizer, self.scheduled)
        if isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(_plateau_metric(self.scheduler.mode, row))
        else:
            for _ in range(self.steps_per_epoch if when == "burst" else 1):
                self.scheduler.step()
        if self.rate_changes:
            self.scheduled = _get_rates(self.optimizer)
            _set_rates(self.optimizer, [rate * self.rate_factor for rate in self.scheduled])

    def end_epoch(self, row: EpochEnded, evaluation: Evaluation) -> None:
        """Adds the row of a finished epoch and moves on to the next; the scheduler is stepped on its own."""
        self.rows.append(row)
        if best_of(self.rows) is row:
            self.best_evaluation = evaluation
        self.epoch_start = self.generator.get_state()
        self.epoch += 1
        self.steps_done = 0
        self.seconds = 0.0


def _default_generators(device: torch.device) -> dict[str, torch.Generator]:
    """The generators that torch draws from on the CPU and on this device, where it is a CUDA GPU."""
    generators = {"cpu": torch.default_generator}
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        generators["cuda"] = torch.cuda.default_generators[index]
    return generators


def _get_rates(optimizer: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def _set_rates(optimizer: torch.optim.Optimizer, rates: list[float]) -> None:
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)  # In place: a captured CUDA graph reads this tensor.
        else:
            group["lr"] = rate


def _plateau_metric(mode: str, row: EpochEnded | None) -> float:
    """What ReduceLROnPlateau watches: validation loss (mode "min") or accuracy; without a split, training's."""
    assert row is not None
    if mode == "min":
        return row.train_loss if row.val_loss is None else row.val_loss
    return row.train_accuracy if row.val_accuracy is None else row.val_accuracy
