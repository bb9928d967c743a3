"""Which runs are trained as one network, and why others are not."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch

from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import build
from mnist_tui.training.stacked import layers


def seed_groups(specs: Sequence[RunSpec]) -> Iterator[list[RunSpec]]:
    """The specs in their order, those that follow each other and differ in the seed only together."""
    for _, group in groupby(specs, key=lambda spec: spec.with_seed(0).model_dump_json()):
        yield list(group)


def why_not(spec: RunSpec) -> str | None:
    """Why the seeds of a recipe are trained one by one; None where they are trained as one network."""
    if spec.dataset.shape[0] > 1:
        return f"the images have {spec.dataset.shape[0]} channels"
    if spec.train.optimizer.name in build.BY_SHAPE:
        return f"{spec.train.optimizer.name} computes its step from the shape of each weight"
    if "ReduceLROnPlateau" in str(spec.train.scheduler):
        return "ReduceLROnPlateau sets each seed's learning rate by its own results"
    with torch.device("meta"):  # Draws no random number.
        return layers.why_not(build.network(spec))
