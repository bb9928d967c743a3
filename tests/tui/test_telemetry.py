"""The device line: a machine without a GPU, one with a GPU, and one whose GPU tells little."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from mnist_tui.tui import telemetry
from mnist_tui.tui.telemetry import GIB, GpuReading, Reading, in_words

GPU = GpuReading("NVIDIA H100", 87, 12.1, 80.0, 61, ("1234 8.0 GB",))


class FakeError(Exception):
    """What NVML raises."""


class FakeNvml:
    """A card that tells everything but its temperature, and runs one process beside ours."""

    NVMLError = FakeError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # NVML's own names
        self.asked.append(index)
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        self.asked.append(uuid)
        return uuid

    def nvmlDeviceGetName(self, handle: Any) -> bytes:
        return b"NVIDIA H100"

    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any:
        return SimpleNamespace(used=3 * GIB, total=80 * GIB)

    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any:
        return SimpleNamespace(gpu=50)

    def nvmlDeviceGetTemperature(self, handle: Any, kind: int) -> int:
        raise FakeError

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> list[Any]:
        import os

        return [SimpleNamespace(pid=os.getpid(), usedGpuMemory=GIB), SimpleNamespace(pid=7, usedGpuMemory=2 * GIB)]


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """A machine with a card."""
    fake = FakeNvml()
    monkeypatch.setattr(telemetry, "_library", lambda: fake)
    return fake


def test_this_machine() -> None:
    """Processor and memory of this process."""
    reading = telemetry.read("cpu")

    assert reading.memory_mib > 10
    assert reading.cpu_percent >= 0
    assert reading.gpu is None


def test_a_card(nvml: FakeNvml) -> None:
    """What the card tells, who else is on it, and None for what it does not tell."""
    gpu = telemetry.read("auto").gpu

    assert gpu == GpuReading("NVIDIA H100", 50, 3.0, 80.0, None, ("7 2.0 GB",))


@pytest.mark.parametrize(
    ("visible", "device", "asked"),
    [(None, "cuda:1", 1), ("3,5", "cuda:1", 5), ("3,5", "auto", 3), ("GPU-abc", "cuda", "GPU-abc")],
)
def test_cards_are_counted_as_cuda_does(
    visible: str | None, device: str, asked: Any, nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA_VISIBLE_DEVICES renames them."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    telemetry.read(device)

    assert nvml.asked == [asked]


@pytest.mark.parametrize(("visible", "device"), [("0", "cuda:4"), ("", "auto"), ("", "cuda:0")])
def test_no_such_card(visible: str, device: str, nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line about a GPU, and no error; an empty list hides every card, so that a run is on the processor."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert telemetry.read(device).gpu is None
    assert nvml.asked == []


class NoDriver(SimpleNamespace):
    """NVML's library on a machine without its driver."""

    def nvmlInit(self) -> None:
        raise FakeError


@pytest.mark.parametrize("library", [None, NoDriver()], ids=["not installed", "no driver"])
def test_no_library(library: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Processor and memory alone, and not a word on the terminal."""
    monkeypatch.setitem(sys.modules, "pynvml", library)
    telemetry._library.cache_clear()
    gpu = telemetry.read("cuda:0").gpu
    telemetry._library.cache_clear()

    assert gpu is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (80, "H100  87%  12.1/80 GB  61 °C  others: 1234 8.0 GB  cpu 98%"),
        (28, "H100  87%  12.1/80 GB  61 °C"),
        (9, "H100  87%"),
        (3, "H10"),
    ],
)
def test_as_much_as_fits(width: int, words: str) -> None:
    """The most telling parts first."""
    assert in_words(Reading(98.2, 812.0, GPU), width) == words


def test_without_a_card_in_words() -> None:
    """Processor and memory."""
    assert in_words(Reading(98.2, 1812.0), 40) == "cpu 98%  mem 1,812 MB"
