"""Settings from files and the environment."""

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from mnist_tui.errors import SettingsError
from mnist_tui.settings import settings
from mnist_tui.settings.model import Settings


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, without any MNIST_TUI_ variable."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MNIST_TUI_")]:
        monkeypatch.delenv(name)
    return tmp_path


def write_user_file(text: str) -> None:
    """The user's settings."""
    settings.user_file().parent.mkdir(parents=True, exist_ok=True)
    settings.user_file().write_text(text)


def test_without_files() -> None:
    """The defaults, with which a run keeps training when its terminal is closed."""
    assert settings.load() == Settings()
    assert settings.load().on_hangup == "continue"


def test_environment_before_project_before_user(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source overrules the ones behind it, key by key."""
    write_user_file('on_hangup = "stop"\ntheme = "light"\nmouse = false\n')
    (project / "mnist-tui.toml").write_text('theme = "dark"\nmouse = true\n')
    monkeypatch.setenv("MNIST_TUI_MOUSE", "false")

    assert settings.load() == Settings(on_hangup="stop", theme="dark", mouse=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('on_hangpu = "stop"', "did you mean 'on_hangup'"),
        ('on_hangup = "sometimes"', "on_hangup must be one of continue, stop, got 'sometimes'"),
        ("mouse = 1", "mouse must be one of true, false, got '1'"),
        ("mouse = ", "config.toml: "),
    ],
)
def test_a_wrong_file_is_refused(text: str, words: str) -> None:
    """The error names the file, the key and the nearest valid word."""
    write_user_file(text)

    with pytest.raises(SettingsError) as refused:
        settings.load()
    assert words in str(refused.value)
    assert str(settings.user_file()) in str(refused.value)


def test_a_wrong_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable is named as it is written."""
    monkeypatch.setenv("MNIST_TUI_ON_HANGUP", "never")

    with pytest.raises(SettingsError, match="MNIST_TUI_ON_HANGUP: on_hangup must be one of"):
        settings.load()


LEVELS = [
    ("theme", '"light"', "dark", "light", "dark"),
    ("mouse", "false", "true", False, True),
    ("fuse", "false", "true", False, True),
    ("threads", "3", "5", 3, 5),
    ("preset", '"iter1"', "iter2", "iter1", "iter2"),
    ("brief", '"steps"', "session5", "steps", "session5"),
    ("device", '"cpu"', "cuda:1", "cpu", "cuda:1"),
    ("runs_dir", '"~/here"', "there", Path.home() / "here", Path("there")),
    ("columns", '["name", "best"]', "seed, last", ("name", "best"), ("seed", "last")),
    ("keymap", '{"leave" = "x"}', "leave=y,f3", {"leave": "x"}, {"leave": "y,f3"}),
]
"""For a key of each type: what a file and a variable say, and what the program makes of it."""


@pytest.mark.parametrize(("key", "line", "text", "by_file", "by_variable"), LEVELS, ids=[level[0] for level in LEVELS])
def test_each_level_comes_before_the_ones_behind_it(
    key: str, line: str, text: str, by_file: object, by_variable: object, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Default, user, pyproject, project, variable: each in its turn is the origin."""

    def in_force() -> tuple[object, str]:
        resolved = settings.resolved()
        return getattr(settings.load(), key), resolved.get(key, resolved.get(f"{key}.leave")).origin  # type: ignore[union-attr]

    assert in_force() == (getattr(Settings(), key), "default")
    write_user_file(f"{key} = {line}")
    assert in_force() == (by_file, str(settings.user_file()))
    (project / "pyproject.toml").write_text(f"[tool.mnist-tui]\n{key} = {line}")
    assert in_force() == (by_file, "pyproject.toml [tool.mnist-tui]")
    (project / "mnist-tui.toml").write_text(f"{key} = {line}")
    assert in_force() == (by_file, "mnist-tui.toml")
    monkeypatch.setenv(f"MNIST_TUI_{key.upper()}", text)
    assert in_force() == (by_variable, f"MNIST_TUI_{key.upper()}")


def test_every_key_has_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting can be set by a variable; an empty one sets nothing."""
    for key in Settings.model_fields:
        monkeypatch.setenv(f"MNIST_TUI_{key.upper()}", "")
    assert settings.load() == Settings()

    for key in Settings.model_fields:
        monkeypatch.setenv(f"MNIST_TUI_{key.upper()}", "\x1b")
        with pytest.raises(SettingsError) if key not in ("runs_dir", "data_dir") else nullcontext():
            settings.load()
        monkeypatch.delenv(f"MNIST_TUI_{key.upper()}")


def test_keymaps_are_laid_over_each_other(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of one action does not hide the other actions of the user's keymap."""
    write_user_file('[keymap]\nleave = "x"\ninterrupt = "i"\n')
    (project / "mnist-tui.toml").write_text('keymap.leave = "y"\n')
    monkeypatch.setenv("MNIST_TUI_KEYMAP", "start=t,f2")

    assert settings.load().keymap == {"leave": "y", "interrupt": "i", "start": "t,f2"}


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("mnist-tui.toml", "", "mnist-tui.toml: "),
        ("pyproject.toml", "[tool.mnist-tui]\n", "pyproject.toml [tool.mnist-tui]: "),
        ("home/config/mnist-tui/config.toml", "", "config.toml: "),
    ],
)
def test_an_unknown_key_is_refused_wherever_it_is(name: str, text: str, where: str, project: Path) -> None:
    """With the file, the key and the nearest right one; what drives a terminal is taken out."""
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text(f'{text}"run_dir\\u001b[31m" = 1\n')

    with pytest.raises(SettingsError) as refused:
        settings.load()
    assert f"{where}there is no setting 'run_dir\ufffd[31m'" in str(refused.value)

    (project / name).write_text(f"{text}run_dir = 1\n")
    with pytest.raises(SettingsError, match="there is no setting 'run_dir'; did you mean 'runs_dir'"):
        settings.load()


@pytest.mark.parametrize(
    "text", ["", "[tool.other]\nthem = 1\n", "this is no TOML", '[project]\nname = "mnist-tui"\n', "[tool]\nx = 1"]
)
def test_a_pyproject_of_others_sets_nothing(text: str, project: Path) -> None:
    """A pyproject.toml without a section for mnist-tui is ignored, even a damaged one."""
    (project / "pyproject.toml").write_text(text)

    assert settings.load() == Settings()


@pytest.mark.parametrize("text", ["tool.mnist-tui = 1", "tool = {mnist-tui = []}", "# mnist-tui\n["])
def test_a_damaged_pyproject_is_refused(text: str, project: Path) -> None:
    """A damaged pyproject.toml that mentions mnist-tui is refused."""
    (project / "pyproject.toml").write_text(text)

    with pytest.raises(SettingsError, match=r"pyproject\.toml"):
        settings.load()


@pytest.mark.parametrize("name", ["mnist-tui.toml", "pyproject.toml"])
def test_a_key_of_ten_thousand_parts_is_refused_at_once(name: str, project: Path) -> None:
    """Python's parser takes the square of their number: hours for a file as large as may be read."""
    (project / name).write_text(f"tool.mnist-tui{'.a' * 10_000} = 1")
    started = time.process_time()

    with pytest.raises(SettingsError, match=rf"{name}: a line has 10,001 dots, at most 1,000 are read"):
        settings.load()
    assert time.process_time() - started < 5


WRONG_VALUES = {
    "threads": ["0", "1025", "true", "2.0", '"four"'],
    "device": ['"gpu"', '"cuda:"', "1"],
    "dataset": ['"fashion"', "[]"],
    "runs_dir": ["1", '""', '"~nobody-of-that-name/runs"', '"a\\u0000b"'],
    "columns": ["[]", '"name"', "[1]", '[""]', '["a,b"]'],
    "sort": ['""', "1", '"\\u001b"'],
    "mouse": ['"true"', "1", "[true]"],
    "fuse": ['"no"', "0"],
    "keymap": ['"x"', "[]", "{leave = 1}", '{leave = ""}', '{leave = "a b"}', '{leave = "a,,b"}'],
}


@pytest.mark.parametrize(("key", "line"), [(key, line) for key, lines in WRONG_VALUES.items() for line in lines])
def test_a_value_of_another_type_is_refused(key: str, line: str) -> None:
    """Each with the file and the key, on one line, without what drives a terminal."""
    write_user_file(f"{key} = {line}")

    with pytest.raises(SettingsError) as refused:
        settings.load()
    assert str(refused.value).startswith(f"{settings.user_file()}: {key}")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["pyproject.toml", "mnist-tui.toml", "home/config/mnist-tui/config.toml"])
