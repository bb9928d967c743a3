"""A run folder says what was reported, survives what crashes leave, and has one writer."""

import errno
import json
import math
import os
import re
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from helpers.reliability import (
    FailingDisk,
    holder,
    leftovers,
    only_folder,
    options,
    patched_session,
    race,
    resume,
    run,
    small_spec,
    started_folder,
    state_on_disk,
    without_lock,
)
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from mnist_tui import files
from mnist_tui.cli import headless
from mnist_tui.cli.output import Output
from mnist_tui.errors import DataError, StorageError
from mnist_tui.runs import history, lock, storage
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Notice, Progress, RunEnded, RunStarted
from mnist_tui.runs.index import list_runs, newest_resumable
from mnist_tui.runs.lock import is_running
from mnist_tui.runs.storage import RunFolder, load_run
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import checkpoint, data, loop, session
from mnist_tui.training import resume as resuming

NO_NUMBERS = [math.nan, math.inf, -math.inf]


def row(epoch: int, **changes: Any) -> EpochEnded:
    """An epoch's row."""
    made = EpochEnded(
        epoch=epoch,
        train_loss=0.1 / epoch,
        train_accuracy=0.9,
        val_loss=None,
        val_accuracy=None,
        test_loss=1 / 3,
        test_accuracy=0.95,
        learning_rate=0.01,
        seconds=1.5,
        images_per_second=1000.0,
    )
    return replace(made, **changes)


def ended(**changes: Any) -> RunEnded:
    """The end of a run."""
    made = RunEnded("completed", "all epochs trained", 1, row(1), row(1), "test", None, 2.0)
    return replace(made, **changes)


def new_folder(runs_dir: Path, spec: RunSpec | None = None) -> RunFolder:
    """The writer of a new run."""
    return RunFolder.create(runs_dir, spec or small_spec(), {})


def stored_epochs(folder: Path) -> list[int]:
    """The epochs of a run's history as it is loaded."""
    return [stored.epoch for stored in load_run(folder).rows]


def strict_json(text: str) -> Any:
    """JSON as the standard has it: without NaN and Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in {text}")

    return json.loads(text, parse_constant=refuse)


# --- what is written, and when ---------------------------------------------------------------------------------------


def test_run_json_is_there_before_the_first_step(tmp_path: Path) -> None:
    """run.json is complete before the first step, so a watcher knows what is trained."""
    events = run(tmp_path, small_spec())
    first = next(event for event in events if isinstance(event, RunStarted))
    before = sorted(path.name for path in Path(first.folder).iterdir())
    record = json.loads((Path(first.folder) / "run.json").read_text())
    events.close()

    assert before == ["run.json", "run.lock"]
    assert record["spec"] == small_spec().model_dump(mode="json")
    assert {"seed", "versions", "device", "threads", "dataset"} <= record.keys()


def test_what_is_reported_is_on_disk(tmp_path: Path) -> None:
    """When an epoch is reported, the history has its row and the newest checkpoint holds it."""
    seen = []
    for event in run(tmp_path, small_spec()):
        if isinstance(event, EpochEnded):
            folder = only_folder(tmp_path)
            rows = state_on_disk(folder)
            seen.append((event.epoch, stored_epochs(folder), [stored["epoch"] for stored in rows["rows"]]))

    assert seen == [(1, [1], [1]), (2, [1, 2], [1, 2])]


def test_a_checkpoint_at_the_last_step_does_not_stand_in_for_the_epochs(tmp_path: Path) -> None:
    """A checkpoint due by the clock at an epoch's last step has no row yet; the one that has it must follow."""
    rows = []
    with mock.patch.object(session, "CHECKPOINT_SECONDS", 0), mock.patch.object(loop, "PROGRESS_SECONDS", 0):
        for event in run(tmp_path, small_spec()):
            if isinstance(event, EpochEnded):
                rows.append([stored["epoch"] for stored in state_on_disk(only_folder(tmp_path))["rows"]])

    assert rows == [[1], [1, 2]]


def test_end_json_is_written_last(tmp_path: Path) -> None:
    """end.json is written last, so a run that has one has everything."""
    names = []
    write = files.write_atomically

    def note(path: Path, content: bytes) -> None:
        names.append(path.name)
        write(path, content)

    with mock.patch.object(storage, "write_atomically", note):
        list(run(tmp_path, small_spec()))

    assert names[0] == "run.json"
    assert names[-1] == "end.json"
    assert names.count("end.json") == 1


