"""`--format` and `--json`, as a user meets them; the keys of JSON and CSV are in test_json_page.py."""

import json
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run, write_predictions

from mnist_tui.runs.annotations import Notes, write_notes, write_tags
from mnist_tui.spec import presets


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with two runs, 0000 and 0001, and somebody's pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)
    for index, name in enumerate(("iter4", "iter5")):
        folder = make_run(Path("runs"), presets.load(name), 0, 0.99 + 0.001 * index, index, epochs=3)
        write_predictions(folder, [index])
    write_tags(folder, ["x", "best-so-far"])
    write_notes(folder, Notes(analysis='=HYPERLINK("x")|*loud*'))
    Path("runs/pictures").mkdir()


WITH_FORMAT = {
    "list": ("--list",),
    "runs": ("runs",),
    "open": ("open", "0001"),
    "compare": ("compare", "0000", "0001"),
    "leaderboard": ("leaderboard",),
}


@pytest.mark.parametrize("arguments", WITH_FORMAT.values(), ids=WITH_FORMAT)
def test_every_format_is_one_of_its_own(arguments: tuple[str, ...], command: Command) -> None:
    """Without --format it is the table, --json is short for --format json, and no two are the same."""
    shown = {name: command(*arguments, "--format", name) for name in ("table", "markdown", "csv", "json")}

    assert {answer[0] for answer in shown.values()} == {0}
    assert {answer[2] for answer in shown.values()} == {""}
    assert command(*arguments) == shown["table"]
    assert command(*arguments, "--json") == command(*arguments, "--json", "--format", "json") == shown["json"]
    assert len({answer[1] for answer in shown.values()}) == 4
    assert not [line for line in shown["table"][1].splitlines() if line != line.rstrip()]
    assert [line for line in shown["markdown"][1].splitlines() if line.startswith(("|:--", "|---"))]


@pytest.mark.parametrize("arguments", WITH_FORMAT.values(), ids=WITH_FORMAT)
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--format", "cvs"), "--format cvs: must be table, markdown, csv or json; did you mean 'csv'?"),
        (("--format", ""), "--format : must be table, markdown, csv or json"),
        (("--format", "csv", "--json"), "--json is not allowed with --format csv"),
    ],
)
def test_a_wrong_format_is_one_line(
    more: tuple[str, ...], message: str, arguments: tuple[str, ...], command: Command
) -> None:
    """Exit code 2, nothing on stdout."""
    code, out, err = command(*arguments, *more)

    assert (code, out) == (2, "")
    assert err.strip() == f"mnist-tui: {message}".strip()


@pytest.mark.parametrize("arguments", [("open", "0001"), ("compare", "0000", "0001"), ("leaderboard",)])
@pytest.mark.parametrize("named", ["markdown", "csv", "json"])
def test_a_plot_is_for_terminals(named: str, arguments: tuple[str, ...], command: Command) -> None:
    """In other formats there is no place for it."""
    assert command(*arguments, "--plot", "--format", named)[:2] == (2, "")


def test_published_figures_have_no_csv(command: Command) -> None:
    """They are another table; Markdown has both."""
    assert command("leaderboard", "--published", "--format", "csv")[:2] == (2, "")
    assert command("leaderboard", "--published", "--format", "markdown")[1].count("| name ") == 2


@pytest.mark.parametrize("arguments", [("--format", "csv"), ("--batch", "iter5", "--format", "csv")])
def test_format_goes_with_a_list(arguments: tuple[str, ...], command: Command) -> None:
    """A training prints events, which are no table."""
    code, out, err = command(*arguments)

    assert (code, out) == (2, "")
    assert "--format goes with --list" in err


def test_what_a_person_wrote_is_safe_in_every_format(command: Command) -> None:
    """No column, markup or formula begins with it."""
    text, markdown, csv_lines, as_json = (
        command("runs", "iter5", "--columns", "name,tag,note", "--format", name)[1]
        for name in ("table", "markdown", "csv", "json")
    )

    assert text.splitlines()[1] == 'iter5  best-so-far, x  =HYPERLINK("x")|*loud*'
    assert '| =HYPERLINK("x")\\|\\*loud* |' in markdown
    assert csv_lines.splitlines()[1] == 'iter5,best-so-far x,"\'=HYPERLINK(""x"")|*loud*"'
    assert json.loads(as_json)[0]["note"] == '=HYPERLINK("x")|*loud*'


@pytest.mark.parametrize("named", ["markdown", "csv"])
def test_without_a_run_there_is_the_heading(named: str, command: Command) -> None:
    """So a script need not tell apart no run and no answer."""
    out = command("runs", "nosuch", "--format", named, "--columns", "name,best")[1]

    assert out.replace(" ", "").replace("-", "").splitlines()[0].strip("|").replace("|", ",") == "name,best"
    assert json.loads(command("runs", "nosuch", "--json")[1]) == []


def test_seeds_of_a_recipe_in_csv(command: Command) -> None:
    """Means and standard deviations; what differs is listed, and a repeat is not counted."""
    for index, (seed, accuracy) in enumerate(((1, 0.993), (1, 0.995)), start=2):
        make_run(Path("runs"), presets.load("iter5"), seed, accuracy, index, epochs=3)
    out = command("runs", "iter5", "--group", "--format", "csv", "--columns", "seed,state,best,tag,run")[1]
    heading, line = out.splitlines()

    assert heading == "seed,state,best,best_sd,tag,run"
    assert line.startswith("1 0,completed,0.993,0.0028284271247461")
    assert line.endswith(",best-so-far x,20260101T000300Z-iter5-s1-0003 20260101T000100Z-iter5-s0-0001")


def test_a_folder_that_is_no_run_is_opened_in_every_format(command: Command) -> None:
    """What is wrong with it in Markdown, no epoch in CSV."""
    assert command("open", "pictures", "--format", "markdown")[1].startswith("### pictures\n\n- result: no run (")
    assert len(command("open", "pictures", "--format", "csv")[1].splitlines()) == 1


def test_a_filter_may_be_several_words(command: Command) -> None:
    """With `or`, `not` and brackets, in quotes or in words of the shell's."""
    for words in (["iter4 or iter5"], ["iter4", "or", "iter5"], ["-(", "pictures", ")"], ["not", "pictures"]):
        assert [run["name"] for run in json.loads(command("runs", *words, "--json")[1])] == ["iter5", "iter4"]
    assert command("runs", "iter4", "or") == (
        *(2, ""),
        "mnist-tui: or: which condition comes after it? write one, as in: iter4 or iter5\n",
    )


def test_an_ambiguous_filter_is_narrowed_with_brackets(command: Command) -> None:
    """The example behind the error is a filter that does what it says."""
    err = command("compare", "iter4 or iter5", "era5")[2]
    example = err.partition("such as '")[2].partition("'")[0]

    assert example.startswith("(iter4 or iter5) ")
    assert len(json.loads(command("runs", example, "--json")[1])) == 1
