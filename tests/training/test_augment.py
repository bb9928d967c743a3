"""Augmentation of a batch gives each image what torchvision would give it, and its draws decide everything."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as reference

from mnist_tui.errors import CallError, SpecError
from mnist_tui.runs.control import Control
from mnist_tui.spec import catalog
from mnist_tui.spec.calls import parse
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import batches, build, evaluation, loop
from mnist_tui.training.augment import Augmentation, ImageByImage
from mnist_tui.training.data import Dataset, Images
from mnist_tui.training.elastic import displacements
from mnist_tui.training.state import Splits, Training

PUBLISHED = ["RandomApply([CenterCrop(22)], p=0.1)", "Resize(28)", "RandomRotation(15)"]
"""What most published runs train with."""

COUNT = 60


@pytest.fixture(scope="module")
def pixels(digits: Dataset) -> Tensor:
    """uint8 (60, 1, 28, 28): 30 digits, and 30 images of noise, which hide nothing."""
    noise = torch.randint(256, (30, 1, 28, 28), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    return torch.cat([digits.test.pixels[:30], noise])


def augmentation(*calls: str) -> Augmentation:
    """An augmentation from text."""
    return Augmentation([parse(call) for call in calls])


def units(augmented: Augmentation, seed: int = 0, count: int = COUNT) -> Tensor:
    """Draws in [0, 1), float32 (`count`, K); column 0 is the whole chain's own, then come its transforms'."""
    return torch.rand(count, augmented.sequence.num_random, generator=torch.Generator().manual_seed(seed))


def apply(augmented: Augmentation, pixels: Tensor, draws: Tensor) -> Tensor:
    """The augmented images of given draws."""
    return augmented(pixels.float(), augmented.sequence.make_params(draws))


def one_by_one(function: Callable[[Tensor, list[float]], Tensor], pixels: Tensor, draws: Tensor) -> Tensor:
    """What `function` makes of every uint8 image and its row of draws, as float32."""
    rows = draws.double().tolist()
    return torch.stack([function(image, row) for image, row in zip(pixels, rows, strict=True)]).float()


def between(unit: float, low: float, high: float) -> float:
    """The number a draw in [0, 1) stands for."""
    return low + unit * (high - low)


def assert_alike(images: Tensor, expected: Tensor, interpolation: str) -> None:
    """Equal, but for positions that lie between two pixels (nearest) or two grey levels (bilinear) in float32."""
    difference = (images - expected).abs()

    assert images.shape == expected.shape
    assert (difference > 0).float().mean() < 0.0005
    assert interpolation == "nearest" or difference.max() <= 1


# --- against torchvision ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fill", [0, 7, 255])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize(("low", "high"), [(-180, 180), (-15, 15), (20, 60)])
def test_rotation(low: int, high: int, interpolation: str, fill: int, pixels: Tensor) -> None:
    """Each image is turned by its own angle, about its centre, against the clock."""
    augmented = augmentation(f"RandomRotation(({low}, {high}), interpolation={interpolation!r}, fill={fill})")
    draws = units(augmented)
    mode = v2.InterpolationMode(interpolation)
    expected = one_by_one(
        lambda image, row: reference.rotate(image, between(row[1], low, high), mode, fill=[fill]), pixels, draws
    )

    assert augmented.slow == []
    assert_alike(apply(augmented, pixels, draws), expected, interpolation)


@pytest.mark.parametrize("fill", [0, 200])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_affine(interpolation: str, fill: int, pixels: Tensor) -> None:
    """Each image has an angle, a shift in whole pixels, a scale and two shears of its own."""
    augmented = augmentation(
        "RandomAffine(30, translate=(0.1, 0.3), scale=(0.8, 1.3), shear=(-20, 20, -10, 15), "
        f"interpolation={interpolation!r}, fill={fill})"
    )

    def expected(image: Tensor, row: list[float]) -> Tensor:
        _, angle, right, down, scale, shear_x, shear_y = row
        turned: Tensor = reference.affine(
            image,
            angle=between(angle, -30, 30),
            translate=[round(between(right, -2.8, 2.8)), round(between(down, -8.4, 8.4))],
            scale=between(scale, 0.8, 1.3),
            shear=[between(shear_x, -20, 20), between(shear_y, -10, 15)],
            interpolation=v2.InterpolationMode(interpolation),
            fill=[fill],
        )
        return turned

    draws = units(augmented)

    assert augmented.slow == []
    assert_alike(apply(augmented, pixels, draws), one_by_one(expected, pixels, draws), interpolation)


def test_shear_along_one_axis(pixels: Tensor) -> None:
    """One number is the largest shear along x in both directions."""
    augmented = augmentation("RandomAffine(0, shear=12)")
    draws = units(augmented)
    expected = one_by_one(
        lambda image, row: reference.affine(image, 0, [0, 0], 1.0, [between(row[5], -12, 12), 0.0]), pixels, draws
    )

    assert_alike(apply(augmented, pixels, draws), expected, "nearest")


@pytest.mark.parametrize("size", [14, 22, 27])
def test_crop_and_resize(size: int, pixels: Tensor) -> None:
    """A middle part enlarged again is torchvision's, up to one grey level of rounding."""
    augmented = augmentation(f"CenterCrop({size})", "Resize(28)")
    images = apply(augmented, pixels, units(augmented))
    expected = one_by_one(
        lambda image, _: reference.resize(reference.center_crop(image, [size]), [28, 28]), pixels, units(augmented)
    )

    assert augmented.slow == []
    assert (images - expected).abs().max() <= 1


