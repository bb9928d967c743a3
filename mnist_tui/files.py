"""Files read as what they are: from outside. Bounded, regular, and every failure one clear error."""

import os
import stat
from pathlib import Path


class BadFile(ValueError):
    """A file that cannot be used; the message begins with its path and says why and what to do."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes; raises `BadFile`.

    The file is opened without blocking, so that a pipe in its place cannot hold the program.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadFile(path, error.strerror or "cannot be opened") from None
    except ValueError:
        raise BadFile(path, "is no file name") from None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BadFile(path, "is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise BadFile(path, f"is larger than {limit:,} bytes")
    return content


def read_text(path: Path, limit: int) -> str:
    """`read_bytes` as UTF-8 text; raises `BadFile`."""
    try:
        return read_bytes(path, limit).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadFile(path, f"is not UTF-8 text (byte {error.start})") from None
