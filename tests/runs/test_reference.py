"""Reference runs: those that are shipped are what they say, and no command changes one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.saved_runs import make_reference, make_run

from mnist_tui.analysis import published
from mnist_tui.errors import RunError
from mnist_tui.runs import annotations, reference, trash
from mnist_tui.runs.folders import scan
from mnist_tui.runs.imported import ImportedLog, write_imported
from mnist_tui.runs.index import find_run, grouped, read_runs
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.runs.storage import RunFolder
from mnist_tui.spec import presets

MAX_BYTES = 2_000_000
FILES = ["end.json", "history.jsonl", "run.json"]
KEYS = {
    *("format", "run", "created", "name", "seed", "parameters", "dataset", "device", "device_name", "processor"),
    *("threads", "fused", "versions", "spec"),
}


# --- those that are shipped ---


def wrong(run: Run) -> list[str]:
    """What a reference run does not have as its preset has it today."""
    if run.name not in presets.builtin_names():
        return ["preset"]
    preset, spec = presets.load(run.name), run.spec
    is_so = {
        "layers": spec is not None and spec.rows == preset.rows,
        "recipe": run.recipe == published.recipe_of(preset),
        "parameters": run.parameters == preset.parameters,
        "folder": run.folder.name == f"{run.name}-s{run.seed}",
        "epochs": len(run.rows) == run.epochs == preset.train.epochs,
    }
    return [name for name, holds in is_so.items() if not holds]


def test_every_shipped_run_is_its_preset_as_it_is_today() -> None:
    """Same layers, recipe and parameters, all epochs, on MNIST; also one that is added later."""
    runs = read_runs(reference.runs_dir())

    assert runs
    assert {run.id: wrong(run) for run in runs if wrong(run)} == {}
    assert {(run.state, run.dataset, run.images("test")) for run in runs} == {("completed", "mnist", 10_000)}


@pytest.mark.parametrize(
    ("setting", "value", "noticed"),
    [
        ("optimizer.lr", "0.003", ["recipe"]),
        ("epochs", "21", ["recipe", "epochs"]),
        ("layers", "Flatten()\nLinear(10)", ["layers", "recipe", "parameters"]),
    ],
)
def test_control_a_changed_preset_is_noticed(
    setting: str, value: str, noticed: list[str], reference_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above fails where a preset is changed and its runs stay."""
    preset = presets.load("iter5")
    run = read_run(make_reference(reference_dir, preset))
    assert wrong(run) == []
    changed = preset.with_settings({setting: value})
    monkeypatch.setattr(presets, "load", lambda name: changed)

    assert wrong(run) == noticed


def test_what_is_shipped_is_small_and_names_no_machine() -> None:
    """Three files each, at most 2 MB in all; no host, person, path or command line, and no damaged row."""
    folders = sorted(reference.runs_dir().glob("*/"))
    files = [path for folder in folders for path in folder.iterdir()]

    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
    assert {folder.name for folder in folders if sorted(path.name for path in folder.iterdir()) != FILES} == set()
    for folder in folders:
        record = json.loads((folder / "run.json").read_text())
        assert set(record) <= KEYS
        assert set(record["dataset"]) <= {"name", "sha256", "train_images", "val_images", "test_images"}
        assert (folder / "history.jsonl").read_bytes().count(b"\n") == read_run(folder).epochs


# --- names ---


def test_a_name_means_the_same_wherever_it_is_typed(
    reference_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its prefix over any runs directory, by a path, and in their runs directory as one's own."""
    folder = make_reference(reference_dir, presets.load("iter5"))
    monkeypatch.chdir(tmp_path)
    ways = [
        ("reference/iter5-s0", tmp_path / "runs"),
        ("shipped/reference/iter5-s0", tmp_path / "runs"),
        (str(folder), tmp_path / "runs"),
        ("iter5-s0", Path("shipped/reference")),
    ]

    found = [find_run(named, runs_dir) for named, runs_dir in ways]

    assert {(run.folder, run.id, run.is_reference) for run in found} == {(folder, "reference/iter5-s0", True)}
    assert found[0].short_id == "reference/iter5-s0"
    assert found[0].title == "iter5 s0 (reference)"


def test_an_unknown_name_gets_the_nearest(reference_dir: Path) -> None:
    """And where nothing is near, how to list them."""
    make_reference(reference_dir, presets.load("iter5"))

    with pytest.raises(RunError, match="did you mean 'reference/iter5-s0'"):
        find_run("reference/itr5-s0", Path("runs"))
    with pytest.raises(RunError, match="reference/iter5: name one of its seeds: reference/iter5-s0"):
        find_run("reference/iter5", Path("runs"))
    with pytest.raises(RunError, match="mnist-tui runs --reference lists them"):
        find_run("reference/zzzzzzzzz", Path("runs"))


def test_they_are_not_among_the_runs_of_the_folder_that_holds_theirs(tmp_path: Path, reference_dir: Path) -> None:
    """`runs/reference` of a checkout is no run of `runs`, also for an installed program, whose own are elsewhere."""
    runs_dir = tmp_path / "work" / "runs"
    own = make_run(runs_dir, presets.load("iter5"))
    (runs_dir / "reference").mkdir()
    assert [entry.name for entry in scan(runs_dir)] == [own.name]

    (runs_dir / "reference" / "run.json").write_text("{}")
    assert sorted(entry.name for entry in scan(runs_dir)) == sorted([own.name, "reference"])  # A run of that name.


def test_they_are_grouped_apart_from_runs_of_the_same_recipe(reference_dir: Path, tmp_path: Path) -> None:
    """Seeds of one's own are never averaged with theirs."""
    preset = presets.load("iter5")
    runs = [read_run(make_reference(reference_dir, preset, seed)) for seed in (0, 1)]
    runs += [read_run(make_run(tmp_path / "runs", preset, seed)) for seed in (0, 1)]

    assert [[run.is_reference for run in group] for group in grouped(runs)] == [[True, True], [False, False]]


# --- they stay as they are ---

CHANGES: dict[str, Callable[[Path], object]] = {
    "tags": lambda folder: annotations.write_tags(folder, ["mine"]),
    "notes": lambda folder: annotations.add_notes(folder, "mine", "analysis"),
    "delete": trash.delete,
    "train on": lambda folder: RunFolder(folder).close(),
    "import beside": lambda folder: write_imported(folder.parent, ImportedLog("log", [], {})),
    "train beside": lambda folder: RunFolder.create(folder.parent, presets.load("iter5"), {}).close(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_changes_them(
    change: str, reference_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence that says so, by whatever path, and every byte stays; the control is a run of one's own."""
    folder = make_reference(reference_dir, presets.load("iter5"))
    monkeypatch.chdir(folder.parent)
    before = {path: path.read_bytes() for path in reference_dir.rglob("*") if path.is_file()}

    for path in (folder, Path("iter5-s0")):
        with pytest.raises(RunError, match="reference runs are read-only"):
            CHANGES[change](path)

    assert {path: path.read_bytes() for path in reference_dir.rglob("*") if path.is_file()} == before
    CHANGES[change](make_run(tmp_path / "runs", presets.load("iter5")))
