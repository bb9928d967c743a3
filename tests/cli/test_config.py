"""`mnist-tui config`, what the commands make of the settings, and the keymap on the screen."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from helpers.command import Command
from textual.binding import Binding

from mnist_tui import editor as editor_module
from mnist_tui.cli import config as config_commands
from mnist_tui.cli import lab as lab_commands
from mnist_tui.settings import settings
from mnist_tui.settings.last_used import LastUsed, remember
from mnist_tui.settings.model import Settings
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options
from mnist_tui.tui import keys, terminal
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.request import LabRequest
from mnist_tui.tui.runner import Runner

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, without any MNIST_TUI_ variable."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for name in [name for name in os.environ if name.startswith("MNIST_TUI_")] + ["VISUAL", "EDITOR"]:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "work"


@pytest.fixture
def editor(work: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes `$VISUAL` a program, with an argument, that does what a shell line says with the file `$2`."""
    monkeypatch.setattr(editor_module, "has_terminal", lambda: True)

    def use(line: str) -> None:
        (work / "editor").write_text(f"#!/bin/sh\n{line}\n")
        (work / "editor").chmod(0o755)
        monkeypatch.setenv("VISUAL", f"{work / 'editor'} --wait")
        monkeypatch.setenv("EDITOR", "false")

    return use


# --- printing ---------------------------------------------------------------------------------------------------------


def test_every_value_with_its_origin(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """`config` lists key, value and origin (default, file or variable) in aligned columns."""
    settings.write("threads", 3)
    settings.write("keymap.leave", "x,ctrl+q")
    Path("mnist-tui.toml").write_text('runs_dir = "~/mine"\n')
    Path("pyproject.toml").write_text('[tool.mnist-tui]\ntheme = "light"\n')
    monkeypatch.setenv("MNIST_TUI_COLUMNS", "name,best")

    code, out, err = command("config")

    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in out.splitlines()}
    user = str(settings.user_file())
    assert (code, err) == (0, "")
    assert list(rows) == [*list(Settings.model_fields)[:-1], "keymap.leave"]
    assert rows["preset"] == ["iter5", "default"]
    assert rows["data_dir"] == ["-", "default"]
    assert rows["threads"] == ["3", user]
    assert rows["keymap.leave"] == ["x,ctrl+q", user]
    assert rows["theme"] == ["light", "pyproject.toml [tool.mnist-tui]"]
    assert rows["runs_dir"] == [str(Path.home() / "mine"), "mnist-tui.toml"]
    assert rows["columns"] == ["name,best", "MNIST_TUI_COLUMNS"]
    assert len({line.index(rows[line.split()[0]][1]) for line in out.splitlines()}) == 1


def test_the_same_as_json(command: Command) -> None:
    """`config --json` keeps the types of the values."""
    settings.write("columns", ["name", "best"])

    code, out, _ = command("config", "--json")

    values = json.loads(out)
    assert code == 0
    assert {setting.pop("format") for setting in values.values()} == {1}
    assert values["columns"] == {"value": ["name", "best"], "origin": str(settings.user_file())}
    assert values["runs_dir"] == {"value": "runs", "origin": "default"}
    assert values["mouse"] == {"value": True, "origin": "default"}
    assert values["threads"] == {"value": None, "origin": "default"}


def test_one_value(command: Command) -> None:
    """`config get` prints a value in the form that `config set` accepts."""
    settings.write("keymap.leave", "x")

    assert command("config", "get", "mouse") == (0, "true\n", "")
    assert command("config", "get", "threads") == (0, "\n", "")
    assert command("config", "get", "keymap") == (0, "leave=x\n", "")
    assert command("config", "get", "keymap.leave") == (0, "x\n", "")
    assert json.loads(command("config", "get", "sort", "--json")[1])["sort"]["value"] == "-when"


def test_where_the_files_are(command: Command) -> None:
    """`config path` prints the files of the user and of the project."""
    assert command("config", "path") == (0, f"{settings.user_file()}\n", "")
    assert command("config", "path", "--project") == (0, "mnist-tui.toml\n", "")


# --- setting ----------------------------------------------------------------------------------------------------------


