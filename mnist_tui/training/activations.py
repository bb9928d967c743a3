"""What a trained network does with one image: the output of every layer, and which pixels a class depends on.

It stands here and not in analysis/, because it runs the network: only training/ uses torch. What is returned holds
numpy arrays and plain values, so that a screen can show it without torch. Everything happens on the CPU, in eval mode;
no random number is drawn, no gradient is left in the network.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mnist_tui.errors import SpecError
from mnist_tui.runs.storage import load_run
from mnist_tui.spec.layers import LayerRow
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training.batches import normalise
from mnist_tui.training.predict import SIDE, check_grey_28, digit_pixels, load_network, most_probable

Floats = NDArray[np.float32]

PATCH = 6
"""Rows and columns of the patch that covers a part of the image."""
STRIDE = 2
"""Pixels from one place of the patch to the next; it divides `SIDE - PATCH`, so that every pixel is covered."""


@dataclass(frozen=True, eq=False)
class LayerOutput:
    """A row of the layer table with what the layer makes of the image."""

    row: LayerRow
    values: Floats
    """(channels, height, width), or (features,) behind `Flatten`: the row's output shape."""


@dataclass(frozen=True, eq=False)
class ClassMap:
    """How much each part of the image speaks for a class."""

    label: int
    method: Literal["Grad-CAM", "HiResCAM"]
    layer: LayerRow
    """The layer whose channels are weighted: the last one with more than one pixel."""
    values: Floats
    """(height, width) of that layer, 0 and more."""
    heat: Floats
    """(28, 28): the values enlarged bilinearly, 0 to 1; all 0 where nothing speaks for the class."""


@dataclass(frozen=True, eq=False)
class OcclusionMap:
    """How much the probability of a class falls when a part of the image is covered."""

    label: int
    probability: float
    """Of the class, for the whole image."""
    drops: Floats
    """(12, 12), row by row: `probability` less the one with the patch in each of its places; below 0 where it rises."""
    heat: Floats
    """(28, 28): the mean drop over the places in which the patch covers a pixel, -1 to 1."""


@dataclass(frozen=True, eq=False)
class Inside:
    """What a network does with one image: all that `look_inside` computes."""

    probabilities: tuple[float, ...]
    """Of the classes."""
    layers: tuple[LayerOutput, ...]
    filters: Floats | None
    """(channels, input channels, rows, columns): the weights of the first convolution; None without one."""
    class_maps: tuple[ClassMap, ...]
    """Of the predicted class and, where it is another, of the true one; () where no layer has more than one pixel."""
    occlusions: tuple[OcclusionMap, ...]
    """Of the same classes."""

    @property
    def prediction(self) -> int:
        """The class with the highest probability."""
        return most_probable(self.probabilities)


def look_inside(folder: Path, image: bytes, label: int | None = None) -> Inside:
    """What the network of a run's best epoch so far does with an image of 784 grey values, 0 to 255.

    `label` is the image's true class, None for a drawn digit. Raises `InputError` where image or network have another
    size, `RunError` where the folder is no run, and `CheckpointError` where its weights are not there.
    """
    spec, network = load_run(folder).spec, load_network(folder)
    check_grey_28(spec)
    class_probabilities = probabilities(spec, network, image)
    classes = list(dict.fromkeys([most_probable(class_probabilities), *([] if label is None else [label])]))
    has_map = _last_map(spec) is not None
    return Inside(
        probabilities=class_probabilities,
        layers=layer_outputs(spec, network, image),
        filters=first_filters(network),
        class_maps=tuple(class_map(spec, network, image, each) for each in classes) if has_map else (),
        occlusions=tuple(occlusion_map(spec, network, image, each) for each in classes),
    )


@torch.no_grad()
def probabilities(spec: RunSpec, network: nn.Module, image: bytes) -> tuple[float, ...]:
    """What the network says about one image: the probability of each class."""
    return tuple(torch.softmax(network(_input(spec, image)), dim=1)[0].tolist())


@torch.no_grad()
def layer_outputs(spec: RunSpec, network: nn.Module, image: bytes) -> tuple[LayerOutput, ...]:
    """The output of every layer of the layer table, those inside composite layers included, for one image."""
    outputs: dict[nn.Module, Floats] = {}

    def keep(module: nn.Module, arguments: Any, output: Tensor) -> None:
        outputs[module] = _as_array(output[0])

    modules = list(_in_table_order(network))
    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        network(_input(spec, image))
    finally:
        for handle in handles:
            handle.remove()
    return tuple(LayerOutput(row, outputs[module]) for row, module in zip(spec.rows, modules, strict=True))


