"""Runs that are trained without a dashboard, from the first event to the table at the end and the exit code."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from mnist_tui.cli.formats import record
from mnist_tui.cli.headless import FollowedRun
from mnist_tui.cli.output import Output, interruptible
from mnist_tui.cli.progress_table import progress_table
from mnist_tui.errors import ExitCode, MnistTuiError
from mnist_tui.runs import verdict
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Event
from mnist_tui.runs.storage import SavedRun
from mnist_tui.spec import recipe_words, summary
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.sweep.jobs import JobEnded
from mnist_tui.sweep.side_by_side import train_side_by_side
from mnist_tui.table import aligned
from mnist_tui.text import cell_width, duration, fitted
from mnist_tui.training import environment, estimate, session
from mnist_tui.training import resume as resuming
from mnist_tui.training.stacked import fit
from mnist_tui.training.stacked import session as stacked

MAX_NAME = 16
"""Cells for a preset's name in the table of several runs."""


def batch(
    specs: Sequence[RunSpec],
    options: Options,
    output: Output,
    require_target: bool,
    jobs: int | None = 1,
    stack: bool | None = False,
) -> ExitCode:
    """Trains every spec, `jobs` at a time (None: as many as there is room for).

    With `stack` specs that differ in the seed only are trained as one network; None: on a CUDA GPU. A run that fails
    does not keep the others from being trained.
    """
    specs = [spec.for_dataset(options.dataset) for spec in specs]
    for spec in specs:
        session.check(spec)
    if stack or (stack is None and environment.resolve_device(options.device).type == "cuda"):
        return _batch_in_stacks(specs, options, output, require_target)
    jobs = environment.jobs_at_a_time(len(specs), options) if jobs is None else min(jobs, len(specs))
    if jobs > 1:
        return _batch_in_processes(specs, options, output, require_target, jobs)
    with interruptible() as interruption:
        runs: list[FollowedRun] = []
        for spec in specs:
            run = FollowedRun(spec)
            try:
                run.follow(session.run(spec, options, interruption.control), output)
            except MnistTuiError as error:
                if not runs:
                    raise  # Nothing has begun: the whole command is told what is wrong.
                output.talk(f"{spec.name}: {error}", always=True)
            runs.append(run)
            if interruption.control.should_stop:
                break
    _summarise(runs, output)
    return interruption.code or _exit_code(runs, require_target)


def _batch_in_processes(
    specs: Sequence[RunSpec], options: Options, output: Output, require_target: bool, jobs: int
) -> ExitCode:
    """Trains every spec, `jobs` at a time, each in a process of its own."""
    runs = [FollowedRun(spec, has_label=True) for spec in specs]
    with interruptible() as interruption, progress_table(output) as table:
        for index, message in train_side_by_side(specs, options, interruption.control, jobs):
            if isinstance(message, JobEnded):
                if message.error:
                    output.talk(f"{runs[index].label}: {message.error}", always=True)
            else:
                runs[index].show(message, output)
                table.show(index, runs[index].label, runs[index].epochs, message)
    _summarise(runs, output)
    return interruption.code or _exit_code(runs, require_target)


def _batch_in_stacks(specs: Sequence[RunSpec], options: Options, output: Output, require_target: bool) -> ExitCode:
    """Trains specs that differ in the seed only as one network, where their layers and recipe allow it."""
    runs = [FollowedRun(spec, has_label=True) for spec in specs]
    first = 0
    with interruptible() as interruption, progress_table(output) as table:
        for part in _stacks(specs, output):
            try:
                for index, event in _train_stack(part, options, interruption.control):
                    run = runs[first + index]
                    run.show(event, output)
                    table.show(first + index, run.label, run.epochs, event)
            except MnistTuiError as error:
                if not any(run.started for run in runs):
                    raise  # Nothing has begun: the whole command is told what is wrong.
                output.talk(f"{part[0].name}: {error}", always=True)
            first += len(part)
            if interruption.control.should_stop:
                break
    _summarise(runs, output)
    return interruption.code or _exit_code(runs, require_target)


def _stacks(specs: Sequence[RunSpec], output: Output) -> Iterator[list[RunSpec]]:
    """The specs that are trained as one network each; says why where seeds of a recipe are not."""
    for seeds in fit.seed_groups(specs):
        reason = fit.why_not(seeds[0]) if len(seeds) > 1 else None
        if reason:
            output.talk(f"{seeds[0].name}: its seeds are trained one by one: {reason}")
        yield from [[spec] for spec in seeds] if reason else [seeds]


