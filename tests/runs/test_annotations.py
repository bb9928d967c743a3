"""Notes and tags: a person's words survive whatever the program writes, and no link is followed."""

import os
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.reliability import StopAfter, options, patched_session, resume, run, small_spec, started_folder
from helpers.saved_runs import NOTES, make_run

from mnist_tui import files
from mnist_tui.errors import StorageError
from mnist_tui.runs import annotations, filters, storage
from mnist_tui.runs.annotations import Notes
from mnist_tui.runs.events import EpochEnded, LearningRateChanged, Outcome, RunEnded, RunStarted
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.storage import RunFolder, load_run
from mnist_tui.spec import presets
from mnist_tui.training import session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run."""
    return make_run(tmp_path / "runs", presets.load("iter5"))


def test_notes(folder: Path) -> None:
    """Notes are written and read back; the title above them stays."""
    annotations.write_notes(folder, Notes("99.4 %", "- 99.1 %", "too few\n\n## epochs, and <b>no</b> markup"))
    notes = annotations.read_notes(folder)

    assert notes == Notes("99.4 %", "- 99.1 %", "too few\n\n## epochs, and <b>no</b> markup")
    assert annotations.notes_text(folder).startswith("# iter5, seed 0\n\n## Target\n\n99.4 %\n\n## Result")
    assert (folder / "notes.md").read_text() != NOTES


def test_notes_that_are_not_there_yet(folder: Path) -> None:
    """Missing notes are empty, and can be written; control characters are replaced."""
    (folder / "notes.md").unlink()
    assert annotations.read_notes(folder) == Notes()
    annotations.write_notes(folder, Notes(analysis="x\x1b[2J"))
    assert annotations.read_notes(folder).analysis == "x\ufffd[2J"


def test_empty_notes_are_still_the_programs_to_fill(folder: Path) -> None:
    """Saving unchanged notes leaves the file as the writer of a run left it, byte for byte."""
    annotations.write_notes(folder, annotations.read_notes(folder))

    assert (folder / "notes.md").read_bytes() == NOTES.encode()


def test_notes_that_are_a_link_or_too_long(folder: Path, tmp_path: Path) -> None:
    """A link is neither read nor written through, and too long notes are refused."""
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
    """Other headings and text above the first heading survive saving, byte for byte."""
    (folder / "notes.md").write_text(text)
    annotations.write_notes(folder, annotations.read_notes(folder))

    assert (folder / "notes.md").read_text() == text


def test_notes_of_other_editors(folder: Path) -> None:
    """Line ends, tabs, byte order marks, lower-case headings and repeated headings of other editors are read."""
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
    """A notes.md that is no readable text is neither read nor replaced; the error says what to do."""
    path = folder / "notes.md"
    path.unlink()
    make(path)
    for use in (annotations.read_notes, lambda folder: annotations.write_notes(folder, Notes("x"))):
        with pytest.raises(StorageError, match=rf"notes.md: {reason}.*; move it away"):
            use(folder)

    assert path.is_dir() or path.is_fifo() or path.stat().st_size in (1, 70_000)


def test_a_disk_that_refuses(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is one error that names the file."""

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(annotations, "write_atomically", full)
    with pytest.raises(StorageError, match=r"notes.md: cannot be written: No space"):
        annotations.write_notes(folder, Notes())
    with pytest.raises(StorageError, match=r"tags.txt: cannot be written: No space"):
        annotations.write_tags(folder, ["x"])


def test_what_was_not_edited_is_not_written(folder: Path) -> None:
    """A result that a run wrote while somebody edited the notes stays."""
    previous = Notes()
    annotations.write_notes(folder, replace(previous, analysis="mine"), previous)

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
    """All three parts that a person wrote during the run stay; the title is added."""
    notes = Notes("99.4 %", "as I thought", "because")
    folder = annotated_while_trained(tmp_path, notes)

    assert annotations.read_notes(folder) == notes
    assert annotations.notes_text(folder).startswith("# small, seed 0\n\n## Target\n\n99.4 %\n\n## Result")


@pytest.mark.parametrize("notes", [Notes(), Notes("99.4 %"), Notes(analysis="because"), Notes("99.4 %", "", "because")])
def test_the_result_is_added_to_what_a_person_wrote(notes: Notes, tmp_path: Path) -> None:
    """The end of a run fills an empty result and an empty target, nothing else."""
    merged = annotations.read_notes(annotated_while_trained(tmp_path, notes))

    assert merged.result.startswith("- completed: all epochs trained\n- ")
    assert (merged.target, merged.analysis) == (notes.target or "none", notes.analysis)


