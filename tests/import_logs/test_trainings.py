"""Which training and which epoch a line belongs to."""

import pytest
from helpers.logs import EPOCHS, line_log, read, tqdm_log

TEST = "Test set: Average loss: 0.05, Accuracy: {}/10000\n"
BAR = "Loss=0.1 Batch_id=937 Accuracy={}: 100%|███| 938/938 [00:22<00:00, 41.48it/s]\n"


def test_a_training_that_begins_anew_is_another() -> None:
    """Two logs one after the other, however they count."""
    trainings, _ = read(line_log(EPOCHS) + line_log(EPOCHS[:2]))

    assert [list(training) for training in trainings] == [[1, 2, 3], [1, 2]]


def test_epochs_without_a_number_are_counted() -> None:
    """A bar that starts anew, or a number told again, is the next epoch; a bar drawn twice on its line is not."""
    (with_bars,), _ = read(
        "".join(f"{BAR.format(n).strip()}\r{BAR.format(n)}{TEST.format(9000 + n)}" for n in (91, 92, 93))
    )
    (bars_alone,), _ = read("".join(BAR.format(n) for n in (91, 92, 93)))

    assert [epoch["train_accuracy"].value for epoch in with_bars.values()] == [91, 92, 93]
    assert [epoch["test_accuracy"].value for epoch in with_bars.values()] == [0.9091, 0.9092, 0.9093]
    assert [epoch["train_accuracy"].value for epoch in bars_alone.values()] == [91, 92, 93]


def test_an_epoch_that_is_named_at_its_end() -> None:
    """The bar before the line is of the same epoch, not of the one after."""
    (training,), _ = read("".join(f"{BAR.format(90 + n)}Epoch {n} done: Val Loss: 0.{n}\n" for n in (1, 2, 3)))

    assert [epoch["train_accuracy"].value for epoch in training.values()] == [91, 92, 93]
    assert [epoch["val_loss"].value for epoch in training.values()] == [0.1, 0.2, 0.3]


def test_the_tail_of_a_log_is_not_shifted() -> None:
    """It begins in the middle of an epoch and was broken off behind a header: what has no epoch is not understood."""
    (training,), misread = read(TEST.format(9700) + f"EPOCH: 8\n{BAR.format(98)}{TEST.format(9800)}EPOCH: 9\n")

    assert list(training) == [8]
    assert training[8]["test_accuracy"].value == 0.98
    assert misread == [TEST.format(9700).strip()]


def test_a_test_after_the_training_replaces_nothing() -> None:
    """It is counted, and the last epoch keeps its own number."""
    (training,), misread = read(tqdm_log(EPOCHS) + "Test accuracy: 12.34%\n")

    assert training[3]["test_accuracy"].value == pytest.approx(0.9855)
    assert misread == ["Test accuracy: 12.34%"]


def test_lines_that_look_like_epochs_are_counted() -> None:
    """Words instead of a number, and an epoch that no training has; remarks on the best epoch are not."""
    text = (
        line_log(EPOCHS) + "Epoch three: loss 0.3\nEpoch 99999999 loss: 0.1\nbest accuracy: 99.1\nall is well, 3 of 4\n"
    )
    (training,), misread = read(text)

    assert list(training) == [1, 2, 3]
    assert misread == ["Epoch three: loss 0.3", "Epoch 99999999 loss: 0.1"]
