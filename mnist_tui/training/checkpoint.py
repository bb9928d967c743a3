"""A training's whole state as bytes and back: safetensors and JSON, verified by SHA-256, without pickle.

A checkpoint holds what a bit-exact continuation needs: weights, optimizer, scheduler, every random state, the state of
the order's generator at the epoch's start and the steps taken since, losses, correct predictions and gradient norms of
the epoch so far, and all history rows. The history can therefore be written again from it.
"""

import json
import math
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from mnist_tui.errors import CheckpointError
from mnist_tui.runs.events import EpochEnded, LearningRateChanged
from mnist_tui.text import clean_line
from mnist_tui.training.flat_parameters import FlatGroup, parameter_views
from mnist_tui.training.state import Training

FORMAT = 1
CORRECT = "hits"
"""The name of `TrainStep.correct` in files of format 1."""
RATE_CHANGES = "steered"
"""The name of `Training.rate_changes` in files of format 1."""

DEVICE_OPTIONS = frozenset({"params", "fused", "foreach", "capturable"})
"""Optimizer options that depend on the device and not on the recipe: a run may be resumed on another device."""


def dump(training: Training) -> bytes:
    """The state of a training between two steps."""
    tensors, scalars = _optimizer_state(training)
    tensors |= {f"model.{name}": value for name, value in training.model.state_dict().items()}
    if training.average is not None:
        tensors |= {f"average.{name}": value for name, value in training.average.state_dict().items()}
    tensors |= _random_states(training)
    tensors |= {"losses": training.step.losses, CORRECT: training.step.correct}
    tensors["gradient_norms"] = training.step.gradient_norms
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    state = {
        "format": FORMAT,
        "recipe": _recipe(training),
        "epoch": training.epoch,
        "steps_done": training.steps_done,
        "seconds": training.seconds,
        "last_rate": training.last_rate,
        RATE_CHANGES: [asdict(event) for event in training.rate_changes],
        "rate_factor": training.rate_factor,
        "scheduled": training.scheduled,
        "rows": [asdict(row) for row in training.rows],
        "optimizer": scalars,
        "groups": [_plain(group) for group in training.optimizer.param_groups],
        "scheduler": _plain(training.scheduler.state_dict()) if training.scheduler else None,
        "threads": torch.get_num_threads(),
    }
    text = json.dumps(state)  # Infinities stay as Python writes them: ReduceLROnPlateau begins with one.
    return save(tensors, metadata={"state": text, "sha256": _digest(text, tensors)})


def restore(training: Training, content: bytes) -> None:
    """Brings a training of the same spec to the state in `content`.

    Raises `CheckpointError`; the training is then as it was.
    """
    tensors, state = read(content)
    if state.get("recipe") != _recipe(training):
        raise CheckpointError("does not fit this run: it was written with other layers or another recipe")
    before = dump(training)
    try:
        _restore(training, tensors, state)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError, OverflowError) as error:
        _restore(training, *read(before))  # A part of the state may have been taken over.
        raise CheckpointError(f"does not fit this run: {clean_line(str(error), 200)}") from None


