"""The folder of this program's own logs, and crash.log in it: the traceback of a defect of this program."""

from pathlib import Path

from mnist_tui.text import clean, clean_line

MAX_CHARACTERS = 1_000_000


def log_folder() -> Path:
    """The folder of this program's own logs, which is made; raises `OSError`."""
    from platformdirs import user_log_path  # 20 ms, for what hardly ever happens.

    folder = user_log_path("mnist-tui")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def keep_traceback(details: str) -> str:
    """Writes a traceback to crash.log; returns where it is, in words, or why it is nowhere."""
    try:
        path = log_folder() / "crash.log"
        path.write_text(clean(details, MAX_CHARACTERS), encoding="utf-8")
    except OSError as error:
        place = clean_line(str(error.filename or "crash.log"))
        return f"the traceback cannot be written: {place}: {error.strerror}"
    return f"the traceback is in {clean_line(str(path))}"
