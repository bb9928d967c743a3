"""The scores of the classes and the most confused pairs, beside the matrix or below it."""

from textual.widgets import Static

from mnist_tui.text import in_ascii
from mnist_tui.tui.analyse.jobs import Analysed
from mnist_tui.tui.analyse.texts import class_lines


class ClassScores(Static):
    """Lines of text that fit into the width they are given."""

    DEFAULT_CSS = "ClassScores { width: 1fr; height: auto; }"

    def __init__(self, ascii_only: bool) -> None:
        super().__init__(markup=False)
        self._ascii_only = ascii_only
        self._analysed: Analysed | None = None

    def show(self, analysed: Analysed) -> None:
        """Shows another analysis."""
        self._analysed = analysed
        self.on_resize()

    def on_resize(self) -> None:
        if self._analysed is not None:
            text = class_lines(self._analysed, self.content_size.width)
            if self._ascii_only:
                text.plain = in_ascii(text.plain)
            self.update(text)
