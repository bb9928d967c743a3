"""The views that are lines of text: scores of the classes, confidence, and the line about a cell of the matrix."""

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap

from rich.text import Text

from mnist_tui.analysis.label_errors import CEILING, LABEL_ERRORS
from mnist_tui.datasets.record import DataSet
from mnist_tui.runs.record import Run
from mnist_tui.text import cell_width, clean_line, fitted
from mnist_tui.tui.analyse.jobs import Analysed

BAR_CELLS = 40
"""Cells of a bar that stands for a share of 1."""
LINE_CELLS = 76
"""Cells of a line of a sentence, so that it fits into 80 columns."""
SCORE_CELLS = 42
"""Cells of the scores of a class."""
PAIR_CELLS = 32
"""Cells that the most confused pairs need beside the scores."""


def run_title(run: Run) -> str:
    """The name and the seed of a run, safe to show."""
    return clean_line(run.title, 60)


def class_names(data: DataSet, count: int) -> tuple[str, ...]:
    """What the first `count` classes of a network are called; () where they are called by their numbers."""
    return tuple(map(data.class_name, range(count))) if data.names else ()


def class_lines(analysed: Analysed, width: int) -> Text:
    """Precision, recall and F1 of each class, and the most confused pairs: beside them where `width` cells allow it."""
    scores = ["class  precision   recall       F1   images"]
    data = analysed.run.run.dataset_record
    names = class_names(data, len(analysed.run.scores))
    longest = max(map(cell_width, names), default=0)
    has_names = names and width >= SCORE_CELLS + 2 + longest  # The matrix beside them has them too.
    for score in analysed.run.scores:
        scores.append(
            f"{score.label:>5}  {score.precision:>9.2%}  {score.recall:>7.2%}  {score.f1:>7.2%}  {score.support:>7,}"
            + (f"  {names[score.label]}" if has_names else "")
        )
    pairs = ["most confused"]
    for pair in analysed.run.pairs:
        images = "image" if pair.count == 1 else "images"
        taken = f"{data.labelled(pair.label)} taken for {data.labelled(pair.prediction)}"
        pairs.append(f"{taken}  {pair.count:>5,} {images}")
    widest = max(map(cell_width, scores))
    if width >= widest + PAIR_CELLS + 2 * longest:
        parts = [[f"{fitted(left, widest)}     {right}" for left, right in zip_longest(scores, pairs, fillvalue="")]]
    else:
        parts = [scores, pairs]
    parts += [lines] if (lines := ceiling_lines(analysed, width)) else []
    return Text("\n", no_wrap=True).join(map(_with_heading, parts))


def _with_heading(lines: Sequence[str]) -> Text:
    """Lines of which the first is a heading."""
    heading, *others = (f"{line.rstrip()}\n" for line in lines)
    return Text().append(heading, "bold").append("".join(others))


def ceiling_lines(analysed: Analysed, width: int) -> list[str]:
    """What the wrong labels of MNIST mean for this run, wrapped, below a heading; [] for other data."""
    ceiling = analysed.run.ceiling
    if ceiling is None:
        return []
    sentences = (
        f"{len(LABEL_ERRORS)} of the 10,000 labels are wrong (Northcutt et al. 2021): who reads every image right gets "
        f"{CEILING:.2%}.",
        f"This run differs from the label on {ceiling.counted_wrong} of them, {ceiling.read_as_guessed} as proposed by "
        f"the study; on the other images it has {ceiling.accuracy_on_others:.2%}.",
    )
    return ["label errors", *(line for sentence in sentences for line in wrap(sentence, max(20, width)))]


def confidence_lines(analysed: Analysed, ascii_only: bool) -> Text:
    """The reliability diagram, the expected calibration error (Guo et al. 2017, as `analysis.calibration` computes it),
    and the accuracy on the most confident images.
    """
    confidence = analysed.run.confidence
    if confidence is None:
        missing = clean_line(analysed.run.confidence_missing or "", 300)
        return Text("\n".join(wrap(f"! {missing}", LINE_CELLS)))
    text = Text.assemble(
        (f"expected calibration error  {confidence.expected_calibration_error:.4f}", "bold"),
        "   mean |accuracy - confidence|, 15 bins\n",
    )
    for part in confidence.selected:
        text.append(
            f"the most confident {part.coverage:.0%}   {part.accuracy:.2%} right   "
            f"(confidence {part.threshold:.1%} or more)\n"
        )
    text.append("\nconfidence       images   right    bar: accuracy, mark: mean confidence\n", "bold")
    full, mark = ("=", "|") if ascii_only else ("█", "│")
    for one in confidence.bins:
        heading = f"{one.low:>4.0%} - {one.high:>4.0%}   {one.count:>7,}  "
        if not one.count:
            text.append(f"{heading}      -\n", "dim")
            continue
        bar = list(f"{full * round(one.accuracy * BAR_CELLS):<{BAR_CELLS + 1}}")
        bar[round(one.confidence * BAR_CELLS)] = mark
        text.append(f"{heading}{one.accuracy:>7.2%}  {''.join(bar)}\n")
    text.rstrip()
    return text


def cell_line(analysed: Analysed, label: int, prediction: int) -> str:
    """What a cell of the matrix says, in words."""
    row, labelled = analysed.run.matrix[label], analysed.run.run.dataset_record.labelled
    count, total = row[prediction], sum(row)
    images = "image" if count == 1 else "images"
    of_class = f"{count:,} {images} of {total:,}, {count / max(1, total):.1%} of all {_plural(analysed, label)}"
    baseline = ""
    if analysed.versus is not None:
        baseline = f"; {analysed.versus.difference[label][prediction]:+d} against the baseline"
    if label == prediction:
        return f"{labelled(label)} recognised: {of_class}{baseline}"
    return f"{labelled(label)} taken for {labelled(prediction)}: {of_class}{baseline}"


def _plural(analysed: Analysed, label: int) -> str:
    """`7s`, or of a class with a name `of its images`."""
    return "its images" if analysed.run.run.dataset_record.names else f"{label}s"
