"""Target, result and analysis of a step, from the notes.md of its runs. A report never writes there."""

import shlex
from collections.abc import Sequence

from mnist_tui.errors import StorageError
from mnist_tui.report.model import Note
from mnist_tui.runs.annotations import NOTES_FILE, Notes, ended_notes, read_notes, split_notes
from mnist_tui.runs.history import parse_end
from mnist_tui.runs.record import Run
from mnist_tui.spec.recipe_words import target_words
from mnist_tui.text import clean_line


def notes_of(runs: Sequence[Run]) -> tuple[Note, ...]:
    """The three parts: of several seeds target and result of the first run, and the analysis of each that has one."""
    notes = [_read(run) for run in runs]
    target = notes[0].target or (target_words(runs[0].spec.target) if runs[0].spec else "")
    analyses = [(run, each.analysis) for run, each in zip(runs, notes, strict=True) if each.analysis.strip()]
    result = _of_seeds([(runs[0], notes[0].result)]) if len(runs) > 1 and notes[0].result else notes[0].result
    analysis = _of_seeds(analyses) if len(analyses) > 1 else "".join(text for _, text in analyses)
    file, command = str(runs[0].folder / NOTES_FILE), f"mnist-tui note {shlex.quote(str(runs[0].folder))}"
    parts = (
        Note("target", target.strip(), file, command),
        Note("result", result.strip(), file, command),
        Note("analysis", analysis.strip(), file, command),
    )
    # Nobody can write notes of reference runs.
    return tuple(note for note in parts if note.text) if runs[0].is_reference else parts


def unreadable_notes(runs: Sequence[Run]) -> list[str]:
    """A sentence for each notes.md that cannot be read."""
    errors = []
    for run in runs:
        try:
            read_notes(run.folder)
        except StorageError as error:
            errors.append(clean_line(str(error), 300))
    return errors


def _read(run: Run) -> Notes:
    """The notes of a run; of a reference run, which has no notes.md, what the program would have written there."""
    ended = parse_end(run.end) if run.is_reference else None
    if ended is not None and run.spec is not None:
        return split_notes(ended_notes(run.spec, ended, str(run.dataset)))
    try:
        return read_notes(run.folder)
    except StorageError:
        return Notes()


def _of_seeds(texts: Sequence[tuple[Run, str]]) -> str:
    return "\n\n".join(f"Seed {run.seed}:\n\n{text.strip()}" for run, text in texts)
