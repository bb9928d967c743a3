"""What the runs of a report were measured on, and what a reader must know before comparing them."""

from collections.abc import Hashable, Sequence

from mnist_tui.analysis.comparison import Arm
from mnist_tui.datasets.published import MNIST
from mnist_tui.report.model import Measurement
from mnist_tui.runs.columns import data_warning
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line


def measurements(arms: Sequence[Arm]) -> tuple[Measurement, ...]:
    """Data, device and versions, a row for all steps that agree in all of them."""
    steps: dict[tuple[str, str, str, str], list[int]] = {}
    for number, arm in enumerate(arms, start=1):
        for key in dict.fromkeys(map(_facts, arm.runs)):
            steps.setdefault(key, []).append(number)
    return tuple(Measurement(number_ranges(numbers), *key) for key, numbers in steps.items())


def _facts(run: Run) -> tuple[str, str, str, str]:
    threads = run.record.get("threads")
    device = f"{run.device or 'unknown'}{f', {threads} threads' if isinstance(threads, int) else ''}"
    versions = ", ".join(f"{name} {version}" for name, version in run.part("versions").items())
    chosen_on = "unknown" if run.is_imported else f"{run.chosen_by} images"
    facts = (_data(run), chosen_on, device.replace(" 1 threads", " 1 thread"), versions or "unknown")
    return tuple(clean_line(fact, 300) for fact in facts)  # type: ignore[return-value]


def _data(run: Run) -> str:
    if run.is_imported:
        return f"{run.measured_on or 'unknown'} (imported log)"
    name, sha, test_images = run.data
    parts = ((run.images("train"), "training"), (run.images("val"), "validation"), (test_images, "test"))
    counts = [f"{count:,} {what}" for count, what in parts if count]
    images = f": {', '.join(counts)} images" if counts else ""
    return f"{name or 'unknown'}{images}" + (f" (SHA-256 {sha[:8]}…)" if sha else "")


def number_ranges(numbers: Sequence[int]) -> str:
    """`1–3, 5` for 1, 2, 3 and 5."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in ranges)


def comparison_remarks(arms: Sequence[Arm]) -> tuple[str, ...]:
    """Why accuracies must not be compared, with those of other steps or of others; () where all may be."""
    runs = [arm.runs[0] for arm in arms]
    data = _steps_by([_images(run) for run in runs])
    chosen = _steps_by(["" if run.is_imported else run.chosen_by for run in runs])
    chosen = [steps for steps in chosen if not runs[steps[0] - 1].is_imported]
    remarks = []
    if len(data) == 1 and runs[0].dataset != MNIST.name and not runs[0].is_imported:
        remarks.append(f"All of this was measured on {data_warning(runs[0])}.")
    if len(data) > 1:
        where = [f"{_data_name(runs[steps[0] - 1])} ({_steps(steps)})" for steps in data]
        remarks.append(f"Not tested on the same images, so their accuracies do not compare: {', '.join(where)}.")
    if len(chosen) > 1:
        where = [f"on {runs[steps[0] - 1].chosen_by} images ({_steps(steps)})" for steps in chosen]
        remarks.append(
            f"The best epochs were chosen {', '.join(where)}: choosing on the test images flatters; compare the last "
            "epochs."
        )
    return tuple(clean_line(remark) for remark in remarks)


def _images(run: Run) -> Hashable:
    """A key that is equal where two results can be compared; an imported log is like nothing else."""
    return run.id if run.is_imported else run.data


def _data_name(run: Run) -> str:
    return "imported log" if run.is_imported else run.dataset or "unknown data"


def _steps_by(keys: Sequence[Hashable]) -> list[list[int]]:
    """The numbers of the steps with equal keys, one key for each step."""
    steps: dict[Hashable, list[int]] = {}
    for number, key in enumerate(keys, start=1):
        steps.setdefault(key, []).append(number)
    return list(steps.values())


def _steps(numbers: Sequence[int]) -> str:
    return f"step{'' if len(numbers) == 1 else 's'} {number_ranges(numbers)}"
