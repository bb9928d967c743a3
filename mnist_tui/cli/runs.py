"""The commands on saved runs: list, look at, compare, tag, annotate, delete, restore, export, extend."""

import argparse
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.analysis import comparison, plots, tables
from mnist_tui.editor import edit
from mnist_tui.errors import RunError
from mnist_tui.runs import annotations, archive, columns, filters, trash
from mnist_tui.runs.index import RunIndex, find_run, grouped, matching, repeats
from mnist_tui.runs.record import Run
from mnist_tui.runs.sparkline import mean_curve
from mnist_tui.settings import settings
from mnist_tui.text import as_name, clean_line
from mnist_tui.tui.terminal import has_utf8

if TYPE_CHECKING:
    from mnist_tui.analysis.comparison import Measure


MOST_PLOT_CELLS, PLOT_LINES = 100, 18
"""The size of a plot; in a narrow terminal it is as wide as the terminal."""


def list_runs(runs_dir: Path, words: Sequence[str], options: argparse.Namespace) -> int:
    """Prints the runs that a filter chooses."""
    kept, order = columns.from_settings(settings.resolved())
    named = columns.chosen(options.columns.split(",")) if options.columns else None
    runs = filters.choose(_read_index(runs_dir), " ".join(words))
    groups = columns.ordered(grouped(runs) if options.group else [[run] for run in runs], options.sort or order)
    groups = groups[: options.limit] if options.limit else groups
    if options.json:
        newer = repeats(runs)
        records = [[columns.as_record(run) | {"repeated_by": newer.get(run.id)} for run in group] for group in groups]
        print(json.dumps(records if options.group else [record for (record,) in records], allow_nan=False))
    elif groups:
        print("\n".join(tables.runs_table(groups, named or columns.shown_columns(groups, kept))))
    else:
        print(f"no run in {runs_dir}" + (f" is chosen by {clean_line(' '.join(words), 100)!r}" if words else ""))
    return 0


def show_run(runs_dir: Path, named: str, as_json: bool, has_plot: bool = False) -> int:
    """Prints all that is known of a run; with `has_plot`, its test accuracies as a plot as well."""
    runs = _read_index(runs_dir)
    run = find_run(named, runs_dir)
    if as_json:
        changes = tables.changes(run, runs)
        more = {"repeated_by": repeats(runs).get(run.id), "changes": changes, "epochs": [vars(row) for row in run.rows]}
        print(json.dumps(columns.as_record(run) | more))
        return 0
    notes = annotations.notes_text(run.folder) if run.is_run else ""
    print("\n".join(tables.details(run, runs, columns.ALL, notes)))
    if has_plot:
        _print_plot({f"{run.name} s{run.seed}": run.accuracies})
    return 0


def compare_runs(
    runs_dir: Path, named: Sequence[str], measure: "Measure", as_json: bool, has_plot: bool = False
) -> int:
    """Prints runs, or seeds of runs, beside each other, and whether their difference can be told from noise.

    With `has_plot`, the test accuracies of each as a plot as well: of several seeds their mean.
    """
    runs = _read_index(runs_dir)
    arms = comparison.labelled([_arm(name, runs_dir, runs) for name in named])
    if wrong := comparison.refusals(arms, measure):
        raise RunError("; ".join(wrong))
    verdicts = comparison.compare(arms, measure)
    if as_json:
        print(json.dumps(tables.comparison_json(arms, verdicts, measure), allow_nan=False))
    else:
        print("\n".join(tables.comparison_lines(arms, verdicts, measure)))
    if has_plot:
        _print_plot({arm.label: mean_curve([run.accuracies for run in arm.runs]) for arm in arms})
    return 0


def _print_plot(curves: Mapping[str, Sequence[float]]) -> None:
    width = min(MOST_PLOT_CELLS, shutil.get_terminal_size().columns)
    names = {clean_line(name, 30): values for name, values in curves.items()}
    lines = plots.accuracy_plot(names, width, PLOT_LINES, ascii_only=not has_utf8())
    print("\n".join(["", *(lines or ["no epoch was finished: there is nothing to plot"])]))


def _read_index(runs_dir: Path) -> list[Run]:
    runs = RunIndex(runs_dir)
    runs.refresh()
    return runs.all