def test_free_text_stays_too(tmp_path: Path) -> None:
    """Text under no heading or under another heading stays when the run ends."""
    folder = started_folder(list(run(tmp_path, small_spec(), 3)))
    (folder / "notes.md").write_text("only this\n\n## Todo\n\nmore epochs")
    list(resume(folder))
    text = annotations.notes_text(folder)

    assert text.startswith("# small, seed 0\n\nonly this\n\n## Todo\n\nmore epochs\n\n## Target\n")
    assert "- completed: " in text


def test_the_result_of_a_stopped_run_gives_way(tmp_path: Path) -> None:
    """The result of a stopped run is replaced when the run is resumed, unless somebody changed it."""
    for changed in ("", "\n- but see the other run"):
        folder = started_folder(list(run(tmp_path, small_spec(), 3)))
        before = annotations.read_notes(folder)
        annotations.write_notes(folder, replace(before, result=before.result + changed, analysis="why"))
        list(resume(folder))
        after = annotations.read_notes(folder)

        assert before.result.startswith("- stopped: ")
        assert after.analysis == "why"
        assert after.result.startswith("- stopped: " if changed else "- completed: ")
        assert after.result.endswith(changed or "%")


ROW = EpochEnded(1, 0.4, 0.9, None, None, 0.3, 0.9, 0.002, 9.0, 7_000.0)
MNIST_RUN = {"dataset": {"name": "mnist"}}


def ended(outcome: Outcome, best: EpochEnded | None, message: str = "as (it) did: so") -> RunEnded:
    """The end of a run of one epoch, or none."""
    target = {"parameters": True, "epochs": None}
    return RunEnded(outcome, message, 1, best, best, "test", target, 1.0)


@pytest.mark.parametrize("outcome", ["completed", "stopped", "diverged", "failed"])
@pytest.mark.parametrize("rate_changes", [[], [LearningRateChanged(1, 2, 0.1)] * 20])
@pytest.mark.parametrize("best", [ROW, None])
def test_a_result_of_the_program_is_emptied_when_the_run_is_resumed(
    outcome: Outcome, rate_changes: list[LearningRateChanged], best: EpochEnded | None, tmp_path: Path
) -> None:
    """Whatever it says: end.json, run.json and steering.jsonl tell what the program wrote."""
    run_folder = RunFolder.create(tmp_path, small_spec(), MNIST_RUN)
    end = ended(outcome, best)
    run_folder.save_rate_changes(rate_changes)
    run_folder.end(end, annotations.ended_notes(small_spec(), end, "mnist", rate_changes))
    before = annotations.read_notes(run_folder.folder)
    run_folder.begin_again({})
    after = annotations.read_notes(run_folder.folder)
    run_folder.close()

    assert before.result.startswith(f"- {outcome}: as (it) did: so\n- ")
    assert after == replace(before, result="")


@pytest.mark.parametrize("has_data", [True, False])
def test_a_result_that_an_older_version_wrote_is_emptied_too(has_data: bool, tmp_path: Path) -> None:
    """Version 0.1 worded the line of the best epoch differently, and its first runs had no line for the data."""
    run_folder = RunFolder.create(tmp_path, small_spec(), MNIST_RUN)
    run_folder.end(ended("stopped", ROW), "")
    lines = ["stopped: as (it) did: so", f"{small_spec().parameters:,} parameters", *["data: mnist"] * has_data]
    lines += ["best epoch 1, by test: test accuracy 90.00%", "last epoch 1: test accuracy 90.00%"]
    result = "\n".join(f"- {line}" for line in lines)
    (run_folder.folder / "notes.md").write_text(f"# small\n\n## Result\n\n{result}\n\n## Analysis\n\nmine\n")
    run_folder.begin_again({})
    run_folder.close()

    assert annotations.read_notes(run_folder.folder) == Notes(analysis="mine")


def test_a_changed_rate_in_an_older_versions_words_is_emptied_too(tmp_path: Path) -> None:
    """Earlier versions called a run whose learning rate was changed by hand "steered"."""
    changes = [LearningRateChanged(1, 2, 0.1)]
    run_folder = RunFolder.create(tmp_path, small_spec(), MNIST_RUN)
    run_folder.save_rate_changes(changes)
    notes = annotations.ended_notes(small_spec(), ended("stopped", ROW), "mnist", changes)
    old_words = notes.replace("the learning rate was changed by hand", "steered, the learning rate was set by hand")
    run_folder.end(ended("stopped", ROW), old_words)
    run_folder.begin_again({})
    run_folder.close()

    assert "steered" in old_words
    assert annotations.read_notes(run_folder.folder).result == ""


