"""The headline of the laboratory and the title of its training pane, as texts."""

from mnist_tui.datasets import names
from mnist_tui.datasets.published import MNIST
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.lab.budget import ShownStep, headline_parts, judged_by
from mnist_tui.tui.lab.varied import varied_fields

NOT_MNIST = "! not MNIST: 1,797 small digits; accuracies do not compare (mnist-tui doctor)"
"""The banner while the small digits are used; it fits into 80 cells."""


def data_warning(dataset: str) -> str:
    """The banner for a data set: that its accuracies do not compare with MNIST's; "" for MNIST."""
    if dataset == MNIST.name:
        return ""
    return NOT_MNIST if dataset == "digits" else f"! {names.title(dataset)}, not MNIST: accuracies do not compare"


def design_parts(draft: Draft, step: ShownStep | None = None) -> list[str]:
    """The parts of the headline about the design, the most important first; judged by the step of a course brief.

    Where fields hold several values, for a sweep, about the design with the first of each.
    """
    varied = varied_fields(draft)
    result, name = varied.base.result, clean_line(draft.base.name, 40)
    if result.spec is None:
        parameters = sum(row.parameters for row in result.rows)
        errors = len(result.errors) + (result.layer_error is not None)
        return [name, f"{parameters:,} params", f"! {errors} error{'s' if errors > 1 else ''}"]
    parts, changes = [name, *headline_parts(judged_by(result.spec, step))], draft.changed_count
    if varied.values:
        parts.append(f"first of {varied.configurations:,} configurations")
    return [*parts, f"{changes} change{'s' if changes > 1 else ''}"] if changes else parts


def run_parts(run: RunCurves | None, is_watching: bool, is_other_design: bool) -> list[str]:
    """The part of the headline about the current run, once it has started."""
    if run is None or run.started is None:
        return []
    process = " in another process" if is_watching else ""
    rate_mark = ", rate by hand" if run.marks else ""
    other = ", not this design" if is_other_design else ""
    return [f"{run.state}{process} {clean_line(run.name, 40)}{rate_mark}{other}"]


def training_title(run: RunCurves | None, is_other_design: bool) -> str:
    """The title of the training pane: `Train`, and what the current run is."""
    return "Train" if run is None or run.started is None else f"Train: {run_title(run, is_other_design)}"


def run_title(run: RunCurves | None, is_other_design: bool = False) -> str:
    """Name, seed, parameters and data set of a run; "" before it has started."""
    if run is None or run.started is None:
        return ""
    started = run.started
    other = " (not this design)" if is_other_design else ""
    data = MNIST.name if started.dataset == MNIST.name else f"{names.title(started.dataset)}, not MNIST"
    return clean_line(f"{started.name} s{started.seed}{other}, {started.parameters:,} params, {data}", 200)


def is_same_recipe(first: RunSpec, second: RunSpec) -> bool:
    """Whether runs of both specs are seeds of one recipe: equal layers, knobs and training settings but the seed."""
    return _recipe(first) == _recipe(second)


def _recipe(spec: RunSpec) -> tuple[object, ...]:
    return spec.layers, spec.knobs, spec.train.model_copy(update={"seed": 0})
