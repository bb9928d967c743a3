"""Where a report is written: whole or not at all, and never over what somebody else wrote."""

import errno
import os
from pathlib import Path

import pytest

from mnist_tui.errors import ReportError, StorageError
from mnist_tui.report import writer
from mnist_tui.report.model import Rendered
from mnist_tui.report.writer import figures_folder, format_of, write, wrong_owner, wrong_place

REPORT = Path("report.md")
FIGURES = Path("report_files")
FIRST = Rendered("# One\n\n![a](report_files/a.svg) ![b](report_files/b.png)\n", {"a.svg": b"<svg/>", "b.png": b"png"})
SECOND = Rendered("# Two\n\n![a](report_files/a.svg)\n", {"a.svg": b"<svg>2</svg>"})


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def everything() -> dict[str, bytes]:
    """Every file below the current folder, with its content."""
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def test_a_report_and_its_figures() -> None:
    """The text, a last line that says whose it is, and the figures beside it."""
    write(REPORT, FIRST)

    assert REPORT.read_text().startswith(FIRST.text)
    assert "mnist-tui note RUN" in REPORT.read_text().splitlines()[-1]
    assert {path.name: path.read_bytes() for path in FIGURES.iterdir()} == FIRST.files


def test_a_report_without_figures_has_no_folder() -> None:
    """As HTML has everything in it."""
    write(Path("report.html"), Rendered("<!doctype html>\n"))

    assert list(everything()) == ["report.html"]
    assert figures_folder(Path("a/My report.md")) == Path("a/My report_files")


def test_a_report_that_nobody_changed_is_replaced() -> None:
    """Figures that it no longer shows are removed; those that somebody put beside them stay."""
    write(REPORT, FIRST)
    (FIGURES / "mine.png").write_bytes(b"mine")
    write(REPORT, SECOND)

    assert REPORT.read_text().startswith("# Two")
    assert {path.name for path in FIGURES.iterdir()} == {"a.svg", "mine.png"}
    assert (FIGURES / "a.svg").read_bytes() == b"<svg>2</svg>"


def test_the_folder_goes_with_its_last_figure() -> None:
    """Where the new report shows none."""
    write(REPORT, FIRST)
    write(REPORT, Rendered("# None\n"))

    assert list(everything()) == ["report.md"]
    assert not FIGURES.exists()


@pytest.mark.parametrize("change", ["in the text", "behind the mark", "before everything"])
def test_what_a_person_wrote_into_a_report_is_not_replaced(change: str) -> None:
    """Whatever line it is on; --force replaces it."""
    write(REPORT, FIRST)
    text = REPORT.read_text()
    texts = {
        "in the text": text.replace("# One", "# One\n\nmine"),
        "behind the mark": f"{text}\nmine\n",
        "before everything": f"mine\n{text}",
    }
    REPORT.write_text(texts[change])
    before = everything()

    with pytest.raises(ReportError, match=r"^report\.md: was changed since mnist-tui wrote it; move what you wrote"):
        write(REPORT, SECOND)
    assert everything() == before
    write(REPORT, SECOND, force=True)
    assert wrong_owner(REPORT) is None
    assert {path.name for path in FIGURES.iterdir()} == {"a.svg"}


def test_line_ends_and_blanks_are_no_change() -> None:
    """Git may write CRLF, editors strip blanks."""
    write(REPORT, Rendered("# One  \n\nend\n"))
    REPORT.write_bytes(REPORT.read_bytes().replace(b"  \n", b"\n").replace(b"\n", b"\r\n"))

    assert wrong_owner(REPORT) is None


def test_a_mark_that_the_notes_quote_is_text() -> None:
    """The last one is the report's own."""
    write(REPORT, FIRST)
    quoted = REPORT.read_text().splitlines()[-1]
    write(REPORT, Rendered(f"# Two\n\n{quoted}\n"))

    assert wrong_owner(REPORT) is None
    REPORT.write_text(REPORT.read_text().replace("# Two", "# Mine"))
    assert wrong_owner(REPORT) is not None


