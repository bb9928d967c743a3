"""docs/house-models.md: the sweeps by which the house models were chosen can be trained again, and its plot is ours."""

from pathlib import Path

import pytest

from mnist_tui.analysis import leaderboard, plots, published
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.sweep.sweep_file import load_plan

PAGE = Path(__file__).parents[2] / "docs" / "house-models.md"
SWEEPS = sorted(PAGE.with_suffix("").glob("*.toml"))


def specs_of(path: Path) -> list[RunSpec]:
    """The spec of each point of a sweep."""
    plan = load_plan(path)
    return [plan.spec_of(point) for point in plan.all_points()]


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_the_page_names_each_sweep(path: Path) -> None:
    """Its file is a plan, on validation images and in at most 15 epochs."""
    specs = specs_of(path)

    assert f"mnist-tui sweep docs/house-models/{path.name}" in PAGE.read_text(encoding="utf-8")
    assert load_plan(path).choose_on == "validation"
    assert all(spec.train.validation_images == 10_000 and spec.train.epochs <= 15 for spec in specs)


@pytest.mark.parametrize("name", presets.house_names())
def test_each_house_model_was_among_them(name: str) -> None:
    """By its layers and its recipe, but for the split and the seed."""
    spec = presets.load(name)
    tried = [each for path in SWEEPS for each in specs_of(path)]
    same = {"validation_images": 0, "seed": spec.train.seed}

    assert any(each.calls == spec.calls and each.train.model_copy(update=same) == spec.train for each in tried)


def test_the_plot_on_the_page() -> None:
    """It is what `mnist-tui leaderboard --reference --by last --plot` draws on 80 columns."""
    board = leaderboard.make_leaderboard(published.reference_runs(), leaderboard.load_presets(), "last")

    assert "\n".join(plots.leaderboard_plot(board, 80, 24, ascii_only=False)) in PAGE.read_text(encoding="utf-8")
