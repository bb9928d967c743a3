"""What passes between the process that shows runs and the tasks of a cluster that train them.

A task can neither be sent anything nor, through Ray's client, send anything before its end. So both sides call one
small actor: a call brings the messages of a task, and takes the requests to it back.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Event, Progress
from mnist_tui.sweep.cluster.mirror import Changes
from mnist_tui.sweep.jobs import ControlRequest, JobEnded

POST_SECONDS = 0.5
"""Time between two calls of a task."""


@dataclass(frozen=True)
class TaskBegun:
    """The first message of a task."""


TaskMessage = Event | JobEnded | Changes | TaskBegun


class Mailbox:
    """The actor. Tasks are named by a token, since a run may be trained by a second one after the first has died."""

    def __init__(self) -> None:
        self._messages: list[tuple[str, TaskMessage]] = []
        self._requests: dict[str, list[ControlRequest]] = {}

    def post(self, token: str, messages: Sequence[TaskMessage]) -> list[ControlRequest]:
        """Takes the messages of a task, and returns the requests to it."""
        self._messages += [(token, message) for message in messages]
        return self._requests.pop(token, [])

    def take(self) -> list[tuple[str, TaskMessage]]:
        """The new messages of all tasks, in their order."""
        messages, self._messages = self._messages, []
        return messages

    def send(self, tokens: Sequence[str], requests: Sequence[ControlRequest]) -> None:
        """Keeps requests for tasks until they call."""
        for token in tokens:
            self._requests.setdefault(token, []).extend(requests)


class TaskChannel:
    """The task's side: sends its messages, and has `control` carry out what is requested."""

    def __init__(self, mailbox: Any, token: str, control: Control) -> None:
        self._mailbox, self._token, self._control = mailbox, token, control
        self._messages: list[TaskMessage] = []
        self._lock = threading.Lock()
        self._is_closed = threading.Event()

    def __enter__(self) -> "TaskChannel":
        self.send(TaskBegun())
        self.flush()
        threading.Thread(target=self._keep_calling, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed.set()
        self.flush()

    def send(self, message: TaskMessage) -> None:
        """Sends a message with the next call; of progress only the newest."""
        with self._lock:
            if isinstance(message, Progress) and self._messages and isinstance(self._messages[-1], Progress):
                self._messages.pop()
            self._messages.append(message)

    def flush(self) -> None:
        """Calls, and waits until all messages have arrived. Where nobody answers, the run is stopped and saved."""
        import ray

        with self._lock:
            try:
                requests = ray.get(self._mailbox.post.remote(self._token, self._messages))
            except ray.exceptions.RayError:
                requests = [ControlRequest("stop")]
            self._messages = []
            for request in requests:
                with suppress(ValueError):  # A learning rate that is none.
                    self._control.apply(request.request, request.value)

    def _keep_calling(self) -> None:
        while not self._is_closed.wait(POST_SECONDS):
            self.flush()
