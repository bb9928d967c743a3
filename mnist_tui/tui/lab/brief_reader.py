"""Reads course briefs and the progress of the runs with them, in the background worker."""

from collections.abc import Sequence
from pathlib import Path

from mnist_tui.analysis.brief_progress import Attempt, StepProgress, assign, current_step, not_counted
from mnist_tui.analysis.brief_text import brief_lines, percent, shortfall_words
from mnist_tui.errors import BriefError
from mnist_tui.runs.index import RunIndex
from mnist_tui.spec import briefs
from mnist_tui.spec.briefs import Brief
from mnist_tui.tui.lab.brief_dialog import ListedBrief, lines_width
from mnist_tui.tui.lab.budget import ShownStep

SHORT_ID = 4
"""Characters of the end of a run's name that usually tell it apart."""


class BriefReader:
    """Keeps what it has read: of the runs only those that have changed are read again."""

    def __init__(self, runs_dir: Path) -> None:
        self._index = RunIndex(runs_dir)
        self._shown: tuple[str, ShownStep] | None = None

    def step(self, name: str) -> ShownStep:
        """The step of a brief to show; raises `BriefError`, and `StorageError` where the runs cannot be read."""
        is_changed = self._index.refresh()
        if is_changed or self._shown is None or self._shown[0] != name:
            brief = briefs.load(name)
            self._shown = name, shown_step(brief, assign(brief, self._index.all))
        return self._shown[1]

    def list_briefs(self, chosen: str | None, width: int) -> list[ListedBrief]:
        """Every brief that can be found, and the chosen one where it is a file elsewhere; raises as `step`.

        `width` is that of the screen.
        """
        if self._index.refresh():
            self._shown = None
        paths = briefs.find()
        if chosen is not None and chosen not in paths:
            paths = {chosen: Path(chosen), **paths}
        return [self._describe(name, path, lines_width(width)) for name, path in paths.items()]

    def _describe(self, name: str, path: Path, width: int) -> ListedBrief:
        try:
            brief = briefs.load_file(path)
        except BriefError as error:
            return ListedBrief(name, "", [f"! {error}"])
        progress = assign(brief, self._index.all)
        lines = brief_lines(brief, progress, not_counted(self._index.all), width)
        return ListedBrief(name, brief.title, lines)


def shown_step(brief: Brief, progress: Sequence[StepProgress]) -> ShownStep:
    """The first step that is not reached, as the budget card shows it; where all are reached, the last."""
    current, count = current_step(progress), len(progress)
    reached = _reached_texts(progress)
    if current is None:
        title = f"{brief.name}: {f'all {count} steps are' if count > 1 else 'the step is'} reached"
        return ShownStep(title, progress[-1].step.target, reached, "")
    title = f"{brief.name} {current.number}/{count}: {current.step.name}"
    return ShownStep(title, current.step.target, reached, _best_text(current.best_attempt))


def _reached_texts(progress: Sequence[StepProgress]) -> list[str]:
    """Which step is reached by which run, the longest text first; none where no step is reached."""
    reached = [f"{each.number} by {_short(each.reached_by)}" for each in progress if each.reached_by is not None]
    if not reached:
        return []
    return [f"reached: {', '.join(reached)}", f"{len(reached)} of {len(progress)} reached, {reached[-1]}"]


def _best_text(attempt: Attempt | None) -> str:
    if attempt is None:
        return ""
    return f"best {_short(attempt)}: {percent(attempt.accuracy)}, {shortfall_words(attempt)}"


def _short(attempt: Attempt) -> str:
    return attempt.run.id[-SHORT_ID:]
