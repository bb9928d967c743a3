"""Compare: the curves of the rows marked in Runs, their differences, and whether noise could explain those."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.widgets import Static

from mnist_tui.analysis import comparison, markdown, tables
from mnist_tui.analysis.comparison import MEASURES, Arm, Measure
from mnist_tui.analysis.palette import colour, marker
from mnist_tui.text import in_ascii
from mnist_tui.tui import clipboard
from mnist_tui.tui.background import WorkerScreen
from mnist_tui.tui.compare.overlay import COMPARED, Overlay, lines_of
from mnist_tui.tui.help import help_on
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.report_dialog import ask_for_report
from mnist_tui.tui.runs.selection import RunSelection
from mnist_tui.tui.status import Headline

GAP = "  "
"""Between two columns of a table."""
SIDE_CELLS = 12
"""The narrowest column of an arm."""
NAMES = {"CompareScreen": "Compare", "VerticalScroll": "Report", "App": "Everywhere"}
EMPTY = """\
nothing is marked yet

2 shows the runs. There: space marks one, m puts the seeds of one recipe into one row, and 3 comes back here."""


class CompareScreen(WorkerScreen):
    """Curves, results per arm, differences, and what follows from them."""

    AUTO_FOCUS = "VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding(
                "left,h",
                "move(-1)",
                "Epoch",
                key_display="left/right",
                tooltip="reads all of them in one epoch",
            ),
            Binding("right,l", "move(1)", "Epoch after", show=False),
            Binding("n", "metric", "Curve", tooltip="accuracy, loss, train − test gap, learning rate, norms"),
            Binding("Y", "log", "Log y", show=False, tooltip="a logarithmic axis, or a linear one"),
            Binding(
                "m", "measure", "Measure", tooltip="judge by the best epoch, the last one, or the mean of the last"
            ),
            Binding("d", "differences", "All settings", tooltip="or only those that differ"),
            Binding("b", "base", "Baseline", tooltip="the next row becomes the one that the others are held against"),
            Binding("y", "copy", "Copy", tooltip="the comparison as Markdown, to the clipboard, also over SSH"),
            Binding("e", "report", "Report", tooltip="on the marked rows, as Markdown or HTML, to hand in"),
            Binding("S", "unmark", "Unmark all", show=False),
            Binding("question_mark,f1", "help", "Help"),
        ]
    )

    def __init__(self, selection: RunSelection, data_dir: Path | None, ascii_only: bool) -> None:
        super().__init__()
        self.selection, self.ascii_only = selection, ascii_only
        self._data_dir = data_dir
        self.measure: Measure = "best"
        self.what = next(iter(COMPARED))
        self.only_differences = True

    def compose(self) -> ComposeResult:
        yield Headline("compare")
        with Container(id="compare"):
            with Vertical(id="compare-curves"):
                yield Static(id="compare-legend")
                yield Overlay(self.ascii_only)
            with VerticalScroll(id="compare-report"):
                yield Static(id="compare-text")
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self.ascii_only, "-ascii")

    def on_screen_resume(self) -> None:
        self.compute()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= 140, "-wide")
        self.call_after_refresh(self.compute)

    def is_useful(self, action: str) -> bool:
        return bool(self.selection.colors) or action in ("help", "leave")

    # --- computing in the background ---

    def compute(self) -> None:
        """Reads and compares the marked rows."""
        arms = self.selection.arms()
        curves = [
            "Compare",
            f"{len(arms)} marked" if arms else "nothing is marked",
            f"judged by {MEASURES[self.measure]}",
        ]
        self.query_one(Headline).show(curves)
        if not arms:
            self._put((), Text(EMPTY))
            return
        if not self.query_one(Overlay).lines:
            self._update("#compare-text", Text("reading the marked runs", "dim"))
        width = max(30, self.query_one("#compare-report").size.width - 3)
        measure, what, only = self.measure, self.what, self.only_differences

        def job() -> Any:
            return lines_of(arms, what), report(arms, measure, only, width, self._tint())

        self.submit("compare", job, self._show_result)

    def _tint(self) -> Any:
        is_dark = self.app.current_theme.dark
        return lambda color: (marker(color, self.ascii_only), colour(color, is_dark))

    def _show_result(self, result: Any, error: str | None) -> None:
        self._put(*(result or ((), Text(f"! {error}"))))

    def _put(self, lines: Any, text: Text) -> None:
        self.query_one(Overlay).show(lines, self.what)
        self._update("#compare-text", text)
        self._show_legend()

    def _update(self, place: str, text: Text) -> None:
        if self.ascii_only:
            text.plain = in_ascii(text.plain)  # It keeps its colours.
        self.query_one(place, Static).update(text)

    @on(Overlay.Moved)
    def _show_legend(self) -> None:
        overlay = self.query_one(Overlay)
        self._update("#compare-legend", overlay.legend() if overlay.lines else Text(""))

    # --- keys ---

    def action_move(self, epochs: int) -> None:
        """Moves the cursor by an epoch."""
        self.query_one(Overlay).move(epochs)

    def action_metric(self) -> None:
        """The next curve."""
        names = list(COMPARED)
        self.what = names[(names.index(self.what) + 1) % len(names)]
        self.query_one(Overlay).log_y = self.what == "loss"
        self.compute()

    def action_log(self) -> None:
        """Switches between a logarithmic and a linear axis."""
        overlay = self.query_one(Overlay)
        overlay.log_y = not overlay.log_y and self.what != "gap"
        overlay.refresh()

    def action_measure(self) -> None:
        """Switches to the next accuracy to compare by."""
        measures = list(MEASURES)
        self.measure = measures[(measures.index(self.measure) + 1) % len(measures)]
        self.compute()

    def action_differences(self) -> None:
        """Shows all settings, or only those that differ."""
        self.only_differences = not self.only_differences
        self.compute()

    def action_base(self) -> None:
        """Makes the next arm the baseline."""
        if self.selection.colors:
            names = next(iter(self.selection.colors))
            self.selection.colors[names] = self.selection.colors.pop(names)
            self.compute()

    def action_unmark(self) -> None:
        """Removes every mark."""
        self.selection.colors.clear()
        self.compute()

    def action_copy(self) -> None:
        """Copies the comparison as Markdown."""
        arms, measure = [arm for _, arm in self.selection.arms()], self.measure
        what = f"{' and '.join(arm.label for arm in arms)}, as Markdown"
        if arms:
            self.submit(
                "copy",
                lambda: markdown.comparison_lines(arms, sentences(arms, measure), measure),
                lambda lines, error: self._copy(lines, error, what),
            )

    def _copy(self, lines: list[str] | None, error: str | None, what: str) -> None:
        if lines is None:
            self.notify(f"not copied: {error}", severity="warning", markup=False)
        else:
            clipboard.copy(self, lines, what)

    def action_report(self) -> None:
        """Asks for a file, and writes a report on the marked rows there."""
        if runs := self.selection.marked_runs():
            ask_for_report(self, runs, self.selection.runs.all, self._data_dir)

    def action_help(self) -> None:
        """Shows every key that works where the focus is."""
        self.app.push_screen(help_on(self, NAMES))


def report(arms: Sequence[tuple[int, Arm]], measure: Measure, only: bool, width: int, tint: Any) -> Text:
    """The text beside the curves: the conclusions first, then results, settings and layers."""
    only_arms = [arm for _, arm in arms]
    text = Text()
    for line in sentences(only_arms, measure):
        text.append(f"{line}\n\n", "bold")
    if len(arms) == 1:
        text.append("Mark another row in Runs (2) to compare it with.\n\n", "bold")
    rows = tables.comparison_table(only_arms, measure)
    text.append(_table(rows, arms, width, tint))
    settings = tables.difference_table(only_arms) if only else tables.setting_table(only_arms)
    heads = ["only what differs" if only else "all settings", *(arm.label for arm in only_arms)]
    if settings:
        text.append("\n").append(_table([heads, *settings], arms, width, tint))
    for _, arm in arms[1:]:
        if layers := tables.layer_lines(only_arms[0], arm):
            text.append(f"\nlayers, from {only_arms[0].label} to {arm.label}\n", "underline")
            text.append("".join(f"  {line}\n" for line in layers))
    return text


def sentences(arms: Sequence[Arm], measure: Measure) -> list[str]:
    """The conclusions, or why the arms cannot be compared."""
    if refused := comparison.refusals(arms, measure):
        return [f"Not compared: {sentence}" for sentence in refused[:5]]
    return [verdict.sentence for verdict in comparison.compare(arms, measure)]


def _table(rows: Sequence[Sequence[str]], arms: Sequence[tuple[int, Arm]], width: int, tint: Any) -> Text:
    """A table of at most `width` cells; arms that do not fit beside the others go below them."""
    names, *values = zip(*rows, strict=True)
    name = min(max(map(cell_len, names)), max(SIDE_CELLS, 3 * width // 10))
    beside = max(1, min(len(arms), (width - name) // (len(GAP) + SIDE_CELLS)))
    room = max(1, (width - name) // beside - len(GAP))
    columns = [(tint(color), column) for (color, _), column in zip(arms, values, strict=True)]
    text = Text(no_wrap=True)
    for start in range(0, len(columns), beside):
        text.append(_block(names, name, columns[start : start + beside], room))
    return text


def _block(names: Sequence[str], name: int, columns: Sequence[tuple[Any, Sequence[str]]], room: int) -> Text:
    """Arms beside each other, the columns headed by the arms' markers and colours and at most `room` cells wide."""
    text = Text()
    cells = [[_cut(each, name) for each in names]]
    for (sign, _), (label, *values) in columns:
        column_cells = [f"{sign} {label}", *values]
        widest = min(room, max(map(cell_len, column_cells)))
        cells.append([_cut(value, widest) for value in column_cells])
    for style, (heading, *_) in zip(["", *(shade for (_, shade), _ in columns)], cells, strict=True):
        text.append(GAP if text else "", "underline").append(heading, f"underline {style}")
    for line in list(zip(*cells, strict=True))[1:]:
        text.append(f"\n{GAP.join(line).rstrip()}")
    return text.append("\n")


def _cut(text: str, width: int) -> str:
    return set_cell_size(text, width) if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"
