"""The commands on saved runs, as a user meets them: stdout, stderr, exit code, and what is on the disk."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run, write_predictions
from PIL import Image, ImageDraw

from mnist_tui.cli import main as cli
from mnist_tui.runs import annotations
from mnist_tui.spec import presets


@pytest.fixture
def command(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`mnist-tui` in this process, over six runs and somebody's pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)
    for seed in range(2):
        for index, name in enumerate(("iter4", "iter5")):
            folder = make_run(
                Path("runs"), presets.load(name), seed, 0.99 + 0.001 * index + 0.0001 * seed, 2 * seed + index
            )
            write_predictions(folder, [seed] if index else list(range(10, 20)))
    changed = presets.load("iter5").with_settings({"batch_size": "32"})
    make_run(Path("runs"), changed, 0, 0.98, 10)
    make_run(Path("runs"), presets.load("era5"), 0, 0.5, 11, outcome="failed")
    Path("runs/pictures").mkdir()
    return command


def test_runs(command: Command) -> None:
    """A line for every folder, the newest first; no word on stderr."""
    code, out, err = command("runs")

    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == [
        *("name", "era5", "iter5", "iter5", "iter4", "iter5", "iter4", "pictures")
    ]
    assert "(it failed for a test)" in out


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("iter5", "--sort", "-best"), ["iter5", "iter5", "iter5"]),
        (("--sort=best", "--limit", "1"), ["era5"]),
        (("-name:iter5", "-pictures", "--sort", "name"), ["era5", "iter4", "iter4"]),
        (("state:completed", "batch=32"), ["iter5"]),
        (("iter*", "--group", "--sort", "-best"), ["iter5", "iter4", "iter5"]),
    ],
)
def test_filter_order_and_groups(arguments: tuple[str, ...], names: list[str], command: Command) -> None:
    """Filters and orders may begin with a minus."""
    _, out, _ = command("runs", *arguments)

    assert [line.split()[0] for line in out.splitlines()[1:]] == names


def test_runs_as_json(command: Command) -> None:
    """One array with every column; with --group an array of arrays."""
    listed_runs = json.loads(command("runs", "--json")[1])
    groups = json.loads(command("runs", "--json", "--group", "iter4")[1])

    assert len(listed_runs) == 7
    assert {run["name"]: run["opt"] for run in listed_runs}["era5"] == "SGD"
    assert listed_runs[-1]["best"] is None
    assert [len(group) for group in groups] == [2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("runs", "acc>high"), "acc>high: enter a number such as best>99.4"),
        (("runs", "--columns", "name,bset"), "there is no column 'bset'; did you mean 'best'?"),
        (("runs", "--sort", "bset"), "did you mean 'best'?"),
        (("open", "nothing"), "nothing: is no run folder, and no run in runs has that name; mnist-tui runs lists them"),
        (("open", "iter"), "no run in runs has that name"),
        (("open", "era5"), "era5: name one of its runs: 20"),
        (("open", "s0-"), "no run in runs has that name"),
        (("delete", "pictures"), "is no run folder; name one that holds a run.json"),
        (("delete", "0002", ""), "RUN is empty; mnist-tui runs lists them"),
        (("open", "x" * 5_000), "File name too long"),
        (("tag", "elsewhere/runs/0002", "x"), "elsewhere/runs/0002: is no run folder"),
        (("resume", "nothing"), "no run in runs has that name"),
        (("resume", "0002"), "this run has completed; there is nothing to resume"),
        (("watch", "nothing"), "no run in runs has that name"),
        (("watch", "--runs-dir", "nowhere"), "nowhere: there is no run in it"),
        (("extend", "nothing", "3"), "no run in runs has that name"),
        (("extend", "000b", "3"), "this run is not done"),
        (("delete", "nothing"), "no run in runs has that name"),
        (("note", "nothing"), "no run in runs has that name"),
        (("export", "nothing", "x.zip"), "no run in runs has that name"),
        (("compare", "iter4"), "compare takes two or more"),
        (
            ("compare", "iter4", "iter5"),
            "2 different recipes are chosen, which differ in batch_size (32 or 64); "
            "say which, such as 'iter5 batch=32', or name single runs",
        ),
        (("compare", "iter4", "era5"), "era5: no run of it is completed"),
        (("compare", "iter4", "bogus"), "and as a filter it chooses none"),
        (("tag", "0002", "two words"), "is no tag"),
        (("restore", "x"), "is not in the trash"),
        (("tag", "pictures", "x"), "somebody else's folder"),
    ],
)
def test_what_is_wrong(arguments: tuple[str, ...], message: str, command: Command) -> None:
    """One line, exit code 2, nothing on stdout."""
    code, out, err = command(*arguments)

    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


RUN_COMMANDS = {
    **{name: (name, "0002") for name in ("note", "resume", "watch", "analyse")},
    "tag": ("tag", "0002", "x"),
    "export": ("export", "0002", "x.zip"),
    "extend": ("extend", "0002", "3"),
    "compare": ("compare", "0000", "0002"),
    "analyse --against": ("analyse", "0000", "--against", "0002"),
    "classify": ("classify", "seven.png", "--run", "0002"),
}


@pytest.fixture
def with_digit() -> None:
    """An image that `classify` can read."""
    image = Image.new("L", (28, 28), 255)
    ImageDraw.Draw(image).line([(8, 8), (20, 8), (12, 22)], fill=0, width=3)
    image.save("seven.png")


@pytest.mark.parametrize("arguments", RUN_COMMANDS.values(), ids=RUN_COMMANDS)
@pytest.mark.parametrize("damage", ["{", '{"format": 99}'], ids=["damaged", "newer format"])
def test_a_damaged_run_has_one_exit_code(
    damage: str, arguments: tuple[str, ...], command: Command, with_digit: None
) -> None:
    """3, whichever command meets it: the folder is there, but this machine cannot read it."""
    (folder,) = Path("runs").glob("*-0002")
    (folder / "run.json").write_text(damage)
    files = sorted(path.name for path in folder.iterdir())
    code, out, err = command(*arguments)

    assert (code, out, err.count("\n")) == (3, "", 1)
    assert err.startswith(f"mnist-tui: {folder}: ")
    assert "run.json" in err
    assert sorted(path.name for path in folder.iterdir()) == files


@pytest.mark.parametrize("arguments", RUN_COMMANDS.values(), ids=RUN_COMMANDS)
def test_a_folder_that_is_no_run_is_wrong_input(arguments: tuple[str, ...], command: Command, with_digit: None) -> None:
    """2, whichever command meets it."""
    named = ["pictures" if argument == "0002" else argument for argument in arguments]
    code, out, err = command(*named)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "somebody else's folder" in err


@pytest.mark.parametrize("name", ["open", "resume", "watch", "note"])
def test_an_empty_name_is_no_run(name: str, command: Command) -> None:
    """`mnist-tui watch "$RUN"` without a RUN does not take another one."""
    assert command(name, "")[::2] == (2, "mnist-tui: RUN is empty; mnist-tui runs lists them\n")


def test_open(command: Command) -> None:
    """`open` prints facts, changes, epochs and notes of the run whose name ends so."""
    code, out, _ = command("open", "000a")
    record = json.loads(command("open", "000a", "--json")[1])

    assert code == 0
    assert "batch_size: 64 → 32" in out
    assert "20*" in out
    assert "## Target" in out
    assert record["batch"] == 32
    assert len(record["epochs"]) == 20


@pytest.mark.parametrize(
    ("arguments", "names"),
    [(("open", "iter5-s0-0001"), ["iter5 s0"]), (("compare", "iter4", "iter5 batch=64"), ["iter4 ×2", "iter5 ×2"])],
)
def test_plot(arguments: tuple[str, ...], names: list[str], command: Command) -> None:
    """Below what is printed anyway; not with --json, which holds the numbers."""
    _, without, _ = command(*arguments)
    code, plotted, _ = command(*arguments, "--plot")

    assert code == 0
    assert plotted.startswith(without)
    assert "test accuracy, %" in plotted.removeprefix(without)
    assert all(name in plotted.removeprefix(without) for name in names)
    assert command(*arguments, "--plot", "--json")[0] == 2


def test_compare_presets(command: Command) -> None:
    """All completed seeds of each; a filter tells recipes of one name apart."""
    code, out, _ = command("compare", "iter4", "iter5 batch=64")
    comparison = json.loads(command("compare", "iter4", "iter5 batch=64", "--json")[1])

    assert code == 0
    assert out.splitlines()[0].split() == ["iter4", "×2", "iter5", "×2"]
    assert "iter5 ×2 is better by 0.10 points" in out.splitlines()[-1]
    assert comparison["verdicts"][0]["better"] == "iter5 ×2"
    assert [len(side["runs"]) for side in comparison["sides"]] == [2, 2]


def test_columns_without_a_value_are_left_out(command: Command) -> None:
    """Columns that are empty in every printed line are left out, unless asked for by name."""
    shown = command("runs", "iter5")[1].splitlines()
    lines_with_columns = command("runs", "iter5", "--columns", "name,tag,curve")[1].splitlines()

    assert shown[0].split() == [
        *("name", "id", "seed", "state", "params", "test", "accuracy", "best", "last", "gap", "epochs", "when")
    ]
    assert lines_with_columns[0].split() == ["name", "tags", "test", "accuracy"]
    assert lines_with_columns[2].split() == ["iter5", "▁▁▁▁▁▂▂▂▃▃▃▃▃▃▄▄▄▄▄▄"]


def test_runs_on_other_images_are_marked(command: Command) -> None:
    """The data set is a column, and the digits are ranked behind MNIST; columns that are asked for stay as they are."""
    digits = {"name": "digits", "sha256": "1" * 64, "test_images": 360}
    make_run(Path("runs"), presets.load("v2"), 0, 0.999, 40, dataset=digits)
    shown = command("runs", "--sort", "-best")[1].splitlines()
    lines = command("runs", "--sort", "-best", "--columns", "name,best")[1].splitlines()

    assert shown[0].split()[5:9] == ["data", "test", "accuracy", "best"]
    assert [line.split()[0] for line in shown[-2:]] == ["v2", "pictures"]
    assert lines[0].split() == ["name", "best"]
    assert "data" not in command("runs", "iter5", "--sort", "-best")[1]


def test_a_repeat_is_not_counted(command: Command) -> None:
    """A seed that is trained again: the row says so, JSON names the run that stands, and so does the run itself."""
    old = next(Path("runs").glob("*-iter4-s0-*"))
    new = make_run(Path("runs"), presets.load("iter4"), 0, 0.98, 30)
    row = command("runs", "iter4", "--group")[1].splitlines()[1]
    repeated_by = {run["run"]: run["repeated_by"] for run in json.loads(command("runs", "iter4", "--json")[1])}
    compared = json.loads(command("compare", "iter4", "iter5 batch=64", "--json")[1])

    assert "2 seeds (+1 repeat)" in row
    assert {run for run, newer in repeated_by.items() if newer} == {old.name}
    assert repeated_by[old.name] == new.name
    assert f"not counted    {new.name} repeats it" in command("open", old.name)[1]
    assert [(len(side["runs"]), side["repeats"]) for side in compared["sides"]] == [(2, [old.name]), (2, [])]
    assert "are repeats of one seed" in command("compare", old.name, new.name)[1]


def test_compare_two_runs(command: Command) -> None:
    """Two single runs are compared by McNemar's test."""
    _, out, _ = command("compare", "s0-0000", "s0-0001")

    assert "is better on these images" in out
    assert "exact McNemar" in out