def test_a_result_in_the_programs_words_that_it_did_not_write_stays(tmp_path: Path) -> None:
    """A result is recognised by what end.json says, not by the form of its lines."""
    run_folder = RunFolder.create(tmp_path, small_spec(), MNIST_RUN)
    run_folder.end(ended("stopped", ROW), "")
    words = "- stopped: by me\n- 7 parameters\n- data: mnist"
    annotations.write_notes(run_folder.folder, Notes(result=words))
    run_folder.begin_again({})
    run_folder.close()

    assert annotations.read_notes(run_folder.folder).result == words


@pytest.mark.parametrize("end", ['{"outcome": "stopped"}', '{"outcome": "stopped", "epochs": 1, "best": {"epoch": 1}}'])
def test_an_end_that_does_not_tell_what_was_written_leaves_the_notes(end: str, tmp_path: Path) -> None:
    """An end.json without its parts leaves the notes as they are, and the run can be resumed."""
    run_folder = RunFolder.create(tmp_path, small_spec(), MNIST_RUN)
    annotations.write_notes(run_folder.folder, Notes(result="- stopped: x"))
    (run_folder.folder / "end.json").write_text(end)
    run_folder.begin_again({})
    run_folder.close()

    assert annotations.read_notes(run_folder.folder).result == "- stopped: x"
    assert load_run(run_folder.folder).end is None


def test_a_run_that_fails_while_it_ends_has_the_result_of_its_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notes were written already when the disk refused end.json."""
    run_folder = RunFolder.create(tmp_path, small_spec(), MNIST_RUN)
    write = files.write_atomically

    def full(path: Path, content: bytes) -> None:
        if path.name == "end.json":
            raise OSError(28, "No space left on device")
        write(path, content)

    completed = ended("completed", ROW)
    monkeypatch.setattr(storage, "write_atomically", full)
    with pytest.raises(OSError, match="No space"):
        run_folder.end(completed, annotations.ended_notes(small_spec(), completed, "mnist"))
    monkeypatch.undo()
    failed = ended("failed", ROW, "cannot write the run")
    run_folder.end(failed, annotations.ended_notes(small_spec(), failed, "mnist"))
    run_folder.close()

    assert annotations.read_notes(run_folder.folder).result.startswith("- failed: cannot write the run\n")


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/hostname"), lambda path: path.mkdir()])
def test_a_run_ends_beside_notes_that_are_none(make: Callable[[Path], None], tmp_path: Path) -> None:
    """Notes that cannot be read are left alone; the run ends all the same, and its log says so."""
    with patched_session():
        events = session.run(small_spec(), options(tmp_path), StopAfter(3))
        folder = started_folder([next(events)])
        make(folder / "notes.md")
        list(events)

    assert (load_run(folder).end or {})["outcome"] == "stopped"
    assert (folder / "notes.md").is_symlink() or (folder / "notes.md").is_dir()
    assert "the result is in end.json" in (folder / "run.log").read_text()


# --- tags ---


def test_tags(folder: Path) -> None:
    """Tags are sorted, each once; a wrong tag is refused and nothing is written."""
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
    """A wrong tag is refused in a sentence, and the tags that are there stay."""
    annotations.write_tags(folder, ["kept"])
    with pytest.raises(ValueError, match="is no tag: 1 to 40 letters"):
        annotations.write_tags(folder, ["fine", tag])

    assert annotations.read_tags(folder) == ("kept",)


def test_tags_of_any_script(folder: Path) -> None:
    """Tags are kept in Unicode's normal form C and limited in bytes, so that the same word is the same tag."""
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
    """The valid tags of a damaged file are read, none through a link; writing replaces the link, not its target."""
    (folder / "tags.txt").write_bytes(b"b\n\xff\xfe\ntwo words\n  a  \r\nb\n" + b"x" * 50 + b"\nc")
    assert annotations.read_tags(folder) == ("a", "b", "c")
    (tmp_path / "outside").write_text("secret\n")
    (folder / "tags.txt").unlink()
    (folder / "tags.txt").symlink_to(tmp_path / "outside")
    assert annotations.read_tags(folder) == ()
    annotations.write_tags(folder, ["mine"])

    assert annotations.read_tags(folder) == ("mine",)
    assert (tmp_path / "outside").read_text() == "secret\n"
