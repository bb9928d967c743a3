"""Notes, tags, the trash and copies: what a person adds survives, and nothing leads out of the runs directory."""

import os
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.reliability import StopAfter, options, quick_world, resume, run, small_spec, started_folder
from helpers.saved_runs import NOTES, make_run

from mnist_tui.errors import StorageError
from mnist_tui.runs import annotations, filters, storage
from mnist_tui.runs.annotations import Notes
from mnist_tui.runs.events import EpochEnded, LearningRateChanged, Outcome, RunEnded, RunStarted
from mnist_tui.runs.index import read_run
from mnist_tui.runs.storage import load_run
from mnist_tui.spec import presets
from mnist_tui.training import session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run."""
    return make_run(tmp_path / "runs", presets.load("iter5"))


def test_notes(folder: Path) -> None:
    """Written, read back; the heading above them stays."""
    annotations.write_notes(folder, Notes("99.4 %", "- 99.1 %", "too few\n\n## epochs, and <b>no</b> markup"))
    found = annotations.read_notes(folder)

    assert found == Notes("99.4 %", "- 99.1 %", "too few\n\n## epochs, and <b>no</b> markup")
    assert annotations.notes_text(folder).startswith("# iter5, seed 0\n\n## Target\n\n99.4 %\n\n## Result")
    assert (folder / "notes.md").read_text() != NOTES


def test_notes_that_are_not_there_yet(folder: Path) -> None:
    """Are empty, and can be written."""
    (folder / "notes.md").unlink()
    assert annotations.read_notes(folder) == Notes()
    annotations.write_notes(folder, Notes(analysis="x\x1b[2J"))
    assert annotations.read_notes(folder).analysis == "x\ufffd[2J"


def test_empty_notes_are_still_the_programs_to_fill(folder: Path) -> None:
    """Saving nothing leaves the end of the file as the writer of a run knows it."""
    annotations.write_notes(folder, annotations.read_notes(folder))

    assert (folder / "notes.md").read_bytes() == NOTES.encode()


def test_notes_that_are_a_link_or_too_long(folder: Path, tmp_path: Path) -> None:
    """Neither read nor written through."""
    outside = tmp_path / "outside.md"
    outside.write_text("mine")
    (folder / "notes.md").unlink()
    (folder / "notes.md").symlink_to(outside)
    with pytest.raises(StorageError, match="is a link"):
        annotations.read_notes(folder)
    with pytest.raises(StorageError, match="is a link"):
        annotations.write_notes(folder, Notes())
    (folder / "notes.md").unlink()
    with pytest.raises(StorageError, match="not saved"):
        annotations.write_notes(folder, Notes(analysis="x" * 70_000))

    assert outside.read_text() == "mine"


@pytest.mark.parametrize(
    "text",
    [
        "# mine\n\nabove\n\n## Plan\n\na\n\n## Target\n\n99 %\n\n## Todo\n\nb\n\n## Result\n\n## Analysis\n\nx\n\n",
        "no heading at all\n\n## Target\n\n## Result\n\n## Analysis\n\n",
    ],
)
def test_what_is_written_beside_the_parts(text: str, folder: Path) -> None:
    """Other headings and what stands above the first survive, byte for byte."""
    (folder / "notes.md").write_text(text)
    annotations.write_notes(folder, annotations.read_notes(folder))

    assert (folder / "notes.md").read_text() == text


def test_notes_of_other_editors(folder: Path) -> None:
    """Their line ends, tabs, byte order marks, small letters and a heading that comes twice."""
    (folder / "notes.md").write_bytes(
        b"\xef\xbb\xbf## analysis \r\n\r\na\tb\r\n\r\n## Target\r\n\r\n## Analysis\r\nc\r\n"
    )

    assert annotations.read_notes(folder) == Notes(analysis="a   b\n\nc")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(b"\xff"), "is not UTF-8"),
        (lambda path: path.write_bytes(b"x" * 70_000), "is larger than"),
        (os.mkfifo, "is not a regular file"),
    ],
)
def test_notes_that_are_none(make: Callable[[Path], object], reason: str, folder: Path) -> None:
    """Neither read nor replaced; it is said what to do."""
    path = folder / "notes.md"
    path.unlink()
    make(path)
    for use in (annotations.read_notes, lambda folder: annotations.write_notes(folder, Notes("x"))):
        with pytest.raises(StorageError, match=rf"notes.md: {reason}.*; move it away"):
            use(folder)

    assert path.is_dir() or path.is_fifo() or path.stat().st_size in (1, 70_000)


def test_a_disk_that_refuses(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One error, with the place."""

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(annotations, "write_atomically", full)
    with pytest.raises(StorageError, match=r"notes.md: cannot be written: No space"):
        annotations.write_notes(folder, Notes())
    with pytest.raises(StorageError, match=r"tags.txt: cannot be written: No space"):
        annotations.write_tags(folder, ["x"])


