"""`mnist-tui watch` without a screen: the events of a run that another process trains, as lines or JSON."""

from pathlib import Path

from mnist_tui.cli.formats import event_record, json_text
from mnist_tui.errors import ExitCode
from mnist_tui.runs import metrics
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import (
    EpochEnded,
    Event,
    LearningRateChanged,
    Paused,
    Progress,
    RunEnded,
    RunStarted,
    Unpaused,
)
from mnist_tui.runs.follow import follow
from mnist_tui.runs.verdict import in_words
from mnist_tui.text import clean_line


def print_events(folder: Path, as_json: bool) -> ExitCode:
    """Prints a run's epochs as they come, and how it ends; `FAILED` for a run that failed or diverged."""
    code = ExitCode.OK
    for event in follow(folder, Control()):
        if as_json:
            print(json_text(event_record(event, folder.name)), flush=True)
        elif not isinstance(event, Progress):
            print(clean_line(_line(event)), flush=True)
        if isinstance(event, RunEnded) and event.outcome in ("failed", "diverged"):
            code = ExitCode.FAILED
    return code


def _line(event: Event) -> str:
    match event:
        case RunStarted():
            return f"{event.name}, seed {event.seed}: {event.parameters:,} parameters, {event.dataset}, {event.device}"
        case EpochEnded():
            text = metrics.texts(event)
            train, test = f"train {text['train_loss']} {text['train_accuracy']}", f"test {text['test_accuracy']}"
            return f"epoch {event.epoch}  {train}  {test}  lr {text['learning_rate']}  {text['seconds']} s"
        case Paused() | Unpaused():
            return "paused" if isinstance(event, Paused) else "resumed"
        case LearningRateChanged():
            return f"learning rate {event.learning_rate:g} from here on, set by hand"
        case RunEnded():
            best = f", best test {event.best.test_accuracy:.2%} in epoch {event.best.epoch}" if event.best else ""
            target = f"; {in_words(event.target, event.epochs)}" if event.target else ""
            return f"{event.outcome}: {event.message}{best}{target}"
        case _:
            return ""
