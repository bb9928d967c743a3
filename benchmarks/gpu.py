"""How the program does on a GPU, in one table: `python benchmarks/gpu.py --data-dir DATA --out FILE`.

    a  losses of every preset over 50 steps: captured as a CUDA graph, against eager, and against the CPU
    b  iter5, 20 epochs with evaluation, in a warm process; a step against the floor of launching its kernels
    c  16 seeds of iter5 as one network against one seed
    d  seconds to 99 % test accuracy, from process start and in a warm process
    e  the dashboard while it trains: `scripts/stress.py lag`
    f  memory

Takes under 8 minutes on a GPU; a part that fails says so in the table, and no part begins after `--limit` seconds.
`--device cpu --quick` runs the same code in seconds, on the small digits and with tiny sizes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from mnist_tui.errors import MnistTuiError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, RunEnded
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Choice, Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.training import data, environment, session
from mnist_tui.training.group import Group, Single
from mnist_tui.training.session import make_training
from mnist_tui.training.stacked import session as stacked
from mnist_tui.training.stacked.stack import Stack
from mnist_tui.training.state import Training

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


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    measured: str
    goal: str = ""


@dataclass(frozen=True)
class Bench:
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


# --- a: losses -------------------------------------------------------------------------------------------------------


def losses(training: Training, steps: int) -> torch.Tensor:
    """The losses of the first steps."""
    torch.manual_seed(training.spec.train.seed)  # Dropout draws the same in each training of this spec.
    training.begin_epoch()
    for _ in range(min(steps, training.steps_per_epoch)):
        training.step(*training.batches.take())
    training.batches.close()
    return training.step.losses[:steps].cpu()


def compare_losses(bench: Bench) -> Iterator[Row]:
    """The largest relative difference of two losses, for each preset.

    Rounding differs, and Adam makes it grow: the first ten steps tell a mistake from it. Dropout draws other masks on
    another device.
    """
    dataset, cpu = bench.dataset, torch.device("cpu")
    for name in bench.names:
        spec = presets.load(name)
        captured, eager = (make_training(spec, dataset, bench.device, fuse=True) for _ in range(2))
        was_captured, eager.step.is_captured = captured.step.is_captured, False
        of_captured, of_eager = losses(captured, bench.steps), losses(eager, bench.steps)
        of_cpu = losses(make_training(spec, dataset, cpu, fuse=True), bench.steps)
        against = "; ".join(
            f"against {what} {difference(of_captured[:10], other[:10]):.0e}, {difference(of_captured, other):.0e}"
            for what, other in (("eager", of_eager), ("the CPU", of_cpu))
        )
        notes = ["not captured"] * (not was_captured) + ["has dropout"] * ("Dropout" in spec.layers)
        measured = "; ".join([against, *notes])
        yield Row(f"losses of {name}, in 10 and in {len(of_captured)} steps", measured, "in 10: under 1e-2")


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest relative difference."""
    return float(((ours - theirs).abs() / theirs.abs()).max())


# --- b: speed of one run ---------------------------------------------------------------------------------------------


def seconds_of_run(bench: Bench, spec: RunSpec) -> tuple[float, float | None]:
    """Seconds of a run with its folder, and until its first epoch with 99 % on the test images."""
    began, reached = time.perf_counter(), None
    with tempfile.TemporaryDirectory() as folder:
        for event in session.run(spec, replace(bench.options, runs_dir=Path(folder)), Control()):
            if isinstance(event, EpochEnded) and event.test_accuracy >= 0.99:
                reached = reached or time.perf_counter() - began
            ended = event
    assert isinstance(ended, RunEnded)
    if ended.outcome != "completed":
        raise RuntimeError(ended.message)
    return time.perf_counter() - began, reached


def seconds_per_call(bench: Bench, call: Callable[[], object], calls: int) -> float:
    """Seconds of a call, over many, after as many as a capture needs."""
    for _ in range(6):
        call()
    bench.wait()
    began = time.perf_counter()
    for _ in range(calls):
        call()
    bench.wait()
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


def count_kernels(bench: Bench, call: Callable[[], object]) -> int:
    """Kernels and copies that a call launches on the GPU."""
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
        call()
        bench.wait()
    return sum(str(event.device_type).endswith("CUDA") for event in profiler.events() or [])


