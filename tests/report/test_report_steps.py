"""What a report says about runs: its steps, results, changes, commands, and what a reader must know."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from helpers.saved_runs import MNIST, make_run, write_predictions

from mnist_tui.analysis.statistics import mean_interval
from mnist_tui.cli.changes import read_changes
from mnist_tui.datasets.test_images import SHA256
from mnist_tui.import_logs.import_file import import_file
from mnist_tui.report.commands import commands_of
from mnist_tui.report.epoch_log import epoch_log
from mnist_tui.report.gather import make_report
from mnist_tui.report.measurements import number_ranges
from mnist_tui.report.model import Report, Step
from mnist_tui.runs.imported import write_imported
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec

DIGITS = {"name": "digits", "sha256": SHA256["digits"], "train_images": 1437, "test_images": 360, "val_images": 0}


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def saved(name: str = "step4", seed: int = 0, accuracy: float = 0.99, index: int = 0, **more: Any) -> Run:
    """A run of a preset, in ./runs."""
    return read_run(make_run(Path("runs"), presets.load(name), seed, accuracy, index, **more))


def changed(name: str, **settings: str) -> RunSpec:
    return presets.load(name).with_settings({path.replace("__", "."): text for path, text in settings.items()})


def steps(*runs: Run) -> tuple[Step, ...]:
    return make_report(runs, runs).steps


# --- steps ---


def test_runs_in_the_order_given_and_seeds_in_one_step() -> None:
    """The seeds of a recipe are one step, in the place of the first; a run that is given twice counts once."""
    late, first, second = saved("step4", 1, index=9), saved("step2", index=1), saved("step4", 0, index=2)
    report = make_report([late, first, second, first])

    assert [(step.number, step.name, step.seeds, step.count) for step in report.steps] == [
        (1, "step4", "2 seeds", 2),
        (2, "step2", "seed 0", 1),
    ]
    assert [each.seed for each in report.steps[0].results] == ["1", "0"]
    assert report.steps[1].results == ()
    assert report.has_seeds


def test_several_seeds_have_a_mean_and_its_interval() -> None:
    """The interval is Student's t on the logit scale, as in comparisons; a single run has none."""
    accuracies = [0.991, 0.993, 0.994]
    runs = [saved(seed=seed, accuracy=accuracy, index=seed) for seed, accuracy in enumerate(accuracies)]
    single = saved("step2", accuracy=0.98, index=7)
    several, one = steps(*runs, single)

    assert several.best.mean == pytest.approx(sum(accuracies) / 3)
    low, high = mean_interval(accuracies) or (0, 0)
    assert several.best.text == f"99.27% ({100 * low:.2f}–{100 * high:.2f})"
    assert several.best.interval == (low, high)
    assert (one.best.text, one.best.interval) == ("98.00%", None)
    assert one.train.value == "98.10%"
    assert one.gap.text == "+0.10"


def test_a_mean_over_fewer_epochs_than_it_needs_is_not_there() -> None:
    """The target of step4 asks for three last epochs; two were trained."""
    (step,) = steps(saved(epochs=2))

    assert step.mean.text == "-"
    assert step.last.text == "99.00%"
    assert make_report([saved(index=1)]).mean_heading == "mean of last 3"


def test_a_run_without_an_epoch_has_no_numbers_and_no_curves() -> None:
    """It is a step all the same, with its state and reason."""
    folder = make_run(Path("runs"), presets.load("step4"), outcome="failed")
    (folder / "history.jsonl").write_bytes(b"")
    end = json.loads((folder / "end.json").read_text())
    (folder / "end.json").write_text(json.dumps(end | {"best": None, "last": None, "epochs": 0}))
    (step,) = steps(read_run(folder))

    assert {step.best.text, step.last.text, step.mean.text, step.train.text, step.gap.text} == {"-"}
    assert (step.epoch_log, step.accuracy_curves, step.loss_curves) == ("", None, None)
    assert step.remarks == ("step4 s0 failed: it failed for a test",)


def test_repeats_of_a_seed_are_named_and_not_counted() -> None:
    """The newest counts."""
    old, new = saved(index=1), saved(index=2)
    (step,) = steps(old, new)

    assert (step.run, step.count) == (new.id, 1)
    assert step.remarks == (f"{old.id} is not counted: a newer run repeats it.",)


