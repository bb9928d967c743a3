"""What runs say about a drawing: the digit as their networks get it, a bar for each class, and how stable that is."""

from rich.text import Text
from textual.widgets import Static

from mnist_tui.analysis.images import pixels
from mnist_tui.tui.draw.jobs import Answers, RunAnswer
from mnist_tui.tui.lab.digits import half_blocks, ramp

BAR_CELLS = 16
HINT = """\
Draw a digit with the mouse,
or with the keys: space puts the
pen down, the arrows move it."""


class AnswersView(Static):
    """The probabilities of the classes, run by run."""

    DEFAULT_CSS = "AnswersView { width: 1fr; height: auto; padding: 0 1; }"

    def __init__(self, ascii_only: bool) -> None:
        super().__init__(Text(HINT, "dim"), markup=False)
        self._ascii_only = ascii_only

    def show(self, answers: Answers | None) -> None:
        """Shows answers; None for a blank canvas."""
        if answers is None:
            self.update(Text(HINT, "dim"))
            return
        parts = [self._run_text(run) for run in answers.runs]
        draw = ramp if self._ascii_only else half_blocks
        picture = Text("\n").join([Text("prepared as MNIST's", "dim"), *draw(pixels(answers.digit, 2))])
        self.update(Text("\n\n").join([*parts, picture]))

    def show_error(self, error: str) -> None:
        """Says why there is no answer."""
        self.update(Text(f"! {error}"))

    def _run_text(self, run: RunAnswer) -> Text:
        if not run.probabilities:
            return Text.assemble((f"{run.title}\n", "bold"), f"! {run.error}")
        best = max(range(len(run.probabilities)), key=lambda label: run.probabilities[label])
        text = Text.assemble((f"{run.title}: {best}\n", "bold"))
        full = "#" if self._ascii_only else "█"
        for label, probability in enumerate(run.probabilities):
            bar = full * round(probability * BAR_CELLS)
            text.append(f"{label} {bar:<{BAR_CELLS}} {probability:>6.1%}\n", "bold" if label == best else "")
        if run.stability is not None:
            low, high = run.stability.range
            count = len(run.stability.variants)
            text.append(
                f"shifted and turned {count} times: {round(run.stability.agreement * count)} say {best}\n"
                f"its probability lies in {low:.1%} to {high:.1%}\n"
            )
        text.rstrip()
        return text
