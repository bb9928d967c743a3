"""The preset picker: every preset that can be found, the user's own among them, with a search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import ClassVar

from rich.cells import set_cell_size
from rich.style import Style
from rich.text import Text
from textual import events, on, work
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from mnist_tui.errors import PresetError
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import cell_width, clean_line
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab.preset_info import PresetDialog, PresetInfo, is_measured_elsewhere
from mnist_tui.tui.messages import OpenScreen
from mnist_tui.tui.text_field import TextField
from mnist_tui.tui.themes import style_of

READ_AFTER = 0.2
"""Seconds before the files are read, so that the first frame does not wait for them."""
NUMBERS = 13
"""Cells of a name and the parameters behind it; a longer name moves them."""
LONGEST_NAME = 24
"""Cells of the longest name that is shown whole; names of the user's presets may be longer than the column."""
HEADING = "preset  params  author target"
HOUSE, OWN = "house models: designed here", "your own"
"""The headings of the presets that nobody published."""
NO_MATCH = "nothing found; esc shows all"
WITH_TITLES = 36
"""From this width on titles have room; below it a mark of what is cut would stand behind the target's digits."""
TALL = 14
"""From this height on the list has a heading, and the details of a preset below it."""


@dataclass(frozen=True)
class Entry:
    """A preset in the list; its file is read after the first frame."""

    name: str
    path: Path
    section: str = ""
    """The heading that it stands below; published models have none."""
    spec: RunSpec | None = None
    error: str = ""

    @property
    def searched(self) -> str:
        """The text that is searched."""
        words = f"{self.spec.title} {self.spec.source}" if self.spec else ""
        return f"{self.name} {self.section} {words}".lower()


def find_entries(extra: Path | None) -> list[Entry]:
    """The presets, not read yet; raises `PresetError` where two have the same name."""
    sections = {presets.builtin_folder().resolve(): "", presets.house_folder().resolve(): HOUSE}
    return [Entry(name, path, sections.get(path.parent.resolve(), OWN)) for name, path in presets.find(extra).items()]


def read(entry: Entry) -> Entry:
    """The entry with the spec or the error of its file."""
    try:
        return replace(entry, spec=presets.load_file(entry.path))
    except PresetError as error:
        return replace(entry, error=str(error))


def line(entry: Entry, is_current: bool, warning: Style) -> Text:
    """Name, parameters, published accuracy, target and title.

    An accuracy on other images than the test images has a star, and the style of a warning.
    """
    text = Text(no_wrap=True)
    name = clean_line(entry.name)
    name = name if cell_width(name) <= LONGEST_NAME else f"{set_cell_size(name, LONGEST_NAME - 1)}~"
    text.append(f"{'>' if is_current else ' '}{name}", "bold" if is_current else "")
    if entry.error:
        return text.append(f" ! {clean_line(entry.error, 200)}")
    if entry.spec is None:
        return text
    reported = entry.spec.reported
    published = f"{100 * reported.accuracy:.2f}" if reported and reported.accuracy is not None else ""
    is_elsewhere = is_measured_elsewhere(reported)
    parameters = f" {entry.spec.parameters:,}"
    text.append(parameters.rjust(NUMBERS - cell_width(name)))
    text.append(f"{published + ('*' if is_elsewhere else ' '):>8}", warning if is_elsewhere else "")
    text.append(f"{entry.spec.target.percent_text:>7} ")
    text.append(clean_line(entry.spec.title, 100), "dim")
    return text


