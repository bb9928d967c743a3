"""A run as one stand-alone Python file and its weights: PyTorch and torchvision rebuild, test and retrain the network.

The text is the template script.py.jinja; what it puts in is made here. It is laid out as ruff and Black leave it.
"""

import io
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mnist_tui.datasets.published import FASHION_MNIST, KMNIST, MNIST
from mnist_tui.errors import RunError
from mnist_tui.export.script_layers import INDENT, composites_in, network_source
from mnist_tui.export.script_recipe import (
    average_source,
    loss_source,
    optimizer_source,
    plateau_mode,
    scheduler_source,
    transform_sources,
)
from mnist_tui.export.source import WIDTH, Names, Source, brackets, layout
from mnist_tui.runs.history import read_rate_changes
from mnist_tui.runs.record import Run
from mnist_tui.spec.calls import names_in
from mnist_tui.spec.recipe_words import target_words
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.training.build import scheduler_step
from mnist_tui.training.data import SPLIT_STREAM
from mnist_tui.training.predict import load_network
from mnist_tui.training.state import ORDER_STREAM

TEMPLATE = "script.py.jinja"
TORCHVISION = {MNIST.name: "MNIST", FASHION_MNIST.name: "FashionMNIST", KMNIST.name: "KMNIST"}
"""The classes of torchvision that read the data sets of a script: those with the files and arguments of MNIST's."""
RESERVED = frozenset({"WEIGHTS", "SEED", "EPOCHS", "BATCH_SIZE", "EVAL_BATCH_SIZE", "F", "NORMS"})
"""Names of the script that a knob cannot have."""


def script_files(run: Run, path: Path) -> tuple[bytes, bytes]:
    """The script that is to be written to `path`, and the weights beside it, a state dict for `torch.load`."""
    text = script(run, path).encode()
    network = load_network(run.folder)
    # The script's `Repeat` has plain modules, which load a weight under each of its names.
    tensors = network.state_dict() | {
        name: weight.detach() for name, weight in network.named_parameters(remove_duplicate=False)
    }
    weights = {f"layers.{name}": value for name, value in tensors.items()}
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    return text, buffer.getvalue()


def script(run: Run, path: Path) -> str:
    """The text of the script; raises `RunError` for a data set that it cannot read."""
    assert run.spec is not None
    if run.spec.data.name not in TORCHVISION:
        raise RunError(
            f"{run.id}: was trained on {run.spec.dataset.title}; a script reads {', '.join(TORCHVISION)} alone. Export "
            "the network, with --to safetensors, onnx or pt2"
        )
    return _render(_settings(run.spec) | {"docstring": _docstring(run, run.spec, path)})


