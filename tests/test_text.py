"""Text and files from outside: what reaches the screen is harmless, what is read is bounded."""

import ast
import os
import signal
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mnist_tui.errors import FileError
from mnist_tui.files import read_bytes, read_text
from mnist_tui.text import as_name, cell_width, clean, clean_line, fitted, in_ascii, is_name

REPLACED = {
    "C0": [chr(code) for code in range(0x20) if chr(code) != "\n"],
    "DEL and C1": [chr(code) for code in range(0x7F, 0xA0)],
    "bidirectional": list("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"),
    "line breaks of other kinds": list("\u2028\u2029"),
    "byte order mark": ["\ufeff"],
    "surrogates": ["\ud800", "\udbff", "\udc00", "\udfff"],
}


@pytest.mark.parametrize("characters", REPLACED.values(), ids=REPLACED)
def test_what_drives_a_terminal_or_hides_text_is_replaced(characters: list[str]) -> None:
    """Each such character becomes one U+FFFD, and its neighbours stay."""
    cleaned = [clean(f"a{character}b") for character in characters]

    assert set(cleaned) == {"a\ufffdb"}


@pytest.mark.parametrize("text", ["", "a\nb\n", "Größe 日本語 🙂", "a\u00a0b", "e\u0301", "\u2026 ²"])
def test_ordinary_text_stays(text: str) -> None:
    """Line breaks, accents, other scripts and emoji are no harm."""
    assert clean(text) == text


@given(st.text(st.characters()))
def test_cleaned_text_can_be_shown_and_stored(text: str) -> None:
    """No character that moves text is left, whatever came in, and cleaning twice changes nothing more."""
    cleaned = clean(text)

    assert not {unicodedata.category(character) for character in cleaned.replace("\n", "")} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(character) for character in cleaned} & {"LRE", "RLO", "LRI", "PDF", "PDI"}
    assert len(cleaned) == len(text)
    assert clean(cleaned) == cleaned
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned


def test_an_escape_sequence_is_plain_text() -> None:
    """The colour is not set and the window's title is not changed."""
    assert clean("\x1b[31mred\x1b]0;title\x07") == "\ufffd[31mred\ufffd]0;title\ufffd"


def test_long_text_is_cut() -> None:
    """The width counts characters."""
    assert clean("abc" * 10_000) == ("abc" * 10_000)[:10_000]
    assert clean("abcd", 3) == "abc"
    assert clean_line("abcd", 3) == "abc"


def test_a_line_is_one_line() -> None:
    """Line breaks become spaces."""
    assert clean_line("a\nb\r\nc") == "a b\ufffd c"


# --- files -----------------------------------------------------------------------------------------------------------


OPEN_FILES = Path("/proc/self/fd")


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Fails instead of hanging where the body blocks."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError(f"blocked for {seconds} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def test_a_file_of_the_allowed_size_is_read(tmp_path: Path) -> None:
    """The limit is the largest allowed size; a link to a file is a file."""
    path = tmp_path / "file"
    path.write_bytes(b"\x00\xff12")
    (tmp_path / "link").symlink_to(path)

    assert read_bytes(path, 4) == b"\x00\xff12"
    assert read_bytes(tmp_path / "link", 4) == b"\x00\xff12"


def test_an_empty_file_is_read(tmp_path: Path) -> None:
    """Nothing is a content, too."""
    (tmp_path / "file").touch()

    assert read_bytes(tmp_path / "file", 0) == b""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("folder", "is a folder"),
        ("pipe", "is not a regular file"),
        ("large", "is larger than 1,000 bytes"),
        ("sparse", "is larger than 1,000 bytes"),
        ("missing", "No such file or directory"),
        ("large/below", "Not a directory"),
        ("dangling", "No such file or directory"),
        ("loop", "symbolic links"),
        ("a" * 300, "File name too long"),
        ("a\0b", "is no file name"),
        ("/dev/zero", "is not a regular file"),
    ],
)
def test_what_is_no_readable_file_is_one_clear_error(tmp_path: Path, name: str, why: str) -> None:
    """Folders, pipes, devices and large files are refused at once, with the path, and leave nothing open."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"a" * 1_001)
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(2**40)
    (tmp_path / "dangling").symlink_to(tmp_path / "missing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    open_before = len(list(OPEN_FILES.iterdir()))

    with at_most(5), pytest.raises(FileError) as caught:
        read_bytes(tmp_path / name, 1_000)
    assert caught.value.path == tmp_path / name
    assert why in caught.value.why
    assert str(caught.value) == f"{tmp_path / name}: {caught.value.why}"
    assert len(list(OPEN_FILES.iterdir())) == open_before


def test_the_clock_of_these_tests_works(tmp_path: Path) -> None:
    """The control: an ordinary open does block on a pipe, and `at_most` ends it."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(TimeoutError), at_most(0.05):
        (tmp_path / "pipe").read_bytes()