@pytest.mark.parametrize(
    "call",
    [
        "ElasticTransform()",
        "ElasticTransform(alpha=34.0, sigma=4.0)",
        "ElasticTransform(120.0, 6.0, fill=77)",
        "ElasticTransform(5.0, 0.1)",
        "ElasticTransform(alpha=3.0, sigma=0.0)",
    ],
)
def test_elastic(call: str, pixels: Tensor) -> None:
    """The image that torchvision makes after `torch.manual_seed` of the image's seed, up to one grey level."""
    augmented = augmentation("Pad(2)", call, "CenterCrop(28)")
    draws = units(augmented)
    transform = ImageByImage(parse(call)).transform

    def expected(image: Tensor, row: list[float]) -> Tensor:
        torch.manual_seed(int(row[1] * 2**31))
        cropped: Tensor = reference.center_crop(transform(reference.pad(image, [2])), [28])
        return cropped

    images = apply(augmented, pixels, draws)

    assert augmented.slow == []
    assert (images - one_by_one(expected, pixels, draws)).abs().max() <= 1
    assert ((images - pixels).abs() > 1).float().mean() > 0.05


def test_displacements_are_those_of_torchvision_in_distribution() -> None:
    """Mean, spread and smoothness of 400 fields of either, by other random numbers."""
    alpha, sigma = 34.0, 4.0
    torch.manual_seed(7)
    transform = v2.ElasticTransform(alpha=alpha, sigma=sigma)
    image = torch.zeros(1, 28, 28)
    expected = torch.cat([transform.make_params([image])["displacement"] for _ in range(400)])
    ours = displacements(list(range(400)), 28, alpha, sigma)

    assert ours.shape == expected.shape
    for axis in (0, 1):
        own, other = ours[..., axis], expected[..., axis]
        assert abs(own.mean()) < 0.01
        assert own[:, 14, 14].std().item() == pytest.approx(other[:, 14, 14].std().item(), rel=0.12)
        assert own[:, 0, 0].std().item() == pytest.approx(other[:, 0, 0].std().item(), rel=0.12)
        slopes = [field.diff(dim=1).std().item() for field in (own, other)]
        assert slopes[0] == pytest.approx(slopes[1], rel=0.03)
    assert abs(torch.corrcoef(ours[:, 14, 14].T)[0, 1]) < 0.15


def test_a_blur_of_another_width_is_seen(pixels: Tensor) -> None:
    """Negative control: with 4.5 for a sigma of 4 the images are others."""
    images, others = (
        apply(augmented, pixels, units(augmented))
        for augmented in (augmentation(f"ElasticTransform(34.0, {sigma})") for sigma in (4.0, 4.5))
    )

    assert (images - others).abs().max() > 10


