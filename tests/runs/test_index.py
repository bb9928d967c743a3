"""The folders of a runs directory: each told as what it is, read again only where it changed, never left."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.saved_runs import make_run, make_runs

from mnist_tui.errors import StorageError
from mnist_tui.runs import columns
from mnist_tui.runs.events import Outcome
from mnist_tui.runs.index import RunIndex, grouped, repeats
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run, observations
from mnist_tui.spec import presets


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    """A directory with a completed, a stopped and a failed run."""
    outcomes: tuple[Outcome, ...] = ("completed", "stopped", "failed")
    for index, outcome in enumerate(outcomes):
        make_run(tmp_path / "runs", presets.load("iter5"), index, 0.99, index, outcome=outcome)
    return tmp_path / "runs"


def read(runs_dir: Path) -> dict[str, Run]:
    """The runs by the names of their folders."""
    runs = RunIndex(runs_dir)
    runs.refresh()
    return {run.folder.name: run for run in runs.all}


def the_run(runs_dir: Path, state: str) -> Path:
    """The folder of the run in a state."""
    return next(run.folder for run in read(runs_dir).values() if run.state == state)


def test_facts(runs_dir: Path) -> None:
    """A run has the facts of its run.json, end.json and history."""
    run = read_run(the_run(runs_dir, "completed"))

    assert (run.name, run.seed, run.parameters, run.epochs, run.best_epoch) == ("iter5", 0, 18_422, 20, 20)
    assert (run.best_accuracy, run.last_accuracy) == pytest.approx((0.99, 0.99))
    assert run.gap == pytest.approx(0.001)
    assert run.mean_of_last == pytest.approx(0.99 - 0.05 * (1 / 18 + 1 / 19 + 1 / 20) / 3 + 0.05 / 20)
    assert (run.optimizer, run.learning_rate, run.batch_size, run.scheduler) == ("Adam", 0.002, 64, "StepLR")
    assert run.augmentation == "RandomApply, Resize, RandomRotation"
    assert run.layer_types == "5 convolutions, 2 pools, 1 linear, 2 batch norms"
    assert run.measured_on == "mnist test 10,000, best epoch chosen on the test set"


@pytest.mark.parametrize("outcome", ["stopped", "failed"])
def test_a_run_that_did_not_complete_keeps_its_row_and_reason(outcome: str, runs_dir: Path) -> None:
    """A stopped or failed run stands in the table with its reason."""
    run = read_run(the_run(runs_dir, outcome))

    assert (run.state, run.reason, run.epochs) == (outcome, f"it {outcome} for a test", 20)
    assert columns.column("note").of([run]) == f"(it {outcome} for a test)"


def test_interrupted_and_trained(runs_dir: Path) -> None:
    """The lock of a run without an end tells whether somebody trains it."""
    folder = the_run(runs_dir, "completed")
    (folder / "end.json").unlink()
    runs = RunIndex(runs_dir)
    runs.refresh()
    interrupted = next(run for run in runs.all if run.folder == folder)
    with FileLock(folder / "run.lock"):
        assert runs.refresh()
        trained = next(run for run in runs.all if run.folder == folder)
    assert runs.refresh()

    assert (interrupted.state, interrupted.epochs, interrupted.best_epoch) == ("interrupted", 20, 20)
    assert trained.state == "training"
    assert read_run(folder).state == "interrupted"


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "half a file": ("damaged", lambda folder: (folder / "run.json").write_text('{"format": 1, "spe')),
    "no object": ("damaged", lambda folder: (folder / "run.json").write_text("[1]")),
    "bytes": ("damaged", lambda folder: (folder / "run.json").write_bytes(b"\xff\xfe\x00")),
    "deep": ("damaged", lambda folder: (folder / "run.json").write_text("[" * 100_000)),
    "no spec": ("damaged", lambda folder: (folder / "run.json").write_text('{"format": 1}')),
    "newer": ("newer format", lambda folder: (folder / "run.json").write_text('{"format": 2}')),
    "no format": ("damaged", lambda folder: (folder / "run.json").write_text('{"format": "x", "spec": {}}')),
    "half an end": ("damaged", lambda folder: (folder / "end.json").write_text('{"outcome": "comp')),
    "another end": ("damaged", lambda folder: (folder / "end.json").write_text('{"outcome": "won"}')),
    "nothing": ("half written", lambda folder: list(map(os.unlink, folder.iterdir()))),
    "a link for a file": ("damaged", lambda folder: _linked(folder / "run.json")),
    "a pipe": ("damaged", lambda folder: _piped(folder / "run.json")),
    "a folder for a file": ("damaged", lambda folder: _made_folder(folder / "run.json")),
}


def _linked(path: Path) -> None:
    path.rename(path.parent.parent.parent / "outside.json")
    path.symlink_to(path.parent.parent.parent / "outside.json")


def _piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _made_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_reported(damage: str, runs_dir: Path) -> None:
    """The row of a damaged run says what is wrong, every cell can be shown, and the other rows stay."""
    state, do = DAMAGES[damage]
    folder = the_run(runs_dir, "completed")
    do(folder)
    run = read(runs_dir)[folder.name]

    assert run.state == state
    assert run.reason
    assert not run.is_run
    assert (run.best_accuracy, run.rows) == (None, []) or run.end
    assert [column.of([run]) for column in columns.ALL]
    assert len(read(runs_dir)) == 3


@pytest.mark.parametrize("value", [None, [], {}, "x", -1, 1e999, "\x1b]0;title\x07", [[1]], {"train": 3}, True])
def test_any_value_anywhere(value: object, runs_dir: Path) -> None:
    """A value of a wrong type counts as missing, and control characters are not shown."""
    folder = the_run(runs_dir, "completed")
    for name in ("run.json", "end.json"):
        document = json.loads((folder / name).read_text())
        for path in _paths(document):
            _check_with(folder, name, document, path, value)


def _paths(document: object, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(document, dict):
        return [before]
    return [
        *([before] if before else []),
        *(path for key in document for path in _paths(document[key], (*before, key))),
    ]


def _check_with(folder: Path, name: str, document: object, path: tuple[str, ...], value: object) -> None:
    changed = json.loads(json.dumps(document))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    (folder / name).write_text(json.dumps(changed))
    run = read_run(folder)
    shown = [column.of([run, run]) for column in columns.ALL]

    assert not any("\x1b" in text for text in shown), path
    json.dumps(columns.as_record(run), allow_nan=False)
    assert run.spec is None or run.spec.layers
    (folder / name).write_text(json.dumps(document))


def test_links_and_other_peoples_folders(runs_dir: Path, tmp_path: Path) -> None:
    """A link is listed and not followed; files and hidden folders are no rows."""
    make_run(tmp_path / "elsewhere", presets.load("iter5"), 7)
    (runs_dir / "link").symlink_to(next((tmp_path / "elsewhere").iterdir()))
    (runs_dir / "dangling").symlink_to(tmp_path / "nowhere")
    (runs_dir / "pictures").mkdir()
    (runs_dir / ".trash").mkdir()
    (runs_dir / "README").write_text("mine")
    states = {name: run.state for name, run in read(runs_dir).items()}

    assert states.pop("link") == states.pop("dangling") == "link"
    assert states.pop("pictures") == "no run"
    assert sorted(states.values()) == ["completed", "failed", "stopped"]


def test_a_history_that_is_a_link_is_not_read(runs_dir: Path, tmp_path: Path) -> None:
    """A history outside the run's folder is not read."""
    folder = the_run(runs_dir, "completed")
    (folder / "history.jsonl").rename(tmp_path / "outside")
    (folder / "history.jsonl").symlink_to(tmp_path / "outside")

    assert read_run(folder).rows == []