def test_set_and_unset(command: Command) -> None:
    """Every type from its text; in the user's file, and with --project in the project's."""
    assert command("config", "set", "sort", "-best") == (0, "", "")
    for key, text in {"mouse": "false", "threads": "2", "columns": "name, best", "keymap.leave": "x,f2"}.items():
        assert command("config", "set", key, text) == (0, "", "")
    assert command("config", "set", "runs_dir", "here", "--project") == (0, "", "")

    loaded = settings.load()
    assert (loaded.sort, loaded.mouse, loaded.threads, loaded.columns) == ("-best", False, 2, ("name", "best"))
    assert (loaded.keymap, loaded.runs_dir) == ({"leave": "x,f2"}, Path("here"))
    assert Path("mnist-tui.toml").read_text() == 'runs_dir = "here"\n'

    assert command("config", "unset", "sort") == (0, "", "")
    assert command("config", "unset", "runs_dir", "--project") == (0, "", "")
    assert (settings.load().sort, settings.load().runs_dir) == ("-when", Path("runs"))


def test_a_value_that_something_else_hides(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that another source overrules is set, with a warning that it has no effect here."""
    monkeypatch.setenv("MNIST_TUI_THEME", "dark")

    code, _, err = command("config", "set", "theme", "light")

    assert code == 0
    assert err.endswith("theme is set, but MNIST_TUI_THEME comes before it\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", "theme", "dim"), "config set: theme must be one of dark, light, got 'dim'"),
        (("set", "threads", "9999999999"), "config set: threads must be a whole number between 1 and 1024"),
        (("set", "them", "dark"), "config set: there is no setting 'them'; did you mean 'theme'?"),
        (("set", "columns", "name,bset"), "config set columns: there is no column 'bset'; did you mean 'best'?"),
        (("set", "sort", "-bset"), "config set sort: there is no column 'bset'; did you mean 'best'?"),
        (("set", "keymap", "a=b"), "as in: mnist-tui config set keymap.leave ctrl+q"),
        (("set", "keymap.a", "b c"), "keymap.a must be keys, such as ctrl+t"),
        (("set", "theme"), "VALUE is missing; see mnist-tui config set --help"),
        (("get", "them"), "config get: there is no setting 'them'; did you mean 'theme'?"),
        (("get", "keymap.leave"), "keymap.leave is not set"),
        (("unset", "theme"), "theme is not set there"),
        (("path", "there"), "unexpected extra argument(s) (there); see mnist-tui config path --help"),
        (("edti",), "there is no command 'config edti'; did you mean 'edit'?"),
        (("path", "--projct"), "did you mean '--project'?"),
        (("get", "\x1b[31mred"), "there is no setting '\ufffd[31mred'"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: Sequence[str], words: str, command: Command) -> None:
    """A wrong key or value is one line that says what to do, with exit code 2; nothing is written."""
    code, out, err = command("config", *arguments)

    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert not settings.user_file().exists()


def test_a_folder_that_cannot_be_written(command: Command, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be written is one line and exit code 3, that of the machine."""
    (work / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(work / "file"))

    code, _, err = command("config", "set", "theme", "light")

    assert code == 3
    assert err == f"mnist-tui: {settings.user_file()} cannot be written: Not a directory\n"


@pytest.mark.parametrize("damage", ["not UTF-8", "too large", "a pipe", "a folder", "no TOML"])
@pytest.mark.parametrize(
    "arguments", [("config",), ("config", "set", "theme", "dark"), ("--batch", "iter5"), ("doctor",), ("watch",), ()]
)
def test_a_damaged_file_is_one_line_and_exit_code_2(
    arguments: Sequence[str], damage: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged settings file is refused before anything is trained or drawn."""
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    path = Path("mnist-tui.toml")
    damages: dict[str, Callable[[], object]] = {
        "not UTF-8": lambda: path.write_bytes(b"\xff"),
        "too large": lambda: path.write_text("#" * 65_537),
        "a pipe": lambda: os.mkfifo(path),
        "a folder": path.mkdir,
        "no TOML": lambda: path.write_text("theme = \n\x1b"),
    }
    damages[damage]()

    flags = ("--project",) if arguments[1:2] == ("set",) else ()
    code, out, err = command(*arguments, *flags)

    assert (code, out) == (2, "")
    assert err.startswith("mnist-tui: mnist-tui.toml: ")
    assert err.count("\n") == 1
    assert err.strip().isprintable()


# --- in an editor -----------------------------------------------------------------------------------------------------


def test_edit_begins_with_every_key_explained(command: Command, editor: Callable[[str], None]) -> None:
    """The new file sets nothing; each of its lines can be brought in, and is its default or an example."""
    editor('cp "$2" seen')

    assert command("config", "edit") == (0, "", "")

    text = settings.user_file().read_text()
    assert Path("seen").read_text() == text == config_commands.template()
    assert settings.load() == Settings()
    Path("mnist-tui.toml").write_text("\n".join(line.removeprefix("# ") for line in text.splitlines() if " = " in line))
    data_dir, keymap = Path.home() / "data", {"leave": "ctrl+q"}
    assert settings.load() == Settings(brief="steps", threads=4, data_dir=data_dir, keymap=keymap)


def test_edit_opens_the_file_that_is_there(command: Command, editor: Callable[[str], None]) -> None:
    """The editor opens the file itself, also through a link, and its changes are kept."""
    Path("real.toml").write_text("# mine\n")
    Path("mnist-tui.toml").symlink_to("real.toml")
    editor("""echo 'theme = "light"' >> "$2" """)

    assert command("config", "edit", "--project") == (0, "", "")
    assert Path("real.toml").read_text() == '# mine\ntheme = "light"\n'
    assert settings.load().theme == "light"


def test_a_mistake_in_the_editor_is_reported(command: Command, editor: Callable[[str], None]) -> None:
    """A mistake made in the editor is reported with exit code 2; the file stays as the user left it."""
    editor("""echo 'them = "light"' > "$2" """)

    code, out, err = command("config", "edit")

    assert (code, out) == (2, "")
    assert err == f"mnist-tui: {settings.user_file()}: there is no setting 'them'; did you mean 'theme'?\n"
    assert settings.user_file().read_text() == 'them = "light"\n'


def test_a_damaged_file_can_be_edited(command: Command, editor: Callable[[str], None]) -> None:
    """A damaged file can be opened in the editor and repaired."""
    Path("mnist-tui.toml").write_text("theme = ")
    editor('echo > "$2"')

    assert command("config", "edit", "--project") == (0, "", "")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("no-such-editor", "the editor 'no-such-editor' cannot be run: No such file or directory; set EDITOR"),
        ("'", "cannot be run: No closing quotation"),
        ("false", "the editor ended with exit code 1"),
    ],
)
def test_an_editor_that_fails(program: str, words: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor that cannot be started is named in the error."""
    monkeypatch.setenv("EDITOR", program)
    monkeypatch.setattr(editor_module, "has_terminal", lambda: True)

    code, _, err = command("config", "edit")

    assert code == 2
    assert words in err
    assert err.count("\n") == 1


def test_without_a_terminal_no_editor_is_opened(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would draw into a pipe and wait for keys that never come; the file to edit is named."""
    monkeypatch.setenv("EDITOR", "touch opened; true")

    code, out, err = command("config", "edit", "--project")

    assert (code, out) == (2, "")
    assert err == "mnist-tui: an editor needs a terminal, and this is none; edit mnist-tui.toml another way\n"
    assert not Path("opened").exists()


def test_what_is_no_file_is_not_opened(command: Command, editor: Callable[[str], None]) -> None:
    """A pipe in place of the file is refused, since an editor would wait for it."""
    editor("exit 0")
    os.mkfifo("mnist-tui.toml")

    assert command("config", "edit", "--project") == (2, "", "mnist-tui: mnist-tui.toml: is not a regular file\n")


# --- the commands take them ---


PROJECT = """
device = "cpu"
dataset = "digits"
threads = 2
fuse = false
runs_dir = "from-file"
data_dir = "data-from-file"
"""
RESUME_FLAGS = ("--device", "mps", "--dataset", "mnist", "--threads", "3", "--runs-dir", "r", "--data-dir", "d")
FLAGS = (*RESUME_FLAGS, "--fuse")


def _where(options: Options) -> tuple[Any, ...]:
    return options.device, options.dataset, options.threads, options.fuse, options.runs_dir, options.data_dir


BY_FILE = ("cpu", "digits", 2, False, Path("from-file"), Path("data-from-file"))
BY_FLAGS = ("mps", "mnist", 3, True, Path("r"), Path("d"))


@pytest.fixture
def requested(command: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., LabRequest]:
    """The request that the laboratory would be opened with."""
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    monkeypatch.setattr(terminal, "has_utf8", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    opened: list[LabRequest] = []

    def note(request: LabRequest) -> NoReturn:
        opened.append(request)
        raise SystemExit(0)

    monkeypatch.setattr(lab_commands, "open_dashboard", note)

    def resolve(*arguments: str) -> LabRequest:
        assert command(*arguments)[0] == 0
        return opened.pop()

    return resolve


def test_the_laboratory_takes_the_settings(requested: Callable[..., LabRequest]) -> None:
    """The laboratory uses the settings where no option says otherwise."""
    Path("mnist-tui.toml").write_text(
        f'{PROJECT}preset = "iter4"\ncolumns = ["name"]\nsort = "best"\n[keymap]\nleave = "x"\n'
    )
    by_file, by_flags = requested(), requested("--preset", "iter3", *FLAGS)

    assert (_where(by_file.options), by_file.draft.base.name) == (BY_FILE, "iter4")
    assert (_where(by_flags.options), by_flags.draft.base.name) == (BY_FLAGS, "iter3")
    settings_of_file = by_file.settings
    assert (settings_of_file.columns, settings_of_file.sort) == (("name",), "best")
    assert settings_of_file.keymap == {"leave": "x"}


def test_what_was_used_last_comes_before_the_preset_of_the_settings(requested: Callable[..., LabRequest]) -> None:
    """The design used last is opened before the preset of the settings."""
    settings.write("preset", "iter4")
    remember(LastUsed(Draft(presets.load("iter3"))))

    assert requested().draft.base.name == "iter3"


def test_an_unknown_preset_is_refused_with_its_origin(command: Command) -> None:
    """An unknown preset in a settings file is refused with the name of the file."""
    settings.write("preset", "itr5")

    code, _, err = command("--plain")

    assert code == 2
    assert err.startswith(f"mnist-tui: {settings.user_file()}: preset: ")
    assert "did you mean 'iter5'" in err


def _note_options(seen: list[Options]) -> Callable[..., int]:
    """What stands in for a function of `headless`."""

    def note(what: object, options: Options, *more: object) -> int:
        seen.append(options)
        return 0

    return note


def test_batch_takes_the_settings(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--batch`, `--dry-run` and `--plain --start` use the settings."""
    from mnist_tui.cli import batch

    seen: list[Options] = []
    for name in ("batch", "dry_run"):
        monkeypatch.setattr(batch, name, _note_options(seen))
    Path("mnist-tui.toml").write_text(PROJECT)

    for arguments in (("--batch", "iter5"), ("--batch", "iter5", "--dry-run"), ("--plain", "--start")):
        assert command(*arguments)[0] == 0
        assert command(*arguments, *FLAGS)[0] == 0
    assert [_where(options) for options in seen] == [BY_FILE, BY_FLAGS] * 3


def test_resume_takes_the_folders_and_leaves_the_rest_to_the_run(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the run's own device and threads it is resumed bit for bit; a flag changes them."""
    from mnist_tui.cli import batch
    from mnist_tui.runs import index

    seen: list[Options] = []
    looked: list[Path] = []
    monkeypatch.setattr(batch, "resume", _note_options(seen))
    monkeypatch.setattr(index, "newest_resumable", looked.append)
    Path("mnist-tui.toml").write_text(PROJECT)

    assert command("resume")[0] == command("resume", *RESUME_FLAGS)[0] == 0
    assert _where(seen[0]) == ("auto", "digits", None, False, Path("from-file"), Path("data-from-file"))
    assert _where(seen[1]) == ("mps", "mnist", 3, False, Path("r"), Path("d"))
    assert looked == [Path("from-file"), Path("r")]


def test_doctor_and_watch_take_the_folders(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """`doctor`, `watch` and every command on saved runs use the folders of the settings."""
    from mnist_tui.cli import doctor, watch
    from mnist_tui.runs import index

    seen: list[tuple[Path | None, Path | None]] = []

    def examine(data_dir: Path | None, runs_dir: Path) -> list[doctor.Finding]:
        seen.append((data_dir, runs_dir))
        return []

    monkeypatch.setattr(doctor, "examine", examine)
    monkeypatch.setattr(index, "newest_run", lambda runs_dir: seen.append((None, runs_dir)))
    monkeypatch.setattr(watch, "print_events", lambda folder, as_json: 0)
    Path("mnist-tui.toml").write_text(PROJECT)

    assert command("doctor")[0] == command("watch", "--json")[0] == 0
    assert command("doctor", "--data-dir", "d", "--runs-dir", "r")[0] == 0
    assert seen == [(Path("data-from-file"), Path("from-file")), (None, Path("from-file")), (Path("d"), Path("r"))]
    assert command("runs")[1] == "no run in from-file\n"


def test_variables_of_folders(requested: Callable[..., LabRequest], monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables overrule files, and a leading ~ in one of them is expanded."""
    Path("mnist-tui.toml").write_text(PROJECT)

    monkeypatch.setenv("MNIST_TUI_DATA_DIR", "there")
    assert requested().options.data_dir == Path("there")
    monkeypatch.setenv("MNIST_TUI_DATA_DIR", "~/there")
    assert requested().options.data_dir == Path.home() / "there"
    monkeypatch.setenv("MNIST_TUI_RUNS_DIR", "~/runs")
    assert requested().options.runs_dir == Path.home() / "runs"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--batch", "iter5", "--dataset", "digits"),
        ("--batch", "iter5", "--dry-run"),
        ("--plain", "--start"),
        ("resume",),
        ("extend", "x", "1"),
        ("watch", "--plain"),
        ("doctor",),
    ],
)
def test_a_data_dir_that_cannot_be_made_is_an_error(arguments: tuple[str, ...], command: Command) -> None:
    """It was passed over, for another folder or for the digits; the same for a file in its place."""
    Path("file").write_text("")

    assert command(*arguments, "--data-dir", "no/such") == (
        2,
        "",
        "mnist-tui: --data-dir no/such: there is no such folder, and none to make it in; name another one, or make it "
        "first\n",
    )
    assert "--data-dir file: is not a folder" in command(*arguments, "--data-dir", "file")[2]


def test_a_data_dir_of_the_settings_that_cannot_be_made(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused where it is set and where it would be used, by the name of its origin; a finding of the doctor."""
    refused = command("config", "set", "data_dir", "no/such")
    Path("mnist-tui.toml").write_text('data_dir = "no/such"\n')
    by_file = command("--batch", "iter5")
    monkeypatch.setenv("MNIST_TUI_DATA_DIR", "gone/too")
    by_variable, by_doctor = command("--batch", "iter5"), command("doctor")

    assert (refused[0], by_file[0], by_variable[0], by_doctor[0]) == (2, 2, 2, 3)
    assert refused[2].startswith("mnist-tui: config set data_dir no/such: there is no such folder")
    assert by_file[2].startswith("mnist-tui: mnist-tui.toml: data_dir no/such: there is no such folder")
    assert by_variable[2].startswith("mnist-tui: MNIST_TUI_DATA_DIR: data_dir gone/too: there is no such folder")
    assert "!!  MNIST        gone/too: there is no such folder" in by_doctor[1]
    assert command("config", "set", "data_dir", "new", "--project")[0] == 0
    assert not settings.user_file().exists()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["--list"], ["config"], ["config", "get", "theme"]])
def test_only_who_writes_loads_what_writes(arguments: list[str]) -> None:
    """And only where a file is, it is parsed; nothing heavy in either case."""
    code = """
import sys
from mnist_tui.cli.main import main
try:
    main()
except SystemExit:
    print(*{"tomlkit", "torch", "numpy", "textual", "rich"} & {name.partition(".")[0] for name in sys.modules})
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == ""


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Callable[..., LabApp]:
    """The laboratory with a keymap, with a background worker that does nothing."""
    monkeypatch.setattr(jobs, "warm_up", lambda: None)
    monkeypatch.setattr(jobs, "rates", lambda spec: (0.1, 0.2, 0.1))
    monkeypatch.setattr(jobs, "live_run", lambda runs_dir: None)
    sample = SimpleNamespace(dataset="mnist", labels=(), digits=(), slow=(), classes=())
    monkeypatch.setattr(jobs, "sample_augmented", lambda *asked: sample)

    def make(**keymap: str) -> LabApp:
        spec = presets.load("iter5")
        return LabApp(LabRequest(Draft(spec), settings=Settings(keymap=keymap)), Runner(Options(), lambda folder: None))

    return make


@pytest.mark.slow
async def test_a_key_can_be_moved(app: Callable[..., LabApp]) -> None:
    """An action moved to another key works there, and no longer on the old one."""
    made = app(switch_theme="f11,ctrl+k")
    async with made.run_test() as pilot:
        before = made.theme
        await pilot.press("ctrl+l")
        assert made.theme == before
        await pilot.press("f11")
        assert made.theme != before
        await pilot.press("ctrl+k")
        assert made.theme == before
        assert not made._notifications


@pytest.mark.slow
async def test_what_is_wrong_with_the_keymap_is_said(app: Callable[..., LabApp]) -> None:
    """With the nearest action and key; an action whose new key does not exist keeps its own."""
    made = app(swich_theme="f11", switch_theme="crtl+k", interrupt="ctrl+z")
    async with made.run_test() as pilot:
        await pilot.pause()
        said = [notice.message for notice in made._notifications]
        before = made.theme
        await pilot.press("ctrl+l")

        assert said == [
            "keymap: there is no action 'swich_theme'; did you mean 'switch_theme'?",
            "keymap.switch_theme: there is no key 'crtl+k'; did you mean 'ctrl+k'?",
            "keymap: suspend_process has no key left: ctrl+z is for interrupt",
        ]
        assert made.theme != before


@pytest.mark.parametrize("key", ["a", "G", "/", "é", "ctrl+t", "shift+up", "f8", "slash", "minus", "+", "alt+enter"])
def test_keys_that_there_are(key: str) -> None:
    """Characters and names of keys are accepted, with and without modifiers."""
    assert keys.is_key(key)


@pytest.mark.parametrize("key", ["", "crtl+t", "ctrl+", "f99", "pgdown", "ctrl+nokey", "ab"])
def test_keys_that_there_are_not(key: str) -> None:
    """A key that no terminal sends is refused."""
    assert not keys.is_key(key)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("keymap.swich_theme", "f11", "there is no action 'swich_theme'; did you mean 'switch_theme'?"),
        ("keymap.nonsense9", "x", "there is no action 'nonsense9'; mnist-tui knows accept, "),
        ("keymap.start", "crtl+t", "keymap.start: there is no key 'crtl+t'; did you mean 'ctrl+t'?"),
        ("keymap.start", "f8,crtl+t", "keymap.start: there is no key 'crtl+t'"),
    ],
)
def test_only_keys_of_actions_that_exist_are_set(key: str, value: str, message: str, command: Command) -> None:
    """An unknown action or key is refused with the nearest name; nothing is written."""
    code, out, err = command("config", "set", key, value)

    assert (code, out) == (2, "")
    assert message in err
    assert not settings.user_file().exists()


def test_two_actions_may_change_their_keys_one_after_the_other(command: Command) -> None:
    """In between one of them has no key, which is said; then all is well."""
    first = command("config", "set", "keymap.start", "s")
    second = command("config", "set", "keymap.stop", "t")

    assert first == (0, "", "mnist-tui: keymap: stop has no key left: s is for start\n")
    assert second == (0, "", "")


def test_every_binding_of_the_application_can_be_named() -> None:
    """Every binding of the application has an id that the keymap can name."""
    assert {binding.id for binding in LabApp.BINDINGS if isinstance(binding, Binding)} >= {
        "leave",
        "interrupt",
        "switch_theme",
        "mode('runs')",
    }
    (named,) = keys.with_ids([("x", "act", "Words")])
    assert isinstance(named, Binding)
    assert named.id == "act"