@pytest.mark.parametrize(("size", "padding", "fill"), [(28, 4, 0), (28, 2, 99), (20, 0, 0)])
def test_random_crop(size: int, padding: int, fill: int, pixels: Tensor) -> None:
    """Each image is shifted by its own offsets; what comes in from outside is the fill."""
    augmented = augmentation(f"RandomCrop({size}, padding={padding}, fill={fill})", f"Pad({(28 - size) // 2})")
    draws = units(augmented)
    places = 28 + 2 * padding - size + 1

    def expected(image: Tensor, row: list[float]) -> Tensor:
        padded = reference.pad(image, [padding], fill=[fill])
        top, left = int(row[1] * places), int(row[2] * places)
        cropped: Tensor = reference.pad(reference.crop(padded, top, left, size, size), [(28 - size) // 2])
        return cropped

    assert augmented.slow == []
    assert torch.equal(apply(augmented, pixels, draws), one_by_one(expected, pixels, draws))


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        (["Pad(3, fill=9)", "CenterCrop(28)"], lambda image: image),
        (["CenterCrop(22)", "Pad(3, fill=9)"], lambda i: reference.pad(reference.center_crop(i, [22]), [3], fill=[9])),
        (["RandomHorizontalFlip(p=1)"], reference.horizontal_flip),
        (["RandomVerticalFlip(p=1)"], reference.vertical_flip),
        (["RandomInvert(p=1)"], reference.invert),
        (["RandomInvert(p=0)", "RandomVerticalFlip(0)", "RandomHorizontalFlip(0)"], lambda image: image),
        (["RandomApply([RandomHorizontalFlip(1), RandomInvert(1)], p=1)"], lambda i: 255 - i.flip(-1)),
        (["Identity()"], lambda image: image),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, list) else "",
)
def test_without_a_choice(calls: list[str], expected: Callable[[Tensor], Tensor], pixels: Tensor) -> None:
    """What leaves nothing to chance is torchvision's to the bit."""
    augmented = augmentation(*calls)
    images = apply(augmented, pixels, units(augmented))

    assert augmented.slow == []
    assert torch.equal(images, torch.stack([expected(image) for image in pixels]).float())


@pytest.mark.parametrize(("name", "function"), [("Horizontal", reference.hflip), ("Vertical", reference.vflip)])
def test_flips_choose_each_image(name: str, function: Callable[[Tensor], Tensor], pixels: Tensor) -> None:
    """An image is flipped where its random number is below p."""
    augmented = augmentation(f"Random{name}Flip(p=0.3)")
    draws = units(augmented)
    expected = one_by_one(lambda image, row: function(image) if row[1] < 0.3 else image, pixels, draws)

    assert torch.equal(apply(augmented, pixels, draws), expected)


def test_the_published_chain(pixels: Tensor) -> None:
    """The chain of the published runs: the same choice and the same angle give torchvision's image."""
    augmented = augmentation(*PUBLISHED)
    draws = units(augmented)
    draws[:10, 1] = 0.05

    def expected(image: Tensor, row: list[float]) -> Tensor:
        if row[1] < 0.1:
            image = reference.center_crop(image, [22])
        turned: Tensor = reference.rotate(reference.resize(image, [28, 28]), between(row[2], -15, 15))
        return turned

    difference = (apply(augmented, pixels, draws) - one_by_one(expected, pixels, draws)).abs()

    assert augmented.slow == []
    assert difference.max() <= 1
    assert (difference[draws[:, 1] >= 0.1] == 0).all()


# --- draws -----------------------------------------------------------------------------------------------------------


def test_angles_are_uniform() -> None:
    """RandomRotation(15) turns by every angle within 15 degrees alike, and by none outside."""
    draws = augmentation("RandomRotation(15)").sample_params(20_000, torch.Generator().manual_seed(0))
    angles = torch.rad2deg(torch.atan2(draws[:, 2], draws[:, 1]))
    shares = angles.histc(10, -15, 15) / 20_000

    assert -15.001 <= angles.min() < -14.98
    assert 14.98 < angles.max() <= 15.001
    assert abs(angles.mean()) < 0.3
    assert (shares - 0.1).abs().max() < 0.01


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_random_apply_takes_its_share(p: float) -> None:
    """RandomApply changes a share p of 20,000 images."""
    augmented = augmentation(f"RandomApply([RandomInvert(p=1)], p={p})")
    images = apply(augmented, torch.zeros(20_000, 1, 2, 2), units(augmented, count=20_000))

    assert abs(images.mean() / 255 - p) < 0.015


