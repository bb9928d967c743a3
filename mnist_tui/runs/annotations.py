"""What a person adds to a run: notes, tags; and the trash, the way back out of it, and copies. No torch."""

import itertools
import os
import re
import shutil
import tarfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mnist_tui.errors import FileError, StorageError
from mnist_tui.files import read_bytes, sync_folder, write_atomically
from mnist_tui.runs.storage import LOCK_SECONDS, MAX_NOTES, PARTS, joined_notes, read_notes_text, split_notes
from mnist_tui.text import as_name, clean, clean_line, is_name

MAX_TAGS = 4_096
TRASH = ".trash"
ARCHIVES = (".zip", ".tar.gz", ".tgz")
_ENDING = re.compile(r"\.([A-Za-z][A-Za-z0-9]{0,9}|7z)$")
"""Of a file's name; folders are called after versions and dates too: `iter5-0.2`."""
MAX_TAG = 40
"""Characters of a tag."""


# --- notes ---


@dataclass(frozen=True)
class Notes:
    """The three parts of notes.md, without their headings."""

    target: str = ""
    result: str = ""
    analysis: str = ""


def notes_text(folder: Path) -> str:
    """The whole of notes.md; "" where there is none. Raises `StorageError` where it cannot be read."""
    return _clean(read_notes_text(folder / "notes.md"))


def read_notes(folder: Path) -> Notes:
    """The parts of notes.md; raises `StorageError` where it cannot be read."""
    return Notes(**split_notes(notes_text(folder))[1])


def write_notes(folder: Path, notes: Notes, shown: Notes | None = None) -> None:
    """Puts the parts under their headings; what stands before the first heading stays as it is.

    A part that is as in `shown` was not edited: it stays as it is on the disk, where a run may have ended meanwhile.
    Raises `StorageError` where the file that is there cannot be read, or these cannot be written or are too long.
    """
    before, parts = split_notes(notes_text(folder))
    for name in PARTS:
        if shown is None or getattr(notes, name) != getattr(shown, name):
            parts[name] = _clean(getattr(notes, name)).strip()
    content = joined_notes(before, dict.fromkeys(PARTS, "") | parts).encode()
    if len(content) > MAX_NOTES:
        raise StorageError(f"{folder / 'notes.md'}: notes are longer than {MAX_NOTES:,} bytes; they are not saved")
    _write(folder / "notes.md", content)


def _clean(text: str) -> str:
    return clean(text.replace("\r\n", "\n").expandtabs(4), MAX_NOTES + 1)


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from None


# --- tags ---


def read_tags(folder: Path) -> tuple[str, ...]:
    """The tags of a run, sorted; of a damaged file those that are valid."""
    try:
        lines = read_bytes(folder / "tags.txt", MAX_TAGS, follow=False).decode(errors="replace").splitlines()
    except FileError:
        return ()
    return tuple(sorted({tag for line in lines if is_name(tag := as_name(line.strip()), MAX_TAG)}))


def write_tags(folder: Path, tags: Iterable[str]) -> None:
    """Gives a run these tags and no others; raises `ValueError` for a wrong one, `StorageError`."""
    chosen = sorted(set(map(as_name, tags)))
    if wrong := wrong_tags(chosen):
        raise ValueError(wrong)
    _write(folder / "tags.txt", "".join(f"{tag}\n" for tag in chosen).encode())


def wrong_tags(tags: Sequence[str]) -> str | None:
    """What is wrong with tags, in a sentence; None where nothing is."""
    for tag in map(as_name, tags):
        if not is_name(tag, MAX_TAG):
            form = f"1 to {MAX_TAG} letters and digits of any script, - _ and ., not beginning with - or ."
            return f"{clean_line(tag, 60)!r} is no tag: {form}"
    if sum(len(as_name(tag).encode()) + 1 for tag in tags) > MAX_TAGS:
        return f"these are more than {MAX_TAGS:,} bytes"
    return None


# --- the trash ---


def delete(folder: Path) -> Path:
    """Moves a run to the trash of its runs directory; where it is now.

    Raises `StorageError` for a run that is being trained, for a link, for what is no run, and for what is in the
    trash already.
    """
    _check_run(folder)
    if folder.parent.name == TRASH:
        raise StorageError(f"{folder}: is in the trash already")
    trash = folder.parent / TRASH
    with _told(folder), _held(folder):
        _make(trash)
        target = next(path for path in _free_names(trash / folder.name) if not os.path.lexists(path))
        now = time.time_ns()
        os.utime(folder, ns=(now, now))  # The newest in the trash is the one that was deleted last.
        _move(folder, target)
    return target


def restore(folder: Path) -> Path:
    """Moves a run out of the trash; where it is now.

    Raises `StorageError` where its name is taken, and for what is not in a trash.
    """
    _check_run(folder)
    if folder.parent.name != TRASH or folder.parent.is_symlink():
        raise StorageError(f"{folder}: is in no trash")
    target = folder.parent.parent / folder.name
    if os.path.lexists(target):
        raise StorageError(f"{target}: is there already; rename one of the two first")
    with _told(folder), _held(folder):
        _move(folder, target)
    return target


