"""The digits pane while a run is trained: what the network says stands under the digits it was asked about."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import until
from helpers.reliability import few_images, run, small_spec
from rich.style import Style
from textual.pilot import Pilot

from mnist_tui.runs.events import EpochEnded, RunStarted
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training.predict import Prediction, Predictions
from mnist_tui.training.preview import AugmentedSample
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.lab import jobs, predictor
from mnist_tui.tui.lab.digits import DigitsStrip, label_text
from mnist_tui.tui.lab.panes import Pane
from mnist_tui.tui.lab.screen import LabScreen
from mnist_tui.tui.messages import RunnerMessage
from mnist_tui.tui.request import LabRequest
from mnist_tui.tui.runner import Idle, Runner, RunnerEvent

STARTED = RunStarted("r1", "runs/r1", "iter5", 0, 18_422, 20, 938, 60_000, 0, 10_000, "mnist", "cpu", 1)
SECOND = replace(STARTED, run="r2", folder="runs/r2", seed=1)
LABELS = (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8)
SLOW = "RandomPerspective()"


def row(epoch: int) -> EpochEnded:
    """An epoch that ended."""
    return EpochEnded(epoch, 0.1, 0.97, None, None, 0.05, 0.98, 0.002, 6.5, 9_000.0)


def predictions(epoch: int, *wrong: int, step: int | None = None) -> Predictions:
    """All right with a probability of 0.97, but for the digits at these places, which are taken for zeros."""
    pairs = tuple(
        Prediction(0, 0.634) if index in wrong else Prediction(label, 0.97) for index, label in enumerate(LABELS)
    )
    return Predictions(pairs, epoch, step)


class CannedRunner(Runner):
    """A runner that trains nothing."""

    def __init__(self) -> None:
        super().__init__(Options(), lambda folder: None)
        self.busy = False

    @property
    def is_busy(self) -> bool:
        return self.busy

    def train(self, specs: Sequence[RunSpec]) -> None:
        self.busy = True


class CannedJobs:
    """Stands in for what the background worker does, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[RunSpec, Path, Sequence[bytes]]] = []
        self.predictions: Predictions | None = predictions(1)
        self.error: Exception | None = None
        self.was_training: list[bool] = []

    def sample(self, spec: RunSpec, options: Options, draw: int, is_training: bool) -> AugmentedSample:
        """Other digits for every draw; none while it trains, where they are augmented image by image."""
        self.was_training.append(is_training)
        slow = tuple(call.name for call in spec.train.augment if str(call) == SLOW)
        if slow and is_training:
            return AugmentedSample("mnist", (), (), slow)
        return AugmentedSample("mnist", LABELS, (bytes([draw] * 784),) * len(LABELS), slow)

    def predict(self, spec: RunSpec, folder: Path, digits: Sequence[bytes]) -> Predictions | None:
        """Returns the canned predictions."""
        self.asked.append((spec, folder, digits))
        if self.error is not None:
            raise self.error
        return self.predictions


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(predictor, "SECONDS", 0.0)
    canned_jobs = CannedJobs()
    monkeypatch.setattr(jobs, "warm_up", lambda: None)
    monkeypatch.setattr(jobs, "rates", lambda spec: (0.1, 0.2, 0.1))
    monkeypatch.setattr(jobs, "live_run", lambda runs_dir: None)
    monkeypatch.setattr(jobs, "run_spec", lambda folder: presets.load("iter5"))
    monkeypatch.setattr(jobs, "sample_augmented", canned_jobs.sample)
    monkeypatch.setattr(jobs, "predict", canned_jobs.predict)
    return canned_jobs


@asynccontextmanager
async def lab(spec: RunSpec | None = None, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[Any]]:
    """The laboratory, with digits in sight."""
    app = LabApp(LabRequest(draft=Draft(spec or presets.load("iter5"))), CannedRunner())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: strip(pilot).digits)
        yield pilot


async def tell(pilot: Pilot[Any], *events: RunnerEvent) -> None:
    """Posts events as the runner does."""
    for event in events:
        pilot.app.screen.post_message(RunnerMessage(event))
    await pilot.pause(0.05)


def screen(pilot: Pilot[Any]) -> LabScreen:
    """The laboratory's screen."""
    return next(one for one in pilot.app.screen_stack if isinstance(one, LabScreen))


