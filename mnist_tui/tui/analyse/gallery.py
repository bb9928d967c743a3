"""Test images as pictures, a page at a time, each with its label, the prediction and the most probable classes."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from mnist_tui.analysis.images import SIDE, pixels
from mnist_tui.analysis.mistakes import TOP, Answer
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.pixels import picture

GAP = 2
"""Cells between two pictures."""
TEXT_LINES = 2 + TOP
"""Below a picture: label and prediction, index and loss, and a bar for each of the most probable classes."""
FEWEST_WHOLE = 6
"""Pictures are drawn at full size where at least so many fit; else at half size."""


class Gallery(Widget, can_focus=True):
    """Pages of test images."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("enter", "open_image", "Inside", tooltip="what the network does with this image"),
            Binding("pagedown,right_square_bracket", "page(1)", "Next page", show=False),
            Binding("pageup,left_square_bracket", "page(-1)", "Page before", show=False),
            Binding("right,l", "move(1)", "Next", show=False),
            Binding("left,h", "move(-1)", "Before", show=False),
            Binding("down,j", "move_row(1)", "Down", show=False),
            Binding("up,k", "move_row(-1)", "Up", show=False),
            Binding("home,g", "first", "First", show=False),
            Binding("end,G", "last", "Last", show=False),
        ]
    )
    DEFAULT_CSS = """
    Gallery { height: 1fr; padding: 0 1; }
    Gallery > .gallery--wrong { color: $error; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"gallery--wrong"}
    ALLOW_SELECT: ClassVar[bool] = False

    class ImageOpened(Message):
        """Request to look at what the network does with one image."""

        def __init__(self, answer: Answer) -> None:
            super().__init__()
            self.answer = answer

    class Moved(Message):
        """Another image is selected, or another page is shown."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only
        self.answers: Sequence[Answer] = ()
        """All images, those of other pages included."""
        self._images: Mapping[int, bytes] = {}
        self._reason = ""
        self._selected = 0

    def show(self, answers: Sequence[Answer], reason: str = "", place: int = 0) -> None:
        """Shows images, with the cursor on the one at `place`; `reason` says why there are none."""
        self.answers, self._reason = answers, reason
        self._selected = max(0, min(place, len(answers) - 1))
        self.refresh()
        self.post_message(self.Moved())

    def show_images(self, images: Mapping[int, bytes]) -> None:
        """Draws the pictures: 784 grey values each, by their index in the test set."""
        self._images = images
        self.refresh()

    @property
    def selected(self) -> Answer | None:
        """The image under the cursor."""
        return self.answers[self._selected] if self.answers else None

    @property
    def place(self) -> int:
        """The place of the cursor among the images, from 0."""
        return self._selected

    @property
    def page_text(self) -> str:
        """`12 of 126, page 2 of 9`."""
        if not self.answers:
            return ""
        pages = -(-len(self.answers) // self._per_page)
        return f"{self._selected + 1:,} of {len(self.answers):,}, page {self._page + 1} of {pages:,}"

    # --- layout ---

    @property
    def _shrink(self) -> int:
        """1 for pictures of 28x14 cells, 2 for pictures of half that size."""
        return 1 if self._fitting(1)[0] * self._fitting(1)[1] >= FEWEST_WHOLE else 2

    def _fitting(self, shrink: int) -> tuple[int, int]:
        """How many pictures of a size stand beside each other, and how many rows of them fit."""
        width, height = SIDE // shrink + GAP, SIDE // 2 // shrink + TEXT_LINES + 1
        return (self.content_size.width + GAP) // width, (self.content_size.height + 1) // height

    @property
    def _grid(self) -> tuple[int, int]:
        across, down = self._fitting(self._shrink)
        return max(1, across), max(1, down)

    @property
    def _per_page(self) -> int:
        across, down = self._grid
        return across * down

    @property
    def _page(self) -> int:
        return self._selected // self._per_page

    # --- the cursor ---

    def action_move(self, count: int) -> None:
        """Moves the cursor by so many images."""
        if self.answers:
            self._selected = min(len(self.answers) - 1, max(0, self._selected + count))
            self.refresh()
            self.post_message(self.Moved())

    def action_move_row(self, rows: int) -> None:
        """Moves the cursor up or down."""
        self.action_move(rows * self._grid[0])

    def action_page(self, pages: int) -> None:
        """Another page."""
        self.action_move(pages * self._per_page)

    def action_first(self) -> None:
        """The first image."""
        self.action_move(-len(self.answers))

    def action_last(self) -> None:
        """The last image."""
        self.action_move(len(self.answers))

    def action_open_image(self) -> None:
        """Opens the selected image."""
        if self.selected is not None:
            self.post_message(self.ImageOpened(self.selected))

    def on_click(self, event: Click) -> None:
        event.stop()
        place = event.get_content_offset(self)
        if place is None or not self.answers:
            return
        across, _ = self._grid
        row = place.y // (SIDE // 2 // self._shrink + TEXT_LINES + 1)
        clicked = self._page * self._per_page + row * across + min(across - 1, place.x // (SIDE // self._shrink + GAP))
        is_again = clicked == self._selected
        self.action_move(clicked - self._selected)
        if is_again:
            self.action_open_image()

    def on_resize(self) -> None:
        self.post_message(self.Moved())

    # --- drawing ---

    def render(self) -> Text:
        if not self.answers:
            return Text(self._reason, "dim")
        first = self._page * self._per_page
        shown = self.answers[first : first + self._per_page]
        across, _ = self._grid
        lines: list[Text] = []
        for start in range(0, len(shown), across):
            tiles = [self._tile(answer) for answer in shown[start : start + across]]
            lines += [Text(" " * GAP).join(parts) for parts in zip(*tiles, strict=True)]
            lines.append(Text())
        return Text("\n", no_wrap=True).join(lines[:-1])

    def _tile(self, answer: Answer) -> list[Text]:
        """A picture and the lines below it, all of one width."""
        width = SIDE // self._shrink
        image = self._images.get(answer.index)
        if image is None:
            drawn = [Text(" " * width) for _ in range(SIDE // 2 // self._shrink)]
        else:
            drawn = picture(pixels(image, self._shrink), self._ascii_only)
        lines = [*drawn, self._heading(answer), self._index_line(answer), *self._bars(answer, width)]
        for line in lines:
            line.truncate(width, pad=True)
        return lines

    def _heading(self, answer: Answer) -> Text:
        """`7>1` for a 7 that was predicted as a 1; reversed where the cursor is."""
        is_right = answer.label == answer.prediction
        classes = f"{answer.label}" if is_right else f"{answer.label}>{answer.prediction}"
        style = Style() if is_right else self.get_component_rich_style("gallery--wrong", partial=True)
        heading = Text(f" {classes} ", style + Style(reverse=answer is self.selected, bold=True))
        if answer.published_guess is not None:
            heading.append(f" label? {answer.published_guess}", "bold")
        return heading

    @staticmethod
    def _index_line(answer: Answer) -> Text:
        return Text(f" #{answer.index}  {answer.loss:.2f}", "dim")

    def _bars(self, answer: Answer, width: int) -> list[Text]:
        """The most probable classes, a bar for each."""
        full = "#" if self._ascii_only else "█"
        room = width - 7
        bars = [
            Text(f" {label} {full * round(share * room)}{'':<{room - round(share * room)}} {min(share, 0.99):>3.0%}")
            for label, share in answer.top
        ]
        return [bar or Text() for bar, _ in zip_longest(bars, range(TOP))]