def test_places_of_a_random_crop_are_uniform() -> None:
    """All 81 shifts by up to 4 pixels are drawn alike."""
    augmented = augmentation("RandomCrop(28, padding=4)")
    position = torch.arange(784.0).view(1, 1, 28, 28).expand(20_000, 1, 28, 28)
    corner = apply(augmented, position, units(augmented, count=20_000))[:, 0, 14, 14]
    values, counts = corner.unique(return_counts=True)

    assert len(values) == 81
    assert counts.min() > 180
    assert counts.max() < 320


CHAINS = [
    PUBLISHED,
    ["RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=5, interpolation='bilinear', fill=3)"],
    ["RandomCrop(28, padding=3)", "RandomHorizontalFlip()", "RandomInvert()"],
    ["RandomPerspective(p=1.0)", "RandomErasing(p=0.7)"],
    ["ElasticTransform(alpha=30.0, sigma=4.0)", "RandomRotation(5)"],
]


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_draws_are_the_whole_randomness(chain: list[str], pixels: Tensor) -> None:
    """The same draws give the same images whatever torch draws meanwhile, in any order, in a batch or alone."""
    augmented = augmentation(*chain)
    parameters = augmented.sequence.make_params(units(augmented))
    images = pixels.float()
    torch.manual_seed(1)
    first = augmented(images, parameters)
    state = torch.get_rng_state()
    again = augmented(images, parameters)
    order = torch.randperm(COUNT)
    alone = torch.cat([augmented(images[i : i + 1], parameters[i : i + 1]) for i in range(COUNT)])

    assert torch.equal(first, again)
    assert torch.equal(alone, first)
    assert torch.equal(augmented(images[order], parameters[order]), first[order])
    assert torch.equal(images, pixels.float())
    assert not torch.equal(first, images)
    assert torch.equal(state, torch.manual_seed(1).get_state())


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_draws_are_the_generators(chain: list[str], pixels: Tensor) -> None:
    """A seed gives an epoch's draws again; another seed gives others; no two images share theirs."""
    augmented = augmentation(*chain)
    first, again, other = (augmented.sample_params(COUNT, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))

    assert torch.equal(first, again)
    assert not torch.equal(augmented(pixels.float(), first), augmented(pixels.float(), other))
    assert len(first.unique(dim=0)) == COUNT


# --- image by image --------------------------------------------------------------------------------------------------

SLOW = {
    "RandomPerspective": "RandomPerspective()",
    "RandomResizedCrop": "RandomResizedCrop(28)",
    "RandomErasing": "RandomErasing(p=1.0)",
    "GaussianBlur": "GaussianBlur(3)",
    "RandomAdjustSharpness": "RandomAdjustSharpness(2, p=1.0)",
    "RandomAutocontrast": "RandomAutocontrast()",
    "RandomEqualize": "RandomEqualize()",
    "RandomPosterize": "RandomPosterize(2)",
    "RandomSolarize": "RandomSolarize(128)",
    "RandAugment": "RandAugment()",
    "AutoAugment": "AutoAugment('cifar10')",
    "TrivialAugmentWide": "TrivialAugmentWide()",
    "AugMix": "AugMix()",
    "RandomChoice": "RandomChoice([RandomInvert(1.0), RandomRotation(15)])",
    "RandomOrder": "RandomOrder([RandomInvert(1.0), RandomRotation(15)])",
}
"""Transforms without a batched form."""

BATCHED = {
    "RandomRotation": "RandomRotation(15)",
    "RandomAffine": "RandomAffine(15)",
    "RandomCrop": "RandomCrop(28, padding=2)",
    "CenterCrop": "CenterCrop(28)",
    "Resize": "Resize(28)",
    "Pad": "Pad(0)",
    "RandomHorizontalFlip": "RandomHorizontalFlip()",
    "RandomVerticalFlip": "RandomVerticalFlip()",
    "RandomInvert": "RandomInvert()",
    "ElasticTransform": "ElasticTransform()",
    "ColorJitter": "ColorJitter(brightness=0.5, contrast=0.5)",
    "RandomApply": "RandomApply([RandomInvert()], p=0.5)",
    "Identity": "Identity()",
}

UNUSUAL = [
    ("RandomRotation(15, center=(0, 0))", "RandomRotation"),
    ("RandomAffine(15, center=(3, 3))", "RandomAffine"),
    ("RandomCrop(28, padding=2, padding_mode='reflect')", "RandomCrop"),
    ("RandomCrop(28, padding=(2, 4))", "RandomCrop"),
    ("Resize(28, interpolation='bicubic')", "Resize"),
    ("RandomApply([GaussianBlur(3)], p=0.5)", "RandomApply"),
    ("ElasticTransform(alpha=(30.0, 50.0))", "ElasticTransform"),
    ("ElasticTransform(interpolation='nearest')", "ElasticTransform"),
]
"""Transforms with arguments that the batched form does not know."""


