"""A confusion matrix as SVG: its counts, and the mistakes shaded by how many they are."""

from xml.etree.ElementTree import Element

from mnist_tui.analysis.confusion import Matrix, most_confused
from mnist_tui.report import svg

CELL_WIDTH, CELL_HEIGHT = 46.0, 32.0
LEFT, TOP, MARGIN = 70.0, 62.0, 18.0
FAINTEST = 0.14
"""Opacity of the shade of a single mistake; the largest count off the diagonal has 1."""
BRIGHT_FROM = 0.75
"""From this opacity on the count on a shade has the colour of the ground."""


def confusion_svg(matrix: Matrix) -> str:
    """The matrix as a standalone SVG: a row for each true class, a column for each prediction.

    Mistakes are shaded against the largest count off the diagonal: the diagonal, with nearly all images, would outshine
    them, and has a frame instead. Its counts are text; 0 is left blank.
    """
    size = len(matrix)
    root = svg.figure(
        "Confusion matrix",
        _description(matrix),
        LEFT + size * CELL_WIDTH + MARGIN,
        TOP + size * CELL_HEIGHT + MARGIN,
    )
    _draw_heads(root, size)
    largest = max(count for label, row in enumerate(matrix) for other, count in enumerate(row) if label != other)
    for label, row in enumerate(matrix):
        for prediction, count in enumerate(row):
            x, y = LEFT + prediction * CELL_WIDTH, TOP + label * CELL_HEIGHT
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


def _draw_heads(root: Element, size: int) -> None:
    right, bottom = LEFT + size * CELL_WIDTH, TOP + size * CELL_HEIGHT
    svg.write(root, (LEFT + right) / 2, 24, "predicted class", "f-middle f-head")
    middle = (TOP + bottom) / 2
    turned = svg.add(root, "text", x=24, y=middle, class_="f-middle f-head", transform=f"rotate(-90 24 {middle:g})")
    turned.text = "true class"
    for label in range(size):
        svg.write(root, LEFT + (label + 0.5) * CELL_WIDTH, TOP - 10, str(label), "f-middle f-muted")
        svg.write(root, LEFT - 12, TOP + (label + 0.5) * CELL_HEIGHT + 4, str(label), "f-end f-muted")


def _draw_cell(root: Element, x: float, y: float, class_: str, opacity: float = 1.0) -> None:
    size = {"width": CELL_WIDTH - 2, "height": CELL_HEIGHT - 2}
    shade = {} if opacity == 1 else {"fill_opacity": opacity}
    svg.add(root, "rect", x=x + 1, y=y + 1, rx=3, class_=class_, **size, **shade)


def _write_count(root: Element, x: float, y: float, count: int, class_: str) -> None:
    svg.write(root, x + CELL_WIDTH / 2, y + CELL_HEIGHT / 2 + 4, f"{count:,}", class_)


def _description(matrix: Matrix) -> str:
    """How many images are right, and the pairs that are confused most often."""
    total, right = sum(map(sum, matrix)), sum(row[label] for label, row in enumerate(matrix))
    sentences = [f"{right:,} of {total:,} test images are on the diagonal, predicted as what they are."]
    if pairs := most_confused(matrix, 5):
        words = ", ".join(f"{pair.label} as {pair.prediction} {pair.count} times" for pair in pairs)
        sentences.append(f"Confused most often: {words}.")
    return " ".join(sentences)
