"""A confusion matrix as SVG: every count in its cell, the mistakes shaded by how many they are."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from mnist_tui.analysis.confusion import Matrix
from mnist_tui.report.confusion_svg import CELL_HEIGHT, CELL_WIDTH, LEFT, TOP, confusion_svg

SVG = "{http://www.w3.org/2000/svg}"


def matrix(*mistakes: tuple[int, int, int]) -> Matrix:
    """A matrix with a thousand right images in each class, and mistakes: true class, prediction, count."""
    cells = [[1000 * (label == other) for other in range(10)] for label in range(10)]
    for label, prediction, count in mistakes:
        cells[label][prediction] = count
    return tuple(map(tuple, cells))


def counts(root: Element) -> dict[tuple[int, int], str]:
    """The texts inside the matrix, by row and column."""
    found = {}
    for text in root.iter(f"{SVG}text"):
        column, row = (float(text.get("x", 0)) - LEFT) // CELL_WIDTH, (float(text.get("y", 0)) - TOP) // CELL_HEIGHT
        if row >= 0 and column >= 0:
            found[int(row), int(column)] = text.text or ""
    return found


def test_counts_stand_in_their_cells() -> None:
    """The row is the true class, the column the prediction; 0 is blank."""
    root = ElementTree.fromstring(confusion_svg(matrix((4, 9, 8), (9, 4, 3))))

    assert counts(root) == {(label, label): "1,000" for label in range(10)} | {(4, 9): "8", (9, 4): "3"}


def test_mistakes_are_shaded_by_their_count() -> None:
    """The most frequent has the full shade, the others less, by their share."""
    root = ElementTree.fromstring(confusion_svg(matrix((4, 9, 8), (9, 4, 4), (0, 1, 1))))
    shades = [float(each.get("fill-opacity", 1)) for each in root.iter(f"{SVG}rect") if each.get("class") == "f-fill4"]

    assert len(shades) == 3
    assert max(shades) == 1
    assert sorted(shades) == sorted(set(shades))
    assert min(shades) > 0.1


def test_it_says_in_words_what_it_shows() -> None:
    """How many are right, and the most confused pairs."""
    root = ElementTree.fromstring(confusion_svg(matrix((4, 9, 8), (9, 4, 3))))

    assert root.findtext(f"{SVG}desc") == (
        "10,000 of 10,011 test images are on the diagonal, predicted as what they are. "
        "Confused most often: 4 as 9 8 times, 9 as 4 3 times."
    )


def test_no_mistake_at_all() -> None:
    """Only the diagonal has counts."""
    root = ElementTree.fromstring(confusion_svg(matrix()))

    assert len(counts(root)) == 10
    assert "Confused" not in (root.findtext(f"{SVG}desc") or "")
