"""Names of presets and of saved runs, in every command that takes a design."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run

from mnist_tui.cli import lab
from mnist_tui.runs.lr_range import RatesFound
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import lr_finder
from mnist_tui.tui import terminal
from mnist_tui.tui.request import LabRequest

COMMANDS = {
    "show": ("show", "NAME"),
    "lr-find": ("lr-find", "NAME"),
    "--batch": ("--batch", "NAME"),
    "--preset": ("--preset", "NAME", "--plain"),
}


@pytest.fixture
def wide() -> RunSpec:
    """The design of the run 0001: a preset with a change."""
    return presets.load("v2").with_settings({"dropout": "0.3", "batch_size": "100"})


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wide: RunSpec) -> None:
    """A folder with two runs, somebody's pictures, and nothing that trains."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)
    make_run(Path("runs"), presets.load("iter5"), 0, index=0)
    make_run(Path("runs"), wide, 7, index=1)
    Path("runs/pictures").mkdir()


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """The specs that would be trained, and those whose learning rate would be found."""
    specs: list[RunSpec] = []

    def train(batch: list[RunSpec], *arguments: Any, **more: Any) -> int:
        specs.extend(batch)
        return 0

    def find(spec: RunSpec, *arguments: Any) -> Any:
        specs.append(spec)
        yield RatesFound((1e-6, 1e-5), (2.3, 2.4), (2.3, 2.4), (), "completed")

    monkeypatch.setattr("mnist_tui.cli.start.train_batch", train)
    monkeypatch.setattr(lr_finder, "find_learning_rate", find)
    return specs


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[LabRequest]:
    """What the laboratory was opened with."""
    requests: list[LabRequest] = []

    def open_dashboard(request: LabRequest) -> int:
        requests.append(request)
        return 0

    monkeypatch.setattr(lab, "open_dashboard", open_dashboard)
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    return requests


def test_show_prints_the_design_of_a_run(command: Command) -> None:
    """As it was trained, and with changes; named by id, name, path, or path of the id."""
    (folder,) = Path("runs").glob("*-0001")
    for name in ("0001", "v2-s7-0001", folder.name, str(folder), f"{folder}/", str(folder.absolute()), "runs/0001"):
        code, out, err = command("show", name, "--json")
        shown = json.loads(out)["spec"]
        assert (code, err) == (0, "")
        assert (shown["train"]["batch_size"], shown["train"]["seed"], shown["knobs"]["dropout"]) == (100, 7, 0.3)
    assert "knobs            dropout=0.5" in command("show", "0001", "--set", "dropout=0.5")[1]
    assert "-----" in command("show", "0001", "--torchsummary")[1]
    shutil.move("runs", "elsewhere")
    assert command("show", "0001")[0] == 2
    assert command("show", "0001", "--runs-dir", "elsewhere")[0] == 0


def test_batch_and_lr_find_take_the_design_of_a_run(command: Command, trained: list[RunSpec], wide: RunSpec) -> None:
    """With its seed; `--set`, `--seed` and `--seeds` change it, beside presets."""
    assert command("--batch", "0001", "iter5", "--set", "batch_size=32")[0] == 0
    assert command("--batch", "0001", "--seeds", "2")[0] == 0
    assert command("lr-find", "0001", "--set", "dropout=0.4")[0] == 0

    seeded = wide.with_settings({"seed": "7", "epochs": "20"})
    assert trained[0] == seeded.with_settings({"batch_size": "32"})
    assert trained[1] == presets.load("iter5").with_settings({"batch_size": "32"})
    assert trained[2:4] == [seeded, seeded.with_settings({"seed": "8"})]
    assert trained[4] == seeded.with_settings({"dropout": "0.4"})


def test_the_laboratory_opens_on_the_design_of_a_run(command: Command, opened: list[LabRequest], wide: RunSpec) -> None:
    """As changes of the preset that it was made from."""
    assert command("--preset", "0001", "--set", "optimizer.lr=0.02")[0] == 0
    draft = opened[0].draft
    assert draft.base == presets.load("v2")
    assert draft.result.spec == wide.with_settings({"seed": "7", "epochs": "20", "optimizer.lr": "0.02"})
    assert {"dropout", "batch_size", "optimizer.lr"} <= {path.removeprefix("knobs.") for path in draft.typed}


