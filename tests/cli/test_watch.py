"""`mnist-tui watch` without a screen: a line or a JSON object for each event, and the exit code of the run's end."""

import json
from pathlib import Path

import pytest
from helpers.saved_runs import make_run

from mnist_tui.cli import watch
from mnist_tui.errors import ExitCode
from mnist_tui.runs.events import Outcome
from mnist_tui.spec import presets


def test_every_epoch_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run, its epochs with the texts of the metrics, and its end."""
    folder = make_run(tmp_path, presets.load("iter5"), epochs=2)
    code = watch.print_events(folder, as_json=False)
    lines = capsys.readouterr().out.splitlines()

    assert code == ExitCode.OK
    assert lines[0] == "iter5, seed 0: 18,422 parameters, mnist, cpu"
    assert lines[1] == "epoch 1  train 0.4000 96.60%  test 96.50%  lr 0.002  9.0 s"
    assert lines[3].startswith("completed: all epochs trained, best test 99.00% in epoch 2; target ")
    assert len(lines) == 4


def test_every_event_is_an_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The objects are those of a run that is trained here; metrics that were not measured are null."""
    watch.print_events(make_run(tmp_path, presets.load("iter5"), epochs=1), as_json=True)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [event["event"] for event in events] == ["RunStarted", "EpochEnded", "RunEnded"]
    assert (events[1]["test_loss"], events[1]["weight_norm"]) == (0.3, None)


@pytest.mark.parametrize(("outcome", "code"), [("stopped", 0), ("failed", 1), ("diverged", 1)])
def test_the_end_is_the_exit_code(outcome: Outcome, code: int, tmp_path: Path) -> None:
    """A failed or diverged run exits with 1."""
    assert watch.print_events(make_run(tmp_path, presets.load("iter5"), outcome=outcome), as_json=False) == code