@pytest.mark.parametrize("fail_at", [1, 2, 3, 4])
def test_end_json_is_whole_or_not_there(tmp_path: Path, fail_at: int) -> None:
    """A failing create, write, sync or rename leaves no part of end.json behind."""
    folder = new_folder(tmp_path)
    (folder.folder / "notes.md").write_text("mine")
    with mock.patch.object(files, "os", FailingDisk(fail_at, "short")), pytest.raises(OSError, match="No space left"):
        folder.end(ended(), "")
    folder.close()

    assert load_run(folder.folder).end is None
    assert not leftovers(folder.folder)


def test_the_users_notes_are_kept(tmp_path: Path) -> None:
    """Notes that the user wrote stay as they are."""
    folder = new_folder(tmp_path)
    (folder.folder / "notes.md").write_text("mine")
    folder.end(ended(), "ours")
    folder.close()

    assert (folder.folder / "notes.md").read_text() == "mine"


@pytest.mark.parametrize("line", ['{"epoch": 1, "crc32": ²}\n', '{"epoch": 1, "crc32": 1}\n', "[]\n", "\n"])
def test_a_line_that_is_no_row_is_left_out(tmp_path: Path, line: str) -> None:
    """A damaged line is left out of the history."""
    path = tmp_path / "history.jsonl"
    path.write_text(line)

    assert history.read_rows(path) == ([], len(line.encode()))


@pytest.mark.parametrize("name", ["epoch", "segment", "train_loss", "test_accuracy", "val_accuracy", "weight_norm"])
@pytest.mark.parametrize("value", [10**400, -(10**400), True], ids=["large", "low", "true"])
def test_a_row_with_a_number_that_is_none_is_left_out(tmp_path: Path, name: str, value: int) -> None:
    """JSON's integers may be too large for a float, whatever the checksum says; the rows beside it are read."""
    text = json.dumps(json.loads(history.history_line(row(1))) | {name: value})
    text = re.sub(r', "crc32": \d+', "", text)
    line = f'{text[:-1]}, "crc32": {zlib.crc32(text.encode())}}}\n'.encode()
    path = tmp_path / "history.jsonl"
    path.write_bytes(line + history.history_line(row(2)))

    assert [one["epoch"] for one in history.read_rows(path)[0]] == [2]
    assert history.parse_row(line) is None


@pytest.mark.parametrize("part", ["dataset", "versions"])
def test_a_record_of_the_wrong_kind_is_refused(tmp_path: Path, part: str) -> None:
    """A run.json with a part of a wrong type is refused in one sentence."""
    folder = new_folder(tmp_path)
    folder.close()
    path = folder.folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {part: 5}))

    with pytest.raises(StorageError, match="damaged"):
        load_run(folder.folder)


def test_a_run_on_digits_says_so(tmp_path: Path) -> None:
    """A run on the digits records their name, SHA-256 and number of images."""
    events = session.run(small_spec(), options(tmp_path), Control())
    started = next(event for event in events if isinstance(event, RunStarted))
    events.close()
    recorded = load_run(Path(started.folder)).record["dataset"]

    assert started.dataset == "digits"
    assert recorded["name"] == "digits"
    assert recorded["sha256"] == data.load_digits().sha256
    assert (recorded["train_images"], recorded["test_images"]) == (1437, 360)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc",
        "/etc/passwd",
        "a\x00b",
        "a\nb",
        "\u202egnp",
        "x" * 100,
        "CON",
        "...",
        "-rf",
        "ä ö",
        "~",
        "$(id)",
        "a/b",
    ],
    ids=ascii,
)
def test_hostile_names_become_safe_folder_names(tmp_path: Path, name: str) -> None:
    """A run's folder lies in the runs directory, under a name of plain ASCII."""
    spec = small_spec().model_copy(update={"name": name})
    folder = new_folder(tmp_path / "runs", spec)
    folder.close()

    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    assert folder.folder.parent == tmp_path / "runs"
    assert set(folder.folder.name.lower()) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(folder.folder.name) < 100


