"""`mnist-tui delete` and `mnist-tui restore`: runs into the trash, and out of it."""

from pathlib import Path
from typing import Annotated

import typer

from mnist_tui.cli.arguments import RUN, Given, examples, refuse_empty_run, settings_with, takes_settings
from mnist_tui.cli.completion import complete_runs
from mnist_tui.errors import UsageError
from mnist_tui.runs import trash
from mnist_tui.runs.index import choose_name, find_run

app = typer.Typer()


@app.command("delete", epilog=examples("mnist-tui delete a17f b203", "mnist-tui delete --empty-trash"))
@takes_settings("runs_dir")
def delete_runs(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help=f"Each {RUN}.", autocompletion=complete_runs, callback=refuse_empty_run),
    ] = None,
    empty_trash: Annotated[bool, typer.Option("--empty-trash", help="Remove for good what is in the trash.")] = False,
    *,
    given: Given,
) -> int:
    """Move runs to the trash, or empty it."""
    if not runs and not empty_trash:
        raise UsageError("delete which run? mnist-tui runs lists them")
    runs_dir = settings_with(given).runs_dir
    if empty_trash:
        count = trash.empty_trash(runs_dir)
        print(f"removed for good: {count} run{'s' if count != 1 else ''} in the trash of {runs_dir}")
    for saved in [find_run(name, runs_dir) for name in runs or ()]:
        trash.delete(saved.folder)
        print(f"in the trash: {saved.id}; to restore it: mnist-tui restore {saved.id}")
    return 0


@app.command("restore", epilog=examples("mnist-tui restore", "mnist-tui restore a17f"))
@takes_settings("runs_dir")
def restore_run(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="A run in the trash, or the end of its name; without it lists them."),
    ] = None,
    *,
    given: Given,
) -> int:
    """Take a run out of the trash, or list what is in it."""
    runs_dir = settings_with(given).runs_dir
    whole = {folder.name: folder for folder in trash.trashed(runs_dir)}
    begun = {folder.name.removeprefix(trash.REMOVING): folder for folder in trash.half_removed(runs_dir)}
    if run is None:
        lines = [*whole, *(f"{name}: {trash.HALF_REMOVED}" for name in begun)]
        print("\n".join(lines) or "the trash is empty")
        return 0
    by_name = begun | whole
    name = choose_name(run, Path(run).name, list(by_name), "is not in the trash; mnist-tui restore lists what is")
    print(trash.restore(by_name[name]))
    return 0