def launch_floor(bench: Bench, kernels: int) -> float:
    """Seconds of a captured graph of so many kernels that do next to nothing."""
    value = torch.zeros(1, device=bench.device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(kernels):
            value.add_(1)
    return seconds_per_call(bench, graph.replay, 200)


def speed_of_one(bench: Bench) -> Iterator[Row]:
    """A whole run, and where the time of its steps goes."""
    spec = bench.spec(20)
    first, _ = seconds_of_run(bench, spec)
    second, _ = seconds_of_run(bench, spec)
    yield Row(f"iter5, {spec.train.epochs} epochs with evaluation and folder, second run", f"{second:.2f} s", "2 s")
    yield Row("the same, first run of the process", f"{first:.2f} s")
    training = make_training(spec, bench.dataset, bench.device, fuse=True)
    steps = endless_steps(Single(training))
    step = seconds_per_call(bench, lambda: next(steps), bench.timed_steps)
    yield Row(
        "a step with its batch, captured" if training.step.is_captured else "a step with its batch", microseconds(step)
    )
    if bench.device.type == "cuda":
        training.step.is_captured = False
        yield Row("the same, eager", microseconds(seconds_per_call(bench, lambda: next(steps), bench.timed_steps // 5)))
        batch = training.batches.take()
        kernels = count_kernels(bench, lambda: training.step(*batch))
        floor = launch_floor(bench, kernels)
        yield Row(
            f"a graph of as many empty kernels ({kernels})", f"{microseconds(floor)}; a step takes {step / floor:.1f}"
        )
    training.batches.close()


# --- c: seeds as one network -----------------------------------------------------------------------------------------


def seconds_of_stack(bench: Bench, spec: RunSpec) -> float:
    """Seconds of all seeds as one network, with their folders."""
    specs = [spec.with_settings({"seed": str(seed)}) for seed in range(bench.seeds)]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        events = stacked.run(specs, replace(bench.options, runs_dir=Path(folder)), Control())
        ended = [event for _, event in events if isinstance(event, RunEnded)]
    if any(event.outcome != "completed" for event in ended):
        raise RuntimeError(ended[0].message)
    return time.perf_counter() - began


def make_stack(bench: Bench, spec: RunSpec, memory_format: torch.memory_format | None = None) -> Stack:
    """The seeds as one network."""
    specs = [spec.with_settings({"seed": str(seed)}) for seed in range(bench.seeds)]
    return Stack(stacked.make_trainings(specs, bench.dataset, bench.device, fuse=True), memory_format)


def speed_of_seeds(bench: Bench) -> Iterator[Row]:
    """Whole runs, steps in both memory layouts, and the losses of a captured stack against an eager one."""
    spec = bench.spec(5)
    seconds_of_run(bench, spec)
    alone, _ = seconds_of_run(bench, spec)
    seconds_of_stack(bench, spec)
    together = seconds_of_stack(bench, spec)
    what = f"{bench.seeds} seeds of iter5 as one network, {spec.train.epochs} epochs, second time"
    yield Row(what, f"{together:.2f} s, {together / alone:.1f} of one seed's {alone:.2f} s", "2 of one seed's time")
    for name, memory_format in {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}.items():
        stack = make_stack(bench, spec, memory_format)
        steps = endless_steps(stack)
        step = seconds_per_call(bench, partial(next, steps), bench.timed_steps)
        stack.close()
        yield Row(f"a step of {bench.seeds} seeds with its batches, {name}", microseconds(step))
    captured, eager = (losses_of_stack(bench, spec, is_captured) for is_captured in (True, False))
    single = losses(make_training(bench.spec(5, seed="0"), bench.dataset, bench.device, fuse=True), bench.steps)
    text = (
        f"eager {difference(captured[:10], eager[:10]):.1e}, its run alone {difference(captured[:10], single[:10]):.1e}"
    )
    yield Row("losses of seed 0 in a captured stack, 10 steps, against", text, "under 1e-2")


def losses_of_stack(bench: Bench, spec: RunSpec, is_captured: bool) -> torch.Tensor:
    """The losses of the first seed's first steps."""
    stack = make_stack(bench, spec)
    stack.step.is_captured = stack.step.is_captured and is_captured
    steps = endless_steps(stack)
    for _ in range(min(bench.steps, stack.trainings[0].steps_per_epoch)):
        next(steps)
    stack.close()
    return stack.trainings[0].step.losses[: bench.steps].cpu()


# --- d: time to 99 % -------------------------------------------------------------------------------------------------


def time_to_accuracy(bench: Bench) -> Iterator[Row]:
    """In a warm process, and as a whole process of `mnist-tui --batch`."""
    with tempfile.TemporaryDirectory() as folder:
        preset = Path(folder) / "fast.toml"
        preset.write_text(FAST)
        spec = presets.load_file(preset)
        seconds_of_run(bench, spec)
        count = 1 if bench.is_quick else 5
        runs = [seconds_of_run(bench, spec.with_settings({"seed": str(seed)}))[1] for seed in range(count)]
        reached = sorted(seconds for seconds in runs if seconds is not None)
        median = f"median {reached[len(reached) // 2]:.2f} s" if reached else "never reached"
        what = "seconds to 99 % test accuracy in a warm process"
        yield Row(what, f"{median}, {len(reached)} of {count} seeds", "0.3 s")
        command = [sys.executable, "-m", "mnist_tui", "--batch", str(preset), "--runs-dir", folder, "--quiet"]
        began = time.perf_counter()
        done = subprocess.run([*command, *arguments(bench)], cwd=ROOT, capture_output=True, text=True)
        seconds = time.perf_counter() - began
    said = "" if done.returncode == 0 else f"; failed: {done.stderr.strip()[:200]}"
    yield Row("the same as a whole process", f"{seconds:.2f} s{said}", "anchor: 0.76 s, tuomaso/train_mnist_fast")


def arguments(bench: Bench) -> list[str]:
    """The options of the command line that say the same as `bench.options`."""
    options = bench.options
    where = ["--data-dir", str(options.data_dir)] if options.data_dir else []
    return ["--device", options.device, "--dataset", options.dataset, *where]


# --- e and f: dashboard, memory --------------------------------------------------------------------------------------


def dashboard(bench: Bench) -> Iterator[Row]:
    """Event loop lag, time from a key to its repaint, and images a second against a run without the dashboard."""
    command = [sys.executable, "scripts/stress.py", "lag", "--seconds", "3" if bench.is_quick else "20"]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    own = {"PYTHONPATH": paths, "MNIST_TUI_DEVICE": bench.options.device}
    if bench.options.data_dir:
        own["MNIST_TUI_DATA_DIR"] = str(bench.options.data_dir)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | own, timeout=150)
    for line in done.stdout.replace("\r", "").splitlines() + done.stderr.splitlines()[-3:]:
        what, _, measured = line.strip().partition(": ")
        if measured:
            yield Row(f"dashboard: {what}", measured, "95 % of headless" if "images" in what else "")


def memory(bench: Bench) -> Iterator[Row]:
    """Memory of the GPU that PyTorch has used for one run and for a stack."""
    if bench.device.type != "cuda":
        yield Row("memory of the GPU", "no GPU")
        return
    measures: dict[str, Callable[[], object]] = {
        "one run of iter5": lambda: seconds_of_run(bench, bench.spec(1)),
        f"{bench.seeds} seeds as one network": lambda: seconds_of_stack(bench, bench.spec(1)),
    }
    for what, run in measures.items():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(bench.device)
        run()
        yield Row(f"memory of the GPU, {what}", f"{torch.cuda.max_memory_allocated(bench.device) / 1e6:,.0f} MB")


PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "a": compare_losses,
    "b": speed_of_one,
    "c": speed_of_seeds,
    "d": time_to_accuracy,
    "e": dashboard,
    "f": memory,
}


def table(rows: list[Row], bench: Bench) -> str:
    """The rows as Markdown, below what they were measured on."""
    versions = environment.versions()
    on = f"{environment.device_name(bench.device)}, {environment.processor()}, {environment.cores()} cores"
    lines = [f"{on}, Python {versions['python']}, torch {versions['torch']}, torchvision {versions['torchvision']}", ""]
    lines += ["| what | measured | goal |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {row.what} | {row.measured} | {row.goal} |" for row in rows)]) + "\n"


