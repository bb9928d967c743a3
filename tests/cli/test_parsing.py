"""Command lines: which words are options, names and commands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.command import Command

from mnist_tui.cli.arguments import RUN_OPTIONS, SCREEN_OPTIONS
from mnist_tui.cli.parsing import repeat_batch
from mnist_tui.settings import model
from mnist_tui.settings.model import DEFAULTS
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options
from mnist_tui.tui.lab.recipe import RUN_FIELDS
from mnist_tui.tui.request import LabRequest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("line", "repeated"),
    [
        ("--batch a", "--batch a"),
        ("--batch a b c", "--batch a --batch b --batch c"),
        ("--batch a b --seeds 2 --json", "--batch a --batch b --seeds 2 --json"),
        ("--batch=a b", "--batch=a --batch b"),
        ("--seeds 2 --batch a --batch b", "--seeds 2 --batch a --batch b"),
        ("runs iter5", "runs iter5"),
    ],
)
def test_every_name_of_a_batch_gets_an_option(line: str, repeated: str) -> None:
    """Typer's options take one value; words behind another option are left alone."""
    assert repeat_batch(line.split()) == repeated.split()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--batch", "--json"), "--batch: expected at least one NAME or FILE.toml"),
        (("--batch", "iter5", "--json", "runs"), "--batch cannot be combined with the command runs"),
        (("--no-mouse", "watch"), "--mouse cannot be combined with the command watch"),
        (("--batch", "iter5", "--seeds", "2", "iter4"), "there is no command 'iter4'"),
        (("--batch", "iter5", "--seeds"), "--seeds"),
        (
            ("--batch", "iter5", "--dataset", "fashion"),
            "--dataset fashion: must be one of auto, mnist, fashion-mnist, kmnist",
        ),
        (("--batch", "iter5", "--runs-dir", ""), "--runs-dir '': must be a path"),
        (("--no-fusee",), "did you mean '--no-fuse'?"),
        (("--json=1",), "--json"),
        (("compare", "a", "b", "--measure", "bset"), "did you mean 'best'?"),
        (("runs", "--limit", "0"), "--limit 0: must be a whole number between 1 and"),
        (("resume", "--no-fuse"), "there is no option --no-fuse"),
        (("extend", "x", "1.5"), "epochs 1.5: must be a whole number between 1 and 10,000"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments: tuple[str, ...], message: str, command: Command) -> None:
    """With exit code 2, in our words, without typer's frames."""
    code, out, err = command(*arguments)

    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("mnist-tui: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "name", ["", "show", "layers", "resume", "extend", "watch", "runs", "open", "tag", "config set"]
)
def test_help_is_plain_text_of_80_columns(name: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without colours or boxes even where a terminal has both; examples are as they are typed."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")

    code, out, err = command(*name.split(), "--help")

    assert (code, err) == (0, "")
    assert re.fullmatch(r"[\x20-\x7e…\n]*", out)
    assert all(len(line) <= 100 for line in out.splitlines())


@pytest.mark.parametrize("name", ["resume", "extend", "doctor", ""])
def test_help_names_the_exit_codes_where_they_matter(name: str, command: Command) -> None:
    """Of everything that trains, and of the check of the machine."""
    assert "Exit codes: 0 " in command(*name.split(), "--help")[1]


@pytest.mark.parametrize("arguments", [["--help"], ["runs", "--help"], ["layers"]], ids=" ".join)
def test_a_reader_that_leaves_is_no_error(arguments: list[str]) -> None:
    """`mnist-tui --help | head -1` ends with 0 and says nothing on stderr."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "mnist_tui", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("flags", "fuse"), [((), True), (("--fuse",), True), (("--no-fuse",), False)])
def test_the_plain_network_is_trained_on_request(
    flags: tuple[str, ...], fuse: bool, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--no-fuse` reaches the options of the run."""
    from mnist_tui.cli import batch

    seen: list[bool] = []

    def note(specs: object, options: Options, *more: object) -> int:
        seen.append(options.fuse)
        return 0

    monkeypatch.setattr(batch, "batch", note)

    assert command("--batch", "iter5", *flags)[0] == 0
    assert seen == [fuse]


@pytest.mark.parametrize("name", [*RUN_OPTIONS, *SCREEN_OPTIONS])
def test_help_of_an_option_is_that_of_the_setting(name: str, command: Command) -> None:
    """It is declared once: as a setting."""
    shown = " ".join(command("--help")[1].split())

    assert f"--{name.replace('_', '-')}" in shown or name == "theme"
    assert model.help_of(name) in shown
    assert all(choice in shown for choice in model.choices_of(name))


def test_form_and_laboratory_take_their_choices_and_defaults_from_the_settings() -> None:
    """So does what a run is started with."""
    request = LabRequest(draft=Draft(presets.load("iter5")))

    assert dict(RUN_FIELDS)["dataset"] == model.choices_of("dataset")
    assert request.settings == DEFAULTS
