"""Imported logs as run folders: what is written is read back, and nothing takes one for a training of this program."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest
from helpers.logs import EPOCHS, LoggedEpoch, keras_log, line_log, tqdm_log, write
from helpers.saved_runs import make_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_tui.analysis import comparison, markdown, run_diff, tables
from mnist_tui.analysis.coach import rules
from mnist_tui.analysis.run_analysis import analyse
from mnist_tui.errors import RunError, StorageError
from mnist_tui.import_logs.import_file import import_file
from mnist_tui.runs import columns, filters, history, imported, index, metrics, storage, trash
from mnist_tui.runs.events import EpochEnded, as_record, best_of
from mnist_tui.runs.imported import ImportedLog, write_imported
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def imported_run(text: str, name: str = "log", parameters: int | None = None) -> Run:
    """The run of a text, in ./runs."""
    (log,) = import_file(write(Path(f"{name}.log"), text), parameters=parameters).trainings
    return read_run(write_imported(Path("runs"), log))


def own_run(index: int = 0) -> Run:
    """A run of iter5, in ./runs."""
    return read_run(make_run(Path("runs"), presets.load("iter5"), 0, 0.9941, index))


LOSSES = st.integers(0, 99_999).map(lambda count: count / 10_000)
ACCURACIES = st.integers(0, 10_000).map(lambda count: count / 10_000)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(epochs=st.lists(st.builds(LoggedEpoch, LOSSES, ACCURACIES, LOSSES, ACCURACIES), min_size=1, max_size=8))
def test_a_log_of_random_epochs_is_read_back_from_its_folder(epochs: list[LoggedEpoch]) -> None:
    """Through the parser, the history with its checksums, and the reader of runs."""
    rows = imported_run(tqdm_log(epochs)).rows

    assert [row.epoch for row in rows] == list(range(1, len(epochs) + 1))
    assert [row.train_loss for row in rows] == [epoch.train_loss for epoch in epochs]
    assert [row.test_loss for row in rows] == [epoch.held_out_loss for epoch in epochs]
    assert [row.test_accuracy for row in rows] == pytest.approx([epoch.held_out_accuracy for epoch in epochs])
    if max(epoch.train_accuracy for epoch in epochs) > 0.011:  # Else nothing tells that it is in percent.
        assert [row.train_accuracy for row in rows] == pytest.approx([epoch.train_accuracy for epoch in epochs])


def test_its_facts_are_those_of_the_log() -> None:
    """What the log does not tell has no value: no seed, no recipe, no data set."""
    run = imported_run(tqdm_log(EPOCHS), name="S7", parameters=13_808)

    assert (run.state, run.name, run.title, run.epochs, run.parameters) == (
        "imported",
        "S7",
        "S7 (imported)",
        3,
        13_808,
    )
    assert (run.best_accuracy, run.best_epoch, run.last_accuracy) == (0.9855, 3, 0.9855)
    assert run.measured_on == "the log's test set (10,000 images)"
    assert run.data == (None, None, 10_000)
    unknown = (run.seed, run.spec, run.dataset, run.device, run.optimizer, run.batch_size, run.seconds, run.target_met)
    assert set(unknown) == {None}
    assert {path.name for path in run.folder.iterdir()} == {"run.json", "history.jsonl"}
    assert "spec" not in json.loads((run.folder / "run.json").read_text())


def test_a_log_without_test_figures_is_told_by_its_validation() -> None:
    """And its title says so wherever it stands beside others."""
    run = imported_run(keras_log(EPOCHS))

    assert run.title == "log (imported, validation)"
    assert run.accuracies == tuple(epoch.held_out_accuracy for epoch in EPOCHS)
    assert (run.best_accuracy, run.chosen_by) == (0.9855, "validation")
    accuracy = metrics.comparable()["accuracy"]
    assert [y for _, y in metrics.points_of(run.rows, accuracy)] == pytest.approx([97.28, 98.28, 98.55])
    assert metrics.points_of(run.rows, metrics.metric("gradient_norm")) == []


def test_validation_never_fills_the_gaps_of_a_test_curve() -> None:
    """Where a log tested now and then, its curve is of these epochs alone."""
    lines = ["val acc 0.5 test acc 0.9", "val acc 0.6", "val acc 0.7 test acc 0.92", "val acc 0.8"]
    run = imported_run("".join(f"Epoch {number}: {line}\n" for number, line in enumerate(lines, start=1)))

    assert run.accuracies == (0.9, 0.92)
    assert (run.best_epoch, run.best_accuracy, run.last_accuracy) == (4, None, None)


def test_a_log_of_training_figures_alone() -> None:
    """It can be opened and drawn; it has no best epoch."""
    run = imported_run("Epoch 1: loss 0.5 acc 0.9\nEpoch 2: loss 0.3 acc 0.95\n")

    assert (run.accuracies, run.best_accuracy, run.best_epoch, run.gap) == ((), None, None, None)
    assert [metric.name for metric in metrics.measured(run.rows)] == ["train_loss", "train_accuracy"]
    assert tables.epoch_lines(run)[1].split() == ["1", "0.5000", "90.00%"]


def test_unknown_numbers_of_a_row() -> None:
    """Only what a row names may be missing: a row that lacks a number without saying so is damaged, as ever."""
    unknown = ("train_accuracy", "test_loss", "learning_rate", "seconds", "images_per_second")
    nan = math.nan
    row = EpochEnded(1, 0.3, nan, None, None, nan, 0.9, nan, nan, nan, unknown=unknown)
    line = history.history_line(row)
    known = history.parse_row(line)
    assert known is not None
    assert repr(asdict(known)) == repr(asdict(row))
    assert metrics.texts(known)["test_loss"] == "-"

    lying = history.history_line(EpochEnded(1, 0.3, math.nan, None, None, 0.2, 0.9, 0.1, 1.0, 1.0))
    assert history.parse_row(lying) is None, "an accuracy that is no number, and is not said to be unknown"
    for name in ("test_accuracy", "epoch", "nonsense"):
        wrong = history.history_line(EpochEnded(1, 0.3, 0.9, None, None, 0.2, 0.9, 0.1, 1.0, 1.0, unknown=(name,)))
        assert history.parse_row(wrong) is None, name


def test_own_rows_say_nothing_of_unknown_numbers() -> None:
    """Neither on the disk nor in the JSON of events."""
    row = own_run().rows[0]

    assert b"unknown" not in history.history_line(row)
    assert "unknown" not in as_record(row)


def test_the_best_epoch_skips_those_without_an_accuracy() -> None:
    """NaN is neither more nor less than a number."""
    first, *others = own_run().rows
    without = EpochEnded(**{**asdict(first), "test_accuracy": math.nan, "unknown": ("test_accuracy",)})

    assert best_of([without, *others]) == best_of(others)


# --- what other parts make of it ---


def test_it_is_listed_filtered_and_sorted_apart() -> None:
    """`state:imported` finds it; accuracies rank it behind the runs on MNIST, whatever they are."""
    log, own = imported_run(line_log(EPOCHS).replace("98.55", "99.99")), own_run()
    runs = index.RunIndex(Path("runs"))
    runs.refresh()

    assert [run.id for run in filters.choose(runs.all, "state:imported")] == [log.id]
    assert [run.id for run in filters.choose(runs.all, "-state:imported acc>99")] == [own.id]
    assert [row[0].id for row in columns.ordered([[log], [own]], "-best")] == [own.id, log.id]
    assert columns.column("note").of([log]) == "(from log.log)"


def test_it_is_no_training() -> None:
    """Nothing resumes, extends, watches, classifies or analyses it, and the newest run is one that was trained."""
    log = imported_run(line_log(EPOCHS))
    for refused in (lambda: storage.load_run(log.folder), lambda: analyse(log)):
        with pytest.raises(RunError, match="is an imported log: it has curves, but no network"):
            refused()
    with pytest.raises(RunError, match="there is no run in it"):
        index.newest_run(Path("runs"))
    own = own_run()

    assert index.newest_run(Path("runs")) == own.folder
    assert [saved.folder for saved in index.list_runs(Path("runs"))] == [own.folder]
    assert rules.advise_on(log, [log, own]) == []


def test_it_is_compared_with_a_remark_and_without_a_verdict() -> None:
    """Beside any other run, and beside another log."""
    log, other, own = imported_run(line_log(EPOCHS)), imported_run(keras_log(EPOCHS), "keras"), own_run()
    arms = comparison.labelled([[own], [log], [other]])

    assert comparison.refusals(arms, "best") == []
    sentences = [verdict.sentence for verdict in comparison.compare(arms, "best")]
    assert sentences == [
        "Not judged: 98.55% of log (imported) and 99.41% of iter5 s0; "
        "log (imported) was measured on the log's test set, by another program.",
        "Not judged: 98.55% of keras (imported, validation) and 99.41% of iter5 s0; "
        "keras (imported, validation) was measured on the log's validation images, by another program.",
    ]
    table = tables.comparison_table(arms, "best")
    assert table[1] == ["seeds", "1", "-", "-"]
    assert table[-1][0] == "measured on"
    assert table[-1][2] == "the log's test set"


def test_a_log_does_not_keep_others_from_being_compared() -> None:
    """Runs on other data are refused as ever, and a log without an accuracy is no reason to refuse."""
    own, log = own_run(), imported_run("Epoch 1: loss 0.5\n")
    digits = read_run(make_run(Path("runs"), presets.load("iter5"), 1, dataset={"name": "digits"}))

    assert comparison.refusals(comparison.labelled([[log], [own]]), "best") == []
    assert len(comparison.refusals(comparison.labelled([[log], [own], [digits]]), "best")) == 1
    assert (
        "- of log (imported, validation)" in comparison.compare(comparison.labelled([[own], [log]]), "best")[0].sentence
    )


def test_several_seeds_are_not_judged_against_a_log() -> None:
    """Nor is a test made with the one number of the log."""
    seeds = [read_run(make_run(Path("runs"), presets.load("iter5"), seed, 0.99 + seed / 1e3, seed)) for seed in (0, 1)]
    (verdict,) = comparison.compare(comparison.labelled([seeds, [imported_run(line_log(EPOCHS))]]), "best")

    assert verdict.sentence.startswith("Not judged: 98.55% of log (imported) and ")
    assert (verdict.test, verdict.p, verdict.better) == (None, None, None)


def test_it_differs_in_no_setting() -> None:
    """Its settings are unknown, which is not `none`; it is nobody's nearest earlier run."""
    log = imported_run(line_log(EPOCHS))
    first, second = own_run(0), read_run(make_run(Path("runs"), presets.load("iter4"), 0, index=1))

    assert run_diff.settings(log) == run_diff.provenance(log) == {}
    assert run_diff.differing([first, log]) == []
    assert {one.name for one in run_diff.differing([first, log, second])} == {
        one.name for one in run_diff.differing([first, second])
    }
    assert run_diff.layer_differences(first, log) == []
    assert run_diff.nearest(second, [log, first]) == first
    assert tables.changes(log, [log, first]) == ["changes: an imported log holds no settings to compare"]


