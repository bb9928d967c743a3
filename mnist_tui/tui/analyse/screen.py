"""Analyse, the fourth mode: where a run is wrong, how sure it is, what happens inside it, and what to change."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from mnist_tui.analysis.coach import rules
from mnist_tui.analysis.comparison import distinct_titles
from mnist_tui.analysis.text_images import matrix_lines
from mnist_tui.errors import MnistTuiError
from mnist_tui.runs.columns import data_words
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line, in_ascii
from mnist_tui.tui import clipboard
from mnist_tui.tui.advice_list import NO_ADVICE, AdviceList
from mnist_tui.tui.analyse import jobs, texts
from mnist_tui.tui.analyse.class_scores import ClassScores
from mnist_tui.tui.analyse.gallery import Gallery
from mnist_tui.tui.analyse.inside_view import InsideView, Subject
from mnist_tui.tui.analyse.jobs import Analysed
from mnist_tui.tui.analyse.matrix import ConfusionMatrix
from mnist_tui.tui.analyse.pictures import PicturesView
from mnist_tui.tui.analyse.texts import run_title
from mnist_tui.tui.background import WorkerScreen
from mnist_tui.tui.dialogs import MessageDialog, RunDialog, SavedLine
from mnist_tui.tui.help import Names, help_on
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.messages import UseSettings
from mnist_tui.tui.real_pixels import RealPixels
from mnist_tui.tui.runs.selection import RunSelection
from mnist_tui.tui.status import Headline, OneLine
from mnist_tui.tui.view_bar import ViewBar

VIEWS = {
    "Matrix": "analyse-matrix",
    "Mistakes": "analyse-mistakes",
    "Confidence": "analyse-confidence",
    "Inside": "analyse-inside",
    "Advice": "analyse-advice",
}
"""The views by their names, with the id of the container of each."""
HELP_NAMES: Names = {
    ConfusionMatrix: "Matrix",
    Gallery: "Pictures",
    AdviceList: "Advice",
    InsideView: "Inside",
    VerticalScroll: "Text",
}
POLL_SECONDS = 2.0
"""Time between two looks at whether the run has had a better epoch."""
LISTED_RUNS = 200
"""Runs that are offered to choose from, the newest first."""
CHROME_LINES = 4
"""Lines above and below a view."""
CLASS_LINES = 12
"""Lines that the scores of the classes get below the matrix, where they do not stand beside it."""
WIDE = 112
"""Columns from which the scores of the classes stand beside the matrix."""


class AnalyseScreen(WorkerScreen):
    """The views of one run, or of a run against a baseline."""

    AUTO_FOCUS = "ConfusionMatrix"
    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("tab", "view(1)", "View"),
            Binding("shift+tab", "view(-1)", "View before", show=False),
            Binding("escape", "back", "Back", tooltip="to the view that these images, or this one, were opened from"),
            Binding("r", "choose_run", "Run", tooltip="another run to analyse"),
            Binding("b", "choose_baseline", "Baseline", tooltip="the run to hold this one against, or none"),
            Binding("o", "next_order", "Order", show=False, tooltip="of the mistakes: loss, confidence, class"),
            Binding("a", "all_mistakes", "All mistakes", show=False, tooltip="instead of those of one cell"),
            Binding(
                "d", "discordant", "Discordant", show=False, tooltip="images that only one of the two runs has right"
            ),
            Binding("y", "copy", "Copy", show=False, tooltip="this view as text"),
            Binding("pagedown", "scroll_scores(1)", "Scores down", show=False, tooltip="below the matrix"),
            Binding("pageup", "scroll_scores(-1)", "Scores up", show=False, tooltip="below the matrix"),
            Binding("question_mark,f1", "help", "Help"),
        ]
    )

    def __init__(
        self, selection: RunSelection, data_dir: Path | None, ascii_only: bool, real_pixels: RealPixels | None = None
    ) -> None:
        super().__init__()
        self.selection, self._data_dir, self._ascii_only = selection, data_dir, ascii_only
        self._real_pixels = real_pixels
        self.view = next(iter(VIEWS))
        self._opened_from: list[str] = []
        """The views that Escape goes back through: from an image to the images, and from those to the matrix."""
        self.analysed: Analysed | None = None
        self._error: str | None = None
        """Why the last reading of the run failed; each reason is notified once."""
        self._names: tuple[str, ...] = ()
        """The folders of the run and the baseline that the user chose here; () follows what is marked in Runs."""

    def compose(self) -> ComposeResult:
        yield Headline("analyse", self._ascii_only)
        yield ViewBar(list(VIEWS))
        yield OneLine(id="analyse-line")
        with Horizontal(id="analyse-matrix"):
            yield ConfusionMatrix(self._ascii_only)
            with VerticalScroll(id="analyse-classes", can_focus=False):
                yield ClassScores(self._ascii_only)
        yield PicturesView(self.submit, self._data_dir, self._ascii_only, self._real_pixels)
        with VerticalScroll(id="analyse-confidence"):
            yield Static(id="confidence-lines")
        yield InsideView(self.submit, self._ascii_only)
        with Vertical(id="analyse-advice"):
            yield AdviceList()
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self._ascii_only, "-ascii")
        self._show_view()
        self.query_one(Headline).show(["Analyse"])
        self._say("reading the predictions")
        self.set_interval(POLL_SECONDS, self._read_if_outdated)

    def on_screen_resume(self) -> None:
        """Reads the run again: it may have had a better epoch, and other runs may be marked."""
        self._read()

    def on_resize(self, event: events.Resize) -> None:
        is_wide = event.size.width >= WIDE
        self.set_class(is_wide, "-wide")
        self.query_one(ConfusionMatrix).use_lines(event.size.height - CHROME_LINES - (0 if is_wide else CLASS_LINES))

    def is_useful(self, action: str) -> bool:
        if action == "back":
            return bool(self._opened_from)
        return self.analysed is not None or action in ("choose_run", "help", "leave")

    # --- what is analysed ---

    def _read(self) -> None:
        index, names = self.selection.runs, self._names or self._marked()
        self.submit("analysis", lambda: jobs.analyse_runs(index, names), self._show_analysis)

    def _read_if_outdated(self) -> None:
        """Reads a run that is being trained again after a better epoch, or looks for one that has its first."""
        if self.is_current and (self.analysed is None or self.analysed.is_outdated):
            self._read()

    def _marked(self) -> tuple[str, ...]:
        """The newest runs of the first two rows that are marked in Runs: the run, and what it is held against."""
        return tuple(names[0] for names in list(self.selection.colors)[:2])

    def _show_analysis(self, analysed: Analysed | None, error: str | None) -> None:
        if analysed is None:
            self._say(f"! {error}")
            if self.analysed is not None and error != self._error:  # The line goes with the next move of the cursor.
                self.notify(error or "", severity="warning", markup=False)
            self._error = error
            return
        self._error = None
        if self.analysed is not None and self.analysed.identity == analysed.identity:
            return
        previous, self.analysed = self.analysed, analysed
        if analysed.no_versus:
            self.notify(f"no baseline: {analysed.no_versus}", severity="warning", markup=False)
        self.query_one(ConfusionMatrix).show(analysed.run, analysed.versus.difference if analysed.versus else None)
        self.query_one(AdviceList).show(analysed.run.advice, NO_ADVICE)
        self.query_one(PicturesView).show(analysed)
        self.query_one(ClassScores).show(analysed)
        if previous is not None:
            run = analysed.run.run
            self.query_one(InsideView).use_run(run.folder, has_same_images=run.data == previous.run.run.data)
        self._show_confidence(analysed)
        self._show_headline(analysed)
        self._show_line()
        self.refresh_bindings()

    def _show_confidence(self, analysed: Analysed) -> None:
        text = texts.confidence_lines(analysed, self._ascii_only)
        if self._ascii_only:
            text.plain = in_ascii(text.plain)
        self.query_one("#confidence-lines", Static).update(text)

    def _show_headline(self, analysed: Analysed) -> None:
        analysis, run = analysed.run, analysed.run.run
        wrong, total = len(analysis.mistakes), len(analysis.predictions)
        other = analysed.versus.other.run if analysed.versus else None
        name, *others = distinct_titles([run, other] if other else [run])
        if other and run_title(other) == run_title(run):
            # The end of the folder's name is enough, and both are in sight on 80 columns.
            name, others = f"{name} against {others[0].removeprefix(f'{run_title(run)} ')}", []
        parts = [
            "Analyse",
            name,
            f"{analysis.accuracy:.2%}",
            f"against {others[0]}" if others else "",
            f"{wrong:,} of {total:,} wrong",
            f"best epoch {analysis.predictions.epoch}{'' if run.state == 'completed' else f', {run.state}'}",
            data_words(run),
        ]
        self.query_one(Headline).show([clean_line(part, 100) for part in parts if part])

    def action_choose_run(self) -> None:
        """Chooses the run to analyse."""
        self._choose("Analyse a run", "the run marked in Runs, or the newest", self._use_run)

    def action_choose_baseline(self) -> None:
        """Chooses the run to hold it against."""
        self._choose("Hold it against", "no baseline", self._use_baseline)

    def _choose(self, title: str, none: str, use: Callable[[str | None], None]) -> None:
        runs = [run for run in self.selection.runs.all if run.is_run and run.epochs and not run.is_imported]
        newest = sorted(runs, key=lambda run: run.created, reverse=True)[:LISTED_RUNS]
        lines = [SavedLine(run.id, _run_line(run)) for run in newest]
        self.app.push_screen(RunDialog(title, lines, none), use)

    def _use_run(self, name: str | None) -> None:
        if name is not None:
            self._names = (name,) if name else ()
            self._read()

    def _use_baseline(self, name: str | None) -> None:
        if name is not None and self.analysed is not None:
            self._names = (self.analysed.run.run.id, *([name] if name else []))
            self._read()

    # --- views ---

    def action_view(self, steps: int) -> None:
        """The next view, or the one before."""
        names = list(VIEWS)
        self._open_view(names[(names.index(self.view) + steps) % len(names)])

    @on(ViewBar.Chosen)
    def _choose_view(self, message: ViewBar.Chosen) -> None:
        self._open_view(message.view)

    def _open_view(self, view: str) -> None:
        self._opened_from.clear()
        self.view = view
        self._show_view()

    def _open_from_here(self, view: str) -> None:
        """Opens a view that Escape leaves again."""
        self._opened_from.append(self.view)
        self.view = view
        self._show_view()

    def action_back(self) -> None:
        """The view that this one was opened from; nothing in one that was not opened from another."""
        if self._opened_from:
            self.view = self._opened_from.pop()
            self._show_view()

    def _show_view(self) -> None:
        self.query_one(ViewBar).show(self.view)
        for name, container in VIEWS.items():
            self.query_one(f"#{container}").display = name == self.view
        widgets = self.query(f"#{VIEWS[self.view]}, #{VIEWS[self.view]} *").results(Widget)
        focusable = next((widget for widget in widgets if widget.focusable), None)
        self.set_focus(focusable)
        self._show_line()
        self.refresh_bindings()

    @on(ConfusionMatrix.Moved)
    @on(Gallery.Moved)
    def _show_line(self) -> None:
        """The line above the view: what is under the cursor."""
        if self.analysed is None:
            return
        match self.view:
            case "Matrix":
                self._say(texts.cell_line(self.analysed, *self.query_one(ConfusionMatrix).cursor))
            case "Mistakes":
                self._say(self.query_one(PicturesView).line)
            case "Inside":
                self._say(self.query_one(InsideView).line)
            case "Advice":
                count = len(self.analysed.run.advice)
                self._say(
                    f"{count} of {len(rules.RULES)} rules have something to say; Enter tries a suggestion in the lab"
                )
            case _:
                self._say("")

    def _say(self, line: str) -> None:
        self.query_one("#analyse-line", OneLine).put(in_ascii(line) if self._ascii_only else line)

    def action_scroll_scores(self, pages: int) -> None:
        """Scrolls the scores of the classes, which stand below the matrix where there is little room."""
        scores = self.query_one("#analyse-classes")
        scores.scroll_relative(y=pages * scores.size.height, animate=False)

    # --- pictures ---

    def action_next_order(self) -> None:
        """Shows the mistakes in the next order."""
        self.query_one(PicturesView).next_order()
        self._open_view("Mistakes")

    def action_all_mistakes(self) -> None:
        """Shows all mistakes."""
        self.query_one(PicturesView).show_mistakes()
        self._open_view("Mistakes")

    def action_discordant(self) -> None:
        """Shows the images that only this run has right; pressed again, those that only the baseline has right."""
        if self.analysed is None or self.analysed.versus is None:
            self.notify("choose a baseline first: b", markup=False)
            return
        self.query_one(PicturesView).show_discordant()
        self._open_view("Mistakes")

    @on(ConfusionMatrix.CellOpened)
    def _open_cell(self, message: ConfusionMatrix.CellOpened) -> None:
        self.query_one(PicturesView).show_cell(message.label, message.prediction)
        self._open_from_here("Mistakes")

    # --- inside ---

    @on(Gallery.ImageOpened)
    def _open_image(self, message: Gallery.ImageOpened) -> None:
        opened = message.prediction
        image = self.query_one(PicturesView).image(opened.index)
        if image is None or self.analysed is None:
            self.notify("the picture of this image is not read", markup=False)
            return
        run, data = self.analysed.run.run, self.analysed.run.run.dataset_record
        title = f"test image {opened.index}, label {data.labelled(opened.label)}"
        self.query_one(InsideView).inspect(Subject(run.folder, image, opened.label, title, data))
        self._open_from_here("Inside")

    @on(InsideView.MeanAsked)
    def _read_mean(self, message: InsideView.MeanAsked) -> None:
        if self.analysed is not None:
            run, data_dir = self.analysed.run.run, self._data_dir
            label = message.number % len(run.dataset_record.classes)
            on_result = partial(self._show_mean, run, label, self.query_one(InsideView).subject)
            self.submit("mean", lambda: jobs.class_mean(run, data_dir, label), on_result)

    def _show_mean(
        self, run: Run, label: int, previous: Subject | None, image: bytes | None, error: str | None
    ) -> None:
        if self.view != "Inside" or self.query_one(InsideView).subject is not previous:
            return  # Something else is looked at since.
        if image is None:
            self.notify(f"no mean image: {error}", severity="warning", markup=False)
        else:
            title = f"mean test image of class {run.dataset_record.labelled(label)}"
            self.query_one(InsideView).inspect(Subject(run.folder, image, label, title, run.dataset_record))
            self._show_line()

    def look_inside_drawing(self, name: str, image: bytes) -> None:
        """Shows what the network of a run, named by its folder, does with a drawn digit of 784 grey values."""
        self._names = (name,)
        self._read()
        self.query_one(InsideView).inspect(Subject(self.selection.runs.runs_dir / name, image, None, "a drawn digit"))
        self._open_view("Inside")

    # --- advice ---

    @on(AdviceList.Chosen)
    def _try_advice(self, message: AdviceList.Chosen) -> None:
        spec = self.analysed.run.run.spec if self.analysed else None
        settings = message.advice.settings
        if spec is None or settings is None:
            missing = "this version cannot read the settings of that run"
            self.notify(missing if spec is None else "this advice changes no single setting", markup=False)
            return
        try:
            self.post_message(UseSettings(spec.with_settings(settings)))
        except MnistTuiError as error:
            self.notify(clean_line(str(error), 300), severity="warning", markup=False)

    @on(AdviceList.ExplanationAsked)
    def _explain(self, message: AdviceList.ExplanationAsked) -> None:
        self.app.push_screen(MessageDialog("A rule of the coach", rules.explain(message.rule)))

    # --- everything else ---

    def action_copy(self) -> None:
        """Copies the view as text; the pictures as CSV."""
        if self.analysed is None:
            return
        analysis = self.analysed.run
        match self.view:
            case "Matrix":
                clipboard.copy(self, matrix_lines(analysis.matrix), "the confusion matrix")
            case "Confidence":
                text = texts.confidence_lines(self.analysed, self._ascii_only).plain
                clipboard.copy(self, text.splitlines(), "the confidence")
            case "Advice":
                lines = [f"{one.rule}: {one.sentence} {one.suggestion}" for one in analysis.advice]
                clipboard.copy(self, lines or [NO_ADVICE], "the advice")
            case "Inside":
                clipboard.copy(self, self.query_one(InsideView).lines, "what is inside")
            case _:
                clipboard.copy(self, self.query_one(PicturesView).csv_lines, "the images, as CSV")

    def action_help(self) -> None:
        """Every key that works where the focus is."""
        self.app.push_screen(help_on(self, "Analyse", HELP_NAMES))


def _run_line(run: Run) -> str:
    """A run in a list: its accuracy, name, seed, state and folder."""
    best = "-" if run.best_accuracy is None else f"{run.best_accuracy:.2%}"
    return clean_line(f"{best:>7}  {run_title(run)}  {run.state}  {run.id}", 200)
