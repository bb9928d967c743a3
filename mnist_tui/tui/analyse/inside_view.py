"""The view Inside: the image that a network is given, and what the network does with it."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Static

from mnist_tui.datasets.record import DataSet
from mnist_tui.text import in_ascii
from mnist_tui.tui.analyse import jobs
from mnist_tui.tui.analyse.inside import inside_lines
from mnist_tui.tui.analyse.texts import class_names
from mnist_tui.tui.background import Submit
from mnist_tui.tui.keys import with_ids

if TYPE_CHECKING:
    from mnist_tui.training.activations import Inside

HINT = "Enter on an image in Mistakes shows it here; m shows the mean image of a class"
LEAST_CELLS = 30
"""Cells that the pictures get at least."""


@dataclass(frozen=True)
class Subject:
    """An image, and the run whose network gets it."""

    folder: Path
    image: bytes
    """784 grey values, 0 to 255."""
    label: int | None
    """The true class; None for a drawn digit."""
    title: str
    data: DataSet | None = None
    """The data set that it is of; None for a drawn digit."""


class InsideView(VerticalScroll, can_focus=True):
    """Probabilities, class maps, filters and the output of every layer."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [Binding("m", "next_mean", "Class mean", tooltip="the mean test image of each class")]
    )

    class MeanAsked(Message):
        """Request to show the mean image of a class, the first one again after the last."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, submit: Submit, ascii_only: bool) -> None:
        super().__init__(id="analyse-inside")
        self._submit, self._ascii_only = submit, ascii_only
        self.subject: Subject | None = None
        """What is looked at; None before the first image."""
        self._inside: Inside | None = None
        self._mean = -1
        """How many means were asked for before the last; -1 before the first."""

    def compose(self) -> ComposeResult:
        yield Static(id="inside-lines")

    @property
    def line(self) -> str:
        """The title of the image."""
        if self.subject is None:
            return HINT
        return self.subject.title + ("" if self._ascii_only else "; orange speaks for the class of the map")

    @property
    def lines(self) -> list[str]:
        """The view as text."""
        return str(self.query_one("#inside-lines", Static).visual).splitlines()

    def inspect(self, subject: Subject) -> None:
        """Asks the network of a run what it does with an image."""
        self.subject, self._inside = subject, None
        self._put(Text("loading the network", "dim"))
        self.scroll_home(animate=False)
        job = partial(jobs.look_inside, subject.folder, subject.image, subject.label)
        self._submit("inside", job, partial(self._show, subject))

    def use_run(self, folder: Path, has_same_images: bool) -> None:
        """Looks at the same image with the network of another run, or of a better epoch.

        Forgets a test image that the run does not have; a drawn digit is looked at again by other runs alone.
        """
        subject = self.subject
        if subject is None or (subject.label is None and subject.folder == folder):
            return
        if has_same_images or subject.label is None:
            self.inspect(replace(subject, folder=folder))
        else:
            self.subject = self._inside = None
            self._put(Text())

    def _show(self, subject: Subject, inside: "Inside | None", error: str | None) -> None:
        if subject is not self.subject:
            return  # Another image was chosen while this one was computed.
        self._inside = inside
        self._put(Text(f"! {error}")) if inside is None else self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._inside is not None and self.subject is not None:
            width = max(LEAST_CELLS, self.content_size.width - self.styles.scrollbar_size_vertical)
            image, label, data = self.subject.image, self.subject.label, self.subject.data
            names = () if data is None else class_names(data, len(self._inside.probabilities))
            self._put(inside_lines(self._inside, image, label, width, self._ascii_only, names))

    def _put(self, text: Text) -> None:
        if self._ascii_only:
            text.plain = in_ascii(text.plain)
        self.query_one("#inside-lines", Static).update(text)

    def action_next_mean(self) -> None:
        """Asks for the mean image of the next class."""
        self._mean += 1
        self.post_message(self.MeanAsked(self._mean))
