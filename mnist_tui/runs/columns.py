"""The columns of the table of runs: their headings, and their text for a run and for several seeds of one recipe."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mnist_tui.datasets.published import MNIST
from mnist_tui.errors import ColumnError
from mnist_tui.runs.metrics import metric
from mnist_tui.runs.record import Run, observations
from mnist_tui.runs.sparkline import HELP, MOST_CELLS, mean_curve, scale_of, sparkline
from mnist_tui.text import clean_line, did_you_mean, duration

NOT_MNIST = "not MNIST: its accuracies do not compare with MNIST's"
"""The warning about a run on other images."""
NOT_JUDGED = "imported log: what its accuracies were measured on is not known here, so they are not judged"
"""The warning about the log of another program."""

Value = str | int | float | bool | tuple[Any, ...] | None


@dataclass(frozen=True)
class Column:
    """One fact of a run."""

    key: str
    """Its name in filters, in settings and in JSON."""
    heading: str
    value: Callable[[Run], Value]
    """Returns the value for a run; None where it has none."""
    text: Callable[[Any], str] = str
    """Formats a value that is not None."""
    is_number: bool = False
    """Whether it is aligned to the right, and can be compared with < and >."""
    is_result: bool = False
    """Whether it is measured: several seeds then show mean ± standard deviation."""
    help: str = ""
    is_accuracy: bool = False
    """Whether it is an accuracy, or a difference of two: sorting by it ranks the runs of each data set apart."""

    @property
    def is_falling(self) -> bool:
        """Whether sorting by it begins with the highest value, or the newest run."""
        return self.is_number or self.is_accuracy or self.key == "when"

    def has_value(self, run: Run) -> bool:
        """Whether a run has a value in this column."""
        return self.value(run) not in (None, "", ())

    def of(self, runs: Sequence[Run]) -> str:
        """The text of the cell of a run, or of several seeds of one recipe; repeats of a seed are not counted."""
        if self.key in ("seed", "id") and len(runs) > 1:
            return seed_words(runs) if self.key == "seed" else _count(len(runs), "run")
        values = [value for run in observations(runs) if (value := self.value(run)) not in (None, "", ())]
        if not values:
            return "" if self.key in ("tag", "note", "reason", "dropout") else "-"
        if len(values) == 1 or all(value == values[0] for value in values):
            return clean_line(self.text(values[0]), 300)
        return self._of_several(values)

    def _of_several(self, values: Sequence[Any]) -> str:
        if self.is_result:
            return f"{self.text(fmean(values))} ±{self.text(stdev(values)).removesuffix('%').removeprefix('+')}"
        if self.key == "when":
            return self.text(max(values))
        counts = Counter(values).most_common()
        if len(counts) > 3:
            return f"{len(counts)} values"
        return ", ".join(f"{count} {self.text(value)}" for value, count in counts)

    def mean(self, runs: Sequence[Run]) -> Value:
        """The value by which a row of several seeds is sorted: the mean of numbers, else the first."""
        values: list[Any] = [value for run in observations(runs) if (value := self.value(run)) is not None]
        if self.is_number and values:
            return fmean(values)
        return values[0] if values else None


class CurveColumn(Column):
    """The test accuracy over the epochs as a sparkline, of several seeds their mean; sorted by the last epoch.

    Its value is read from the disk, so `has_value` and `mean` do not use it.
    """

    def has_value(self, run: Run) -> bool:
        return run.epochs > 0

    def of(self, runs: Sequence[Run]) -> str:
        return self.drawn(runs, MOST_CELLS)

    def drawn(self, runs: Sequence[Run], width: int) -> str:
        """The sparkline in at most `width` cells."""
        curves = [run.accuracies for run in observations(runs) if run.accuracies]
        return sparkline(mean_curve(curves), scale_of(runs[0].dataset), width) if curves else "-"

    def mean(self, runs: Sequence[Run]) -> Value:
        return column("last").mean(runs)


def seed_words(runs: Sequence[Run]) -> str:
    """The seeds of several runs in words: how many there are, and how many runs are repeats, which are not counted."""
    if runs[0].is_imported:
        return "imported log"
    counted = observations(runs)
    seeds = {run.seed for run in counted}
    if len(counted) == 1:
        words = f"seed {counted[0].seed}"
    else:  # One seed on two devices, or with two versions of torch, draws two sets of random numbers.
        words = _count(len(seeds), "seed")
        words = words if len(seeds) == len(counted) else f"{len(counted)} runs of {words}"
    repeats = len(runs) - len(counted)
    return words + (f" (+{_count(repeats, 'repeat')})" if repeats else "")


def data_warning(run: Run) -> str:
    """Why the accuracies of a run do not compare with those on MNIST; "" where they do, and for what is no run."""
    if not run.is_run or run.dataset == MNIST.name:
        return ""
    return NOT_JUDGED if run.is_imported else f"{run.dataset or 'unknown data'}, {NOT_MNIST}"


def data_words(run: Run) -> str:
    """The same in a headline, which names the state of an imported log already."""
    return f"{run.dataset or 'unknown data'}, not MNIST" if is_on_other_data(run) else ""


def is_on_other_data(run: Run) -> bool:
    """Whether a run was trained here on other images than MNIST's, or on unknown ones."""
    return run.dataset != MNIST.name and not run.is_imported


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


