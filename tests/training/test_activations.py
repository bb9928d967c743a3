"""Layer outputs against the modules, class maps against autograd on the whole network, occlusion by brute force."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.reliability import few_images, only_folder, run, small_spec
from torch import nn

from mnist_tui.errors import InputError, RunError, SpecError
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import activations, build
from mnist_tui.training.activations import PATCH, STRIDE, look_inside
from mnist_tui.training.batches import normalise

IMAGE = bytes(few_images().test.pixels[0].flatten().tolist())

RESIDUAL = make_spec(
    {
        "layers": """
            Conv2d(6, 3, padding=1)
            BatchNorm2d()
            ReLU()
            MaxPool2d(2)
            Residual(Conv2d(8, 3, padding=1), ReLU(), shortcut=Conv2d(8, 1))
            Residual(Conv2d(8, 3, padding=1))
            Parallel(Sequential(Conv2d(4, 1), ReLU), Conv2d(4, 3, padding=1), Identity)
            SqueezeExcite(4)
            Repeat(2, Conv2d(16, 1), BatchNorm2d, ReLU)
            Dropout(0.3)
            AdaptiveAvgPool2d(1)
            Flatten()
            Linear(10)
        """,
        "train": {"normalize": [0.2, 0.4]},
    }
)
FLAT = make_spec({"layers": "Flatten()\nLinear(16)\nReLU()\nLinear(10)"})
SPECS = {"residual": RESIDUAL, "flat": FLAT} | {name: presets.load(name) for name in ("iter5", "v2", "step1", "exp19")}


def network_of(spec: RunSpec) -> nn.Sequential:
    """A network with random weights, in eval mode."""
    torch.manual_seed(1)
    return build.network(spec).eval()


def tensor(spec: RunSpec) -> torch.Tensor:
    """The image as the network gets it."""
    pixels = torch.tensor(list(IMAGE), dtype=torch.uint8).view(1, 1, 28, 28)
    return normalise(pixels, *spec.train.normalize)


@pytest.mark.parametrize("name", SPECS)
@torch.no_grad()
def test_every_layer_of_the_table(name: str) -> None:
    """Shapes as the table says; each plain layer is its module applied to the one before; the last is the answer."""
    spec = SPECS[name]
    network = network_of(spec)
    layers = activations.layer_outputs(spec, network, IMAGE)

    assert [layer.row for layer in layers] == list(spec.rows)
    assert all(layer.values.shape == layer.row.output_shape for layer in layers)
    assert layers[-1].values == pytest.approx(network(tensor(spec))[0].numpy(), abs=1e-6)
    outer = [layer for layer in layers if layer.row.depth == 0]
    for module, before, after in zip(list(network)[1:], outer, outer[1:], strict=False):
        expected = module(torch.tensor(before.values)[None])[0].numpy()
        assert after.values == pytest.approx(expected, abs=1e-5)


def test_layers_inside_a_residual() -> None:
    """The layers of body and shortcut come before their sum."""
    layers = activations.layer_outputs(RESIDUAL, network_of(RESIDUAL), IMAGE)
    names = [layer.row.type for layer in layers]

    assert names[4:8] == ["Conv2d", "ReLU", "Conv2d", "Residual"]
    assert layers[7].values == pytest.approx(layers[5].values + layers[6].values, abs=1e-6)


@pytest.mark.parametrize("name", ["residual", "iter5", "v2", "step1", "exp19"])
@pytest.mark.parametrize("label", [0, 7])
def test_class_map(name: str, label: int) -> None:
    """As autograd through the whole network gives it, with the logits taken before a closing LogSoftmax.

    Place by place as HiResCAM; under global average pooling equal to Grad-CAM, and named so.
    """
    spec = SPECS[name]
    network = network_of(spec)
    found = activations.class_map(spec, network, IMAGE, label)
    channels: list[torch.Tensor] = []
    position = [row for row in spec.rows if row.depth == 0].index(found.layer)
    handle = network[position].register_forward_hook(lambda module, given, output: channels.append(output))
    logits = network(tensor(spec)) if spec.calls[-1].name != "LogSoftmax" else network[:-1](tensor(spec))
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[0, label], channels[0])
    hires, grad_cam = torch.zeros(found.values.shape), torch.zeros(found.values.shape)
    for channel in range(gradient.shape[1]):
        hires += gradient[0, channel] * channels[0][0, channel].detach()
        grad_cam += gradient[0, channel].mean() * channels[0][0, channel].detach()
    later = spec.rows[found.layer.index :]
    is_pooled = "AvgPool2d" in later[0].type

    assert found.values == pytest.approx(hires.clamp(min=0).numpy(), abs=1e-5)
    assert found.method == ("Grad-CAM" if is_pooled else "HiResCAM")
    assert torch.allclose(hires, grad_cam, atol=1e-5) is is_pooled
    assert found.heat.shape == (28, 28)
    assert found.heat.max() in (0, pytest.approx(1))
    assert all(len(row.output_shape) == 1 or row.output_shape[1:] == (1, 1) for row in later)


def test_a_pool_that_leaves_places_out() -> None:
    """An average of 4x4 out of 6x6 places is no global one: the map is not Grad-CAM's, and is not named so."""
    spec = make_spec({"layers": "Conv2d(6, 3, stride=5)\nAvgPool2d(4)\nFlatten()\nLinear(10)"})
    found = activations.class_map(spec, network_of(spec), IMAGE, 3)

    assert found.values.shape == (6, 6)
    assert found.method == "HiResCAM"


