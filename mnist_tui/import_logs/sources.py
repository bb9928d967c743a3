"""Files, folders and standard input as logs: text of any kind, Markdown, notebooks, TensorBoard's event files."""

import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_tui.errors import FileError, LogError
from mnist_tui.files import read_bytes
from mnist_tui.import_logs.notebook import heading_in, logs_of_notebook
from mnist_tui.import_logs.readings import Log
from mnist_tui.import_logs.tensorboard_form import event_files
from mnist_tui.import_logs.terminal_text import lines_of
from mnist_tui.text import clean_line

MAX_BYTES = 48 * 2**20
"""The largest file that is read; notebooks with pictures have a few MB."""
STDIN = "-"


@dataclass(frozen=True)
class Source:
    """The logs in a file."""

    name: str
    """The file's name; `standard input` for `-`."""
    stem: str
    """What runs are named after."""
    sha256: str | None
    """Of the file; None for a folder."""
    logs: Sequence[Log]


def read_source(named: str) -> Source:
    """The logs in a file, in TensorBoard's folder, or in standard input for `-`.

    Raises `FileError` for what cannot be read, and `LogError`, whose message begins with the name, for what is no text.
    """
    path = Path(named)
    if named != STDIN and event_files(path):
        sha256 = None if path.is_dir() else hashlib.sha256(read_bytes(path, MAX_BYTES)).hexdigest()
        return Source(path.name, path.stem if path.is_dir() else path.absolute().parent.name, sha256, [Log(path=path)])
    if named != STDIN and path.is_dir():
        raise FileError(path, "is a folder without TensorBoard's event files; name a file in it")
    content = _stdin() if named == STDIN else read_bytes(path, MAX_BYTES)
    name, stem = ("standard input", "log") if named == STDIN else (path.name, path.stem)
    try:
        logs = _logs(_decode(content), path.suffix.lower())
    except LogError as error:
        raise LogError(f"{clean_line(named, 200)}: {error}") from None
    return Source(clean_line(name, 200), stem, hashlib.sha256(content).hexdigest(), logs)


def _stdin() -> bytes:
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise FileError(Path(STDIN), f"is larger than {MAX_BYTES:,} bytes")
    return content


def _decode(content: bytes) -> str:
    """Bytes as text: UTF-8, or UTF-16 as PowerShell writes it; damaged characters are replaced."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        raise LogError("is no text, and none of TensorBoard's event files")
    return content.decode("utf-8-sig", errors="replace")


def _logs(text: str, suffix: str) -> list[Log]:
    if suffix == ".ipynb" or (text.lstrip()[:1] == "{" and '"cells"' in text):
        return list(logs_of_notebook(text))
    if suffix not in (".md", ".markdown"):
        return [Log(lines_of(text))]
    return _sections(text)


def _sections(markdown: str) -> list[Log]:
    """A Markdown file cut at its headings; the lines keep their numbers."""
    lines = lines_of(markdown)
    starts = [line.number for line in lines if re.match(r"#{1,6}\s", line.text)]
    sections = []
    for low, high in zip([0, *starts], [*starts, sys.maxsize], strict=True):
        section = [line for line in lines if low <= line.number < high]
        if section:
            sections.append(Log(section, heading=heading_in(section[0].text)))
    return sections