@pytest.mark.parametrize("damage", ["not UTF-8", "too large", "a pipe", "a folder", "a circle"])
def test_a_damaged_file_is_one_line(damage: str, name: str, project: Path) -> None:
    """Whichever file it is; nothing waits for a pipe."""
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    damages: dict[str, Callable[[], object]] = {
        "not UTF-8": lambda: path.write_bytes(b"# \xff"),
        "too large": lambda: path.write_text("#" * (2**20 + 1)),
        "a pipe": lambda: os.mkfifo(path),
        "a folder": path.mkdir,
        "a circle": lambda: path.symlink_to(path),
    }
    damages[damage]()

    with pytest.raises(SettingsError) as refused:
        settings.load()
    assert Path(name).name in str(refused.value)
    assert "\n" not in str(refused.value)


# --- writing ----------------------------------------------------------------------------------------------------------

WRITTEN = """\
# Mine.
theme = "light"  # the beamer

# Of the table.
columns = [
    "name",
]

[keymap]  # as in vi
leave = "Z"
# The end.
"""


def test_comments_survive_a_write() -> None:
    """And so does the order; a key that was not there is put before the first table."""
    write_user_file(WRITTEN)

    settings.write("theme", "dark")
    settings.write("columns", ["seed", "best"])
    settings.write("keymap.start", "T")
    settings.write("mouse", False)

    text = settings.user_file().read_text()
    comments = [line for line in WRITTEN.replace("  #", "\n#").splitlines() if line.startswith("#")]
    assert [text.index(comment) for comment in comments] == sorted(text.index(comment) for comment in comments)
    assert 'theme = "dark"  # the beamer' in text
    assert settings.load() == Settings(
        theme="dark", columns=("seed", "best"), mouse=False, keymap={"leave": "Z", "start": "T"}
    )


