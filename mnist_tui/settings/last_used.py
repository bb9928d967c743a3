"""What was designed last, kept for the next time: every text as typed, also where it is wrong."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from mnist_tui.errors import FileError, SettingsError
from mnist_tui.files import read_text, write_atomically
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.text import clean_line

MAX_BYTES = 2**20


@dataclass(frozen=True)
class LastUsed:
    """What was designed last."""

    draft: Draft
    run_texts: Mapping[str, str] = field(default_factory=dict)
    """What was typed of device, dataset and seeds."""


def _file() -> Path:
    return platformdirs.user_state_path("mnist-tui") / "last.json"


def remember(used: LastUsed) -> str:
    """Keeps a design for the next time; returns why that failed, "" where it did not: nothing else depends on it."""
    document = json.dumps({**used.draft.as_record(), "run": dict(used.run_texts)}, allow_nan=False)
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_file(), document.encode())
    except OSError as error:
        return f"{_file()} cannot be written: {error.strerror}"
    return ""


def last_used() -> LastUsed | None:
    """What was designed last; None before the first time.

    Raises `SettingsError` for a file that cannot be read, or that this version refuses.
    """
    if not _file().exists():
        return None
    try:
        return _parse(json.loads(read_text(_file(), MAX_BYTES)))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        why = clean_line(error.why if isinstance(error, FileError) else str(error), 200)
        raise SettingsError(f"what was used last cannot be opened: {_file()}: {why}") from None


def _parse(document: dict[str, Any]) -> LastUsed:
    if "spec" in document:  # Format of version 0.1.0: two specs, no texts.
        return LastUsed(Draft.of(make_spec(document["spec"]), make_spec(document["base"])))
    run_texts = {str(name): clean_line(str(text), 200) for name, text in document["run"].items()}
    return LastUsed(Draft.from_record(document), run_texts)