def _in_table_order(module: nn.Module) -> Iterator[nn.Module]:
    """The modules that have a row of the layer table, in its order: those inside a composite layer before it."""
    for layer in module.children():
        for part in [layer] if isinstance(layer, nn.Sequential) else layer.children():
            yield from _in_table_order(part)
        yield layer


def first_filters(network: nn.Module) -> Floats | None:
    """The weights of the first convolution, (channels, input channels, rows, columns); None where there is none."""
    return next((_as_array(module.weight) for module in network.modules() if isinstance(module, nn.Conv2d)), None)


def class_map(spec: RunSpec, network: nn.Module, image: bytes, label: int) -> ClassMap:
    """How much each place of the last layer with more than one pixel speaks for a class.

    With A_k the k-th channel of that layer and y the logit of the class, the map is ReLU(sum over k of dy/dA_k * A_k),
    place by place: HiResCAM, Draelos, Carin 2020, "Use HiResCAM instead of Grad-CAM for faithful explanations of
    convolutional neural networks" (arXiv:2011.08891). Where global average pooling follows, dy/dA_k is the same at
    every place, and the map is that of Grad-CAM, Selvaraju et al. 2017 (arXiv:1610.02391, equations 1 and 2), which
    has the mean of dy/dA_k over the places instead. Under other heads, such as `Flatten` and `Linear`, that mean
    cancels what speaks for the class at one place by what speaks against it at another.

    A closing `LogSoftmax` or `Softmax` is left out: y is taken before it. Raises `SpecError` where no layer has more
    than one pixel.
    """
    place = _last_map(spec)
    if place is None:
        raise SpecError("no layer has an output of more than one pixel, so there is no class map", ("layers",))
    position, row = place
    modules = list(network.children())
    rest = [module for module in modules[position + 1 :] if not isinstance(module, nn.LogSoftmax | nn.Softmax)]
    with torch.no_grad():
        channels = nn.Sequential(*modules[: position + 1])(_input(spec, image))
    with torch.enable_grad():
        channels = channels.detach().requires_grad_()
        logit = nn.Sequential(*rest)(channels).flatten()[label]
        (gradient,) = torch.autograd.grad(logit, channels)
    values = (gradient * channels.detach()).sum(dim=1, keepdim=True).relu()
    heat = interpolate(values, (SIDE, SIDE), mode="bilinear", align_corners=False)
    highest = heat.max()
    mean = gradient.mean(dim=(2, 3), keepdim=True).expand_as(gradient)
    is_same_everywhere = torch.allclose(gradient, mean, rtol=1e-4, atol=0)
    return ClassMap(
        label=label,
        method="Grad-CAM" if is_same_everywhere else "HiResCAM",
        layer=row,
        values=_as_array(values[0, 0]),
        heat=_as_array((heat / highest if highest > 0 else heat)[0, 0]),
    )


def _last_map(spec: RunSpec) -> tuple[int, LayerRow] | None:
    """The last layer, outside composite layers, whose output has more than one pixel, and its place in the network."""
    rows = [row for row in spec.rows if row.depth == 0]
    maps = [(place, row) for place, row in enumerate(rows) if row.grid != (1, 1) and len(row.output_shape) == 3]
    return maps[-1] if maps else None


@torch.no_grad()
def occlusion_map(spec: RunSpec, network: nn.Module, image: bytes, label: int) -> OcclusionMap:
    """The drop of a class's probability under a patch of background that slides over the image.

    Zeiler, Fergus 2014, "Visualizing and Understanding Convolutional Networks" (arXiv:1311.2901), section 4.2. The
    patch is black, the background of MNIST, so that it takes ink away and adds none.
    """
    places = range(0, SIDE - PATCH + 1, STRIDE)
    pixels = digit_pixels([image]).repeat(len(places) ** 2, 1, 1, 1)
    covers = torch.zeros(len(pixels), 1, SIDE, SIDE)
    for number in range(len(pixels)):
        top, left = places[number // len(places)], places[number % len(places)]
        covers[number, :, top : top + PATCH, left : left + PATCH] = 1
    inputs = normalise(pixels * (1 - covers), *spec.train.normalize)
    probability = probabilities(spec, network, image)[label]
    drops = probability - torch.softmax(network(inputs), dim=1)[:, label]
    heat = (drops[:, None, None, None] * covers).sum(dim=0) / covers.sum(dim=0)
    return OcclusionMap(label, probability, _as_array(drops.view(len(places), -1)), _as_array(heat[0]))


def _input(spec: RunSpec, image: bytes) -> Tensor:
    """An image as float32 (1, 1, 28, 28), normalised as in training; raises `InputError`."""
    return normalise(digit_pixels([image]), *spec.train.normalize)


def _as_array(values: Tensor) -> Floats:
    """A copy that the network does not change."""
    array: Floats = values.detach().float().contiguous().numpy().copy()
    return array
