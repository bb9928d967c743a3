"""What a person adds to a run: notes, tags; and the trash, the way back out of it, and copies. No torch."""

import os
import re
import shutil
import tarfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mnist_tui.files import BadFile, read_text, sync_folder, write_atomically
from mnist_tui.storage import StorageError
from mnist_tui.text import clean, clean_line

MAX_NOTES = 65_536
MAX_TAGS = 4_096
TRASH = ".trash"
PARTS = ("target", "result", "analysis")
TAG = re.compile(r"[\w.-]{1,40}", re.ASCII)
_HEADING = re.compile(r"^## (target|result|analysis)[ \t]*$", re.IGNORECASE | re.MULTILINE)


# --- notes ---


@dataclass(frozen=True)
class Notes:
    """The three parts of notes.md, without their headings."""

    target: str = ""
    result: str = ""
    analysis: str = ""


def notes_text(folder: Path) -> str:
    """The whole of notes.md; "" where there is none. Raises `StorageError` where it cannot be read."""
    try:
        return clean(read_text(folder / "notes.md", MAX_NOTES, follow=False), MAX_NOTES)
    except BadFile as error:
        if error.is_missing:
            return ""
        raise StorageError(str(error)) from None


def read_notes(folder: Path) -> Notes:
    """The parts of notes.md; raises `StorageError` where it cannot be read."""
    _, parts = _split(notes_text(folder))
    return Notes(**{name: text.strip() for name, text in parts.items()})


def write_notes(folder: Path, notes: Notes) -> None:
    """Puts the parts under their headings; what stands before the first heading stays as it is.

    Raises `StorageError` where the file that is there cannot be read, or these are too long.
    """
    before, _ = _split(notes_text(folder))
    parts = [f"## {name.capitalize()}\n\n{clean(getattr(notes, name), MAX_NOTES).strip()}".rstrip() for name in PARTS]
    content = "\n\n".join([*([before.strip()] if before.strip() else []), *parts]) + "\n\n"
    if len(content.encode()) > MAX_NOTES:
        raise StorageError(f"{folder / 'notes.md'}: notes are longer than {MAX_NOTES:,} bytes; they are not saved")
    write_atomically(folder / "notes.md", content.encode())


def _split(text: str) -> tuple[str, dict[str, str]]:
    """What stands before the first of the headings, and what stands under each."""
    pieces = _HEADING.split(text)
    parts: dict[str, str] = {}
    for name, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        parts[name.lower()] = parts.get(name.lower(), "") + piece
    return pieces[0], parts


# --- tags ---


def read_tags(folder: Path) -> tuple[str, ...]:
    """The tags of a run, sorted; of a damaged file those that are valid."""
    try:
        words = read_text(folder / "tags.txt", MAX_TAGS, follow=False).split()
    except BadFile:
        return ()
    return tuple(sorted({word for word in words if TAG.fullmatch(word)}))


def write_tags(folder: Path, tags: Iterable[str]) -> None:
    """Gives a run these tags and no others; raises `ValueError` for a wrong one."""
    chosen = sorted(set(tags))
    if wrong := wrong_tags(chosen):
        raise ValueError(wrong)
    write_atomically(folder / "tags.txt", "".join(f"{tag}\n" for tag in chosen).encode())


def wrong_tags(tags: Sequence[str]) -> str | None:
    """What is wrong with tags, in a sentence; None where nothing is."""
    for tag in tags:
        if not TAG.fullmatch(tag):
            return f"{clean_line(tag, 60)!r} is no tag: 1 to 40 letters, digits, - _ and ."
    if sum(len(tag) + 1 for tag in tags) > MAX_TAGS:
        return f"these are more than {MAX_TAGS:,} characters"
    return None


# --- the trash ---


def delete(folder: Path) -> Path:
    """Moves a run to the trash of its runs directory; where it is now.

    Raises `StorageError` for a run that is being trained, for a link, and for what is no run.
    """
    if folder.is_symlink() or not (folder / "run.json").is_file():
        raise StorageError(f"{folder}: is no run folder; only runs are moved to the trash")
    trash = folder.parent / TRASH
    with _held(folder):
        _make(trash)
        target = next(path for path in _free_names(trash / folder.name) if not os.path.lexists(path))
        now = time.time_ns()
        os.utime(folder, ns=(now, now))  # The newest in the trash is the one that was deleted last.
        folder.rename(target)
        sync_folder(trash)
    return target


def trashed(runs_dir: Path) -> list[Path]:
    """What is in the trash, the newest deletion first."""
    trash = runs_dir / TRASH
    if trash.is_symlink() or not trash.is_dir():
        return []
    found = [path for path in trash.iterdir() if path.is_dir() and not path.is_symlink()]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def restore(folder: Path) -> Path:
    """Moves a run out of the trash; where it is now. Raises `StorageError` where its name is taken."""
    target = folder.parent.parent / folder.name
    if os.path.lexists(target):
        raise StorageError(f"{target}: is there already; rename one of the two first")
    folder.rename(target)
    sync_folder(target.parent)
    return target


def _make(trash: Path) -> None:
    if trash.is_symlink():
        raise StorageError(f"{trash}: is a link, which is not followed; remove it")
    trash.mkdir(exist_ok=True)


def _free_names(path: Path) -> Iterator[Path]:
    yield path
    for count in range(2, 10_000):
        yield path.with_name(f"{path.name}.{count}")


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The run's lock, so that nobody begins to train it meanwhile."""
    try:
        with FileLock(folder / "run.lock").acquire(timeout=0):
            yield
    except Timeout:
        raise StorageError(f"{folder.name} is being trained; stop it first") from None


# --- copies ---


def export(folder: Path, destination: Path, checkpoints: bool = True) -> Path:
    """Copies a run to a new folder, or to an archive that ends in .zip or .tar.gz; where it is.

    Links, locks and temporary files stay behind. Raises `StorageError` where the destination is there already, or
    cannot be written.
    """
    if os.path.lexists(destination):
        raise StorageError(f"{destination}: is there already; nothing is overwritten")
    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.tmp")
    try:
        _pack(folder, temporary, destination.name, _exported(folder, checkpoints))
        temporary.rename(destination)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.unlink(missing_ok=True)
        raise StorageError(f"{destination}: {error.strerror}") from None
    return destination


def _exported(folder: Path, checkpoints: bool) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file()
        and not path.is_symlink()
        and path.name != "run.lock"
        and not path.name.startswith(".")
        and (checkpoints or path.suffix != ".safetensors")
    ]


def _pack(folder: Path, temporary: Path, name: str, files: Sequence[Path]) -> None:
    if name.endswith(".zip"):
        with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, f"{folder.name}/{path.name}")
    elif name.endswith((".tar.gz", ".tgz")):
        with tarfile.open(temporary, "x:gz") as archive:
            for path in files:
                archive.add(path, f"{folder.name}/{path.name}", recursive=False)
    else:
        temporary.mkdir()
        for path in files:
            shutil.copy2(path, temporary / path.name)
