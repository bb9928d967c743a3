"""What the network of the run in sight says about the digits in sight, asked for as it is trained."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from textual.content import Content

from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.digits import DigitsStrip
from mnist_tui.tui.lab.panes import Pane

if TYPE_CHECKING:
    from mnist_tui.training.predict import Prediction, Predictions
    from mnist_tui.tui.lab.screen import LabScreen

SECONDS = 1.0
"""Between two predictions, however short the epochs are: the training beside them pays for it."""


class Subject(NamedTuple):
    """What is predicted, and by the network of which run."""

    spec: RunSpec
    folder: Path
    digits: Sequence[bytes]
    """28 rows of 28 grey values each, 0 to 255."""


class Predictor:
    """Has the newest checkpoint of the run in sight predict the digits in sight, and shows that in their pane."""

    def __init__(self, screen: "LabScreen") -> None:
        self._screen = screen
        self._subject: Subject | None = None
        self._asked_at = -SECONDS
        self._is_waiting = False

    def request_soon(self) -> None:
        """Asks for predictions: after an epoch, of another run, of other digits; at most once in `SECONDS`."""
        if (subject := self._in_sight()) != self._subject:
            self._subject = subject
            self._show((), "Digits")
        wait = self._asked_at + SECONDS - time.monotonic()
        if wait <= 0:
            self._request()
        elif not self._is_waiting:
            self._is_waiting = True
            self._screen.set_timer(wait, self._request)

    def _in_sight(self) -> Subject | None:
        """None where there is no run, no digit, or the run's spec is not read yet."""
        digits, view = self._screen.query_one(DigitsStrip).digits, self._screen.view
        if not digits or view.spec is None or view.run is None or view.run.started is None:
            return None
        return Subject(view.spec, Path(view.run.started.folder), digits)

    def _request(self) -> None:
        self._is_waiting = False
        if (subject := self._subject) is not None:
            self._asked_at = time.monotonic()
            self._screen.submit("predictions", lambda: jobs.predict(*subject), partial(self._take, subject))

    def _take(self, subject: Subject, predictions: "Predictions | None", error: str | None) -> None:
        """Shows predictions, if they are still asked for; where there are none, the next epoch asks again."""
        if predictions is not None and subject is self._subject:
            run = f"{subject.spec.name} s{subject.spec.train.seed}"
            self._show(predictions.of_images, f"Digits: {_when(predictions)} of {run}")

    def _show(self, predictions: Sequence["Prediction"], title: str) -> None:
        self._screen.query_one(DigitsStrip).show_predictions(predictions)
        self._screen.query_one("#digits", Pane).border_title = Content(clean_line(title, 200))


def _when(predictions: "Predictions") -> str:
    """How far the network was trained."""
    step = "" if predictions.step is None else f" step {predictions.step:,}"
    return f"after epoch {predictions.epoch}{step}"