@torch.no_grad()
def test_occlusion() -> None:
    """Each place of the patch is one more pass through the network; a pixel has the mean over the places on it."""
    spec, label = RESIDUAL, 3
    network = network_of(spec)
    heat = activations.occlusion_map(spec, network, IMAGE, label)
    whole = torch.softmax(network(tensor(spec)), 1)[0, label].item()
    sums, counts = np.zeros((28, 28)), np.zeros((28, 28))
    for row, top in enumerate(range(0, 28 - PATCH + 1, STRIDE)):
        for column, left in enumerate(range(0, 28 - PATCH + 1, STRIDE)):
            pixels = np.array(list(IMAGE), np.uint8).reshape(28, 28).copy()
            pixels[top : top + PATCH, left : left + PATCH] = 0
            inputs = normalise(torch.tensor(pixels)[None, None], *spec.train.normalize)
            drop = whole - torch.softmax(network(inputs), 1)[0, label].item()
            assert heat.drops[row, column] == pytest.approx(drop, abs=1e-6)
            sums[top : top + PATCH, left : left + PATCH] += drop
            counts[top : top + PATCH, left : left + PATCH] += 1

    assert heat.probability == pytest.approx(whole)
    assert heat.heat == pytest.approx(sums / counts, abs=1e-6)
    assert np.abs(heat.drops).max() > 1e-4


def test_everything_about_an_image(tmp_path: Path) -> None:
    """Of the predicted and the true class, from the folder of a run, without changing random state or gradients."""
    spec = small_spec()
    list(run(tmp_path, spec))
    folder = only_folder(tmp_path)
    state = torch.get_rng_state()
    drawn = look_inside(folder, IMAGE)
    other = (drawn.prediction + 1) % 10
    known = look_inside(folder, IMAGE, other)

    assert torch.equal(torch.get_rng_state(), state)
    assert sum(drawn.probabilities) == pytest.approx(1, abs=1e-5)
    assert [one.label for one in drawn.class_maps] == [drawn.prediction]
    assert [one.label for one in known.class_maps] == [drawn.prediction, other]
    assert [one.label for one in known.occlusions] == [drawn.prediction, other]
    assert known.filters is not None
    assert known.filters.shape[:2] == (known.layers[0].values.shape[0], 1)
    assert [layer.row for layer in known.layers] == list(spec.rows)


def test_no_gradient_stays_in_the_network() -> None:
    """Afterwards the network has no gradient, no hook, and its mode is unchanged."""
    network = network_of(RESIDUAL)
    activations.class_map(RESIDUAL, network, IMAGE, 1)
    activations.layer_outputs(RESIDUAL, network, IMAGE)

    assert all(weight.grad is None for weight in network.parameters())
    assert all(not module._forward_hooks for module in network.modules())
    assert not network.training


def test_networks_without_maps() -> None:
    """No convolution, no filters; no layer with pixels, no class map."""
    network = network_of(FLAT)

    assert activations.first_filters(network) is None
    with pytest.raises(SpecError, match="no class map"):
        activations.class_map(FLAT, network, IMAGE, 0)


def test_bad_input(tmp_path: Path) -> None:
    """An image of a wrong size, and a folder without a run, raise errors."""
    with pytest.raises(InputError, match="has 784 grey values; this one has 5"):
        activations.probabilities(FLAT, network_of(FLAT), b"12345")
    with pytest.raises(RunError, match="no such run folder"):
        look_inside(tmp_path / "nothing", IMAGE)
