"""What the runs of a report were measured on, and what a reader must know before comparing them."""

from collections.abc import Hashable, Sequence

from mnist_tui.analysis.comparison import Arm
from mnist_tui.report.model import Measurement
from mnist_tui.runs.columns import NOT_MNIST
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
    facts = (_data(run), f"{run.chosen_by} images", device.replace(" 1 threads", " 1 thread"), versions or "unknown")
    return tuple(clean_line(fact, 300) for fact in facts)  # type: ignore[return-value]


def _data(run: Run) -> str:
    name, sha, test_images = run.data
    parts = [
        (run.part("dataset").get("train_images"), "training"),
        (run.part("dataset").get("val_images"), "validation"),
    ]
    counts = [
        f"{count:,} {what}" for count, what in [*parts, (test_images, "test")] if isinstance(count, int) and count
    ]
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
    names = sorted({run.dataset or "unknown data" for run in runs})
    remarks = []
    if "mnist" not in names:
        remarks.append(f"All of this was measured on {' and '.join(names)}, {NOT_MNIST}.")
    if len(data := _steps_by([run.data for run in runs])) > 1:
        where = [f"{runs[steps[0] - 1].dataset or 'unknown data'} ({_steps(steps)})" for steps in data]
        remarks.append(f"Tested on different images, so their accuracies do not compare: {', '.join(where)}.")
    if len(chosen := _steps_by([run.chosen_by for run in runs])) > 1:
        where = [f"on {runs[steps[0] - 1].chosen_by} images ({_steps(steps)})" for steps in chosen]
        remarks.append(
            f"The best epochs were chosen {', '.join(where)}: choosing on the test images flatters; compare the last "
            "epochs."
        )
    return tuple(clean_line(remark) for remark in remarks)


def _steps_by(keys: Sequence[Hashable]) -> list[list[int]]:
    """The numbers of the steps with equal keys, one key for each step."""
    steps: dict[Hashable, list[int]] = {}
    for number, key in enumerate(keys, start=1):
        steps.setdefault(key, []).append(number)
    return list(steps.values())


def _steps(numbers: Sequence[int]) -> str:
    return f"step{'' if len(numbers) == 1 else 's'} {number_ranges(numbers)}"
