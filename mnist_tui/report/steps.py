"""The steps of a report: the facts of a run, or of several seeds of one recipe, as texts and numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from mnist_tui.analysis import statistics
from mnist_tui.analysis.coach.rules import advise_on
from mnist_tui.analysis.comparison import Arm
from mnist_tui.datasets.published import MNIST
from mnist_tui.report import changes, figures
from mnist_tui.report.commands import commands_of
from mnist_tui.report.epoch_log import epoch_log
from mnist_tui.report.model import Result, SeedResult, Step
from mnist_tui.report.notes import notes_of, unreadable_notes
from mnist_tui.report.predictions import predictions_of
from mnist_tui.runs import columns
from mnist_tui.runs.metrics import metric
from mnist_tui.runs.numbers import fraction
from mnist_tui.runs.record import IMPORTED, Run
from mnist_tui.spec import recipe_words, summary
from mnist_tui.spec.data_spec import ON_MNIST
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line

DONE = ("completed", IMPORTED)
"""The states of runs that need no remark on how they ended."""
_percent, _points = metric("test_accuracy").text, metric("gap").text


@dataclass(frozen=True)
class Surroundings:
    """What the steps of a report have in common."""

    runs: Sequence[Run]
    """The runs among which the coach looks for other seeds."""
    data_dir: Path | None
    """Where MNIST is, for the pictures of mistakes."""
    is_torchsummary: bool
    """Whether layer tables are in torchsummary's form."""
    is_mixed: bool
    """Whether some of the runs are on other data, so that each step must say what it is on."""


def make_step(number: int, arm: Arm, before: Arm | None, surroundings: Surroundings) -> Step:
    """A step of a report; `before` is the one before it."""
    run, spec = arm.runs[0], arm.runs[0].spec
    log = epoch_log(run)  # Reads the epochs, from which accuracies are then taken.
    predictions, worst, not_shown = predictions_of(run, surroundings.data_dir)
    draw = figures.StepFigures(number, arm)
    return Step(
        number=number,
        name=run.name,
        title=spec.title if spec else "",
        run=run.id,
        first=run.title,
        seeds=columns.seed_words(arm.runs),
        count=len(arm.runs),
        results=tuple(map(_seed_result, arm.runs)) if len(arm.runs) > 1 else (),
        state=_text("state", arm),
        when=_text("when", arm),
        summary=changes.summary(before, arm) if before else (),
        changes=changes.changes(before, arm) if before else (),
        parameters=_text("parameters", arm),
        epochs=_text("epochs", arm),
        best=_accuracy(arm.values("best")),
        last=_accuracy(arm.values("last")),
        mean=_accuracy(arm.values("mean")),
        train=_accuracy(_known(arm, _train_accuracy)),
        gap=_gap(_known(arm, lambda each: each.gap)),
        target=_text("target", arm),
        remarks=tuple(_remarks(arm, surroundings.is_mixed)),
        notes=notes_of(arm.runs),
        recipe=_recipe(spec) if spec else (),
        layer_table=_layer_table(spec, surroundings.is_torchsummary) if spec else "",
        receptive_field=summary.receptive_field_sentence(run.layers, run.dataset_record.shape) if run.layers else "",
        epoch_log=log,
        advice=tuple(advise_on(run, surroundings.runs)),
        accuracy_curves=draw.curves("accuracy"),
        loss_curves=draw.curves("loss"),
        predictions=predictions,
        confusion_matrix=draw.confusion_matrix(predictions),
        worst_mistakes=draw.worst_mistakes(worst),
        not_shown=not_shown,
        commands=commands_of(arm.runs),
    )


def _text(column: str, arm: Arm) -> str:
    return columns.column(column).of(arm.runs)


# --- results ---


def _known(arm: Arm, value_of: Callable[[Run], float | None]) -> list[float]:
    return [value for run in arm.runs if (value := value_of(run)) is not None]


def _train_accuracy(run: Run) -> float | None:
    return fraction(run.last.get("train_accuracy"))


def _accuracy(values: Sequence[float]) -> Result:
    """The mean accuracy, with its interval where there are several seeds."""
    if not values:
        return Result("-")
    mean, interval = fmean(values), statistics.mean_interval(values)
    ends = f"{100 * interval[0]:.2f}–{100 * interval[1]:.2f}" if interval else ""
    return Result(_percent(mean), ends, mean, interval)


def _gap(values: Sequence[float]) -> Result:
    return Result(_points(fmean(values)), mean=fmean(values)) if values else Result("-")


def _seed_result(run: Run) -> SeedResult:
    seed, best, last, gap, target = (columns.column(key).of([run]) for key in ("seed", "best", "last", "gap", "target"))
    return SeedResult(run.id, seed, best, last, gap, target)


# --- what is remarkable ---


def _remarks(arm: Arm, is_mixed: bool) -> list[str]:
    """What a reader must know about the numbers of a step."""
    run = arm.runs[0]
    remarks = [f"{each.title} {each.state}: {each.reason}" for each in arm.runs if each.state not in DONE]
    if run.is_imported:
        remarks.append(f"Imported {run.reason}; measured on {run.measured_on or 'unknown images'}, as the log says.")
    elif is_mixed and run.dataset != MNIST.name:
        remarks.append(f"Measured on {columns.data_warning(run)}.")
    if run.chosen_by == "validation" and not run.is_imported:
        remarks.append("The best epoch was chosen on validation images, not on the test set.")
    remarks += [f"The learning rate of {each.title} was changed by hand." for each in arm.runs if each.is_rate_changed]
    remarks += [f"{each.title} continues {each.extends} (mnist-tui extend)." for each in arm.runs if each.extends]
    remarks += [f"{each.id} is not counted: a newer run repeats it." for each in arm.repeats]
    return [clean_line(remark, 300) for remark in [*remarks, *unreadable_notes(arm.runs)]]


# --- network and recipe ---


def _layer_table(spec: RunSpec, is_torchsummary: bool) -> str:
    """The layer table of `mnist-tui show`, without its heading and source."""
    return summary.torchsummary(spec) if is_torchsummary else summary.table(spec).partition("\n\n")[2]


def _recipe(spec: RunSpec) -> tuple[tuple[str, str], ...]:
    train, reported = spec.train, spec.reported
    published = ""
    if reported is not None and reported.accuracy is not None:
        in_epoch = f" in epoch {reported.epoch}" if reported.epoch else ""
        published = f"{reported.accuracy:.2%}{in_epoch}, on {reported.measured_on}{recipe_words.of_data(spec)}"
    settings = {
        "data": recipe_words.data_words(spec) if spec.data != ON_MNIST else "",
        "epochs": f"{train.epochs:,}",
        "batch size": f"{train.batch_size:,}",
        "optimizer": str(train.optimizer),
        "no weight decay": ", ".join(train.no_decay),
        "average of weights": str(train.average or ""),
        "scheduler": str(train.scheduler or "none"),
        "loss": str(train.loss),
        "augmentation": ", ".join(map(str, train.augment)) or "none",
        "mixup": f"{train.mixup:g}" if train.mixup else "",
        "knobs": ", ".join(f"{name}={value:g}" for name, value in spec.knobs.items()),
        "validation images": f"{train.validation_images:,}" if train.validation_images else "",
        "source": spec.source,
        "published accuracy": published,
    }
    return tuple((name, clean_line(value)) for name, value in settings.items() if value)
