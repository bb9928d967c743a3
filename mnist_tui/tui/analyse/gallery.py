"""Test images as pictures, a page at a time, each with its label, the prediction and the most probable classes."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from math import prod
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from mnist_tui.analysis.mistakes import TOP, ImagePrediction
from mnist_tui.analysis.text_images import SIDE, pixels
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.pixels import picture
from mnist_tui.tui.real_pixels import RealPixels

GAP = 2
"""Cells between two pictures."""
TEXT_LINES = 2 + TOP
"""Below a picture: label and prediction, index and loss, and a bar for each of the most probable classes."""
SIDES = range(SIDE, SIDE // 2 - 1, -2)
"""How many pixels wide and high a picture may be drawn."""
WANTED = (8, 4)
"""Pictures are as large as lets eight of them fit; where not even the smallest do, as large as lets four fit."""
WANTED_REAL = (12, 4)
"""The same for real pixels, which show the whole image at any size."""


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

        def __init__(self, prediction: ImagePrediction) -> None:
            super().__init__()
            self.prediction = prediction

    class Moved(Message):
        """Another image is selected, or another page is shown."""

    def __init__(self, ascii_only: bool, real_pixels: RealPixels | None = None) -> None:
        super().__init__()
        self._ascii_only, self._real_pixels = ascii_only, real_pixels
        self.predictions: Sequence[ImagePrediction] = ()
        """All images, those of other pages included."""
        self._images: Mapping[int, bytes] = {}
        self._reason = ""
        self._selected = 0

    def show(self, predictions: Sequence[ImagePrediction], reason: str = "", place: int = 0) -> None:
        """Shows images, with the cursor on the one at `place`; `reason` says why there are none."""
        self.predictions, self._reason = predictions, reason
        self._selected = max(0, min(place, len(predictions) - 1))
        self.refresh()
        self.post_message(self.Moved())

    def show_images(self, images: Mapping[int, bytes]) -> None:
        """Draws the pictures: 784 grey values each, by their index in the test set."""
        self._images = images
        self.refresh()

    @property
    def selected(self) -> ImagePrediction | None:
        """The image under the cursor."""
        return self.predictions[self._selected] if self.predictions else None

    @property
    def place(self) -> int:
        """The place of the cursor among the images, from 0."""
        return self._selected

    @property
    def page_text(self) -> str:
        """`12 of 126, page 2 of 9`."""
        if not self.predictions:
            return ""
        pages = -(-len(self.predictions) // self._per_page)
        return f"{self._selected + 1:,} of {len(self.predictions):,}, page {self._page + 1} of {pages:,}"

    # --- layout ---

    @property
    def _side(self) -> int:
        """How many pixels wide and high pictures are drawn: a cell is one pixel wide and two high."""
        wanted_counts = WANTED_REAL if self._real_pixels else WANTED
        fits = [(side, prod(self._fitting(side))) for side in SIDES]
        return next((side for wanted in wanted_counts for side, count in fits if count >= wanted), SIDES[-1])

    def _fitting(self, side: int) -> tuple[int, int]:
        """How many pictures of a size stand beside each other, and how many rows of them fit."""
        width, height = side + GAP, side // 2 + TEXT_LINES + 1
        return (self.content_size.width + GAP) // width, (self.content_size.height + 1) // height

    @property
    def _grid(self) -> tuple[int, int]:
        across, down = self._fitting(self._side)
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
        if self.predictions:
            self._selected = min(len(self.predictions) - 1, max(0, self._selected + count))
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
        self.action_move(-len(self.predictions))

    def action_last(self) -> None:
        """The last image."""
        self.action_move(len(self.predictions))

    def action_open_image(self) -> None:
        """Opens the selected image."""
        if self.selected is not None:
            self.post_message(self.ImageOpened(self.selected))

    def on_click(self, event: Click) -> None:
        event.stop()
        place = event.get_content_offset(self)
        if place is None or not self.predictions:
            return
        across, _ = self._grid
        row = place.y // (self._side // 2 + TEXT_LINES + 1)
        clicked = self._page * self._per_page + row * across + min(across - 1, place.x // (self._side + GAP))
        is_again = clicked == self._selected
        self.action_move(clicked - self._selected)
        if is_again:
            self.action_open_image()

    def on_resize(self) -> None:
        self.post_message(self.Moved())

    # --- drawing ---

    def render(self) -> Text:
        if not self.predictions:
            return Text(self._reason, "dim")
        first = self._page * self._per_page
        shown = self.predictions[first : first + self._per_page]
        across, side = self._grid[0], self._side
        lines: list[Text] = []
        for start in range(0, len(shown), across):
            tiles = [self._tile(one, side) for one in shown[start : start + across]]
            lines += [Text(" " * GAP).join(parts) for parts in zip(*tiles, strict=True)]
            lines.append(Text())
        return Text("\n", no_wrap=True).join(lines[:-1])

    def _tile(self, one: ImagePrediction, width: int) -> list[Text]:
        """A picture and the lines below it, all of one width."""
        image = self._images.get(one.index)
        if image is None:
            drawn = [Text(" " * width) for _ in range(width // 2)]
        elif self._real_pixels:
            drawn = self._real_pixels.picture(image, width, width // 2)
        else:
            drawn = picture(pixels(image, width), self._ascii_only)
        lines = [*drawn, self._heading(one), self._index_line(one), *self._bars(one, width)]
        for line in lines:
            line.truncate(width, pad=True)
        return lines

    def _heading(self, one: ImagePrediction) -> Text:
        """`7>1` for a 7 that was predicted as a 1; reversed where the cursor is."""
        is_right = one.label == one.prediction
        classes = f"{one.label}" if is_right else f"{one.label}>{one.prediction}"
        style = Style() if is_right else self.get_component_rich_style("gallery--wrong", partial=True)
        heading = Text(f" {classes} ", style + Style(reverse=one is self.selected, bold=True))
        if one.published_guess is not None:
            heading.append(f" {one.published_guess}?", "bold")
        return heading

    @staticmethod
    def _index_line(one: ImagePrediction) -> Text:
        return Text(f" #{one.index}  {one.loss:.2f}", "dim")

    def _bars(self, one: ImagePrediction, width: int) -> list[Text]:
        """The most probable classes, a bar for each."""
        full = "#" if self._ascii_only else "█"
        room = width - 7
        bars = [
            Text(f" {label} {full * round(share * room)}{'':<{room - round(share * room)}} {min(share, 0.99):>3.0%}")
            for label, share in one.top
        ]
        return [bar or Text() for bar, _ in zip_longest(bars, range(TOP))]
