"""The machine and software of a run: device, threads, versions, git commit."""

import importlib.metadata
import os
import platform
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import torch

from mnist_tui.errors import DeviceError
from mnist_tui.spec.run_options import Options

MEMORY_PER_RUN = 2**30
"""Bytes that a process needs with torch, MNIST and a small network, rounded up."""


def cores() -> int:
    """The CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """All cores but one: where a core is busy, PyTorch's threads wait for each other (5 to 30 times slower)."""
    return max(1, cores() - 1)


def jobs_at_a_time(runs: int, options: Options) -> int:
    """How many of so many runs to train side by side, each in a process with one thread or those of `options`.

    As many as cores and free memory allow; on a GPU one, which they would only share.
    """
    if resolve_device(options.device).type != "cpu":
        return 1
    by_memory = int(psutil.virtual_memory().available) // MEMORY_PER_RUN
    return max(1, min(runs, cores() // (options.threads or 1), by_memory))


def resolve_device(name: str) -> torch.device:
    """The device named auto, cpu, cuda, cuda:1 or mps; raises `DeviceError` where it is not available."""
    if name == "auto":
        has_mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    device_type, _, index = name.partition(":")
    if device_type not in ("cpu", "cuda", "mps") or (index and (device_type != "cuda" or not index.isdigit())):
        raise DeviceError(f"--device {name[:40]}: must be auto, cpu, cuda, cuda:0, cuda:1, … or mps")
    if device_type == "cuda" and (why := _no_cuda(int(index or 0))):
        raise DeviceError(f"--device {name}: {why}; --device auto takes what there is", why)
    if device_type == "mps" and not torch.backends.mps.is_available():
        why = "there is no Apple GPU, or this PyTorch is built without it"
        raise DeviceError(f"--device mps: {why}", why)
    return torch.device(name)


def _no_cuda(index: int) -> str:
    """Why CUDA device `index` cannot be used; empty where it can."""
    if torch.version.cuda is None:
        return "this PyTorch is built without CUDA"
    if not torch.cuda.is_available():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hidden = f" (CUDA_VISIBLE_DEVICES={visible[:40]!r})" if visible is not None else ""
        return f"no CUDA GPU is visible, or its driver is missing or too old for CUDA {torch.version.cuda}{hidden}"
    count = torch.cuda.device_count()
    return f"there are only {count} CUDA GPUs, counted from 0" if index >= count else ""


def device_name(device: torch.device) -> str:
    """The product name of the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def processor() -> str:
    """The model of the CPU, and the vector instructions that PyTorch uses on it, which decide how sums are rounded."""
    return f"{_processor_model()}, {torch.backends.cpu.get_cpu_capability()}"


def _processor_model() -> str:
    with suppress(OSError):  # Only Linux has the file, and some of its machines give no model.
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that affect a run's numbers."""
    names = ("mnist-tui", "torch", "torchvision", "numpy", "safetensors")
    return {"python": platform.python_version()} | {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def git() -> dict[str, Any] | None:
    """The commit of the working folder and whether it has changes; None outside a repository.

    The configuration of a repository that was downloaded may name programs which `git status` would run: a monitor of
    its files, which is switched off, or filters of their content, with which changes are not looked for (None).
    """
    try:
        return {"commit": _git("rev-parse", "HEAD"), "dirty": None if _has_filters() else _has_changes()}
    except (OSError, subprocess.SubprocessError):
        return None


def _has_changes() -> bool:
    return bool(_git("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all"))


def _has_filters() -> bool:
    """Whether the repository's own configuration names filters, or other files of configuration."""
    names = _git("config", "--local", "--name-only", "--list").casefold().splitlines()
    return any(name.startswith(("filter.", "include.", "includeif.", "extensions.worktreeconfig")) for name in names)


def _git(*arguments: str) -> str:
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=5, check=True)
    return done.stdout.decode(errors="replace").strip()  # Names of branches and files may be any bytes.