def trashed(runs_dir: Path) -> list[Path]:
    """What is in the trash, the newest deletion first."""
    trash = runs_dir / TRASH
    if trash.is_symlink() or not trash.is_dir():
        return []
    with _told(trash), os.scandir(trash) as entries:
        found = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        found.sort(key=lambda entry: entry.stat(follow_symlinks=False).st_mtime_ns, reverse=True)
    return [trash / entry.name for entry in found]


def empty_trash(runs_dir: Path) -> int:
    """Removes for good what is in the trash; how many runs that were. Links are not followed.

    Raises `StorageError` where one is being trained, or cannot be removed; those before it are gone.
    """
    found = trashed(runs_dir)
    for folder in found:
        with _told(folder), _held(folder):
            shutil.rmtree(folder)
    return len(found)


def _check_run(folder: Path) -> None:
    """Refuses a link, `..` and a folder without a run.json of its own."""
    record = folder / "run.json"
    is_run = folder.name not in ("", "..") and not folder.is_symlink() and not record.is_symlink() and record.is_file()
    if not is_run:
        raise StorageError(f"{folder}: is no run folder; name one that holds a run.json, and is no link")


def _make(trash: Path) -> None:
    if trash.is_symlink():
        raise StorageError(f"{trash}: is a link, which is not followed; remove it")
    trash.mkdir(exist_ok=True)


def _free_names(path: Path) -> Iterator[Path]:
    yield path
    for count in itertools.count(2):
        yield path.with_name(f"{path.name}.{count}")


def _move(folder: Path, target: Path) -> None:
    folder.rename(target)
    sync_folder(target.parent)
    sync_folder(folder.parent)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the disk refuses, as `StorageError`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{error.filename or path}: {error.strerror or error}") from None


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The run's lock, so that nobody begins to train it meanwhile."""
    lock = FileLock(folder / "run.lock")
    try:
        lock.acquire(timeout=LOCK_SECONDS, poll_interval=0.02)  # Whoever lists the runs tries the lock for a moment.
    except Timeout:
        raise StorageError(f"{folder}: is being trained; stop it first") from None
    try:
        yield
    finally:
        lock.release()


# --- copies ---


def export(folder: Path, destination: Path, checkpoints: bool = True) -> Path:
    """Copies a run to a new folder, or to an archive that ends in .zip or .tar.gz; where it is.

    Links, locks and temporary files stay behind, and without `checkpoints` the weights. Raises `StorageError` for
    what is no run, and where the destination is there already, lies in the run, or cannot be written; and `ValueError`
    for the name of another kind of file.
    """
    _check_run(folder)
    if wrong := wrong_destination(destination):
        raise ValueError(wrong)
    if os.path.lexists(destination):
        raise StorageError(f"{destination}: is there already; nothing is overwritten")
    if folder.resolve() in destination.resolve().parents:
        raise StorageError(f"{destination}: lies in the run itself; name another place")
    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.tmp")
    try:
        with _told(destination):
            _pack(folder, temporary, destination.name, _exported(folder, checkpoints))
            temporary.rename(destination)
            sync_folder(destination.parent)
    except BaseException:
        _remove(temporary)
        raise
    return destination


def wrong_destination(destination: Path) -> str | None:
    """What is wrong with where an export is to go, in a sentence; None for an archive, or for the name of a folder."""
    if destination.name.lower().endswith(ARCHIVES) or not _ENDING.search(destination.name):
        return None
    ending = clean_line(destination.suffix, 20)
    return (
        f"{clean_line(str(destination), 200)}: a run is exported to a new folder, or to a file that ends in "
        f"{', '.join(ARCHIVES[:-1])} or {ARCHIVES[-1]}, not in {ending}"
    )


def _exported(folder: Path, checkpoints: bool) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file()
        and not path.is_symlink()
        and path.name != "run.lock"
        and not path.name.startswith(".")
        and (checkpoints or not path.name.startswith("ckpt-"))
    ]


def _pack(folder: Path, temporary: Path, name: str, files: Sequence[Path]) -> None:
    if name.lower().endswith(".zip"):
        # A ZIP file knows no time before 1980.
        with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for path in files:
                archive.write(path, f"{folder.name}/{path.name}")
    elif name.lower().endswith(ARCHIVES):
        with tarfile.open(temporary, "x:gz") as archive:
            for path in files:
                archive.add(path, f"{folder.name}/{path.name}", recursive=False)
    else:
        temporary.mkdir()
        for path in files:
            shutil.copy2(path, temporary / path.name, follow_symlinks=False)


def _remove(temporary: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(temporary) if temporary.is_dir() else temporary.unlink()
