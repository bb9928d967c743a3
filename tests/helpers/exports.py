"""What the tests of exports share: a network with everything in it, runs of it, and scripts in the test's process."""

import struct
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mnist_tui.export.script import script
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import RunStarted
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import session
from mnist_tui.training.data import Images

RICH = make_spec(
    {
        "name": "rich",
        "title": 'Every kind of layer made of layers, "quoted" \\ and more',
        "source": "nobody",
        "layers": """
            # the stem
            Conv2d(2*width, 3, padding=1)   # twice the width
            BatchNorm2d()
            ReLU(inplace=True)
            MaxPool2d(4)
            Residual(
                Conv2d(width, 3, padding=1),
                BatchNorm2d,
                ReLU(True),
                Dropout(dropout),
                shortcut=Conv2d(width, 1),
            )
            Parallel(Sequential(Conv2d(3, 1), ReLU), Conv2d(5, 3, padding=1), Identity)
            SqueezeExcite(4)
            Repeat(width - 2, Conv2d(3*width, 3, padding=1), BatchNorm2d, ReLU)
            GroupNorm(4)
            Dropout(dropout)
            Flatten()
            Linear(10)
        """,
        "knobs": {"width": 4, "dropout": 0.1, "peak": 0.03},
        "train": {
            "epochs": 2,
            "batch_size": 64,
            "optimizer": "SGD(lr=peak/2, momentum=0.9)",
            "scheduler": "OneCycleLR(max_lr=peak, epochs=epochs, steps_per_epoch=steps_per_epoch)",
            "clip_grad_norm": 1.0,
            "seed": 3,
        },
    }
)
"""A network with every composite layer, knobs of both kinds, and a recipe with a schedule over the steps."""


def train_on_digits(spec: RunSpec, runs_dir: Path, fuse: bool = True) -> Run:
    """A completed run on the small digits, on one thread of the CPU."""
    options = Options(device="cpu", dataset="digits", runs_dir=runs_dir, threads=1, fuse=fuse)
    events = list(session.run(spec, options, Control()))
    folder = next(Path(event.folder) for event in events if isinstance(event, RunStarted))
    torch.set_num_threads(1)
    return read_run(folder)


def unsaved_run(spec: RunSpec, **record: Any) -> Run:
    """A run that is nowhere on the disk."""
    folder = Path(f"runs/20260101T000000Z-{spec.name}-s0-0000")
    return Run(folder, "completed", record={"spec": spec.model_dump(mode="json"), **record})


def all_names(network: nn.Module) -> dict[str, Tensor]:
    """Weights and statistics by name; a weight that `Repeat` uses several times is under each of its names.

    In the order of a script's network, whose `Repeat` has plain modules.
    """
    state = network.state_dict()
    for name, weight in network.named_parameters(remove_duplicate=False):
        state[name] = weight.detach()
    places = {name: place for place, (name, _) in enumerate(network.named_modules(remove_duplicate=False))}
    return dict(sorted(state.items(), key=lambda item: places[item[0].rpartition(".")[0]]))


def script_of(spec: RunSpec, name: str = "script.py") -> str:
    """The script of a run of a spec."""
    return script(unsaved_run(spec), Path(name))


def executed(text: str, path: Path = Path("script.py")) -> dict[str, Any]:
    """The names that a script defines; its `main` is not called."""
    names: dict[str, Any] = {"__name__": "script", "__file__": str(path)}
    exec(compile(text, path, "exec"), names)
    return names


def write_as_mnist(train: Images, test: Images, data_dir: Path) -> None:
    """Writes images as the four files of MNIST, where torchvision finds them."""
    raw = data_dir / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, images in {"train": train, "t10k": test}.items():
        pixels, labels = images.pixels.numpy().tobytes(), bytes(images.labels.tolist())
        (raw / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 2051, len(images), 28, 28) + pixels)
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, len(images)) + labels)