def test_every_transform_is_covered() -> None:
    """A transform that is added to the catalogue has a case here."""
    assert SLOW.keys() | BATCHED.keys() | {"RandomGrayscale"} == catalog.TRANSFORMS.keys()


@pytest.mark.parametrize("call", BATCHED.values())
def test_batched_transforms_are_fast(call: str, pixels: Tensor) -> None:
    """They leave images of 28x28 whole grey levels and are not named as slow."""
    augmented = augmentation(call)
    images = apply(augmented, pixels, units(augmented))

    assert augmented.slow == []
    assert images.shape == pixels.shape
    assert torch.equal(images, images.clamp(0, 255).round())


@pytest.mark.parametrize(("call", "name"), [*((call, name) for name, call in SLOW.items()), *UNUSUAL])
def test_others_run_through_torchvision(call: str, name: str, pixels: Tensor) -> None:
    """Each image gets what torchvision gives it under a seed of its own, and the transform is named as slow."""
    augmented = augmentation("RandomInvert(p=1)", call)
    draws = units(augmented)
    images = apply(augmented, pixels, draws)
    seeds = (draws[:, 2].double() * 2**31).long()
    slow = augmented.sequence.transforms[1]
    assert isinstance(slow, ImageByImage)

    def seeded(image: Tensor, row: list[float]) -> Tensor:
        torch.manual_seed(int(row[0]))
        return slow.transform(255 - image)

    expected = one_by_one(seeded, pixels, seeds[:, None])

    assert augmented.slow == [name]
    assert isinstance(slow.transform, getattr(v2, name))
    assert torch.equal(images, expected)
    assert images.shape == pixels.shape


@pytest.mark.parametrize(
    "call", ["RandomApply(transforms=[CenterCrop(22)], p=0.3)", "RandomApply([CenterCrop(22)], 0.3)"]
)
def test_a_resize_goes_into_a_random_apply_however_its_arguments_are_written(call: str, pixels: Tensor) -> None:
    """By name or by place: the images are those of the call as presets write it."""
    one, other = augmentation(call, "Resize(28)"), augmentation("RandomApply([CenterCrop(22)], p=0.3)", "Resize(28)")
    params = other.sequence.make_params(units(other))

    assert torch.equal(one(pixels.float(), params), other(pixels.float(), params))


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        (["CenterCrop(22)"], "ends in 22x22"),
        (["CenterCrop(40)"], "ends in 40x40"),
        (["Pad(2)"], "ends in 32x32"),
        (["Resize(32)"], "ends in 32x32"),
        (["RandomCrop(24)"], "ends in 24x24"),
        (["RandomCrop(40, padding=2)"], "larger than the 32 pixels"),
        (["CenterCrop(20)", "CenterCrop(24)", "Resize(28)"], "larger than the 20 pixels"),
        (["RandomApply([CenterCrop(22)], p=0.5)"], r"put Resize\(28\) behind it"),
        (
            ["Pad(4)", "RandomApply([CenterCrop(28)], p=0.5)", "CenterCrop(28)"],
            "of 36 and of 28 pixels",
        ),
        (["RandomResizedCrop((28, 20))"], "square"),
        (["RandomRotation(15, expand=True)"], "ends in|sizes"),
    ],
    ids=str,
)
def test_sizes_that_do_not_come_back_are_refused(calls: list[str], reason: str) -> None:
    """A chain that does not end in 28x28 is refused when it is built, with what to do."""
    with pytest.raises(CallError, match=reason):
        augmentation(*calls)


@pytest.mark.parametrize(
    "call",
    [
        "RandomRotation(45, expand=True)",
        "RandomChoice([CenterCrop(22), Identity()])",
        "RandomOrder([CenterCrop(22), Resize(28)])",
    ],
)
def test_sizes_that_differ_between_images_are_refused(call: str) -> None:
    """Images of a batch have one size; a transform that draws the size is refused when built, not in a step."""
    with pytest.raises(CallError):
        augmentation(call, "Resize(28)")


