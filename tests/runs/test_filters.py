"""The filter language, word by word, and the columns that it speaks of."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.saved_runs import MNIST, make_run

from mnist_tui.errors import ColumnError, FilterError
from mnist_tui.runs import columns, filters
from mnist_tui.runs.annotations import write_tags
from mnist_tui.runs.index import RunIndex, grouped
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> RunIndex:
    """Five runs that differ in name, optimizer, accuracy, state and tag."""
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder, presets.load("iter4"), 0, 0.9931, 0)
    write_tags(make_run(folder, presets.load("iter5"), 1, 0.9942, 1), ["best-so-far", "x"])
    make_run(folder, presets.load("era5"), 2, 0.991, 2, outcome="failed")
    make_run(folder, presets.load("v2"), 3, 0.9938, 3)
    make_run(folder, presets.load("iter5"), 12, 0.9944, 4)
    (folder / "pictures").mkdir()
    index = RunIndex(folder)
    index.refresh()
    return index


def chosen(runs: RunIndex, text: str) -> set[tuple[str, int | None]]:
    """Name and seed of the runs that a filter chooses."""
    return {(run.name, run.seed) for run in filters.choose(runs.all, text)}


ITER4, ITER5, ERA5, V2, ITER5_12 = ("iter4", 0), ("iter5", 1), ("era5", 2), ("v2", 3), ("iter5", 12)
PICTURES = ("pictures", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {ITER4, ITER5, ERA5, V2, ITER5_12, PICTURES}),
        ("iter*", {ITER4, ITER5, ITER5_12}),
        ("ITER5", {ITER5, ITER5_12}),
        ("iter?", {ITER4, ITER5, ITER5_12}),
        ("er5", {ITER5, ITER5_12}),
        ("params<20000", {ITER5, ERA5, ITER5_12}),
        ("params<=18_422", {ITER5, ERA5, ITER5_12}),
        ("parameters!=18422 params>0", {ITER4, ERA5, V2}),
        ("acc>0.994", {ITER5, ITER5_12}),
        ("acc>99.4", {ITER5, ITER5_12}),
        ("acc>99.4%", {ITER5, ITER5_12}),
        ("best>=99.31 best<99.4", {ITER4, V2}),
        ("opt:sgd", {ERA5}),
        ("opt=adam", {ITER4, ITER5, ITER5_12}),
        ("opt:adam", {ITER4, ITER5, ITER5_12, V2}),
        ("tag:x", {ITER5}),
        ("tag:best*", {ITER5}),
        ("tag=best-so-far", {ITER5}),
        ("state:failed", {ERA5}),
        ("-state:failed iter*", {ITER4, ITER5, ITER5_12}),
        ("-iter* -pictures", {ERA5, V2}),
        ("seed=1", {ITER5}),
        ("seed:1", {ITER5, ITER5_12}),
        ("lr=0.002", {ITER4, ITER5, ITER5_12}),
        ("dropout:0.05", {ERA5}),
        ("gap<0.2", {ITER4, ITER5, ERA5, V2, ITER5_12}),
        ("gap>0.2", set()),
        ("augment:rotation iter4", {ITER4}),
        ('note:"for a test"', {ERA5}),
        ("state!=completed", {ERA5, PICTURES}),
        ("state:'no run'", {PICTURES}),
        ("'state:no run'", {PICTURES}),
        ("iter4 or v2", {ITER4, V2}),
        ("iter4 OR v2 or pictures", {ITER4, V2, PICTURES}),
        ("iter4 or iter5 acc>99.43", {ITER4, ITER5_12}),
        ("(iter4 or iter5) acc>99.43", {ITER5_12}),
        ("acc>99.43 (iter4 or iter5)", {ITER5_12}),
        ("iter* and not seed=1", {ITER4, ITER5_12}),
        ("not iter5 or seed=1", {ITER4, ITER5, ERA5, V2, PICTURES}),
        ("-(iter4 or iter5)", {ERA5, V2, PICTURES}),
        ("not (iter4 or iter5) -pictures", {ERA5, V2}),
        ("not(iter4 or iter5)and(era5)", {ERA5}),
        ("-(-iter5)", {ITER5, ITER5_12}),
        ("- iter*", {ERA5, V2, PICTURES}),
        ("((iter4))or(v2)", {ITER4, V2}),
        ("--iter4", {ITER5, ERA5, V2, ITER5_12, PICTURES}),
    ],
)
def test_what_a_filter_chooses(text: str, expected: set[tuple[str, int | None]], runs: RunIndex) -> None:
    """A filter chooses the runs for which every word holds."""
    assert chosen(runs, text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("acc>high", "acc>high: enter a number such as best>99.4"),
        ("params<2e", "params<2e: enter a number such as parameters<20000"),
        ("lr=0.0.1", "lr=0.0.1: enter a number such as lr=0.001"),
        ("epochs>nan", "epochs>nan: enter a number such as epochs>20"),
        ("seconds<inf", "enter a number such as seconds<20"),
        ("paarms<3", "paarms<3: there is no column 'paarms'; did you mean 'params'?"),
        ("opt<3", "opt<3: opt is not a number; write opt:WORD"),
        ("acc>", "acc>: what should best be? write it after the >"),
        ('note:"x', "a quotation mark is not closed"),
        ("iter4 | iter5", "|: write 'or' between two conditions, as in: iter4 or iter5"),
        ("iter4|iter5", "iter4|iter5: write 'or' between two conditions"),
        ("iter4 && acc>99", "&&: conditions beside each other must all hold; write a space"),
        ("acc >99", ">99: which column is compared? write it before the sign, without a space: acc>99.4"),
        ("acc != 99", "!=: which column is compared?"),
        ("opt :sgd", ":sgd: which column is searched? write it before the sign, without a space: opt:sgd"),
        ("iter4(x)", "iter4(x): brackets stand around whole conditions"),
        ("tag:(x or y)", "tag:(x: brackets stand around whole conditions"),
        ("iter" + "?" * 300, "????: a pattern has at most 300 characters"),
        ("(iter4 or paarms<3)", "paarms<3: there is no column 'paarms'; did you mean 'params'?"),
        ("iter4 or acc>", "acc>: what should best be? write it after the >"),
    ],
)
def test_what_is_wrong(text: str, message: str) -> None:
    """The error names the word and what to do; no default takes its place."""
    with pytest.raises(FilterError) as caught:
        filters.choose([], text)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["name:or", "name:and", "name:not", "name:a|b", "name:(a)", "(name:(a))", "notes", "orange", '"or"', "'(a)'"],
)
def test_a_name_may_have_such_a_word(text: str) -> None:
    """An operator or a bracket is found by `name:` or in quotes; a word that only begins like one is no operator."""
    name = text.strip("'\"") if text[0] in "'\"" else text.removeprefix("(").removeprefix("name:").replace("))", ")")
    run = Run(Path("x"), "completed", record={"name": name})

    assert filters.choose([run], text) == [run]


def test_order(runs: RunIndex) -> None:
    """Runs are sorted rising and falling; those without a value are last in both."""
    singles = [[run] for run in runs.all]
    falling = [group[0].name for group in columns.ordered(singles, "-best")]
    rising = [group[0].name for group in columns.ordered(singles, "best")]

    assert falling == ["iter5", "iter5", "v2", "iter4", "era5", "pictures"]
    assert rising == ["era5", "iter4", "v2", "iter5", "iter5", "pictures"]
    for column in columns.ALL:
        assert len(columns.ordered(singles, column.key)) == 6
    with pytest.raises(ColumnError, match="did you mean 'best'"):
        columns.ordered(singles, "bset")


DIGITS = {"name": "digits", "sha256": "1" * 64, "test_images": 360}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> list[list[Run]]:
    """Two runs on MNIST, two on the digits, and a folder that holds no run."""
    folder = tmp_path_factory.mktemp("mixed")
    for index, (accuracy, data) in enumerate([(0.80, DIGITS), (0.986, MNIST), (0.995, DIGITS), (0.98, MNIST)]):
        make_run(folder, presets.load("iter5"), index, accuracy, index, dataset=data)
    (folder / "pictures").mkdir()
    runs = RunIndex(folder)
    runs.refresh()
    return [[run] for run in runs.all]


@pytest.mark.parametrize(
    ("by", "expected"),
    [("-best", [98.6, 98.0, 99.5, 80.0]), ("best", [98.0, 98.6, 80.0, 99.5]), ("-last", [98.6, 98.0, 99.5, 80.0])],
)
def test_an_accuracy_ranks_data_sets_apart(by: str, expected: list[float], mixed: list[list[Run]]) -> None:
    """Runs on digits never stand among those on MNIST, rising or falling; those without an accuracy are last."""
    rows = [run for (run,) in columns.ordered(mixed, by)]

    assert [round(100 * (run.best_accuracy or 0), 1) for run in rows] == [*expected, 0]
    assert [run.dataset for run in rows] == ["mnist", "mnist", "digits", "digits", None]


def test_what_is_no_accuracy_ranks_them_together(mixed: list[list[Run]]) -> None:
    """Sorting by the seed does not separate the data sets."""
    assert [run.dataset for (run,) in columns.ordered(mixed, "seed")] == ["digits", "mnist", "digits", "mnist", None]


def test_the_data_set_is_a_column_where_there_are_several(mixed: list[list[Run]]) -> None:
    """The column stands before the accuracies, or last without one; once, and only with several data sets."""
    alike = [runs for runs in mixed if runs[0].dataset != "digits"]

    def keys(rows: list[list[Run]], *names: str) -> list[str]:
        return [column.key for column in columns.shown_columns(rows, names)]

    assert keys(mixed, "name", "params", "best", "last") == ["name", "parameters", "data", "best", "last"]
    assert keys(mixed, "name", "seed") == ["name", "seed", "data"]
    assert keys(mixed, "best", "data") == ["best", "data"]
    assert keys(alike, "name", "best") == ["name", "best"]
    assert keys([], "name") == ["name"]


def test_a_column_without_a_value_is_left_out(runs: RunIndex) -> None:
    """Only columns in which a shown row has a value stand in the table; without rows all do."""
    tagged = [[run] for run in runs.all if run.name == "iter5"]
    names = ("name", "curve", "best", "target", "tag", "reason")

    def keys(rows: list[list[Run]]) -> list[str]:
        return [column.key for column in columns.shown_columns(rows, names)]

    assert keys(tagged) == ["name", "curve", "best", "tag", "reason"]
    assert keys([[run] for run in runs.all if run.name == "iter4"]) == ["name", "curve", "best", "reason"]
    assert keys([[run] for run in runs.all if run.name == "pictures"]) == ["name", "reason"]
    assert keys([]) == list(names)


def test_the_curve(runs: RunIndex) -> None:
    """Several seeds have the curve of their mean; the column sorts by the last epoch."""
    curve = columns.column("curve")
    group = next(group for group in grouped(runs.all) if len(group) == 2)
    singles = [[run] for run in runs.all]

    assert curve.of(group) == "▁▁▁▂▂▃▃▄▄▄▅▅▅▅▅▅▅▆▆▆"
    assert columns.ordered(singles, "-curve") == columns.ordered(singles, "-last")
    assert curve.of([run for run in runs.all if run.name == "pictures"]) == "-"


def test_a_list_does_not_read_the_curves(runs: RunIndex) -> None:
    """Choosing and sorting columns reads no history: ten thousand of them take seconds."""
    fresh = RunIndex(runs.runs_dir)
    fresh.refresh()
    rows = columns.ordered([[run] for run in fresh.all], "-curve")

    assert "curve" in [column.key for column in columns.shown_columns(rows, ("name", "curve"))]
    assert not any(run.has_accuracies for run in fresh.all)


def test_a_spread_has_no_sign() -> None:
    """The standard deviation has no sign where the mean has one."""
    runs: Any = [SimpleNamespace(gap=gap, observation=gap, created="", id="") for gap in (0.001, 0.003)]

    assert columns.column("gap").of(runs) == "+0.20 ±0.14"


def test_several_seeds_in_a_row(runs: RunIndex) -> None:
    """A row of several seeds shows mean and spread, the number of seeds, and what they share."""
    group = next(group for group in grouped(runs.all) if len(group) == 2)
    cells = {column.key: column.of(group) for column in columns.ALL}

    assert cells["best"] == "99.43% ±0.01"
    assert cells["seed"] == "2 seeds"
    assert cells["parameters"] == "18,422"
    assert cells["name"] == "iter5"
