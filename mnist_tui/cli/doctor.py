"""`mnist-tui doctor`: checks versions, device, threads, data and folders."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from mnist_tui.cli.arguments import AsJson, Given, examples, settings_with, takes_settings
from mnist_tui.cli.formats import json_text, record
from mnist_tui.errors import DataError, DeviceError, ExitCode
from mnist_tui.files import no_place
from mnist_tui.text import clean

app = typer.Typer()


@app.command(
    epilog=examples(
        "mnist-tui doctor",
        "mnist-tui doctor --data-dir ~/data",
        more="Exit codes: 0 this machine is ready, 3 something keeps runs from working.",
    )
)
@takes_settings("data_dir", "runs_dir")
def doctor(as_json: AsJson = False, *, given: Given) -> int:
    """Check whether this machine is ready to train.

    Checks versions, device, threads, data and folders, and changes nothing.
    """
    values = settings_with(given)
    findings = examine(values.data_dir, values.runs_dir)
    print(json_text([record(asdict(one)) for one in findings]) if as_json else clean(as_text(findings)))
    return ExitCode.OK if all(finding.is_usable for finding in findings) else ExitCode.ENVIRONMENT


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    what: str
    found: str
    is_usable: bool = True
    """False where no run can work."""


def examine(data_dir: Path | None, runs_dir: Path) -> list[Finding]:
    """Checks everything that a run needs; changes nothing."""
    import platformdirs

    from mnist_tui.training import environment  # torch: 2 s.

    versions = ", ".join(f"{name} {number}" for name, number in environment.versions().items())
    device = environment.resolve_device("auto")
    return [
        Finding("versions", versions),
        Finding("device", f"{device} ({environment.device_name(device)})" + _why_no_gpu(device.type)),
        Finding("threads", _threads(environment.default_threads(), environment.cores())),
        _data(data_dir),
        _other_data(data_dir),
        _folder("runs", runs_dir),
        _folder("cache", platformdirs.user_cache_path("mnist-tui")),
        Finding("own presets", str(platformdirs.user_config_path("mnist-tui") / "models")),
    ]


def _threads(count: int, cores: int) -> str:
    hint = f"; --threads {cores} is faster while nothing else runs" if count < cores else ""
    return f"{count} of {cores} cores{hint}"


def _why_no_gpu(device_type: str) -> str:
    from mnist_tui.training import environment

    if device_type != "cpu":
        return ""
    try:
        environment.resolve_device("cuda")
    except DeviceError as error:
        return f"; no GPU: {error.why}"
    return ""


def _data(data_dir: Path | None) -> Finding:
    from mnist_tui.datasets import places
    from mnist_tui.datasets.published import MNIST

    raw = places.find(MNIST, data_dir)
    if raw is None:
        first, *others = places.folders(data_dir)
        if not others and (why := no_place(first)):  # The default one is made with all above it.
            return Finding("MNIST", f"{first}: {why}", is_usable=False)
        searched = " or ".join(map(str, [first, *others]))
        return Finding("MNIST", f"not found in {searched}; the first run downloads it to {first}")
    try:
        for file in MNIST.files:
            places.read_file(MNIST, raw, file)
    except DataError as error:
        return Finding("MNIST", str(error), is_usable=False)
    return Finding("MNIST", f"{raw}: all four files are the real ones")


def _other_data(data_dir: Path | None) -> Finding:
    """The other data sets whose files are there; these are checked when they are read."""
    from mnist_tui.datasets import places
    from mnist_tui.datasets.published import MNIST, PUBLISHED

    others = [data for data in PUBLISHED.values() if data != MNIST]
    here = [data.name for data in others if not data.files or places.find(data, data_dir)]
    missing = [data.name for data in others if data.name not in here]
    return Finding("other data", f"{', '.join(here)}; to be downloaded: {', '.join(missing) or 'none'}")


def _folder(what: str, folder: Path) -> Finding:
    """Whether files can be made in a folder, or in the nearest one above it that exists."""
    try:
        existing = next(candidate for candidate in (folder, *folder.absolute().parents) if candidate.exists())
        with tempfile.TemporaryFile(dir=existing):
            return Finding(what, f"{folder} (writable)")
    except OSError as error:
        return Finding(what, f"{folder} is not writable: {error.strerror}", is_usable=False)


def as_text(findings: list[Finding]) -> str:
    """A line for each finding."""
    return "\n".join(
        f"{'ok' if finding.is_usable else '!!'}  {finding.what:<12} {finding.found}" for finding in findings
    )
