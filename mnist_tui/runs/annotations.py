"""What is written about a run beside its numbers: notes.md, in three parts, and a person's tags. No torch.

The program fills the target and the result of notes.md when a run ends, where nobody has written anything there. When
the run is resumed, a result that the program wrote is emptied again; one that somebody changed stays.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_tui.errors import FileError, StorageError
from mnist_tui.files import read_bytes, read_text, write_atomically
from mnist_tui.runs import reference, verdict
from mnist_tui.runs.events import LearningRateChanged, RunEnded
from mnist_tui.spec.recipe_words import target_words
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import as_name, clean, clean_line, is_name

NOTES_FILE = "notes.md"
MAX_NOTES = 65_536
PARTS = ("target", "result", "analysis")
"""The parts of notes.md, under headings such as `## Target`."""
_HEADING = re.compile(rf"^## ({'|'.join(PARTS)})[ \t]*$", re.IGNORECASE | re.MULTILINE)
NO_TARGET = "none"
RATE_CHANGED = "the learning rate was changed by hand"
MOST_RATE_CHANGES = 10
"""Changes of the learning rate that a result lists."""

TAGS_FILE = "tags.txt"
MAX_TAGS = 4_096
MAX_TAG = 40
"""Characters of a tag."""


@dataclass(frozen=True)
class Notes:
    """The three parts of notes.md, without their headings."""

    target: str = ""
    result: str = ""
    analysis: str = ""


def notes_text(folder: Path) -> str:
    """The whole of notes.md; "" where there is none. Raises `StorageError` where it cannot be read."""
    return _clean(read_notes_text(folder / NOTES_FILE))


def read_notes(folder: Path) -> Notes:
    """The parts of notes.md; raises `StorageError` where it cannot be read."""
    return split_notes(notes_text(folder))


def split_notes(text: str) -> Notes:
    """The parts of the text of a notes.md."""
    return Notes(**_split(text)[1])


def write_notes(folder: Path, notes: Notes, previous: Notes | None = None) -> None:
    """Puts the parts under their headings; what stands before the first heading stays as it is.

    A part that equals that of `previous` was not edited: it stays as it is on the disk, where a run may have ended
    meanwhile. Raises `StorageError` where the file that is there cannot be read, or these cannot be written or are too
    long.
    """
    preamble, parts = _split(notes_text(folder))
    for name in PARTS:
        if previous is None or getattr(notes, name) != getattr(previous, name):
            parts[name] = _clean(getattr(notes, name)).strip()
    content = _join(preamble, dict.fromkeys(PARTS, "") | parts).encode()
    if len(content) > MAX_NOTES:
        raise StorageError(f"{folder / NOTES_FILE}: notes are longer than {MAX_NOTES:,} bytes; they are not saved")
    _write(folder / NOTES_FILE, content)


def add_notes(folder: Path, text: str, part: str) -> None:
    """Adds text below what notes.md has under the heading of `part`.

    A text with headings such as `## Target` is divided: what stands under each is added to that part. Raises
    `StorageError` as `write_notes`.
    """
    previous = read_notes(folder)
    first, added = _split(_clean(text))
    added[part] = f"{first}\n\n{added.get(part, '')}".strip()
    parts = dict(vars(previous))
    if parts["target"] == NO_TARGET and added.get("target"):
        parts["target"] = ""
    parts |= {name: f"{parts[name]}\n\n{more}".strip() for name, more in added.items() if more}
    write_notes(folder, Notes(**parts), previous)


def read_notes_text(path: Path) -> str:
    """A notes.md as it stands; "" where there is none. Raises `StorageError` where it cannot be read, or is a link."""
    try:
        return read_text(path, MAX_NOTES, follow=False).replace("\r\n", "\n")
    except FileError as error:
        if error.is_missing:
            return ""
        raise StorageError(f"{error}; move it away, and notes can be kept again") from None


def _split(text: str) -> tuple[str, dict[str, str]]:
    """What stands before the first of the headings, and what stands under each that is there, by its part's name."""
    pieces = _HEADING.split(text)
    parts: dict[str, str] = {}
    for heading, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        name = heading.lower()
        parts[name] = f"{parts[name]}\n\n{piece.strip()}".strip() if name in parts else piece.strip()
    return pieces[0].strip(), parts


def _join(preamble: str, parts: Mapping[str, str]) -> str:
    """The text of a notes.md, its parts in their order; an empty one keeps its heading."""
    sections = [f"## {name.capitalize()}\n\n{parts[name]}".rstrip() for name in PARTS if name in parts]
    return "\n\n".join([preamble] * bool(preamble) + sections) + "\n\n" * bool(sections)


def _clean(text: str) -> str:
    return clean(text.replace("\r\n", "\n").expandtabs(4), MAX_NOTES + 1)


def _write(path: Path, content: bytes) -> None:
    reference.check_changeable(path.parent)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from None