def test_what_was_not_edited_is_not_written(folder: Path) -> None:
    """A run that ends while somebody writes keeps its result."""
    shown = Notes()
    annotations.write_notes(folder, replace(shown, analysis="mine"), shown)

    assert annotations.read_notes(folder) == Notes("none", "- completed", "mine")


# --- notes of a run that is trained ---


def annotated_while_trained(runs_dir: Path, notes: Notes) -> Path:
    """A completed run, to which somebody added notes after its first epoch."""
    for event in run(runs_dir, small_spec()):
        if isinstance(event, RunStarted):
            folder = Path(event.folder)
        elif isinstance(event, EpochEnded) and event.epoch == 1:
            annotations.write_notes(folder, notes)
    return folder


def test_words_from_before_the_end_stay(tmp_path: Path) -> None:
    """All three parts are the person's; the title is added."""
    notes = Notes("99.4 %", "as I thought", "because")
    folder = annotated_while_trained(tmp_path, notes)

    assert annotations.read_notes(folder) == notes
    assert annotations.notes_text(folder).startswith("# small, seed 0\n\n## Target\n\n99.4 %\n\n## Result")


@pytest.mark.parametrize("notes", [Notes(), Notes("99.4 %"), Notes(analysis="because"), Notes("99.4 %", "", "because")])
def test_the_result_is_added_to_what_a_person_wrote(notes: Notes, tmp_path: Path) -> None:
    """Where there is none; and the target where there is none."""
    found = annotations.read_notes(annotated_while_trained(tmp_path, notes))

    assert found.result.startswith("- completed: all epochs trained\n- ")
    assert (found.target, found.analysis) == (notes.target or "none", notes.analysis)


def test_free_text_stays_too(tmp_path: Path) -> None:
    """What stands under no heading, or under another, is the person's."""
    folder = started_folder(list(run(tmp_path, small_spec(), 3)))
    (folder / "notes.md").write_text("only this\n\n## Todo\n\nmore epochs")
    list(resume(folder))
    text = annotations.notes_text(folder)

    assert text.startswith("# small, seed 0\n\nonly this\n\n## Todo\n\nmore epochs\n\n## Target\n")
    assert "- completed: " in text


def test_the_result_of_a_stopped_run_gives_way(tmp_path: Path) -> None:
    """Beside an analysis too; one that somebody changed stays."""
    for changed in ("", "\n- but see the other run"):
        folder = started_folder(list(run(tmp_path, small_spec(), 3)))
        before = annotations.read_notes(folder)
        annotations.write_notes(folder, replace(before, result=before.result + changed, analysis="why"))
        list(resume(folder))
        found = annotations.read_notes(folder)

        assert before.result.startswith("- stopped: ")
        assert found.analysis == "why"
        assert found.result.startswith("- stopped: " if changed else "- completed: ")
        assert found.result.endswith(changed or "%")


