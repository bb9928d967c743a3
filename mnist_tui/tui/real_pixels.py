"""Images as real pixels, in terminals that draw them: kitty's graphics protocol, or sixels (iTerm2, WezTerm, foot).

textual-image asks the terminal and encodes the images. Its widgets are not used: a sixel widget moves what stands on
its right, and is written again with everything near it.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from mnist_tui.analysis.text_images import SIDE
from mnist_tui.tui.sixels import MAX_IMAGES, SixelImages

if TYPE_CHECKING:
    from PIL import Image
    from textual_image.renderable import SixelImage, TGPImage

    Drawn = SixelImage | TGPImage
    Draw = Callable[[Image.Image, int, int], Drawn]
    """Draws an image at a width and a height in cells."""

SIXEL_GREYS = 32
"""Grey levels of a sixel image: 5 KB for one of 14x7 cells, where all 256 take 12 KB and look the same."""
NO_REAL_PIXELS = "this terminal draws neither sixels nor kitty's graphics: test images are drawn in half blocks"


def find_real_pixels() -> "RealPixels | None":
    """What draws images in this terminal; None where nothing does.

    Asks the terminal, so it is called before textual reads what the terminal sends. Needs the extra `pixels`.
    """
    import textual_image.widget  # noqa: F401  Asks for the size of a cell, once for all images.
    from textual_image.renderable import Image, SixelImage, TGPImage
    from textual_image.renderable.sixel import SixelOptions

    if Image is SixelImage and not os.environ.get("TEXTUAL_DRIVER"):  # Another driver knows nothing of sixels.
        return RealPixels(partial(SixelImage, sixel_options=SixelOptions(colors=SIXEL_GREYS)))
    if Image is TGPImage and not os.environ.get("NO_COLOR"):  # An image is named by the colour of its characters.
        os.environ["COLORTERM"] = "truecolor"  # SSH does not pass it on, and 256 colours are too few for these names.
        return RealPixels(TGPImage)
    return None


class RealPixels:
    """Draws images of 784 grey values; what was drawn is kept."""

    def __init__(self, draw: "Draw") -> None:
        self._draw = draw
        self._console = Console(file=StringIO(), width=200, height=100, color_system="truecolor")
        self._drawn: OrderedDict[tuple[bytes, int, int], tuple[Drawn, list[Text]]] = OrderedDict()
        self.sixels = SixelImages()
        """The images that the driver writes."""

    def picture(self, image: bytes, width: int, height: int) -> list[Text]:
        """An image as lines that fill `width` x `height` cells, at most 32x16."""
        key = image, width, height
        if key not in self._drawn:
            while len(self._drawn) >= MAX_IMAGES:
                self._drawn.popitem(last=False)[1][0].cleanup()
            self._drawn[key] = self._lines(image, width, height)
        self._drawn.move_to_end(key)
        return self._drawn[key][1]

    def _lines(self, image: bytes, width: int, height: int) -> "tuple[Drawn, list[Text]]":
        from PIL import Image

        drawn = self._draw(Image.frombytes("L", (SIDE, SIDE), image), width, height)
        segments = list(self._console.render(drawn))
        sixel = next((segment.text for segment in segments if segment.text.startswith("\x1bP")), None)
        if sixel is not None:
            return drawn, [Text(line, no_wrap=True) for line in self.sixels.add(sixel, width, height)]
        return drawn, [Text(one.text.rstrip("\n"), one.style or "", no_wrap=True) for one in segments]