# --- what the program writes into notes.md ---


def ended_notes(spec: RunSpec, ended: RunEnded, dataset: str, rate_changes: Sequence[LearningRateChanged] = ()) -> str:
    """The notes.md of a run that has ended: the target, the result as measured, and room for the analysis."""
    parts = {
        "target": target_words(spec.target) or NO_TARGET,
        "result": "\n".join(_result_lines(spec, ended, dataset, rate_changes)),
        "analysis": "",
    }
    return clean(_join(f"# {spec.name}, seed {spec.train.seed}", parts), MAX_NOTES)


def _result_lines(
    spec: RunSpec, ended: RunEnded, dataset: str, rate_changes: Sequence[LearningRateChanged]
) -> list[str]:
    result = [f"{ended.outcome}: {ended.message}", f"{spec.parameters:,} parameters", f"data: {dataset}"]
    if ended.best and ended.last:
        chosen_on = "validation images" if ended.chosen_by == "validation" else "test set"
        accuracy = f"test accuracy {ended.best.test_accuracy:.2%}"
        result.append(f"best epoch {ended.best.epoch}, chosen on the {chosen_on}: {accuracy}")
        result.append(f"last epoch {ended.last.epoch}: test accuracy {ended.last.test_accuracy:.2%}")
    if ended.target:
        result.append(verdict.in_words(ended.target, ended.epochs))
    if rate_changes:
        places = [
            f"epoch {one.epoch}, step {one.step}: {one.learning_rate:g}" for one in rate_changes[:MOST_RATE_CHANGES]
        ]
        more = f"; {len(rate_changes)} times in all" if len(rate_changes) > len(places) else ""
        result.append(f"{RATE_CHANGED}: {'; '.join(places)}{more}")
    return [f"- {line}" for line in result]


def known_results(
    spec: RunSpec, ended: RunEnded, dataset: str, rate_changes: Sequence[LearningRateChanged] = ()
) -> set[str]:
    """Every line that this version, or an earlier one, writes about the result of a run that ended so."""
    lines = _result_lines(spec, ended, dataset, rate_changes)
    if ended.best:
        accuracy = f"test accuracy {ended.best.test_accuracy:.2%}"
        lines.append(f"- best epoch {ended.best.epoch}, by {ended.chosen_by}: {accuracy}")  # Version 0.1.
    lines += [line.replace(RATE_CHANGED, "steered, the learning rate was set by hand") for line in lines]
    return set(_clean("\n".join(lines)).splitlines())


def result_lines(text: str) -> set[str]:
    """The lines of the result in a notes.md."""
    return set(_split(text)[1].get("result", "").splitlines())


def without_result(text: str, known: Collection[str]) -> str:
    """A notes.md with an empty result, where every line of the one it has is among `known`; else as it is."""
    lines = result_lines(text)
    if not lines or not lines <= set(known):
        return text
    preamble, parts = _split(text)
    return _join(preamble, parts | {"result": ""})


def merge_notes(text: str, ended: str) -> str:
    """A notes.md in which a person's words stay, and `ended`, the notes of the run's end, fill what is empty."""
    preamble, parts = _split(text)
    title, ended_parts = _split(ended)
    if not text.strip() or not ended_parts:
        return text if text.strip() else ended
    if not preamble.startswith("# "):
        preamble = f"{title}\n\n{preamble}".strip()
    return _join(preamble, ended_parts | {name: part for name, part in parts.items() if part})


# --- tags ---


def read_tags(folder: Path) -> tuple[str, ...]:
    """The tags of a run, sorted; of a damaged file those that are valid."""
    try:
        lines = read_bytes(folder / TAGS_FILE, MAX_TAGS, follow=False).decode(errors="replace").splitlines()
    except FileError:
        return ()
    return tuple(sorted({tag for line in lines if is_name(tag := as_name(line.strip()), MAX_TAG)}))


def write_tags(folder: Path, tags: Iterable[str]) -> None:
    """Gives a run these tags and no others; raises `ValueError` for a wrong one, `StorageError` for a full disk."""
    names = sorted(set(map(as_name, tags)))
    if wrong := wrong_tags(names):
        raise ValueError(wrong)
    _write(folder / TAGS_FILE, "".join(f"{tag}\n" for tag in names).encode())


def wrong_tags(tags: Sequence[str]) -> str | None:
    """What is wrong with tags, in a sentence; None where nothing is."""
    for tag in map(as_name, tags):
        if not is_name(tag, MAX_TAG):
            form = f"1 to {MAX_TAG} letters and digits of any script, - _ and ., not beginning with - or ."
            return f"{clean_line(tag, 60)!r} is no tag: {form}"
    if sum(len(as_name(tag).encode()) + 1 for tag in tags) > MAX_TAGS:
        return f"these are more than {MAX_TAGS:,} bytes"
    return None
