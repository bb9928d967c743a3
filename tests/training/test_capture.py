"""Captured steps, with a stand-in for CUDA graphs: it notes the call in a capture, and a replay makes it.

It shows that warm-up, capture, replays and the smaller last batch take the steps that eager ones take; what CUDA itself
does with them, only a GPU can show.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import pytest
import torch
from helpers.reliability import few_images, new_training, small_spec
from torch import Tensor

from mnist_tui.runs.control import Control
from mnist_tui.training import loop
from mnist_tui.training.capture import WARM_UP_CALLS, Captured
from mnist_tui.training.stacked.session import make_trainings
from mnist_tui.training.stacked.stack import Stack

CPU = torch.device("cpu")


class Graph:
    """A graph of one call."""

    def __init__(self) -> None:
        self.call: Callable[[], Any] | None = None
        self.replays = 0
        self.generators: list[torch.Generator] = []

    def register_generator_state(self, generator: torch.Generator) -> None:
        """Notes a generator."""
        self.generators.append(generator)

    def replay(self) -> None:
        """Makes the call."""
        assert self.call is not None
        self.replays += 1
        self.call()


class Cuda:
    """What is captured now, and all graphs."""

    def __init__(self) -> None:
        self.graphs: list[Graph] = []
        self._is_capturing = False

    def make_graph(self) -> Graph:
        """A new graph."""
        self.graphs.append(Graph())
        return self.graphs[-1]

    @contextmanager
    def capture(self, graph: Graph, stream: object) -> Iterator[None]:
        """Calls of functions that are `watched` go into the graph, and do nothing."""
        assert graph is self.graphs[-1]
        self._is_capturing = True
        yield
        self._is_capturing = False

    def watch(self, captured: Captured) -> None:
        """Makes the function behave as one of CUDA kernels."""
        function = captured.function

        def call(*inputs: Tensor) -> Any:
            if not self._is_capturing:
                return function(*inputs)
            self.graphs[-1].call = partial(function, *inputs)
            return None

        captured.function = call


class Stream:
    """A stream."""

    def __init__(self, device: object = None) -> None:
        pass

    def wait_stream(self, other: "Stream") -> None:
        """Does nothing: all is done in order."""


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Cuda:
    """torch.cuda with the stand-in."""
    stand_in = Cuda()
    monkeypatch.setattr(torch.cuda, "CUDAGraph", stand_in.make_graph)
    monkeypatch.setattr(torch.cuda, "graph", stand_in.capture)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    return stand_in


def test_calls_are_eager_then_replayed(cuda: Cuda) -> None:
    """On the inputs of each call; generators are registered before the capture."""
    calls, generator = [], torch.Generator()
    captured = Captured(lambda value: calls.append(value.item()), CPU, [generator])
    cuda.watch(captured)

    for number in range(6):
        captured(torch.tensor(number))

    assert calls == [0, 1, 2, 3, 4, 5]
    assert len(cuda.graphs) == 1
    assert cuda.graphs[0].replays == 6 - WARM_UP_CALLS
    assert cuda.graphs[0].generators == [generator]


RECIPES: list[dict[str, Any]] = [
    {},
    {"average": "EMA(decay=0.8)", "mixup": 0.4, "optimizer": "AdamW(lr=0.01)", "no_decay": ["norm", "bias"]},
]


@pytest.mark.parametrize("recipe", RECIPES, ids=["plain", "average, mixup and no_decay"])
def test_a_captured_run_takes_the_steps_of_an_eager_one(recipe: dict[str, Any], cuda: Cuda) -> None:
    """Bit for bit, over two epochs whose last batch is smaller and eager."""
    eager: list[list[float]] = []
    captured: list[list[float]] = []
    for losses, is_captured in ((eager, False), (captured, True)):
        training = new_training(small_spec(**recipe))
        training.step.is_captured = is_captured
        cuda.watch(training.step._captured)
        for _ in loop.train(training, Control()):
            losses.append([*training.step.losses.tolist(), *(row.test_loss for row in training.rows)])

    assert captured == eager
    assert cuda.graphs[0].replays == 8 - WARM_UP_CALLS


@pytest.mark.parametrize("recipe", RECIPES, ids=["plain", "average, mixup and no_decay"])
def test_a_captured_stack_takes_the_steps_of_an_eager_one(recipe: dict[str, Any], cuda: Cuda) -> None:
    """Bit for bit, for each seed; a seed that leaves makes the others be captured anew."""
    specs = [small_spec(epochs=4, seed=seed, **recipe) for seed in range(3)]
    weights = []
    for is_captured in (False, True):
        trainings = make_trainings(specs, few_images(), CPU, fuse=True)
        stack = Stack(trainings)
        for moment in loop.train_together(stack, Control()):
            if stack.step.is_captured is not is_captured:
                stack.step.is_captured = is_captured
                cuda.watch(stack.step._captured)
            if trainings[0].epoch == 3 and trainings[0] in stack.trainings:
                stack.remove([trainings[0]])
            assert moment is not None
        stack.close()
        weights.append([training.vector.detach().clone() for training in trainings])

    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))
    assert [graph.replays > 0 for graph in cuda.graphs] == [True, True]