@pytest.mark.parametrize("outcome", ["completed", "stopped", "diverged", "failed"])
@pytest.mark.parametrize("steered", [(), (LearningRateChanged(1, 2, 0.1),) * 20])
def test_a_result_of_the_program_is_known_as_such(outcome: Outcome, steered: tuple[LearningRateChanged, ...]) -> None:
    """Whatever it says; else the next one would not replace it."""
    row = EpochEnded(1, 0.4, 0.9, None, None, 0.3, 0.9, 0.002, 9.0, 7_000.0)
    for best in (row, None):
        target = {"parameters": True, "epochs": None}
        ended = RunEnded(outcome, "as (it) did: so", 1, best, best, "test", target, 1.0)
        text = session.notes(small_spec(), ended, "digits", steered)

        assert storage.merged_notes(text, text.replace("did: so", "does now")) == text.replace("did: so", "does now")


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/hostname"), lambda path: path.mkdir()])
def test_a_run_ends_beside_notes_that_are_none(make: Callable[[Path], None], tmp_path: Path) -> None:
    """They are left alone; the run has ended all the same, and its log says it."""
    with quick_world():
        events = session.run(small_spec(), options(tmp_path), StopAfter(3))
        folder = started_folder([next(events)])
        make(folder / "notes.md")
        list(events)

    assert load_run(folder).end["outcome"] == "stopped"
    assert (folder / "notes.md").is_symlink() or (folder / "notes.md").is_dir()
    assert "the result is in end.json" in (folder / "run.log").read_text()


# --- tags ---


def test_tags(folder: Path) -> None:
    """Sorted, each once; a wrong one is refused and nothing is written."""
    annotations.write_tags(folder, ["x", "best-so-far", "x"])
    with pytest.raises(ValueError, match="is no tag"):
        annotations.write_tags(folder, ["two words"])

    assert annotations.read_tags(folder) == ("best-so-far", "x")
    (folder / "tags.txt").write_bytes(b"ok\n\x1b[2J\n")
    assert annotations.read_tags(folder) == ("ok",)


@pytest.mark.parametrize(
    "tag", ["", "two words", "x" * 41, "é" * 41, "a/b", "a\n", "\x1b", "-x", ".x", "\u0301", "a\u202eb", "a\u200bb"]
)
def test_a_wrong_tag(tag: str, folder: Path) -> None:
    """Is refused in a sentence, and the others stay."""
    annotations.write_tags(folder, ["kept"])
    with pytest.raises(ValueError, match="is no tag: 1 to 40 letters"):
        annotations.write_tags(folder, ["fine", tag])

    assert annotations.read_tags(folder) == ("kept",)


def test_tags_of_any_script(folder: Path) -> None:
    """Kept in one normal form, so that the same word typed another way is the same tag; counted in bytes."""
    decomposed = unicodedata.normalize("NFD", "größe")
    annotations.write_tags(folder, ["测试", decomposed, "größe", "नमस्ते"])
    read = annotations.read_tags(folder)
    many = [f"{'测' * 35}{number:03}" for number in range(40)]

    assert read == ("größe", "नमस्ते", "测试")
    assert filters.choose([read_run(folder)], f"tag:{decomposed}")
    assert sum(map(len, many)) < annotations.MAX_TAGS
    with pytest.raises(ValueError, match="these are more than 4,096 bytes"):
        annotations.write_tags(folder, many)
    assert annotations.read_tags(folder) == read


def test_damaged_tags(folder: Path, tmp_path: Path) -> None:
    """What is valid is read, of a link nothing; writing replaces the link, not what it leads to."""
    (folder / "tags.txt").write_bytes(b"b\n\xff\xfe\ntwo words\n  a  \r\nb\n" + b"x" * 50 + b"\nc")
    assert annotations.read_tags(folder) == ("a", "b", "c")
    (tmp_path / "outside").write_text("secret\n")
    (folder / "tags.txt").unlink()
    (folder / "tags.txt").symlink_to(tmp_path / "outside")
    assert annotations.read_tags(folder) == ()
    annotations.write_tags(folder, ["mine"])

    assert annotations.read_tags(folder) == ("mine",)
    assert (tmp_path / "outside").read_text() == "secret\n"


# --- the trash ---


