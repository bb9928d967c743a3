"""Starts, resumes, watches and controls the run of the laboratory, through its runner."""

from collections.abc import Sequence
from pathlib import Path

from mnist_tui.errors import RunError
from mnist_tui.runs.control import MAX_RATE, Request
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.dialogs import Question
from mnist_tui.tui.runner import Runner


class RunControl:
    """The one run at a time that this process trains or watches. Methods raise `RunError` for what cannot be done."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.is_finding_rate = False
        """Whether the learning-rate finder trains: it uses torch's random state, as a run does."""

    def train(self, specs: Sequence[RunSpec], options: Options) -> None:
        """Trains the specs one after the other."""
        self._free_runner()
        self.runner.options = options
        self.runner.train(specs)

    def resume(self, folder: Path, options: Options, epochs: int = 0) -> None:
        """Resumes the run in a folder; with `epochs`, extends it by that many epochs in a new folder."""
        self._free_runner()
        self.runner.options = options
        self.runner.extend(folder, epochs) if epochs else self.runner.resume(folder)

    def train_queue(self, options: Options) -> None:
        """Trains what waits in the queue, after what is trained now; raises `RunError` in the learning-rate finder."""
        self.runner.serves_queue = True
        if not self.runner.is_training:
            self._free_runner()
            self.runner.options = options
        self.runner.train_queue()

    def check_free(self) -> None:
        """Raises `RunError` while this process trains, a run or for the learning-rate finder."""
        if self.runner.is_training:
            raise RunError("a run is being trained; T queues this design, s stops the run")
        if self.is_finding_rate:
            raise RunError("the learning-rate finder is still stopping; try again")

    def _free_runner(self) -> None:
        """Stops watching another process's run, which continues."""
        self.check_free()
        if self.runner.is_watching:
            self.runner.detach()
            self.runner.join()

    def send(self, request: Request, rate: float | None = None) -> None:
        """Asks the run to stop, pause, unpause, take one step, or to change its learning rate to `rate`."""
        if not self.runner.is_busy:
            raise RunError("nothing is being trained; t trains")
        try:
            self.runner.send_request(request, rate)
        except (OSError, ValueError) as failure:
            raise RunError(clean_line(str(failure), 200)) from failure

    def rate_question(self, run: RunCurves | None) -> Question:
        """The question for another learning rate of a run that has taken its first steps."""
        if not self.runner.is_busy or run is None or run.progress is None:
            raise RunError("nothing is being trained; the recipe has the learning rate")
        hint = "From the next step on; the rest of the schedule is scaled to it. The run is marked: rate changed."
        return Question("Learning rate", hint, f"{run.progress.learning_rate:g}", _wrong_rate)

    def toggle_pause(self, is_paused: bool) -> None:
        """Pauses the run after the current step, or unpauses it; `is_paused` is what its events say."""
        self.send("unpause" if is_paused or self.runner.is_paused else "pause")


def _wrong_rate(text: str) -> str | None:
    try:
        rate = float(text)
    except ValueError:
        return "enter a number such as 0.001"
    return None if 0 < rate <= MAX_RATE else f"must be greater than 0, and at most {MAX_RATE:,.0f}"
