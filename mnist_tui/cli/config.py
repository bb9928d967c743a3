"""`mnist-tui config`: prints the settings with their origins, sets them, opens their file."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mnist_tui.cli.arguments import AsJson, examples
from mnist_tui.cli.completion import complete_settings
from mnist_tui.cli.formats import json_text, record
from mnist_tui.cli.parsing import WordsCommand
from mnist_tui.editor import edit
from mnist_tui.errors import BriefError, ColumnError, SettingsError, StorageError
from mnist_tui.runs import columns
from mnist_tui.settings import settings
from mnist_tui.settings.model import DEFAULTS, Settings, from_text, help_of
from mnist_tui.settings.settings import ResolvedSetting
from mnist_tui.text import clean, clean_line

app = typer.Typer()

Key = Annotated[
    str,
    typer.Argument(
        metavar="KEY", help="A setting; keymap.ACTION.", autocompletion=complete_settings, show_default=False
    ),
]
IsProject = Annotated[bool, typer.Option("--project", help="./mnist-tui.toml instead of your own file.")]

ORDER = """\
The command line comes before the environment (MNIST_TUI_THEME, and so on for every key; MNIST_TUI_KEYMAP is
"ACTION=KEYS ACTION=KEYS"), that before ./mnist-tui.toml, that before [tool.mnist-tui] in ./pyproject.toml, and that
before your own file."""

HEAD = """\
# The settings of mnist-tui. `mnist-tui config` prints those in force, and where each comes from.
# What stands here behind a # is the default, or an example.
"""


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "mnist-tui config",
        "mnist-tui config get device",
        "mnist-tui config set columns name,seed,best",
        "mnist-tui config set keymap.leave ctrl+q",
        "mnist-tui config unset device --project",
        more=ORDER,
    ),
)
def print_settings(context: typer.Context, as_json: AsJson = False) -> int:
    """Print every setting and where it comes from; change settings."""
    if context.invoked_subcommand is None:
        resolved = settings.resolved()
        print(_as_json(resolved) if as_json else clean("\n".join(table(resolved)), 1_000_000))
    return 0


@app.command("get", epilog=examples("mnist-tui config get device", "mnist-tui config get keymap"))
def print_setting(key: Key, as_json: AsJson = False) -> int:
    """Print the value of one setting, as `config set` takes it."""
    resolved = {name: setting for name, setting in settings.resolved().items() if key in (name, name.partition(".")[0])}
    if not resolved:
        settings.check_key("config get", key)
        raise SettingsError(f"{key} is not set; mnist-tui config lists what is")
    if as_json:
        print(_as_json(resolved))
    elif key == "keymap":
        actions = (f"{name.partition('.')[2]}={setting.value}" for name, setting in resolved.items() if setting.value)
        print(clean(" ".join(actions)))
    else:
        print(clean(as_text(resolved[key].value)))
    return 0


@app.command(
    "set",
    cls=WordsCommand,
    epilog=examples("mnist-tui config set sort -best", "mnist-tui config set runs_dir ~/runs --project"),
)
def set_setting(
    key: Key,
    text: Annotated[str, typer.Argument(metavar="VALUE", help="As `config get` prints it.", show_default=False)],
    is_project: IsProject = False,
) -> int:
    """Set a setting in your own file, or in the project's.

    Comments in the file stay.
    """
    settings.check_key("config set", key)
    if key == "keymap":
        raise SettingsError("config set keymap: one action at a time, as in: mnist-tui config set keymap.leave ctrl+q")
    value = settings.check_value("config set", key, from_text(key, text))
    if key == "data_dir":
        settings.check_data_dir("config set data_dir", value)
    if key == "brief":
        _check_brief(text)
    if key in ("columns", "sort"):
        _check_columns(key, value if key == "columns" else (value.removeprefix("-"),))
    if key.startswith("keymap."):
        _check_keymap(key.removeprefix("keymap."), text)
    path = _file(is_project)
    _write(path, lambda: settings.write(key, from_text(key, text), path))
    _warn_if_hidden(path, key)
    return 0


def _file(is_project: bool) -> Path:
    return settings.PROJECT_FILE if is_project else settings.user_file()


def _check_brief(name: str) -> None:
    """Raises `BriefError` for a brief that is not there, or whose file cannot be used."""
    from mnist_tui.spec import briefs

    try:
        briefs.load(name)
    except BriefError as error:
        raise BriefError(f"config set brief: {error}") from None


def _check_columns(key: str, names: Sequence[str]) -> None:
    """Raises `ColumnError` where a setting names a column that there is not."""
    try:
        columns.chosen(names)
    except ColumnError as error:
        raise ColumnError(f"config set {key}: {error}") from None


def _check_keymap(action: str, keys: str) -> None:
    """Raises `SettingsError` for an unknown action or key; warns of an action that has no key left."""
    from mnist_tui.tui import keys as bindings  # 0.3 s: only here.

    if wrong := next(bindings.unknown({action: keys}), None):
        raise SettingsError(f"config set: {wrong}")
    keymap = {**settings.load().keymap, action: keys}
    for problem in set(bindings.problems(keymap)) - set(bindings.unknown(keymap)):
        print(clean_line(f"mnist-tui: {problem}"), file=sys.stderr)


def _warn_if_hidden(path: Path, key: str) -> None:
    origin = settings.resolved()[key].origin
    if origin != str(path):
        print(clean_line(f"mnist-tui: {path}: {key} is set, but {origin} comes before it"), file=sys.stderr)


@app.command("unset", epilog=examples("mnist-tui config unset device"))
def unset_setting(key: Key, is_project: IsProject = False) -> int:
    """Remove a setting from your own file, or from the project's."""
    path = _file(is_project)
    _write(path, lambda: settings.unset(key, path))
    return 0


