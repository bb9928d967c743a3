"""Previews of the design, requested when it changes: the learning rate over the run, and augmented digits."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mnist_tui.datasets.published import MNIST
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui.background import OnResult, Submit
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.design import LabDesign
from mnist_tui.tui.lab.digits import DigitsStrip
from mnist_tui.tui.runner import Runner

if TYPE_CHECKING:
    from mnist_tui.training.preview import AugmentedSample

OnSample = Callable[["AugmentedSample | None", str | None], None]
"""Gets augmented digits and None, or None and one sentence that says why there are none."""
Sample = Callable[[RunSpec, OnSample], None]
"""`Previews.sample`, for a dialog."""


class Previews:
    """Submits the jobs that compute previews, once torch is loaded (`is_warm`), and shows their results."""

    def __init__(
        self, submit: Submit, design: LabDesign, runner: Runner, show_rates: OnResult, strip: DigitsStrip
    ) -> None:
        self._submit, self._design, self._runner = submit, design, runner
        self._show_rates, self._strip = show_rates, strip
        self.is_warm = False
        self.dataset = MNIST.name
        """The data set of the newest digits: a run would be trained on it too."""
        self._draw = 0
        """Number of the random draw of digits, from 0."""
        self._requested: dict[str, object] = {}
        """What the newest job of each kind depends on."""

    def update(self) -> None:
        """Requests rates and digits, each only if the design has changed what it depends on."""
        spec = self._design.spec
        if spec is None or not self.is_warm:
            return
        train, knobs = spec.train, tuple(spec.knobs.items())
        schedule = (train.optimizer, train.scheduler, train.scheduler_step, train.epochs, spec.steps_per_epoch())
        if self._is_new("rates", (schedule, knobs)):
            self._submit("rates", lambda: jobs.rates(spec), self._show_rates)
        if self._is_new("digits", (train.augment, knobs, spec.data, self._design.run_texts["dataset"], self._draw)):
            self._sample(spec, self._show_digits)

    def _is_new(self, preview: str, key: object) -> bool:
        is_new = self._requested.get(preview) != key
        self._requested[preview] = key
        return is_new

    def redraw(self) -> None:
        """Requests another draw of digits."""
        self._draw += 1
        self.update()

    def sample(self, spec: RunSpec, on_sample: OnSample) -> None:
        """Requests another draw of digits through the augmentation of a spec that is not the design's."""
        self._draw += 1
        if self.is_warm:
            self._sample(spec, on_sample)
        else:
            on_sample(None, "digits come once PyTorch is loaded")

    def _sample(self, spec: RunSpec, on_sample: OnSample) -> None:
        options, draw, is_training = self._design.run_options(), self._draw, self._runner.is_training

        def report(sample: Any, error: str | None) -> None:
            if error is None and sample.slow and not sample.digits:
                self._requested.pop("digits", None)  # Requested again after the run, which they would disturb.
                error = f"{', '.join(sample.slow)}: drawn after the run"
            on_sample(sample, error)

        self._submit("digits", lambda: jobs.sample_augmented(spec, options, draw, is_training), report)

    def _show_digits(self, sample: "AugmentedSample | None", error: str | None) -> None:
        if sample is None or error is not None:
            self._strip.show_reason(error or "")
            return
        self.dataset = sample.dataset
        spec = self._design.spec
        augment = ", ".join(map(str, spec.train.augment)) if spec is not None else ""
        draw = f"draw {self._draw + 1}: {augment or 'no augmentation'}"
        self._strip.show(
            sample.digits, sample.labels, f"{sample.dataset} as the network sees it, {draw}", sample.classes
        )
