"""What the network of a run says about the digits of the second exam, downloaded where they are missing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mnist_tui.datasets import places
from mnist_tui.datasets.exam import ExamDigits, exam_data, read_exam
from mnist_tui.errors import DataError
from mnist_tui.runs.events import Downloading, Notice
from mnist_tui.training.data import Images
from mnist_tui.training.download import SECONDS, downloading
from mnist_tui.training.evaluation import evaluate

BATCH_SIZE = 500


def fetch_exam(data_dir: Path | None) -> Iterator[Notice | Downloading]:
    """Downloads the digits where they are missing; raises `DataError` where they are not to be had."""
    data = exam_data()
    if places.find(data, data_dir) is not None:
        return
    raw = places.download_folder(data, data_dir)
    yield Notice(f"downloading QMNIST's test digits ({data.download_bytes / 1e6:,.0f} MB) to {raw}")
    try:
        yield from downloading(raw, data.files, data.sources, seconds=SECONDS)
    except OSError as error:
        names = " and ".join(file.name for file in data.files)
        raise DataError(
            f"the exam needs QMNIST's test digits, which could not be downloaded ({error}). Put {names} into {raw}"
        ) from None


def load_exam(data_dir: Path | None) -> ExamDigits:
    """The digits; raises `DataError` where they are missing or damaged."""
    raw = places.find(exam_data(), data_dir)
    if raw is None:
        raise DataError("QMNIST's test digits are not on this machine")
    return read_exam(raw)


def predictions(network: nn.Module, normalization: tuple[float, float], digits: ExamDigits) -> NDArray[np.uint8]:
    """(N,): the classes that a network on the CPU gives all digits, normalised as in its training."""
    images = Images(torch.from_numpy(digits.pixels.copy()), torch.from_numpy(digits.labels))
    network = network.to(memory_format=torch.channels_last)
    predicted: NDArray[np.uint8] = evaluate(network, images, BATCH_SIZE, normalization).predictions.numpy()
    return predicted
