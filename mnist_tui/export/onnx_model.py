"""A run's network as an ONNX model in one file, checked against PyTorch before it is written."""

import warnings
from typing import Any

import torch
from torch import nn

from mnist_tui.errors import RunError
from mnist_tui.export.torch_program import BATCH, example_images
from mnist_tui.export.weights import metadata
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line
from mnist_tui.training.predict import load_network

INPUT, OUTPUT = "images", "logits"
CHECKED_IMAGES = 7
"""Images of the check; another number than those that the network is traced with."""
TOLERANCE = 1e-3
"""Largest difference of an output that counts as rounding, absolute and relative."""


def onnx_file(run: Run) -> bytes:
    """The model: `images`, float32 (N, C, H, W), normalised as in training, to `logits`, float32 (N, classes).

    The normalisation is in the metadata. Raises `RunError` where ONNX lacks a layer, or computes something else.
    """
    network = load_network(run.folder)
    model = _export(run, network)
    _remove_traces(model)
    for key, value in metadata(run).items():
        model.metadata_props.add(key=key, value=value)
    model.doc_string = f"{metadata(run)['input']} to {OUTPUT} (N, {len(run.dataset_record.classes)})"
    content: bytes = model.SerializeToString()
    _check(run, network, content)
    return content


def _export(run: Run, network: nn.Module) -> Any:
    """The model as ONNX's protocol buffer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                network,
                (example_images(run),),
                dynamo=True,
                verbose=False,
                external_data=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=BATCH,
            )
        except torch.onnx.OnnxExporterError as error:
            raise RunError(f"{run.id}: torch cannot write this network as ONNX: {_reason(error)}") from None
    assert program is not None
    return program.model_proto


def _reason(error: BaseException) -> str:
    """The first line of the innermost cause of an error of torch.onnx or onnxruntime, which has many lines."""
    while error.__cause__ is not None:
        error = error.__cause__
    return clean_line(str(error).strip().partition("\n")[0].partition(". ")[0], 200)


def _remove_traces(model: Any) -> None:
    """Removes what torch noted where the network was traced, which names folders of this machine."""
    graph = model.graph
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def _check(run: Run, network: nn.Module, content: bytes) -> None:
    """Raises `RunError` where onnxruntime does not compute PyTorch's outputs, on images of noise."""
    images = torch.randn(CHECKED_IMAGES, *run.dataset_record.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(images)
    try:
        computed = torch.from_numpy(_outputs(content, images.numpy()))
    except Exception as error:  # onnxruntime has no base class for its own.
        raise RunError(f"{run.id}: onnxruntime cannot run this network: {_reason(error)}") from None
    if not torch.allclose(computed, expected, TOLERANCE, TOLERANCE, equal_nan=True):
        difference = (computed - expected).abs().max()
        raise RunError(f"{run.id}: as ONNX this network computes other outputs, by up to {difference:.3g}; not written")


def _outputs(content: bytes, images: Any) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # It prints errors beside raising them.
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run([OUTPUT], {INPUT: images})[0]
