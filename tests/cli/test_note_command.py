"""`note`: in the editor, from the command line and from standard input; a person's words stay."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run

from mnist_tui import editor
from mnist_tui.runs import annotations
from mnist_tui.runs.annotations import Notes
from mnist_tui.spec import presets


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run in ./runs, whose name ends in 0002."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)
    return make_run(Path("runs"), presets.load("iter4"), 1, index=2)


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what standard input holds."""

    def put(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return put


# --- in the editor ---


def test_note_opens_the_editor(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`note` opens the notes in the editor, and what is written there is kept."""
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setattr(editor, "has_terminal", lambda: True)
    monkeypatch.setenv("EDITOR", f"{sys.executable} -c \"import sys; open(sys.argv[1], 'a').write('Too few epochs.')\"")
    assert command("note", "0002")[0] == 0

    assert annotations.read_notes(folder).analysis == "Too few epochs."


def test_note_without_a_terminal_or_an_editor(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`note` without a terminal or an editor is one line that names the file."""
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "no-such-editor")

    assert command("note", "0002") == (
        2,
        "",
        f"mnist-tui: an editor needs a terminal, and this is none; edit {folder}/notes.md another way\n",
    )
    monkeypatch.setattr(editor, "has_terminal", lambda: True)
    code, _, err = command("note", "0002")
    assert code == 2
    assert err.startswith("mnist-tui: the editor 'no-such-editor' cannot be run: No such file or directory; set EDITOR")


# --- from the command line and from standard input ---


def test_a_message_is_added_to_the_analysis(command: Command, folder: Path) -> None:
    """Each below what is there; several are paragraphs; the file is named."""
    path = folder / "notes.md"
    before = path.read_text()
    assert command("note", "0002", "-m", "Over-fits.", "-m", "From epoch 9.") == (0, f"{path}\n", "")
    assert path.read_text() == before.rstrip() + "\n\nOver-fits.\n\nFrom epoch 9.\n\n"
    assert command("note", "0002", "--message", "So: dropout.")[0] == 0

    assert annotations.read_notes(folder).analysis == "Over-fits.\n\nFrom epoch 9.\n\nSo: dropout."


@pytest.mark.parametrize(("section", "kept"), [("target", ""), ("result", "- completed\n\n"), ("analysis", "")])
def test_a_message_for_another_section(section: str, kept: str, command: Command, folder: Path) -> None:
    """It stands there, below the program's result, and in place of the program's word for no target."""
    before = annotations.read_notes(folder)
    assert command("note", "0002", "-m", "99.4 %", "--section", section)[0] == 0

    assert vars(annotations.read_notes(folder)) == vars(before) | {section: f"{kept}99.4 %"}


def test_standard_input_is_added(command: Command, folder: Path, stdin: Any) -> None:
    """A text without headings to the section; one with headings is divided among them."""
    stdin(b"\xef\xbb\xbfline\r\n\ttab \x1b[31m")
    assert command("note", "0002", "-")[0] == 0
    assert annotations.read_notes(folder).analysis == "line\n    tab \ufffd[31m"
    stdin(b"first\n## Analysis\nwhy\n## Target\n99.4 %\n## Next\nmore")
    assert command("note", "0002", "-", "--section", "result")[0] == 0

    assert annotations.read_notes(folder) == Notes(
        "99.4 %\n## Next\nmore", "- completed\n\nfirst", "line\n    tab \ufffd[31m\n\nwhy"
    )


def test_what_a_person_wrote_stays(command: Command, folder: Path) -> None:
    """Text above the headings and other headings, byte for byte, whatever is added."""
    mine = "# mine\n\nabove\n\n## Plan\n\na\n\n## Target\n\n99 %\n\n## Todo\n\nb\n\n## Result\n\n## Analysis\n\nx\n\n"
    (folder / "notes.md").write_text(mine)
    command("note", "0002", "-m", "y", "--section", "analysis")

    assert (folder / "notes.md").read_text() == mine.rstrip() + "\n\ny\n\n"


@pytest.mark.parametrize(
    ("arguments", "content", "code", "message"),
    [
        (("-m", ""), b"", 2, "the note is empty; nothing is added"),
        (("-m", " \n"), b"", 2, "the note is empty; nothing is added"),
        (("-",), b"\n", 2, "the note is empty; nothing is added"),
        (("-",), b"x" * 65_537, 2, "standard input is longer than 65,536 bytes, the most that notes may have"),
        (("-",), b"ab\xff", 2, "standard input is not UTF-8 text (byte 2)"),
        (("-",), b"x" * 65_500, 3, "notes.md: notes are longer than 65,536 bytes; they are not saved"),
        (("-m", "x" * 70_000), b"", 3, "notes.md: notes are longer than 65,536 bytes; they are not saved"),
        (("-m", "x", "-"), b"", 2, "-m is not allowed with -, which reads standard input"),
        (("words",), b"", 2, "note takes RUN and -, got 'words'; a text follows -m"),
        (("-m", "x", "--section", "targt"), b"", 2, "must be one of target, result, analysis; did you mean 'target'?"),
        (("--section", "target"), b"", 2, "--section goes with -m TEXT, or with -"),
    ],
)
def test_what_is_wrong_with_a_note(
    arguments: tuple[str, ...], content: bytes, code: int, message: str, command: Command, folder: Path, stdin: Any
) -> None:
    """One line, and the notes stay as they are."""
    stdin(content)
    before = (folder / "notes.md").read_bytes()
    found = command("note", "0002", *arguments)

    assert (found[0], found[1], found[2].count("\n")) == (code, "", 1)
    assert message in found[2]
    assert (folder / "notes.md").read_bytes() == before
    assert not list(folder.glob(".*"))


def test_standard_input_that_is_none(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed, or a folder."""
    monkeypatch.setattr(sys, "stdin", None)
    assert command("note", "0002", "-") == (2, "", "mnist-tui: standard input is closed; nothing is added\n")

    class Folder(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise IsADirectoryError(21, "Is a directory")

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Folder()))
    assert command("note", "0002", "-")[2] == "mnist-tui: standard input cannot be read: Is a directory\n"


def test_a_run_that_is_not_there_is_found_first(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read from standard input."""
    monkeypatch.setattr(sys, "stdin", None)

    assert command("note", "nothing", "-")[0] == 2
    assert "no run in runs has that name" in command("note", "nothing", "-")[2]