# --- what changed ---


def test_changes_are_against_the_step_before() -> None:
    """Not against the nearest run on the disk: only the steps of the report count."""
    runs = Path("runs")
    before = saved("iter5", index=0)
    make_run(runs, changed("iter5", optimizer__lr="0.01"), index=1)  # On the disk, not in the report.
    after = read_run(make_run(runs, changed("iter5", optimizer__lr="0.01", batch_size="32"), index=2))
    first, second = steps(before, after)

    assert (first.predecessor, first.summary, first.changes) == (0, (), ())
    assert second.predecessor == 1
    assert second.summary == ("batch_size: 64 → 32", "optimizer.lr: 0.002 → 0.01")
    assert set(second.changes) == set(second.summary)


def test_many_layers_are_counted_by_their_family_and_few_are_named() -> None:
    """The table has a few words; the section of the step has every layer."""
    _, second = steps(saved("step2"), saved("step3", index=1))
    layers = changed("step2", layers=f"{presets.load('step2').layers}").layers.replace(
        "LogSoftmax(1)", "LogSoftmax(-1)"
    )
    one = read_run(make_run(Path("runs"), changed("step2", layers=layers), index=2))
    _, third = steps(saved("step2", index=3), one)

    assert second.summary == ("layers: +6 batch norms, 4 changed",)
    assert len(second.changes) > 20
    assert third.summary == ("~ LogSoftmax(1) → LogSoftmax(-1)",)


def test_a_replaced_optimizer_is_one_change_in_the_table() -> None:
    """Its arguments are in the full list."""
    other = read_run(make_run(Path("runs"), changed("step2", optimizer="Adam(lr=0.002)"), index=1))
    _, second = steps(saved("step2"), other)

    assert second.summary == ("optimizer: SGD → Adam",)
    assert "optimizer.lr: 0.01 → 0.002" in second.changes


def test_more_changes_than_the_table_holds_are_counted() -> None:
    """Five are named."""
    many = changed(
        "step2", epochs="3", batch_size="16", optimizer="Adam(lr=0.1)", scheduler="None", augment="[]",
        validation_images="100", precision="bfloat16", clip_grad_norm="1.0",
    )  # fmt: skip
    _, second = steps(saved("step2"), read_run(make_run(Path("runs"), many, epochs=3, index=1)))

    assert len(second.summary) == 6
    assert second.summary[-1] == "and 3 more"


def test_the_seed_is_a_change_between_single_runs_alone() -> None:
    """Groups of seeds differ in their seeds by design."""
    alone = steps(saved("step2", 0), saved("step3", 5, index=1))[1]
    groups = steps(saved("step2", 0, index=2), saved("step2", 1, index=3), saved("step3", 5, index=4))[1]

    assert "seed: 0 → 5" in alone.changes
    assert not any(change.startswith("seed") for change in groups.changes)


def test_another_data_set_is_in_the_table_and_another_version_in_the_list() -> None:
    """Nobody set them, but they may be the reason of a difference."""
    other = saved("step2", index=1, dataset=DIGITS, versions={"torch": "2.12"})
    _, second = steps(saved("step2"), other)

    assert second.summary == ("data: mnist 00000000 → digits 96d3bb05",)
    assert "not set by you: version of torch 2.11 → 2.12" in second.changes


# --- what a reader must know ---


def test_other_data_is_said_once_for_all_or_at_each_step() -> None:
    """Where all are on the small digits, and where some are on MNIST."""
    digits, mnist = saved("step2", dataset=DIGITS), saved("step3", index=1)
    alone, mixed = make_report([digits]), make_report([digits, mnist])

    assert alone.remarks == (
        "All of this was measured on digits, not MNIST: its accuracies do not compare with MNIST's.",
    )
    assert alone.steps[0].remarks == ()
    assert "digits (step 1), mnist (step 2)" in mixed.remarks[0]
    assert mixed.steps[0].remarks == ("Measured on digits, not MNIST: its accuracies do not compare with MNIST's.",)
    assert make_report([mnist]).remarks == ()


