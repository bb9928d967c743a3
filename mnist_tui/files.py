"""Reads files from outside (regular, bounded in size, with one clear error) and writes files whole or not at all."""

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnist_tui.errors import FileError
from mnist_tui.temporary_files import remove_leftovers, temporary_path

MAX_DOTS = 1_000
"""In a line of a TOML file: dotted keys cost Python's parser the square of their parts, and numbers need few."""


def read_bytes(path: Path, limit: int, follow: bool = True) -> bytes:
    """The content of a regular file of at most `limit` bytes; raises `FileError`, without `follow` for a link too.

    The file is opened without blocking, so that a pipe in its place cannot hold the program.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        is_link = error.errno == errno.ELOOP and not follow
        why = "is a link, which is not followed" if is_link else error.strerror or "cannot be opened"
        raise FileError(path, why, is_missing=error.errno == errno.ENOENT) from None
    except ValueError:
        raise FileError(path, "is no file name") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileError(path, "is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(min(limit, status.st_size) + 1)  # `read` allocates what it is asked for.
    except OSError as error:
        raise FileError(path, error.strerror or "cannot be read") from None
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise FileError(path, f"is larger than {limit:,} bytes")
    return content


def read_text(path: Path, limit: int, follow: bool = True) -> str:
    """`read_bytes` as UTF-8 text, without the byte order mark of some editors; raises `FileError`."""
    try:
        return read_bytes(path, limit, follow).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(path, f"is not UTF-8 text (byte {error.start})") from None


def parse_toml(text: str) -> dict[str, Any]:
    """The document of a TOML text; raises `ValueError`, or `RecursionError` for one that is nested too deeply."""
    import tomllib  # Most commands read no such file.

    most = max((line.count(".") for line in text.splitlines()), default=0)
    if most > MAX_DOTS:
        raise ValueError(f"a line has {most:,} dots, at most {MAX_DOTS:,} are read")
    return tomllib.loads(text)


def no_place(folder: Path) -> str | None:
    """Why files can be written neither into a folder nor into one made in its place, as "PATH {reason}"; or None."""
    try:
        if folder.is_dir():
            return None
        if os.path.lexists(folder):
            return "is not a folder"
        return None if folder.absolute().parent.is_dir() else "there is no such folder, and none to make it in"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def write_atomically(path: Path, content: bytes) -> None:
    """Writes `content` to `path` so that a crash leaves the old file or the new one, never a part; raises `OSError`.

    A temporary file in the same folder is written, synced and renamed, then the folder is synced: without the last
    step a power cut can undo the rename (Pillai et al., OSDI 2014). What kills left of earlier writes to that folder is
    removed first.
    """
    write_together({path: content})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """`write_atomically` for several files: none of them is renamed before all are written. Raises `OSError`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    folders = {path.parent for path in contents}
    for folder in folders:
        remove_leftovers(folder)
    temporaries = {path: temporary_path(path) for path in contents}
    try:
        for path, temporary in temporaries.items():
            write_all(temporary, contents[path], flags)
        for path, temporary in temporaries.items():
            os.replace(temporary, path)
    except BaseException:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
        raise
    for folder in folders:
        sync_folder(folder)


def write_unsynced(path: Path, content: bytes) -> None:
    """`write_atomically` for one of many files that can be made again: a power cut may leave an empty one.

    What kills left is not looked for: `remove_leftovers` does it once for all of them.
    """
    temporary = temporary_path(path)
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_all(path: Path, content: bytes, flags: int) -> None:
    """Writes every byte and syncs the file; raises `OSError`, also where the disk takes only a part."""
    descriptor = os.open(path, flags, 0o644)
    try:
        written = 0
        while written < len(content):
            count = os.write(descriptor, content[written:])
            if count == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written += count
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def append_line(path: Path, line: str) -> None:
    """Adds a line to a regular file; raises `OSError`, for a link and for a pipe, which nobody may read, too.

    It is not synced: what must not be lost is written by `write_atomically`, or by `HistoryWriter`.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    no_file = OSError(errno.EINVAL, f"{path.name} is no regular file", str(path))
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # What the system says of a link and of a pipe.
            raise no_file from None
        raise
    with open(descriptor, "a", encoding="utf-8") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise no_file
        file.write(f"{line}\n")


def file_system_time(folder: Path) -> float:
    """The time in seconds by the clock that stamps the files of a folder; raises `OSError`."""
    probe = temporary_path(folder / "clock")
    probe.touch()
    try:
        return os.lstat(probe).st_mtime
    finally:
        probe.unlink()


def sync_folder(folder: Path) -> None:
    """Syncs a folder, so that new and renamed files in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
