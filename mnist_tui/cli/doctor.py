"""What `mnist-tui doctor` finds: versions, device, threads, data, folders."""

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs
import torch

from mnist_tui.errors import DataError, DeviceError
from mnist_tui.files import no_place
from mnist_tui.training import data, environment


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    found: str
    is_usable: bool = True
    """False where no run can go well."""


def examine(data_dir: Path | None, runs_dir: Path) -> list[Finding]:
    """Looks at everything a run needs; changes nothing."""
    versions = ", ".join(f"{name} {number}" for name, number in environment.versions().items())
    device = environment.resolve_device("auto")
    return [
        Finding("versions", versions),
        Finding("device", f"{device} ({environment.device_name(device)})" + _why_no_gpu(device)),
        Finding("threads", _threads(environment.default_threads(), environment.cores())),
        _data(data_dir),
        _folder("runs", runs_dir),
        _folder("cache", platformdirs.user_cache_path("mnist-tui")),
        Finding("own presets", str(platformdirs.user_config_path("mnist-tui") / "models")),
    ]


def _threads(count: int, cores: int) -> str:
    hint = f"; --threads {cores} is faster while nothing else runs" if count < cores else ""
    return f"{count} of {cores} cores{hint}"


def _why_no_gpu(device: torch.device) -> str:
    if device.type != "cpu":
        return ""
    try:
        environment.resolve_device("cuda")
    except DeviceError as error:
        return "; no GPU: " + str(error).partition(": ")[2].partition(";")[0]
    return ""


def _data(data_dir: Path | None) -> Finding:
    raw = data.find(data_dir)
    if raw is None:
        first, *others = data.folders(data_dir)
        if not others and (why := no_place(first)):  # The default one is made with all above it.
            return Finding("MNIST", f"{first}: {why}", is_usable=False)
        looked = " or ".join(map(str, [first, *others]))
        return Finding("MNIST", f"not found in {looked}; the first run downloads it to {first}")
    try:
        data.load_mnist(raw)
    except DataError as error:
        return Finding("MNIST", str(error), is_usable=False)
    return Finding("MNIST", f"{raw}: all four files are the real ones")


def _folder(what: str, folder: Path) -> Finding:
    """Whether files can be made in a folder, or in the nearest one above it that exists."""
    existing = next(candidate for candidate in (folder, *folder.absolute().parents) if candidate.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return Finding(what, f"{folder} (writable)")
    except OSError as error:
        return Finding(what, f"{folder} is not writable: {error.strerror or os.strerror(0)}", is_usable=False)


def as_text(findings: list[Finding]) -> str:
    """A line for each finding."""
    return "\n".join(
        f"{'ok' if finding.is_usable else '!!'}  {finding.what:<12} {finding.found}" for finding in findings
    )


def as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    """The findings as JSON objects."""
    return [asdict(finding) for finding in findings]
