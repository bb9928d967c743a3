"""A terminal driver that writes only the cells that changed: a slow connection is not sent what it shows already.

Textual writes every cell of a widget that it repaints. This driver remembers what the terminal shows and leaves out of
every frame the cells that are as they were.
"""

import re
from functools import cached_property

from rich.cells import cell_len
from textual.drivers.linux_driver import LinuxDriver

from mnist_tui.tui.sixels import SixelImages

Cell = tuple[str, str]
"""A character with its combining ones ("" for the second cell of a wide one), and the parameters of `CSI … m`."""

_TOKENS = re.compile(
    r"\x1b\[(?P<row>\d+);(?P<column>\d+)H|\x1b\[(?P<style>[\d;:]*)m|(?P<text>[^\x00-\x1f\x7f\x1b]+)|"
    r"(?P<other>\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.|.)",
    re.DOTALL,
)
_HARMLESS = re.compile(
    r"\x1b\[\?(?:25|1000|1002|1003|1004|1006|1015|1016|2004|2026|2048)[hl]|\x1b\]52;.*|\x07", re.DOTALL
)
"""Sequences that change no cell and do not move the cursor: modes, the clipboard, the bell."""
_BRIDGED = 4
"""Most unchanged cells between two changed ones that are written again: setting the position takes more bytes."""


class ScreenMemory:
    """The cells that a terminal shows, from what was written to it."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], Cell] = {}
        """By row and column, from 1; unknown cells are missing."""
        self._cursor: tuple[int, int] | None = None
        """Row and column of the terminal's cursor; None if unknown."""
        self._style = ""
        """The current style of the terminal."""
        self.sixels: SixelImages | None = None
        """Images, for whose cells private characters are written; None where there are none."""
        self._images: dict[tuple[int, int], int] = {}
        """The images to write, by the row and column of their first cell."""

    def forget(self) -> None:
        """Makes every cell unknown, so that it is written again."""
        self._cells.clear()
        self._cursor = None

    def reduce(self, data: str) -> str:
        """`data` without the cells that the terminal shows already."""
        output: list[str] = []
        row, column = self._cursor or (0, 0)
        style = ""
        for token in _TOKENS.finditer(data):
            token_type = token.lastgroup
            if token_type == "column":
                row, column = int(token["row"]), int(token["column"])
            elif token_type == "style":
                style = _join_style(style, token["style"])
            elif token_type == "text" and row:
                column = self._write(output, row, column, style, token["text"])
            elif token[0] != "\n":  # Textual ends lines with it, and always sets the position next.
                self._set_style(output, "")
                output.append(token[0])
                if not _HARMLESS.fullmatch(token[0]):
                    self.forget()
                    row = column = 0
        self._write_images(output)
        if row:
            self._move(output, row, column)
        self._set_style(output, "")
        return "".join(output)

    def _write(self, output: list[str], row: int, column: int, style: str, text: str) -> int:
        """Writes the cells of a text that differ; returns the column behind it."""
        cells = self._cells
        for character, width in _characters(text):
            part = self.sixels.cell(character) if self.sixels else None
            cell = (character, "" if part else style)  # A colour does not change an image.
            if cells.get((row, column)) == cell:
                pass
            elif part:
                cells[row, column] = cell
                self._images[row - part.row, column - part.column] = part.number
            else:
                self._move(output, row, column)
                self._set_style(output, style)
                output.append(character)
                cells[row, column] = cell
                for behind in range(column + 1, column + width):
                    cells[row, behind] = ("", style)
                self._cursor = (row, column + width)
            column += width
        return column

    def _write_images(self, output: list[str]) -> None:
        """Writes the images of which a cell has changed."""
        for (row, column), number in self._images.items():
            assert self.sixels is not None
            self._set_style(output, "")
            output.append(f"\x1b[{row};{column}H{self.sixels.data(number)}")
            self._cursor = None  # Terminals differ in where an image leaves it.
        self._images.clear()

    def _move(self, output: list[str], row: int, column: int) -> None:
        if self._cursor == (row, column):
            return
        if self._cursor is not None and self._cursor[0] == row and 0 < column - self._cursor[1] <= _BRIDGED:
            between = [self._cells.get((row, at), ("", "?")) for at in range(self._cursor[1], column)]
            if all(style == self._style and text for text, style in between):
                output.append("".join(text for text, _ in between))
                self._cursor = (row, column)
                return
        output.append(f"\x1b[{row};{column}H")
        self._cursor = (row, column)

    def _set_style(self, output: list[str], style: str) -> None:
        if style != self._style:
            output.append(f"\x1b[0;{style}m" if style else "\x1b[0m")
            self._style = style


def _join_style(style: str, parameters: str) -> str:
    """The style after `CSI parameters m`; a 0 at its beginning resets the previous style."""
    if parameters in ("", "0"):
        return ""
    if parameters.startswith("0;"):
        return parameters[2:]
    return f"{style};{parameters}" if style else parameters


def _characters(text: str) -> list[tuple[str, int]]:
    """The characters of a text with their widths in cells; one of width 0 is joined to the previous one."""
    if text.isascii():
        return [(character, 1) for character in text]
    characters: list[tuple[str, int]] = []
    for character in text:
        width = cell_len(character)
        if width or not characters:
            characters.append((character, width))
        else:
            characters[-1] = (characters[-1][0] + character, characters[-1][1])
    return characters


class DiffDriver(LinuxDriver):
    """Textual's driver for Linux and macOS; it leaves out what the terminal shows already."""

    @cached_property
    def memory(self) -> ScreenMemory:
        """What the terminal shows."""
        return ScreenMemory()

    def write(self, data: str) -> None:
        if reduced := self.memory.reduce(data):
            super().write(reduced)
