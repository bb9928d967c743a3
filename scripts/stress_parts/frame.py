"""What all parts share: cases made from a seed, a progress bar, time limits, a verdict with counts, kept folders."""

import random
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers.lab_terminal import HungError
from helpers.time_limits import time_limit
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mnist_tui.errors import MnistTuiError
from mnist_tui.text import clean_line

FULL_SECONDS, QUICK_SECONDS, CONTROL_SECONDS = 480.0, 12.0, 100.0
"""When so long has passed since its first case, a part begins no further one; nor after the first of these in all."""
PREPARE_SECONDS = 300
"""How long a part may take before its first case."""
MOST_SECONDS = 590.0
"""After so long a part ends: the case that is tried is cut short, and counts as hung."""
MOST_FAILURES = 5
"""After so many a part ends."""


@dataclass(frozen=True)
class Case:
    """One thing to try; `check` raises where it goes wrong, and returns figures worth printing, or None."""

    name: str
    check: Callable[[], str | None]


@dataclass
class Trial:
    """What a part is to try, and with what."""

    folder: Path
    """Empty at first; kept where something fails."""
    seed: int
    size: int
    """About how many cases."""
    is_quick: bool = False
    sabotage: Any = None
    """One of the part's `controls`; None where the program is as it should be."""
    seconds: float = 0.0
    """How long something is measured that takes time; 0 where the part knows best."""
    only: Sequence[str] = ()
    """The commands that are tried, of syscalls and faults; all where there is none."""
    exits: ExitStack = field(default_factory=ExitStack)
    """What ends with the trial: processes, servers, sabotage."""
    has_failed: bool = False
    """Whether the part went wrong, or did not notice its sabotage."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def sample(self, cases: Sequence[Case]) -> list[Case]:
        """So many of the cases as there should be, at random, in their order."""
        if len(cases) <= self.size:
            return list(cases)
        return [cases[index] for index in sorted(self.random.sample(range(len(cases)), self.size))]


@dataclass(frozen=True)
class Part:
    """One kind of stress."""

    cases: Callable[[Trial], Sequence[Case]]
    """Its cases; the docstring says what it does."""
    full: int
    quick: int
    """How many cases it has with and without `--quick`, about."""
    controls: Mapping[str, Any]
    """What the program loses with `--control`, by name: one of the cases must then fail."""
    has_end: bool = False
    """Whether the last case is tried in any case: it looks at what the others left."""
    case_seconds: int = 120
    """A case that takes longer hangs."""


@dataclass
class Verdict:
    """How the cases of a part ended."""

    tried: int = 0
    lost: int = 0
    crashed: int = 0
    hung: int = 0
    planned: int = 0
    figures: str = ""
    reason: str = ""
    """Why the first of them went wrong, in a line."""

    @property
    def failures(self) -> int:
        """How many cases went wrong."""
        return self.lost + self.crashed + self.hung

    def add(self, error: BaseException) -> None:
        """Counts a case that went wrong, by what it raised."""
        # A bare `assert` says nothing: its line stands for it.
        said = str(error) or traceback.extract_tb(error.__traceback__)[-1].line
        self.reason = self.reason or clean_line(f"{type(error).__name__}: {said}", 200)
        self.hung += isinstance(error, HungError)
        is_lost = isinstance(error, AssertionError | MnistTuiError)  # Something that cannot be read is lost.
        self.lost += is_lost and not isinstance(error, HungError)
        self.crashed += not is_lost

    def __str__(self) -> str:
        tried = f"{self.tried} tried" if self.tried >= self.planned else f"{self.tried} of {self.planned} tried"
        return f"{tried}, {self.lost} lost, {self.crashed} crashed, {self.hung} hung"


def run_part(part: Part, trial: Trial, name: str, console: Console) -> Verdict:
    """Tries the cases of a part until its time is over; with a sabotage until one of them fails."""
    verdict, began = Verdict(), time.monotonic()
    most = 1 if trial.sabotage else MOST_FAILURES
    with _progress(console) as progress, trial.exits, chdir(trial.folder):
        bar = progress.add_task(name, total=None)
        progress.refresh()
        cases = _prepare(part, trial, verdict, progress.console)
        verdict.planned, over_at = len(cases), min(time.monotonic() + _limit(trial), began + FULL_SECONDS)
        for index, case in enumerate(cases):
            if time.monotonic() > over_at and not (part.has_end and index == len(cases) - 1):
                continue
            progress.update(bar, total=len(cases), description=f"{name}: {case.name}"[:60].ljust(60), refresh=True)
            seconds = min(part.case_seconds, max(1, began + MOST_SECONDS - time.monotonic()))
            _try(case, seconds, verdict, trial, progress.console)
            progress.advance(bar)
            if verdict.failures >= most:
                break
        progress.refresh()
    return verdict


def _prepare(part: Part, trial: Trial, verdict: Verdict, console: Console) -> Sequence[Case]:
    """The cases of a part; none where they could not be made, which is no failure that a control may count."""
    try:
        with _limited(PREPARE_SECONDS):
            return part.cases(trial)
    except Exception as error:
        verdict.reason = clean_line(f"before the first case: {type(error).__name__}: {error}", 200)
        console.print(f"FAILED before the first case: {traceback.format_exc()}", markup=False, highlight=False)
        return ()


def _limit(trial: Trial) -> float:
    if trial.sabotage:
        return CONTROL_SECONDS
    return QUICK_SECONDS if trial.is_quick else FULL_SECONDS


def _limited(seconds: float) -> AbstractContextManager[None]:
    return time_limit(seconds, HungError(f"it takes more than {seconds:.0f} s"))


def _try(case: Case, seconds: float, verdict: Verdict, trial: Trial, console: Console) -> None:
    verdict.tried += 1
    try:
        with _limited(seconds):
            verdict.figures = case.check() or verdict.figures
    except Exception as error:
        verdict.add(error)
        if not trial.sabotage:
            trial.has_failed = True
            said = str(error) if isinstance(error, AssertionError) else ""
            console.print(f"FAILED {case.name}: {said or traceback.format_exc()}", markup=False, highlight=False)


def _progress(console: Console) -> Progress:
    # No thread of its own: parts fork, and a forked process has no other threads.
    columns = (TextColumn("{task.description}", markup=False), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, auto_refresh=False, transient=True)


def passes(part: Part, trial: Trial, name: str, console: Console) -> bool:
    """Runs a part as it should be, and prints its verdict."""
    began = time.monotonic()
    verdict = run_part(part, trial, name, console)
    trial.has_failed = verdict.tried == 0 or verdict.failures > 0
    outcome = "FAILED" if trial.has_failed else "passed"
    _print(console, f"{name}: {outcome}: {_told(verdict, trial, began)}", verdict.figures)
    return not trial.has_failed


def detects(part: Part, trial: Trial, name: str, sabotage: str, console: Console) -> bool:
    """Runs a part on a program that was sabotaged, which must fail, and prints its verdict and what was found."""
    began = time.monotonic()
    trial.sabotage = part.controls[sabotage]
    verdict = run_part(part, trial, name, console)
    trial.has_failed = verdict.failures == 0
    outcome = "NOT DETECTED" if trial.has_failed else "detected"
    said = f"{name}, control {sabotage!r}: {outcome}: {_told(verdict, trial, began)}"
    _print(console, said, verdict.reason and f"  {verdict.reason}")
    return not trial.has_failed


def _told(verdict: Verdict, trial: Trial, began: float) -> str:
    kept = f"; kept: {trial.folder}" if trial.has_failed else ""
    return f"{verdict}; seed {trial.seed}, {time.monotonic() - began:.0f} s{kept}"


def _print(console: Console, *lines: str) -> None:
    for line in filter(None, lines):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