def test_as_markdown() -> None:
    """With what measured its accuracies, and without a data set that it does not have."""
    lines = markdown.run_lines([imported_run(tqdm_log(EPOCHS, first=0), "S7")])

    assert lines[0] == "### S7, imported log"
    assert "- best: 98.55% on the log's test set (10,000 images) in epoch 3, chosen on the test set" in lines
    assert not any("None" in line or "nan" in line for line in lines)


def test_in_full_it_tells_how_it_was_read() -> None:
    """The remarks of the import, and how many lines were not understood; nothing of the coach."""
    run = imported_run(tqdm_log(EPOCHS, first=0) + "Test accuracy: 12.34%\n")
    text = "\n".join(tables.details(run, [run], columns.ALL, [], ""))

    assert "remark         the log counts epochs from 0; here they count from 1" in text
    assert "misread        1 of " in text
    assert "train figures  the loss of the last mini-batch and the running accuracy" in text
    assert "coach" not in text


def test_tags_trash_and_copies() -> None:
    """As those of any run."""
    from mnist_tui.runs import annotations, archive

    run = imported_run(line_log(EPOCHS))
    annotations.write_tags(run.folder, ["x"])
    annotations.write_notes(run.folder, annotations.read_notes(run.folder))
    copy = archive.export(run.folder, Path("copy"))

    assert read_run(copy).tags == ("x",)
    assert read_run(trash.restore(trash.delete(run.folder))).epochs == 3


