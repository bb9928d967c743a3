"""The view Mistakes: which test images the gallery shows, in which order, and their pixels."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical

from mnist_tui.analysis.confusion import cell_images
from mnist_tui.analysis.mistakes import ORDERS, ImagePrediction, Order, image_predictions, mistakes
from mnist_tui.runs.record import Run
from mnist_tui.tui.analyse import jobs
from mnist_tui.tui.analyse.gallery import Gallery
from mnist_tui.tui.analyse.jobs import Analysed
from mnist_tui.tui.analyse.texts import run_title
from mnist_tui.tui.background import Submit
from mnist_tui.tui.real_pixels import RealPixels


class Pictures(NamedTuple):
    """Images for the gallery."""

    title: str
    predictions: Sequence[ImagePrediction]
    none: str
    """Said instead of pictures where there are none."""


class PicturesView(Vertical):
    """The gallery on the mistakes of a run, on a cell of its matrix, or on what only one of two runs has right."""

    def __init__(self, submit: Submit, data_dir: Path | None, ascii_only: bool, real_pixels: RealPixels | None) -> None:
        super().__init__(id="analyse-mistakes")
        self._submit, self._data_dir, self._gallery = submit, data_dir, Gallery(ascii_only, real_pixels)
        self._analysed: Analysed | None = None
        self._order: Order = "loss"
        self._side = 1
        """Which of the two runs has the discordant images right: 0 the run, 1 the baseline."""
        self._choose: Callable[[Analysed], Pictures] = self._mistakes
        self._title = ""
        self._images: dict[int, bytes] = {}

    def compose(self) -> ComposeResult:
        yield self._gallery

    @property
    def line(self) -> str:
        """What is shown: `mistakes, highest loss first: 1 of 126, page 1 of 9`, and where the label is wrong."""
        gallery = self._gallery
        guess = gallery.selected.published_guess if gallery.selected else None
        error = "" if guess is None else f"; label wrong, proposed: {guess}"
        return f"{self._title}: {gallery.page_text or 'none'}{error}"

    @property
    def csv_lines(self) -> list[str]:
        """The images that are shown, as CSV with a header."""
        rows = [f"{one.index},{one.label},{one.prediction},{one.loss:.4f}" for one in self._gallery.predictions]
        return ["index,label,prediction,loss", *rows]

    def image(self, index: int) -> bytes | None:
        """784 grey values of a test image; None while it is not read."""
        return self._images.get(index)

    def show(self, analysed: Analysed) -> None:
        """Shows another run, or a better epoch of the same one, of which it shows what it showed before."""
        previous, self._analysed = self._analysed, analysed
        is_same = previous is not None and previous.run.run.id == analysed.run.run.id
        if previous is None or previous.run.run.data != analysed.run.run.data:
            self._images = {}
        if not is_same or (analysed.versus is None and self._choose == self._discordant):
            self._choose = self._mistakes
        self._fill(keep=is_same)

    def show_mistakes(self) -> None:
        """Shows all mistakes."""
        self._show(self._mistakes)

    def next_order(self) -> None:
        """Shows the mistakes in the next order; that by confidence only where the file has probabilities."""
        orders: list[Order] = list(ORDERS)
        if self._analysed is not None and not self._analysed.run.predictions.has_log_probs:
            orders.remove("confidence")
            self.notify("no order by confidence: this run has none, see Confidence", markup=False)
        place = orders.index(self._order) if self._order in orders else -1
        self._order = orders[(place + 1) % len(orders)]
        self.show_mistakes()

    def show_cell(self, label: int, prediction: int) -> None:
        """Shows the images of a cell of the matrix."""
        self._show(partial(_cell, label, prediction))

    def show_discordant(self) -> None:
        """Shows the images that only the run has right; the next time those that only the baseline has right."""
        self._side = 1 - self._side if self._choose == self._discordant else 0
        self._show(self._discordant)

    def _show(self, choose: Callable[[Analysed], Pictures]) -> None:
        self._choose = choose
        self._fill(keep=False)

    def _fill(self, keep: bool) -> None:
        analysed = self._analysed
        if analysed is None:
            return
        self._title, shown, none = self._choose(analysed)
        gallery = self._gallery
        gallery.show(shown, none, gallery.place if keep else 0)
        gallery.show_images(self._images)
        missing = [one.index for one in shown if one.index not in self._images]
        if missing:
            run, data_dir = analysed.run.run, self._data_dir
            self._submit("images", lambda: jobs.test_images(run, data_dir, missing), partial(self._add_images, run))

    def _add_images(self, run: Run, images: Mapping[int, bytes] | None, error: str | None) -> None:
        if images is None:
            self.notify(f"no pictures: {error}", severity="warning", markup=False)
        elif self._analysed is not None and self._analysed.run.run.data == run.data:
            self._images |= images
            self._gallery.show_images(self._images)

    # --- what is shown of an analysis ---

    def _mistakes(self, analysed: Analysed) -> Pictures:
        order = self._order
        if order == "confidence" and not analysed.run.predictions.has_log_probs:
            order = "loss"
        wrong = mistakes(analysed.run.predictions, order, analysed.is_mnist)
        return Pictures(f"mistakes, {ORDERS[order]}", wrong, "no mistake")

    def _discordant(self, analysed: Analysed) -> Pictures:
        versus = analysed.versus
        assert versus is not None, "discordant images need a baseline"
        run, indices = (
            (analysed.run.run, versus.images.only_first),
            (versus.other.run, versus.images.only_second),
        )[self._side]
        title = f"right in {run_title(run)} alone, {('the run', 'the baseline')[self._side]}"
        return Pictures(title, image_predictions(analysed.run.predictions, indices, analysed.is_mnist), "there is none")


def _cell(label: int, prediction: int, analysed: Analysed) -> Pictures:
    indices = cell_images(analysed.run.predictions, label, prediction)
    title = f"{label} recognised" if label == prediction else f"{label} taken for {prediction}"
    return Pictures(title, image_predictions(analysed.run.predictions, indices, analysed.is_mnist), "no image")