def test_deleted_and_back(folder: Path) -> None:
    """In the trash, of which the newest comes first; back with every byte."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = make_run(folder.parent, presets.load("v2"))
    annotations.delete(other)
    moved = annotations.delete(folder)

    assert not folder.exists()
    assert [path.name for path in annotations.trashed(folder.parent)] == [folder.name, other.name]
    assert annotations.restore(moved) == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_same_name_twice_in_the_trash(folder: Path) -> None:
    """Nothing in the trash is overwritten, and nothing outside it by what comes back."""
    name = folder.name
    annotations.delete(folder)
    (folder.parent / name).mkdir()
    (folder.parent / name / "run.json").write_text("{}")
    second = annotations.delete(folder.parent / name)
    assert second.name == f"{name}.2"
    (folder.parent / name).mkdir()
    with pytest.raises(StorageError, match="is there already"):
        annotations.restore(folder.parent / ".trash" / name)


def test_what_is_not_deleted(folder: Path, tmp_path: Path) -> None:
    """A run under way, a link, a folder that is no run."""
    with FileLock(folder / "run.lock"), pytest.raises(StorageError, match="is being trained"):
        annotations.delete(folder)
    link = folder.parent / "link"
    link.symlink_to(folder)
    (tmp_path / "pictures").mkdir()
    for wrong in (link, tmp_path / "pictures"):
        with pytest.raises(StorageError, match="is no run folder"):
            annotations.delete(wrong)

    assert folder.is_dir()


def test_what_is_in_no_runs_directory(folder: Path) -> None:
    """Paths that lead round the trash, and runs that are in it already."""
    moved = annotations.delete(folder)
    with pytest.raises(StorageError, match="is in the trash already"):
        annotations.delete(moved)
    (moved / "below").mkdir()
    with pytest.raises(StorageError, match="is no run folder"):
        annotations.delete(moved / "below" / "..")
    back = annotations.restore(moved)
    with pytest.raises(StorageError, match="is in no trash"):
        annotations.restore(back)
    outside = back.parent.parent / "outside.json"
    (back / "run.json").rename(outside)
    (back / "run.json").symlink_to(outside)
    with pytest.raises(StorageError, match="is no run folder"):
        annotations.delete(back)

    assert back.is_dir()


def test_who_trains_a_run_in_the_trash(folder: Path) -> None:
    """Keeps it there."""
    moved = annotations.delete(folder)
    with FileLock(moved / "run.lock"):
        with pytest.raises(StorageError, match="is being trained"):
            annotations.restore(moved)
        with pytest.raises(StorageError, match="is being trained"):
            annotations.empty_trash(folder.parent)

    assert annotations.trashed(folder.parent) == [moved]


def test_a_run_is_held_while_it_moves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody begins to train it at that moment; afterwards its lock is free."""
    held: list[bool] = []
    move = annotations._move

    def noted(source: Path, target: Path) -> None:
        held.append(storage.is_running(source))
        move(source, target)

    monkeypatch.setattr(annotations, "_move", noted)
    moved = annotations.delete(folder)
    annotations.restore(moved)

    assert held == [True, True]
    assert not storage.is_running(folder)


def test_the_trash_is_emptied(folder: Path, tmp_path: Path) -> None:
    """For good, and nothing that a link leads to."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("mine")
    (folder / "link").symlink_to(outside)
    annotations.delete(folder)
    annotations.delete(make_run(folder.parent, presets.load("v2")))
    (folder.parent / ".trash" / "link").symlink_to(outside)

    assert annotations.empty_trash(folder.parent) == 2
    assert annotations.empty_trash(folder.parent) == 0
    assert [path.name for path in (folder.parent / ".trash").iterdir()] == ["link"]
    assert (outside / "kept").read_text() == "mine"
    assert annotations.empty_trash(tmp_path / "nowhere") == 0


def test_a_run_that_cannot_be_moved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stays, and it is said why."""

    def refused(*_: Path) -> None:
        raise OSError(18, "Invalid cross-device link", str(folder))

    monkeypatch.setattr(annotations, "_move", refused)
    with pytest.raises(StorageError, match="Invalid cross-device link"):
        annotations.delete(folder)

    assert folder.is_dir()


