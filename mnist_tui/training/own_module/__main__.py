"""The process that runs a user's file: `python -m mnist_tui.training.own_module FILE NAME CxHxW`, an answer in JSON.

What the file prints goes to stderr; the answer alone goes to stdout.
"""

import json
import os
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mnist_tui.errors import ExitCode, ModuleError
from mnist_tui.training.own_module.chain import find_chain
from mnist_tui.training.own_module.layer_table import run_once, uncalled_parameters
from mnist_tui.training.own_module.load import failures_of, load_module


def describe(network: nn.Module, shape: tuple[int, ...], file: Path) -> dict[str, Any]:
    """The layers, parameters and chain of a network as JSON; raises `ModuleError` where its forward pass fails."""
    with failures_of(file):
        forward = run_once(network, shape)
    chain = find_chain(network, forward, file)
    parameters = list(network.parameters())
    return {
        "rows": [asdict(row) for row in forward.rows],
        "output_shape": list(forward.output.shape[1:]) if isinstance(forward.output, Tensor) else None,
        "parameters": sum(each.numel() for each in parameters),
        "trainable": sum(each.numel() for each in parameters if each.requires_grad),
        "uncalled": uncalled_parameters(network, forward),
        "layers": None if chain.broken else [str(call) for call in chain.calls],
        "no_chain": chain.broken,
        "remarks": chain.remarks,
    }


def main(arguments: list[str]) -> None:
    """Writes the answer for a file, a name and an input shape: that of `describe`, or `{"error": ...}`."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    file, name, shape = Path(arguments[0]), arguments[1], tuple(map(int, arguments[2].split("x")))
    try:
        network = load_module(file, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = describe(network, shape, file)
    except ModuleError as error:
        result = {"error": str(error)}
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    answer.write(json.dumps(result))
    answer.close()


if __name__ == "__main__":
    main(sys.argv[1:])
