"""Each form of log: epochs that were written in it are read back, and what real logs have beside epochs is left out."""

from collections.abc import Callable

import pytest
from helpers.logs import EPOCHS, LoggedEpoch, keras_log, lightning_csv, line_log, markdown_table, read, tqdm_log
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_tui.import_logs.forms import FORMS, form_of
from mnist_tui.import_logs.quantities import fields_of
from mnist_tui.import_logs.readings import Log
from mnist_tui.import_logs.terminal_text import lines_of

LOSSES = st.integers(0, 99_999).map(lambda count: count / 10_000)
ACCURACIES = st.integers(0, 10_000).map(lambda count: count / 10_000)
RANDOM_EPOCHS = st.lists(st.builds(LoggedEpoch, LOSSES, ACCURACIES, LOSSES, ACCURACIES), min_size=1, max_size=12)

WRITERS: dict[str, tuple[Callable[[list[LoggedEpoch]], str], str, int, str]] = {
    "tqdm": (tqdm_log, "test", 1, "text"),
    "lines": (line_log, "test", 1, "text"),
    "Keras": (keras_log, "val", 1, "Keras"),
    "Lightning": (lightning_csv, "val", 0, "table"),
    "Markdown": (markdown_table, "val", 1, "table"),
}
"""How each log is written, what it calls the held-out images, where it begins to count, and its form."""


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=40, deadline=None)
@given(epochs=RANDOM_EPOCHS)
def test_written_epochs_are_read_back(name: str, epochs: list[LoggedEpoch]) -> None:
    """Every number of every epoch, whatever it is; the unit is decided later, for the whole file."""
    write, role, first, form = WRITERS[name]
    text = write(epochs)
    log_form = form_of(Log(lines_of(text)))
    (training,), _ = read(text)

    assert log_form is not None
    assert log_form.name == form
    assert list(training) == list(range(first, first + len(epochs)))
    for number, epoch in zip(training.values(), epochs, strict=True):
        for field, value in (
            ("train_loss", epoch.train_loss),
            ("train_accuracy", epoch.train_accuracy),
            (f"{role}_loss", epoch.held_out_loss),
            (f"{role}_accuracy", epoch.held_out_accuracy),
        ):
            scales = (1, 100) if field.endswith("accuracy") else (1,)
            assert any(number[field].value == pytest.approx(scale * value, abs=1e-9) for scale in scales)


def test_every_form_says_what_writes_it() -> None:
    """The message about an unknown log lists them."""
    assert len({form.name for form in FORMS}) == len(FORMS)
    assert all(form.about for form in FORMS)


# --- text ---


