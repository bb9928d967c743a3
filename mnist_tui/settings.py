"""What a user has set for good, and what was used last: two small files in the user's own folders."""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import platformdirs

from mnist_tui.calls import did_you_mean
from mnist_tui.files import BadFile, read_text, write_atomically
from mnist_tui.spec import RunSpec, make_spec
from mnist_tui.text import clean_line

MAX_BYTES = 65_536


class SettingsError(ValueError):
    """A settings file or an environment variable that cannot be used; the message names it, the key and the way out."""


@dataclass(frozen=True)
class Settings:
    """Defaults of the laboratory; the command line comes before the environment, the project's file and the user's."""

    on_hangup: Literal["continue", "stop"] = "continue"
    """What becomes of a run whose terminal is closed."""
    theme: Literal["dark", "light"] = "dark"
    ascii: bool = False
    """Neither braille nor blocks nor boxes."""
    mouse: bool = True


def user_file() -> Path:
    """The user's settings."""
    return platformdirs.user_config_path("mnist-tui") / "config.toml"


PROJECT_FILE = Path("mnist-tui.toml")


def load() -> Settings:
    """The settings in force; raises `SettingsError`."""
    values: dict[str, Any] = {}
    for path in (user_file(), PROJECT_FILE):
        if path.exists():
            values |= _read(path)
    for item in fields(Settings):
        variable = f"MNIST_TUI_{item.name.upper()}"
        if variable in os.environ:
            text = os.environ[variable]
            values[item.name] = _checked(variable, item.name, {"true": True, "false": False}.get(text, text))
    return Settings(**values)


def _read(path: Path) -> dict[str, Any]:
    try:
        document: Mapping[str, Any] = tomllib.loads(read_text(path, MAX_BYTES))
    except BadFile as error:
        raise SettingsError(str(error)) from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: {clean_line(str(error), 300)}") from None
    known = [item.name for item in fields(Settings)]
    for key in document:
        if key not in known:
            near = did_you_mean(key, known) or f"; known are {', '.join(known)}"
            raise SettingsError(f"{path}: there is no setting {clean_line(key, 60)!r}{near}")
    return {key: _checked(str(path), key, value) for key, value in document.items()}


def _checked(where: str, name: str, value: Any) -> Any:
    hint = Settings.__dataclass_fields__[name].type
    allowed = get_args(hint) or (True, False)
    if value not in allowed or isinstance(value, bool) != isinstance(allowed[0], bool):
        shown = ", ".join("true" if item is True else "false" if item is False else str(item) for item in allowed)
        raise SettingsError(f"{where}: {name} must be one of {shown}, got {clean_line(str(value), 60)!r}")
    return value


# --- what was used last ---


def _memory() -> Path:
    return platformdirs.user_state_path("mnist-tui") / "last.json"


def remember(spec: RunSpec, base: RunSpec) -> None:
    """Keeps what is designed, and the preset it began from, for the next time; a failure does not matter."""
    document = {
        name: value.model_dump(mode="json", exclude_none=True) for name, value in (("spec", spec), ("base", base))
    }
    try:
        _memory().parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_memory(), json.dumps(document).encode())
    except OSError:
        pass


def last_used() -> tuple[RunSpec, RunSpec] | None:
    """The spec that was used last and the preset it began from; None before the first time.

    Raises `SettingsError` for a memory that cannot be read, or that this version refuses.
    """
    if not _memory().exists():
        return None
    try:
        document = json.loads(read_text(_memory(), 4 * MAX_BYTES))
        return make_spec(document["spec"]), make_spec(document["base"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SettingsError(f"what was used last cannot be opened: {_memory()}: {_why(error)}") from None


def _why(error: Exception) -> str:
    return clean_line(error.why if isinstance(error, BadFile) else str(error), 200)
