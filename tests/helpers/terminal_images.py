"""What a terminal with images shows: sixels and kitty's graphics, read back from what it was sent."""

import base64
import os
import re
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from helpers.lab_terminal import Lab

Grey = NDArray[np.uint8]

_SIXEL = re.compile(r"#(\d+);2;(\d+);\d+;\d+|#(\d+)|(?:!(\d+))?([?-~])|(\$)|(-)")
"""A colour's definition, which also selects it; a colour; six rows of a column, repeated; back; six rows down."""


def decode_sixel(data: str) -> Grey:
    """The grey values (H, W) of a whole sixel sequence."""
    head = re.match(r'\x1bP[\d;]*q"1;1;(\d+);(\d+)', data)
    assert head, data[:40]
    image = np.zeros((int(head[2]) + 6, int(head[1])), np.uint8)
    greys: dict[str, int] = {}
    grey = row = column = 0
    for defined, percent, selected, count, six, back, down in _SIXEL.findall(data[head.end() : -2]):
        if defined or selected:
            if defined:
                greys[defined] = round(int(percent) * 2.55)
            grey = greys[defined or selected]
        elif six:
            end = column + int(count or 1)
            for bit in range(6):
                if (ord(six) - 63) >> bit & 1:
                    image[row + bit, column:end] = grey
            column = end
        elif back or down:
            column, row = 0, row + 6 * bool(down)
    return image[:-6]


def decode_kitty(output: str) -> dict[int, Grey]:
    """The images that were sent, by their numbers."""
    chunks: dict[int, str] = {}
    for number, payload in re.findall(r"\x1b_Gi=(\d+),m=\d,f=100,q=2;([^\x1b]*)\x1b\\", output):
        chunks[int(number)] = chunks.get(int(number), "") + payload
    images = {number: Image.open(BytesIO(base64.b64decode(data))) for number, data in chunks.items()}
    return {number: np.asarray(image.convert("L")) for number, image in images.items()}


def difference(image: Grey, digit: bytes) -> float:
    """Mean difference in grey levels between an image of any size and 784 grey values."""
    small = Image.fromarray(image).resize((28, 28), Image.Resampling.BOX)
    return float(np.abs(np.asarray(small, np.float64) - np.frombuffer(digit, np.uint8).reshape(28, 28)).mean())


class ImageLab(Lab):
    """The laboratory in a terminal that answers what it can draw: `sixel`, `kitty`, or anything else for nothing."""

    kind = ""
    _answered = 0

    def read(self, seconds: float = 0.05) -> bool:
        """Reads output, and answers the questions in it."""
        is_read = super().read(seconds)
        asked = self.output[self._answered :]
        self._answered = len(self.output)
        for question in re.findall(rb"\x1b\[c|\x1b_G[^\x1b]*a=q|\x1b\[16t", asked):
            if question == b"\x1b[c":
                os.write(self.master, b"\x1b[?62;4;22c" if self.kind == "sixel" else b"\x1b[?62;22c")
            elif question == b"\x1b[16t":
                os.write(self.master, b"\x1b[6;20;10t")
            elif self.kind == "kitty":
                os.write(self.master, b"\x1b_Gi=1;OK\x1b\\")
        return is_read