@pytest.mark.parametrize(
    "call",
    [
        "RandomAffine(10, scale=(0, 0))",
        "RandomAffine(10, scale=(-1, 2))",
        "RandomAffine(10, translate=(3, 3))",
        "RandomAffine(10, translate=(-0.1, 0.1))",
        "RandomAffine(-10)",
        "RandomRotation(-10)",
        "RandomRotation((1, 2, 3))",
        "RandomRotation(15, fill=300)",
        "RandomAffine(15, fill=-1)",
        "GaussianBlur(4)",
        "ElasticTransform(sigma=7.0)",
        "ElasticTransform(sigma=-1.0)",
        "Pad(2.5)",
    ],
)
def test_arguments_that_torchvision_refuses(call: str) -> None:
    """The batched forms take nothing that torchvision would refuse, or that makes no grey level."""
    with pytest.raises(CallError):
        augmentation(call)


@pytest.mark.parametrize("call", ["RandomRotation(15, interpolation='bicubic')", "RandomRotation(15, fill=(1, 2))"])
def test_what_torchvision_refuses_on_an_image(call: str, small_spec: RunSpec) -> None:
    """What torchvision only refuses once it has an image is an error that names the field."""
    with pytest.raises(SpecError, match=r"train\.augment"):
        build.augmentation(small_spec.with_settings({"augment": call}))


# --- never on test images --------------------------------------------------------------------------------------------


def test_only_training_images_are_augmented(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an augmentation that inverts every image, training sees only inverted ones, evaluation only plain ones."""
    spec = make_spec(
        {
            "layers": "MaxPool2d(7)\nFlatten()\nLinear(10)",
            "train": {"epochs": 2, "augment": ["RandomInvert(p=1.0)"], "validation_images": 40},
        }
    )
    images = Images(digits.train.pixels[:128], digits.train.labels[:128])
    val, test = Images(digits.test.pixels[:40], digits.test.labels[:40]), digits.test.take(torch.arange(40, 100))
    seen: dict[str, list[Tensor]] = {"batches": [], "evaluation": []}
    normalise = batches.normalise

    def record(where: str) -> Callable[..., Tensor]:
        def normalised(pixels: Tensor, mean: float, std: float) -> Tensor:
            seen[where].append(pixels.clone())
            return normalise(pixels, mean, std)

        return normalised

    monkeypatch.setattr(batches, "normalise", record("batches"))
    monkeypatch.setattr(evaluation, "normalise", record("evaluation"))
    list(loop.train(Training(spec, Splits(images, val, test)), Control()))
    trained_on = torch.cat(seen["batches"]).flatten(1).sum(1).sort().values
    inverted = (255 - images.pixels.float()).flatten(1).sum(1).repeat(2).sort().values

    assert torch.equal(torch.cat(seen["evaluation"]), torch.cat([test.pixels, val.pixels] * 2))
    assert torch.equal(trained_on, inverted)


@pytest.mark.parametrize(
    "call",
    [
        "RandomRotation(30)",
        "RandomAffine(20, translate=(0.1, 0.1), scale=(0.8, 1.2), interpolation='bilinear', fill=7)",
        "RandomCrop(28, padding=3, fill=9)",
        "ElasticTransform(30.0)",
        "RandomHorizontalFlip()",
        "RandomApply([CenterCrop(22), Resize(28)], p=0.5)",
        "RandomPosterize(2)",
        "ColorJitter(brightness=(0.2, 3))",
    ],
)
def test_the_channels_of_an_image_stay_together(call: str, pixels: Tensor) -> None:
    """Each channel of a colour image is what it would be alone, and all are transformed by the same draws."""
    colours = torch.cat([pixels, pixels.flip(0), 255 - pixels], dim=1)
    of_colours, of_grey = Augmentation([parse(call)], (3, 28, 28)), Augmentation([parse(call)])
    params = of_grey.sequence.make_params(units(of_grey))
    expected = torch.cat([of_grey(colours[:, [channel]].float(), params) for channel in range(3)], dim=1)

    assert torch.equal(of_colours(colours.float(), params), expected)


def test_larger_images() -> None:
    """The size is that of the data set; what ends in another one is refused."""
    assert Augmentation([parse("RandomCrop(32, padding=4)")], (3, 32, 32)).slow == []
    with pytest.raises(CallError, match=r"ends in 28x28 pixels; put Resize\(32\) at its end"):
        Augmentation([parse("Resize(28)")], (3, 32, 32))
