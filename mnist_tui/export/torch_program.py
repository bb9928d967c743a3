"""A run's network as a program of torch.export: a .pt2 file that runs without this package and without its classes."""

import io
import warnings

import torch

from mnist_tui.export.weights import metadata
from mnist_tui.runs.record import Run
from mnist_tui.training.predict import load_network

BATCH = ({0: torch.export.Dim("batch")},)
"""The shapes that may differ from those of the example: any number of images."""


def example_images(run: Run) -> torch.Tensor:
    """Images to trace a run's network with: two, since torch.export takes a batch of one for a constant."""
    return torch.zeros(2, *run.dataset_record.shape)


def program_file(run: Run) -> bytes:
    """The program, for `torch.export.load`, with the metadata of the weights as extra files."""
    network = load_network(run.folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(network, (example_images(run),), dynamic_shapes=BATCH)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # It names folders of this machine.
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files=metadata(run))
    return buffer.getvalue()
