"""`mnist-tui show FILE.py:CLASS`: a user's own nn.Module as a layer table, and as a preset where it is a chain.

Their file is run in a process of its own, which answers in JSON (training/own_module); here it is only read.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mnist_tui.cli.formats import json_text, record
from mnist_tui.errors import FileError, ModuleError, SpecError, UsageError
from mnist_tui.files import read_text
from mnist_tui.spec import presets
from mnist_tui.spec.layers import INPUT
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.text import as_name, clean, clean_line, is_name

SECONDS = 120
"""Until a file is stopped: loading torch takes some, training would take longer."""
MAX_SOURCE = 2**20
MAX_SIDE = 4_096
MAX_ROWS = 10_000
_NAMED = re.compile(r"(?P<file>.+\.py)(?::(?P<name>.*))?", re.DOTALL)


def is_named(name: str) -> bool:
    """Whether a name is that of a Python file, with or without a class in it."""
    return _NAMED.fullmatch(name) is not None


def show(named: str, input_shape: str | None, as_json: bool, as_toml: bool) -> int:
    """Prints the module, its preset alone with `as_toml`; raises `ModuleError` and `UsageError`."""
    file, name = _split_name(named)
    shape = _parse_shape(input_shape)
    print(f"mnist-tui: {clean_line(str(file), 200)} is run to make {name}, in a process of its own", file=sys.stderr)
    module = _describe(file, name, shape)
    spec, why_not = _make_preset(module, file, name, shape)
    if as_json:
        text = None if spec is None else presets.as_toml(spec)
        values = {"name": name, "input_shape": shape, **module, "preset": text, "no_preset": why_not or None}
        print(json_text(record(values)))
    elif as_toml and spec is None:
        raise ModuleError(f"{clean_line(named, 200)} is no preset: {why_not}")
    elif as_toml and spec is not None:
        print(presets.as_toml(spec), end="")
    else:
        lines = [*_table(module, name, file, shape), "", *_preset_lines(module, spec, why_not)]
        print(clean("\n".join(lines), 1_000_000))
    return 0


def _split_name(named: str) -> tuple[Path, str]:
    match = _NAMED.fullmatch(named)
    assert match is not None  # As `is_named` has found.
    file, name = Path(match["file"]), match["name"] or ""
    if not file.is_file():
        raise ModuleError(f"{clean_line(str(file), 200)}: there is no such file")
    if not name.isidentifier():
        raise UsageError(f"{clean_line(str(file), 100)}: name the class as well, such as {_example(file)}")
    return file, name


def _example(file: Path) -> str:
    """A file with the last class that is written in it, which is most likely the network; nothing is run for that."""
    with suppress(FileError, SyntaxError, ValueError, RecursionError):
        classes = [node.name for node in ast.parse(read_text(file, MAX_SOURCE)).body if isinstance(node, ast.ClassDef)]
        return clean_line(f"{file.name}:{classes[-1] if classes else 'Net'}", 100)
    return clean_line(f"{file.name}:Net", 100)


def _parse_shape(text: str | None) -> tuple[int, ...]:
    if text is None:
        return INPUT
    sides = [int(side) for side in text.split("x") if re.fullmatch("[0-9]{1,5}", side)]
    if len(sides) != 3 or text.count("x") != 2 or not all(1 <= side <= MAX_SIDE for side in sides):
        raise UsageError(f"--input {clean_line(text, 40)}: must be channels, height and width, such as 1x28x28")
    return tuple(sides)


def _describe(file: Path, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """The answer of the process that runs the file; raises `ModuleError` where there is none, or an error in it."""
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, "-P", "-m", "mnist_tui.training.own_module", str(file), name, "x".join(map(str, shape))]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModuleError(
            f"{file}: did not end in {SECONDS} s; does it train when it is imported? "
            'put that under if __name__ == "__main__":'
        ) from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise ModuleError(f"{file}: the process that ran it ended with code {done.returncode}") from None
    if "error" in answer:
        raise ModuleError(clean_line(str(answer["error"])))
    return dict(answer)


# --- the preset ---


def _make_preset(
    module: Mapping[str, Any], file: Path, name: str, shape: tuple[int, ...]
) -> tuple[RunSpec | None, str]:
    """The module as a preset, or why it is none: not a chain, other images, or other numbers of parameters."""
    if module["layers"] is None:
        return None, str(module["no_chain"])
    if shape != INPUT:
        return None, f"a preset takes {'x'.join(map(str, INPUT))}, not {'x'.join(map(str, shape))}"
    layers = [str(call) for call in module["layers"]]
    is_log_softmax = bool(layers) and layers[-1].startswith("LogSoftmax")
    document: dict[str, Any] = {
        "name": name if is_name(as_name(name), 60) else "net",
        "title": f"{name} of {file.name}",
        "layers": "".join(f"{layer}\n" for layer in layers),
        "train": {"loss": "NLLLoss()"} if is_log_softmax else {},
    }
    try:
        spec = make_spec(document)
    except SpecError as error:
        return None, str(error)
    called = int(module["parameters"]) - sum(module["uncalled"].values())
    if spec.parameters != called:
        return None, f"as a preset it would have {spec.parameters:,} parameters instead of {called:,}"
    return spec, ""


# --- text ---


def _table(module: Mapping[str, Any], name: str, file: Path, shape: tuple[int, ...]) -> list[str]:
    """The layers as they were called, and the sums."""
    from tabulate import tabulate

    rows = [
        (row["name"], _layer(row), _size(row["output_shape"]), f"{row['parameters']:,}" if row["parameters"] else "")
        for row in module["rows"][:MAX_ROWS]
    ]
    columns = ("left", "left", "left", "right")
    table = tabulate(rows, ("module", "layer", "output", "params"), colalign=columns, disable_numparse=True)
    parameters, trainable = int(module["parameters"]), int(module["trainable"])
    frozen = parameters - trainable
    return [
        f"{name} of {file}, input {_size(shape)}",
        "",
        *table.splitlines(),
        "",
        f"parameters  {parameters:,} (trainable {trainable:,}, non-trainable {frozen:,})",
        f"output      {_size(module['output_shape']) if module['output_shape'] is not None else 'no single tensor'}",
        *(f"never called: {place} ({count:,} parameters)" for place, count in module["uncalled"].items()),
    ]


def _layer(row: Mapping[str, Any]) -> str:
    return f"{row['type']}({row['arguments']})" if row["arguments"] else str(row["type"])


def _size(shape: Any) -> str:
    return "x".join(map(str, shape)) or "-"


def _preset_lines(module: Mapping[str, Any], spec: RunSpec | None, why_not: str) -> list[str]:
    if spec is None:
        return [f"no preset: {why_not}"]
    remarks = [f"# {remark}" for remark in module["remarks"]]
    return [
        "as a preset, to be saved as a file in models/ (--toml prints it alone):",
        "",
        *remarks,
        presets.as_toml(spec),
    ]