def _train_stack(specs: Sequence[RunSpec], options: Options, control: Control) -> Iterator[tuple[int, Event]]:
    if len(specs) > 1:
        return stacked.run(specs, options, control)
    return ((0, event) for event in session.run(specs[0], options, control))


def resume(saved: SavedRun, options: Options, output: Output, require_target: bool) -> ExitCode:
    """Resumes a run and trains it to its end."""
    with interruptible() as interruption:
        run = FollowedRun(saved.spec).follow(resuming.resume(saved, options, interruption.control), output)
    _summarise([run], output)
    return interruption.code or _exit_code([run], require_target)


def extend(saved: SavedRun, epochs: int, options: Options, output: Output, require_target: bool) -> ExitCode:
    """Trains a completed run for more epochs, in a new folder."""
    with interruptible() as interruption:
        run = FollowedRun(saved.spec).follow(resuming.extend(saved, epochs, options, interruption.control), output)
    _summarise([run], output)
    return interruption.code or _exit_code([run], require_target)


def _exit_code(runs: Sequence[FollowedRun], require_target: bool) -> ExitCode:
    if any(run.ended is None or run.ended.outcome != "completed" for run in runs):
        return ExitCode.FAILED
    missed = any(run.ended and run.ended.target and not all(run.ended.target.values()) for run in runs)
    return ExitCode.TARGET_MISSED if require_target and missed else ExitCode.OK


def _summarise(runs: Sequence[FollowedRun], output: Output) -> None:
    """A table where there are several runs; the folders last."""
    if output.as_json:
        return
    if len(runs) > 1:
        output.data("\n" + "\n".join(_summary_table(runs)))
    for run in runs:
        if run.started:
            output.data(run.started.folder)


def _summary_table(runs: Sequence[FollowedRun]) -> list[str]:
    rows = [["run", "seed", "outcome", "params", "best", "last", "target"]]
    for run in runs:
        ended = run.ended
        best = f"{ended.best.test_accuracy:.2%}" if ended and ended.best else "-"
        last = f"{ended.last.test_accuracy:.2%}" if ended and ended.last else "-"
        target = verdict.whole(ended.target) if ended and ended.target else "-"
        outcome = ended.outcome if ended else "not begun"
        name = fitted(run.spec.name, min(MAX_NAME, cell_width(run.spec.name)))
        rows.append([name, str(run.spec.train.seed), outcome, f"{run.spec.parameters:,}", best, last, target])
    return [*aligned(rows, [False, True, False, True, True, True, False]), *_seed_means(runs)]


def _seed_means(runs: Sequence[FollowedRun]) -> Iterator[str]:
    """For every recipe trained with several seeds: the mean of the best epochs and their range; of repeats the last."""
    by_recipe: dict[str, list[FollowedRun]] = {}
    for run in runs:
        if run.ended and run.ended.outcome == "completed":
            by_recipe.setdefault(run.spec.with_seed(0).model_dump_json(), []).append(run)
    for group in by_recipe.values():
        best = {run.spec.train.seed: run.ended.best.test_accuracy for run in group if run.ended and run.ended.best}
        if len(best) > 1:
            low, high, mean = min(best.values()), max(best.values()), fmean(best.values())
            repeats = f", {len(group) - len(best)} repeats not counted" if len(group) > len(best) else ""
            name = group[0].spec.name
            yield f"{name}: mean best {mean:.2%} over {len(best)} seeds{repeats}, from {low:.2%} to {high:.2%}"


def dry_run(specs: Sequence[RunSpec], options: Options, output: Output) -> ExitCode:
    """Prints table, steps, verdict and expected time of runs; trains and writes nothing."""
    for spec in (each.for_dataset(options.dataset) for each in specs):
        session.check(spec)
        cost = estimate.expected_cost(spec, options)
        parts = verdict.before_training(spec)
        if output.as_json:
            output.json(record({**summary.as_json(spec), **cost, "target": parts}))
            continue
        output.data(summary.table(spec))
        output.data(recipe_words.recipe(spec))
        if parts:
            output.data(f"verdict          {verdict.parts_in_words(parts)}; accuracy is judged after training")
        output.data(
            f"expected         {duration(cost['seconds_per_epoch'])} an epoch, {duration(cost['seconds'])} in all "
            f"on {cost['device']} with {cost['threads']} thread{'s' if cost['threads'] > 1 else ''}\n"
        )
    return ExitCode.OK
