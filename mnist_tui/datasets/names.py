"""The names of data sets, as `--dataset` and `[data]` take them."""

from mnist_tui.datasets.published import PUBLISHED
from mnist_tui.datasets.record import FOLDER, DataSet
from mnist_tui.text import clean_line, did_you_mean

AUTO = "auto"
"""The choice of a preset's own data set; of MNIST where it names none."""
CHOICES = (AUTO, *PUBLISHED)
"""What may be chosen beside a folder of one's own."""
WORDS = f"one of {', '.join(CHOICES)}, or {FOLDER}PATH"


def check(name: str) -> str:
    """The name, where it is that of a data set or of a folder; raises `ValueError` with the nearest known name."""
    if name in PUBLISHED or (name.startswith(FOLDER) and len(name) > len(FOLDER) and "\0" not in name):
        return name
    near = did_you_mean(name, PUBLISHED) or f"; known are {', '.join(PUBLISHED)}, or {FOLDER}PATH"
    raise ValueError(f"there is no data set {clean_line(name, 60)!r}{near}")


def is_known(name: str) -> bool:
    """Whether `--dataset` takes a name."""
    return name in PUBLISHED or name.startswith(FOLDER)


def check_choice(name: str) -> str:
    """The same, or `auto`."""
    return name if name == AUTO else check(name)


def title(name: str | None) -> str:
    """What a data set is called in sentences; a folder by its path."""
    known: DataSet | None = PUBLISHED.get(name or "")
    return known.title if known else clean_line(name or "unknown data", 60)


def needs_files(name: str) -> bool:
    """Whether a data set is one of those whose files are downloaded."""
    return name == AUTO or bool(name in PUBLISHED and PUBLISHED[name].files)
