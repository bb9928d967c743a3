"""`mnist-tui leaderboard`: recipes by parameters and accuracy."""

from typing import TYPE_CHECKING, Annotated

import typer

from mnist_tui.cli.arguments import Given, Models, examples, settings_with, takes_settings
from mnist_tui.cli.formats import FormatOption, JsonOption, json_text, output_format, record, refuse_plot
from mnist_tui.cli.parsing import WordsCommand
from mnist_tui.cli.text_plots import plot_width
from mnist_tui.errors import UsageError
from mnist_tui.runs import filters, reference
from mnist_tui.runs.index import read_runs
from mnist_tui.table import as_csv
from mnist_tui.text import clean_line, did_you_mean
from mnist_tui.tui.terminal import has_utf8

if TYPE_CHECKING:
    from mnist_tui.analysis.leaderboard import Leaderboard

app = typer.Typer()

PLOT_LINES = 24


@app.command(
    "leaderboard",
    cls=WordsCommand,
    epilog=examples(
        "mnist-tui leaderboard                     all recipes, the highest accuracy first",
        "mnist-tui leaderboard 'params<20000' --by last --plot",
        "mnist-tui leaderboard --published         and what the presets' authors published",
        "mnist-tui leaderboard --reference         and the reference runs: presets as published, trained again",
        "mnist-tui leaderboard --json | jq '.entries[] | select(.front) | .name'",
        more="Filter: as in mnist-tui runs.",
    ),
)
@takes_settings("runs_dir")
def print_leaderboard(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="FILTER", help="Conditions; without any, every run.")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="best|last|mean", help="Accuracy: best epoch, last, mean of the last.")
    ] = "best",
    has_published: Annotated[bool, typer.Option("--published", help="List the published figures as well.")] = False,
    has_reference: Annotated[bool, typer.Option("--reference", help="Rank the reference runs as well.")] = False,
    named_format: FormatOption = None,
    as_json: JsonOption = False,
    has_plot: Annotated[bool, typer.Option("--plot", help="Draw accuracy over parameters as well, as text.")] = False,
    models: Models = None,
    *,
    given: Given,
) -> int:
    """Rank recipes by test accuracy and parameters.

    Runs on MNIST that have ended; several seeds of a recipe count by their mean. On the front, no recipe as small is
    better, and none as good is smaller. JSON has the published figures too, CSV only the recipes.
    """
    from mnist_tui.analysis import leaderboard, leaderboard_text, markdown
    from mnist_tui.analysis.comparison import MEASURES

    output = output_format(named_format, as_json)
    refuse_plot(has_plot, output)
    if has_published and output == "csv":
        raise UsageError(
            "--published is not allowed with --format csv, which has a line for each recipe; JSON has both"
        )
    measure = next((known for known in MEASURES if known == by), None)
    if measure is None:
        raise UsageError(f"--by {clean_line(by, 40)}: must be {' or '.join(MEASURES)}{did_you_mean(by, MEASURES)}")
    runs = read_runs(settings_with(given).runs_dir)
    runs = filters.choose([*runs, *(read_runs(reference.runs_dir()) if has_reference else ())], " ".join(words or ()))
    board = leaderboard.make_leaderboard(runs, leaderboard.load_presets(models), measure)
    match output:
        case "json":
            print(json_text(record(leaderboard_text.as_json(board))))
        case "csv":
            print(as_csv(leaderboard_text.entry_records(board), leaderboard_text.ENTRY_KEYS), end="")
        case "markdown":
            print("\n".join(markdown.leaderboard_lines(board, has_published)))
        case "table":
            print("\n".join(_lines(board, has_published)))
    if has_plot:
        from mnist_tui.analysis.plots import leaderboard_plot

        print("\n".join(["", *leaderboard_plot(board, plot_width(), PLOT_LINES, ascii_only=not has_utf8())]))
    return 0


def _lines(board: "Leaderboard", has_published: bool) -> list[str]:
    """The tables, and sentences on what they hold."""
    from mnist_tui.analysis import leaderboard_text as text

    lines = [*text.table_lines(text.rows(board), text.IS_RIGHT), ""] if board.entries else []
    if has_published and board.published:
        lines += [*text.table_lines(text.published_rows(board), text.PUBLISHED_IS_RIGHT), ""]
    return lines + text.sentences(board)