def strip(pilot: Pilot[Any]) -> DigitsStrip:
    """The digits."""
    return screen(pilot).query_one(DigitsStrip)


def title(pilot: Pilot[Any]) -> str:
    """What stands above the digits."""
    return str(screen(pilot).query_one("#digits", Pane).border_title)


def said(pilot: Pilot[Any]) -> str:
    """The lines below the first row of digits."""
    lines = strip(pilot).render().plain.splitlines()
    return "\n".join(line for line in lines if "▀" not in line)


# --- one line ---


@pytest.mark.parametrize(
    ("prediction", "width", "line"),
    [
        (None, 14, "      7       "),
        (Prediction(7, 0.99), 14, "    7 99%     "),
        (Prediction(7, 0.9999), 14, "    7 99%     "),
        (Prediction(7, 1.0), 28, " " * 11 + "7 99%" + " " * 12),
        (Prediction(7, 0.4), 14, "    7 40%     "),
        (Prediction(1, 0.634), 14, "   7>1 63%    "),
        (Prediction(7, float("nan")), 14, "    7 nan%    "),
    ],
)
def test_label_and_prediction_in_one_line(prediction: Prediction | None, width: int, line: str) -> None:
    """Centred under the digit, and never more cells than it."""
    assert label_text(7, prediction, width, "reverse").plain == line


def test_a_wrong_prediction_stands_out() -> None:
    """By its style too, and no cell beside it has that."""
    wrong, right = (label_text(7, Prediction(label, 0.634), 14, "reverse") for label in (1, 7))

    assert [(wrong.plain[span.start : span.end], span.style) for span in wrong.spans] == [
        ("7>1", "reverse"),
        (" 63%", "reverse"),
    ]
    assert all("reverse" not in str(span.style) for span in right.spans)


# --- the pane ---


async def test_after_an_epoch_the_network_says_what_it_sees(canned: CannedJobs) -> None:
    """Of the run in sight; the title says of which and when, and what the sign of a wrong one means."""
    async with lab() as pilot:
        before = said(pilot), title(pilot)
        canned.predictions = predictions(3, 1)
        await tell(pilot, STARTED, row(3))
        await until(pilot, lambda: "97%" in said(pilot))
        labels, caption = said(pilot).splitlines()
        style = next(span.style for span in strip(pilot).render().spans if span.end == span.start + 3)

        assert (before[0].split()[:3], before[1]) == (["3", "1", "4"], "Digits")
        assert labels.split() == ["3", "97%", "1>0", "63%", "4", "97%"]
        assert caption.startswith("label>prediction; mnist as the network")
        assert title(pilot) == "Digits: after epoch 3 of iter5 s0"
        assert canned.asked[-1] == (presets.load("iter5"), Path("runs/r1"), strip(pilot).digits)
        assert isinstance(style, Style)
        assert style.reverse
        assert style.bold


async def test_a_legend_only_for_what_is_in_sight(canned: CannedJobs) -> None:
    """A wrong prediction of a digit that has no room needs none."""
    async with lab() as pilot:
        canned.predictions = predictions(3, 11)
        await tell(pilot, STARTED, row(3))
        await until(pilot, lambda: "97%" in said(pilot))

        assert ">" not in said(pilot)


async def test_inside_an_epoch(canned: CannedJobs) -> None:
    """The step is said where a run was stopped or its rate changed there."""
    async with lab() as pilot:
        canned.predictions = predictions(4, step=1_120)
        await tell(pilot, STARTED)
        await until(pilot, lambda: "97%" in said(pilot))

        assert title(pilot) == "Digits: after epoch 4 step 1,120 of iter5 s0"


async def test_other_digits_are_predicted_anew(canned: CannedJobs) -> None:
    """`r` shows the labels of the new digits, then what the network says about them."""
    async with lab() as pilot:
        await tell(pilot, STARTED, row(1))
        await until(pilot, lambda: "97%" in said(pilot))
        old = strip(pilot).digits
        canned.predictions = None
        await pilot.press("f7", "r")
        await until(pilot, lambda: strip(pilot).digits != old)

        assert "97%" not in said(pilot)
        assert title(pilot) == "Digits"

        canned.predictions = predictions(1)
        await tell(pilot, row(2))
        await until(pilot, lambda: "97%" in said(pilot))

        assert canned.asked[-1][2] == strip(pilot).digits == (bytes([1] * 784),) * 12