@pytest.mark.parametrize(
    ("line", "epoch", "values"),
    [
        ("Epoch 3", 3, {}),
        ("EPOCH: 0", 0, {}),
        ("  0%|          | 0/938 [00:00<?, ?it/s]EPOCH: 1", 1, {}),
        ("Epoch: 2/20..", 2, {}),
        ("2025-09-28 15:03:57,424 - MNIST_Training - INFO - Starting Epoch 12/20", 12, {}),
        ("currently in epoch 7", 7, {}),
        ("Maximum validation accuracy reached : 99.43 at epoch 17th", None, {}),
        ("Epochs: 20", None, {}),
        ("Epoch 2.5", None, {}),
        ("Train: Loss=0.0829 Batch_id=937 Accuracy=87.58: 100%|███| 938/938 [00:41<00:00, 22.56it/s]", None,
         {"train_loss": 0.0829, "train_accuracy": 87.58}),
        ("Epoch=12 Loss=0.0397 Batch_id=468 Accuracy=98.83%: 100%|███| 469/469 [00:20<00:00]", 12,
         {"train_loss": 0.0397, "train_accuracy": 98.83}),
        ("Train Epoch: 4 [59840/60000 (100%)]     Loss: 0.198419", 4, {"train_loss": 0.198419}),
        ("Test set: Average loss: 0.0813, Accuracy: 9747/10000 (97.47%)", None,
         {"test_loss": 0.0813, "test_accuracy": 0.9747}),
        ("Train set: Average loss: 0.1034, Accuracy: 58318/60000 (97.197%)", None,
         {"train_loss": 0.1034, "train_accuracy": 58318 / 60000}),
        ("[2024-01-15 14:32:10] [INFO] Epoch [1/20] - Train Loss: 0.5234, Val Loss: 0.4123, Accuracy: 0.7234", 1,
         {"train_loss": 0.5234, "val_loss": 0.4123, "val_accuracy": 0.7234}),
        ("Epoch 1, Loss: 2.3099, Validation Accuracy: 6.25%", 1, {"train_loss": 2.3099, "val_accuracy": 6.25}),
        ("val Loss: 0.2000 Acc: 0.9300", None, {"val_loss": 0.2, "val_accuracy": 0.93}),
        ("Epoch  1: Train Loss: 0.26, Train Acc: 91.77%, Test Loss: 0.07, Test Acc: 97.56%, LR: 0.040000", 1,
         {"train_loss": 0.26, "train_accuracy": 91.77, "test_loss": 0.07, "test_accuracy": 97.56,
          "learning_rate": 0.04}),
        ("Epoch 3: train_loss=0.312 val_acc=0.971 (best val_acc=0.975), time: 12.5 s", 3,
         {"train_loss": 0.312, "val_accuracy": 0.971, "seconds": 12.5}),
        ("Epoch 1 | Loss: nan | Acc (%): 9.8", 1, {"train_loss": float("nan"), "train_accuracy": 9.8}),
        ("New best accuracy: 99.18%", None, {}),
        ("Eval loss: 0.3 accuracy: 0.9", None, {}),
        ("top5_acc: 0.99", None, {}),
        ("  - Learning Rate: 0.04", None, {}),
        ("Adjusting learning rate of group 0 to 1.0000e-02.", None, {}),
        ("Total params: 13,808", None, {}),
    ],
)  # fmt: skip
def test_a_line_of_a_training_loop(line: str, epoch: int | None, values: dict[str, float]) -> None:
    """Lines as public notebooks and READMEs have them."""
    from mnist_tui.import_logs.text_form import read_line

    reading = read_line(lines_of(line)[-1])

    assert reading.epoch == epoch
    assert {name: number.value for name, number in reading.values.items()} == pytest.approx(values, nan_ok=True)


def test_a_bar_that_was_broken_off_tells_nothing() -> None:
    """The epoch in which a training was interrupted has no numbers: those of the bar are of its first batches."""
    text = (
        tqdm_log(EPOCHS) + "EPOCH: 4\n\rLoss=0.01 Batch_id=99 Accuracy=99.00: 10%|█ | 100/938 [00:02<00:20, 45.1it/s]\n"
    )
    (training,), misread = read(text)

    assert list(training) == [1, 2, 3]
    assert misread == []


def test_a_bar_shows_running_numbers() -> None:
    """So that they can be called what they are: the test line's are none."""
    (training,), _ = read(tqdm_log(EPOCHS))

    assert {name: number.is_running for name, number in training[1].items()} == {
        "train_loss": True,
        "train_accuracy": True,
        "test_loss": False,
        "test_accuracy": False,
    }
    assert training[1]["test_accuracy"].images == 10_000


def test_two_streams_in_one_line_are_told_apart() -> None:
    """What stderr and stdout wrote in turn: the test line begins behind the bar."""
    bar = "Loss=0.1 Batch_id=937 Accuracy=97.00: 100%|███| 938/938 [00:22<00:00, 41.48it/s]"
    (training,), _ = read(f"Epoch 1\n{bar}Test set: Average loss: 0.05, Accuracy: 98.00%\n")

    assert training[1]["train_accuracy"].value == 97
    assert training[1]["test_accuracy"].value == 98
    assert not training[1]["test_accuracy"].is_running

    (training,), _ = read("Epoch 1\n  0%|          | 0/79 [00:00<?, ?it/s]Test set: Accuracy: 98.00%\n")
    assert training[1]["test_accuracy"].value == 98, "the bar that has not begun is another stream's"


def test_labels_of_columns_and_curves() -> None:
    """A label that names two kinds of images, or none that is known, is of no field; steps are no epochs."""
    labels = [
        "val_loss",
        "Accuracy/test",
        "validation/evaluation_loss_vs_iterations",
        "train_loss_step",
        "best_val_acc",
    ]
    fields = [next(fields_of(iter([label])))[0] for label in labels]

    assert fields == ["val_loss", "test_accuracy", "", "", ""]


