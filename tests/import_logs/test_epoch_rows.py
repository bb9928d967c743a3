"""Trainings as rows: percent and fractions, epochs from 1, what is unknown, and what was measured on what."""

import math

import pytest
from helpers.logs import EPOCHS, keras_log, line_log, tqdm_log
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.import_logs.epoch_rows import LoggedRun, build_rows, percent_fields
from mnist_tui.import_logs.forms import form_of
from mnist_tui.import_logs.readings import Log
from mnist_tui.import_logs.terminal_text import lines_of
from mnist_tui.import_logs.trainings import collect


def rows_of(text: str) -> list[LoggedRun]:
    """The trainings in a text, as a file of its own."""
    log = Log(lines_of(text))
    form = form_of(log)
    assert form is not None
    trainings, _ = collect(list(form.read(log)))
    found = [build_rows(training, form, percent_fields(trainings)) for training in trainings]
    return [one for one in found if one is not None]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20), st.booleans())
def test_the_unit_is_that_of_the_whole_file(percents: list[int], as_fractions: bool) -> None:
    """A value that could be either is what the highest in the file says: 1 beside 98 is one percent."""
    written = [percent / 100 if as_fractions else float(percent) for percent in percents]
    (log,) = rows_of("".join(f"Epoch {n}: test acc {value}\n" for n, value in enumerate(written, start=1)))
    is_percent = max(written) > 1

    assert [row.test_accuracy for row in log.rows] == pytest.approx(
        [value / 100 if is_percent else value for value in written]
    )


def test_each_accuracy_has_a_unit_of_its_own() -> None:
    """A log may print one in percent and the other as a fraction; a percent sign and a count are what they say."""
    (log,) = rows_of(
        "Epoch 1: Train Acc: 90, Val Acc: 0.91, Test Acc: 0.5%\nEpoch 2: Train Acc: 1, Val Acc: 1, Test Acc: 92%\n"
    )

    assert [row.train_accuracy for row in log.rows] == [0.9, 0.01]
    assert [row.val_accuracy for row in log.rows] == [0.91, 1]
    assert [row.test_accuracy for row in log.rows] == [0.005, 0.92]


def test_the_unit_holds_over_the_trainings_of_a_file() -> None:
    """One that never got above one percent, beside one that did."""
    first, second = rows_of("Epoch 1: test acc 0.9\nEpoch 2: test acc 0.8\nEpoch 1: test acc 98.5\n")

    assert [row.test_accuracy for row in (*first.rows, *second.rows)] == pytest.approx([0.009, 0.008, 0.985])


def test_what_is_not_told_is_unknown() -> None:
    """It is NaN, and named, so that no table takes it for a number."""
    (log,) = rows_of(keras_log(EPOCHS))
    row = log.rows[0]

    assert set(row.unknown) == {"test_loss", "test_accuracy", "images_per_second", "learning_rate"}
    assert math.isnan(row.test_accuracy)
    assert row.val_accuracy == EPOCHS[0].held_out_accuracy
    assert row.seconds == 3


def test_a_loss_that_is_not_finite_is_known() -> None:
    """NaN in the log is a number that was told: the training diverged."""
    (log,) = rows_of("Epoch 1: loss nan acc 0.1\n")

    assert math.isnan(log.rows[0].train_loss)
    assert "train_loss" not in log.rows[0].unknown


def test_epochs_from_0_count_from_1() -> None:
    """As all epochs here; the log's own count is told."""
    (log,) = rows_of(tqdm_log(EPOCHS, first=0))

    assert [row.epoch for row in log.rows] == [1, 2, 3]
    assert log.remarks == ["the log counts epochs from 0; here they count from 1"]


def test_missing_epochs_are_told() -> None:
    """A log of which lines were cut out."""
    text = "\n".join(line for line in line_log(EPOCHS).splitlines() if "[2/" not in line)
    (log,) = rows_of(text)

    assert [row.epoch for row in log.rows] == [1, 3]
    assert log.remarks == ["1 epochs are missing between 1 and 3"]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("Epoch 1: loss 0.3, test acc 412.5", "test_accuracy"),
        ("Epoch 1: loss 0.3, test acc -3%", "test_accuracy"),
        ("Epoch 1: loss 0.3, test acc nan", "test_accuracy"),
        ("Epoch 1: test acc 98, train loss 1e306", "train_loss"),
        ("Epoch 1: test acc 98, lr -0.1", "learning_rate"),
        ("Epoch 1: test acc 98, lr nan", "learning_rate"),
    ],
)
def test_what_cannot_be_is_left_out(line: str, field: str) -> None:
    """Accuracies beyond 100 %, numbers that no training has; the others of the epoch stay."""
    (log,) = rows_of(line)

    assert field in log.rows[0].unknown
    assert len(log.rows[0].unknown) < 7
    assert log.remarks[0].startswith(f"left out: 1 value of {field.replace('_', ' ')} that cannot be, such as ")


def test_what_was_tested_once_is_no_curve() -> None:
    """After the training, on its last weights or on its best: a sentence tells it."""
    (log,) = rows_of("epoch,train_loss,val_acc,test_acc,test_loss\n0,0.3,0.9,,\n1,0.2,0.95,,\n2,,,0.96,0.1\n")

    assert [row.epoch for row in log.rows] == [1, 2]
    assert all("test_accuracy" in row.unknown for row in log.rows)
    assert log.remarks[0] == (
        "tested once, not in every epoch: loss 0.1000, accuracy 96.00%; that is no part of the curve"
    )


def test_an_epoch_without_a_test_before_the_end_keeps_the_others() -> None:
    """The training was broken off before its second test: the first is a curve of one point, and stays."""
    (log,) = rows_of("Epoch 1: loss 0.3, test acc 0.9\nEpoch 2: loss 0.2\n")

    assert log.rows[0].test_accuracy == 0.9
    assert log.remarks == []


@pytest.mark.parametrize(
    ("text", "measured_on", "images"),
    [
        (tqdm_log(EPOCHS), "the log's test set (10,000 images)", 10_000),
        (
            tqdm_log(EPOCHS).replace("/10000", "/60000"),
            "the log's test set (60,000 images, as many as MNIST has for training)",
            60_000,
        ),
        (line_log(EPOCHS), "the log's test set", None),
        (keras_log(EPOCHS), "the log's validation images", None),
        ("Epoch 1: loss 0.3 acc 0.9\n", "no held-out images", None),
        (
            "Epoch 1: val acc 0.9 test acc 0.8\n",
            "the log's test set, best epoch chosen on its validation images",
            None,
        ),
    ],
    ids=["tqdm", "60,000", "lines", "Keras", "train", "both"],
)
def test_what_was_measured_on_what(text: str, measured_on: str, images: int | None) -> None:
    """In words; a test set of 60,000 images is most likely MNIST's training part, as in iter1 to iter7."""
    (log,) = rows_of(text)

    assert (log.measured_on, log.held_out_images) == (measured_on, images)


def test_running_figures_are_called_so() -> None:
    """A bar of tqdm shows the running accuracy over augmented images, and the last mini-batch's loss."""
    (of_bars,), (of_lines,) = rows_of(tqdm_log(EPOCHS)), rows_of(line_log(EPOCHS))

    assert "last mini-batch" in of_bars.train_figures
    assert "running accuracy" in of_bars.train_figures
    assert of_lines.train_figures == "as the log has them"
