"""A screen that has work done beside it: what reads folders or computes never holds the keys."""

from collections.abc import Callable
from typing import Any

from textual import on

from mnist_tui.text import clean_line
from mnist_tui.tui.background import Bench
from mnist_tui.tui.messages import JobDone
from mnist_tui.tui.repaint import LeanScreen


class AskingScreen(LeanScreen[None]):
    """Has a bench of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._bench = Bench()

    def ask(self, kind: str, job: Callable[[], Any], take: Callable[[Any, str | None], None]) -> None:
        """Has the bench do a job; `take` is called on the screen with its result, or with why there is none.

        Of the waiting jobs of one kind only the newest is done.
        """

        def done(result: Any) -> None:
            self.post_message(JobDone(take, result))

        def failed(error: Exception) -> None:
            self.post_message(JobDone(take, None, clean_line(str(error), 300) or type(error).__name__))

        self._bench.ask(kind, job, done, failed)

    @on(JobDone)
    def _take_result(self, event: JobDone) -> None:
        event.take(event.result, event.error)
