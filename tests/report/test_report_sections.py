"""The sections of a report on a course brief and on parameters against accuracy."""

from pathlib import Path
from typing import get_args

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run

from mnist_tui.report.brief_section import chosen_for, in_order_of
from mnist_tui.report.gather import make_report
from mnist_tui.report.model import Format
from mnist_tui.report.render import render
from mnist_tui.runs.index import RunIndex
from mnist_tui.runs.record import Run
from mnist_tui.spec import briefs, presets

RUNS = Path("runs")


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with runs of step1, in two seeds, and of step2, of which only step1 does what its step asks for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)
    make_run(RUNS, presets.load("step2"), 0, 0.985, 1)
    for seed in range(2):
        make_run(RUNS, presets.load("step1"), seed, 0.993, 2 + seed)


def saved_runs() -> list[Run]:
    """The runs of the folder."""
    index = RunIndex(RUNS)
    index.refresh()
    return index.all


def test_a_brief_chooses_and_orders_the_runs() -> None:
    """By step, not by time: the recipe that reaches the first, with its seeds, then the best attempt."""
    brief, runs = briefs.load("steps"), saved_runs()
    section = make_report(in_order_of(brief, runs), brief=brief).brief

    assert [run.name for run in chosen_for(brief, runs)][:2] == ["step1", "step1"]
    assert section is not None
    assert [step.is_reached for step in section.steps] == [True, False, False, False]
    assert section.steps[0].run == "step1 s0"
    assert "99.30% in the best epoch" in section.steps[0].result
    assert "too many" in section.steps[3].result
    assert make_report(runs).brief is None


@pytest.mark.parametrize("form", get_args(Format))
def test_both_sections_are_written(form: Format) -> None:
    """The brief first, the front behind the steps; a row for each of their steps and recipes."""
    brief, runs = briefs.load("steps"), saved_runs()
    rendered = render(make_report(runs, brief=brief), form, "files")
    places = [rendered.text.index(words) for words in ("The brief:", "Evolution", "Parameters and accuracy")]

    assert places == sorted(places)
    assert rendered.text.count("not reached, the best") == 3
    assert "step1 ×2" in rendered.text[places[2] :]
    assert ("leaderboard.svg" in rendered.files) is (form == "md")


def test_one_recipe_has_no_front() -> None:
    """There is nothing to hold it against."""
    assert make_report([run for run in saved_runs() if run.name == "step1"]).front is None


def test_a_report_by_brief(command: Command) -> None:
    """Without runs it finds them; a brief that is not there, and a folder without a run that counts, are one line."""
    assert command("report", "--brief", "steps", "-o", "a.md")[0] == 0
    assert command("report", "--brief", "step", "-o", "b.md")[0] == 2
    code, _, err = command("report", "--brief", "steps", "-o", "c.md", "--runs-dir", "nowhere")
    none = command("report")

    assert "The brief: " in Path("a.md").read_text()
    assert (code, err) == (2, "mnist-tui: no run in nowhere counts for the brief steps; train one\n")
    assert (none[0], none[2].count("\n")) == (2, 1)
    assert not list(Path().glob("[bc]*"))
