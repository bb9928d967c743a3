"""What a report says, as data: everything that a template can name. Texts are plain where nothing else is said."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from mnist_tui.analysis.coach.evidence import Advice
from mnist_tui.analysis.confusion import ConfusedPair, Matrix
from mnist_tui.analysis.mistakes import ImagePrediction
from mnist_tui.analysis.statistics import Interval

Format = Literal["md", "html"]
"""Markdown with its figures beside it, or one HTML file."""


@dataclass(frozen=True)
class Result:
    """A measured number of a step; of several seeds their mean."""

    value: str
    """`99.41%`; "-" where it was not measured."""
    range: str = ""
    """`99.32–99.48`, the 95% interval of the mean; "" for a single run, and for seeds that are all equal."""
    mean: float | None = None
    """The value as a fraction."""
    interval: Interval | None = None
    """The interval as fractions."""

    @property
    def text(self) -> str:
        """`99.41%`, of several seeds `99.41% (99.32–99.48)`."""
        return f"{self.value} ({self.range})" if self.range else self.value


@dataclass(frozen=True)
class Note:
    """A part of the notes of a step."""

    name: Literal["target", "result", "analysis"]
    text: str
    """Markdown, as a person or the program wrote it; "" where it is to be written."""
    file: str
    """The notes.md to write it into."""
    command: str
    """The command that opens this file in an editor."""


@dataclass(frozen=True)
class SeedResult:
    """One run of a step that has several seeds."""

    run: str
    """The name of its folder."""
    seed: str
    best: str
    last: str
    gap: str
    target: str


@dataclass(frozen=True)
class Figure:
    """A picture; it is drawn when a template shows it."""

    name: str
    """Its file name, such as `1-iter5-accuracy.svg`."""
    alt: str
    """What it shows, in words, for who does not see it."""
    draw: Callable[[], bytes]


@dataclass(frozen=True)
class Predictions:
    """What the best epoch of a step's first run says about the test images."""

    epoch: int
    images: int
    wrong: int
    """The number of mistakes."""
    classes: tuple[str, ...]
    """The names of the classes, in the order of the matrix."""
    matrix: Matrix
    pairs: tuple[ConfusedPair, ...]
    """The most confused pairs of classes, the most frequent first."""
    mistakes: tuple[ImagePrediction, ...]
    """The worst mistakes, the highest loss first."""


@dataclass(frozen=True)
class Step:
    """One run, or several seeds of one recipe. What is no mean over the seeds is that of the first run."""

    number: int
    """Its place in the report, from 1."""
    name: str
    """The preset's name."""
    title: str
    """The preset's title; "" without one."""
    run: str
    """The name of the first run's folder."""
    first: str
    """Name and seed of the first run: `iter5 s0`."""
    seeds: str
    """`seed 0`, `3 seeds`."""
    count: int
    """The number of runs, repeats of a seed left out."""
    results: tuple[SeedResult, ...]
    """A row for each seed; () for a single run."""
    state: str
    """`completed`, `stopped`, …; of several seeds how many of each."""
    when: str
    """When it began, local time."""

    summary: tuple[str, ...]
    """What changed against the step before, in a few words; () for the first step, and where nothing did."""
    changes: tuple[str, ...]
    """Every change against the step before: layers, settings, and what nobody set, such as another version."""

    parameters: str
    epochs: str
    best: Result
    last: Result
    mean: Result
    """The mean of the last epochs."""
    train: Result
    """The accuracy in training in the last epoch."""
    gap: Result
    """Train − test accuracy in the last epoch, in points."""
    target: str
    """`met`, `MISSED`, `not judged`, or "-" without a target; of several seeds how many of each."""
    remarks: tuple[str, ...]
    """What a reader must know about these numbers: other data, a run that did not complete, a rate set by hand."""

    notes: tuple[Note, ...]
    """Target, result and analysis."""
    recipe: tuple[tuple[str, str], ...]
    """Names of settings with their values; () where this version cannot read the spec."""
    layer_table: str
    """The layer table with its totals, with --torchsummary in that form; "" where the layers are not known."""
    receptive_field: str
    epoch_log: str
    """A line for each epoch; "" where none was finished."""
    advice: tuple[Advice, ...]
    """What the coach says."""

    accuracy_curves: Figure | None
    loss_curves: Figure | None
    predictions: Predictions | None
    """None where they are not saved."""
    confusion_matrix: Figure | None
    worst_mistakes: Figure | None
    not_shown: tuple[str, ...]
    """Why there is no confusion matrix, or no picture of a mistake."""

    commands: tuple[str, ...]
    """The commands that train it again."""

    @property
    def predecessor(self) -> int:
        """The number of the step that its changes are against; 0 for the first step."""
        return self.number - 1


@dataclass(frozen=True)
class Measurement:
    """Data, device and versions that some of the steps have in common."""

    steps: str
    """Their numbers: `1–3, 5`."""
    data: str
    chosen_on: str
    """The images that chose the best epoch."""
    device: str
    versions: str


@dataclass(frozen=True)
class BriefStep:
    """A step of a course brief and the run of the report that reaches it, or comes nearest to it."""

    number: int
    name: str
    asked: str
    target: str
    is_reached: bool
    run: str
    """Name and seed of the run; "" where no run counts for the brief."""
    result: str
    """Accuracy, parameters and epochs of the run, each with what it is short of."""


@dataclass(frozen=True)
class BriefSection:
    """A course brief, and how far the runs of the report are with it."""

    title: str
    source: str
    """Where the brief comes from; "" where it does not say."""
    steps: tuple[BriefStep, ...]


@dataclass(frozen=True)
class FrontSection:
    """The recipes of the report by parameters and accuracy."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """A row for each recipe, the highest accuracy first; as many cells as `heads`."""
    remarks: tuple[str, ...]
    figure: Figure


@dataclass(frozen=True)
class Report:
    """A report on some runs."""

    title: str
    steps: tuple[Step, ...]
    mean_heading: str
    """The heading of the means of the last epochs: `mean of last 3`."""
    has_seeds: bool
    """Whether any step has several seeds, so that there are intervals."""
    remarks: tuple[str, ...]
    """What a reader must know before comparing the steps."""
    overview: Figure | None
    """The test accuracy of every step over the epochs; None with one step."""
    measurements: tuple[Measurement, ...]
    program: str
    """`mnist-tui 0.2.0`."""
    brief: BriefSection | None = None
    """None without --brief."""
    front: FrontSection | None = None
    """None where there are fewer than two recipes to rank."""

    @property
    def unwritten(self) -> tuple[tuple[Step, Note], ...]:
        """The parts of notes that are to be written, with their steps."""
        return tuple((step, note) for step in self.steps for note in step.notes if not note.text)


@dataclass(frozen=True)
class Rendered:
    """A report as text, and the figures that belong beside it."""

    text: str
    files: dict[str, bytes] = field(default_factory=dict)
    """By their names; none where they are inside the text."""
