"""Writes a report and its figures: whole or not at all, and never over a file that somebody else wrote or changed.

The last line of a report is a comment with the digest of everything above it. A report whose digest fits is replaced
when it is made again; one that a person has edited is not.
"""

import hashlib
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from mnist_tui.errors import FileError, ReportError, StorageError
from mnist_tui.files import no_place, read_text, write_atomically, write_unsynced
from mnist_tui.report.model import Format, Rendered
from mnist_tui.temporary_files import remove_leftovers
from mnist_tui.text import clean_line

SUFFIXES: dict[str, Format] = {".md": "md", ".markdown": "md", ".html": "html", ".htm": "html"}
"""The format that the end of a report's name stands for."""
MAX_BYTES = 256 * 2**20
"""The largest file that is read to see who wrote it."""
_MARK = re.compile(r"<!-- mnist-tui report, sha256 ([0-9a-f]{64}); [^\n]* -->")
_ADVICE = "it is made again from the runs, so write into their notes (mnist-tui note RUN), not here"


def figures_folder(path: Path) -> Path:
    """The folder beside a report that its figures are in: `report_files` for `report.md`."""
    return path.with_name(f"{path.stem}_files")


def format_of(path: Path) -> Format | None:
    """The format that the end of a file's name stands for; None for any other end."""
    return SUFFIXES.get(path.suffix.lower())


def wrong_place(path: Path) -> str | None:
    """Why no report can be written to a path, in a sentence; None where one can."""
    try:
        why = _wrong_place(path)
    except (OSError, ValueError) as error:
        why = f"{path}: {getattr(error, 'strerror', None) or 'is no file name'}"
    return None if why is None else clean_line(why, 400)


def _wrong_place(path: Path) -> str | None:
    """The same; raises `OSError`, and `ValueError` for what is no file name."""
    mode = None
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
    if mode is not None and not stat.S_ISREG(mode):
        return f"{path}: is {'a folder; name a file in it' if stat.S_ISDIR(mode) else 'not a regular file'}"
    if not path.absolute().parent.is_dir():
        return f"{path.parent}: there is no such folder"
    folder = figures_folder(path)
    return f"{folder}: {why}, and the figures belong there" if (why := no_place(folder)) else None


def wrong_owner(path: Path) -> str | None:
    """Why the file that is there must not be replaced; None where there is none, or a report as it was written."""
    if not path.exists():
        return None
    shown, parts = clean_line(str(path), 200), _split(_read(path))
    if parts is None:
        return f"{shown}: is there already and is no report of mnist-tui; name another file"
    text, digest = parts
    if digest != _digest(text):
        return (
            f"{shown}: was changed since mnist-tui wrote it; move what you wrote into the notes of the runs "
            "(mnist-tui note RUN), or name another file"
        )
    return None


def write(path: Path, rendered: Rendered, force: bool = False) -> None:
    """Writes the figures, then the report; figures that only the report in its place showed are removed.

    Raises `ReportError` where the file must not be replaced, and `StorageError` where the disk refuses: then the report
    that was there stays, and of a new one there is nothing.
    """
    folder = figures_folder(path)
    old = _linked_figures(path, folder)
    if why := wrong_place(path) or (
        None if force else wrong_owner(path) or _taken(folder, rendered.files.keys() - old)
    ):
        raise ReportError(why)
    new = [folder / name for name in rendered.files if not (folder / name).exists()]
    try:
        _write_all(path, folder, rendered)
    except BaseException as error:
        _remove(new, folder)
        if isinstance(error, OSError):
            raise StorageError(f"{path}: cannot be written: {error.strerror}") from None
        raise
    _remove([folder / name for name in old - rendered.files.keys()], folder)


def _taken(folder: Path, names: Iterable[str]) -> str | None:
    """Why figures must not be written; None where no other file has one of their names."""
    taken = next((folder / name for name in sorted(names) if (folder / name).exists()), None)
    if taken is None:
        return None
    return f"{taken}: is there already, and no report shows it; give the report another name"


def _write_all(path: Path, folder: Path, rendered: Rendered) -> None:
    if rendered.files:
        folder.mkdir(exist_ok=True)
        remove_leftovers(folder)
    for name, content in rendered.files.items():
        write_unsynced(folder / name, content)  # There may be hundreds, and the same command makes them again.
    mark = f"<!-- mnist-tui report, sha256 {_digest(rendered.text)}; {_ADVICE} -->"
    write_atomically(path, f"{rendered.text.rstrip()}\n\n{mark}\n".encode())


def _remove(files: Iterable[Path], folder: Path) -> None:
    """Removes files, and the folder where nothing else is in it; what the disk does not let go stays."""
    for file in files:
        with suppress(OSError):
            file.unlink()
    with suppress(OSError):  # Not empty, too.
        folder.rmdir()


# --- the report that is there ---


def _read(path: Path) -> str:
    """The text of a file; "" where it is none of this program's, which are UTF-8."""
    try:
        return read_text(path, MAX_BYTES)
    except FileError:
        return ""


def _split(text: str) -> tuple[str, str] | None:
    """The text of a report without its mark, and the digest in that; None where there is no mark.

    The last one counts: notes may quote another.
    """
    marks = list(_MARK.finditer(text))
    return (text[: marks[-1].start()] + text[marks[-1].end() :], marks[-1][1]) if marks else None


def _digest(text: str) -> str:
    """The SHA-256 of a text; blanks at the end of lines and kinds of line breaks, which git changes, do not count."""
    return hashlib.sha256("\n".join(line.rstrip() for line in text.strip().splitlines()).encode()).hexdigest()


def _linked_figures(path: Path, folder: Path) -> set[str]:
    """The names of the figures that the report at `path` shows; none where it is no report of this program."""
    parts = _split(_read(path)) if path.is_file() else None
    if parts is None:
        return set()
    text, _ = parts
    names = re.findall(rf"{re.escape(quote(folder.name))}/([A-Za-z0-9_.-]+\.(?:svg|png))", text)
    return {name for name in names if (folder / name).is_file()}
