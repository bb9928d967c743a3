"""The parts of benchmarks/gpu.py: each yields rows of its table."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from gpu_measure import (
    BenchmarkConfig,
    Row,
    count_kernels,
    difference,
    endless_steps,
    launch_floor,
    losses,
    losses_of_stack,
    make_stack,
    microseconds,
    seconds_of_stack,
    seconds_per_call,
    time_run,
)

from mnist_tui.spec import presets
from mnist_tui.training.group import Single
from mnist_tui.training.session import make_training

ROOT = Path(__file__).resolve().parents[1]

FAST = """
layers = '''
Conv2d(32, 3)
BatchNorm2d()
ReLU()
MaxPool2d(2)
Conv2d(64, 3)
BatchNorm2d()
ReLU()
MaxPool2d(2)
Conv2d(64, 3)
BatchNorm2d()
ReLU()
Flatten()
Linear(10)
'''

[train]
epochs = 2
batch_size = 512
eval_batch_size = 2500
optimizer = "Adam(lr=0.015)"
scheduler = "OneCycleLR(0.015, epochs=epochs, steps_per_epoch=steps_per_epoch)"
stop_at_accuracy = 0.99
"""
"""A recipe that reaches 99 % in few steps."""


def compare_losses(config: BenchmarkConfig) -> Iterator[Row]:
    """The largest relative difference of two losses, for each preset.

    Rounding differs, and Adam makes it grow: the first ten steps tell a mistake from it. Dropout draws other masks on
    another device.
    """
    dataset, cpu = config.dataset, torch.device("cpu")
    for name in config.names:
        spec = presets.load(name)
        captured, eager = (make_training(spec, dataset, config.device, fuse=True) for _ in range(2))
        was_captured, eager.step.is_captured = captured.step.is_captured, False
        of_captured, of_eager = losses(captured, config.steps), losses(eager, config.steps)
        of_cpu = losses(make_training(spec, dataset, cpu, fuse=True), config.steps)
        against = "; ".join(
            f"against {what} {difference(of_captured[:10], other[:10]):.0e}, {difference(of_captured, other):.0e}"
            for what, other in (("eager", of_eager), ("the CPU", of_cpu))
        )
        notes = ["not captured"] * (not was_captured) + ["has dropout"] * ("Dropout" in spec.layers)
        measured = "; ".join([against, *notes])
        yield Row(f"losses of {name}, in 10 and in {len(of_captured)} steps", measured, "in 10: under 1e-2")


def speed_of_one(config: BenchmarkConfig) -> Iterator[Row]:
    """A whole run, and where the time of its steps goes."""
    spec = config.spec(20)
    first, second = (time_run(config, spec).whole for _ in range(2))
    yield Row(f"iter5, {spec.train.epochs} epochs with evaluation and folder, second run", f"{second:.2f} s", "2 s")
    yield Row("the same, first run of the process", f"{first:.2f} s")
    training = make_training(spec, config.dataset, config.device, fuse=True)
    steps = endless_steps(Single(training))
    step = seconds_per_call(config, lambda: next(steps), config.timed_steps)
    yield Row(
        "a step with its batch, captured" if training.step.is_captured else "a step with its batch", microseconds(step)
    )
    if config.device.type == "cuda":
        training.step.is_captured = False
        yield Row(
            "the same, eager", microseconds(seconds_per_call(config, lambda: next(steps), config.timed_steps // 5))
        )
        batch = training.batches.take()
        kernels = count_kernels(config, lambda: training.step(*batch))
        floor = launch_floor(config, kernels)
        yield Row(
            f"a graph of as many empty kernels ({kernels})", f"{microseconds(floor)}; a step takes {step / floor:.1f}"
        )
    training.batches.close()


def speed_of_seeds(config: BenchmarkConfig) -> Iterator[Row]:
    """Whole runs, steps in both memory layouts, and the losses of a captured stack against an eager one."""
    spec = config.spec(5)
    time_run(config, spec)
    alone = time_run(config, spec).whole
    seconds_of_stack(config, spec)
    together = seconds_of_stack(config, spec)
    what = f"{config.seeds} seeds of iter5 as one network, {spec.train.epochs} epochs, second time"
    yield Row(what, f"{together:.2f} s, {together / alone:.1f} of one seed's {alone:.2f} s", "2 of one seed's time")
    for name, memory_format in {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}.items():
        stack = make_stack(config, spec, memory_format)
        steps = endless_steps(stack)
        step = seconds_per_call(config, partial(next, steps), config.timed_steps)
        stack.close()
        yield Row(f"a step of {config.seeds} seeds with its batches, {name}", microseconds(step))
    captured, eager = (losses_of_stack(config, spec, is_captured) for is_captured in (True, False))
    single = losses(make_training(config.spec(5, seed="0"), config.dataset, config.device, fuse=True), config.steps)
    text = (
        f"eager {difference(captured[:10], eager[:10]):.1e}, its run alone {difference(captured[:10], single[:10]):.1e}"
    )
    yield Row("losses of seed 0 in a captured stack, 10 steps, against", text, "under 1e-2")


def time_to_accuracy(config: BenchmarkConfig) -> Iterator[Row]:
    """In a warm process, and as a whole process of `mnist-tui --batch`."""
    with tempfile.TemporaryDirectory() as folder:
        preset = Path(folder) / "fast.toml"
        preset.write_text(FAST)
        spec = presets.load_file(preset)
        time_run(config, spec)
        count = 1 if config.is_quick else 5
        runs = [time_run(config, spec.with_settings({"seed": str(seed)})) for seed in range(count)]
        reached = [(run.accurate, run.accurate - run.begun) for run in runs if run.accurate is not None]
        measured = f"{len(reached)} of {count} seeds"
        if reached:
            whole, training = (statistics.median(part) for part in zip(*reached, strict=True))
            measured += f", median {whole:.2f} s, without loading {training:.2f} s"
        yield Row("seconds to 99 % test accuracy in a warm process", measured, "0.3 s")
        command = [sys.executable, "-m", "mnist_tui", "--batch", str(preset), "--runs-dir", folder, "--quiet"]
        began = time.perf_counter()
        done = subprocess.run([*command, *arguments(config)], cwd=ROOT, capture_output=True, text=True)
        seconds = time.perf_counter() - began
    said = "" if done.returncode == 0 else f"; failed: {done.stderr.strip()[:200]}"
    yield Row("the same as a whole process", f"{seconds:.2f} s{said}", "anchor: 0.76 s, tuomaso/train_mnist_fast")


def arguments(config: BenchmarkConfig) -> list[str]:
    """The options of the command line that say the same as `config.options`."""
    options = config.options
    where = ["--data-dir", str(options.data_dir)] if options.data_dir else []
    return ["--device", options.device, "--dataset", options.dataset, *where]


def dashboard(config: BenchmarkConfig) -> Iterator[Row]:
    """Event loop lag, time from a key to its repaint, and images a second against a run without the dashboard."""
    command = [sys.executable, "scripts/stress.py", "lag", "--seconds", "30" if config.is_quick else "20"]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    own = {"PYTHONPATH": paths, "MNIST_TUI_DEVICE": config.options.device}
    if config.options.data_dir:
        own["MNIST_TUI_DATA_DIR"] = str(config.options.data_dir)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | own, timeout=240)
    if "lag in ms" not in done.stdout:  # Where a goal is missed, the figures are there all the same.
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
    for line in done.stdout.splitlines():
        what, _, measured = line.strip().partition(": ")
        if measured and what != "lag" and not what.startswith("FAILED"):
            yield Row(f"dashboard: {what}", measured, "95 % of headless" if "images" in what else "")


def memory(config: BenchmarkConfig) -> Iterator[Row]:
    """Memory of the GPU that PyTorch has used for one run and for a stack."""
    if config.device.type != "cuda":
        yield Row("memory of the GPU", "no GPU")
        return
    measures: dict[str, Callable[[], object]] = {
        "one run of iter5": lambda: time_run(config, config.spec(1)),
        f"{config.seeds} seeds as one network": lambda: seconds_of_stack(config, config.spec(1)),
    }
    for what, run in measures.items():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(config.device)
        run()
        yield Row(f"memory of the GPU, {what}", f"{torch.cuda.max_memory_allocated(config.device) / 1e6:,.0f} MB")


PARTS: dict[str, Callable[[BenchmarkConfig], Iterator[Row]]] = {
    "a": compare_losses,
    "b": speed_of_one,
    "c": speed_of_seeds,
    "d": time_to_accuracy,
    "e": dashboard,
    "f": memory,
}
