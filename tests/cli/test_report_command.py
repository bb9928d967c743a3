"""`mnist-tui report`: which runs it takes, in which order, where it writes, and what it refuses."""

from pathlib import Path

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run, write_predictions

from mnist_tui.datasets.test_images import SHA256
from mnist_tui.runs.annotations import Notes, write_notes
from mnist_tui.spec import presets

DIGITS = {"name": "digits", "sha256": SHA256["digits"], "train_images": 1437, "test_images": 360, "val_images": 0}


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """One run of each of the four steps of a course, the newest first in time, in ./runs; by their names."""
    monkeypatch.chdir(tmp_path)
    folders = {}
    for index, name in enumerate(("step4", "step3", "step2", "step1")):
        folders[name] = make_run(Path("runs"), presets.load(name), 0, 0.98 + index / 500, index, dataset=DIGITS)
        write_predictions(folders[name], [3, 4], 360)
    return folders


def steps(path: str = "report.md") -> list[str]:
    """The names of the steps of a report, in order."""
    lines = Path(path).read_text().splitlines()
    return [line.split()[2].rstrip(":") for line in lines if line[:4] == "## " + line[3:4] and line[3:4].isdigit()]


def test_four_steps_of_a_course_need_only_their_analysis(command: Command, runs: dict[str, Path]) -> None:
    """One command; it names the file, and what is to be written."""
    code, out, err = command("report", "step1", "step2", "step3", "step4")

    assert (code, out) == (0, "report.md\n")
    assert steps() == ["step1", "step2", "step3", "step4"]
    assert err.splitlines() == [
        f"to be written: analysis of {name} s0: mnist-tui note runs/{runs[name].name}"
        for name in ("step1", "step2", "step3", "step4")
    ]
    assert Path("report.md").read_text().count("**To be written**") == 4
    assert len(list(Path("report_files").iterdir())) == 17


def test_what_is_written_into_the_notes_is_in_the_report_made_again(command: Command, runs: dict[str, Path]) -> None:
    """The same command replaces the report; the notes stay as they are."""
    command("report", "step1", "step2")
    write_notes(runs["step1"], Notes("t", "r", "Too *large*."))
    notes = (runs["step1"] / "notes.md").read_bytes()
    code, _, err = command("report", "step1", "step2")

    assert (code, err.count("to be written")) == (0, 1)
    assert "Too *large*." in Path("report.md").read_text()
    assert (runs["step1"] / "notes.md").read_bytes() == notes


def test_runs_by_their_names_presets_and_filters(command: Command, runs: dict[str, Path]) -> None:
    """In the order given; of a filter by time; a run that is chosen twice is there once."""
    end = runs["step2"].name.rpartition("-")[2]
    code, _, _ = command("report", end, str(runs["step3"]), "step*", "-o", "a.md")

    assert code == 0
    assert steps("a.md") == ["step2", "step3", "step4", "step1"]


def test_a_filter_takes_the_completed_runs(command: Command) -> None:
    """And says how many it leaves out; where none is completed it takes what there is."""
    make_run(Path("runs"), presets.load("step1"), 5, 0.9, 30, outcome="stopped")
    make_run(Path("runs"), presets.load("v1"), 5, 0.9, 31, outcome="stopped")
    code, _, err = command("report", "step1")

    assert (code, steps()) == (0, ["step1"])
    assert "step1: left out 1 run that did not complete; named one by one they are taken" in err
    assert command("report", "v1", "-o", "v1.md")[0] == 0
    assert "v1 s5 stopped: it stopped for a test" in Path("v1.md").read_text()


def test_html_by_the_end_of_the_name_and_by_the_option(command: Command) -> None:
    """One file; without a name it is report.html."""
    for arguments, path in ((("-o", "a.html"), "a.html"), (("--format", "html"), "report.html")):
        assert command("report", "step1", *arguments)[:2] == (0, f"{path}\n")
        assert Path(path).read_text().startswith("<!doctype html>")
    assert command("report", "step1", "-o", "page.txt", "--format", "md", "--title", "Mine")[0] == 0
    assert Path("page.txt").read_text().startswith("# Mine\n")
    assert not Path("a_files").exists()


def test_torchsummary_and_a_template(command: Command) -> None:
    """The other form of the layer table; a page of one's own."""
    Path("mine.j2").write_text("{% for step in report.steps %}{{ step.layer_table }}{% endfor %}")
    code, _, _ = command("report", "step1", "--template", "mine.j2", "--torchsummary")

    assert code == 0
    assert Path("report.md").read_text().lstrip().startswith("-----")
    assert not Path("report_files").exists()


def test_a_report_that_was_edited_stays_without_force(command: Command) -> None:
    """The message says where the words belong."""
    command("report", "step1")
    edited = Path("report.md").read_text() + "my words\n"
    Path("report.md").write_text(edited)
    code, out, err = command("report", "step1")

    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "mnist-tui note RUN" in err
    assert "--force replaces it" in err
    assert Path("report.md").read_text() == edited
    assert command("report", "step1", "--force")[0] == 0
    assert "my words" not in Path("report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "RUN|PRESET|FILTER is missing"),
        (("",), 2, "RUN is empty"),
        (("stpe1",), 2, "did you mean 'step1'?"),
        (("step1 acc>100",), 2, "and as a filter it chooses none"),
        (("acc>",), 2, "what should best be?"),
        (("step1", "-o", "report.pdf"), 2, "must end in .md or .html, or --format say which it is"),
        (("step1", "--format", "htm"), 2, "--format htm: must be md or html; did you mean 'html'?"),
        (("step1", "-o", "no/report.md"), 2, "no: there is no such folder"),
        (("step1", "-o", "runs", "--format", "md"), 2, "runs: is a folder; name a file in it"),
        (("step1", "--template", "no.j2"), 3, "no.j2: No such file or directory"),
        (("step1", "--template", "bad.j2"), 2, "bad.j2, line 2: there is no 'stepz'; did you mean 'steps'?"),
        (("damaged",), 3, "damaged: run.json is no JSON"),
    ],
    ids=str,
)
def test_bad_input_is_one_line_and_leaves_no_file(
    command: Command, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """With the exit code of its kind."""
    Path("bad.j2").write_text("\n{{ report.stepz }}")
    damaged = make_run(Path("runs"), presets.load("v2"), 0, 0.9, 40)
    (damaged / "run.json").write_text("{")
    before = sorted(Path().iterdir())
    name = damaged.name.rpartition("-")[2]
    shown, out, err = command("report", *(name if each == "damaged" else each for each in arguments))

    assert (shown, out) == (code, "")
    assert err.count("\n") == 1
    assert words in err
    assert sorted(Path().iterdir()) == before


def test_a_folder_that_is_no_run_is_left_out_of_a_filter(command: Command) -> None:
    """As is one that is damaged."""
    damaged = make_run(Path("runs"), presets.load("step1"), 9, 0.9, 40)
    (damaged / "run.json").write_text("{")
    (Path("runs") / "step1-notes").mkdir()

    assert command("report", "step1")[0] == 0
    assert steps() == ["step1"]
