"""How the laboratory is opened: what the command line and the settings come to, and what is refused before a screen."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from helpers.command import Command
from helpers.lab_terminal import MAIN, ROOT, Lab

from mnist_tui.cli import lab as lab_commands
from mnist_tui.cli import main as cli
from mnist_tui.runs import storage
from mnist_tui.settings import last_used
from mnist_tui.settings.last_used import LastUsed, remember
from mnist_tui.settings.model import Settings
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui import terminal
from mnist_tui.tui.request import LabRequest

SMALL = """
title = "A small one"
layers = '''
AvgPool2d(4)
Dropout(dropout)
Flatten()
Linear(10)
'''
[knobs]
dropout = 0.0
[train]
epochs = 2
"""


Request = Callable[..., LabRequest]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a preset."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "small.toml").write_text(SMALL)
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith(("MNIST_TUI_", "SSH_", "TEXTUAL_"))]:
        monkeypatch.delenv(name)
    return folder


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> Request:
    """The request that the laboratory would be opened with on a good terminal."""
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    monkeypatch.setattr(terminal, "has_utf8", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")

    def resolve(*arguments: str) -> LabRequest:
        requests: list[LabRequest] = []

        def note(request: LabRequest) -> NoReturn:
            requests.append(request)
            raise SystemExit(0)

        monkeypatch.setattr(lab_commands, "open_dashboard", note)
        monkeypatch.setattr(sys, "argv", ["mnist-tui", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
        return requests[0]

    return resolve


@pytest.fixture
def open_lab(work: Path) -> Iterator[Callable[..., Lab]]:
    """The real program in a real terminal."""
    opened: list[Lab] = []

    def open_one(*arguments: str, **options: Any) -> Lab:
        opened.append(Lab(work, *arguments, **options))
        return opened[-1]

    yield open_one
    for lab in opened:
        lab.close()


# --- what it is opened with -------------------------------------------------------------------------------------------


def test_the_first_time_it_opens_on_iter5(requested: Request) -> None:
    """Without options and without a last design, iter5 is opened."""
    request = requested()

    assert request.draft == Draft(presets.load("iter5"))
    assert (request.start, request.run_texts, request.watch, request.notice) == (False, {}, None, "")
    assert request.settings == Settings()


def test_options_are_those_of_batch(requested: Request) -> None:
    """Options have the same names and meaning as for `--batch`."""
    request = requested(
        *("--preset", "small.toml", "--set", "dropout=0.3", "--epochs", "7", "--seed", "3", "--seeds", "4", "--start"),
        *("--device", "cpu", "--dataset", "digits", "--data-dir", "data", "--runs-dir", "here", "--threads", "1"),
    )
    options = request.options

    assert request.draft.base == presets.load("small.toml")
    settings = {"dropout": "0.3", "epochs": "7", "seed": "3"}
    assert request.draft.result.spec == request.draft.base.with_settings(settings)
    assert (request.run_texts, request.start) == ({"seeds": "4"}, True)
    assert (options.device, options.dataset, options.threads) == ("cpu", "digits", 1)
    assert (options.data_dir, options.runs_dir) == (Path("data"), Path("here"))
    assert options.command[:2] == ("--preset", "small.toml")


def test_what_was_used_last_comes_back(requested: Request) -> None:
    """With the preset that it began from; settings come on top of it."""
    base = presets.load("iter4")
    remember(LastUsed(Draft(base).with_text("epochs", "3"), {"seeds": "2", "device": "cpu"}))

    last = requested("--set", "seed=5", "--device", "auto")

    assert last.draft.base == base
    assert last.draft.result.spec == base.with_settings({"epochs": "3", "seed": "5"})
    assert last.run_texts == {"seeds": "2"}


def test_a_named_preset_comes_before_it_and_undo_goes_back(requested: Request) -> None:
    """What was designed the last time is no further away than one key."""
    draft = Draft(presets.load("iter4")).with_text("epochs", "3")
    remember(LastUsed(draft))

    named = requested("--preset", "small.toml")

    assert (named.draft, named.previous) == (Draft(presets.load("small.toml")), draft)


def test_what_was_typed_last_comes_back_with_its_mistakes(requested: Request, command: Command) -> None:
    """In the laboratory; settings on top of it would be on top of nothing, and are refused."""
    draft = Draft(presets.load("iter4")).with_text("epochs", "three")
    remember(LastUsed(draft))

    opened = requested()
    code, _, said = command("--set", "seed=5")

    assert opened.draft == draft
    assert (code, "has mistakes" in said) == (2, True)


def test_a_damaged_memory_is_said_and_iter5_opened(requested: Request) -> None:
    """A damaged file of the last design is reported, and iter5 opened."""
    remember(LastUsed(Draft(presets.load("iter4"))))
    last_used._file().write_text("{")

    request = requested()

    assert request.draft == Draft(presets.load("iter5"))
    assert request.notice.startswith(f"what was used last cannot be opened: {last_used._file()}: ")


def test_the_command_line_comes_before_everything(requested: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options overrule the settings, whichever way those are set."""
    Path("mnist-tui.toml").write_text('theme = "light"\nascii = true\nmouse = false\n')
    monkeypatch.setenv("MNIST_TUI_ON_HANGUP", "stop")

    by_settings, by_arguments = requested().settings, requested("--dark", "--no-ascii", "--mouse", "--pixels").settings

    assert (by_settings.theme, by_settings.ascii, by_settings.mouse) == ("light", True, False)
    assert (by_arguments.theme, by_arguments.ascii, by_arguments.mouse) == ("dark", False, True)
    assert (by_settings.pixels, by_arguments.pixels) == (False, True)
    assert by_settings.on_hangup == by_arguments.on_hangup == "stop"