def test_runs_of_one_second_get_folders_of_their_own(tmp_path: Path) -> None:
    """Runs of one spec and seed that begin in the same second get different folders."""
    folders = [new_folder(tmp_path) for _ in range(20)]
    for folder in folders:
        folder.close()

    assert len({folder.folder for folder in folders}) == 20


@pytest.mark.parametrize("value", NO_NUMBERS, ids=str)
def test_json_never_holds_what_json_cannot_say(
    tmp_path: Path, value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """NaN and the infinities become null, in every file and on stdout."""
    bad = row(1, test_loss=value)
    folder = new_folder(tmp_path)
    folder.append(bad)
    folder.report(Progress(1, 1, 5, value, 0.01, 100.0))
    folder.end(ended(best=bad, last=bad), "")
    folder.close()
    output = Output(as_json=True, quiet=True)
    headless.FollowedRun(small_spec()).follow(iter([bad]), output)
    written = [path.read_text() for path in folder.folder.iterdir() if path.suffix in (".json", ".jsonl")]
    lines = [line for text in written for line in ([text] if text.startswith("{\n") else text.splitlines())]

    assert len(lines) == 4
    assert all(strict_json(line) for line in [*lines, capsys.readouterr().out])


# --- the history -----------------------------------------------------------------------------------------------------


def test_every_row_ends_in_its_crc32(tmp_path: Path) -> None:
    """The last key of each row is the checksum of the line without it."""
    folder = new_folder(tmp_path)
    for epoch in (1, 2):
        folder.append(row(epoch))
    folder.close()
    lines = (folder.folder / "history.jsonl").read_text().splitlines()

    assert len(lines) == 2
    for line in lines:
        text, _, _ = line.rpartition(", ")
        assert list(json.loads(line))[-1] == "crc32"
        assert json.loads(line)["crc32"] == zlib.crc32(f"{text}}}".encode())


def history_torn_at(runs_dir: Path, keep: float) -> Path:
    """A run folder whose last history row is cut off after a share of its bytes; then a row is added."""
    folder = new_folder(runs_dir)
    for epoch in (1, 2):
        folder.append(row(epoch))
    folder.close()
    path = folder.folder / "history.jsonl"
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    path.write_bytes(content[: first + 1 + int(keep * (len(content) - first - 2))])
    again = RunFolder(folder.folder)
    for epoch in (2, 3):
        again.append(row(epoch))
    again.close()
    return folder.folder


@pytest.mark.parametrize("keep", [0, 0.3, 0.9, 1])
def test_a_torn_row_is_healed_before_the_next(tmp_path: Path, keep: float) -> None:
    """A row that a crash cut off is removed, and the next rows begin on lines of their own."""
    folder = history_torn_at(tmp_path, keep)

    assert stored_epochs(folder) == [1, 2, 3]
    assert len((folder / "history.jsonl").read_text().splitlines()) == 3


def test_without_healing_a_torn_row_takes_the_next_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without the cut the next row is lost."""
    monkeypatch.setattr(history.HistoryWriter, "cut_torn_row", lambda writer: None)

    assert stored_epochs(history_torn_at(tmp_path, 0.3)) != [1, 2, 3]


def test_a_failed_append_leaves_no_part_of_a_row(tmp_path: Path) -> None:
    """After a row that the disk refused, the next row is written whole."""
    folder = new_folder(tmp_path)
    folder.append(row(1))
    with mock.patch.object(files, "os", FailingDisk(2, "short")), pytest.raises(OSError, match="No space left"):
        folder.append(row(2))
    folder.append(row(3))
    folder.close()

    assert stored_epochs(folder.folder) == [1, 3]


@pytest.mark.parametrize("damaged", [None, 0, 1], ids=["whole", "first damaged", "middle damaged"])
def test_a_valid_row_is_never_cut(tmp_path: Path, damaged: int | None) -> None:
    """Opening a run removes a torn last line and nothing else."""
    folder = new_folder(tmp_path)
    for epoch in (1, 2, 3):
        folder.append(row(epoch))
    folder.close()
    path = folder.folder / "history.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    if damaged is not None:
        lines[damaged] = lines[damaged].replace(b"0.95", b"0.99")
        path.write_bytes(b"".join(lines))
    RunFolder(folder.folder).close()

    assert stored_epochs(folder.folder) == [epoch for epoch in (1, 2, 3) if epoch - 1 != damaged]
    assert all(line in path.read_bytes() for index, line in enumerate(lines) if index != damaged)


@pytest.mark.parametrize("test_loss", [0.3, math.nan])
def test_a_row_computed_again_is_not_written_twice(tmp_path: Path, test_loss: float) -> None:
    """A row that is computed again after a resume, timings apart, leaves the history as it is."""
    folder = new_folder(tmp_path)
    folder.append(row(1, test_loss=test_loss))
    path = folder.folder / "history.jsonl"
    before = path.read_bytes()
    notes = [folder.append(row(1, test_loss=test_loss, seconds=9.0))]
    folder.close()
    again = RunFolder(folder.folder)
    notes.append(again.append(row(1, test_loss=test_loss, images_per_second=3.0)))
    again.close()

    assert notes == [None, None]
    assert path.read_bytes() == before


def test_a_row_that_differs_is_kept_beside_the_old_one_and_said(tmp_path: Path) -> None:
    """A row that came out differently after a resume is added in a new segment, with a sentence."""
    folder = new_folder(tmp_path)
    folder.append(row(1))
    folder.append(row(2))
    note = folder.append(row(2, test_accuracy=0.5))
    folder.append(row(3))
    folder.close()
    lines = [json.loads(line) for line in (folder.folder / "history.jsonl").read_text().splitlines()]

    assert note == "epoch 2 came out differently than before; both rows are kept"
    assert [(line["epoch"], line.get("segment", 0)) for line in lines] == [(1, 0), (2, 0), (2, 1), (3, 1)]
    assert load_run(folder.folder).rows == [row(1), row(2, test_accuracy=0.5), row(3)]


# --- checkpoints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("best", "kept"), [(None, [6, 5]), (2, [6, 5, 2]), (5, [6, 5]), (6, [6, 5])])
def test_the_newest_two_and_the_best_checkpoint_stay(tmp_path: Path, best: int | None, kept: list[int]) -> None:
    """Older checkpoints are removed, but the newest two and the best stay."""
    folder = new_folder(tmp_path)
    for step in range(1, 7):
        folder.save_checkpoint(b"content", step, best)
    folder.close()

    assert [int(path.stem[5:]) for path in storage.checkpoints(folder.folder)] == kept


def test_a_failed_checkpoint_takes_no_older_one_with_it(tmp_path: Path) -> None:
    """Old checkpoints are removed only after the new one is on disk."""
    folder = new_folder(tmp_path)
    for step in (1, 2):
        folder.save_checkpoint(b"content", step, None)
    for fail_at in range(1, 7):
        with mock.patch.object(files, "os", FailingDisk(fail_at, "full")), pytest.raises(OSError, match="No space"):
            folder.save_checkpoint(b"content", 3 + fail_at, None)
    folder.close()

    assert {1, 2} <= {int(path.stem[5:]) for path in storage.checkpoints(folder.folder)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The state that an undisturbed run of three epochs ends in."""
    runs_dir = tmp_path_factory.mktemp("whole")
    list(run(runs_dir, small_spec(epochs=3)))
    return state_on_disk(only_folder(runs_dir))


@pytest.mark.parametrize("damaged", [1, 2, 3])
def test_behind_damaged_checkpoints_the_one_before_is_used(tmp_path: Path, whole: dict[str, Any], damaged: int) -> None:
    """Each damaged checkpoint is named in a warning, and the run ends in the same bits from an earlier one."""
    list(run(tmp_path, small_spec(epochs=3), steps=12))
    folder = only_folder(tmp_path)
    paths = storage.checkpoints(folder)
    for path in paths[:damaged]:
        content = bytearray(path.read_bytes())
        content[-100] ^= 4
        path.write_bytes(content)
    events = list(resume(folder))
    warnings = [event.text for event in events if isinstance(event, Notice) and event.is_warning]

    assert len(warnings) == min(damaged, len(paths))
    assert all(path.name in text and "damaged" in text for path, text in zip(paths, warnings, strict=False))
    assert state_on_disk(folder) == whole


def test_a_refused_checkpoint_leaves_nothing_in_the_run(tmp_path: Path, whole: dict[str, Any]) -> None:
    """Its SHA-256 is right, but it lacks a piece: the run begins again from its seed, and ends in the same bits."""
    list(run(tmp_path, small_spec(epochs=3), steps=7))
    folder = only_folder(tmp_path)
    for path in storage.checkpoints(folder):
        tensors, state = checkpoint.read(path.read_bytes())
        del tensors["losses"]
        text = json.dumps(state)
        path.write_bytes(save(tensors, metadata={"state": text, "sha256": checkpoint._digest(text, tensors)}))
    events = list(resume(folder))
    texts = [event.text for event in events if isinstance(event, Notice)]
    (started,) = (event for event in events if isinstance(event, RunStarted))

    assert "does not fit this run: 'losses'" in texts[0]
    assert texts[-1] == "no other checkpoint: the run begins again from its seed"
    assert (started.epochs_done, started.steps_done) == (0, 0)
    assert state_on_disk(folder) == whole


# --- reading what others left ----------------------------------------------------------------------------------------


GOOD = json.dumps({"format": 1, "spec": small_spec().model_dump(mode="json")})

RUBBISH: dict[str, bytes] = {
    "empty": b"",
    "binary": bytes(range(256)),
    "list": b"[]",
    "object": b"{}",
    "spec is a number": b'{"spec": 3}',
    "spec is null": b'{"spec": null}',
    "spec is a list": b'{"spec": []}',
    "spec lacks layers": b'{"spec": {}}',
    "bad layers": b'{"spec": {"layers": "Linear(("}}',
    "cut off": GOOD[:100].encode(),
    "deep": b"[" * 100_000,
    "newer": GOOD.replace('"format": 1', '"format": 2').encode(),
}


@pytest.mark.parametrize("content", RUBBISH.values(), ids=RUBBISH)
def test_a_folder_that_is_no_run_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    """Whatever run.json holds, there is one type of error, and it names the folder."""
    folder = tmp_path / "rubbish"
    folder.mkdir()
    (folder / "run.json").write_bytes(content)

    with pytest.raises(StorageError, match="rubbish"):
        load_run(folder)


def test_runs_are_listed_among_rubbish(tmp_path: Path) -> None:
    """Pipes, folders and damaged files in place of a run hide no good run and do not block."""
    good = new_folder(tmp_path)
    good.append(row(1))
    good.close()
    for index, content in enumerate(RUBBISH.values()):
        (tmp_path / f"rubbish-{index}").mkdir()
        (tmp_path / f"rubbish-{index}" / "run.json").write_bytes(content)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder" / "run.json").mkdir(parents=True)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "run.json")
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "run.json").write_text(GOOD)
    (tmp_path / "history" / "history.jsonl").mkdir()

    assert [saved.folder for saved in list_runs(tmp_path)] == [good.folder]
    assert list(list_runs(tmp_path / "nowhere")) == []


