"""Real digits, enlarged, inverted, shifted and photographed, come back nearly as MNIST has them."""

import contextlib
import gzip
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mnist_tui.errors import ImageError
from mnist_tui.images.prepare import BOX, SIDE, prepare

Grey = NDArray[np.uint8]

DIGITS = Path(__file__).parents[2] / "mnist_tui" / "data" / "digits.gz"


@cache
def small_digits() -> tuple[Grey, Grey]:
    """The first 1,000 digits of the package as MNIST would have them, (N, 28, 28), and their labels."""
    rows = np.frombuffer(gzip.decompress(DIGITS.read_bytes()), np.uint8).reshape(-1, 65)[:1000]
    large = [enlarge(np.pad(row[:64].reshape(8, 8) * 15, 2)) for row in rows]
    return np.stack([as_array(prepare(image)) for image in large]), rows[:, 64]


def mnist_digits() -> tuple[Grey, Grey]:
    """The 10,000 test images of MNIST and their labels; skips the test where this machine does not have them."""
    from mnist_tui.datasets.places import find
    from mnist_tui.datasets.published import MNIST
    from mnist_tui.spec.data_spec import ON_MNIST
    from mnist_tui.training.data import read

    raw = find(MNIST, None)
    if raw is None:
        pytest.skip("MNIST is not on this machine")
    test = read(ON_MNIST, MNIST, raw).test
    return test.pixels[:, 0].numpy(), test.labels.numpy().astype(np.uint8)


def as_array(pixels: bytes) -> Grey:
    """A prepared digit as (28, 28)."""
    return np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE)


def enlarge(digit: Grey, side: int = 200) -> Grey:
    """A digit with smooth edges, `side` pixels a side."""
    return np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC), dtype=np.uint8)


def on_page(digit: Grey, seed: int) -> Grey:
    """A digit of 200x200 somewhere on a page of 320x260, light on dark."""
    generator = np.random.default_rng(seed)
    page = np.zeros((320, 260), np.uint8)
    top, left = generator.integers(0, 120), generator.integers(0, 60)
    page[top : top + 200, left : left + 200] = digit
    return page


def photograph(page: Grey, seed: int) -> Grey:
    """Dark ink of half contrast on paper that is lit from one side, with the noise of a camera."""
    noise = np.random.default_rng(seed).normal(0, 5, page.shape)
    height, width = page.shape
    light = 220 - np.add.outer(np.linspace(0, 60, height), np.linspace(20, 0, width))
    photo: Grey = np.clip(light - page * 0.5 + noise, 0, 255).astype(np.uint8)
    return photo


VERSIONS = ("same", "enlarged", "inverted", "shifted", "photographed")


def version(digit: Grey, kind: str, seed: int) -> Grey:
    """A digit of MNIST as somebody might hand it in."""
    match kind:
        case "same":
            return digit
        case "enlarged":
            return enlarge(digit)
        case "inverted":
            return 255 - enlarge(digit)
        case "shifted":
            return 255 - on_page(enlarge(digit), seed)
    return photograph(on_page(enlarge(digit), seed), seed)


def mean_difference(one: Grey, other: Grey) -> float:
    """Mean absolute difference of grey values, 0 to 255."""
    return float(np.abs(one.astype(float) - other).mean())


def nearest(images: Grey, centroids: NDArray[np.float64]) -> NDArray[np.int64]:
    """The class of the nearest centroid (10, 784) for each image."""
    distances = ((images.reshape(len(images), 1, -1) - centroids) ** 2).sum(axis=2)
    classes: NDArray[np.int64] = distances.argmin(axis=1)
    return classes


def centroids_of(images: Grey, labels: Grey) -> NDArray[np.float64]:
    """The mean image of each class, (10, 784)."""
    return np.stack([images[labels == digit].reshape(-1, SIDE * SIDE).mean(axis=0) for digit in range(10)])


# --- against MNIST ---


