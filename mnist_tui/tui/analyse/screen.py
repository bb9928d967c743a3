"""Analyse, the fourth mode: where a run is wrong, how sure it is, what happens inside it, and what to change."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from mnist_tui.analysis import coach
from mnist_tui.analysis.confusion import cell_images
from mnist_tui.analysis.images import matrix_lines
from mnist_tui.analysis.mistakes import ORDERS, Answer, Order, answers, mistakes
from mnist_tui.errors import MnistTuiError, RunError
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line, in_ascii
from mnist_tui.tui import clipboard
from mnist_tui.tui.advice_list import AdviceList
from mnist_tui.tui.analyse import jobs, texts
from mnist_tui.tui.analyse.gallery import Gallery
from mnist_tui.tui.analyse.inside import inside_lines
from mnist_tui.tui.analyse.jobs import Analysed
from mnist_tui.tui.analyse.matrix import ConfusionMatrix
from mnist_tui.tui.background import WorkerScreen
from mnist_tui.tui.dialogs import MessageDialog, RunDialog, SavedLine
from mnist_tui.tui.help import help_on
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.messages import UseSettings
from mnist_tui.tui.runs.selection import RunSelection
from mnist_tui.tui.status import Headline, OneLine
from mnist_tui.tui.view_bar import ViewBar

if TYPE_CHECKING:
    from mnist_tui.training.activations import Inside

VIEWS = {
    "Matrix": "analyse-matrix",
    "Mistakes": "analyse-mistakes",
    "Confidence": "analyse-confidence",
    "Inside": "analyse-inside",
    "Advice": "analyse-advice",
}
"""The views by their names, with the id of the container of each."""
NAMES = {
    "AnalyseScreen": "Analyse",
    "ConfusionMatrix": "Matrix",
    "Gallery": "Pictures",
    "AdviceList": "Advice",
    "VerticalScroll": "Text",
    "App": "Everywhere",
}
IMAGES_SHOWN = 2_000
"""Pictures that are read at once: more mistakes than that are those of a network that has learned nothing."""
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
            Binding("r", "choose_run", "Run", tooltip="another run to analyse"),
            Binding("b", "choose_baseline", "Baseline", tooltip="the run to hold this one against, or none"),
            Binding("o", "next_order", "Order", show=False, tooltip="of the mistakes: loss, confidence, class"),
            Binding("a", "all_mistakes", "All mistakes", show=False, tooltip="instead of those of one cell"),
            Binding(
                "d", "discordant", "Discordant", show=False, tooltip="images that only one of the two runs has right"
            ),
            Binding("y", "copy", "Copy", show=False, tooltip="this view as text"),
            Binding("question_mark,f1", "help", "Help"),
        ]
    )

    def __init__(self, selection: RunSelection, data_dir: Path | None, ascii_only: bool) -> None:
        super().__init__()
        self.selection, self._data_dir, self._ascii_only = selection, data_dir, ascii_only
        self.view = next(iter(VIEWS))
        self.analysed: Analysed | None = None
        self._names: tuple[str, ...] = ()
        """The folders of the run and the baseline that the user chose here; () follows what is marked in Runs."""
        self._order: Order = "loss"
        self._pictures_title = ""
        self._images: Mapping[int, bytes] = {}
        self._inside_of: tuple[bytes, int | None] | None = None
        self._inside: Inside | None = None
        self._inside_title = ""

    def compose(self) -> ComposeResult:
        yield Headline("analyse")
        yield ViewBar(list(VIEWS))
        yield OneLine(id="analyse-line")
        with Horizontal(id="analyse-matrix"):
            yield ConfusionMatrix(self._ascii_only)
            with VerticalScroll(id="analyse-classes", can_focus=False):
                yield Static(id="class-lines")
        with Vertical(id="analyse-mistakes"):
            yield Gallery(self._ascii_only)
        with VerticalScroll(id="analyse-confidence"):
            yield Static(id="confidence-lines")
        with VerticalScroll(id="analyse-inside"):
            yield Static(id="inside-lines")
        with Vertical(id="analyse-advice"):
            yield AdviceList()
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self._ascii_only, "-ascii")
        self._show_view()

    def on_screen_resume(self) -> None:
        """Reads the run again: it may have had a better epoch, and other runs may be marked."""
        self._read()

    def on_resize(self, event: events.Resize) -> None:
        is_wide = event.size.width >= WIDE
        self.set_class(is_wide, "-wide")
        self.query_one(ConfusionMatrix).use_lines(event.size.height - CHROME_LINES - (0 if is_wide else CLASS_LINES))
        self.call_after_refresh(self._redraw_texts)

    # --- what is analysed ---

    def _read(self) -> None:
        index, names = self.selection.runs, self._names or self._marked()
        if self.analysed is None:
            self._say("reading the predictions")
        self.submit("analysis", lambda: jobs.analyse_runs(index, names), self._show_analysis)

    def _marked(self) -> tuple[str, ...]:
        """The newest runs of the first two rows that are marked in Runs: the run, and what it is held against."""
        return tuple(names[0] for names in list(self.selection.colors)[:2])

    def _show_analysis(self, analysed: Analysed | None, error: str | None) -> None:
        if analysed is None:
            self._say(f"! {error}")
            return
        if self.analysed is not None and self.analysed.identity == analysed.identity:
            return
        self.analysed, self._images = analysed, {}
        self.query_one(ConfusionMatrix).show(analysed.run, analysed.versus.difference if analysed.versus else None)
        self.query_one(AdviceList).show(analysed.run.advice, NO_ADVICE)
        self._show_mistakes()
        self._redraw_texts()
        self._show_headline(analysed)

    def _show_headline(self, analysed: Analysed) -> None:
        analysis, run = analysed.run, analysed.run.run
        wrong, total = len(analysis.mistakes), len(analysis.predictions)
        against = f"against {_title(analysed.versus.other.run)}" if analysed.versus else ""
        parts = [
            "Analyse",
            _title(run),
            f"{analysis.accuracy:.2%}, {wrong:,} of {total:,} wrong",
            f"best epoch {analysis.predictions.epoch}{'' if run.state == 'completed' else f', {run.state}'}",
            "" if run.dataset == "mnist" else f"{run.dataset or 'unknown data'}, not MNIST",
            against,
        ]
        self.query_one(Headline).show([clean_line(part, 100) for part in parts if part])

    def action_choose_run(self) -> None:
        """Chooses the run to analyse."""
        self._choose("Analyse a run", "the newest run", self._use_run)

    def action_choose_baseline(self) -> None:
        """Chooses the run to hold it against."""
        self._choose("Hold it against", "no baseline", self._use_baseline)

    def _choose(self, title: str, none: str, use: Callable[[str | None], None]) -> None:
        runs: Sequence[Run] = [run for run in self.selection.runs.all if run.is_run and run.epochs]
        lines = [SavedLine(run.id, _run_line(run)) for run in runs[:200]]
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
        self.view = view
        self._show_view()
        self._redraw_texts()

    def _show_view(self) -> None:
        self.query_one(ViewBar).show(self.view)
        for name, container in VIEWS.items():
            self.query_one(f"#{container}").display = name == self.view
        widgets = self.query(f"#{VIEWS[self.view]}, #{VIEWS[self.view]} *").results(Widget)
        focusable = next((widget for widget in widgets if widget.focusable), None)
        self.set_focus(focusable)
        self._show_line()

    def _redraw_texts(self) -> None:
        """Draws the views of text that can be seen."""
        if self.analysed is None:
            return
        if self.view == "Matrix":
            self._update("#class-lines", texts.class_lines(self.analysed))
        if self.view == "Confidence":
            self._update("#confidence-lines", texts.confidence_lines(self.analysed, self._ascii_only))
        if self.view == "Inside":
            self._draw_inside()
        self._show_line()

    def _update(self, selector: str, text: Text) -> None:
        if self._ascii_only:
            text.plain = in_ascii(text.plain)
        self.query_one(selector, Static).update(text)

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
                self._say(f"{self._pictures_title}: {self.query_one(Gallery).page_text or 'none'}")
            case "Inside":
                self._say(self._inside_title or "choose an image in Mistakes and press Enter")
            case "Advice":
                count = len(self.analysed.run.advice)
                self._say(
                    f"{count} of {len(coach.RULES)} rules have something to say; Enter tries a suggestion in the lab"
                )
            case _:
                self._say("")

    def _say(self, line: str) -> None:
        self.query_one("#analyse-line", OneLine).put(in_ascii(line) if self._ascii_only else line)

    # --- pictures ---

    def _show_mistakes(self) -> None:
        if self.analysed is None:
            return
        try:
            wrong = mistakes(self.analysed.run.predictions, self._order, self.analysed.is_mnist)
        except RunError as error:
            self.notify(clean_line(str(error), 300), severity="warning", markup=False)
            self._order, wrong = "loss", self.analysed.run.mistakes
        self._show_answers(wrong, f"mistakes, {ORDERS[self._order]}", "no mistake")

    def _show_images_at(self, indices: Sequence[int], title: str, none: str) -> None:
        assert self.analysed is not None
        shown = answers(self.analysed.run.predictions, indices, self.analysed.is_mnist)
        self._show_answers(shown, title, none)
        self._open_view("Mistakes")

    def _show_answers(self, answers: Sequence[Answer], title: str, none: str) -> None:
        analysed = self.analysed
        assert analysed is not None
        self._pictures_title = title
        self.query_one(Gallery).show(answers, none)
        self._show_line()
        missing = [answer.index for answer in answers[:IMAGES_SHOWN] if answer.index not in self._images]
        if missing:
            run, data_dir = analysed.run.run, self._data_dir
            self.submit("images", lambda: jobs.test_images(run, data_dir, missing), partial(self._add_images, analysed))
        self.query_one(Gallery).show_images(self._images)

    def _add_images(self, analysed: Analysed, images: Mapping[int, bytes] | None, error: str | None) -> None:
        if images is None:
            self.notify(f"no pictures: {error}", severity="warning", markup=False)
        elif analysed is self.analysed:
            self._images = {**self._images, **images}
            self.query_one(Gallery).show_images(self._images)

    def action_next_order(self) -> None:
        """The next order of the mistakes."""
        orders = list(ORDERS)
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self.action_all_mistakes()

    def action_all_mistakes(self) -> None:
        """Shows all mistakes."""
        self._show_mistakes()
        self._open_view("Mistakes")

    def action_discordant(self) -> None:
        """Shows the images that only this run has right; pressed again, those that only the baseline has right."""
        if self.analysed is None or self.analysed.versus is None:
            self.notify("choose a baseline first: b", markup=False)
            return
        versus = self.analysed.versus
        title = f"right in {_title(self.analysed.run.run)} alone"
        if self._pictures_title == title:
            other = f"right in {_title(versus.other.run)} alone"
            self._show_images_at(versus.images.only_second, other, "there is none")
        else:
            self._show_images_at(versus.images.only_first, title, "there is none")

    @on(ConfusionMatrix.CellOpened)
    def _open_cell(self, message: ConfusionMatrix.CellOpened) -> None:
        if self.analysed is not None:
            cell = cell_images(self.analysed.run.predictions, message.label, message.prediction)
            self._show_images_at(cell, f"{message.label} predicted as {message.prediction}", "no image")

    # --- inside ---

    @on(Gallery.ImageOpened)
    def _open_image(self, message: Gallery.ImageOpened) -> None:
        image, answer = self._images.get(message.answer.index), message.answer
        if image is None or self.analysed is None:
            self.notify("the pictures are not read yet", markup=False)
            return
        title = f"test image {answer.index}, label {answer.label}"
        self._look_inside(self.analysed.run.run.folder, image, answer.label, title)

    def look_inside_drawing(self, name: str, image: bytes) -> None:
        """Shows what the network of a run, named by its folder, does with a drawn digit of 784 grey values."""
        self._names = (name,)
        self._read()
        self._look_inside(self.selection.runs.runs_dir / name, image, None, f"a drawn digit in {clean_line(name, 80)}")

    def _look_inside(self, folder: Path, image: bytes, label: int | None, title: str) -> None:
        self._inside_of, self._inside, self._inside_title = (image, label), None, title
        self._update("#inside-lines", Text("loading the network", "dim"))
        self._open_view("Inside")
        self.submit("inside", lambda: jobs.look_inside(folder, image, label), self._show_inside)

    def _show_inside(self, inside: "Inside | None", error: str | None) -> None:
        self._inside = inside
        if inside is None:
            self._update("#inside-lines", Text(f"! {error}"))
        else:
            self._draw_inside()

    def _draw_inside(self) -> None:
        if self._inside is not None and self._inside_of is not None:
            image, label = self._inside_of
            width = max(SMALLEST, self.query_one("#analyse-inside").content_size.width - 2)
            self._update("#inside-lines", inside_lines(self._inside, image, label, width, self._ascii_only))

    # --- advice ---

    @on(AdviceList.Chosen)
    def _try_advice(self, message: AdviceList.Chosen) -> None:
        spec = self.analysed.run.run.spec if self.analysed else None
        settings = message.advice.settings
        if spec is None or settings is None:
            self.notify("this advice changes no single setting", markup=False)
            return
        try:
            self.post_message(UseSettings(spec.with_settings(settings)))
        except MnistTuiError as error:
            self.notify(clean_line(str(error), 300), severity="warning", markup=False)

    @on(AdviceList.ExplanationAsked)
    def _explain(self, message: AdviceList.ExplanationAsked) -> None:
        self.app.push_screen(MessageDialog(message.rule, coach.explain(message.rule)))

    # --- everything else ---

    def action_copy(self) -> None:
        """Copies the view as text; the mistakes as CSV."""
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
            case _:
                rows = [f"{one.index},{one.label},{one.prediction},{one.loss:.4f}" for one in analysis.mistakes]
                clipboard.copy(self, ["index,label,prediction,loss", *rows], "the mistakes, as CSV")

    def action_help(self) -> None:
        """Every key that works where the focus is."""
        self.app.push_screen(help_on(self, NAMES))


NO_ADVICE = "no rule has anything to say about this run"
SMALLEST = 30
"""Cells that the pictures of layers get at least."""


def _title(run: Run) -> str:
    return clean_line(f"{run.name} s{run.seed}", 60)


def _run_line(run: Run) -> str:
    """A run in a list: its accuracy, name, seed, state and folder."""
    best = "-" if run.best_accuracy is None else f"{run.best_accuracy:.2%}"
    return clean_line(f"{best:>7}  {_title(run)}  {run.state}  {run.id}", 200)
