"""`mnist-tui import`, and every command that takes a run, on an imported one."""

import json
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.logs import EPOCHS, code_cell, keras_log, line_log, markdown_cell, notebook, tqdm_log, write
from helpers.saved_runs import make_run

from mnist_tui.spec import presets


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def folders() -> list[str]:
    """The names of the run folders, hidden ones too."""
    return sorted(path.name for path in Path("runs").iterdir()) if Path("runs").is_dir() else []


def test_a_newcomer_overlays_a_notebook(command: Command) -> None:
    """Two commands: the import, and the comparison with a preset by names, with both curves."""
    make_run(Path("runs"), presets.load("iter5"))
    write(Path("S7.ipynb"), notebook(markdown_cell("# Session 7"), code_cell(tqdm_log(EPOCHS))))
    code, out, err = command("import", "S7.ipynb")

    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "S7: 3 epochs, best 98.55% in epoch 3"
    assert "  measured on: the log's test set (10,000 images)" in out
    assert out.splitlines()[-1].strip().startswith("runs/")

    code, out, err = command("compare", "S7", "iter5", "--plot")
    assert (code, err) == (0, "")
    assert "Not judged: " in out
    plot = out.partition("test accuracy, %")[2]
    assert "S7 (imported)" in plot
    assert "iter5 s0" in plot


def test_what_was_not_understood_is_shown(command: Command) -> None:
    """The count, and the first lines with their numbers."""
    write(Path("a.log"), line_log(EPOCHS) + "".join(f"Epoch x: loss 0.{n}\n" for n in range(1, 8)))
    _, out, _ = command("import", "a.log")

    assert "a.log: 7 lines of 10 look like epochs but were not understood" in out
    assert '  line 4: "Epoch x: loss 0.1"' in out
    assert "  and 2 more" in out


def test_as_json(command: Command) -> None:
    """Every run with its folder and facts; every line that was not understood."""
    write(Path("a.log"), tqdm_log(EPOCHS, first=0) + "Test accuracy: 1%\n")
    code, out, err = command("import", "a.log", "--json")
    (file,) = json.loads(out)
    (run,) = file["runs"]

    assert (code, err) == (0, "")
    assert file["not_understood_lines"] == [{"part": None, "line": 16, "text": "Test accuracy: 1%"}]
    assert (run["name"], run["epochs"], run["best"], run["parameters"]) == ("a", 3, 0.9855, None)
    assert Path(run["folder"], "history.jsonl").is_file()
    assert run["remarks"] == ["the log counts epochs from 0; here they count from 1"]


def test_a_file_that_cannot_be_read_does_not_keep_the_others_out(command: Command) -> None:
    """It is named on stderr, and the exit code tells; a file that is named twice is imported once."""
    write(Path("a.log"), line_log(EPOCHS))
    write(Path("b.log"), "hello\n")
    code, out, err = command("import", "a.log", "b.log", "missing.log", "a.log")

    assert code == 2
    assert err.splitlines()[0].startswith("mnist-tui: b.log: no epoch in it is understood")
    assert err.splitlines()[1] == "mnist-tui: missing.log: No such file or directory"
    assert out.count("3 epochs") == len(folders()) == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([""], "FILE is empty"),
        (["a.log", "--name", "../x"], "--name ../x: must be 1 to 60 letters"),
        (["a.log", "--name", ""], "--name '': must be 1 to 60 letters"),
        (["a.log", "b.log", "--name", "x"], "--name names the runs of one file"),
        (["a.log", "--parameters", "many"], "--parameters many: must be a whole number"),
        (["a.log", "--parameters", "0"], "--parameters 0: must be a whole number"),
        (["a.log", "--measured-on", " "], "--measured-on: say which images"),
        (["a.log", "--nam", "x"], "there is no option --nam; did you mean '--name'?"),
        ([], "FILE... is missing"),
    ],
)
def test_bad_input_is_one_line(command: Command, arguments: list[str], why: str) -> None:
    """And nothing is imported."""
    write(Path("a.log"), line_log(EPOCHS))
    code, out, err = command("import", *arguments)

    assert (code, out) == (2, "")
    assert err.startswith(f"mnist-tui: {why}")
    assert len(err.splitlines()) == 1
    assert folders() == []


def test_what_the_user_knows(command: Command) -> None:
    """A name, parameters and words about the images, which every table shows."""
    write(Path("a.log"), keras_log(EPOCHS))
    command("import", "a.log", "--name", "lenet", "--parameters", "44426", "--measured-on", "MNIST's test images")
    _, out, _ = command("runs", "state:imported", "--columns", "name,parameters,on,best")

    assert out.splitlines()[1] == "lenet  44,426  MNIST's test images (told at the import)  98.55%"


@pytest.fixture
def run(command: Command) -> str:
    """The name of an imported run."""
    write(Path("a.log"), keras_log(EPOCHS))
    command("import", "a.log")
    (folder,) = folders()
    return folder


@pytest.mark.parametrize("arguments", [["resume"], ["extend", "RUN", "2"], ["analyse"], ["watch", "RUN", "--plain"]])
def test_commands_that_need_a_network_say_why_not(command: Command, run: str, arguments: list[str]) -> None:
    """In one line, with the exit code of a run that cannot do what is asked."""
    typed = [run if word == "RUN" else word for word in arguments]
    code, out, err = command(*(typed if run in typed else [*typed, run]))

    assert (code, out) == (2, "")
    assert err == (f"mnist-tui: runs/{run}: is an imported log: it has curves, but no network, recipe or predictions\n")


def test_resume_and_classify_pass_over_it(command: Command, run: str) -> None:
    """The newest run that they look for is one that was trained."""
    assert "no run in it was interrupted or stopped" in command("resume")[2]
    assert "no run in it has finished an epoch" in command("classify", "x.png")[2]


def test_commands_that_work_on_it(command: Command, run: str) -> None:
    """Open, tag, copy, delete and restore; no NaN in the JSON, no seed that there is not."""
    end = run.rpartition("-")[2]
    code, out, err = command("open", end, "--plot")
    assert (code, err) == (0, "")
    assert "None" not in out
    assert "nan" not in out
    assert "coach" not in out
    assert "a (imported, validation)" in out

    code, out, _ = command("open", end, "--json")
    epoch = json.loads(out, parse_constant=pytest.fail)["epochs"][0]
    assert epoch["test_accuracy"] is None
    assert set(epoch["unknown"]) == {"test_accuracy", "test_loss", "images_per_second", "learning_rate"}

    assert command("tag", end, "x")[:2] == (0, "x\n")
    assert command("export", end, "copy")[:2] == (0, "copy\n")
    assert command("delete", end)[0] == 0
    assert command("restore", end)[0] == 0


def test_a_name_of_several_logs(command: Command) -> None:
    """The newest of one name is taken; of several names none is chosen for the user."""
    make_run(Path("runs"), presets.load("iter5"))
    for name in ("S7-a", "S7-b", "S7-b"):
        write(Path("a.log"), line_log(EPOCHS))
        command("import", "a.log", "--name", name)

    assert command("compare", "S7-b", "iter5")[0] == 0
    code, _, err = command("compare", "S7*", "iter5")
    assert code == 2
    assert "S7*: 3 imported logs are chosen (S7-a, S7-b); name one" in err
