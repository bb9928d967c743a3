"""The requests that a `Control` gets, for runs that other processes train."""

from mnist_tui.runs.control import Control
from mnist_tui.sweep.jobs import ControlRequest


class NewRequests:
    """What was asked of a control since the last look."""

    def __init__(self) -> None:
        self.is_stopping = self.is_paused = False

    def read(self, control: Control) -> list[ControlRequest]:
        """The new requests, in the order in which they are to be carried out; a stop comes once."""
        requests: list[ControlRequest] = []
        if control.should_stop and not self.is_stopping:
            self.is_stopping = True
            requests.append(ControlRequest("stop"))
        if control.is_stepping:
            control.consume_step()
            self.is_paused = True  # A step implies a pause; sent once more, a pause would cancel the step.
            requests.append(ControlRequest("step"))
        elif control.is_paused != self.is_paused:
            self.is_paused = control.is_paused
            requests.append(ControlRequest("pause" if self.is_paused else "unpause"))
        if (rate := control.consume_learning_rate()) is not None:
            requests.append(ControlRequest("learning_rate", rate))
        return requests