async def test_predictions_for_digits_that_are_gone_are_dropped(canned: CannedJobs) -> None:
    """Predictions for digits that are no longer shown are ignored."""
    async with lab() as pilot:
        canned.predictions = None
        await tell(pilot, STARTED, row(1))
        await until(pilot, lambda: canned.asked)
        subject = screen(pilot)._predictor._subject
        assert subject is not None
        await pilot.press("f7", "r")
        await until(pilot, lambda: strip(pilot).digits != subject.digits)
        screen(pilot)._predictor._on_predictions(subject, predictions(1), None)

        assert "97%" not in said(pilot)


async def test_another_seed_is_another_network(canned: CannedJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the run before said goes, and the new one's folder and spec are asked."""
    seeded = presets.load("iter5").with_settings({"seed": "1"})
    async with lab() as pilot:
        await tell(pilot, STARTED, row(20))
        await until(pilot, lambda: "97%" in said(pilot))
        canned.predictions = None
        monkeypatch.setattr(jobs, "run_spec", lambda folder: seeded)
        await tell(pilot, SECOND)
        await until(pilot, lambda: title(pilot) == "Digits")

        assert "97%" not in said(pilot)

        canned.predictions = predictions(1)
        await tell(pilot, row(1))
        await until(pilot, lambda: "97%" in said(pilot))

        assert title(pilot) == "Digits: after epoch 1 of iter5 s1"
        assert canned.asked[-1][:2] == (seeded, Path("runs/r2"))


@pytest.mark.parametrize("error", [None, RuntimeError("cannot be read")])
async def test_what_cannot_be_read_is_passed_over(error: Exception | None, canned: CannedJobs) -> None:
    """A checkpoint that cannot be read shows nothing; the next epoch requests again."""
    async with lab() as pilot:
        canned.predictions, canned.error = None, error
        await tell(pilot, STARTED, row(1))
        await until(pilot, lambda: canned.asked)
        notified = list(pilot.app._notifications)
        canned.predictions, canned.error = predictions(2), None
        await tell(pilot, row(2))
        await until(pilot, lambda: "97%" in said(pilot))

        assert notified == []
        assert title(pilot) == "Digits: after epoch 2 of iter5 s0"


async def test_short_epochs_are_predicted_seldom(canned: CannedJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once after the first, then after a pause, once, by the newest checkpoint."""
    async with lab() as pilot:
        await tell(pilot, STARTED)
        await until(pilot, lambda: canned.asked)
        canned.asked.clear()
        monkeypatch.setattr(predictor, "SECONDS", 1.0)
        screen(pilot)._predictor._requested_at = 0.0
        await tell(pilot, *map(row, range(1, 6)))
        at_first = len(canned.asked)
        await until(pilot, lambda: len(canned.asked) == 2)
        await pilot.pause(1.1)

        assert (at_first, len(canned.asked)) == (1, 2)


async def test_a_real_run_that_is_watched(canned: CannedJobs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From its folder, without any part of this test in between."""
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    spec = small_spec()
    events = [event for event in run(tmp_path / "runs", spec) if isinstance(event, RunStarted | EpochEnded)]
    digits = tuple(bytes(image.flatten().tolist()) for image in few_images().train.pixels[:12])
    monkeypatch.setattr(jobs, "live_run", lambda runs_dir: None)
    monkeypatch.setattr(jobs, "sample_augmented", lambda *asked: AugmentedSample("mnist", LABELS, digits))
    async with lab() as pilot:
        await tell(pilot, *events)
        await until(pilot, lambda: "%" in said(pilot).splitlines()[0])

        assert title(pilot) == "Digits: after epoch 2 of small s0"


# --- drawing digits while this process trains ---


async def test_slow_augmentation_waits_for_the_end_of_the_run(canned: CannedJobs) -> None:
    """It would change the random state of the training; afterwards the digits are drawn by themselves."""
    spec = presets.load("iter5").with_settings({"augment": SLOW})
    async with lab(spec) as pilot:
        runner = screen(pilot).runner
        assert isinstance(runner, CannedRunner)
        runner.busy = True
        await pilot.press("f7", "r")
        await until(pilot, lambda: not strip(pilot).digits)
        while_training = said(pilot)
        runner.busy = False
        await tell(pilot, Idle())
        await until(pilot, lambda: strip(pilot).digits)

        assert while_training == "RandomPerspective: drawn after the run"
        assert canned.was_training == [False, True, False]
