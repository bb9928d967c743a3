"""The section of a report on parameters against accuracy: the leaderboard of its runs, beside published figures."""

from collections.abc import Sequence

from mnist_tui.analysis import leaderboard, leaderboard_text
from mnist_tui.report.leaderboard_svg import leaderboard_svg
from mnist_tui.report.model import Figure, FrontSection
from mnist_tui.runs.record import Run


def make_front_section(runs: Sequence[Run]) -> FrontSection | None:
    """The leaderboard of the runs of a report, by the best epoch; None where fewer than two recipes are ranked."""
    board = leaderboard.make_leaderboard(runs, leaderboard.load_presets())
    if len(board.entries) < 2:
        return None
    heads, *rows = leaderboard_text.rows(board)
    return FrontSection(
        heads=tuple(heads),
        rows=tuple(map(tuple, rows)),
        remarks=tuple(leaderboard_text.sentences(board)),
        figure=Figure("leaderboard.svg", "Accuracy over parameters", lambda: leaderboard_svg(board).encode()),
    )
