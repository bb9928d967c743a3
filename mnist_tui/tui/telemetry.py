"""How busy the device is: processor and memory, or a GPU with who else is on it. No torch."""

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psutil

MIB = 2**20
GIB = 2**30


@dataclass(frozen=True)
class Reading:
    """The device at one moment."""

    cpu_percent: float
    """Of one core, by this process, since the reading before."""
    memory_mib: float
    """Of this process."""
    gpu: "GpuReading | None" = None


@dataclass(frozen=True)
class GpuReading:
    """A GPU at one moment; None for what cannot be read."""

    name: str
    percent: int | None
    used_gib: float | None
    total_gib: float | None
    celsius: int | None
    others: tuple[str, ...]
    """Other processes on the card: process number and GiB."""


@cache
def _process() -> "psutil.Process":
    import psutil  # 20 ms, which the first frame does not wait for.

    process = psutil.Process()
    process.cpu_percent()  # The first answer is since ever.
    return process


def read(device: str) -> Reading:
    """The device called auto, cpu, cuda, cuda:1 or mps; takes a millisecond."""
    process = _process()
    gpu = _gpu(device) if device == "auto" or device.startswith("cuda") else None
    return Reading(process.cpu_percent(), process.memory_info().rss / MIB, gpu)


@cache
def _library() -> Any:
    """NVIDIA's management library, initialized; None where there is none."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # Each kind of absence has an exception of its own, and none matters.
        return None
    return pynvml


def _gpu(device: str) -> GpuReading | None:
    nvml = _library()
    if nvml is None:
        return None
    try:
        handle = _handle(nvml, int(device.partition(":")[2] or 0))
        name = nvml.nvmlDeviceGetName(handle)
    except (nvml.NVMLError, ValueError, IndexError):
        return None
    memory = _query(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    use = _query(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
    processes = _query(nvml, lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle)) or []
    return GpuReading(
        name=name.decode() if isinstance(name, bytes) else str(name),
        percent=use.gpu if use else None,
        used_gib=memory.used / GIB if memory else None,
        total_gib=memory.total / GIB if memory else None,
        celsius=_query(nvml, lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
        others=tuple(_other(item) for item in processes if item.pid != os.getpid()),
    )


def _handle(nvml: Any, index: int) -> Any:
    """The card that CUDA calls `index`: CUDA_VISIBLE_DEVICES renames them, by number or UUID; empty, it hides all."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible == "":
        raise IndexError(index)
    named = str(index) if visible is None else visible.split(",")[index].strip()
    return nvml.nvmlDeviceGetHandleByIndex(int(named)) if named.isdigit() else nvml.nvmlDeviceGetHandleByUUID(named)


def _query(nvml: Any, question: Any) -> Any:
    try:
        return question()
    except nvml.NVMLError:
        return None


def _other(process: Any) -> str:
    used = process.usedGpuMemory
    return f"{process.pid}" + (f" {used / GIB:.1f} GB" if used else "")


def in_words(reading: Reading, width: int) -> str:
    """One line of at most `width` characters: as many of the parts as fit, the most important first."""
    line = ""
    for part in _parts(reading):
        if len(line) + len(part) + 2 <= width or not line:
            line += f"  {part}" if line else part
    return line[:width]


def _parts(reading: Reading) -> list[str]:
    gpu = reading.gpu
    cpu = [f"cpu {reading.cpu_percent:.0f}%", f"mem {reading.memory_mib:,.0f} MB"]
    if gpu is None:
        return cpu
    parts = [gpu.name.removeprefix("NVIDIA ")]
    if gpu.percent is not None:
        parts.append(f"{gpu.percent}%")
    if gpu.used_gib is not None and gpu.total_gib is not None:
        parts.append(f"{gpu.used_gib:.1f}/{gpu.total_gib:.0f} GB")
    if gpu.celsius is not None:
        parts.append(f"{gpu.celsius} °C")
    if gpu.others:
        parts.append(f"others: {', '.join(gpu.others)}")
    return parts + cpu[:1]