def test_short_ids_follow_the_folders(runs_dir: Path) -> None:
    """An id is longer while another folder ends alike; one that is read alone has none."""
    index = RunIndex(runs_dir)

    def ids() -> set[str]:
        assert index.refresh()
        return {run.short_id for run in index.all}

    assert ids() == {"0000", "0001", "0002"}
    (runs_dir / "x-0000").mkdir()
    assert ids() == {"s0-0000", "x-0000", "0001", "0002"}
    (runs_dir / "x-0000").rmdir()
    assert ids() == {"0000", "0001", "0002"}
    assert read_run(index.all[0].folder).short_id == ""


def test_only_what_changed_is_read_again(runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh without a change reads no folder; one with a replaced file reads that folder alone."""
    reads: list[str] = []

    def counted(folder: Path) -> Run:
        reads.append(folder.name)
        return read_run(folder)

    monkeypatch.setattr("mnist_tui.runs.index.read_run", counted)
    runs = RunIndex(runs_dir)
    assert runs.refresh()
    assert len(reads) == 3
    assert not runs.refresh()
    assert len(reads) == 3

    folder = the_run_of(runs, "stopped")
    os.replace(_copy(folder / "end.json"), folder / "end.json")
    assert runs.refresh()
    assert reads[3:] == [folder.name]

    folder.rename(runs_dir.parent / "gone")
    assert runs.refresh()
    assert folder.name not in {run.folder.name for run in runs.all}


def the_run_of(runs: RunIndex, state: str) -> Path:
    """The folder of the run in a state."""
    return next(run.folder for run in runs.all if run.state == state)


def _copy(path: Path) -> Path:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    return copy


def test_a_growing_history_is_seen(runs_dir: Path) -> None:
    """A run that has not ended is read again when an epoch was added."""
    folder = the_run(runs_dir, "completed")
    (folder / "end.json").unlink()
    lines = (folder / "history.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "history.jsonl").write_bytes(b"".join(lines[:3]))
    runs = RunIndex(runs_dir)
    runs.refresh()
    before = {run.folder: run.epochs for run in runs.all}[folder]
    with open(folder / "history.jsonl", "ab") as file:
        file.write(lines[3])

    assert runs.refresh()
    assert (before, {run.folder: run.epochs for run in runs.all}[folder]) == (3, 4)


def test_no_directory_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing runs directory is empty; one that cannot be read is an error."""
    runs = RunIndex(tmp_path / "none")
    assert not runs.refresh()
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file: Not a directory; name another folder with --runs-dir"):
        RunIndex(tmp_path / "file").refresh()


def test_groups(tmp_path: Path) -> None:
    """Completed runs that differ only in the seed are one group; with other data, recipes, ends or rates not."""
    spec = presets.load("iter5")
    for seed in range(3):
        make_run(tmp_path, spec, seed, index=seed)
    make_run(tmp_path, spec, 9, index=10, outcome="stopped")
    make_run(tmp_path, spec, 10, index=11, dataset={"name": "digits", "sha256": "1" * 64, "test_images": 360})
    make_run(tmp_path, spec.with_settings({"optimizer.lr": "0.1"}), 11, index=12)
    changed_rate = make_run(tmp_path, spec, 12, index=13)
    end = json.loads((changed_rate / "end.json").read_text())
    end["last"]["steered"] = True
    (changed_rate / "end.json").write_text(json.dumps(end))
    runs = RunIndex(tmp_path)
    runs.refresh()

    assert sorted(len(group) for group in grouped(runs.all)) == [1, 1, 1, 1, 3]


@pytest.mark.parametrize("first", ["completed", "failed"])
def test_a_group_with_several_outcomes(first: Outcome, tmp_path: Path) -> None:
    """The most frequent comes first, whichever of the runs is the newest."""
    outcomes: list[Outcome] = ["completed", "failed", "completed", "completed", "failed", "completed"]
    for seed, outcome in enumerate(sorted(outcomes, key=lambda outcome: outcome != first)):
        make_run(tmp_path, presets.load("iter5"), seed, index=seed, outcome=outcome)
    runs = RunIndex(tmp_path)
    runs.refresh()

    assert columns.column("state").of(runs.all) == "4 completed, 2 failed"


def test_a_group_with_repeats(tmp_path: Path) -> None:
    """A group holds all its runs, but means and spreads count only the newest run of each seed."""
    spec = presets.load("iter5")
    for index, (seed, accuracy) in enumerate([(0, 0.90), (1, 0.91), (0, 0.98), (1, 0.99), (0, 0.97)]):
        make_run(tmp_path, spec, seed, accuracy, index)
    runs = RunIndex(tmp_path)
    runs.refresh()
    (group,) = grouped(runs.all)
    best = columns.column("best")

    assert len(group) == 5
    assert [run.id[-4:] for run in observations(group)] == ["0004", "0003"]
    assert columns.column("seed").of(group) == "2 seeds (+3 repeats)"
    assert best.of(group) == "98.00% ±1.41"
    assert best.mean(group) == pytest.approx(0.98)
    assert best.of(group[2:]) == "94.50% ±4.95"
    assert columns.column("seed").of([group[0], group[2]]) == "seed 0 (+1 repeat)"
    by_end = {old[-4:]: new[-4:] for old, new in repeats(runs.all).items()}
    assert by_end == {"0000": "0004", "0001": "0003", "0002": "0004"}


def test_folders_that_hold_no_run_repeat_nothing(tmp_path: Path) -> None:
    """Two folders of which nothing is known are no repeats of each other."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()

    assert len(observations([read_run(tmp_path / name) for name in ("one", "two")])) == 2


def test_the_newest_first(tmp_path: Path) -> None:
    """Runs are sorted by the time they began, whatever their folders are called."""
    make_runs(tmp_path, 12)
    runs = RunIndex(tmp_path)
    runs.refresh()

    assert [run.created for run in runs.all] == sorted((run.created for run in runs.all), reverse=True)
