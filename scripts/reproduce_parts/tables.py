"""Published figures and ours as Markdown tables, and the pages that show them."""

from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path

from mnist_tui.analysis import markdown, published, statistics
from mnist_tui.analysis.published import Replication
from mnist_tui.spec.run_spec import RunSpec

IMAGES = {"test": 10_000, "train": 60_000}
"""That a published figure was measured on."""
PAGE, HOUSE_PAGE = (Path(__file__).parents[2] / path for path in ("benchmarks/README.md", "docs/house-models.md"))
HEADS = ("preset", "published", "on", "ours", "reached", "ours, last epoch, test", "seeds", "why not")
IS_RIGHT = (False, True, False, True, False, True, True, False)
HOUSE_HEADS = (
    *("preset", "parameters", "epochs", "goal"),
    *("last epoch, test", "95 % interval", "lowest", "highest", "seeds"),
)
HOUSE_IS_RIGHT = (False, *(True,) * 8)

NOT_KNOWN = "why is not known"
WHY: Mapping[str, str] = {}
"""Why no seed of ours reaches the published figure, by preset, where chance alone does not explain it."""


def table(specs: Sequence[RunSpec]) -> list[str]:
    """Published figures and ours as a Markdown table."""
    rows = [_row(each) for each in published.replications(specs, published.reference_runs())]
    return markdown.table([HEADS, *rows], IS_RIGHT)


def house_table(specs: Sequence[RunSpec]) -> list[str]:
    """The house models as a Markdown table: the last epoch on the test images, over their seeds."""
    rows = [_house_row(each) for each in published.replications(specs, published.reference_runs())]
    return markdown.table([HOUSE_HEADS, *rows], HOUSE_IS_RIGHT)


def _house_row(each: Replication) -> list[str]:
    spec, last = each.spec, each.last
    design = [spec.name, f"{spec.parameters:,}", str(spec.train.epochs), published.percent(spec.target.test_accuracy)]
    if last is None:
        return [*design, "", "", "", "", "not trained yet"]
    interval = statistics.mean_interval([run.last_accuracy for run in each.runs if run.last_accuracy is not None])
    between = f"{100 * interval[0]:.2f}–{100 * interval[1]:.2f}" if interval else ""
    return [*design, f"{last.mean:.3%}", between, f"{last.low:.2%}", f"{last.high:.2%}", str(len(each.runs))]


def with_table(page: str, lines: Sequence[str]) -> str:
    """A page with these lines in place of its table of presets."""
    before, _, rest = page.partition(f"| {HEADS[0]} ")
    after = rest.splitlines(keepends=True)[1:]
    while after and after[0].startswith("|"):
        del after[0]
    return before + "".join(f"{line}\n" for line in lines) + "".join(after)


def _row(each: Replication) -> list[str]:
    ours, last = each.ours, each.last
    reached = {True: "yes", False: "no", None: ""}[each.is_reached]
    why = why_not(each) if each.is_reached is False else ""
    seeds = str(len(each.runs)) if each.runs else "not trained yet"
    on = each.images if each.published is not None else ""
    return [each.spec.name, published.percent(each.published), on, _cell(ours), reached, _cell(last), seeds, why]


def why_not(each: Replication) -> str:
    """Why no seed reaches the published figure, in a few words; what is not known is said to be."""
    assert each.published is not None
    assert each.ours is not None
    short = each.published - each.ours.high
    chance = 2 * sqrt(each.published * (1 - each.published) / IMAGES[each.images])
    by = f"short by {100 * short:.2f} points"
    if short <= chance:
        return f"{by}, within the figure's own uncertainty, ±{100 * chance:.2f}"
    return f"{by}; {WHY.get(each.spec.name, NOT_KNOWN)}"


def _cell(spread: published.Spread | None) -> str:
    if spread is None:
        return ""
    return f"{spread.mean:.2%}" + (f" ({spread.range_text})" if spread.range_text else "")
