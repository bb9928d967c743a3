"""`mnist-tui repro`: trains a saved run again and says whether it comes out as before."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_tui.cli.arguments import (
    EXIT_CODES,
    EventsAsJson,
    Given,
    Quiet,
    Run,
    examples,
    resume_options,
    takes_settings,
)
from mnist_tui.cli.formats import event_record
from mnist_tui.cli.headless import FollowedRun
from mnist_tui.cli.output import Output, interruptible
from mnist_tui.cli.progress_table import show_downloads
from mnist_tui.errors import ExitCode, StorageError
from mnist_tui.runs import metrics
from mnist_tui.runs.events import Event, LearningRateChanged, RunEnded, RunStarted
from mnist_tui.runs.reproduction import Difference, EpochCompared, Reproduced, changed_words
from mnist_tui.spec.run_options import Options

if TYPE_CHECKING:
    from mnist_tui.runs.storage import SavedRun

app = typer.Typer()

CODES = {"identical": ExitCode.OK, "different": ExitCode.NOT_REPRODUCED, "stopped": ExitCode.FAILED}


@app.command(
    epilog=examples(
        "mnist-tui repro a17f",
        "mnist-tui repro a17f --all --threads 2     every epoch, with another number of threads",
        "mnist-tui repro a17f --json | tail -1 | jq .verdict",
        more=EXIT_CODES,
    )
)
@takes_settings("device", "data_dir", "runs_dir", "threads", "fuse")
def repro(
    run: Run,
    to_the_end: Annotated[
        bool, typer.Option("--all", help="Train all epochs of the run, also behind a difference.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep what is trained, as a run with the tag repro; else it is thrown away.")
    ] = False,
    as_json: EventsAsJson = False,
    quiet: Quiet = False,
    *,
    given: Given,
) -> int:
    """Train a saved run again and say whether every number is the same.

    It is trained as it was begun: design, seed, data, device, threads, and changes of the learning rate by hand. If a
    number differs, prints the epoch, by how much, and what differs around it: versions, processor, threads, ….
    """
    options = resume_options(given)
    from mnist_tui.runs import index, storage

    saved = storage.load_run(index.find_readable(run, options.runs_dir).folder)
    fuse = given.get("fuse", saved.record.get("fused") is not False)  # Version 0.1 always fused.
    with _runs_dir(options, keep) as runs_dir:
        options = replace(options, runs_dir=runs_dir, fuse=bool(fuse))
        return _reproduce(saved, options, to_the_end, keep, Output(as_json, quiet))


@contextmanager
def _runs_dir(options: Options, keep: bool) -> Iterator[Path]:
    """The runs directory, or a temporary one, which is deleted afterwards."""
    if keep:
        yield options.runs_dir
        return
    try:
        folder = tempfile.TemporaryDirectory(prefix="mnist-tui-repro-")
    except OSError as error:
        raise StorageError(
            f"no temporary folder can be made ({error.strerror}); set TMPDIR, or --keep the run"
        ) from None
    with folder as path:
        yield Path(path)


def _reproduce(saved: "SavedRun", options: Options, to_the_end: bool, keep: bool, output: Output) -> ExitCode:
    from mnist_tui.training.reproduce import reproduce

    followed, result = FollowedRun(saved.spec), None
    with interruptible() as interruption:
        for event in show_downloads(reproduce(saved, options, interruption.control, to_the_end), output):
            result = event if isinstance(event, Reproduced) else None
            _show(event, followed, output, to_the_end)
            if isinstance(event, RunStarted):  # The progress line counts the epochs that are trained again.
                followed.started = replace(event, epochs=min(event.epochs, len(saved.rows) + saved.has_diverged))
    if keep and followed.started and not output.as_json:
        output.data(followed.started.folder)
    return interruption.code or (ExitCode.FAILED if result is None else CODES[result.verdict])


def _show(event: "Event | EpochCompared | Reproduced", run: FollowedRun, output: Output, to_the_end: bool) -> None:
    match event:
        case EpochCompared() | Reproduced() | RunEnded() | LearningRateChanged() if output.as_json:
            output.json(event_record(event, run.started.run if run.started else None))
        case EpochCompared(differences=differences):
            if differences and to_the_end:
                output.data(f"  differs: {', '.join(map(_short, differences))}")
        case Reproduced():
            for line in verdict_lines(event):
                output.data(line)
        case RunEnded():
            if event.outcome in ("failed", "diverged"):
                output.talk(f"{event.outcome}: {event.message}", always=True)
        case LearningRateChanged(learning_rate=rate):
            output.talk(f"learning rate {rate:g} from here on, as in the run")
        case _:
            run.show(event, output)


# --- the verdict in words ---


def verdict_lines(result: Reproduced) -> list[str]:
    """The verdict, the first difference, and what differs around it."""
    around = changed_words(result.around)
    match result.verdict:
        case "identical":
            return [f"identical: {_extent(result)}", *([f"although there differ: {around}"] if around else [])]
        case "stopped":
            so_far = f"{result.epochs} of {_epochs(result.stored_epochs)} compared, all of it identical"
            return [f"stopped: {so_far if result.epochs else 'before an epoch was compared'}"]
    around = around or "nothing that was recorded: versions, device, processor, threads, git commit"
    return [f"different: {_first_difference(result)}", f"around it differ: {around}"]


def _extent(result: Reproduced) -> str:
    """All that is the same."""
    parts = [f"every number of {_epochs(result.epochs)}"] if result.epochs else []
    if result.weights:
        parts.append(f"the weights after step {result.weights.step:,} (SHA-256 {result.weights.stored[:12]})")
    if result.has_diverged:
        parts.append(f"the divergence in epoch {result.epochs + 1}")
    uncompared = "" if result.weights else "; there is no checkpoint of both to compare weights"
    *others, last = parts
    return (f"{', '.join(others)} and {last}" if others else last) + uncompared


def _first_difference(result: Reproduced) -> str:
    if not result.differences:
        step = result.weights.step if result.weights else 0
        return f"not the numbers of {_epochs(result.epochs)}, but the weights after step {step:,}"
    first = result.differences[0]
    more = sum(each.epoch == first.epoch for each in result.differences) - 1
    others = f"; {more} more number{'s' if more > 1 else ''} of this epoch" if more else ""
    epochs = len({each.epoch for each in result.differences})
    where = f"in {epochs} of {_epochs(result.epochs)}, first in epoch" if epochs > 1 else "epoch"
    return f"{where} {first.epoch}, {_in_words(first)}{others}"


def _in_words(difference: Difference) -> str:
    """`train loss: was 0.48341, is 0.48342 (+1.2e-05)`."""
    before, after = _value(difference, difference.stored), _value(difference, difference.computed)
    if before == after:
        before, after = repr(difference.stored), repr(difference.computed)
    size = f" ({_size(difference)})" if difference.size is not None else ""
    return f"{_heading(difference)}: was {before}, is {after}{size}"


def _short(difference: Difference) -> str:
    """`train loss +1.2e-05`."""
    change = _size(difference) if difference.size is not None else f"{difference.stored} → {difference.computed}"
    return f"{_heading(difference)} {change}"


def _heading(difference: Difference) -> str:
    metric = _metric(difference)
    return metric.heading if metric else {"steered": "rate changed by hand"}.get(difference.name, difference.name)


def _value(difference: Difference, value: float | str | None) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:.4%}" if _is_percent(difference) else f"{value:.9g}"


def _size(difference: Difference) -> str:
    size = difference.size or 0.0
    return f"{100 * size:+.4f} points" if _is_percent(difference) else f"{size:+.2g}"


def _is_percent(difference: Difference) -> bool:
    metric = _metric(difference)
    return metric is not None and metric.unit == "%"


def _metric(difference: Difference) -> metrics.Metric | None:
    return next((each for each in metrics.METRICS if each.name == difference.name), None)


def _epochs(count: int) -> str:
    return f"{count} epoch{'' if count == 1 else 's'}"