@pytest.mark.parametrize("content", ["Größe\n", "\ufeffGröße\n"])
def test_text_is_utf8_with_or_without_its_mark(tmp_path: Path, content: str) -> None:
    """The byte order mark that some editors write is no part of the text."""
    path = tmp_path / "file"
    path.write_bytes(content.encode("utf-8"))

    assert read_text(path, 100) == "Größe\n"


@pytest.mark.parametrize("content", [b"abc\xff", "abcé".encode("latin-1"), b"abc\xed\xa0\x80", "a".encode("utf-16")])
def test_other_bytes_are_no_text(tmp_path: Path, content: bytes) -> None:
    """The error says where the text stops being UTF-8."""
    path = tmp_path / "file"
    path.write_bytes(content)

    with pytest.raises(FileError, match=rf"is not UTF-8 text \(byte {0 if content[0] > 127 else 3}\)"):
        read_text(path, 100)


NAMES = ["iter5", "测试", "größe", "नमस्ते", "ภาษาไทย", "עברית", "한국어-v2", "_x", "2.0", "x" * 60, "é" * 60]
NO_NAMES = {
    "nothing": "",
    "too long": "x" * 61,
    "too many bytes": "𠀀" * 51,
    "a space": "a b",
    "a line break": "a\n",
    "a path": "../x",
    "a backslash": "a\\b",
    "a hidden file": ".x",
    "an option": "-x",
    "a mark alone": "\u0301",
    "an escape": "\x1b[2J",
    "right to left": "a\u202eb",
    "a surrogate": "\udc80",
    "of no width": "a\u200bb",
    "a letter that is drawn as nothing": "\u3164",
    "a sign": "a:b",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_script(name: str) -> None:
    """Of letters, digits and marks; as a keyboard writes them, they are brought into normal form."""
    assert is_name(name, 60)
    assert as_name(unicodedata.normalize("NFD", name)) == name


@pytest.mark.parametrize("name", NO_NAMES.values(), ids=NO_NAMES)
def test_no_names(name: str) -> None:
    """What could leave a folder, drive or reorder a terminal, hide, or be taken for an option."""
    assert not is_name(as_name(name), 60)


@given(st.text(max_size=70))
def test_every_name_is_safe(text: str) -> None:
    """To show, as an argument, and as a part of a file's name."""
    name = as_name(text)
    if is_name(name, 60):
        assert clean_line(name) == name == name.strip()
        assert name[0] not in ".-"
        assert not set(name) & set("/\\\0 :*?\"'<>|$`;&()")
        assert len(f".{name}.toml.1234567.0123456789abcdef.tmp".encode()) <= 255
        assert cell_width(name) > 0


@pytest.mark.parametrize(
    ("text", "cells"),
    [("iter5", 5), ("测试", 4), ("gro\u0308ße", 5), ("größe", 5), ("ภาษาไทย", 7), ("", 0), ("e\u0301", 1)],
)
def test_width_in_cells(text: str, cells: int) -> None:
    """Two for a wide character, none for a mark: as the library that draws the dashboard counts."""
    assert cell_width(text) == cells == cell_len(text)


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=30), st.integers(1, 20), st.booleans())
def test_a_fitted_text_takes_its_cells(text: str, width: int, is_right: bool) -> None:
    """Exactly, whatever is cut; what fits stays whole."""
    shown = fitted(text, width, is_right)

    assert cell_width(shown) == width
    assert text in shown if cell_width(text) <= width else shown.strip(" ")[-1:] == "…"


PACKAGE = Path(__file__).parent.parent / "mnist_tui"
DRAWINGS = {"text.py", "table.py", "analysis/text_images.py", "analysis/palette.py", "analysis/leaderboard_scale.py"}
"""Modules whose other signs are a drawing, the table of the signs itself, or signs that they look for."""
SENTENCES = [
    path
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).as_posix() not in DRAWINGS and "tui" not in path.parent.parts[-2:]
]


@pytest.mark.parametrize("path", SENTENCES, ids=lambda path: path.stem)
def test_every_sign_of_our_sentences_has_a_form_in_ascii(path: Path) -> None:
    """What a module may say is shown in ASCII mode without a question mark; docstrings are not shown."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    documents = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in documents]

    assert [text for text in texts if isinstance(text, str) and not in_ascii(text).isascii()] == []
