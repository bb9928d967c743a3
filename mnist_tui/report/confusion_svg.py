"""A confusion matrix as SVG: its counts, and the mistakes shaded by how many they are."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from mnist_tui.analysis.confusion import Matrix, most_confused
from mnist_tui.datasets.published import MNIST
from mnist_tui.report import svg

CELL_WIDTH, CELL_HEIGHT = 46.0, 32.0
LEFT, TOP, MARGIN = 70.0, 62.0, 18.0
NAME_WIDTH = 7.0
"""Of a character in the name of a row."""
LONGEST_HEAD = 6
"""Characters above a column."""
FAINTEST = 0.14
"""Opacity of the shade of a single mistake; the largest count off the diagonal has 1."""
BRIGHT_FROM = 0.75
"""From this opacity on the count on a shade has the colour of the ground."""


def confusion_svg(matrix: Matrix, classes: Sequence[str] = MNIST.classes) -> str:
    """The matrix as a standalone SVG: a row for each true class, a column for each prediction; `classes` are names.

    Mistakes are shaded against the largest count off the diagonal: the diagonal, with nearly all images, would outshine
    them, and has a frame instead. Its counts are text; 0 is left blank.
    """
    size = len(matrix)
    left = LEFT + NAME_WIDTH * (max(map(len, classes)) - 1)
    root = svg.figure(
        "Confusion matrix",
        _description(matrix, classes),
        left + size * CELL_WIDTH + MARGIN,
        TOP + size * CELL_HEIGHT + MARGIN,
    )
    _draw_heads(root, classes, left)
    largest = max(count for label, row in enumerate(matrix) for other, count in enumerate(row) if label != other)
    for label, row in enumerate(matrix):
        for prediction, count in enumerate(row):
            x, y = left + prediction * CELL_WIDTH, TOP + label * CELL_HEIGHT
            if label == prediction:
                _draw_cell(root, x, y, "f-right")
                _write_count(root, x, y, count, "f-middle f-head")
            elif count:
                shade = FAINTEST + (1 - FAINTEST) * (count / largest if largest > 1 else 0.5)
                _draw_cell(root, x, y, "f-fill4", shade)
                _write_count(root, x, y, count, f"f-middle{' f-inverse' if shade >= BRIGHT_FROM else ''}")
            else:
                _draw_cell(root, x, y, "f-empty")
    return svg.as_text(root)


def _draw_heads(root: Element, classes: Sequence[str], left: float) -> None:
    right, bottom = left + len(classes) * CELL_WIDTH, TOP + len(classes) * CELL_HEIGHT
    svg.write(root, (left + right) / 2, 24, "predicted class", "f-middle f-head")
    middle = (TOP + bottom) / 2
    turned = svg.add(root, "text", x=24, y=middle, class_="f-middle f-head", transform=f"rotate(-90 24 {middle:g})")
    turned.text = "true class"
    for label, name in enumerate(classes):
        short = name if len(name) <= LONGEST_HEAD else f"{name[: LONGEST_HEAD - 1]}…"
        svg.write(root, left + (label + 0.5) * CELL_WIDTH, TOP - 10, short, "f-middle f-muted")
        svg.write(root, left - 12, TOP + (label + 0.5) * CELL_HEIGHT + 4, name, "f-end f-muted")


def _draw_cell(root: Element, x: float, y: float, class_: str, opacity: float = 1.0) -> None:
    size = {"width": CELL_WIDTH - 2, "height": CELL_HEIGHT - 2}
    shade = {} if opacity == 1 else {"fill_opacity": opacity}
    svg.add(root, "rect", x=x + 1, y=y + 1, rx=3, class_=class_, **size, **shade)


def _write_count(root: Element, x: float, y: float, count: int, class_: str) -> None:
    svg.write(root, x + CELL_WIDTH / 2, y + CELL_HEIGHT / 2 + 4, f"{count:,}", class_)


def _description(matrix: Matrix, classes: Sequence[str]) -> str:
    """How many images are right, and the pairs that are confused most often."""
    total, right = sum(map(sum, matrix)), sum(row[label] for label, row in enumerate(matrix))
    sentences = [f"{right:,} of {total:,} test images are on the diagonal, predicted as what they are."]
    if pairs := most_confused(matrix, 5):
        words = ", ".join(f"{classes[pair.label]} as {classes[pair.prediction]} {pair.count} times" for pair in pairs)
        sentences.append(f"Confused most often: {words}.")
    return " ".join(sentences)