def _render(values: dict[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(TEMPLATE).render(values)


def _settings(spec: RunSpec) -> dict[str, Any]:
    """What the template says about a spec."""
    constants = _constants(spec)
    names: Names = {**spec.knobs, **constants}
    numbers = {"epochs": spec.train.epochs, "steps_per_epoch": spec.steps_per_epoch()}
    scheduler = scheduler_source(spec, {**names, "epochs": "args.epochs", "steps_per_epoch": "steps_per_epoch"})
    step = scheduler_step(spec)
    used = names_in(spec.train.scheduler) if spec.train.scheduler else set()
    recipe: Names = {**names, **numbers}
    return dict(spec.train) | {
        "torchvision": TORCHVISION[spec.data.name],
        "data_title": spec.dataset.title,
        "parameters": spec.parameters,
        "train_images": spec.train_images,
        "constants": {name: spec.knobs[knob] for knob, name in constants.items()},
        "composites": composites_in(spec),
        "layers": _lines(network_source(spec, names), INDENT - 4, "self.layers = "),
        "output": "log-probabilities" if spec.calls[-1].name == "LogSoftmax" else "logits",
        "mean": spec.train.normalize[0],
        "std": spec.train.normalize[1],
        "transforms": "\n".join(_lines(each, 12, after=",") for each in transform_sources(spec, recipe)),
        "loss": _lines(loss_source(spec, recipe), 4, "loss_function = "),
        "optimizer": _lines(optimizer_source(spec, recipe), 4, "optimizer = "),
        "scheduler": _lines(scheduler, 4, "scheduler = ") if scheduler else "",
        "step": step if scheduler else "",
        "averaged": _lines(average, 4, "averaged = ") if (average := average_source(spec, recipe)) else "",
        "evaluated": "averaged.module" if spec.train.average else "network",
        "train_epoch_line": _train_epoch(spec, 0, "def ", ":"),
        "train_epoch_call": _train_epoch(spec, 8, "loss, accuracy = "),
        "uses_steps": step == "burst" or "steps_per_epoch" in used,
        "plateau": plateau_mode(spec),
        "chosen": "val" if spec.train.validation_images else "test",
        "split_stream": SPLIT_STREAM,
        "order_stream": ORDER_STREAM,
    }


def _constants(spec: RunSpec) -> dict[str, str]:
    """The constants of the script that stand for knobs, by the knob.

    Sizes follow from each other, so knobs that are whole numbers, as all sizes are, are written as numbers.
    """
    constants: dict[str, str] = {}
    for knob, value in spec.knobs.items():
        if isinstance(value, float):
            name = knob.upper() if knob.upper().isidentifier() else knob
            while name in RESERVED or name in constants.values():
                name += "_"
            constants[knob] = name
    return constants


def _train_epoch(spec: RunSpec, indent: int, before: str, after: str = "") -> str:
    """The head of the script's `train_epoch`, or a call of it, with what the recipe needs."""
    arguments = ["network", "loader", "loss_function", "optimizer"]
    arguments += ["averaged"] if spec.train.average else []
    arguments += ["scheduler"] if spec.train.scheduler and scheduler_step(spec) == "batch" else []
    return _lines(brackets("train_epoch(", list(map(Source, [*arguments, "device"]))), indent, before, after)


def _lines(source: Source, indent: int, before: str = "", after: str = "") -> str:
    return "\n".join(layout(source, indent, before, after))


# --- the docstring ---


def _docstring(run: Run, spec: RunSpec, path: Path) -> str:
    """What the script is, how it is used, which run it comes from, and where mnist-tui differs."""
    paragraphs = [_wrapped(text) for text in _paragraphs(run, spec)]
    name = _quoted(shlex.quote(path.name))
    usage = f"    python {name}            # tests the trained weights\n    python {name} --train    # trains again"
    return "\n\n".join([paragraphs[0], usage, *paragraphs[1:]])


def _paragraphs(run: Run, spec: RunSpec) -> Iterator[str]:
    yield f"{spec.name}: a PyTorch network for {spec.dataset.title}."
    if about := [text.rstrip(".") for text in (spec.title, spec.source and f"After {spec.source}") if text]:
        yield ". ".join(about) + "."
    yield _origin(run)
    yield _result(run, spec)
    if run.dataset != spec.data.name:
        title = spec.dataset.title
        yield (
            f"The run was trained on {run.dataset}, small images that stand in for {title}. This script reads {title}, "
            "so its accuracies are others."
        )
    if changes := read_rate_changes(run.folder):
        places = ", ".join(f"{each.learning_rate:g} after step {each.step} of epoch {each.epoch}" for each in changes)
        yield f"The learning rate was changed by hand, which this script does not repeat: {places}."
    yield _differences(run, spec)


def _origin(run: Run) -> str:
    version, torch_version = (run.part("versions").get(name, "?") for name in ("mnist-tui", "torch"))
    return f"Run {run.id} of mnist-tui {version}, trained with torch {torch_version} on {run.device or '?'}."


def _result(run: Run, spec: RunSpec) -> str:
    accuracy = f"{run.best_accuracy:.2%}" if run.best_accuracy is not None else "?"
    target = target_words(spec.target)
    return (
        f"The weights are those of epoch {run.best_epoch} of {run.epochs}: test accuracy {accuracy} (measured on: "
        f"{run.measured_on})." + (f" Target: {target}." if target else "")
    )


def _differences(run: Run, spec: RunSpec) -> str:
    """What is the same when the script trains again, and what is not."""
    is_random = spec.train.augment or spec.train.mixup
    augmentation = "the run's augmentation had other random numbers" if is_random else ""
    fusion = "the run's layers were fused, which rounds differently" if run.record.get("fused") is not False else ""
    reasons = ", and ".join(filter(None, (augmentation, fusion)))
    numbers = f"The numbers are not the same: {reasons}." if reasons else "The numbers are the same up to rounding."
    return f"Training again begins with the same weights and the same order of images. {numbers}"


def _wrapped(text: str) -> str:
    return textwrap.fill(_quoted(text), WIDTH, break_long_words=False, break_on_hyphens=False)


def _quoted(text: str) -> str:
    """A text from outside, such that it neither ends a docstring nor escapes in it."""
    return re.sub(r" +", " ", clean_line(text)).replace("\\", "\\\\").replace('"', "'").strip()