class PresetPicker(Vertical):
    """A search field over a list; Enter or a click picks."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("j", "move(1)", "Down", show=False),
            Binding("k", "move(-1)", "Up", show=False),
            Binding("g", "end(0)", "First", show=False),
            Binding("G", "end(-1)", "Last", show=False),
            Binding("down", "to_list", "To the list", show=False),
            Binding(
                "escape", "clear_search", "Leave the field", show=False, tooltip="all presets again; letters are keys"
            ),
            Binding("i", "info", "Info", tooltip="title, author, what was reported and on which images, remarks"),
        ]
    )
    DEFAULT_CSS = """
    PresetPicker Input { height: 1; }
    PresetPicker #preset-heading { height: 1; color: $text-muted; text-style: bold; text-wrap: nowrap; display: none; }
    PresetPicker.-tall #preset-heading { display: block; }
    PresetPicker.-tall OptionList { height: 3fr; }
    PresetPicker.-tall PresetInfo { height: 2fr; }
    PresetPicker OptionList:focus > .option-list--option-highlighted { color: $foreground; background: $primary 35%; }
    PresetPicker OptionList {
        height: 1fr; border: none; padding: 0; scrollbar-size-horizontal: 0;
        text-wrap: nowrap; text-overflow: clip;
    }
    PresetPicker.-titles OptionList { text-overflow: ellipsis; }
    """

    class Picked(Message):
        """Posted when a preset is picked."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    class Read(Message):
        """Posted by the thread that has read the files."""

        def __init__(self, entries: Sequence[Entry]) -> None:
            super().__init__()
            self.entries = entries

    def __init__(self, extra: Path | None) -> None:
        super().__init__()
        self._extra = extra
        self._entries: Sequence[Entry] = ()
        self._current = ""

    def compose(self) -> ComposeResult:
        yield TextField(hint="/ search name, title, author")
        yield Static(HEADING, id="preset-heading", markup=False)
        yield OptionList(compact=True, markup=False)
        yield PresetInfo()

    def on_mount(self) -> None:
        self._find()
        self.set_timer(READ_AFTER, self._read_all)

    def on_resize(self, event: events.Resize) -> None:
        self.update_classes({"-tall": event.size.height >= TALL, "-titles": event.size.width >= WITH_TITLES})
        self.call_after_refresh(self.query_one(OptionList).scroll_to_highlight)

    def refresh_list(self) -> None:
        """Finds and reads the presets again."""
        self._find()
        self._read_all()

    def _find(self) -> None:
        try:
            self._entries = find_entries(self._extra)
        except PresetError as error:
            self.notify(clean_line(str(error), 300), severity="warning", markup=False)
        self._fill()

    def show_current(self, name: str) -> None:
        """Marks the preset that the design began from, and scrolls to it."""
        if name != self._current:
            self._current = name
            self.query_one(OptionList).highlighted = None
            self._fill()

    def _read_all(self) -> None:
        self._read_files(tuple(self._entries))

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _read_files(self, entries: Sequence[Entry]) -> None:
        found = [read(entry) for entry in entries]
        if not get_current_worker().is_cancelled:  # Else a later reading is under way, maybe of other presets.
            self.post_message(self.Read(found))

    @on(Read)
    def _show_entries(self, event: Read) -> None:
        self._entries = event.entries
        self._fill()

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        event.stop()
        if not event.value:
            self.query_one(OptionList).highlighted = None  # Back to the preset of the design.
        self._fill(0 if event.value else None)  # Enter picks the first.

    @on(Input.Submitted)
    def _pick_first(self, event: Input.Submitted) -> None:
        event.stop()
        matching = self._matching()
        if matching:
            self.post_message(self.Picked(matching[0].path))
            self.action_to_list()  # Where single letters are keys again.

    def action_clear_search(self) -> None:
        """Shows all presets again; the screen then leaves the field."""
        self.query_one(Input).value = ""
        raise SkipAction

    def action_to_list(self) -> None:
        """Focuses the list."""
        self.query_one(OptionList).focus()

    @on(OptionList.OptionHighlighted)
    def _show_info(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if (entry := self._entry(event.option_id)) is not None:
            self.query_one(PresetInfo).show(entry.spec, entry.error)

    def _entry(self, name: str | None) -> Entry | None:
        return next((entry for entry in self._entries if entry.name == name), None)

    def action_info(self) -> None:
        """Shows the details of the preset under the cursor."""
        marked = self.query_one(OptionList).highlighted_option
        if marked is not None and (entry := self._entry(marked.id)) is not None:
            self.post_message(OpenScreen(PresetDialog(entry.name, entry.spec, entry.error)))

    @on(OptionList.OptionSelected)
    def _pick(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if (entry := self._entry(event.option_id)) is not None:
            self.post_message(self.Picked(entry.path))

    def action_move(self, steps: int) -> None:
        """Moves the cursor of the list."""
        options = self.query_one(OptionList)
        options.action_cursor_down() if steps > 0 else options.action_cursor_up()

    def action_end(self, end: int) -> None:
        """Moves the cursor to the first or the last preset."""
        options = self.query_one(OptionList)
        options.action_last() if end else options.action_first()

    def _matching(self) -> list[Entry]:
        words = self.query_one(Input).value.lower().split()
        return [entry for entry in self._entries if all(word in entry.searched for word in words)]

    def _fill(self, highlighted: int | None = None) -> None:
        options = self.query_one(OptionList)
        index = options.highlighted if highlighted is None else highlighted
        matching = self._matching()
        options.clear_options()
        warning = style_of("warning", self.app.theme_variables)
        for section, entries in groupby(matching, lambda entry: entry.section):
            options.add_options([Option(Content.styled(f" {section}", "bold"), disabled=True)] if section else [])
            options.add_options(
                [Option(line(entry, entry.name == self._current, warning), id=entry.name) for entry in entries]
            )
        if not matching:
            options.add_option(Option(NO_MATCH, disabled=True))
            self.query_one(PresetInfo).show(None, "")
        else:
            self.call_after_refresh(options.scroll_to_highlight)
            if index is None and any(entry.name == self._current for entry in matching):
                options.highlighted = options.get_option_index(self._current)
            else:
                index = min(index or 0, options.option_count - 1)
                options.highlighted = index + options.options[index].disabled  # The last option is no heading.
