"""Transforms of colours give each image of a batch what torchvision would give it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as reference

from mnist_tui.errors import CallError, SpecError
from mnist_tui.spec.calls import parse
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.training import build
from mnist_tui.training.augment import Augmentation
from mnist_tui.training.batched_colours import ColorJitter

COLOURS, GREY = (3, 32, 32), (1, 28, 28)
COUNT = 96
ADJUST = {
    "brightness": reference.adjust_brightness,
    "contrast": reference.adjust_contrast,
    "saturation": reference.adjust_saturation,
    "hue": reference.adjust_hue,
}


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    """uint8 (96, 3, 32, 32): noise, and blocks of one colour, black, white, grey and pure ones among them."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(256, (COUNT // 2, *COLOURS), generator=generator)
    levels = torch.tensor([0, 1, 127, 128, 254, 255])
    blocks = levels[torch.randint(6, (COUNT // 2, 3, 4, 4), generator=generator)]
    return torch.cat([noise, blocks.repeat_interleave(8, 2).repeat_interleave(8, 3)]).to(torch.uint8)


def augmentation(*calls: str, shape: tuple[int, int, int] = COLOURS) -> Augmentation:
    """An augmentation from text."""
    return Augmentation([parse(call) for call in calls], shape)


def torchvisions(call: str) -> v2.ColorJitter:
    """The ColorJitter of torchvision that a call makes."""
    parsed = parse(call)
    return v2.ColorJitter(*parsed.args, **dict(parsed.kwargs))


def params_of(augmented: Augmentation, count: int = COUNT, seed: int = 1) -> Tensor:
    """Random parameters; column 0 is the chain's own."""
    return augmented.sample_params(count, torch.Generator().manual_seed(seed))


def one_by_one(function: Callable[[Tensor, list[float]], Tensor], pixels: Tensor, params: Tensor) -> Tensor:
    """What `function` makes of every uint8 image and its row of parameters, as float32."""
    return torch.stack([function(image, row) for image, row in zip(pixels, params.tolist(), strict=True)]).float()


def assert_alike(images: Tensor, expected: Tensor, share: float = 0.002) -> None:
    """Equal, but for values at a whole grey level, which float32 may take for the one below."""
    difference = (images - expected).abs()

    assert images.shape == expected.shape
    assert torch.equal(images, images.clamp(0, 255).round())
    assert difference.max() <= 1
    assert (difference > 0).float().mean() < share


@pytest.mark.parametrize("name", ADJUST)
def test_one_adjustment(name: str, pixels: Tensor) -> None:
    """Each image is adjusted by its own factor."""
    augmented = augmentation(f"ColorJitter({name}={0.5 if name == 'hue' else 0.9})")
    params = params_of(augmented)
    expected = one_by_one(lambda image, row: ADJUST[name](image, row[1]), pixels, params)

    assert augmented.slow == []
    assert_alike(augmented(pixels.float(), params), expected)
    assert len(params[:, 1].unique()) == COUNT


def test_all_in_each_order(pixels: Tensor) -> None:
    """All four, in the order of the image: each of the 24 is drawn."""
    augmented = augmentation("ColorJitter(0.4, 0.4, 0.4, 0.1)")
    params = params_of(augmented, count=10 * COUNT)
    many = pixels.repeat(10, 1, 1, 1)

    def expected(image: Tensor, row: list[float]) -> Tensor:
        for index in map(int, row[5:]):
            image = list(ADJUST.values())[index](image, row[1 + index])
        return image

    images, others = augmented(many.float(), params), one_by_one(expected, many, params)

    assert len({tuple(order) for order in params[:, 5:].tolist()}) == 24
    assert ((images - others).abs() > 1).float().mean() < 0.0001  # One level apart, a hue may turn by more.
    assert ((images - others).abs() > 0).float().mean() < 0.002


def test_the_order_matters(pixels: Tensor) -> None:
    """Negative control: with the orders of other images the result is another."""
    augmented = augmentation("ColorJitter(0.4, 0.4, 0.4, 0.1)")
    params = params_of(augmented)
    shuffled = torch.cat([params[:, :5], params[:, 5:].roll(1, 0)], dim=1)
    difference = (augmented(pixels.float(), params) - augmented(pixels.float(), shuffled)).abs()

    assert (difference > 1).float().mean() > 0.2


@pytest.mark.parametrize(
    "call",
    [
        "ColorJitter(0.4, 0.3, 0.2, 0.1)",
        "ColorJitter(brightness=2)",
        "ColorJitter(saturation=(0.5, 3), hue=(-0.1, 0.3))",
        "ColorJitter(contrast=(1, 1), hue=0)",
        "ColorJitter()",
    ],
)
def test_the_ranges_are_torchvisions(call: str) -> None:
    """A number is a range around what changes nothing; a pair is the range."""
    theirs = torchvisions(call)
    (ours,) = augmentation(call).sequence.transforms
    ranges = [limits for _, limits in ours.adjustments] if isinstance(ours, ColorJitter) else []

    assert ranges == [
        pytest.approx(each)
        for each in (theirs.brightness, theirs.contrast, theirs.saturation, theirs.hue)
        if each is not None
    ]


@pytest.mark.parametrize(
    "call",
    [
        "ColorJitter(brightness=-0.1)",
        "ColorJitter(contrast=(1.5, 0.5))",
        "ColorJitter(saturation=(-1, 1))",
        "ColorJitter(hue=0.6)",
        "ColorJitter(hue=(-0.7, 0))",
        "ColorJitter(hue=(0.1, 0.2, 0.3))",
    ],
)
def test_what_torchvision_refuses(call: str) -> None:
    """It is refused here too, with the name of the argument."""
    with pytest.raises((TypeError, ValueError)):
        torchvisions(call)
    with pytest.raises(CallError, match="|".join(ADJUST)):
        augmentation(call)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_random_grayscale(p: float, pixels: Tensor) -> None:
    """The images whose random number is below p are torchvision's grey, in three channels; the others stay."""
    augmented = augmentation(f"RandomGrayscale({p})")
    params = params_of(augmented)
    expected = one_by_one(
        lambda image, row: reference.rgb_to_grayscale(image, 3) if row[1] < p else image, pixels, params
    )

    assert augmented.slow == []
    assert_alike(augmented(pixels.float(), params), expected)


@pytest.mark.parametrize("chain", [["ColorJitter(0.4, 0.4, 0.4, 0.1)", "RandomGrayscale(0.3)"]], ids=str)
def test_draws_are_the_whole_randomness(chain: list[str], pixels: Tensor) -> None:
    """The same parameters give the same images in any order, in a batch or alone; the images given stay as they are."""
    augmented = augmentation(*chain)
    params, images = params_of(augmented), pixels.float()
    first = augmented(images, params)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(2))
    alone = torch.cat([augmented(images[i : i + 1], params[i : i + 1]) for i in range(COUNT)])

    assert torch.equal(alone, first)
    assert torch.equal(augmented(images[order], params[order]), first[order])
    assert torch.equal(images, pixels.float())
    assert not torch.equal(first, images)


# --- grey images -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["brightness", "contrast"])
def test_grey_images(name: str, pixels: Tensor) -> None:
    """Brightness and contrast are those of torchvision on one channel."""
    grey = pixels[:, :1, :28, :28]
    augmented = augmentation(f"ColorJitter({name}=0.8)", shape=GREY)
    params = params_of(augmented)
    expected = one_by_one(lambda image, row: ADJUST[name](image, row[1]), grey, params)

    assert_alike(augmented(grey.float(), params), expected)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            "RandomGrayscale()",
            "RandomGrayscale: images of three channels are needed, and those of this data set are grey",
        ),
        ("ColorJitter(0.4, 0.4, 0.4, 0.1)", "ColorJitter: for saturation and hue images of three channels are needed"),
        (
            "ColorJitter(hue=0.1)",
            "ColorJitter: for hue images of three channels are needed, .*; brightness and contrast",
        ),
        ("RandomApply([ColorJitter(saturation=0.4)], p=0.8)", "ColorJitter: for saturation"),
        ("RandomChoice([Identity(), RandomOrder([RandomGrayscale()])])", "RandomGrayscale: images of three"),
    ],
)
def test_colours_of_grey_images(call: str, words: str) -> None:
    """They are refused before anything is trained, in one line that says why; with colours they are not."""
    layers = "Flatten()\nLinear(10)"
    with pytest.raises(SpecError, match=f"train.augment: {words}") as error:
        build.augmentation(make_spec({"layers": layers, "train": {"augment": [call]}}))
    spec = make_spec({"layers": layers, "train": {"augment": [call]}, "data": {"name": "cifar-10"}})

    assert "\n" not in str(error.value)
    assert build.augmentation(spec) is not None
    assert build.slow_transforms(spec) == (("RandomChoice",) if "RandomChoice" in call else ())
