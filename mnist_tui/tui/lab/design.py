"""The design: a draft, the texts of the run's fields, and the history of both. No widgets."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from mnist_tui.errors import SpecError
from mnist_tui.settings.last_used import LastUsed
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.draft_history import Design, DesignHistory
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import parse_count, shorten
from mnist_tui.tui.lab.varied import varied_fields

if TYPE_CHECKING:
    from mnist_tui.tui.lab.budget import ShownStep
    from mnist_tui.tui.request import LabRequest

MAX_SEEDS = 1000


class LabDesign:
    """The design of the laboratory; every change is a step that can be undone."""

    def __init__(self, request: "LabRequest") -> None:
        self.step: ShownStep | None = None
        """The step of a course brief whose target the design is judged by; None for its own target."""
        self._options = request.options
        self._first_texts = {"device": request.options.device, "dataset": request.options.dataset, "seeds": "1"}
        first = Design(request.previous or request.draft, {**self._first_texts, **request.run_texts})
        self._history = DesignHistory(_on_its_data(first))
        if request.previous is not None:
            self.record(request.draft, f"preset {request.draft.base.name}")

    @property
    def draft(self) -> Draft:
        """The draft that is edited."""
        return self._history.current.draft

    @property
    def base(self) -> RunSpec:
        """The preset that the draft began from; changes are marked against it."""
        return self.draft.base

    @property
    def spec(self) -> RunSpec | None:
        """The spec of the draft; None while the draft has an error."""
        return self.draft.result.spec

    @property
    def run_texts(self) -> Mapping[str, str]:
        """The texts of the fields that are not part of the spec: device, dataset, seeds."""
        return self._history.current.run_texts

    def record(self, draft: Draft, name: str, is_typing: bool = False) -> None:
        """Makes `draft` the current one; `name` is what was changed, as undo reports it."""
        self._record(replace(self._history.current, draft=draft), name, is_typing)

    def record_run_text(self, path: str, text: str) -> None:
        """Changes the text of one of the fields of `run_texts`."""
        run_texts = {**self.run_texts, path: text}
        self._record(replace(self._history.current, run_texts=run_texts), path, is_typing=True)

    def _record(self, design: Design, name: str, is_typing: bool) -> None:
        design = _on_its_data(design)
        if design != self._history.current:
            self._history.record(design, name, time.monotonic(), is_typing)

    def undo(self) -> str | None:
        """Goes one step back; returns what was changed in it, None where there is no step."""
        return self._history.undo()

    def redo(self) -> str | None:
        """Makes the step again that was undone last; returns what is changed in it, None where there is none."""
        return self._history.redo()

    def valid_spec(self) -> RunSpec:
        """The spec of the draft; raises `SpecError` while the draft has an error, or several values in a field."""
        if self.spec is not None:
            return self.spec
        varied = varied_fields(self.draft)
        if varied.is_complete:
            raise SpecError(f"several values in {', '.join(varied.values)}: Enter there makes a sweep of them")
        raise SpecError("correct what is marked with ! first")

    def specs(self) -> list[RunSpec]:
        """The spec once per seed of the field `seeds`; raises `SpecError` for an error in either."""
        spec, text = self.valid_spec(), self.run_texts["seeds"]
        seeds = parse_count(text)
        if seeds is None or not 1 <= seeds <= MAX_SEEDS:
            raise SpecError(f"seeds: 1 to {MAX_SEEDS:,}, got {shorten(text)}")
        return [spec.with_seed(spec.train.seed + index) for index in range(seeds)]

    def run_options(self) -> Options:
        """The options of a run, with the device and the data set of the form."""
        return replace(self._options, device=self.run_texts["device"], dataset=self.run_texts["dataset"])

    def last_used(self) -> LastUsed:
        """The design as `last_used.remember` writes it to the disk."""
        typed = {name: text for name, text in self.run_texts.items() if text != self._first_texts[name]}
        return LastUsed(self.draft, typed)


def _on_its_data(design: Design) -> Design:
    """A design whose draft is on the data set of the form."""
    dataset = design.run_texts["dataset"]
    return design if design.draft.dataset == dataset else replace(design, draft=replace(design.draft, dataset=dataset))