_percent = metric("test_accuracy").text
_points = metric("gap").text


def _when(created: str) -> str:
    """A time, in UTC where it has no offset, as local time to the minute."""
    try:
        time = datetime.fromisoformat(created)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):  # Here it may be the year 0 or 10,000.
        return created


def _short_id(run: Run) -> str | None:
    """None for a folder that is not among other runs, and for one that is no run, whose name is another column."""
    return None if run.short_id in ("", run.name) else run.short_id


def _state(run: Run) -> str:
    if run.is_reference and run.state == "completed":
        return "reference"
    return f"{run.state}, rate changed" if run.is_rate_changed else run.state


def _note(run: Run) -> str:
    return run.note or ("" if run.state in ("completed", "training") else f"({run.reason})")


def _rates(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _percents(values: Sequence[float]) -> str:
    return ", ".join(map(_percent, values))


ALL = (
    Column("name", "name", lambda run: run.name, help="the preset"),
    Column("when", "when", lambda run: run.created, _when, help="when it began"),
    Column("seed", "seed", lambda run: run.seed, is_number=True, help="of several: how many, less repeats of one"),
    Column(
        "state",
        "state",
        _state,
        help="training, completed, stopped, failed, diverged, interrupted, imported, reference, …",
    ),
    Column("parameters", "params", lambda run: run.parameters, "{:,}".format, is_number=True),
    Column("epochs", "epochs", lambda run: run.epochs or None, is_number=True, help="epochs done"),
    CurveColumn("curve", "test accuracy", lambda run: run.accuracies, _percents, help=HELP, is_accuracy=True),
    Column(
        "best", "best", lambda run: run.best_accuracy, _percent, True, True, "test accuracy of the best epoch", True
    ),
    Column(
        "last", "last", lambda run: run.last_accuracy, _percent, True, True, "test accuracy of the last epoch", True
    ),
    Column("mean", "mean last", lambda run: run.mean_of_last, _percent, True, True, "mean over the last epochs", True),
    Column("on", "measured on", lambda run: run.measured_on, help="images, and what chose the best epoch"),
    Column(
        "gap", "gap", lambda run: run.gap, _points, True, True, "train − test accuracy, last epoch, in points", True
    ),
    Column("lr", "lr", lambda run: run.learning_rate, "{:g}".format, True, help="the optimizer's learning rate"),
    Column("batch", "batch", lambda run: run.batch_size, is_number=True, help="batch size"),
    Column("opt", "optimizer", lambda run: run.optimizer),
    Column("sched", "scheduler", lambda run: run.scheduler),
    Column("dropout", "dropout", lambda run: run.dropout, _rates, help="rates of the dropout layers"),
    Column("augment", "augmentation", lambda run: run.augmentation),
    Column("layers", "layers", lambda run: run.layer_types, help="how many of each type"),
    Column("seconds", "time", lambda run: run.seconds, duration, True, True),
    Column("target", "target", lambda run: run.target_verdict, help="met, MISSED or not judged"),
    Column("tag", "tags", lambda run: run.tags, ", ".join),
    Column("note", "note", _note, help="first line of the analysis; without one, why the run did not complete"),
    Column("data", "data", lambda run: run.dataset, help="the data set: mnist, digits, fashion-mnist, …"),
    Column("device", "device", lambda run: run.device),
    Column("reason", "reason", lambda run: run.reason, help="why it ended, or what is wrong with the folder"),
    Column("reproduces", "reproduces", lambda run: run.reproduces, help="the run that repro trained again"),
    Column("sweep", "sweep", lambda run: run.sweep, help="the sweep that it belongs to, and what was varied in it"),
    Column("id", "id", _short_id, help="the end of the folder's name; every command takes it for the run"),
    Column("run", "run", lambda run: run.id, help="the folder's name; of a reference run reference/NAME"),
)

OTHER_NAMES = {
    "acc": "best",
    "accuracy": "best",
    "params": "parameters",
    "optimizer": "opt",
    "scheduler": "sched",
    "learning_rate": "lr",
    "batch_size": "batch",
    "tags": "tag",
    "time": "seconds",
    "dataset": "data",
    "augmentation": "augment",
}

_BY_KEY = {column.key: column for column in ALL}


def column(name: str) -> Column:
    """The column of a name; raises `ColumnError` for an unknown one, with the nearest known."""
    key = OTHER_NAMES.get(name, name)
    if key not in _BY_KEY:
        near = did_you_mean(name, [*_BY_KEY, *OTHER_NAMES]) or f"; known are {', '.join(_BY_KEY)}"
        raise ColumnError(f"there is no column {clean_line(name, 40)!r}{near}")
    return _BY_KEY[key]


def chosen(names: Sequence[str]) -> list[Column]:
    """The columns of several names, each once."""
    return list(dict.fromkeys(column(name) for name in names))


def shown_columns(groups: Sequence[Sequence[Run]], names: Sequence[str]) -> list[Column]:
    """The columns of several names that have a value in any row, and the data set's where one is not MNIST."""
    return without_empty(with_data(groups, names), groups)


def with_data(groups: Sequence[Sequence[Run]], names: Sequence[str]) -> list[Column]:
    """The columns of several names; where a row is not of MNIST, the data set's too, before the accuracies."""
    named, data = chosen(names), column("data")
    if data in named or {runs[0].dataset for runs in groups} <= {None, MNIST.name}:
        return named
    at = next((index for index, each in enumerate(named) if each.is_accuracy), len(named))
    return [*named[:at], data, *named[at:]]


def without_empty(columns: Sequence[Column], groups: Sequence[Sequence[Run]]) -> list[Column]:
    """The columns in which any of the rows has a value; all of them without rows."""
    return [each for each in columns if not groups or any(each.has_value(run) for runs in groups for run in runs)]


def ordered(groups: Sequence[Sequence[Run]], by: str) -> list[Sequence[Run]]:
    """Sorts rows by a column, `-best` for the highest first; those without a value come last, equals keep their order.

    An accuracy ranks the runs of each data set apart: those of MNIST come first in either direction.
    """
    key, is_falling = column(by.removeprefix("-")), by.startswith("-")
    valued = [(key.mean(runs), runs) for runs in groups]
    with_value = [pair for pair in valued if pair[0] is not None]
    with_value.sort(key=lambda pair: pair[0], reverse=is_falling)  # type: ignore[arg-type, return-value]
    if key.is_accuracy:
        with_value.sort(key=lambda pair: _data_rank(pair[1][0]))
    return [runs for _, runs in with_value] + [runs for value, runs in valued if value is None]


def _data_rank(run: Run) -> tuple[bool, str]:
    return run.dataset != MNIST.name, run.dataset or ""


def as_record(run: Run) -> dict[str, Any]:
    """Every column of a run as JSON: numbers as numbers, None where there is none; and where its folder is."""
    record = {each.key: each.value(run) for each in ALL}
    lists = {"tag": list(run.tags), "dropout": list(run.dropout)}
    return record | lists | {"when": run.created or None, "target": run.target_met, "folder": str(Path(run.folder))}
