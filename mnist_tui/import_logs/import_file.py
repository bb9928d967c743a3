"""A file of logs as imported runs: every training in it, and what was not understood."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mnist_tui.errors import LogError
from mnist_tui.import_logs.epoch_rows import build_rows, percent_fields
from mnist_tui.import_logs.forms import FORMS, LogForm, form_of
from mnist_tui.import_logs.quantities import looks_like_epoch
from mnist_tui.import_logs.readings import Line, Log
from mnist_tui.import_logs.sources import Source, read_source
from mnist_tui.import_logs.trainings import Training, collect
from mnist_tui.runs.imported import ImportedLog
from mnist_tui.text import as_name, clean_line, is_name

MAX_NAME = 60
"""Characters of a name that is made from a file's name and a heading."""
MAX_TRAININGS = 100
"""In one file: more are most likely something else that was taken for epochs."""
MAX_EPOCHS = 20_000
"""Of a training; the file of its history then has under half the size that is read."""


@dataclass(frozen=True)
class Misread:
    """A line that looks like an epoch but was not understood."""

    line: Line
    part: str

    @property
    def words(self) -> str:
        """`cell 12, line 17: "Epoch three: fine"`; of a curve, which has no line, its text alone."""
        if not self.line.number:
            return clean_line(self.line.text, 80)
        place = f"{self.part}, " if self.part else ""
        return f'{place}line {self.line.number}: "{clean_line(self.line.text.strip(), 80)}"'


@dataclass(frozen=True)
class ImportedFile:
    """What was read from a file."""

    source: Source
    trainings: list[ImportedLog]
    misread: list[Misread]
    lines: int
    """Lines that are not blank."""


@dataclass(frozen=True)
class _Part:
    """The trainings in a log."""

    log: Log
    form: LogForm
    trainings: list[Training]


def import_file(
    named: str, name: str | None = None, parameters: int | None = None, measured_on: str | None = None
) -> ImportedFile:
    """Reads every training in a file, or in standard input for `-`; the other arguments are what the user knows.

    Raises `LogError` where no epoch is understood, and `FileError` where the file cannot be read.
    """
    source = read_source(named)
    parts, misread = _read_parts(source)
    in_percent = {
        form.name: percent_fields(training for part in parts if part.form == form for training in part.trainings)
        for form in FORMS
    }
    count = sum(len(part.trainings) for part in parts)
    if count > MAX_TRAININGS:
        raise LogError(
            f"{source.name}: {count} trainings seem to be in it, more than {MAX_TRAININGS}; cut out those meant"
        )
    counts = {"lines": _count_lines(source), "not_understood": len(misread)}
    logs = [
        replace(log, facts={**log.facts, **counts})
        for part in parts
        for log in _make_logs(part, source, in_percent[part.form.name], measured_on)
    ]
    if not logs:
        raise LogError(f"{source.name}: {_why_nothing(source, misread)}")
    if parameters is None and len(logs) == 1:
        parameters = _find_parameters(source)
    names = _name_runs(source, logs, name)
    named_logs = [replace(log, name=each, parameters=parameters) for log, each in zip(logs, names, strict=True)]
    return ImportedFile(source, named_logs, misread, _count_lines(source))


def _count_lines(source: Source) -> int:
    return sum(len({line.number for line in log.lines}) for log in source.logs)


def _read_parts(source: Source) -> tuple[list[_Part], list[Misread]]:
    """The trainings in each log, and the lines that were not understood."""
    parts, misread = [], []
    for log in source.logs:
        form = form_of(log)
        if form is None:
            continue
        try:
            trainings, lines = collect(list(form.read(log)))
        except LogError as error:
            raise LogError(f"{source.name}: {error}") from None
        parts.append(_Part(log, form, trainings))
        misread += [Misread(line, log.part) for line in lines]
    return parts, misread


def _make_logs(
    part: _Part, source: Source, in_percent: frozenset[str], measured_on: str | None
) -> Iterator[ImportedLog]:
    for training in part.trainings:
        epoch_rows = build_rows(training, part.form, in_percent)
        if epoch_rows is not None and len(epoch_rows.rows) > MAX_EPOCHS:
            raise LogError(f"{source.name}: a training in it seems to have more than {MAX_EPOCHS:,} epochs")
        if epoch_rows is not None:
            facts = {
                "file": source.name,
                "sha256": source.sha256,
                "part": part.log.part or None,
                "heading": part.log.heading or None,
                "first_line": training.first_line,
                "form": part.form.name,
                "measured_on": f"{measured_on} (told at the import)" if measured_on else epoch_rows.measured_on,
                "train_figures": epoch_rows.train_figures,
                "remarks": epoch_rows.remarks,
            }
            yield ImportedLog("", epoch_rows.rows, facts, held_out_images=epoch_rows.held_out_images)


def _why_nothing(source: Source, misread: Sequence[Misread]) -> str:
    """Why nothing was imported."""
    candidates = (Misread(line, log.part) for log in source.logs for line in log.lines if looks_like_epoch(line.text))
    misread = misread or list(candidates)
    if misread:
        return f"no epoch in it is understood; {len(misread)} lines look like one: {misread[0].words}"
    if not _count_lines(source):
        return "is empty; a notebook must be saved with its outputs"
    return f"no epoch in it is understood; known are {'; '.join(form.about for form in FORMS)}"


_TOTAL = re.compile(r"Total param(?:eter)?s:\s{0,8}([\d,]{1,15})")


def _find_parameters(source: Source) -> int | None:
    """The number of parameters that layer summaries in the file tell; None where they tell none, or several."""
    totals = {
        int(text.replace(",", "") or 0)
        for log in source.logs
        for line in log.lines
        for text in _TOTAL.findall(line.text)
    }
    return totals.pop() or None if len(totals) == 1 else None


# --- names ---


def _name_runs(source: Source, logs: Sequence[ImportedLog], name: str | None) -> list[str]:
    """Distinct names: the user's or the file's; of several trainings with their heading, their cell or a number."""
    base = name or as_run_name(source.stem)
    if len(logs) == 1:
        return [base]
    places = ["" if name else str(log.facts["heading"] or log.facts["part"] or "") for log in logs]
    names = [as_run_name(f"{base}-{place}") if place else base for place in places]
    parts = [str(log.facts["part"] or "") for log in logs]
    repeated = Counter(names)
    names = [
        as_run_name(f"{each}-{part}") if repeated[each] > 1 and part and not name else each
        for each, part in zip(names, parts, strict=True)
    ]
    return [
        f"{each}-{names[:index].count(each) + 1}" if names.count(each) > 1 else each for index, each in enumerate(names)
    ]


def as_run_name(text: str) -> str:
    """A text as the name of a run: letters, digits, - _ and ., words joined by hyphens; `log` where nothing is left."""
    joined = re.sub(r"[^\w.-]+", "-", as_name(text)).strip("-.")[:MAX_NAME].strip("-.")
    return joined if is_name(joined, MAX_NAME) else re.sub(r"[^a-zA-Z0-9]+", "-", joined).strip("-") or "log"
