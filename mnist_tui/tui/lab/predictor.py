"""Predictions of the newest checkpoint of the current run on the digits on the screen, repeated while it trains."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from textual.content import Content

from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui.background import Submit
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.digits import DigitsStrip
from mnist_tui.tui.lab.panes import Pane

if TYPE_CHECKING:
    from mnist_tui.training.predict import Prediction, Predictions

SECONDS = 1.0
"""Least time between two predictions, however short the epochs are: they slow down the training."""


class Subject(NamedTuple):
    """The input of a prediction: the spec and the folder of a run, and the digits."""

    spec: RunSpec
    folder: Path
    digits: Sequence[bytes]
    """28 rows of 28 grey values each, 0 to 255."""


class Predictor:
    """Submits predictions on the digits of a strip and shows them there, with a title on its pane."""

    def __init__(self, submit: Submit, strip: DigitsStrip, pane: Pane) -> None:
        self._submit, self._strip, self._pane = submit, strip, pane
        self._subject: Subject | None = None
        self._requested_at = -SECONDS
        self._is_waiting = False

    def request_soon(self, run: RunCurves | None, spec: RunSpec | None) -> None:
        """Requests predictions by a run: after an epoch, for other digits; at most once in `SECONDS`.

        `spec` is the run's; None, as None for the run, while there is none yet.
        """
        if (subject := self._subject_of(run, spec)) != self._subject:
            self._subject = subject
            self._show((), "Digits")
        wait = self._requested_at + SECONDS - time.monotonic()
        if wait <= 0:
            self._request()
        elif not self._is_waiting:
            self._is_waiting = True
            self._strip.set_timer(wait, self._request)

    def _subject_of(self, run: RunCurves | None, spec: RunSpec | None) -> Subject | None:
        digits = self._strip.digits
        if not digits or spec is None or run is None or run.started is None:
            return None
        return Subject(spec, Path(run.started.folder), digits)

    def _request(self) -> None:
        self._is_waiting = False
        if (subject := self._subject) is not None:
            self._requested_at = time.monotonic()
            self._submit("predictions", lambda: jobs.predict(*subject), partial(self._on_predictions, subject))

    def _on_predictions(self, subject: Subject, predictions: "Predictions | None", error: str | None) -> None:
        """Shows predictions unless the subject has changed; if there are none, the next epoch requests them again."""
        if predictions is not None and subject is self._subject:
            run = f"{subject.spec.name} s{subject.spec.train.seed}"
            self._show(predictions.of_images, f"Digits: {_training_state(predictions)} of {run}")

    def _show(self, predictions: Sequence["Prediction"], title: str) -> None:
        self._strip.show_predictions(predictions)
        self._pane.border_title = Content(clean_line(title, 200))


def _training_state(predictions: "Predictions") -> str:
    """How far the network was trained."""
    step = "" if predictions.step is None else f" step {predictions.step:,}"
    return f"after epoch {predictions.epoch}{step}"
