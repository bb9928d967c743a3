"""What a user has set for good: small files in the user's own folder, and the project's."""

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import platformdirs

from mnist_tui.errors import FileError, SettingsError
from mnist_tui.files import no_place, read_text, write_atomically
from mnist_tui.settings import types
from mnist_tui.settings.types import SettingType, is_line
from mnist_tui.spec.run_options import Choice
from mnist_tui.text import clean_line, did_you_mean

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

MAX_BYTES = 65_536
MAX_PYPROJECT = 2**20

PROJECT_FILE = Path("mnist-tui.toml")
PYPROJECT = Path("pyproject.toml")


def _about(kind: SettingType, words: str, example: object = None) -> dict[str, Any]:
    return {"kind": kind, "words": words, "example": example}


@dataclass(frozen=True)
class Settings:
    """Defaults; the command line comes before the environment, the project's files and the user's.

    A relative path begins where mnist-tui is started, which is the folder that the project's files are in.
    """

    preset: str = field(
        default="iter5",
        metadata=_about(types.NAME, "What the laboratory opens on where nothing was used last: a name, or FILE.toml."),
    )
    device: str = field(
        default="auto",
        metadata=_about(types.DEVICE, "auto, cpu, cuda, cuda:0, cuda:1, … or mps; a resumed run keeps its own."),
    )
    dataset: Choice = field(
        default="auto",
        metadata=_about(types.one_of("auto", "mnist", "digits"), "auto, mnist or digits; auto falls back, loudly."),
    )
    threads: int | None = field(
        default=None,
        metadata=_about(types.COUNT, "Torch threads; without it all cores but one. A resumed run keeps its own.", 4),
    )
    runs_dir: Path = field(default=Path("runs"), metadata=_about(types.PATH, "Where run folders are made."))
    data_dir: Path | None = field(
        default=None,
        metadata=_about(types.PATH, "Where MNIST/raw is, or is downloaded to; no other folder is looked in.", "~/data"),
    )
    on_hangup: Literal["continue", "stop"] = field(
        default="continue",
        metadata=_about(
            types.one_of("continue", "stop"), "What becomes of a run whose terminal is closed: continue or stop."
        ),
    )
    theme: Literal["dark", "light"] = field(
        default="dark", metadata=_about(types.one_of("dark", "light"), "dark or light.")
    )
    ascii: bool = field(default=False, metadata=_about(types.BOOLEAN, "Neither braille nor blocks nor boxes."))
    mouse: bool = field(default=True, metadata=_about(types.BOOLEAN, "Use it, or leave it to the terminal."))
    columns: tuple[str, ...] = field(
        default=(  # Where there is little room, some of them give way: see tui/fitting.py.
            *("name", "seed", "state", "parameters", "curve", "best", "last"),
            *("gap", "epochs", "target", "when", "tag", "note"),
        ),
        metadata=_about(types.COLUMNS, "Columns of the table of runs, in their order."),
    )
    sort: str = field(
        default="-when", metadata=_about(types.NAME, "The column that the runs are sorted by; with - for falling.")
    )
    keymap: Mapping[str, str] = field(
        default_factory=dict,
        metadata=_about(types.KEYMAP, "Other keys for an action, several with commas.", {"leave": "ctrl+q"}),
    )


# --- where they come from ---


@dataclass(frozen=True)
class ResolvedSetting:
    """A setting in force."""

    value: Any
    origin: str
    """`default`, a file or a variable."""


def user_file() -> Path:
    """The user's settings."""
    return platformdirs.user_config_path("mnist-tui") / "config.toml"


def load() -> Settings:
    """The settings in force; raises `SettingsError`."""
    found = {key: one.value for key, one in resolved().items()}
    keymap = {key.removeprefix("keymap."): found.pop(key) for key in list(found) if key.startswith("keymap.")}
    return Settings(**found | {"keymap": keymap})


def resolved() -> dict[str, ResolvedSetting]:
    """Every setting with its origin, and one `keymap.ACTION` for each that has other keys; raises `SettingsError`."""
    found = {item.name: ResolvedSetting(getattr(Settings(), item.name), "default") for item in fields(Settings)}
    found |= of_file(user_file()) | _of_pyproject() | of_file(PROJECT_FILE) | _of_environment()
    if any(key.startswith("keymap.") for key in found):
        del found["keymap"]
    return found


def of_file(path: Path) -> dict[str, ResolvedSetting]:
    """What a file sets, nothing where there is none; raises `SettingsError`."""
    return _of_text(path, _read(path, MAX_BYTES)) if _is_there(path) else {}


def _of_text(path: Path, text: str) -> dict[str, ResolvedSetting]:
    return _of_document(str(path), _parsed(path, text))


def _of_pyproject() -> dict[str, ResolvedSetting]:
    """What `[tool.mnist-tui]` sets; a file that does not speak of it is not parsed."""
    text = _read(PYPROJECT, MAX_PYPROJECT) if _is_there(PYPROJECT) else ""
    tools = _parsed(PYPROJECT, text).get("tool") if "mnist-tui" in text else None
    ours = tools.get("mnist-tui", {}) if isinstance(tools, dict) else {}
    where = f"{PYPROJECT} [tool.mnist-tui]"
    if not isinstance(ours, dict):
        raise SettingsError(f"{where}: must be a table")
    return _of_document(where, ours)