def test_a_design_without_its_preset_is_its_own_base(command: Command, opened: list[LabRequest]) -> None:
    """The run of a file that is gone."""
    own = presets.load("iter5").model_copy(update={"name": "mine"})
    make_run(Path("runs"), own, 3, index=2)

    assert command("--preset", "0002")[0] == 0
    assert opened[0].draft.base.name == "mine"
    assert opened[0].draft.changed_count == 0


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("itr5", 2, "'itr5' is no preset, and no run in runs has that name; did you mean 'iter5'?"),
        ("zzzz", 2, "'zzzz' is no preset, and no run in runs has that name; mnist-tui --list and mnist-tui runs"),
        ("runs/zzzz", 2, "'runs/zzzz' is no preset, and no run in runs has that name"),
        ("elsewhere/0001", 2, "'elsewhere/0001' is no preset, and no run"),
        ("none.toml", 2, "none.toml: No such file"),
        ("pictures", 2, "somebody else's folder"),
        ("", 2, "NAME is empty; mnist-tui --list shows the presets, mnist-tui runs the runs"),
        ("0000", 3, "run.json"),
        ("0001", 2, "0001: 2 runs are called that: x-0001, 20260101T000100Z-v2-s7-0001; name one"),
    ],
)
def test_what_is_no_design(
    name: str, code: int, message: str, arguments: tuple[str, ...], command: Command, trained: list[RunSpec]
) -> None:
    """One line and one exit code, whichever command meets it; nothing is trained."""
    (damaged,) = Path("runs").glob("*-0000")
    (damaged / "run.json").write_text("{")
    (folder,) = Path("runs").glob("*-0001")
    shutil.copytree(folder, "runs/x-0001")
    found = command(*(name if word == "NAME" else word for word in arguments))

    assert (found[0], found[1], found[2].count("\n")) == (code, "", 1)
    assert message in found[2]
    assert trained == []


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_a_preset_goes_before_a_run_of_its_name(
    arguments: tuple[str, ...], command: Command, trained: list[RunSpec]
) -> None:
    """The preset is taken, and a line says how the run is named; its folder names the run without a word."""
    (folder,) = Path("runs").glob("*-0001")
    Path("models").mkdir()
    shutil.copy(presets.builtin_folder() / "iter1.toml", "models/0001.toml")
    code, out, err = command(*("0001" if word == "NAME" else word for word in arguments))

    assert (code, err.splitlines()[0]) == (
        0,
        f"mnist-tui: 0001 is taken for the preset; to name a run, write its folder: {folder}",
    )
    assert not out.startswith("v2")
    assert all(spec.name == "0001" for spec in trained)
    trained.clear()
    code, out, err = command(*(str(folder) if word == "NAME" else word for word in arguments))
    assert "is taken" not in err
    assert all(spec.name == "v2" for spec in trained)


def test_compare_takes_the_preset_too(command: Command) -> None:
    """All runs of the preset, not the one whose folder ends in its name."""
    make_run(Path("runs"), presets.load("iter5"), 1, index=5)
    shutil.copytree(next(Path("runs").glob("*-0001")), "runs/mine-iter5")
    code, out, err = command("compare", "iter5", "0001")

    assert code == 0
    assert out.splitlines()[0].split() == ["iter5", "×2", "v2", "s7"]
    assert err == "mnist-tui: iter5 is taken for the preset; to name a run, write its folder: runs/mine-iter5\n"


def test_a_broken_runs_directory_keeps_no_preset_from_being_shown(command: Command) -> None:
    """A preset needs no run."""
    Path("file").write_text("")

    assert command("show", "iter5", "--runs-dir", "file")[0] == 0
    assert command("show", "zzzz", "--runs-dir", "file")[0] == 3
