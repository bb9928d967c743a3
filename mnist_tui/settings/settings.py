"""Where the settings come from: the environment, the project's files, the user's file; and writing them.

The command line comes before the environment, that before ./mnist-tui.toml, that before [tool.mnist-tui] in
./pyproject.toml, and that before the user's file.
"""

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from mnist_tui.errors import FileError, SettingsError
from mnist_tui.files import no_place, parse_toml, read_text, write_atomically
from mnist_tui.settings.model import DEFAULTS, Settings, WrongSetting, from_text, must_be, validate
from mnist_tui.text import clean_line, did_you_mean

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

MAX_BYTES = 65_536
MAX_PYPROJECT = 2**20

PROJECT_FILE = Path("mnist-tui.toml")
PYPROJECT = Path("pyproject.toml")


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
    """The settings in force, without the command line; raises `SettingsError`."""
    values = {key: setting.value for key, setting in resolved().items()}
    keymap = {action: values.pop(key) for key in list(values) if (action := _action(key)) is not None}
    return DEFAULTS.model_copy(update=values | {"keymap": keymap})


def resolved() -> dict[str, ResolvedSetting]:
    """Every setting with its origin, and `keymap.ACTION` for each action with other keys; raises `SettingsError`."""
    settings = {key: ResolvedSetting(getattr(DEFAULTS, key), "default") for key in Settings.model_fields}
    settings |= of_file(user_file()) | _of_pyproject() | of_file(PROJECT_FILE) | _of_environment()
    if any(key.startswith("keymap.") for key in settings):
        del settings["keymap"]
    return settings


def of_file(path: Path) -> dict[str, ResolvedSetting]:
    """What a file sets, nothing where there is none; raises `SettingsError`."""
    return _of_text(path, _read(path, MAX_BYTES)) if _is_there(path) else {}


def _of_text(path: Path, text: str) -> dict[str, ResolvedSetting]:
    return _of_document(str(path), _parse(path, text))


def _of_pyproject() -> dict[str, ResolvedSetting]:
    """What `[tool.mnist-tui]` sets; a file without the word is not parsed."""
    text = _read(PYPROJECT, MAX_PYPROJECT) if _is_there(PYPROJECT) else ""
    tools = _parse(PYPROJECT, text).get("tool") if "mnist-tui" in text else None
    ours = tools.get("mnist-tui", {}) if isinstance(tools, dict) else {}
    where = f"{PYPROJECT} [tool.mnist-tui]"
    if not isinstance(ours, dict):
        raise SettingsError(f"{where}: must be a table")
    return _of_document(where, ours)


def _of_environment() -> dict[str, ResolvedSetting]:
    """What variables set; an empty one sets nothing."""
    values: dict[str, ResolvedSetting] = {}
    for key in Settings.model_fields:
        variable = f"MNIST_TUI_{key.upper()}"
        if text := os.environ.get(variable):
            values |= _of_document(variable, {key: from_text(key, text)})
    return values


def _is_there(path: Path) -> bool:
    """Whether there is something at `path`; if that cannot be told, reading it says why."""
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


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: {clean_line(str(error), 300)}") from None


def _of_document(where: str, document: Mapping[str, Any]) -> dict[str, ResolvedSetting]:
    """The validated settings of a file or a variable; each entry of the keymap is a setting of its own."""
    values = _validate(where, document)
    settings = {key: ResolvedSetting(getattr(values, key), where) for key in document if key != "keymap"}
    actions = values.keymap if "keymap" in document else {}
    return settings | {f"keymap.{action}": ResolvedSetting(keys, where) for action, keys in actions.items()}


def _validate(where: str, document: Mapping[str, Any]) -> Settings:
    values = validate(document)
    if isinstance(values, WrongSetting):
        if not values.is_known:
            raise _unknown(where, values.key)
        value = str(values.value).lower() if isinstance(values.value, bool) else str(values.value)
        key = clean_line(values.key, 60)
        raise SettingsError(f"{where}: {key} must be {must_be(values.key)}, got {clean_line(value, 60)!r}")
    return values


def _unknown(where: str, key: str) -> SettingsError:
    near = did_you_mean(key, Settings.model_fields) or f"; known are {', '.join(Settings.model_fields)}"
    return SettingsError(f"{where}: there is no setting {clean_line(key, 60)!r}{near}")


def check_key(where: str, key: str) -> None:
    """Raises `SettingsError`, beginning with `where`, unless there is a setting `key`; `keymap.ACTION` is one."""
    if key not in Settings.model_fields and not key.startswith("keymap."):
        raise _unknown(where, key)


def check_value(where: str, key: str, value: Any) -> Any:
    """The value that the program uses where a file says `value`; raises `SettingsError`, beginning with `where`."""
    action = _action(key)
    values = _validate(where, {"keymap": {action: value}} if action is not None else {key: value})
    return values.keymap[action] if action is not None else getattr(values, key)


def _action(key: str) -> str | None:
    """The action of a key `keymap.ACTION`; None for other keys."""
    return key.removeprefix("keymap.") if key.startswith("keymap.") else None


def check_data_dir(where: str, folder: Path) -> None:
    """Raises `SettingsError`, beginning with `where`, for a folder that MNIST can be neither in nor downloaded to."""
    if why := no_place(folder):
        raise SettingsError(f"{where} {clean_line(str(folder), 200)}: {why}; name another one, or make it first")


# --- writing them ---


def write(key: str, value: object, path: Path | None = None) -> None:
    """Sets a key, or `keymap.ACTION`, in the user's file or in `path`; comments and order stay.

    Raises `SettingsError` for what would not be read again, which is not written, and `OSError`.
    """
    import tomlkit

    path = path or user_file()
    expected = of_file(path) | {key: ResolvedSetting(check_value(str(path), key, value), str(path))}
    document = _document(path)
    if key.startswith("keymap.") and "keymap" not in document:
        document["keymap"] = tomlkit.table()
    table, name = _place(document, key)
    table[name] = value
    text = tomlkit.dumps(document)
    if _of_text(path, text) != expected:
        raise SettingsError(f"{path}: {key} cannot be set without changing something else; mnist-tui config edit can")
    save(path, text)


def unset(key: str, path: Path | None = None) -> None:
    """Removes a key, known or not, from the user's file or `path`; raises `SettingsError` if absent, and `OSError`."""
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
    _parse(path, text)
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
    _parse(path, text)
    real = path.resolve()
    real.parent.mkdir(parents=True, exist_ok=True)
    rights = real.stat().st_mode & 0o777 if real.exists() else None
    write_atomically(real, content)
    if rights is not None:
        real.chmod(rights)
