"""Logs as other programs write them, made from epochs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_tui.import_logs.forms import form_of
from mnist_tui.import_logs.readings import Log, Number
from mnist_tui.import_logs.terminal_text import lines_of
from mnist_tui.import_logs.trainings import collect


@dataclass(frozen=True)
class LoggedEpoch:
    """Numbers of an epoch with as many digits as logs have: accuracies in hundredths of a percent, losses in 1e-4."""

    train_loss: float
    train_accuracy: float
    held_out_loss: float
    held_out_accuracy: float


EPOCHS = [
    LoggedEpoch(0.3047, 0.9016, 0.0841, 0.9728),
    LoggedEpoch(0.0729, 0.9779, 0.0550, 0.9828),
    LoggedEpoch(0.0553, 0.9829, 0.0487, 0.9855),
]


def tqdm_log(epochs: Sequence[LoggedEpoch], first: int = 1, batches: int = 938) -> str:
    """As course notebooks print: a header behind the empty bar, the bar's states, and the test line."""
    text = ""
    for number, epoch in enumerate(epochs, start=first):
        text += f"\r  0%|          | 0/{batches} [00:00<?, ?it/s]EPOCH: {number}\n"
        for done in (1, batches // 2, batches, batches):
            accuracy = epoch.train_accuracy if done == batches else 0.5
            text += (
                f"\rLoss={epoch.train_loss:.4f} Batch_id={done - 1} Accuracy={100 * accuracy:.2f}: "
                f"{100 * done // batches}%|███| {done}/{batches} [00:20<00:00, 45.12it/s]"
            )
        right = round(10_000 * epoch.held_out_accuracy)
        text += (
            f"\n\nTest set: Average loss: {epoch.held_out_loss:.4f}, "
            f"Accuracy: {right}/10000 ({100 * epoch.held_out_accuracy:.2f}%)\n\n"
        )
    return text


def line_log(epochs: Sequence[LoggedEpoch]) -> str:
    """One line an epoch, in percent."""
    return "".join(
        f"Epoch [{number}/{len(epochs)}] - "
        f"Train Loss: {epoch.train_loss:.4f}, Train Acc: {100 * epoch.train_accuracy:.2f}% - "
        f"Test Loss: {epoch.held_out_loss:.4f}, Test Acc: {100 * epoch.held_out_accuracy:.2f}%\n"
        for number, epoch in enumerate(epochs, start=1)
    )


def keras_log(epochs: Sequence[LoggedEpoch], steps: int = 469) -> str:
    """As Keras 2 prints to a terminal, with backspaces, and what `evaluate` prints at the end."""
    text = ""
    for number, epoch in enumerate(epochs, start=1):
        text += f"Epoch {number}/{len(epochs)}\n"
        text += f"  1/{steps} [..............................] - ETA: 22s - loss: 2.3026 - accuracy: 0.1000" + "\b" * 80
        numbers = f"loss: {epoch.train_loss:.4f} - accuracy: {epoch.train_accuracy:.4f}"
        held_out = f"val_loss: {epoch.held_out_loss:.4f} - val_accuracy: {epoch.held_out_accuracy:.4f}"
        text += f"{steps}/{steps} [==============================] - ETA: 0s - {numbers}" + "\b" * 80
        text += f"{steps}/{steps} [==============================] - 3s 6ms/step - {numbers} - {held_out}\n"
    return text + "313/313 [==============================] - 1s 2ms/step - loss: 9.9999 - accuracy: 0.1111\n"


def lightning_csv(epochs: Sequence[LoggedEpoch]) -> str:
    """As Lightning's CSVLogger: epochs from 0, train and validation in rows of their own."""
    lines = ["epoch,step,train_loss_step,train_loss_epoch,train_acc,val_acc,val_loss"]
    for number, epoch in enumerate(epochs):
        lines += [
            f"{number},{469 * number + 49},2.3026,,,,",
            f"{number},{469 * number + 468},,,,{epoch.held_out_accuracy},{epoch.held_out_loss}",
            f"{number},{469 * number + 468},,{epoch.train_loss},{epoch.train_accuracy},,",
        ]
    return "\n".join(lines) + "\n"


def markdown_table(epochs: Sequence[LoggedEpoch]) -> str:
    """A table of a README."""
    rows = [
        f"| {number} | {epoch.train_loss:.4f} | {100 * epoch.train_accuracy:.2f} "
        f"| {epoch.held_out_loss:.4f} | {100 * epoch.held_out_accuracy:.2f} |"
        for number, epoch in enumerate(epochs, start=1)
    ]
    heading = ["| Epoch | Train Loss | Train Acc (%) | Val Loss | Val Acc (%) |", "|---|---|---|---|---|"]
    return "\n".join([*heading, *rows]) + "\n"


def read(text: str) -> tuple[list[dict[int, dict[str, Number]]], list[str]]:
    """The trainings in a text, as numbers by field and epoch, and the lines that are not understood."""
    log = Log(lines_of(text))
    form = form_of(log)
    assert form is not None
    trainings, misread = collect(list(form.read(log)))
    return [training.epochs for training in trainings], [line.text for line in misread]


# --- notebooks ---


def notebook(*cells: dict[str, Any]) -> str:
    """A notebook of format 4."""
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)})


def markdown_cell(text: str) -> dict[str, Any]:
    """A cell of text."""
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def code_cell(*outputs: str) -> dict[str, Any]:
    """A cell of code that printed texts, to stderr and stdout in turn."""
    streams = [
        {"output_type": "stream", "name": ("stderr", "stdout")[index % 2], "text": text.splitlines(keepends=True)}
        for index, text in enumerate(outputs)
    ]
    return {"cell_type": "code", "metadata": {}, "source": ["train()"], "execution_count": 1, "outputs": streams}


def write(path: Path, text: str) -> str:
    """Writes a text; returns the path as it is typed."""
    path.write_text(text, encoding="utf-8")
    return str(path)
