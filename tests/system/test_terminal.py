"""What the terminal can, and what textual is told before it is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_tui.tui import terminal

ROOT = Path(__file__).parents[2]


class Stream:
    """A standard stream that is a terminal, or is not, or is closed."""

    def __init__(self, is_terminal: bool | None) -> None:
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        if self._is_terminal is None:
            raise ValueError("I/O operation on closed file")
        return self._is_terminal


@pytest.mark.parametrize(
    ("streams", "expected"),
    [
        ((True, True, True), True),
        ((False, True, True), False),
        ((True, False, True), False),
        ((True, True, False), False),
        ((None, True, True), False),
    ],
)
def test_all_three_streams_must_be_a_terminal(
    streams: tuple[bool | None, ...], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With errors in a file, the screen would be drawn into it."""
    for name, is_terminal in zip(("stdin", "stdout", "stderr"), streams, strict=True):
        monkeypatch.setattr(sys, name, Stream(is_terminal))

    assert terminal.is_terminal() is expected


def test_no_stream_at_all_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a program that is started without any."""
    monkeypatch.setattr(sys, "stdin", None)

    assert not terminal.is_terminal()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({"TERM": "xterm-256color"}, False), ({"TERM": "linux"}, False), ({"TERM": "dumb"}, True), ({"TERM": ""}, True)],
)
def test_a_dumb_terminal(environment: dict[str, str], expected: bool) -> None:
    """One that says so, or says nothing."""
    assert terminal.is_dumb(environment) is expected
    assert terminal.is_dumb({})


def test_animations_are_always_off_and_frames_are_few_over_ssh() -> None:
    """Ten a second at the other end of a connection; what a user has set stays."""
    near: dict[str, str] = {}
    far = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}
    variables = {"SSH_TTY": "/dev/pts/3", "TEXTUAL_FPS": "30", "TEXTUAL_ANIMATIONS": "full"}
    for environment in (near, far, variables):
        terminal.prepare(environment)

    assert near == {"TEXTUAL_ANIMATIONS": "none"}
    assert (far["TEXTUAL_FPS"], far["TEXTUAL_ANIMATIONS"]) == ("10", "none")
    assert (variables["TEXTUAL_FPS"], variables["TEXTUAL_ANIMATIONS"]) == ("30", "full")


@pytest.mark.parametrize("no_color", ["1", ""])
def test_no_color_wins_over_what_forces_colours(no_color: str) -> None:
    """Where it is set and not empty, by no-color.org."""
    environment = {"NO_COLOR": no_color, "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}
    terminal.prepare(environment)

    assert ("FORCE_COLOR" in environment, "CLICOLOR_FORCE" in environment) == (not no_color,) * 2


def python(code: str, **env: str) -> str:
    """What a fresh process with a locale and an environment of its own prints."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("LC_", "LANG", "TEXTUAL_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("env", "expected"), [({"LC_ALL": "C"}, False), ({"LC_ALL": "C.UTF-8"}, True)], ids=["C", "UTF-8"]
)
def test_the_locale_says_whether_there_is_more_than_ascii(env: dict[str, str], expected: bool) -> None:
    """Python itself reads and writes UTF-8 in either; the terminal does not."""
    code = "import sys; from mnist_tui.tui import terminal; print(sys.flags.utf8_mode, terminal.has_utf8())"

    assert python(code, **env).split()[1] == str(expected)


def test_textual_follows_the_environment() -> None:
    """It reads its environment when it is loaded, and not afterwards."""
    program = "from mnist_tui.tui import terminal; terminal.prepare()"
    ask = "import textual.constants as read; print(read.MAX_FPS, read.TEXTUAL_ANIMATIONS)"

    assert python(f"{program}\n{ask}", SSH_TTY="/dev/pts/3") == "10 none"
    assert python(f"{ask}\n{program}", SSH_TTY="/dev/pts/3") != "10 none"
