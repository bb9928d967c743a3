"""The weights of a run's best epoch as a safetensors file, with the spec in its metadata."""

import json

from safetensors.torch import save

from mnist_tui.runs.record import Run
from mnist_tui.spec.data_spec import ON_MNIST
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training.predict import load_network


def safetensors_file(run: Run) -> bytes:
    """The parameters and buffers under their names in the network, as `mnist_tui.load` has them."""
    tensors = {name: value.contiguous() for name, value in load_network(run.folder).state_dict().items()}
    return save(tensors, metadata={"format": "pt", **metadata(run)})


def metadata(run: Run) -> dict[str, str]:
    """What a file of weights says about their run; `spec` is the whole spec as JSON."""
    assert run.spec is not None
    return {
        "run": run.id,
        "epoch": str(run.best_epoch),
        "test_accuracy": str(run.best_accuracy),
        "measured_on": str(run.measured_on),
        "normalize": json.dumps(run.spec.train.normalize),
        "input": input_words(run.spec),
        "spec": run.spec.model_dump_json(exclude_none=True),
    }


def input_words(spec: RunSpec) -> str:
    """What a network takes, for metadata that a person reads."""
    mean, std = spec.train.normalize
    shape = ", ".join(map(str, spec.dataset.shape))
    images = "white digits on black" if spec.data == ON_MNIST else f"images of {spec.dataset.title}"
    return f"float32 (N, {shape}), {images}: (pixel / 255 - {mean}) / {std}"
