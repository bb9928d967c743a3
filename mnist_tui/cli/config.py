"""`mnist-tui config`: prints the settings with their origins, sets one, opens their file."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from mnist_tui.editor import edit
from mnist_tui.errors import SettingsError
from mnist_tui.settings import settings
from mnist_tui.settings.settings import ResolvedSetting, Settings
from mnist_tui.text import clean, clean_line, did_you_mean

EPILOG = """\
  mnist-tui config                              every setting, its value, and where it comes from
  mnist-tui config get KEY                      one value
  mnist-tui config set KEY VALUE [--project]    columns as name,seed,best; keymap.ACTION for a key of the dashboard
  mnist-tui config unset KEY [--project]
  mnist-tui config edit [--project]             in $VISUAL or $EDITOR; a new file documents every key
  mnist-tui config path [--project]             where the file is

The command line comes before the environment (MNIST_TUI_THEME, and so on for every key; MNIST_TUI_KEYMAP is
"ACTION=KEYS ACTION=KEYS"), that before ./mnist-tui.toml, that before [tool.mnist-tui] in ./pyproject.toml, and that
before the user's file. --project means ./mnist-tui.toml instead of the user's file.
"""

HEAD = """\
# The settings of mnist-tui. `mnist-tui config` prints those in force, and where each comes from.
# What stands here behind a # is the default, or an example.
"""


def run(arguments: Sequence[str], new_parser: Callable[..., argparse.ArgumentParser]) -> int:
    """The command with its arguments; the exit code. Raises `SettingsError`."""
    parser = new_parser(
        prog="mnist-tui config",
        usage="mnist-tui config [get | set | unset | edit | path] [--project] [--json]",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--project", action="store_true", help="./mnist-tui.toml, not the user's file")
    parser.add_argument("--json", action="store_true", help="JSON, with value and origin")
    flags = [word for word in arguments if word.startswith("--") or word == "-h"]
    words = [word for word in arguments if word not in flags]  # `-best` is a value here, not an option.
    options = parser.parse_args([*flags, "--", *words])
    return _do(options.words, settings.PROJECT_FILE if options.project else settings.user_file(), options.json)


def _do(words: Sequence[str], path: Path, as_json: bool) -> int:
    if not words:
        print(_as_json(settings.resolved()) if as_json else clean("\n".join(table(settings.resolved())), 1_000_000))
        return 0
    if words[0] not in ACTIONS:
        near = did_you_mean(words[0], ACTIONS) or f"; known are {', '.join(ACTIONS)}"
        raise SettingsError(f"there is no config {clean_line(words[0], 60)!r}{near}")
    wanted, do = ACTIONS[words[0]]
    if len(words) - 1 != len(wanted):
        raise SettingsError(f"config {words[0]} takes {' and '.join(wanted) or 'nothing more'}")
    do(path, as_json, *words[1:])
    return 0


def _get(path: Path, as_json: bool, key: str) -> None:
    found = settings.resolved()
    chosen = {name: one for name, one in found.items() if key in (name, name.partition(".")[0])}
    if not chosen:
        settings.type_of("config get", key)
        raise SettingsError(f"{key} is not set; mnist-tui config lists what is")
    if as_json:
        print(_as_json(chosen))
    elif key == "keymap":
        print(clean(" ".join(f"{name.partition('.')[2]}={one.value}" for name, one in chosen.items() if one.value)))
    else:
        print(clean(as_text(chosen[key].value)))


def _set(path: Path, as_json: bool, key: str, text: str) -> None:
    kind = settings.type_of("config set", key)
    if key == "keymap":
        raise SettingsError("config set keymap: one action at a time, as in: mnist-tui config set keymap.leave ctrl+q")
    value = settings.checked("config set", key, kind.from_text(text))
    if key == "data_dir":
        settings.check_data_dir("config set data_dir", value)
    if action := key.removeprefix("keymap.") if key.startswith("keymap.") else "":
        _check_keymap(action, text)
    _write(path, lambda: settings.write(key, kind.from_text(text), path))
    _say_if_hidden(path, key)


def _check_keymap(action: str, keys: str) -> None:
    """Refuses an action or a key that there is none of; an action that this leaves without a key is said."""
    from mnist_tui.tui import keys as bindings  # Only who sets a key waits for the screens.

    if wrong := next(bindings.unknown({action: keys}), None):
        raise SettingsError(f"config set: {wrong}")
    kept = {name: one.value for name, one in settings.resolved().items() if name.startswith("keymap.")}
    keymap = {name.removeprefix("keymap."): value for name, value in kept.items()} | {action: keys}
    for problem in set(bindings.problems(keymap)) - set(bindings.unknown(keymap)):
        print(clean_line(f"mnist-tui: {problem}"), file=sys.stderr)


def _say_if_hidden(path: Path, key: str) -> None:
    origin = settings.resolved()[key].origin
    if origin != str(path):
        print(clean_line(f"mnist-tui: {path}: {key} is set, but {origin} comes before it"), file=sys.stderr)


def _unset(path: Path, as_json: bool, key: str) -> None:
    _write(path, lambda: settings.unset(key, path))


def _write(path: Path, write: Callable[[], None]) -> None:
    try:
        write()
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None


def _edit(path: Path, as_json: bool) -> None:
    """Opens the file; raises `SettingsError` where what is in it afterwards cannot be used, and leaves it so.

    Raises `EditorError` where the editor cannot be opened.
    """
    if not path.exists():
        _write(path, lambda: settings.save(path, template()))
    if not path.is_file():
        raise SettingsError(f"{path}: is not a regular file")
    code = edit(path)
    settings.of_file(path)
    if code:
        raise SettingsError(f"the editor ended with exit code {code}; {path} can be used as it is")


def _path(path: Path, as_json: bool) -> None:
    print(json.dumps(str(path)) if as_json else clean_line(str(path)))


ACTIONS: dict[str, tuple[tuple[str, ...], Callable[..., None]]] = {
    "get": (("KEY",), _get),
    "set": (("KEY", "VALUE"), _set),
    "unset": (("KEY",), _unset),
    "edit": ((), _edit),
    "path": ((), _path),
}
"""For each word: the words behind it, and what does it."""


# --- settings as text ---


def table(found: Mapping[str, ResolvedSetting]) -> list[str]:
    """Aligned lines of key, value and origin."""
    rows = [(key, as_text(one.value) or "-", one.origin) for key, one in found.items()]
    wide = max(len(key) for key, _, _ in rows)
    wider = min(40, max(len(value) for _, value, _ in rows))  # A long value does not push the others' origins away.
    return [clean_line(f"{key:<{wide}}  {value:<{wider}}  {origin}", 10_000) for key, value, origin in rows]


def as_text(value: object) -> str:
    """A value as `config set` takes it; nothing for one that is not there."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value) if value not in (None, {}) else ""


def _as_json(found: Mapping[str, ResolvedSetting]) -> str:
    return json.dumps({key: {"value": _plain(one.value), "origin": one.origin} for key, one in found.items()})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


def template() -> str:
    """A file that sets nothing and documents every key."""
    parts = [HEAD]
    for item in fields(Settings):
        value = item.metadata["example"] or getattr(Settings(), item.name)
        parts.append(f"# {item.metadata['words']}\n{_commented(item.name, value)}\n")
    return "\n".join(parts)


def _commented(key: str, value: Any) -> str:
    if isinstance(value, dict):  # Without a table of its own, behind which no other key could be put.
        return "\n".join(_commented(f"{key}.{action}", keys) for action, keys in value.items())
    return f"# {key} = {json.dumps(_plain(value))}"  # What JSON says of these, TOML says too.