def test_without_utf8_nothing_but_ascii_is_drawn(requested: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without UTF-8 only ASCII is drawn, unless a setting says otherwise."""
    monkeypatch.setattr(terminal, "has_utf8", lambda: False)

    assert requested().settings.ascii
    assert not requested("--no-ascii").settings.ascii


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--preset", "itr5"), "did you mean 'iter5'?"),
        (("--preset", "none.toml"), "none.toml: No such file"),
        (("--set", "epochs"), "expected KEY=VALUE"),
        (("--epochs", "-1"), "train.epochs"),
        (("--seeds", "0"), "--seeds 0: must be a whole number between 1 and 1,000"),
        (("--threads", "0"), "--threads 0: must be a whole number between 1 and 1024"),
        (("--device", "gpu"), "--device gpu: must be auto"),
        (("--light", "--dark"), "not allowed with"),
        (("--strat",), "did you mean '--start'?"),
        (("--dry-run",), "--dry-run goes with --batch NAME"),
        (("--json",), "--json goes with --batch NAME"),
        (("--require-target",), "--require-target goes with --batch NAME"),
        (("--batch", "iter5", "--start"), "open the laboratory"),
        (("--batch", "iter5", "--preset", "iter4"), "open the laboratory"),
        (("watch", "--epochs", "3"), "there is no option --epochs; see mnist-tui watch --help"),
    ],
)
def test_a_wrong_argument_is_one_line(
    arguments: tuple[str, ...], words: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, before anything is drawn."""
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    code, out, err = command(*arguments)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_a_wrong_setting_is_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a wrong setting names its file."""
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    Path("mnist-tui.toml").write_text("mous = true")
    code, out, err = command()

    assert (code, out) == (2, "")
    assert err == "mnist-tui: mnist-tui.toml: there is no setting 'mous'; did you mean 'mouse'?\n"


def test_real_pixels_need_their_library(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the laboratory does not open, and the line says what to install; with it, it opens."""
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(lab_commands, "find_spec", lambda name: None)
    code, out, err = command("--pixels")

    assert (code, out) == (2, "")
    assert err == ("mnist-tui: real pixels need textual-image: pip install textual-image, or start with --no-pixels\n")


def test_without_a_terminal_it_names_what_needs_none(command: Command) -> None:
    """Exit code 2, one line, and nothing that drives a terminal."""
    code, out, err = command()

    assert (code, out) == (2, "")
    assert err == "mnist-tui: the laboratory needs a terminal; train without one: mnist-tui --batch iter5\n"


def test_errors_in_a_file_are_no_terminal(work: Path) -> None:
    """The screen is drawn where errors go: in a file nobody would see it."""
    lab = Lab(work, before="import os; os.dup2(os.open('errors', os.O_WRONLY | os.O_CREAT), 2)")
    code = lab.ended()
    lab.close()

    assert code == 2
    assert "needs a terminal" in (work / "errors").read_text()


# --- lines instead of a screen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["--plain", "dumb"])
def test_lines_instead_of_a_screen(how: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layer table, the recipe and how to train, for a screen reader or a terminal without a cursor."""
    monkeypatch.setattr(terminal, "is_terminal", lambda: how == "dumb")
    monkeypatch.setenv("TERM", "dumb")
    code, out, err = command("--preset", "iter5", *(["--plain"] if how == "--plain" else []))

    assert (code, err) == (0, "")
    assert "18,422" in out
    assert "Adam(lr=0.002)" in out
    assert "mnist-tui --batch iter5" in out.splitlines()[-1]
    assert "\x1b" not in out


def test_lines_while_it_trains(work: Path, command: Command) -> None:
    """As --batch trains: a line an epoch, the folder last, every seed."""
    code, out, _ = command(
        *("--preset", "small.toml", "--plain", "--start", "--seeds", "2", "--dataset", "digits", "--device", "cpu")
    )
    folders = sorted(work.glob("runs/*"))

    assert code == 0
    assert len(folders) == 2
    assert len(re.findall(r"^small s\d  epoch ", out, re.MULTILINE)) == 4
    assert {str(folder.relative_to(work)) for folder in folders} == set(out.splitlines()[-2:])


# --- watching ---------------------------------------------------------------------------------------------------------


def saved_run(spec: RunSpec, runs_dir: str = "runs") -> Path:
    """The folder of a run that was interrupted before its first epoch."""
    run = storage.RunFolder.create(Path(runs_dir), spec, {"dataset": {"name": "digits"}, "device": "cpu"})
    run.close()
    return run.folder


def test_watch_opens_on_the_runs_own_spec(small_spec: RunSpec, requested: Request) -> None:
    """`watch` opens the spec of the run, named by folder, by name or not at all."""
    folder = saved_run(small_spec)

    for named in ([str(folder)], [folder.name], []):
        request = requested("watch", *named)

        assert (request.watch, request.draft.base) == (folder, small_spec)
        assert not request.start


def test_watch_takes_the_run_that_is_trained(small_spec: RunSpec, requested: Request) -> None:
    """`watch` prefers a run that is being trained to a newer one, else takes the newest."""
    older = storage.RunFolder.create(Path("runs"), small_spec, {})
    newer = older.folder.with_name("9" + older.folder.name)
    newer.mkdir()
    (newer / "run.json").write_bytes((older.folder / "run.json").read_bytes())

    while_training = requested("watch").watch
    older.close()
    afterwards = requested("watch").watch

    assert while_training == older.folder
    assert afterwards == newer


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("..",)])
def test_nothing_to_watch(arguments: tuple[str, ...], command: Command) -> None:
    """Without a run to watch, one line says what was looked for."""
    code, out, err = command("watch", *arguments)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert (arguments or ("runs",))[0] in err


def test_watch_as_lines_and_as_json(small_spec: RunSpec, command: Command) -> None:
    """Without a terminal, how far the run is; each line by itself."""
    folder = saved_run(small_spec)
    code, out, err = command("watch", folder.name)
    json_code, json_out, _ = command("watch", folder.name, "--json")

    assert (code, json_code, err) == (0, 0, "")
    assert out.startswith("small, seed 0")
    assert f"mnist-tui resume runs/{folder.name}" in out
    assert json.loads(json_out.splitlines()[-1])["outcome"] == "stopped"


LOADED = """
import sys
from mnist_tui.tui import supervisor, terminal
terminal.is_terminal = lambda: True
supervisor.run_supervised = lambda main: sys.exit(main(supervisor.Report()))
import mnist_tui.tui.app as app
app.run_lab = lambda request, report: print(sorted({"torch", "numpy", "torchvision", "sklearn"} & set(sys.modules)))
"""


@pytest.mark.parametrize("arguments", [(), ("watch",)], ids=["lab", "watch"])
def test_the_first_frame_does_not_wait_for_torch(arguments: tuple[str, ...], small_spec: RunSpec) -> None:
    """Nor for numpy: when the screen is opened neither is loaded."""
    saved_run(small_spec)
    done = subprocess.run(
        [sys.executable, "-c", f"{LOADED}\n{MAIN}", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"


# --- in a real terminal -----------------------------------------------------------------------------------------------


def test_it_opens_and_is_left(open_lab: Callable[..., Lab]) -> None:
    """The parameters are in sight; q ends it with 0, and the terminal is as it was."""
    lab = open_lab()
    lab.wait_for("18,422")
    lab.press("q")

    assert lab.ended() == 0
    assert lab.modes_left_on() == []
    assert lab.is_as_before()


@pytest.mark.parametrize("how", [("--ascii",), (), ("--no-ascii",)], ids=["asked for", "locale C", "control"])
def test_only_ascii_is_drawn(how: tuple[str, ...], open_lab: Callable[..., Lab]) -> None:
    """Where it is asked for, or where the locale has nothing else."""
    lab = open_lab(*how, LC_ALL="C.UTF-8" if how else "C")
    lab.wait_for("18,422")
    lab.wait_for("cpu ")

    assert lab.text().isascii() is (how != ("--no-ascii",))


BROKEN_SCREEN = """
import mnist_tui.tui.app as app
def run_lab(request, report):
    raise ZeroDivisionError("before the screen")
app.run_lab = run_lab
"""


def test_a_mistake_before_the_screen_is_one_line(open_lab: Callable[..., Lab]) -> None:
    """An error before the screen is drawn is one line, also in the child process."""
    lab = open_lab(before=BROKEN_SCREEN)

    assert lab.ended() == 1
    assert b"internal error: ZeroDivisionError: before the screen" in lab.output
    assert b"crash.log" in lab.output
    assert b"Traceback" not in lab.output


def test_an_editor_that_is_missing(open_lab: Callable[..., Lab]) -> None:
    """The laboratory says so, and goes on."""
    lab = open_lab(VISUAL="", EDITOR="no-such-editor")
    lab.wait_for("t Train")
    lab.press("e")
    lab.wait_for("cannot be run")
    lab.press("2")

    lab.wait_for("no run yet")