@pytest.mark.parametrize("content", [b"", b"\x00" * 300, b"rubbish\n", b'{"epoch": 1, "crc32": 5}\n', b"\xff\xfe\n"])
def test_a_rubbish_history_has_no_rows(tmp_path: Path, content: bytes) -> None:
    """A run whose history is damaged still loads."""
    folder = new_folder(tmp_path)
    folder.close()
    (folder.folder / "history.jsonl").write_bytes(content)

    assert load_run(folder.folder).rows == []


def test_there_is_no_such_run(tmp_path: Path) -> None:
    """A missing folder and a folder without run.json have different errors."""
    with pytest.raises(StorageError, match="no such run folder"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(StorageError, match=r"no run\.json"):
        load_run(tmp_path)


# --- one writer ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    """The refusal names the owner within a second; after SIGKILL the lock is free."""
    new_folder(tmp_path).close()
    folder = only_folder(tmp_path)
    process, connection = holder(folder)
    assert connection.poll(60)
    said = connection.recv()
    began = time.monotonic()
    messages = []
    for _ in range(2):
        with pytest.raises(StorageError) as refused:
            RunFolder(folder)
        messages.append(str(refused.value))
    seconds = time.monotonic() - began
    was_running = is_running(folder)
    process.kill()
    process.join()
    connection.close()
    RunFolder(folder).close()

    assert said == "held"
    assert messages == [f"{folder} is being trained by process {process.pid} on {os.uname().nodename}"] * 2
    assert seconds < 1
    assert was_running
    assert not is_running(folder)


@pytest.mark.slow
def test_one_of_many_gets_the_lock(tmp_path: Path) -> None:
    """Of processes that want one run at the same time one trains it."""
    folder = new_folder(tmp_path)
    folder.close()

    assert race(folder.folder, 6) == 1


def test_without_the_lock_many_would_train(tmp_path: Path) -> None:
    """Negative control: without the lock all of them train."""
    folder = new_folder(tmp_path)
    folder.close()

    assert race(folder.folder, 3, without_lock) == 3


def test_resuming_a_run_that_is_trained_is_refused(tmp_path: Path) -> None:
    """A resume of a run under way is refused with the owner's name, and changes nothing."""
    events = run(tmp_path, small_spec())
    folder = started_folder([next(event for event in events if isinstance(event, RunStarted))])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(StorageError, match=f"is being trained by process {os.getpid()}"):
        list(resume(folder))
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    events.close()

    assert after == before


def test_the_lock_is_held_for_the_runs_life(tmp_path: Path) -> None:
    """The lock is held until the last event, and released when the events are no longer read."""
    running = []
    for event in run(tmp_path / "whole", small_spec()):
        if isinstance(event, EpochEnded):
            running.append(is_running(only_folder(tmp_path / "whole")))
    events = run(tmp_path / "left", small_spec())
    next(event for event in events if isinstance(event, EpochEnded))
    events.close()

    assert running == [True, True]
    assert not is_running(only_folder(tmp_path / "whole"))
    assert not is_running(only_folder(tmp_path / "left"))
    assert load_run(only_folder(tmp_path / "left")).can_resume


def test_a_run_that_could_not_begin_gives_its_lock_back(tmp_path: Path) -> None:
    """A run that could not begin holds no lock, even while its error is handled."""
    disk = FailingDisk(1, "full")
    with mock.patch.object(files, "os", disk), pytest.raises(StorageError) as raised:
        new_folder(tmp_path)
    folders = list(tmp_path.glob("*"))

    assert raised.value is not None
    assert not any(is_running(folder) for folder in folders)


def test_a_running_run_is_not_the_newest_to_resume(tmp_path: Path) -> None:
    """`resume` without a folder takes a run that was interrupted, not one that another process is training."""
    list(run(tmp_path, small_spec(), steps=1))
    stopped = only_folder(tmp_path)
    writer = new_folder(tmp_path)
    writer.folder.rename(tmp_path / "99999999T000000Z-newer")
    try:
        newest = newest_resumable(tmp_path).folder
    finally:
        writer.close()

    assert newest == stopped


# --- resuming in another environment ---------------------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A run that was stopped in its first epoch."""
    list(run(tmp_path / "runs", small_spec(), steps=3))
    return only_folder(tmp_path / "runs")


def warnings_of(folder: Path, **changes: Any) -> list[str]:
    """The warnings of a run as it is resumed."""
    return [event.text for event in resume(folder, **changes) if isinstance(event, Notice) and event.is_warning]


def test_resuming_in_the_same_environment_warns_of_nothing(stopped: Path) -> None:
    """Negative control: the same device, threads and versions give no warning."""
    assert warnings_of(stopped) == []


SLUGS = {
    "iter5": "iter5",
    "测试": "run",
    "测试-v2": "v2",
    "größe": "grosse",
    "Ünïcode": "unicode",
    "..": "run",
    "a/b": "a-b",
}


@pytest.mark.parametrize(("name", "slug"), SLUGS.items(), ids=SLUGS)
def test_a_run_of_any_name_has_a_folder_in_ascii(name: str, slug: str, tmp_path: Path) -> None:
    """The folder's name is the run's name in ASCII; run.json has the name itself."""
    spec = small_spec().model_copy(update={"name": name})
    folder = storage.RunFolder.create(tmp_path, spec, {})
    folder.close()

    assert re.fullmatch(rf"\d{{8}}T\d{{6}}Z-{slug}-s\d+-[0-9a-f]{{4}}", folder.folder.name)
    assert load_run(folder.folder).spec.name == name


@given(st.text(min_size=1, max_size=100))
def test_every_part_of_a_folders_name_is_ascii(name: str) -> None:
    """A slug has at most 40 lower-case letters and digits, with single hyphens between them."""
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", storage._slug(name))
    assert len(storage._slug(name)) <= 40


def test_a_completed_run_is_not_resumed(tmp_path: Path) -> None:
    """Resuming a completed run is an error that says so."""
    list(run(tmp_path, small_spec()))

    with pytest.raises(StorageError, match="has completed; there is nothing to resume"):
        list(resume(only_folder(tmp_path)))


def test_a_run_is_not_resumed_on_other_data(stopped: Path) -> None:
    """A run trained on one data set is not continued on another."""
    with pytest.raises(DataError, match="other data"):
        list(resuming.resume(load_run(stopped), options(stopped.parent), Control()))


def test_other_threads_are_warned_of(stopped: Path) -> None:
    """Another number of threads changes the rounding, and is warned about."""
    assert warnings_of(stopped, threads=2) == ["resumed with threads 2, begun with 1: the numbers may differ"]


def test_another_processor_is_warned_of(stopped: Path) -> None:
    """It may round sums in another way; a run from before it was recorded says nothing."""
    record = json.loads((stopped / "run.json").read_text())
    now = record["processor"]
    (stopped / "run.json").write_text(json.dumps(record | {"processor": "Z80, NO AVX"}))

    assert warnings_of(stopped) == [f"resumed with processor {now}, begun with Z80, NO AVX: the numbers may differ"]


def test_without_a_record_of_the_processor_nothing_is_warned_of(stopped: Path) -> None:
    """Older versions did not keep it."""
    record = json.loads((stopped / "run.json").read_text())
    del record["processor"]
    (stopped / "run.json").write_text(json.dumps(record))

    assert warnings_of(stopped) == []


@pytest.mark.parametrize("name", ["torch", "torchvision"])
def test_other_versions_are_warned_of(stopped: Path, name: str) -> None:
    """Another version of torch or torchvision is warned about, without control characters."""
    record = json.loads((stopped / "run.json").read_text())
    now = record["versions"][name]
    record["versions"][name] = "1.0\x1b[2J"
    (stopped / "run.json").write_text(json.dumps(record))
    (warning,) = warnings_of(stopped)

    assert warning.startswith(f"resumed with {name} {now}, begun with 1.0")
    assert "\x1b" not in warning


def test_a_resumed_run_begins_where_it_was_stopped(stopped: Path) -> None:
    """resumed.jsonl records device, threads and versions, and the first event says how far the run was."""
    started = next(event for event in resume(stopped) if isinstance(event, RunStarted))
    (line,) = (stopped / "resumed.jsonl").read_text().splitlines()

    assert (started.epochs_done, started.steps_done) == (0, 3)
    assert {"versions", "threads", "device"} <= json.loads(line).keys()


def test_what_a_kill_left_is_cleaned_up(stopped: Path) -> None:
    """A temporary file of a killed process is removed at the next resume."""
    (stopped / ".ckpt-00000005.safetensors.123.abcdef01.tmp").write_bytes(b"half")
    list(resume(stopped))

    assert not leftovers(stopped)


# --- folders that cannot be written ----------------------------------------------------------------------------------


@pytest.mark.parametrize("runs_dir", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, runs_dir: str) -> None:
    """A file in place of the runs directory is one error that names the option."""
    (tmp_path / "file").write_text("x")

    with pytest.raises(StorageError, match="--runs-dir"):
        list(run(tmp_path / runs_dir, small_spec()))


def test_a_lock_that_cannot_be_made_is_one_clear_error(stopped: Path) -> None:
    """A folder in place of run.lock is one error that names the run."""
    (stopped / "run.lock").unlink()
    (stopped / "run.lock").mkdir()

    with pytest.raises(StorageError, match=stopped.name):
        list(resume(stopped))


def test_a_full_disk_at_resume_is_one_clear_error(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk too full to write the owner into the lock is one error that names the run."""

    def full(*arguments: Any, **named: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(lock, "open", full, raising=False)

    with pytest.raises(StorageError, match=stopped.name):
        list(resume(stopped))


def test_a_run_on_a_full_disk_says_how_to_resume(tmp_path: Path) -> None:
    """A run whose checkpoint cannot be written fails in one sentence that says how to resume."""
    with patched_session(), mock.patch.object(files, "os", FailingDisk(15, "full")):
        events = list(session.run(small_spec(), options(tmp_path), Control()))
    last = events[-1]

    assert isinstance(last, RunEnded)
    assert last.outcome == "failed"
    assert last.message.startswith("cannot write the run: No space left on device")
    assert f"mnist-tui resume {only_folder(tmp_path)}" in last.message
