"""The script that reproduces the presets: what it plans, trains, collects and prints."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import reproduce
from helpers.saved_runs import make_reference, make_run
from reproduce_parts import collecting, tables, training

from mnist_tui.analysis import published
from mnist_tui.errors import InputError
from mnist_tui.runs.index import read_runs
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import estimate


def tiny(name: str, rate: float, seed: int = 0) -> RunSpec:
    """3 steps an epoch on the small digits."""
    recipe = {"epochs": 2, "batch_size": 500, "optimizer": f"SGD(lr={rate})", "seed": seed}
    return make_spec({"name": name, "layers": "AvgPool2d(4)\nFlatten()\nLinear(10)", "train": recipe})


# --- the plan ---


def test_the_cheapest_comes_first_and_the_slow_get_one_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By what an epoch takes on one core; seeds that are there are not planned, whatever trained them."""
    seconds = {"v3": 30.0, "iter1": 5.0, "v1": 31.0, "era5": 4.0}
    monkeypatch.setattr(
        estimate, "expected_cost", lambda spec, options, clock: {"seconds_per_epoch": seconds[spec.name]}
    )
    make_run(tmp_path, presets.load("era5"), 2, epochs=19)
    make_run(tmp_path, presets.load("era5"), 3, epochs=19, outcome="failed")
    tasks = training.plan([presets.load(name) for name in seconds], Options(runs_dir=tmp_path))
    training.print_plan(tasks)

    assert [(task.spec.name, task.seeds, task.missing) for task in tasks] == [
        ("iter1", (0, 1, 2), (0, 1, 2)),
        ("era5", (1, 2, 3), (1, 3)),
        ("v3", (0, 1, 2), (0, 1, 2)),
        ("v1", (0,), (0,)),
    ]
    lines = capsys.readouterr().out.splitlines()
    assert "over 30 s an epoch on one core: one seed" in lines[3]
    assert lines[4].startswith("9 runs are left: about ")


@pytest.mark.slow
def test_called_again_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trains a preset on the small digits with three seeds, and then nothing; a lost run is trained again, alone."""
    monkeypatch.setattr(collecting, "DATASET", "digits")
    monkeypatch.setattr(estimate, "expected_cost", lambda spec, options, clock=None: {"seconds_per_epoch": 1.0})
    options = Options(runs_dir=tmp_path, dataset="digits", threads=1)

    def train() -> dict[int, str]:
        assert training.train(training.plan([tiny("one", 0.1, seed=5)], options), options, 1) == 0
        return {run.seed or 0: run.id for run in read_runs(tmp_path) if run.state == "completed"}

    first = train()
    assert sorted(first) == [5, 6, 7]
    assert train() == first
    shutil.rmtree(tmp_path / first.pop(6))
    second = train()
    assert (sorted(second), {**second, **first}) == ([5, 6, 7], second)


# --- collecting ---


def test_what_is_collected_reads_as_the_run_did(tmp_path: Path, reference_dir: Path) -> None:
    """Every epoch and the end, and nothing of the machine; the second time nothing changes."""
    preset = presets.load("iter5")
    private: dict[str, Any] = {
        "command": ["--runs-dir", "/home/somebody"],
        "git": {"remote": "secret"},
        "host": "node7",
    }
    made = make_run(
        tmp_path, preset, 1, dataset={"name": "mnist", "origin": "/home/somebody", "test_images": 10_000}, **private
    )
    run = read_runs(tmp_path)[0]

    assert collecting.collect([preset], tmp_path) == ["new: iter5-s1"]
    (collected,) = read_runs(reference_dir)
    assert (collected.id, collected.rows, collected.best, collected.end) == (
        "reference/iter5-s1",
        run.rows,
        run.best,
        run.end,
    )
    assert sorted(path.name for path in collected.folder.iterdir()) == ["end.json", "history.jsonl", "run.json"]
    text = (collected.folder / "run.json").read_text()
    assert not {word for word in ("somebody", "secret", "node7", "origin", "command", made.name) if word in text}
    assert published.replications([preset], [collected])[0].seeds == [1]
    assert collecting.collect([preset], tmp_path) == []


def test_only_runs_of_the_preset_as_published_are_collected(tmp_path: Path, reference_dir: Path) -> None:
    """Not those of another recipe, on other images, with fewer epochs, extended, or stopped."""
    preset = presets.load("iter5")
    make_run(tmp_path, preset.with_settings({"optimizer.lr": "0.5"}), 0)
    make_run(tmp_path, preset, 1, dataset={"name": "digits"})
    make_run(tmp_path, preset, 2, epochs=19)
    make_run(tmp_path, preset, 3, extends="another")
    make_run(tmp_path, preset, 4, outcome="stopped")

    assert collecting.collect([preset], tmp_path) == []
    assert not reference_dir.exists()


def test_a_reference_run_is_replaced_only_by_its_preset_and_seed(tmp_path: Path, reference_dir: Path) -> None:
    """By the newest; the others stay, byte for byte."""
    preset = presets.load("iter5")
    for seed in (0, 1):
        make_reference(reference_dir, preset, seed, 0.99)
    other = {path: path.read_bytes() for path in (reference_dir / "iter5-s1").iterdir()}
    for index, accuracy in enumerate((0.991, 0.992)):
        make_run(tmp_path, preset, 0, accuracy, index)

    assert collecting.collect([preset], tmp_path) == ["replaced: iter5-s0"]
    assert {run.seed: run.best_accuracy for run in read_runs(reference_dir)} == {0: 0.992, 1: 0.99}
    assert {path: path.read_bytes() for path in (reference_dir / "iter5-s1").iterdir()} == other


def test_more_than_two_megabytes_are_refused(
    tmp_path: Path, reference_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written, and counting what is there already."""
    preset = presets.load("iter5")
    make_reference(reference_dir, preset, 0)
    size = sum(path.stat().st_size for path in (reference_dir / "iter5-s0").iterdir())
    monkeypatch.setattr(collecting, "MAX_BYTES", size + 1000)
    make_run(tmp_path, preset, 1)

    with pytest.raises(InputError, match="name presets"):
        collecting.collect([preset], tmp_path)
    assert [path.name for path in reference_dir.iterdir()] == ["iter5-s0"]