def test_what_was_set_can_be_unset() -> None:
    """A key can be removed, also one that this version does not know; the rest stays."""
    write_user_file(f"unheard = 1\n{WRITTEN}")

    settings.unset("unheard")
    settings.unset("keymap.leave")
    settings.unset("theme")

    assert "# Of the table." in settings.user_file().read_text()
    assert settings.load() == Settings(columns=("name",))
    with pytest.raises(SettingsError, match=r"config\.toml: theme is not set there"):
        settings.unset("theme")


@pytest.mark.parametrize(
    ("key", "value"), [("theme", "dim"), ("them", "dark"), ("threads", True), ("columns", []), ("keymap.x", "a b")]
)
def test_a_wrong_value_is_not_written(key: str, value: object) -> None:
    """The file stays as it was."""
    write_user_file(WRITTEN)

    with pytest.raises(SettingsError):
        settings.write(key, value)
    assert settings.user_file().read_text() == WRITTEN


@pytest.mark.parametrize("text", ["theme = ", "unheard = 1", "mouse = 1"])
def test_a_wrong_file_is_not_written(text: str) -> None:
    """A damaged file is not written to before it is repaired."""
    write_user_file(text)

    with pytest.raises(SettingsError, match=r"config\.toml"):
        settings.write("theme", "dark")
    assert settings.user_file().read_text() == text


def test_a_file_does_not_grow_too_large_to_be_read() -> None:
    """What is written can be read again."""
    write_user_file(text := "#" * 65_530)

    with pytest.raises(SettingsError, match="would be larger than 65,536 bytes"):
        settings.write("theme", "dark")
    assert settings.user_file().read_text() == text


def test_a_link_is_written_through(project: Path) -> None:
    """The file that it names is changed, and keeps its rights; the link stays."""
    (project / "dotfiles").mkdir()
    (project / "dotfiles" / "real.toml").write_text(WRITTEN)
    (project / "dotfiles" / "real.toml").chmod(0o600)
    settings.user_file().parent.mkdir(parents=True)
    settings.user_file().symlink_to(project / "dotfiles" / "real.toml")

    settings.write("theme", "dark")

    assert settings.user_file().is_symlink()
    assert 'theme = "dark"' in (project / "dotfiles" / "real.toml").read_text()
    assert (project / "dotfiles" / "real.toml").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (project / "dotfiles").iterdir()] == ["real.toml"]


@pytest.mark.parametrize(
    "text", ["", "\r\n# c\r\ntheme = 'dark'\r\n", "keymap.a = 'x'\n", "keymap = {a = 'x'}", "[keymap]", "# no break"]
)
def test_any_way_of_writing_can_be_added_to(text: str) -> None:
    """Tables, dotted keys and inline tables can be added to; what was there stays."""
    write_user_file(text)
    before = settings.load()

    settings.write("keymap.b", "y")
    settings.write("sort", "-best")

    assert settings.load() == before.model_copy(update={"sort": "-best", "keymap": {**before.keymap, "b": "y"}})


def test_a_crash_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash while writing leaves the old file or the new one, never a part of it."""
    write_user_file(WRITTEN)

    def full(descriptor: int, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        settings.write("theme", "dark")
    assert settings.user_file().read_text() == WRITTEN
    assert [path.name for path in settings.user_file().parent.iterdir()] == ["config.toml"]