def _write(path: Path, write: Callable[[], None]) -> None:
    try:
        write()
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None


@app.command("edit", epilog=examples("mnist-tui config edit", "mnist-tui config edit --project"))
def edit_file(is_project: IsProject = False) -> int:
    """Open the file in your editor, and check it afterwards.

    The editor is $VISUAL or $EDITOR. A new file documents every key.
    """
    path = _file(is_project)
    if not path.exists():
        _write(path, lambda: settings.save(path, template()))
    if not path.is_file():
        raise SettingsError(f"{path}: is not a regular file")
    code = edit(path)
    settings.of_file(path)
    if code:
        raise SettingsError(f"the editor ended with exit code {code}; {path} can be used as it is")
    return 0


@app.command("path")
def print_path(is_project: IsProject = False, as_json: AsJson = False) -> int:
    """Print where your own file is, or the project's."""
    path = _file(is_project)
    print(json_text(str(path)) if as_json else clean_line(str(path)))
    return 0


# --- settings as text ---


def table(resolved: Mapping[str, ResolvedSetting]) -> list[str]:
    """Aligned lines of key, value and origin."""
    rows = [(key, as_text(setting.value) or "-", setting.origin) for key, setting in resolved.items()]
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


def _as_json(resolved: Mapping[str, ResolvedSetting]) -> str:
    values = {key: {"value": _plain(setting.value), "origin": setting.origin} for key, setting in resolved.items()}
    return json_text({key: record(each) for key, each in values.items()})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


def template() -> str:
    """A file that sets nothing and documents every key."""
    parts = [HEAD]
    for key, field in Settings.model_fields.items():
        value = field.examples[0] if field.examples else getattr(DEFAULTS, key)
        parts.append(f"# {help_of(key)}\n{_commented(key, value)}\n")
    return "\n".join(parts)


def _commented(key: str, value: Any) -> str:
    if isinstance(value, dict):  # Without a table of its own, behind which no other key could be put.
        return "\n".join(_commented(f"{key}.{action}", keys) for action, keys in value.items())
    return f"# {key} = {json.dumps(_plain(value))}"  # What JSON says of these, TOML says too.