def read(content: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the JSON state of a checkpoint, verified; raises `CheckpointError`."""
    try:
        tensors = load(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        text, digest = metadata["state"], metadata["sha256"]
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointError("is damaged, or is no checkpoint") from None
    if _digest(text, tensors) != digest:
        raise CheckpointError("is damaged: the SHA-256 differs")
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        raise CheckpointError("is no checkpoint: its state is no JSON") from None
    if not isinstance(state, dict):
        raise CheckpointError("is no checkpoint: its state is no object")
    if state.get("format") != FORMAT:
        raise CheckpointError(f"has format {state.get('format')}; this version reads {FORMAT}")
    if not all(isinstance(state.get(name), int) for name in ("epoch", "steps_done")):
        raise CheckpointError("is no checkpoint: its state tells no epoch and step")
    return tensors, state


def weights_sha256(content: bytes) -> str:
    """SHA-256 of all weights and buffers of the network, and of their average; raises `CheckpointError`."""
    tensors, _ = read(content)
    return _digest("", {name: value for name, value in tensors.items() if name.startswith(("model.", "average."))})


def evaluated_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of the network that was evaluated, from the tensors of `read`: the average where there is one."""
    return _with_prefix(tensors, "model.") | _with_prefix(tensors, "average.")


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _recipe(training: Training) -> str:
    """SHA-256 of the parts of the spec that decide how a training continues."""
    spec = training.spec.model_dump_json(include={"layers", "knobs", "train"})
    return sha256(spec.encode()).hexdigest()


def _digest(text: str, tensors: dict[str, Tensor]) -> str:
    digest = sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name}{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _optimizer_state(training: Training) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of the optimizer's state, by weight and name, and its plain numbers."""
    tensors, scalars = {}, {}
    for index, values in _state_by_weight(training).items():
        for key, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            else:
                scalars[f"{index}.{key}"] = value
    return tensors, scalars


def _state_by_weight(training: Training) -> dict[int, dict[str, Any]]:
    """The optimizer's state for each weight, also where the optimizer works on all weights as one vector."""
    groups = training.flat.groups
    if not any(group.vector in training.optimizer.state for group in groups):
        by_weight: dict[int, dict[str, Any]] = training.optimizer.state_dict()["state"]
        return by_weight
    split = [values for group in groups for values in _split_by_weight(training.optimizer.state[group.vector], group)]
    return dict(enumerate(split))


def _split_by_weight(state: dict[str, Any], group: FlatGroup) -> list[dict[str, Any]]:
    """The optimizer's state of a vector as one for each weight in it."""
    split: list[dict[str, Any]] = [{} for _ in group.weights]
    for key, value in state.items():
        is_moment = isinstance(value, Tensor) and value.shape == group.vector.shape
        parts = parameter_views(value, group.weights) if is_moment else [value] * len(split)
        for values, part in zip(split, parts, strict=True):
            values[key] = part.clone() if isinstance(part, Tensor) else part
    return split


def _state_for_optimizer(training: Training, by_weight: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The reverse of `_state_by_weight`: the state as the optimizer wants it, for each weight or for each vector."""
    if not training.updates_vectors or not by_weight:
        return by_weight
    indexes = iter(range(len(training.flat.weights)))
    groups = [(group, [by_weight[next(indexes)] for _ in group.weights]) for group in training.flat.groups]
    return {number: _merge_weights(states, group) for number, (group, states) in enumerate(groups)}


def _merge_weights(states: list[dict[str, Any]], group: FlatGroup) -> dict[str, Any]:
    """The reverse of `_split_by_weight`."""
    merged = dict(states[0]) if states else {}
    for key, value in merged.items():
        if isinstance(value, Tensor) and value.shape == group.weights[0].shape:
            merged[key] = torch.zeros_like(group.vector)
            for state, part in zip(states, parameter_views(merged[key], group.weights), strict=True):
                part.copy_(state[key])
    return merged


def _random_states(training: Training) -> dict[str, Tensor]:
    states = {f"random.{kind}": generator.get_state() for kind, generator in training.generators.items()}
    return states | {"random.epoch_start": training.epoch_start}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The entries of a state dictionary that JSON can hold: numbers, strings, and lists or dictionaries of them."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Tensor) and value.numel() == 1:
            kept[key] = value.item()
        elif isinstance(value, bool | int | float | str | None):
            kept[key] = value
        elif isinstance(value, list | tuple) and all(isinstance(item, int | float) for item in value):
            kept[key] = list(value)
        elif key == "_schedulers":
            kept[key] = [_plain(inner) for inner in value]
    return kept


def _restore(training: Training, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    training.model.load_state_dict(_with_prefix(tensors, "model."))
    if training.average is not None:
        training.average.load_state_dict(_with_prefix(tensors, "average."))
    _restore_optimizer(training, tensors, state)
    if training.scheduler is not None:
        _restore_scheduler(training.scheduler, state["scheduler"])
    training.rows = [EpochEnded(**row) for row in state["rows"]]
    training.epoch, training.steps_done = state["epoch"], state["steps_done"]
    training.seconds = state["seconds"]
    training.last_rate = float(state.get("last_rate", training.learning_rate))
    training.rate_changes = [LearningRateChanged(**event) for event in state.get(RATE_CHANGES, ())]
    training.rate_factor = float(state.get("rate_factor", 1.0))
    training.scheduled = [float(rate) for rate in state.get("scheduled", ())]
    # Another process took the optimizer's steps; without this the scheduler warns that there was none.
    training.optimizer._opt_called = True  # type: ignore[attr-defined]
    training.step.losses.copy_(tensors["losses"])
    training.step.correct.copy_(tensors[CORRECT])
    # Version 0.1 did not keep the norms: NaN makes the epoch's mean unknown, too.
    training.step.gradient_norms.copy_(tensors.get("gradient_norms", torch.full((1,), math.nan)))
    # The order of the current epoch is drawn again, from the same state as the first time.
    training.epoch_start = tensors["random.epoch_start"]
    training.generator.set_state(training.epoch_start)
    torch.set_rng_state(tensors["random.cpu"])
    if training.step.device.type == "cuda" and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], training.step.device)


def _restore_optimizer(training: Training, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    document = training.optimizer.state_dict()
    moments: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            moments.setdefault(int(index), {})[key] = value
    for name, scalar in state["optimizer"].items():
        index, key = name.split(".", 1)
        moments.setdefault(int(index), {})[key] = scalar
    document["state"] = _state_for_optimizer(training, moments)
    training.optimizer.load_state_dict(document)
    for group, saved in zip(training.optimizer.param_groups, state["groups"], strict=True):
        _update(group, {key: value for key, value in saved.items() if key not in DEVICE_OPTIONS})


def _restore_scheduler(scheduler: Any, saved: dict[str, Any]) -> None:
    for inner, inner_saved in zip(getattr(scheduler, "_schedulers", ()), saved.pop("_schedulers", ()), strict=True):
        _restore_scheduler(inner, inner_saved)
    _update(scheduler.__dict__, saved)


def _update(values: dict[str, Any], saved: dict[str, Any]) -> None:
    """Sets the saved values, keeping types: a tensor on the device is filled in place, a tuple stays a tuple."""
    for key, value in saved.items():
        if isinstance(values.get(key), Tensor):
            values[key].fill_(value)
        else:
            values[key] = tuple(value) if isinstance(values.get(key), tuple) else value