def test_hostile_facts_do_no_harm() -> None:
    """Every part of run.json may be of another kind, or hold what drives a terminal."""
    run = imported_run(line_log(EPOCHS))
    path = run.folder / "run.json"
    record = json.loads(path.read_text())
    escapes = {"file": "\x1b[31m", "measured_on": "\x1b]0;x\x07", "remarks": ["\x1b[2J", 5], "train_figures": {}}
    kinds = {"file": 3, "part": ["x"], "measured_on": 1, "remarks": "x", "lines": "y", "not_understood": True}
    for facts in ({}, kinds, escapes):
        path.write_text(json.dumps(record | {"imported": facts}))
        hostile = read_run(run.folder)
        text = "\n".join(tables.details(hostile, [hostile], columns.ALL, [], ""))

        assert hostile.state == "imported"
        assert "\x1b" not in text + hostile.reason


# --- writing ---


def test_a_full_disk_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a part of a folder nor a temporary one, at whichever write it happens."""
    log = ImportedLog("x", imported_run(line_log(EPOCHS)).rows, {"file": "x"})
    before = sorted(Path("runs").iterdir())

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("write_all", "write_atomically"):
        with monkeypatch.context() as patch:
            patch.setattr(imported, name, full)
            with pytest.raises(StorageError, match="cannot write to runs: No space left on device"):
                write_imported(Path("runs"), log)
        assert sorted(Path("runs").iterdir()) == before


def test_folders_that_cannot_be_written() -> None:
    """One sentence that says what else to do."""
    log = ImportedLog("x", [], {"file": "x"})
    Path("file").touch()

    with pytest.raises(StorageError, match=r"cannot write to file: .*; name another folder with --runs-dir"):
        write_imported(Path("file"), log)
