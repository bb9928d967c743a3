"""The rows above the table of runs: what waits in the queue, what of it is trained, and sweeps that are not done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mnist_tui.runs.queue import Entry, Queue
from mnist_tui.runs.record import Run
from mnist_tui.spec import recipe_words, summary
from mnist_tui.sweep.open_sweeps import OpenSweeps, SweepLine
from mnist_tui.table import aligned
from mnist_tui.text import clean_line

LISTED = 20
"""Configurations of a sweep in its details."""


@dataclass(frozen=True)
class QueueRow:
    """An entry of the queue, or a sweep that is not in it."""

    id: str
    """Tells it from the others, while it is moved too."""
    text: str
    """The row, in columns."""
    entry: Entry | None = None
    sweep: str = ""
    """The name of the sweep, where it is one."""


@dataclass(frozen=True)
class QueueRows:
    """The rows, and whether the queue is paused."""

    rows: Sequence[QueueRow] = ()
    is_paused: bool = False

    @property
    def entries(self) -> list[Entry]:
        """The entries that wait."""
        return [row.entry for row in self.rows if row.entry is not None and row.entry.waits]


def read_rows(queue: Queue, sweeps: OpenSweeps, runs: Sequence[Run]) -> QueueRows:
    """Entries that are trained, then those that wait, then other sweeps that are not done; raises `StorageError`."""
    entries = sorted(queue.entries(), key=lambda entry: not entry.is_taken)
    lines = {line.name: line for line in sweeps.lines(runs)}
    by_id = {run.id: run for run in runs} if any(entry.runs for entry in entries) else {}
    others = [line for name, line in lines.items() if name not in {entry.sweep for entry in entries}]
    cells = [*_entry_cells(entries, lines, by_id), *(("", *_sweep_cells(line)) for line in others)]
    texts = aligned(cells, [True, False, True, False, False], max_cell=60) if cells else []
    rows = [QueueRow(entry.id, text, entry, entry.sweep) for entry, text in zip(entries, texts, strict=False)]
    rows += [
        QueueRow(f"sweep {line.name}", text, None, line.name)
        for line, text in zip(others, texts[len(entries) :], strict=True)
    ]
    return QueueRows(rows, queue.is_paused)


def _entry_cells(
    entries: Sequence[Entry], lines: Mapping[str, SweepLine], runs: Mapping[str, Run]
) -> list[tuple[str, str, str, str, str]]:
    cells, place = [], 0
    for entry in entries:
        place += entry.waits
        mark = ">" if entry.is_taken else "!" if entry.error else str(place)
        if entry.error:
            cells.append((mark, entry.name, "", "damaged", entry.error))
        elif entry.sweep and entry.sweep in lines:
            cells.append((mark, *_sweep_cells(lines[entry.sweep])))
        elif entry.design is None:
            cells.append((mark, entry.name, "", "sweep", "begins" if entry.is_taken else "done, or not there"))
        else:
            parameters = f"{entry.design.spec.parameters:,} params"
            cells.append((mark, entry.name, parameters, _seeds(entry), _state(entry, runs)))
    return cells


def _seeds(entry: Entry) -> str:
    count = entry.design.seeds if entry.design else 1
    if count == 1:
        return ""
    return f"seed {len(entry.runs)} of {count}" if entry.runs else f"{count} seeds"


def _state(entry: Entry, runs: Mapping[str, Run]) -> str:
    run = runs.get(entry.runs[-1]) if entry.runs else None
    if run is None:
        return "begins" if entry.is_taken else "waits"
    best = f", best {run.best_accuracy:.2%}" if run.best_accuracy is not None else ""
    epochs = f"epoch {run.epochs} of {run.planned_epochs or '?'}{best}"
    return epochs if entry.is_taken else f"waits to go on: {epochs}"


def _sweep_cells(line: SweepLine) -> tuple[str, str, str, str]:
    """Name, what is varied, how many runs, how far it is."""
    parts = [f"{line.done:,} of {line.planned:,} done"]
    parts += [f"{count} {what}" for count, what in ((line.training, "training"), (line.failed, "failed")) if count]
    on = "test" if line.choose_on == "test" else "val"
    parts += [f"best {on} {line.best:.2%}"] if line.best is not None else []
    parts += ["stopped"] if line.is_stopped else []
    return line.name, ", ".join(line.varied), "sweep", ", ".join(parts)


def details(row: QueueRow, queue: Queue, width: int) -> list[str]:
    """The report of a sweep, the table and the recipe of a design, or what is wrong; raises `StorageError`.

    Sentences are wrapped to `width` cells.
    """
    if row.sweep:
        return _sweep_details(queue, row.sweep, width)
    if row.entry is None or row.entry.design is None:
        return [f"! {row.entry.path}: {row.entry.error}" if row.entry else ""]
    spec = row.entry.design.spec
    queued = f"queued {row.entry.created} on {row.entry.host}: {row.entry.design.dataset} data"
    lines = [row.text.strip(), queued, "", *summary.table(spec).splitlines(), *recipe_words.recipe(spec).splitlines()]
    return [clean_line(line, 500) for line in lines]


def _sweep_details(queue: Queue, name: str, width: int) -> list[str]:
    from textwrap import wrap

    from mnist_tui.sweep import folder, report_text
    from mnist_tui.sweep.report import make_report  # scipy: a second.

    report = make_report(folder.find(queue.folder.parent, name))
    lines = report_text.lines(report, aligned, lambda sentence: wrap(sentence, max(20, width)), LISTED)
    return [clean_line(line, 500) for line in (report_text.heading(report), *lines)]