def test_every_command_finds_a_run_alike(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a path, from where the user stands, by its name, and by the end of it: the same run."""
    (folder,) = Path("runs").glob("*-0002")
    for named in (
        str(folder),
        f"./{folder}/",
        str(folder.absolute()),
        folder.name,
        f"{folder.name}/",
        "s1-0002",
        "0002",
    ):
        assert json.loads(command("open", named, "--json")[1])["run"] == folder.name
        assert command("watch", named, "--plain")[1].startswith("iter4, seed 1: ")
        assert f"{folder}: this run has completed" in command("resume", named)[2]
        assert "must be a whole number between 1 and 10,000" in command("extend", named, "0")[2]
    monkeypatch.chdir("runs")
    assert json.loads(command("open", folder.name, "--json")[1])["run"] == folder.name
    monkeypatch.chdir(folder.name)
    assert json.loads(command("open", ".", "--json")[1])["run"] == folder.name


def test_an_end_that_several_runs_share(command: Command) -> None:
    """The candidates are listed, at most five; the table shows a longer id for each, which finds it."""
    (folder,) = Path("runs").glob("*-0002")
    for index in range(6):
        shutil.copytree(folder, f"runs/copy-{index}-0002")
    _, _, err = command("open", "0002")
    ids = {run["run"]: run["id"] for run in json.loads(command("runs", "--json")[1])}

    assert err == (
        "mnist-tui: 0002: 7 runs are called that: copy-5-0002, copy-4-0002, copy-3-0002, copy-2-0002, copy-1-0002 "
        "and 2 more; name one\n"
    )
    assert (ids[folder.name], ids["copy-3-0002"], ids["pictures"]) == ("s1-0002", "3-0002", None)
    assert json.loads(command("open", "3-0002", "--json")[1])["run"] == "copy-3-0002"


def test_the_table_shows_an_id_that_every_command_takes(command: Command) -> None:
    """The second column; of several seeds their number; a folder that is no run is called by its name."""
    lines = command("runs")[1].splitlines()
    grouped = command("runs", "--group", "--columns", "name,id", "iter")[1].splitlines()

    assert [line.split()[1] for line in lines] == ["id", "000b", "000a", "0003", "0002", "0001", "0000", "-"]
    assert [line.split()[1:] for line in grouped] == [["id"], ["000a"], ["2", "runs"], ["2", "runs"]]
    assert command("runs", "id:000", "--limit", "1", "--columns", "id")[1].split() == ["id", "000b"]
    assert "id             0002\n" in command("open", "0002")[1]
    assert json.loads(command("open", "0002", "--json")[1])["id"] == "0002"


def test_watch_without_a_name(command: Command) -> None:
    """Where no run is being trained, `watch` shows the newest, and its help says so."""
    assert command("watch", "--plain")[1].startswith("era5, seed 0: ")
    assert "the newest that is being trained, else the newest." in " ".join(command("watch", "--help")[1].split())


def test_a_path_is_never_taken_for_a_name(command: Command) -> None:
    """A path names the run at that place, never one of the same name elsewhere."""
    (folder,) = Path("runs").glob("*-0002")

    assert command("delete", f"backup/{folder.name}")[0] == 2
    assert folder.exists()


def test_restore_takes_the_end_of_a_name(command: Command) -> None:
    """`restore` accepts the end of a name that exactly one run in the trash has."""
    folders = [next(Path("runs").glob(f"*-{end}")) for end in ("0000", "0002")]
    command("delete", "0000", "0002")

    assert command("restore", "0")[2].startswith("mnist-tui: 0: is not in the trash")
    assert command("restore", "0002") == (0, f"{folders[1]}\n", "")
    twin = Path("runs/.trash") / f"x-{folders[0].name}"
    shutil.copytree(Path("runs/.trash") / folders[0].name, twin)
    code, _, err = command("restore", "0000")
    assert (code, err) == (2, f"mnist-tui: 0000: 2 runs are called that: {twin.name}, {folders[0].name}; name one\n")
    assert command("restore", folders[0].name)[0] == 0


def test_tags_trash_and_export(command: Command) -> None:
    """Each command says what it did, and how to undo it."""
    (folder,) = Path("runs").glob("*-0002")
    assert command("tag", "0002", "keep", "x")[1] == "keep x\n"
    assert command("tag", "0002", "--remove", "x")[1] == "keep\n"
    assert command("export", "0002", "copy.zip", "--no-checkpoints")[1] == "copy.zip\n"
    assert command("delete", "0002")[1].endswith(f"; to restore it: mnist-tui restore {folder.name}\n")
    assert not folder.exists()
    assert command("restore")[1] == f"{folder.name}\n"
    assert command("restore", folder.name)[1] == f"{folder}\n"
    assert annotations.read_tags(folder) == ("keep",)
    assert command("delete", "0000", "--empty-trash")[0] == 0
    assert command("delete", "--empty-trash")[1].startswith("removed for good: 1 run in the trash")
    assert command("restore")[1] == "the trash is empty\n"
    assert command("delete")[0] == 2
    assert command("export", "0002", "copy.zip") == (
        3,
        "",
        "mnist-tui: copy.zip: is there already; nothing is overwritten\n",
    )


def test_tags_that_stay_the_same_are_not_written(command: Command) -> None:
    """Printing tags, removing one that the run has not, and adding one that it has leave its folder as it is."""
    (folder,) = Path("runs").glob("*-0002")

    assert command("tag", "0002") == (0, "\n", "")
    assert command("tag", "0002", "--remove", "nope") == (0, "\n", "")
    assert not (folder / "tags.txt").exists()
    (folder / "tags.txt").write_text("keep\n\n")
    assert command("tag", "0002", "keep") == (0, "keep\n", "")
    assert (folder / "tags.txt").read_text() == "keep\n\n"


@pytest.mark.parametrize("name", ["report.md", "run.tar", "run.7z", "run.html"])
def test_export_to_another_kind_of_file_is_refused(name: str, command: Command) -> None:
    """An unknown ending is refused; it is not taken for the name of a folder."""
    code, out, err = command("export", "0002", name)
    kinds = "a new folder, or to a file that ends in .zip, .tar.gz or .tgz"

    assert (code, out) == (2, "")
    assert err == f"mnist-tui: {name}: a run is exported to {kinds}, not in {Path(name).suffix}\n"
    assert not Path(name).exists()


@pytest.mark.parametrize("place", [".", "..", "/", ""])
def test_export_to_a_folder_without_a_name_is_wrong_input(place: str, command: Command) -> None:
    """These folders are always there."""
    code, out, err = command("export", "0002", place)

    assert (code, out) == (2, "")
    assert err.endswith(": is there already; name a new folder, or a file that ends in .zip or .tar.gz\n")


@pytest.mark.slow
def test_nothing_heavy_is_loaded_to_list(command: Command) -> None:
    """Listing runs loads neither torch, scipy nor textual."""
    script = "import sys; from mnist_tui.cli import main as cli; sys.argv = ['mnist-tui', 'runs']\n"
    script += "try: cli.main()\nexcept SystemExit: pass\n"
    script += "print([name for name in ('torch', 'scipy', 'numpy', 'textual') if name in sys.modules])"
    environment = {"PYTHONPATH": str(Path(cli.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
