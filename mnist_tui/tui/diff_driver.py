"""A terminal driver that writes only the cells that changed: a slow connection is not sent what it shows already.

Textual writes every cell of a widget that it repaints. This driver remembers what the terminal shows and leaves out of
every frame the cells that are as they were.
"""

import re
from functools import cached_property

from rich.cells import cell_len
from textual.drivers.linux_driver import LinuxDriver

Cell = tuple[str, str]
"""A character with what combines with it ("" behind a wide one), and its style as the parameters of a `CSI … m`."""

_TOKENS = re.compile(
    r"\x1b\[(?P<row>\d+);(?P<column>\d+)H|\x1b\[(?P<style>[\d;:]*)m|(?P<text>[^\x00-\x1f\x7f\x1b]+)|"
    r"(?P<other>\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.|.)",
    re.DOTALL,
)
_HARMLESS = re.compile(
    r"\x1b\[\?(?:25|1000|1002|1003|1004|1006|1015|1016|2004|2026|2048)[hl]|\x1b\]52;.*|\x07", re.DOTALL
)
"""What changes no cell and moves no cursor: modes, the clipboard, the bell."""
_BRIDGED = 4
"""Unchanged cells that are written again between two changed ones of their style: a position takes more bytes."""


class ScreenMemory:
    """What a terminal shows, from what was written to it."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], Cell] = {}
        """By row and column, from 1; what is not known is missing."""
        self._cursor: tuple[int, int] | None = None
        """Where the terminal's cursor is; None where that is not known."""
        self._style = ""
        """The style that the terminal is set to."""

    def forget(self) -> None:
        """Takes everything for unknown, so that it is written again."""
        self._cells.clear()
        self._cursor = None

    def reduce(self, data: str) -> str:
        """What is to be written for `data`: the same but for the cells that the terminal shows already."""
        output: list[str] = []
        row, column = self._cursor or (0, 0)
        style = ""
        for token in _TOKENS.finditer(data):
            kind = token.lastgroup
            if kind == "column":
                row, column = int(token["row"]), int(token["column"])
            elif kind == "style":
                style = _joined(style, token["style"])
            elif kind == "text" and row:
                column = self._write(output, row, column, style, token["text"])
            elif token[0] != "\n":  # Textual ends lines with it, and always goes on at a position.
                self._set_style(output, "")
                output.append(token[0])
                if not _HARMLESS.fullmatch(token[0]):
                    self.forget()
                    row = column = 0
        if row:
            self._move(output, row, column)
        self._set_style(output, "")
        return "".join(output)

    def _write(self, output: list[str], row: int, column: int, style: str, text: str) -> int:
        """Writes the cells of a text that differ; the column behind it."""
        cells = self._cells
        for character, width in _characters(text):
            cell = (character, style)
            if cells.get((row, column)) != cell:
                self._move(output, row, column)
                self._set_style(output, style)
                output.append(character)
                cells[row, column] = cell
                for behind in range(column + 1, column + width):
                    cells[row, behind] = ("", style)
                self._cursor = (row, column + width)
            column += width
        return column

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


def _joined(style: str, parameters: str) -> str:
    """The style after `CSI parameters m`; a 0 at its beginning ends what was set before."""
    if parameters in ("", "0"):
        return ""
    if parameters.startswith("0;"):
        return parameters[2:]
    return f"{style};{parameters}" if style else parameters


def _characters(text: str) -> list[tuple[str, int]]:
    """The characters of a text with their cells; what takes none belongs to the one before it."""
    if text.isascii():
        return [(character, 1) for character in text]
    found: list[tuple[str, int]] = []
    for character in text:
        width = cell_len(character)
        if width or not found:
            found.append((character, width))
        else:
            found[-1] = (found[-1][0] + character, found[-1][1])
    return found


class DiffDriver(LinuxDriver):
    """Textual's driver for Linux and macOS; it leaves out what the terminal shows already."""

    @cached_property
    def memory(self) -> ScreenMemory:
        """What the terminal shows."""
        return ScreenMemory()

    def write(self, data: str) -> None:
        if reduced := self.memory.reduce(data):
            super().write(reduced)