@pytest.mark.parametrize("content", [b"", b"# My README\n", b"\xff\xfe binary", b"<!-- mnist-tui report -->\n"])
def test_a_file_of_somebody_else_is_not_replaced(content: bytes) -> None:
    """Not without --force, and nothing is written beside it."""
    REPORT.write_bytes(content)

    with pytest.raises(ReportError, match=r"^report\.md: is there already and is no report of mnist-tui"):
        write(REPORT, FIRST)
    assert everything() == {"report.md": content}
    write(REPORT, FIRST, force=True)
    assert REPORT.read_text().startswith("# One")


def test_figures_of_somebody_else_are_not_replaced() -> None:
    """A file of that name which no report shows."""
    FIGURES.mkdir()
    (FIGURES / "b.png").write_bytes(b"mine")

    with pytest.raises(ReportError, match=r"^report_files/b\.png: is there already, and no report shows it"):
        write(REPORT, FIRST)
    assert everything() == {"report_files/b.png": b"mine"}
    write(REPORT, FIRST, force=True)
    assert (FIGURES / "b.png").read_bytes() == b"png"


def test_a_report_removes_nothing_outside_of_its_folder() -> None:
    """Whatever paths a forged one names."""
    Path("precious.svg").write_bytes(b"mine")
    write(REPORT, Rendered("![a](report_files/../precious.svg) ![b](report_files/..%2Fprecious.svg)\n"))
    write(REPORT, SECOND)

    assert Path("precious.svg").read_bytes() == b"mine"


@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_a_full_disk_leaves_nothing_of_a_new_report(fails_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the first figure, at the second and at the report itself."""
    replace, calls = os.replace, []

    def full(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr("mnist_tui.files.os.replace", full)
    with pytest.raises(StorageError, match=r"^report\.md: cannot be written: No space left on device"):
        write(REPORT, FIRST)

    assert list(Path().iterdir()) == []


def test_a_full_disk_leaves_the_report_that_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text, and figures under all their names."""
    write(REPORT, FIRST)

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writer, "write_atomically", full)
    with pytest.raises(StorageError):
        write(REPORT, Rendered(SECOND.text, SECOND.files | {"new.svg": b"<svg/>"}))

    assert REPORT.read_text().startswith("# One")
    assert {path.name for path in FIGURES.iterdir()} == {"a.svg", "b.png"}


def test_a_disk_that_refuses_everything_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither written nor removed: the reason of the first refusal is told, not an error of the cleaning up."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    for name in ("replace", "unlink", "rmdir"):
        monkeypatch.setattr(os, name, refuse)

    with pytest.raises(StorageError, match=r"^report\.md: cannot be written: Disk quota exceeded"):
        write(REPORT, FIRST)


def test_ctrl_c_leaves_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the figures and the report."""

    def interrupted(path: Path, content: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "write_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(REPORT, FIRST)

    assert list(Path().iterdir()) == []


def test_a_place_where_no_report_can_be() -> None:
    """Each with its reason."""
    Path("folder.md").mkdir()
    Path("taken_files").write_text("")
    os.mkfifo("pipe.md")
    long = Path("x" * 300 + ".md")

    assert wrong_place(Path("folder.md")) == "folder.md: is a folder; name a file in it"
    assert wrong_place(Path("nowhere/a.md")) == "nowhere: there is no such folder"
    assert wrong_place(Path("taken.md")) == "taken_files: is not a folder, and the figures belong there"
    assert wrong_place(Path("pipe.md")) == "pipe.md: is not a regular file"
    assert str(wrong_place(long)).endswith("File name too long")
    assert str(wrong_place(Path("a\0b.md"))).endswith("is no file name")
    assert wrong_place(Path("pipe.md/a.md")) == "pipe.md/a.md: Not a directory"
    assert wrong_place(Path("fine.md")) is None
    with pytest.raises(ReportError, match="nowhere: there is no such folder"):
        write(Path("nowhere/a.md"), FIRST, force=True)


def test_the_format_is_the_end_of_the_name() -> None:
    """In any case."""
    assert [format_of(Path(name)) for name in ("a.md", "a.MD", "a.markdown", "a.html", "b.htm", "c.pdf", "d")] == [
        "md", "md", "md", "html", "html", None, None,
    ]  # fmt: skip
