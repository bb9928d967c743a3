"""Details of a preset: its author, the figures reported, and the images that they were measured on."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from mnist_tui.spec.recipe import TEST_IMAGES, Reported
from mnist_tui.spec.recipe_words import target_words
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.repaint import Dialog
from mnist_tui.tui.themes import style_of


def is_measured_elsewhere(reported: Reported | None) -> bool:
    """Whether the reported accuracy is not one on the 10,000 test images."""
    return reported is not None and reported.accuracy is not None and not reported.is_on_test_images


def info(spec: RunSpec, variables: Mapping[str, str]) -> Text:
    """Title, what was measured on what, target, source and remarks, a paragraph each."""
    reported = spec.reported
    lines = [Text(clean_line(spec.title or spec.name, 300), "bold")]
    lines += _reported_lines(reported, variables) if reported else []
    lines += [Text(f"target: {words}") for words in [target_words(spec.target)] if words]
    lines += [Text(f"source: {clean_line(spec.source, 300)}")] if spec.source else []
    lines += [Text(f"- {clean_line(note, 1_000)}") for note in (reported.notes if reported else ())]
    return Text("\n").join(lines)


def _reported_lines(reported: Reported, variables: Mapping[str, str]) -> Iterator[Text]:
    """The author's accuracy with the images that it is on, and the author's other figures."""
    if is_measured_elsewhere(reported):
        on = f"{clean_line(reported.measured_on, 200)}, not the {TEST_IMAGES}"
        yield Text(f"! the author's {reported.accuracy:.2%} is on {on}", style_of("warning", variables))
    elif reported.accuracy is not None:
        yield Text(f"the author's {reported.accuracy:.2%} is on the {TEST_IMAGES}")
    figures = {
        "best epoch": reported.epoch,
        "last epoch": reported.last_accuracy and f"{reported.last_accuracy:.2%}",
        "running training accuracy": reported.train_accuracy and f"{reported.train_accuracy:.2%}",
        "parameters": reported.parameters and f"{reported.parameters:,}",
    }
    if any(figures.values()):
        yield Text(f"reported: {', '.join(f'{name} {figure}' for name, figure in figures.items() if figure)}")


def short_info(spec: RunSpec, variables: Mapping[str, str]) -> Text:
    """One line: a warning if the accuracy is on other images, else the title."""
    if is_measured_elsewhere(spec.reported):
        return Text("* not on the test images (i)", style_of("warning", variables))
    return Text(clean_line(spec.title, 300), "dim")


class PresetInfo(VerticalScroll, can_focus=False):
    """Details of the preset under the cursor of the list; one line where there is little room."""

    DEFAULT_CSS = """
    PresetInfo { height: 1; scrollbar-size-vertical: 0; }
    PresetInfo Static { width: 1fr; height: 1; }
    PresetPicker.-tall PresetInfo { scrollbar-size-vertical: 1; }
    PresetPicker.-tall PresetInfo Static { height: auto; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[RunSpec | None, str] = (None, "")

    def compose(self) -> ComposeResult:
        yield Static()

    def on_resize(self) -> None:
        self.show(*self._shown)

    def show(self, spec: RunSpec | None, error: str) -> None:
        """Shows a preset, or the error in it."""
        if (spec, error) != self._shown:
            self.scroll_home(animate=False)
        self._shown = spec, error
        text = Text(f"! {clean_line(error, 300)}" if error else "")
        if spec is not None:
            make = info if self.size.height > 1 else short_info
            text = make(spec, self.app.theme_variables)
        self.query_one(Static).update(text)


class PresetDialog(Dialog[None]):
    """The details of a preset in a dialog."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,i,enter", "dismiss", "Close")]

    def __init__(self, name: str, spec: RunSpec | None, error: str) -> None:
        super().__init__()
        self._preset, self._spec, self._error = name, spec, error

    def compose(self) -> ComposeResult:
        text = info(self._spec, self.app.theme_variables) if self._spec else Text(f"! {clean_line(self._error, 1_000)}")
        with Vertical(classes="dialog -large"):
            yield Static(Content(clean_line(self._preset, 100)), classes="dialog-title")
            with VerticalScroll(classes="dialog-text"):
                yield Static(text)
            yield KeyBar()
