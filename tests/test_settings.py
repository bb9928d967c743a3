"""Settings from files and the environment, and the memory of what was used last."""

import json
from pathlib import Path

import pytest

from mnist_tui import presets, settings
from mnist_tui.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_user_file(text: str) -> None:
    """The user's settings."""
    settings.user_file().parent.mkdir(parents=True, exist_ok=True)
    settings.user_file().write_text(text)


def test_without_files() -> None:
    """Defaults, which let a run go on when its terminal is closed."""
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
    """With the file, the key and the nearest right word."""
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


def test_the_last_design_comes_back() -> None:
    """With the preset that it began from."""
    base = presets.load("iter4")
    spec = base.with_settings({"epochs": "3"})
    settings.remember(spec, base)

    assert settings.last_used() == (spec, base)


def test_nothing_is_remembered_before_the_first_time() -> None:
    """And that is no error."""
    assert settings.last_used() is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"spec": 1, "base": 2}', "\x00\xff", "[" * 100_000])
def test_a_damaged_memory_is_named(content: str) -> None:
    """One sentence, with the file; never a design that nobody made."""
    base = presets.load("iter4")
    settings.remember(base, base)
    (path,) = list(settings._memory().parent.iterdir())
    path.write_text(content, encoding="latin-1")

    with pytest.raises(SettingsError) as refused:
        settings.last_used()
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_memory_that_no_longer_fits_is_refused() -> None:
    """A spec that this version refuses is not opened."""
    base = presets.load("iter4")
    settings.remember(base, base)
    document = json.loads(settings._memory().read_text())
    document["spec"]["layers"] = "Linear(11)"
    settings._memory().write_text(json.dumps(document))

    with pytest.raises(SettingsError, match="what was used last cannot be opened"):
        settings.last_used()


def test_a_memory_that_cannot_be_written_does_not_matter(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    """The design is remembered for comfort; leaving the laboratory must not fail for it."""
    (project / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(project / "file"))
    base = presets.load("iter4")

    settings.remember(base, base)

    assert settings.last_used() is None