def test_a_runs_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Rather than that nothing has changed."""
    with pytest.raises(InputError, match="no such folder of runs"):
        collecting.collect([presets.load("iter5")], tmp_path / "nosuch")


# --- the table ---


def test_the_table_says_what_is_not_reached_and_not_trained(reference_dir: Path) -> None:
    """A row for each preset, with mean and range, and a word where no seed comes as far."""
    for seed, accuracy in enumerate((0.990, 0.994)):
        make_reference(reference_dir, presets.load("step4"), seed, accuracy)

    lines = tables.table([presets.load("step4"), presets.load("v2")])
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]

    assert cells[2][:7] == ["step4", "99.47%", "test", "99.20% (99.00–99.40)", "no", "99.20% (99.00–99.40)", "2"]
    assert cells[2][7].startswith("short by 0.07 points, within")
    assert cells[3] == ["v2", "99.57%", "test", "", "", "", "not trained yet", ""]


def test_a_gap_that_chance_does_not_explain_has_its_reason(
    reference_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written down by hand, or said to be not known."""
    make_reference(reference_dir, presets.load("step4"), 0, 0.98)
    (step4,) = published.replications([presets.load("step4")], published.reference_runs())
    monkeypatch.setattr(tables, "WHY", {})
    assert tables.why_not(step4) == "short by 1.47 points; why is not known"
    monkeypatch.setattr(tables, "WHY", {"step4": "the log is of another network"})
    assert tables.why_not(step4) == "short by 1.47 points; the log is of another network"


def test_the_table_of_a_page_is_replaced_alone(reference_dir: Path) -> None:
    """What stands before and behind it stays; a second time nothing changes."""
    lines = tables.table([presets.load("v2")])
    page = "# Page\n\n| other |\n| --- |\n\n| preset | old |\n| --- | --- |\n| v2 | 1 |\n\nbehind\n"

    replaced = tables.with_table(page, lines)

    assert replaced == "# Page\n\n| other |\n| --- |\n\n" + "\n".join(lines) + "\n\nbehind\n"
    assert tables.with_table(replaced, lines) == replaced


def test_an_unknown_preset_is_refused() -> None:
    """With the nearest."""
    with pytest.raises(InputError, match="did you mean 'iter5'"):
        list(reproduce.chosen(["itre5"], has_house=True))


def test_house_models_are_collected_but_not_planned() -> None:
    """Nobody published them, so there is nothing to reproduce; by their names they are planned, too."""
    (house, *_) = presets.house_names()

    assert [spec.name for spec in reproduce.chosen([], has_house=True)] == list(presets.builtin_names())
    assert [spec.name for spec in reproduce.chosen([], has_house=False)] == list(presets.published_names())
    assert [spec.name for spec in reproduce.chosen([house], has_house=False)] == [house]


def test_house_models_get_ten_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long an epoch takes."""
    monkeypatch.setattr(estimate, "expected_cost", lambda spec, options, clock: {"seconds_per_epoch": 40.0})
    (task,) = training.plan([presets.load(presets.house_names()[0])], Options(runs_dir=tmp_path))

    assert task.seeds == tuple(range(100, 110))


def test_the_table_of_house_models(reference_dir: Path) -> None:
    """Of the last epoch: mean with its interval, the lowest and the highest seed; no figure without a run."""
    trained, other = map(presets.load, presets.house_names()[:2])
    for index, accuracy in enumerate((0.9950, 0.9954, 0.9955)):
        make_reference(reference_dir, trained, 100 + index, accuracy)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in tables.house_table([trained, other])]

    assert cells[0] == list(tables.HOUSE_HEADS)
    assert cells[2][0] == trained.name
    assert cells[2][4:] == ["99.530%", "99.46–99.59", "99.50%", "99.55%", "3"]
    assert cells[3][4:] == ["", "", "", "", "not trained yet"]


def test_the_page_has_the_table() -> None:
    """benchmarks/README.md shows what the shipped runs give; `table --write` puts it there anew."""
    assert "\n".join(tables.table(list(reproduce.chosen([], has_house=False)))) in tables.PAGE.read_text(
        encoding="utf-8"
    )


def test_the_page_of_house_models_has_their_table() -> None:
    """docs/house-models.md likewise, by `house --write`."""
    lines = tables.house_table(list(map(presets.load, presets.house_names())))
    assert "\n".join(lines) in tables.HOUSE_PAGE.read_text(encoding="utf-8")


def test_the_record_keeps_what_the_reader_needs(tmp_path: Path) -> None:
    """Device, threads, versions, time and spec of a run are in its copy."""
    make_run(tmp_path, presets.load("iter5"))
    (run,) = read_runs(tmp_path)

    record = json.loads(collecting.compact(run)["run.json"])

    kept = ("created", "seed", "device", "device_name", "threads", "versions", "spec")
    assert {key: record[key] for key in kept} == {key: run.record[key] for key in kept}
