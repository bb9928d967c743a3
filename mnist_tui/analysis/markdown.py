"""Runs and comparisons as Markdown, to paste into a README or a report."""

import re
from collections.abc import Sequence

from mnist_tui.analysis import leaderboard_text, tables
from mnist_tui.analysis.comparison import Arm, Measure
from mnist_tui.analysis.leaderboard import Leaderboard
from mnist_tui.datasets.published import MNIST
from mnist_tui.errors import StorageError
from mnist_tui.runs import columns, verdict
from mnist_tui.runs.annotations import read_notes
from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.record import Run, observations
from mnist_tui.spec.recipe_words import target_words
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.spec.summary import receptive_field_sentence
from mnist_tui.table import markdown
from mnist_tui.text import clean_line

SEED_COLUMNS = ("seed", "best", "last", "gap", "target", "run")
"""The columns of the table of several seeds."""
_MARKUP = re.compile(r"[\\`\[]|\*(?=\S)|(?<!\w)_(?=\S)|<(?=[\w/!?])")
"""Characters that would begin markup, a link or HTML."""


def plain(text: str) -> str:
    """A text on one line, escaped so that Markdown shows it as it is."""
    return _MARKUP.sub(r"\\\g<0>", clean_line(text).strip())


def code(text: str) -> str:
    """A text on one line as inline code, between one backtick more than it has in a row."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, gap = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{gap}{clean_line(text)}{gap}{fence}"


def table(rows: Sequence[Sequence[str]], is_right: Sequence[bool]) -> list[str]:
    """The lines of a table whose first row is its heading; cells show their text as it is."""
    return markdown([[plain(text) for text in row] for row in rows], is_right)


# --- runs ---


def run_lines(runs: Sequence[Run]) -> list[str]:
    """A run with its epochs, or several seeds of one recipe with the results of each."""
    run, is_one = runs[0], len(runs) == 1
    which = f", {columns.seed_words(runs)}" if run.is_run else ""
    facts = [*_recipe_facts(run), *(_result_facts(run) if is_one else _mean_facts(runs)), ("data", _data(run))]
    bullets = [f"- {name}: {text}" for name, text in facts if text]
    body = [*_analysis(run), *epoch_lines(run.rows, run.best_epoch)] if is_one else _seed_lines(runs)
    return [f"### {plain(run.name)}{which}", "", *bullets, "", *body]


def _recipe_facts(run: Run) -> list[tuple[str, str]]:
    return [
        ("parameters", f"{run.parameters:,}" if run.parameters is not None else ""),
        ("receptive field", receptive_field_sentence(run.layers, run.dataset_record.shape) if run.layers else ""),
        ("recipe", recipe(run.spec) if run.spec else ""),
        ("target", target_words(run.spec.target) if run.spec else ""),
    ]


def recipe(spec: RunSpec) -> str:
    """A recipe on one line."""
    train = spec.train
    calls = [code(str(call)) for call in (train.optimizer, train.scheduler, train.loss) if call]
    augment = ", ".join(code(str(call)) for call in train.augment) or "none"
    knobs = [f"{name}={value:g}" for name, value in spec.knobs.items()]
    epochs = f"{train.epochs} epoch{'' if train.epochs == 1 else 's'}"
    return ", ".join([epochs, f"batch size {train.batch_size}", *calls, f"augmentation {augment}", *knobs])


def _result_facts(run: Run) -> list[tuple[str, str]]:
    parts = run.target_parts
    judged = f"; {verdict.in_words(parts, run.epochs).replace('_', ' ')}" if parts else ""
    best, last = run.best_accuracy, run.last_accuracy
    on = "the test set" if run.chosen_by == "test" else "validation images"
    tested = plain(run.measured_on or "unknown images") if run.is_imported else "the test set"
    return [
        ("result", f"{run.state}{f' ({plain(run.reason)})' if run.state != 'completed' else ''}{judged}"),
        ("best", "" if best is None else f"{best:.2%} on {tested} in epoch {run.best_epoch}, chosen on {on}"),
        ("last", "" if last is None else f"{last:.2%} on {tested} in epoch {run.last.get('epoch')}"),
        ("folder", code(run.id)),
    ]


def _mean_facts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Mean and standard deviation over the seeds."""
    texts = [(key, columns.column(key).of(runs)) for key in ("best", "last")]
    return [(f"{key}, mean ± standard deviation", text) for key, text in texts if text != "-"]


def _data(run: Run) -> str:
    if run.is_imported:
        return columns.NOT_JUDGED
    name, _, images = run.data
    tested = f", {images:,} test images" if images else ""
    return f"{plain(name or 'unknown')}{tested}" + ("" if name == MNIST.name else f" ({columns.NOT_MNIST})")


def _analysis(run: Run) -> list[str]:
    """The lines of the run's analysis, from its notes."""
    try:
        text = read_notes(run.folder).analysis.strip()
    except StorageError:
        return []
    return [*text.splitlines(), ""] if text else []


def epoch_lines(rows: Sequence[EpochEnded], best_epoch: int | None) -> list[str]:
    """Epochs as a table; the best is marked with *."""
    cells = tables.epoch_table(rows, best_epoch)
    return table(cells, [True] * len(cells[0])) if rows else ["No epoch was finished."]


def _seed_lines(runs: Sequence[Run]) -> list[str]:
    seed_columns = [columns.column(key) for key in SEED_COLUMNS]
    rows = [[column.of([run]) for column in seed_columns] for run in sorted(observations(runs), key=_seed)]
    return table([[column.heading for column in seed_columns], *rows], [column.is_number for column in seed_columns])


def _seed(run: Run) -> int:
    return run.seed or 0


# --- comparisons ---


def leaderboard_lines(board: Leaderboard, has_published: bool = False) -> list[str]:
    """The leaderboard: the table, the published figures on request, then what is ranked and what is not."""
    rows = table(leaderboard_text.rows(board), leaderboard_text.IS_RIGHT) if board.entries else []
    if has_published and board.published:
        rows += ["", *table(leaderboard_text.published_rows(board), leaderboard_text.PUBLISHED_IS_RIGHT)]
    return [*rows, "", *(f"- {plain(sentence)}" for sentence in leaderboard_text.sentences(board))]


def comparison_lines(arms: Sequence[Arm], sentences: Sequence[str], measure: Measure) -> list[str]:
    """A comparison: the sentences, the results, and the settings and layers that differ."""
    labels = [arm.label for arm in arms]
    lines = [f"### {plain(' and '.join(labels))}", ""]
    for sentence in sentences:
        lines += [f"**{plain(sentence)}**", ""]
    lines += _arm_table(tables.comparison_table(arms, measure, _mark_with_word))
    if differences := tables.difference_table(arms):
        lines += ["", *_arm_table([["only what differs", *labels], *differences])]
    for arm in arms[1:]:
        if layers := tables.layer_lines(arms[0], arm):
            lines += ["", f"Layers, from {plain(f'{labels[0]} to {arm.label}')}:", ""]
            lines += [f"- {code(line)}" for line in layers]
    return lines


def _mark_with_word(words: str, is_judged: bool) -> str:
    return f"{words} (judged)" if is_judged else words


def _arm_table(rows: Sequence[Sequence[str]]) -> list[str]:
    return table(rows, [False] * len(rows[0]))