def _arm(named: str, runs_dir: Path, runs: Sequence[Run]) -> list[Run]:
    """A run by its name, or the completed runs of one recipe: of that preset, or chosen by a filter."""
    try:
        return [find_run(named, runs_dir)]
    except RunError as error:
        no_run = error
    found = [run for run in runs if run.name == named] or filters.choose(runs, named)
    completed = [run for run in found if run.state == "completed"]
    if not completed:
        raise RunError(f"{no_run}; and no completed run is chosen by it" if not found else _unfinished(named, found))
    groups = grouped(completed)
    if len(groups) > 1:
        raise RunError(_ambiguous(named, groups))
    return groups[0]


def _unfinished(named: str, found: Sequence[Run]) -> str:
    states = ", ".join(f"{run.id} {run.state}" for run in found[:5])
    return f"{clean_line(named, 100)}: no run of it is completed ({states}); name one run to compare it all the same"


def _ambiguous(named: str, groups: Sequence[Sequence[Run]]) -> str:
    from mnist_tui.analysis.run_diff import differing

    found = differing([group[0] for group in groups], with_seed=False)
    what = ", ".join(f"{one.name} ({' or '.join(dict.fromkeys(one.values))})" for one in found[:4]) or "their layers"
    return (
        f"{clean_line(named, 100)}: {len(groups)} different recipes are chosen, which differ in {what}; "
        f"say which{_example(named, groups)}, or name single runs"
    )


def _example(named: str, groups: Sequence[Sequence[Run]]) -> str:
    """How one of the groups is chosen, where a number tells them apart."""
    for key in ("epochs", "batch", "lr", "parameters"):
        values = [columns.column(key).value(group[0]) for group in groups]
        if None not in values and len(set(values)) == len(values):
            return f", such as '{clean_line(named, 100)} {key}={values[0]}'"
    return ""


# --- commands that change something ---


def tag_run(runs_dir: Path, named: str, add: Sequence[str], remove: Sequence[str]) -> int:
    """Adds and takes away tags; prints those there are."""
    run = _writable(runs_dir, named)
    try:
        annotations.write_tags(run.folder, {*run.tags, *map(as_name, add)} - {*map(as_name, remove)})
    except ValueError as error:
        raise RunError(str(error)) from None
    print(" ".join(annotations.read_tags(run.folder)))
    return 0


def _writable(runs_dir: Path, named: str) -> Run:
    run = find_run(named, runs_dir)
    if not run.is_run:
        raise RunError(f"{run.folder}: {run.state}: {run.reason}")
    return run


def edit_notes(runs_dir: Path, named: str) -> int:
    """Opens notes.md in the user's editor; the editor's exit code."""
    folder = _writable(runs_dir, named).folder
    annotations.write_notes(folder, annotations.read_notes(folder))  # Now it is there, and no link.
    return edit(folder / "notes.md")


def delete_runs(runs_dir: Path, named: Sequence[str], is_for_good: bool) -> int:
    """Moves runs to the trash and prints how each is restored; or empties the trash, which nothing restores."""
    if is_for_good:
        count = trash.empty_trash(runs_dir)
        print(f"removed for good: {count} run{'s' if count != 1 else ''} in the trash of {runs_dir}")
    for run in [find_run(name, runs_dir) for name in named]:
        trash.delete(run.folder)
        print(f"in the trash: {run.id}; to restore it: mnist-tui restore {run.id}")
    return 0


def restore_run(runs_dir: Path, named: str | None) -> int:
    """Takes a run out of the trash, by its name or the end of it; without one lists what is in it."""
    deleted = trash.trashed(runs_dir)
    if named is None:
        print("\n".join(folder.name for folder in deleted) or "the trash is empty")
        return 0
    found = matching(Path(named).name, [folder.name for folder in deleted])
    if len(found) != 1:
        why = f"{len(found)} runs in the trash are called that" if found else "is not in the trash"
        raise RunError(f"{clean_line(named, 100)}: {why}; mnist-tui restore lists what is")
    print(trash.restore(next(folder for folder in deleted if folder.name == found[0])))
    return 0


def export_run(runs_dir: Path, named: str, destination: Path, checkpoints: bool) -> int:
    """Copies a run to a folder or an archive; prints where."""
    run = _writable(runs_dir, named)
    if wrong := archive.wrong_destination(destination):
        raise RunError(wrong)
    print(archive.export(run.folder, destination, checkpoints=checkpoints))
    return 0


# --- the command line ---

NewParser = Callable[..., argparse.ArgumentParser]