# --- Keras ---


def test_what_evaluate_prints_is_of_no_epoch() -> None:
    """It is counted as not understood, and leaves the numbers of the last epoch alone."""
    (training,), misread = read(keras_log(EPOCHS))

    assert training[3]["train_loss"].value == EPOCHS[2].train_loss
    assert training[3]["seconds"].value == 3
    assert len(misread) == 1
    assert misread[0].startswith("313/313")


def test_evaluation_with_as_many_steps_is_of_no_epoch() -> None:
    """On the training images, say: without validation figures it comes behind the end of the epoch's bar."""
    text = keras_log(EPOCHS).replace("313/313", "469/469")
    (training,), misread = read(text)

    assert training[3]["train_loss"].value == EPOCHS[2].train_loss
    assert len(misread) == 1


def test_keras_3_in_colours() -> None:
    """Its bar is of other characters, and its numbers come in another order."""
    bar = "\x1b[1m469/469\x1b[0m \x1b[32m━━━━━━━━\x1b[0m\x1b[37m\x1b[0m "
    end = bar + "\x1b[1m{}s\x1b[0m 6ms/step - accuracy: {} - loss: {}"
    text = "Epoch 1/2\n" + end.format(0, 0.5, 1.5) + "\b" * 70
    text += end.format(3, 0.9, 0.3) + " - val_accuracy: 0.97 - val_loss: 0.1 - learning_rate: 0.0010\n"
    (training,), misread = read(text)

    assert {name: number.value for name, number in training[1].items()} == {
        "train_accuracy": 0.9,
        "train_loss": 0.3,
        "val_accuracy": 0.97,
        "val_loss": 0.1,
        "learning_rate": 0.001,
        "seconds": 3,
    }
    assert misread == []


def test_keras_without_a_bar() -> None:
    """`verbose=2`, as Keras 2 and older ones print it."""
    (training,), _ = read(
        "Epoch 1/2\n469/469 - 3s - loss: 0.30 - acc: 0.90 - val_loss: 0.10 - val_acc: 0.97 - 3s/epoch - 6ms/step\n"
        "Epoch 2/2\n - 2s - loss: 0.20 - acc: 0.95 - val_loss: 0.08 - val_acc: 0.98\n"
    )

    assert [epoch["val_accuracy"].value for epoch in training.values()] == [0.97, 0.98]
    assert [epoch["seconds"].value for epoch in training.values()] == [3, 2]


def test_fit_called_again_is_another_training() -> None:
    """Even with one epoch each."""
    line = "469/469 [====] - 3s 6ms/step - loss: 0.3 - accuracy: 0.9\n"
    trainings, _ = read(f"Epoch 1/1\n{line}Epoch 1/1\n{line}")

    assert len(trainings) == 2


# --- tables ---


def test_keras_csv_and_fastai() -> None:
    """A bare name is of the training images, but for one that stands behind another kind: fastai's accuracy."""
    (keras,), _ = read("epoch,accuracy,loss,val_accuracy,val_loss\n0,0.9,0.3,0.97,0.1\n1,0.95,0.2,0.98,0.08\n")
    (fastai,), _ = read(
        "epoch     train_loss  valid_loss  accuracy  time    \n0         0.36        0.12        0.96      00:10\n"
    )

    assert {name: number.value for name, number in keras[0].items()} == {
        "train_accuracy": 0.9, "train_loss": 0.3, "val_accuracy": 0.97, "val_loss": 0.1,
    }  # fmt: skip
    assert {name: number.value for name, number in fastai[0].items()} == {
        "train_loss": 0.36, "val_loss": 0.12, "val_accuracy": 0.96,
    }  # fmt: skip


def test_rows_that_do_not_fit_are_not_understood() -> None:
    """Another number of cells, or an epoch that is none."""
    (training,), misread = read("epoch,loss\n1,0.3\n2,0.2,7\nx,0.1\n3,0.1\n")

    assert list(training) == [1, 3]
    assert misread == ["2,0.2,7", "x,0.1"]