@pytest.mark.slow
@pytest.mark.parametrize("kind", VERSIONS)
def test_mnist_digits_come_back(kind: str) -> None:
    """Within 1 grey level of 255 in the mean where they were only placed anew, within 8 from 200x200 and a photo.

    A classifier by nearest mean image, made of MNIST as it is, keeps its accuracy within 2.5 points.
    """
    images, labels = mnist_digits()
    centroids = centroids_of(images[1000:], labels[1000:])
    some = slice(0, 300)
    prepared = np.stack([as_array(prepare(version(image, kind, i))) for i, image in enumerate(images[some])])

    before, after = (np.mean(nearest(part, centroids) == labels[some]) for part in (images[some], prepared))
    assert before > 0.75
    assert after >= before - 0.025
    assert mean_difference(prepared, images[some]) < (1 if kind == "same" else 8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", VERSIONS[1:])
def test_small_digits_are_classified(kind: str) -> None:
    """Without MNIST: what the small digits of the package look like prepared stays nearly so, and their classes too."""
    images, labels = small_digits()
    centroids = centroids_of(images[200:], labels[200:])
    prepared = np.stack([as_array(prepare(version(image, kind, i))) for i, image in enumerate(images[:200])])

    before, after = (np.mean(nearest(part, centroids) == labels[:200]) for part in (images[:200], prepared))
    assert before > 0.8
    assert after >= before - 0.025
    assert mean_difference(prepared, images[:200]) < 8


@pytest.mark.slow
def test_without_the_preparation_they_are_not() -> None:
    """The control: the same photographs only made small are beyond the classifier, and far from the originals."""
    images, labels = small_digits()
    centroids = centroids_of(images[200:], labels[200:])
    photographs = [photograph(on_page(enlarge(image), i), i) for i, image in enumerate(images[:200])]
    small = np.stack([np.asarray(Image.fromarray(photo).resize((SIDE, SIDE))) for photo in photographs])

    assert np.mean(nearest(small, centroids) == labels[:200]) < 0.5
    assert mean_difference(small, images[:200]) > 50


# --- what MNIST promises ---


@settings(deadline=None, max_examples=60)
@example(height=3, width=3, top=2, left=2, paper=0, ink=24)
@example(height=3, width=3, top=2, left=2, paper=0, ink=23)
@given(
    height=st.integers(3, 90),
    width=st.integers(3, 90),
    top=st.integers(2, 60),
    left=st.integers(2, 60),
    paper=st.integers(0, 255),
    ink=st.integers(0, 255),
)
def test_box_and_centre(height: int, width: int, top: int, left: int, paper: int, ink: int) -> None:
    """Any rectangle, dark or light: 20 pixels on its longer side, its aspect ratio kept, its centre in the middle."""
    page = np.full((160, 160), paper, np.uint8)
    page[top : top + height, left : left + width] = ink
    if abs(paper - ink) < 24:
        with pytest.raises(ImageError, match="nothing stands out"):
            prepare(page)
        return
    digit = as_array(prepare(page))

    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    sides = (len(rows), len(columns))
    scale = BOX / max(height, width)
    assert sides == (max(1, round(height * scale)), max(1, round(width * scale)))
    assert digit.max() == 255
    for found in (rows, columns):
        assert 13.5 <= found.mean() <= 14.5


def test_uneven_light_is_no_ink() -> None:
    """A page that is twice as bright on one side shows only what is drawn on it."""
    page = np.add.outer(np.linspace(100, 220, 200), np.zeros(200)).astype(np.uint8)
    page[60:140, 95:105] -= 80
    digit = as_array(prepare(page))

    assert np.flatnonzero(digit.any(axis=0)).size <= 3
    assert np.flatnonzero(digit.any(axis=1)).size == BOX


def test_a_stroke_may_touch_the_border() -> None:
    """A stroke at the border does not change the estimated background."""
    page = np.full((100, 80), 255, np.uint8)
    page[0:60, 20:30] = 0
    digit = as_array(prepare(page))

    assert np.flatnonzero(digit.any(axis=1)).size == BOX
    assert np.flatnonzero(digit.any(axis=0)).size == 3


@pytest.mark.parametrize(
    "page",
    [
        np.zeros((28, 28), np.uint8),
        np.full((1, 1), 255, np.uint8),
        np.add.outer(np.linspace(0, 100, 90), np.linspace(0, 100, 70)).astype(np.uint8),
        np.random.default_rng(0).normal(128, 20, (150, 150)).clip(0, 255).astype(np.uint8),
    ],
    ids=["black", "one white pixel", "shade", "noise"],
)
def test_blank_images_are_refused(page: Grey) -> None:
    """An image of background alone is refused."""
    with pytest.raises(ImageError, match="nothing stands out of the background"):
        prepare(page)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_no_pixels(shape: tuple[int, int]) -> None:
    """An image without pixels is refused as such."""
    with pytest.raises(ImageError, match="no pixels"):
        prepare(np.zeros(shape, np.uint8))


@given(
    st.integers(1, 12).flatmap(
        lambda height: st.integers(1, 12).flatmap(
            lambda width: st.binary(min_size=height * width, max_size=height * width).map(
                lambda content: np.frombuffer(content, np.uint8).reshape(height, width)
            )
        )
    )
)
def test_any_pixels_give_a_digit_or_an_error(page: Grey) -> None:
    """Random pixels of any small size: 784 bytes, or `ImageError`."""
    with contextlib.suppress(ImageError):
        assert len(prepare(page)) == SIDE * SIDE