_NOT_AN_OPTION = re.compile(r"-[^-].+")
"""`-tag:old` is a word of the filter; no option of `runs` is like it."""
_FALLING = re.compile(r"-[a-z_]+")
"""`-best` after `--sort` is its value."""


def run(command: str, arguments: Sequence[str], new_parser: NewParser, runs_dir: Callable[[Path | None], Path]) -> int:
    """One of `COMMANDS`, with its arguments; the exit code."""
    parser = new_parser(prog=f"mnist-tui {command}", allow_abbrev=False)
    parser.add_argument("--runs-dir", type=Path, metavar="DIR", help="where the run folders are (default: ./runs)")
    add, do = COMMANDS[command]
    add(parser)
    arguments = _joined(arguments)
    words = [word for word in arguments if command == "runs" and _NOT_AN_OPTION.fullmatch(word)]
    options = parser.parse_args([word for word in arguments if word not in words])
    if words:
        options.filter += words
    return do(runs_dir(options.runs_dir), options)


def _joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--sort -best` as one word: argparse takes the second for an option."""
    joined: list[str] = []
    for word in arguments:
        if joined and joined[-1] == "--sort" and _FALLING.fullmatch(word):
            joined[-1] = f"--sort={word}"
        else:
            joined.append(word)
    return joined


def _add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("filter", nargs="*", help="iter* params<20000 acc>0.994 opt:sgd tag:x state:failed -note:old")
    parser.add_argument("--sort", metavar="COLUMN", help="-best for the highest first (default: -when)")
    parser.add_argument("--columns", metavar="A,B", help=f"of {', '.join(column.key for column in columns.ALL)}")
    parser.add_argument(
        "--group", action="store_true", help="the seeds of one recipe on one line, mean ± spread; repeats not counted"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N lines")
    parser.add_argument("--json", action="store_true", help="one JSON array, with every column")


def _add_open(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run folder, its name, or the end of its name")
    _add_output(parser)


def _add_output(parser: argparse.ArgumentParser) -> None:
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="one JSON object")
    output.add_argument("--plot", action="store_true", help="the test accuracy over the epochs as well, as text")


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="+", metavar="RUN|PRESET|FILTER", help="two or more; a preset is all its seeds")
    parser.add_argument("--measure", choices=list(comparison.MEASURES), default="best", help="the accuracy to judge by")
    _add_output(parser)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run folder, its name, or the end of its name")


def _add_tag(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument("tags", nargs="*", help="tags to add; none only prints them")
    parser.add_argument("--remove", action="append", default=[], metavar="TAG", help="a tag to take away")


def _add_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="*", metavar="RUN", help="run folders, their names, or the ends of their names")
    parser.add_argument("--empty-trash", action="store_true", help="remove for good what is in the trash")


def _add_restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", help="a run in the trash, or the end of its name; without it lists them")


def _add_export(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument("destination", type=Path, help="a new folder, or FILE.zip, or FILE.tar.gz")
    parser.add_argument("--no-checkpoints", action="store_true", help="the history alone, without weights")


def _compare(runs_dir: Path, options: argparse.Namespace) -> int:
    if len(options.what) < 2:
        raise RunError("compare takes two or more: mnist-tui compare iter4 iter5")
    return compare_runs(runs_dir, options.what, options.measure, options.json, options.plot)


def _delete(runs_dir: Path, options: argparse.Namespace) -> int:
    if not options.runs and not options.empty_trash:
        raise RunError("delete which run? mnist-tui runs --columns run,name,seed lists them")
    return delete_runs(runs_dir, options.runs, options.empty_trash)


COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[Path, argparse.Namespace], int]]] = {
    "runs": (_add_runs, lambda runs_dir, options: list_runs(runs_dir, options.filter, options)),
    "open": (_add_open, lambda runs_dir, options: show_run(runs_dir, options.run, options.json, options.plot)),
    "compare": (_add_compare, _compare),
    "tag": (_add_tag, lambda runs_dir, options: tag_run(runs_dir, options.run, options.tags, options.remove)),
    "note": (_add_run, lambda runs_dir, options: edit_notes(runs_dir, options.run)),
    "delete": (_add_delete, _delete),
    "restore": (_add_restore, lambda runs_dir, options: restore_run(runs_dir, options.run)),
    "export": (
        _add_export,
        lambda runs_dir, options: export_run(runs_dir, options.run, options.destination, not options.no_checkpoints),
    ),
}
"""For each command: what adds its arguments, and what does it."""