def test_an_imported_log_is_never_judged_beside_a_run_without_its_remark() -> None:
    """What it was measured on, that it does not compare, and that what changed against it is not known."""
    Path("log.txt").write_text(
        "Epoch 1\nTest set: Average loss: 0.05, Accuracy: 9857/10000 (98.57%)\n"
        "Epoch 2\nTest set: Average loss: 0.04, Accuracy: 9877/10000 (98.77%)\n"
    )
    log = read_run(write_imported(Path("runs"), import_file("log.txt").trainings[0]))
    report = make_report([saved("step2"), log, saved("step3", index=1)])
    _, imported, last = report.steps

    assert report.remarks == (
        "Not tested on the same images, so their accuracies do not compare: mnist (steps 1, 3), imported log (step 2).",
    )
    assert imported.remarks == (
        "Imported from log.txt; measured on the log's test set (10,000 images), as the log says.",
    )
    assert (imported.best.text, imported.parameters, imported.predictions) == ("98.77%", "-", None)
    assert imported.epoch_log.splitlines()[1].endswith("Accuracy: 9877/10000 (98.77%)  *")
    assert "Train" not in imported.epoch_log
    assert imported.summary == last.summary == ("not known: one of the two has no network that can be read",)
    assert imported.changes == last.changes == ()
    assert (imported.commands, imported.target) == ((), "-")
    assert report.measurements[1].chosen_on == "unknown"


def test_best_epochs_that_were_chosen_otherwise_are_not_compared() -> None:
    """Choosing on the test images flatters."""
    chosen = saved("step2", dataset=MNIST | {"val_images": 5_000})
    report = make_report([chosen, saved("step3", index=1)])

    assert any("chosen on validation images (step 1), on test images (step 2)" in one for one in report.remarks)
    assert report.steps[0].remarks == ("The best epoch was chosen on validation images, not on the test set.",)


def test_a_rate_changed_by_hand_is_said() -> None:
    """Such a run follows no recipe."""
    folder = make_run(Path("runs"), presets.load("step4"))
    end = json.loads((folder / "end.json").read_text())
    end["last"]["steered"] = True
    (folder / "end.json").write_text(json.dumps(end))

    (step,) = steps(read_run(folder))
    assert step.remarks == ("The learning rate of step4 s0 was changed by hand.",)
    assert step.commands == (f"mnist-tui repro {folder.name}",)


def test_measurements_join_the_steps_that_agree() -> None:
    """Data, device and versions, each combination once."""
    runs = [saved("step2"), saved("step3", index=1, dataset=DIGITS, threads=4), saved("step4", index=2)]
    first, second = make_report(runs).measurements

    assert (first.steps, first.data) == ("1, 3", "mnist: 10,000 test images (SHA-256 00000000…)")
    assert (first.device, first.versions) == ("a processor, 1 thread", "torch 2.11")
    assert (second.steps, second.chosen_on) == ("2", "test images")
    assert second.data == f"digits: 1,437 training, 360 test images (SHA-256 {SHA256['digits'][:8]}…)"
    assert second.device == "a processor, 4 threads"
    assert number_ranges([5, 1, 2, 3, 3]) == "1–3, 5"


# --- commands ---


def test_a_preset_is_trained_again_by_its_name() -> None:
    """With the seeds that follow each other in one command, the data, the device and the threads."""
    runs = [saved(seed=seed, index=seed, epochs=15) for seed in (0, 1, 2, 7)]
    machine = "--dataset mnist --device cpu --threads 1"

    assert commands_of(runs) == (
        f"mnist-tui --batch step4 --seed 0 --seeds 3 {machine}",
        f"mnist-tui --batch step4 --seed 7 {machine}",
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer__lr": "0.5"},
        {"optimizer": "Adam(lr=0.002)"},
        {"scheduler": "None"},
        {"augment": "[]"},
        {"augment": "[RandomRotation(10), RandomAffine(0, translate=(0.1, 0.1))]"},
        {"validation_images": "5000", "precision": "bfloat16", "clip_grad_norm": "1.5"},
        {"normalize": "(0.5, 0.25)", "patience": "3", "stop_at_accuracy": "0.99"},
    ],
    ids=str,
)
def test_what_was_set_on_a_preset_is_set_again(settings: dict[str, str]) -> None:
    """The `--set` of the command, applied to the preset, give the recipe of the run."""
    spec = changed("iter5", **settings).with_settings({"epochs": "20"})
    run = read_run(make_run(Path("runs"), spec, 3))
    (command,) = commands_of([run])
    words = shlex.split(command)
    sets = [words[index + 1] for index, word in enumerate(words) if word == "--set"]
    again = presets.load(words[2]).with_settings(read_changes(sets, seed="3"))

    assert words[:3] == ["mnist-tui", "--batch", "iter5"]
    assert again.train == spec.with_settings({"seed": "3"}).train