def test_a_trash_that_is_a_link(folder: Path, tmp_path: Path) -> None:
    """Is neither filled nor listed."""
    (tmp_path / "outside").mkdir()
    (folder.parent / ".trash").symlink_to(tmp_path / "outside")
    with pytest.raises(StorageError, match="is a link"):
        annotations.delete(folder)

    assert annotations.trashed(folder.parent) == []
    assert folder.is_dir()


# --- copies ---


@pytest.mark.parametrize("name", ["copy", "copy.zip", "copy.tar.gz"])
def test_export(name: str, folder: Path, tmp_path: Path) -> None:
    """Regular files only; the same bytes; nothing is overwritten."""
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "ckpt-00000001.safetensors").write_bytes(b"weights")
    (folder / "ckpt-00000002.damaged").write_bytes(b"weights")
    (folder / ".notes.md.1.tmp").write_bytes(b"half")
    os.utime(folder / "run.json", (0, 0))  # Before the first year of a ZIP file.
    path = annotations.export(folder, tmp_path / name)
    content = _content(path, folder.name)

    assert content["history.jsonl"] == (folder / "history.jsonl").read_bytes()
    assert {"link", "run.lock", ".notes.md.1.tmp"}.isdisjoint(content)
    assert "ckpt-00000001.safetensors" in content
    with pytest.raises(StorageError, match="nothing is overwritten"):
        annotations.export(folder, path)
    light = annotations.export(folder, tmp_path / f"light-{name}", checkpoints=False)
    assert not [file for file in _content(light, folder.name) if file.startswith("ckpt-")]
    with pytest.raises(StorageError, match="No such file"):
        annotations.export(folder, tmp_path / "none" / name)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_is_not_exported(folder: Path, tmp_path: Path) -> None:
    """What is no run; and no run into itself."""
    with pytest.raises(StorageError, match="is no run folder"):
        annotations.export(tmp_path, tmp_path / "copy")
    with pytest.raises(StorageError, match="lies in the run itself"):
        annotations.export(folder, folder / "copy.zip")
    with pytest.raises(
        ValueError, match=r"copy\.md: a run is exported to a new folder, or to a file that ends in \.zip"
    ):
        annotations.export(folder, tmp_path / "copy.md")

    assert not (folder / "copy.zip").exists()
    assert not (tmp_path / "copy.md").exists()


@pytest.mark.parametrize("name", ["copy", "iter5-0.2", "2026.11.21", "copy.x-y"])
def test_names_of_folders(name: str, folder: Path, tmp_path: Path) -> None:
    """They may be called after versions and dates."""
    assert annotations.export(folder, tmp_path / name).is_dir()


@pytest.mark.parametrize("name", ["a.b.zip", "copy.tgz", "COPY.ZIP", "Copy.Tar.GZ"])
def test_names_of_archives(name: str, folder: Path, tmp_path: Path) -> None:
    """In capitals too."""
    assert annotations.export(folder, tmp_path / name).is_file()


@pytest.mark.parametrize("name", ["copy", "copy.zip", "copy.tar.gz"])
def test_an_export_that_is_broken_off(name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves nothing behind."""
    pack = annotations._pack

    def broken(*arguments: object) -> None:
        pack(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(annotations, "_pack", broken)
    with pytest.raises(KeyboardInterrupt):
        annotations.export(folder, tmp_path / name)

    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == []


def _content(path: Path, name: str) -> dict[str, bytes]:
    if path.is_dir():
        return {file.name: file.read_bytes() for file in path.iterdir()}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {each.removeprefix(f"{name}/"): archive.read(each) for each in archive.namelist()}
    with tarfile.open(path) as packed:
        members = {member.name: packed.extractfile(member) for member in packed.getmembers()}
        return {each.removeprefix(f"{name}/"): file.read() for each, file in members.items() if file}