def measure(bench: Bench, parts: str, limit: float, write: Callable[[list[Row]], None]) -> list[Row]:
    """All rows; `write` gets those so far after each part."""
    began, rows = time.monotonic(), []
    for part in parts:
        elapsed = time.monotonic() - began
        if elapsed > limit:
            rows.append(Row(f"part {part}", f"left out after {elapsed:.0f} s"))
            continue
        try:
            for row in PARTS[part](bench):
                rows.append(row)
                print(f"{time.monotonic() - began:5.0f} s  {row.what}: {row.measured}", flush=True)
        except Exception as error:
            traceback.print_exc()
            rows.append(Row(f"part {part}", f"failed: {type(error).__name__}: {clean_line(str(error), 200)}"))
        write(rows)
    return rows


def main() -> int:
    """Prints the table and writes it to a file; the exit code is 1 where a part failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("MNIST_TUI_DATA_DIR"))
    parser.add_argument("--out", type=Path, help="the file for the table; without it only printed")
    parser.add_argument("--parts", default="abcdef", help="which, such as bc (default: all)")
    parser.add_argument("--limit", type=float, default=420, help="seconds after which no part begins (default: 420)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, on the small digits")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"--parts: there is no part {', '.join(sorted(unknown))}")
    try:
        device = environment.resolve_device(arguments.device)
    except MnistTuiError as error:
        parser.error(str(error))
    dataset: Choice = "digits" if arguments.quick else "mnist"
    options = Options(device=arguments.device, dataset=dataset, data_dir=arguments.data_dir, command=("gpu.py",))
    bench = Bench(device, options, arguments.quick)

    def write(rows: list[Row]) -> None:
        if arguments.out:
            arguments.out.write_text(table(rows, bench))

    rows = measure(bench, arguments.parts, arguments.limit, write)
    print(table(rows, bench))
    return int(any(row.measured.startswith("failed") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