def _of_environment() -> dict[str, ResolvedSetting]:
    """What variables set; an empty one sets nothing."""
    found: dict[str, ResolvedSetting] = {}
    for item in fields(Settings):
        variable = f"MNIST_TUI_{item.name.upper()}"
        if text := os.environ.get(variable):
            found |= _of_document(variable, {item.name: item.metadata["kind"].from_text(text)})
    return found


def _is_there(path: Path) -> bool:
    """Whether something is; what cannot be looked at is something, and reading it tells why."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _read(path: Path, limit: int) -> str:
    try:
        return read_text(path, limit)
    except FileError as error:
        raise SettingsError(str(error)) from None


def _parsed(path: Path, text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: {clean_line(str(error), 300)}") from None


def _of_document(where: str, document: Mapping[str, Any]) -> dict[str, ResolvedSetting]:
    """The checked settings of a file or a variable, with a setting of its own for each entry of the keymap."""
    flat = dict(document)
    if isinstance(flat.get("keymap"), dict):
        flat |= {f"keymap.{action}": keys for action, keys in flat.pop("keymap").items()}
    return {key: ResolvedSetting(checked(where, key, value), where) for key, value in flat.items()}


def checked(where: str, key: str, value: Any) -> Any:
    """What the program uses where a file says `value`; raises `SettingsError`, which begins with `where`."""
    kind = type_of(where, key)
    if not kind.is_right(value):
        shown = {True: "true", False: "false"}[value] if isinstance(value, bool) else clean_line(str(value), 60)
        raise SettingsError(f"{where}: {clean_line(key, 60)} must be {kind.must_be}, got {shown!r}")
    return kind.value(value)


def check_data_dir(where: str, folder: Path) -> None:
    """Raises `SettingsError`, beginning with `where`, for a folder that MNIST can be neither in nor downloaded to."""
    if why := no_place(folder):
        raise SettingsError(f"{where} {clean_line(str(folder), 200)}: {why}; name another one, or make it first")


def type_of(where: str, key: str) -> SettingType:
    """What a setting may be; raises `SettingsError` for an unknown one, with the nearest known."""
    if key.startswith("keymap.") and is_line(key):
        return types.KEYS
    known = {item.name: item.metadata["kind"] for item in fields(Settings)}
    if key not in known:
        near = did_you_mean(key, known) or f"; known are {', '.join(known)}"
        raise SettingsError(f"{where}: there is no setting {clean_line(key, 60)!r}{near}")
    kind: SettingType = known[key]
    return kind


# --- writing them ---


def write(key: str, value: object, path: Path | None = None) -> None:
    """Sets a key, or `keymap.ACTION`, in the user's file or in `path`; comments and order stay.

    Raises `SettingsError` for what would not be read again, which is not written, and `OSError`.
    """
    import tomlkit

    path = path or user_file()
    wanted = of_file(path) | {key: ResolvedSetting(checked(str(path), key, value), str(path))}
    document = _document(path)
    if key.startswith("keymap.") and "keymap" not in document:
        document["keymap"] = tomlkit.table()
    table, name = _place(document, key)
    table[name] = value
    text = tomlkit.dumps(document)
    if _of_text(path, text) != wanted:
        raise SettingsError(f"{path}: {key} cannot be set without changing something else; mnist-tui config edit can")
    save(path, text)


def unset(key: str, path: Path | None = None) -> None:
    """Takes a key, known or not, out of the user's file or `path`; raises `SettingsError` if absent, and `OSError`."""
    import tomlkit

    path = path or user_file()
    document = _document(path)
    table, name = _place(document, key)
    if name not in table:
        raise SettingsError(f"{path}: {clean_line(key, 60)} is not set there; mnist-tui config says where it is")
    del table[name]
    save(path, tomlkit.dumps(document))


def _document(path: Path) -> "TOMLDocument":
    import tomlkit

    text = _read(path, MAX_BYTES) if _is_there(path) else ""
    _parsed(path, text)
    try:
        return tomlkit.parse(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: {clean_line(str(error), 300)}") from None


def _place(document: "TOMLDocument", key: str) -> tuple[MutableMapping[str, Any], str]:
    """The table that a key is in, and its name there."""
    table = document.get("keymap")
    if key.startswith("keymap.") and isinstance(table, MutableMapping):
        return table, key.removeprefix("keymap.")
    return document, key


def save(path: Path, text: str) -> None:
    """Writes the file that `path` is or links to, with the rights that it had."""
    content = text.encode()
    if len(content) > MAX_BYTES:
        raise SettingsError(f"{path}: would be larger than {MAX_BYTES:,} bytes")
    _parsed(path, text)
    real = path.resolve()
    real.parent.mkdir(parents=True, exist_ok=True)
    rights = real.stat().st_mode & 0o777 if real.exists() else None
    write_atomically(real, content)
    if rights is not None:
        real.chmod(rights)
