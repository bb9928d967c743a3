"""What benchmarks/gpu.py measures with: runs, steps and losses on a device, in full or in tiny sizes."""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, RunEnded, RunStarted
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import data, session
from mnist_tui.training.group import Group
from mnist_tui.training.stacked import session as stacked
from mnist_tui.training.stacked.stack import Stack
from mnist_tui.training.state import Training


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    measured: str
    goal: str = ""


@dataclass(frozen=True)
class BenchmarkConfig:
    """Where and how much is measured."""

    device: torch.device
    options: Options
    is_quick: bool

    @property
    def names(self) -> list[str]:
        """The presets whose losses are compared."""
        return ["iter1", "iter7"] if self.is_quick else list(presets.builtin_names())

    @property
    def steps(self) -> int:
        """Steps over which losses are compared."""
        return 3 if self.is_quick else 50

    @property
    def timed_steps(self) -> int:
        """Steps that are timed, under those of an epoch."""
        return 3 if self.is_quick else 500

    @property
    def seeds(self) -> int:
        """Seeds that are trained as one network."""
        return 2 if self.is_quick else 16

    @property
    def dataset(self) -> data.Dataset:
        """The images, on the CPU."""
        loaded = data.load(self.options.dataset, self.options.data_dir)
        return replace(loaded, train=loaded.train.take(torch.arange(256))) if self.is_quick else loaded

    def spec(self, epochs: int, **settings: str) -> RunSpec:
        """iter5 with so many epochs, fewer in a quick run."""
        return presets.load("iter5").with_settings({"epochs": str(1 if self.is_quick else epochs)} | settings)

    def wait(self) -> None:
        """Waits until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def losses(training: Training, steps: int) -> torch.Tensor:
    """The losses of the first steps."""
    torch.manual_seed(training.spec.train.seed)  # Dropout draws the same in each training of this spec.
    training.begin_epoch()
    for _ in range(min(steps, training.steps_per_epoch)):
        training.step(*training.batches.take())
    training.batches.close()
    return training.step.losses[:steps].cpu()


def losses_of_stack(config: BenchmarkConfig, spec: RunSpec, is_captured: bool) -> torch.Tensor:
    """The losses of the first seed's first steps."""
    stack = make_stack(config, spec)
    stack.step.is_captured = stack.step.is_captured and is_captured
    steps = endless_steps(stack)
    for _ in range(min(config.steps, stack.trainings[0].steps_per_epoch)):
        next(steps)
    stack.close()
    return stack.trainings[0].step.losses[: config.steps].cpu()


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest relative difference."""
    return float(((ours - theirs).abs() / theirs.abs()).max())


@dataclass(frozen=True)
class RunTimes:
    """Seconds of a run since it was asked for."""

    begun: float
    """Until its folder was there and its first step could begin; the data is loaded before."""
    accurate: float | None
    """Until its first epoch with 99 % on the test images."""
    whole: float


def time_run(config: BenchmarkConfig, spec: RunSpec) -> RunTimes:
    """Trains a run in a temporary folder."""
    started = time.perf_counter()
    times: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for event in session.run(spec, replace(config.options, runs_dir=Path(folder)), Control()):
            now = time.perf_counter() - started
            if isinstance(event, RunStarted):
                times["begun"] = now
            elif isinstance(event, EpochEnded) and event.test_accuracy >= 0.99:
                times.setdefault("accurate", now)
            elif isinstance(event, RunEnded) and event.outcome != "completed":
                raise RuntimeError(event.message)
    return RunTimes(times["begun"], times.get("accurate"), time.perf_counter() - started)


def seconds_per_call(config: BenchmarkConfig, call: Callable[[], object], calls: int) -> float:
    """Seconds of a call, over many, after as many as a capture needs."""
    for _ in range(6):
        call()
    config.wait()
    began = time.perf_counter()
    for _ in range(calls):
        call()
    config.wait()
    return (time.perf_counter() - began) / calls


def endless_steps(group: Group) -> Iterator[list[Training]]:
    """Takes steps, epoch after epoch, one at a time."""
    while True:
        group.begin_epoch()
        for _ in range(group.trainings[0].steps_per_epoch):
            yield group.take_step()


def microseconds(seconds: float) -> str:
    """`120 us`."""
    return f"{seconds * 1e6:,.0f} us"


def count_kernels(config: BenchmarkConfig, call: Callable[[], object]) -> int:
    """Kernels and copies that a call launches on the GPU."""
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
        call()
        config.wait()
    return sum(str(event.device_type).endswith("CUDA") for event in profiler.events() or [])


def launch_floor(config: BenchmarkConfig, kernels: int) -> float:
    """Seconds of a captured graph of so many kernels that do next to nothing."""
    value = torch.zeros(1, device=config.device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(kernels):
            value.add_(1)
    return seconds_per_call(config, graph.replay, 200)


def seconds_of_stack(config: BenchmarkConfig, spec: RunSpec) -> float:
    """Seconds of all seeds as one network, with their folders."""
    specs = [spec.with_settings({"seed": str(seed)}) for seed in range(config.seeds)]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        events = stacked.run(specs, replace(config.options, runs_dir=Path(folder)), Control())
        ended = [event for _, event in events if isinstance(event, RunEnded)]
    if any(event.outcome != "completed" for event in ended):
        raise RuntimeError(ended[0].message)
    return time.perf_counter() - began


def make_stack(config: BenchmarkConfig, spec: RunSpec, memory_format: torch.memory_format | None = None) -> Stack:
    """The seeds as one network."""
    specs = [spec.with_settings({"seed": str(seed)}) for seed in range(config.seeds)]
    return Stack(stacked.make_trainings(specs, config.dataset, config.device, fuse=True), memory_format)
