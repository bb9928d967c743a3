"""The registry of export formats: what each one writes, under which ending, and which packages it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mnist_tui.errors import UsageError
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line, did_you_mean


@dataclass(frozen=True)
class Format:
    """One way to export a run."""

    name: str
    what: str
    """What is written, for the help."""
    make: Callable[[Run, Path], tuple[bytes, ...]]
    """The content of each of `files` for a run and an output path."""
    suffix: str = ""
    """The ending of the output; none where that is a folder."""
    files: Callable[[Path], tuple[Path, ...]] = lambda path: (path,)
    """The files that are written, for an output path."""
    needs: tuple[str, ...] = ()
    """Packages that are installed only on request, as they are imported and as pip calls them."""


def _onnx(run: Run, path: Path) -> tuple[bytes, ...]:
    from mnist_tui.export.onnx_model import onnx_file

    return (onnx_file(run),)


def _pt2(run: Run, path: Path) -> tuple[bytes, ...]:
    from mnist_tui.export.torch_program import program_file

    return (program_file(run),)


def _safetensors(run: Run, path: Path) -> tuple[bytes, ...]:
    from mnist_tui.export.weights import safetensors_file

    return (safetensors_file(run),)


def _script(run: Run, path: Path) -> tuple[bytes, ...]:
    from mnist_tui.export.script import script_files

    return script_files(run, path)


def _csv(run: Run, path: Path) -> tuple[bytes, ...]:
    from mnist_tui.export.history_csv import csv_file

    return (csv_file(run),)


def _tensorboard(run: Run, path: Path) -> tuple[bytes, ...]:
    from mnist_tui.export.event_file import event_file

    return (event_file(run),)


def _event_file_in(path: Path) -> tuple[Path, ...]:
    from mnist_tui.export.event_file import NAME

    return (path / NAME,)


FORMATS = (
    Format("onnx", "the network for other programs", _onnx, ".onnx", needs=("onnx", "onnxscript", "onnxruntime")),
    Format("pt2", "the network as a program of torch.export", _pt2, ".pt2"),
    Format("safetensors", "the weights, with the spec as metadata", _safetensors, ".safetensors"),
    Format(
        "script",
        "a stand-alone PyTorch file, with the weights beside it, to hand in",
        _script,
        ".py",
        files=lambda path: (path, path.with_suffix(".pt")),
    ),
    Format("csv", "the epochs as a table", _csv, ".csv"),
    Format(
        "tensorboard",
        "the epochs in a log folder of TensorBoard",
        _tensorboard,
        files=_event_file_in,
        needs=("tensorboard",),
    ),
)
"""Every format, in the order of the help."""

ARCHIVE = "archive"
"""The name of what `export` does without a format: the run folder, copied or packed (`runs/archive.py`)."""


def find_format(name: str) -> Format:
    """The format of a name; raises `UsageError`."""
    known = {each.name: each for each in FORMATS}
    if name not in known:
        names = [*known, ARCHIVE]
        near = did_you_mean(name, names) or f"; known are {', '.join(names)}"
        raise UsageError(f"--to {clean_line(name, 40) or repr(name)}: there is no such format{near}")
    return known[name]
