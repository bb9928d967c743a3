"""The analysis of a run as lines of text and as JSON: what `mnist-tui analyse RUN [--against RUN] [--json]` prints."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mnist_tui.analysis.coach.evidence import Advice
from mnist_tui.analysis.label_errors import CEILING, LABEL_ERRORS
from mnist_tui.analysis.mistakes import ImagePrediction
from mnist_tui.analysis.run_analysis import Confidence, RunAnalysis, Versus
from mnist_tui.analysis.text_images import bar, gallery_lines, matrix_lines
from mnist_tui.runs.events import finite
from mnist_tui.spec.typed_settings import as_options
from mnist_tui.text import clean_line, in_ascii

SHOWN = 12
"""Mistakes and discordant images that the text names; the JSON names all."""
BAR = 20
"""Cells of the bars of the reliability diagram."""

Pictures = Mapping[int, bytes]
"""784 grey values of a test image by its index."""


def report_lines(
    analysis: RunAnalysis,
    versus: Versus | None = None,
    pictures: Pictures | None = None,
    width: int = 100,
    ascii_only: bool = False,
) -> list[str]:
    """The whole analysis as text, numbers first, the coach's sentences last.

    Mistakes are drawn where `pictures` has their images, as many beside each other as `width` cells hold.
    """
    lines = [
        f"{analysis.run.id}: best epoch {analysis.predictions.epoch}, {analysis.accuracy:.2%} on "
        f"{len(analysis.predictions):,} test images, {len(analysis.mistakes)} mistakes",
        "",
        *matrix_lines(analysis.matrix, ascii_only),
        "",
        *_score_lines(analysis),
        "",
        *_pair_lines(analysis),
        "",
        *_mistake_lines(analysis, pictures or {}, width, ascii_only),
        "",
        *_confidence_lines(analysis, ascii_only),
        *_ceiling_lines(analysis),
        *(_versus_lines(analysis, versus, ascii_only) if versus else []),
        "",
        *advice_lines(analysis.advice),
    ]
    return [in_ascii(line) if ascii_only else line for line in map(_plain, lines)]


def _plain(line: str) -> str:
    """A line that drives no terminal: names and messages come from files."""
    return clean_line(line, 1_000).rstrip()


def _score_lines(analysis: RunAnalysis) -> Iterator[str]:
    yield "class  precision   recall       F1  support"
    data = analysis.run.dataset_record
    for one in analysis.scores:
        name = f"  {data.class_name(one.label)}" if data.names else ""
        yield f"{one.label:>5}  {one.precision:>9.2%}  {one.recall:>7.2%}  {one.f1:>7.2%}  {one.support:>7,}{name}"


def _pair_lines(analysis: RunAnalysis) -> Iterator[str]:
    yield "most confused, true → predicted"
    labelled = analysis.run.dataset_record.labelled
    for pair in analysis.pairs:
        yield f"  {labelled(pair.label)} → {labelled(pair.prediction)}  {pair.count:>4}"
    if not analysis.pairs:
        yield "  none"


def _mistake_lines(analysis: RunAnalysis, pictures: Pictures, width: int, ascii_only: bool) -> Iterator[str]:
    worst = analysis.mistakes[:SHOWN]
    yield f"mistakes, highest loss first ({len(worst)} of {len(analysis.mistakes)})"
    for one in worst:
        yield f"  {prediction_words(one)}"
    drawn = [(pictures[one.index], _caption(one)) for one in worst if one.index in pictures]
    if drawn:
        yield ""
        yield from gallery_lines(drawn, width, ascii_only)


def prediction_words(one: ImagePrediction) -> str:
    """A prediction in a line: `#947  8 → 9  loss 3.21  9 96 %, 8 4 %, 4 0 %`, and what is known of a wrong label."""
    top = ", ".join(f"{label} {probability:.0%}" for label, probability in one.top)
    wrong = f"  label wrong by the published study; proposed: {one.published_guess}"
    marked = wrong if one.published_guess is not None else ""
    words = f"#{one.index:<5} {one.label} → {one.prediction}  loss {one.loss:6.2f}  {top}"
    return f"{words}{marked}".rstrip()


def _caption(one: ImagePrediction) -> list[str]:
    confidence = "" if one.confidence is None else f" {one.confidence:.0%}"
    mark = "" if one.published_guess is None else f"label? proposed: {one.published_guess}"
    return [f"#{one.index} {one.label}→{one.prediction}{confidence}", mark]


def _confidence_lines(analysis: RunAnalysis, ascii_only: bool) -> Iterator[str]:
    confidence = analysis.confidence
    if confidence is None:
        yield f"confidence: {analysis.confidence_missing}"
        return
    yield f"expected calibration error {confidence.expected_calibration_error:.4f} ({len(confidence.bins)} bins)"
    yield f"  confidence      images  accuracy  mean confidence  {'accuracy':<{BAR}}"
    for one in confidence.bins:
        if one.count:
            bounds = f"{one.low:.2f}–{one.high:.2f}"
            numbers = f"{one.count:>9,}  {one.accuracy:>8.2%}  {one.confidence:>15.2%}"
            yield f"  {bounds:<11}{numbers}  {bar(one.accuracy, BAR, ascii_only)}"
    for part in confidence.selected:
        yield f"  only the surest {part.coverage:.0%} answered: {part.accuracy:.2%} of {part.count:,} images"


def _ceiling_lines(analysis: RunAnalysis) -> Iterator[str]:
    ceiling = analysis.ceiling
    if ceiling is None:
        return
    others = len(analysis.predictions) - len(LABEL_ERRORS)
    yield ""
    yield (
        f"{len(LABEL_ERRORS)} labels of the test set are wrong by a published study: {ceiling.counted_wrong} of them "
        f"count as mistakes here, {ceiling.read_as_guessed} are predicted as proposed by the study;"
    )
    yield (
        f"on the other {others:,} images the accuracy is {ceiling.accuracy_on_others:.2%}. More than {CEILING:.2%} on "
        "all is possible only by fitting the errors."
    )


def _versus_lines(analysis: RunAnalysis, versus: Versus, ascii_only: bool) -> Iterator[str]:
    yield ""
    yield f"against {versus.other.run.id} ({versus.other.accuracy:.2%}): counts of this run less those of the other"
    yield from matrix_lines(versus.difference, ascii_only, signed=True)
    for who, indices in (
        ("this run", versus.images.only_first),
        ("the other", versus.images.only_second),
    ):
        more = f" and {len(indices) - SHOWN} more" if len(indices) > SHOWN else ""
        named = ", ".join(f"#{index}" for index in indices[:SHOWN])
        yield f"right in {who} alone: {len(indices)} images{f': {named}{more}' if indices else ''}"
    yield f"exact McNemar test: p = {versus.test.p:.3g}"


def advice_lines(advice: Sequence[Advice]) -> Iterator[str]:
    """What the coach says about a run, each rule with what to change."""
    yield "coach"
    for one in advice:
        yield f"  {one.rule}: {one.sentence}"
        yield f"    {one.suggestion}{_set_options(one)}"
    if not advice:
        yield "  no rule applies to this run"


def _set_options(advice: Advice) -> str:
    """The change as the command line takes it; layers are too long for one line."""
    if advice.settings is None:
        return ""
    short = {path: text for path, text in advice.settings.items() if path != "layers"}
    in_layers = [] if len(short) == len(advice.settings) else ["(in the layers)"]
    return " ".join(["", *in_layers, *([as_options(short)] if short else [])])


# --- JSON ---


def as_json(analysis: RunAnalysis, versus: Versus | None = None) -> dict[str, Any]:
    """The whole analysis as one object; shares are fractions, a loss that is infinite is null."""
    document = {
        "run": analysis.run.id,
        "epoch": analysis.predictions.epoch,
        "images": len(analysis.predictions),
        "accuracy": analysis.accuracy,
        "confusion": analysis.matrix,
        "per_class": [
            {"class": one.label, "name": analysis.run.dataset_record.class_name(one.label)}
            | {"precision": one.precision, "recall": one.recall, "f1": one.f1, "support": one.support}
            for one in analysis.scores
        ],
        "most_confused": [asdict(pair) for pair in analysis.pairs],
        "mistakes": [_prediction_json(one) for one in analysis.mistakes],
        **_confidence_json(analysis.confidence),
        "confidence_missing": analysis.confidence_missing,
        "label_errors": asdict(analysis.ceiling) if analysis.ceiling else None,
        "coach": [asdict(advice) for advice in analysis.advice],
    }
    if versus:
        document["against"] = {
            "run": versus.other.run.id,
            "accuracy": versus.other.accuracy,
            "difference": versus.difference,
            "only_this": versus.images.only_first,
            "only_other": versus.images.only_second,
            "p": versus.test.p,
        }
    plain: dict[str, Any] = finite(document)
    return plain


def _prediction_json(one: ImagePrediction) -> dict[str, Any]:
    top = [{"class": label, "probability": probability} for label, probability in one.top]
    return asdict(one) | {"confidence": one.confidence, "top": top}


def _confidence_json(confidence: Confidence | None) -> dict[str, Any]:
    if confidence is None:
        return {"ece": None, "reliability": None, "selective": None}
    return {
        "ece": confidence.expected_calibration_error,
        "reliability": [asdict(one) for one in confidence.bins],
        "selective": [asdict(one) for one in confidence.selected],
    }