def test_another_network_is_trained_again_from_its_run() -> None:
    """A network of no preset, and a preset that was changed since."""
    own = presets.load("iter5").model_copy(update={"name": "mine"})
    other = changed("iter5", layers=presets.load("iter4").layers)
    run, second = (read_run(make_run(Path("runs"), spec, index=index)) for index, spec in enumerate((own, other)))

    assert commands_of([run])[0].startswith(f"mnist-tui --batch {run.id} --seed 0 ")
    assert commands_of([second])[0].startswith(f"mnist-tui --batch {second.id} ")


def test_a_name_from_a_run_is_no_path_to_read(tmp_path: Path) -> None:
    """A run of somebody else may be called anything."""
    presets_file = tmp_path / "trap.toml"
    presets_file.write_text(presets.as_toml(presets.load("iter5")))
    run = saved("iter5")
    record = json.loads((run.folder / "run.json").read_text())
    record["spec"]["name"] = str(presets_file)

    assert commands_of([Run(run.folder, run.state, "", record)])[0].startswith(f"mnist-tui --batch {run.id} ")


def test_an_extended_run_has_no_command() -> None:
    """Its seed alone does not give it; what it continues is said."""
    run = saved(extends="20260101T000000Z-step4-s0-0000")

    assert commands_of([run]) == ()
    assert steps(run)[0].remarks == ("step4 s0 continues 20260101T000000Z-step4-s0-0000 (mnist-tui extend).",)


# --- epochs ---


def test_the_epoch_log_is_that_of_a_training_script() -> None:
    """Counts follow from the accuracies, and the best epoch is marked."""
    lines = epoch_log(saved(epochs=10)).splitlines()

    assert lines[0] == (
        "Epoch  1/10  Train: loss 0.4000, accuracy 94.60%  "
        "Test set: Average loss: 0.3000, Accuracy: 9450/10000 (94.50%)"
    )
    assert lines[-1].endswith("Accuracy: 9900/10000 (99.00%)  *")
    assert [line.endswith("*") for line in lines].count(True) == 1


# --- mistakes ---


def test_mistakes_of_the_small_digits_have_pictures() -> None:
    """The small digits come with the package."""
    run = saved(dataset=DIGITS)
    write_predictions(run.folder, [3, 5], 360)
    (step,) = steps(run)

    assert step.predictions is not None
    assert (step.predictions.wrong, step.predictions.images) == (2, 360)
    assert step.not_shown == ()
    assert step.worst_mistakes is not None
    assert step.worst_mistakes.draw().startswith(b"\x89PNG")
    assert step.confusion_matrix is not None
    assert b"</svg>" in step.confusion_matrix.draw()


def test_what_cannot_be_shown_is_said() -> None:
    """No predictions; and no data set."""
    without = saved("step2")
    elsewhere = saved("step3", index=1)
    write_predictions(elsewhere.folder, [3], 10_000)
    first, second = make_report([without, elsewhere], data_dir=Path("nowhere")).steps

    assert (first.predictions, first.confusion_matrix) == (None, None)
    assert "predictions.npz" in first.not_shown[0]
    assert second.confusion_matrix is not None
    assert second.worst_mistakes is None
    assert second.not_shown[0].startswith("no pictures of mistakes: the run's data set, mnist, is not on this machine")


def test_a_run_without_mistakes_needs_no_pictures() -> None:
    """Not even the data set."""
    run = saved()
    write_predictions(run.folder, [], 10_000)
    (step,) = make_report([run], data_dir=Path("nowhere")).steps

    assert (step.worst_mistakes, step.not_shown) == (None, ())


def test_the_title_names_the_runs() -> None:
    """Up to four of them."""
    report: Report = make_report([saved("step2"), saved("step3", index=1)])

    assert report.title == "step2, step3"
    assert make_report([saved("step2", index=2)], title="  Session\x1b 7 ").title == "Session\ufffd 7"
    assert make_report([saved(f"step{1 + n}", index=3 + n) for n in range(4)] + [saved("v1", index=9)]).title == (
        "step1 to v1, 5 steps"
    )
