"""What differs between runs, whether it can be told from noise, and what must not be compared."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.saved_runs import make_run, write_predictions

from mnist_tui.analysis import comparison, run_diff, tables
from mnist_tui.analysis.comparison import Arm
from mnist_tui.runs import columns
from mnist_tui.runs.index import RunIndex
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec


def saved(tmp_path: Path, spec: RunSpec, seed: int = 0, accuracy: float = 0.99, index: int = 0, **record: Any) -> Run:
    """A run on the disk."""
    return read_run(make_run(tmp_path, spec, seed, accuracy, index, **record))


@pytest.fixture
def iter5() -> RunSpec:
    """A preset."""
    return presets.load("iter5")


# --- what differs ---


def test_only_differences(tmp_path: Path, iter5: RunSpec) -> None:
    """Calls are compared argument by argument with their defaults, so other notations are no differences."""
    first = saved(tmp_path, iter5.with_settings({"optimizer": "Adam(0.002)"}))
    second = saved(tmp_path, iter5.with_settings({"optimizer": "Adam(lr=0.002, weight_decay=0.1)", "batch_size": "32"}))
    differences = {difference.name: difference.values for difference in run_diff.differing([first, second])}

    assert differences == {"batch_size": ("64", "32"), "optimizer.weight_decay": ("0", "0.1")}


def test_silent_changes_are_reported(tmp_path: Path, iter5: RunSpec) -> None:
    """A lost augmentation, another torch and another number of threads are listed."""
    first = saved(tmp_path, iter5)
    second = saved(tmp_path, iter5.with_settings({"augment": "[]"}), index=1, threads=2, versions={"torch": "2.12"})
    words = run_diff.change_words(first, second)

    assert "augment: RandomApply([CenterCrop(22)], p=0.1), Resize(28), RandomRotation(15) → none" in words
    assert "not set by you: threads 1 → 2" in words
    assert "not set by you: version of torch 2.11 → 2.12" in words
    assert len(words) == 3


def test_a_run_with_the_settings_of_an_earlier_one(tmp_path: Path, iter5: RunSpec) -> None:
    """It is said that nothing was changed, not that there is no earlier run."""
    first, second = saved(tmp_path, iter5), saved(tmp_path, iter5, index=1)

    assert tables.changes(first, [second, first]) == ["changes: no earlier run to compare with"]
    assert tables.changes(second, [second, first]) == ["changes: every earlier run has the same settings"]


def test_titles_of_runs_are_distinct(tmp_path: Path, iter5: RunSpec) -> None:
    """Name and seed, with the end of the folder's name where two have the same."""
    first, again = saved(tmp_path, iter5), saved(tmp_path, iter5, index=1)
    other = saved(tmp_path, iter5, seed=1, index=2)

    assert comparison.distinct_titles([first, other]) == ["iter5 s0", "iter5 s1"]
    assert comparison.distinct_titles([first, again]) == [f"iter5 s0 {run.id[-4:]}" for run in (first, again)]


def test_layers_with_what_they_cost(tmp_path: Path, iter5: RunSpec) -> None:
    """A moved dropout and a grown convolution are listed with their parameters."""
    changed = iter5.layers.replace("Conv2d(8, 1)", "Conv2d(8, 1)\nDropout(0.1)").replace("Conv2d(16, 3", "Conv2d(12, 3")
    first, second = saved(tmp_path, iter5), saved(tmp_path, iter5.with_settings({"layers": changed}), index=1)
    words = run_diff.change_words(first, second)

    assert "~ Conv2d(16, 3, padding=1) → Conv2d(12, 3, padding=1) (-292 params)" in words
    assert "+ Dropout(0.1)" in words
    assert "~ Conv2d(8, 1): input shape changed (-32 params)" in words


def test_knobs_are_resolved(tmp_path: Path) -> None:
    """Another value of a knob is a difference of the knob and of the layers that use it."""
    spec = presets.load("v2")
    first, second = saved(tmp_path, spec), saved(tmp_path, spec.with_settings({"dropout": "0.3"}), index=1)
    differences = {difference.name: difference.values for difference in run_diff.differing([first, second])}

    assert differences == {"knob dropout": ("0.1", "0.3")}


def test_the_nearest_earlier_run(tmp_path: Path, iter5: RunSpec) -> None:
    """The nearest run is the earlier one with the fewest changes, never another seed of the same settings."""
    saved(tmp_path, presets.load("v2"), index=0)
    near = saved(tmp_path, iter5, index=1)
    saved(tmp_path, presets.load("era5"), index=2)
    changed = iter5.with_settings({"optimizer.lr": "0.01"})
    saved(tmp_path, changed, seed=0, index=3)
    run = saved(tmp_path, changed, seed=1, index=4)
    saved(tmp_path, changed.with_settings({"batch_size": "32"}), index=5)
    runs = RunIndex(tmp_path)
    runs.refresh()

    assert run_diff.nearest(run, runs.all) == near
    assert run_diff.nearest(runs.all[-1], runs.all) is None


def test_replacing_an_optimizer_is_one_change(tmp_path: Path, iter5: RunSpec) -> None:
    """Another optimizer counts as one change, not as one for each argument."""
    first = saved(tmp_path, iter5)

    assert run_diff.distance(first, saved(tmp_path, iter5.with_settings({"optimizer": "SGD(lr=0.1)"}))) == 1
    assert run_diff.distance(first, saved(tmp_path, iter5, seed=3)) == 0


# --- two runs ---


def test_two_runs_on_the_same_images(tmp_path: Path, iter5: RunSpec) -> None:
    """Two runs are compared by the exact McNemar test, and the sentence says for what it holds."""
    first, second = saved(tmp_path, iter5), saved(tmp_path, presets.load("iter4"), index=1)
    write_predictions(first.folder, wrong=list(range(20)))
    write_predictions(second.folder, wrong=list(range(15, 20)))
    (verdict,) = comparison.compare(comparison.labelled([[first], [second]]), "best")

    assert verdict.better == "iter4 s0"
    assert verdict.p == pytest.approx(2 * 0.5**15)
    assert "is right on 15 test images that iter5 s0 misses, and misses 0" in verdict.sentence
    assert "other seeds may come out otherwise" in verdict.sentence


def test_two_runs_that_do_not_differ_significantly(tmp_path: Path, iter5: RunSpec) -> None:
    """Without significance the run with the higher accuracy is not called better."""
    first, second = saved(tmp_path, iter5), saved(tmp_path, presets.load("iter4"), index=1)
    write_predictions(first.folder, wrong=[1, 2, 3])
    write_predictions(second.folder, wrong=[4])
    (verdict,) = comparison.compare(comparison.labelled([[first], [second]]), "best")

    assert verdict.better is None
    assert verdict.sentence.startswith("Cannot tell:")


def _pickled(folder: Path) -> None:
    np.savez(folder / "predictions.npz", labels=np.array([{}]), predictions=np.array([{}]))


def _bomb(folder: Path) -> None:
    np.savez_compressed(folder / "predictions.npz", labels=np.zeros(80_000_000, np.uint8), predictions=np.zeros(1))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "predictions.npz").unlink(),
        lambda folder: (folder / "predictions.npz").write_bytes(b"PK\x03\x04 half"),
        lambda folder: write_predictions(folder, [1], images=99),
        lambda folder: np.savez(folder / "predictions.npz", labels=np.zeros(5), predictions=np.zeros(4)),
        _pickled,
        _bomb,
    ],
)
def test_without_answers_nothing_is_claimed(damage: Any, tmp_path: Path, iter5: RunSpec) -> None:
    """Missing, damaged, foreign or huge predictions give no verdict, no crash, and run no code."""
    first, second = saved(tmp_path, iter5), saved(tmp_path, presets.load("iter4"), index=1)
    write_predictions(first.folder, wrong=list(range(20)))
    write_predictions(second.folder, wrong=[])
    damage(second.folder)
    (verdict,) = comparison.compare(comparison.labelled([[first], [second]]), "best")

    assert verdict.better is None
    assert "store no answers to the same images" in verdict.sentence


# --- groups of seeds ---


def group(tmp_path: Path, spec: RunSpec, accuracies: list[float], **record: Any) -> list[Run]:
    """Seeds of a recipe with these best accuracies."""
    return [saved(tmp_path, spec, seed, each, seed, **record) for seed, each in enumerate(accuracies)]


def test_seeds_that_differ_significantly(tmp_path: Path, iter5: RunSpec) -> None:
    """Groups of seeds are compared by Welch's t, with the interval of the difference."""
    arms = comparison.labelled(
        [
            group(tmp_path, iter5, [0.9931, 0.9934, 0.9932, 0.9930]),
            group(tmp_path, presets.load("iter4"), [0.9941, 0.9944, 0.9942, 0.9940]),
        ]
    )
    (verdict,) = comparison.compare(arms, "best")

    assert [arm.label for arm in arms] == ["iter5 ×4", "iter4 ×4"]
    assert verdict.better == "iter4 ×4"
    assert verdict.sentence.startswith("iter4 ×4 is better by 0.10 points: 99.42% of iter4 ×4 against 99.32%")
    assert "(Welch's t)" in verdict.sentence


def test_seeds_that_cannot(tmp_path: Path, iter5: RunSpec) -> None:
    """Without significance the sentence says how many seeds would be needed."""
    arms = comparison.labelled(
        [group(tmp_path, iter5, [0.992, 0.994]), group(tmp_path, presets.load("iter4"), [0.9922, 0.9942])]
    )
    (verdict,) = comparison.compare(arms, "best")

    assert verdict.better is None
    assert "Cannot tell: the difference of 0.02 points may be noise" in verdict.sentence
    assert "seeds each would be needed to tell." in verdict.sentence


def test_three_arms_are_judged_together(tmp_path: Path, iter5: RunSpec) -> None:
    """Each arm is compared with the first, with p adjusted for several comparisons."""
    runs = [
        group(tmp_path, iter5.with_settings({"batch_size": str(size)}), [a, 0.9902, b])
        for size, a, b in ((64, 0.99, 0.9901), (32, 0.99, 0.9911), (16, 0.9903, 0.9904))
    ]
    verdicts = comparison.compare(comparison.labelled(runs), "last")

    assert [verdict.test and verdict.test.p for verdict in verdicts] == pytest.approx([0.42900, 0.07048], abs=1e-5)
    assert [verdict.p for verdict in verdicts] == pytest.approx([0.42900, 0.14096], abs=1e-5)
    assert all("for 2 comparisons at once" in verdict.sentence for verdict in verdicts)


def test_one_run_against_seeds(tmp_path: Path, iter5: RunSpec) -> None:
    """A single run has no spread, so nothing is claimed against a group."""
    arms = comparison.labelled([[saved(tmp_path, presets.load("v2"))], group(tmp_path, iter5, [0.98, 0.981])])
    (verdict,) = comparison.compare(arms, "best")

    assert verdict.better is None
    assert "two seeds or more" in verdict.sentence


# --- what must not be compared ---


def refused(*groups: list[Run], measure: Any = "best") -> str:
    """The reasons of a refused comparison, as one text."""
    return "; ".join(comparison.refusals(comparison.labelled(groups), measure))


def test_other_data_is_refused(tmp_path: Path, iter5: RunSpec) -> None:
    """Digits against MNIST, and MNIST against a changed MNIST, are refused."""
    mnist = saved(tmp_path, iter5)
    digits = saved(tmp_path, iter5, dataset={"name": "digits", "sha256": "1" * 64, "test_images": 360})
    changed = saved(tmp_path, iter5, dataset={"name": "mnist", "sha256": "2" * 64, "test_images": 10_000})

    assert "360 images of digits" in refused([mnist], [digits])
    assert "they are not compared" in refused([mnist], [changed])
    assert refused([mnist], [saved(tmp_path, presets.load("iter4"))]) == ""


def test_another_measure_is_refused(tmp_path: Path, iter5: RunSpec) -> None:
    """Best epochs that were chosen on different images are refused; their last epochs are compared."""
    split = {"name": "mnist", "sha256": "0" * 64, "test_images": 10_000, "val_images": 5_000}
    by_test, by_validation = saved(tmp_path, iter5), saved(tmp_path, iter5, index=1, dataset=split)

    assert "choosing on the test images flatters; compare the last epochs" in refused([by_test], [by_validation])
    assert refused([by_test], [by_validation], measure="last") == ""


def test_a_run_without_results_or_in_both_arms_is_refused(tmp_path: Path, iter5: RunSpec) -> None:
    """A run without results, a damaged run, and one run in both arms are refused."""
    run, empty = saved(tmp_path, iter5), saved(tmp_path, presets.load("iter4"), index=1)
    (empty.folder / "end.json").unlink()
    (empty.folder / "history.jsonl").unlink()
    broken = saved(tmp_path, presets.load("v2"), index=2)
    (broken.folder / "run.json").write_text("{")

    assert "has no test accuracy of the best epoch: 0 epochs are done" in refused([run], [read_run(empty.folder)])
    assert "damaged: run.json is no JSON" in refused([run], [read_run(broken.folder)])
    assert f"{run.id}: on both arms" in refused([run], [run])


def test_intervals(tmp_path: Path, iter5: RunSpec) -> None:
    """The interval of one run is over the images, that of several runs over the seeds."""
    one = Arm("one", (saved(tmp_path, iter5, accuracy=0.994),))
    several = Arm("several", tuple(group(tmp_path, iter5, [0.99, 0.992, 0.994])))

    assert one.interval("best") == pytest.approx((0.99228, 0.99533), abs=1e-4)
    assert one.interval("mean") is None
    assert several.interval("best") == pytest.approx((0.98514, 0.99571), abs=1e-4)


def test_labels_tell_apart(tmp_path: Path, iter5: RunSpec) -> None:
    """Two runs of one preset and seed get the end of their folders' names as a label."""
    runs = [saved(tmp_path, iter5), saved(tmp_path, iter5.with_settings({"batch_size": "8"}), index=1)]
    labels = [arm.label for arm in comparison.labelled([[run] for run in runs])]

    assert labels == [f"iter5 s0 {run.folder.name[-4:]}" for run in runs]
    assert json.dumps(labels)


# --- repeats of a seed ---


OTHER_ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "another torch": {"versions": {"torch": "2.12"}},
    "another mnist-tui": {"versions": {"torch": "2.11", "mnist-tui": "9"}},
    "another processor": {"device_name": "another processor"},
    "a GPU": {"device": "cuda:0"},
}


def test_a_repeat_is_no_observation(tmp_path: Path, iter5: RunSpec) -> None:
    """Of seeds that were trained twice only the newest runs count, for mean, interval and number of seeds."""
    old = group(tmp_path, iter5, [0.95, 0.96, 0.97])
    new = [saved(tmp_path, iter5, seed, 0.99 + seed / 1000, 10 + seed) for seed in range(3)]
    (arm,) = comparison.labelled([[*old, *new]])

    assert (arm.label, list(arm.runs), list(arm.repeats)) == ("iter5 ×3", new, old)
    assert arm.mean("best") == pytest.approx(0.991)
    assert arm.interval("best") == comparison.labelled([new])[0].interval("best")
    assert tables.comparison_table([arm], "best")[1] == ["seeds", "3 (+3 repeats not counted)"]
    assert ["seed", "0, 1, 2"] in tables.setting_table([arm])
    record = tables.comparison_json([arm], [], "best")["sides"][0]
    assert (record["runs"], record["repeats"]) == ([run.id for run in new], [run.id for run in old])


@pytest.mark.parametrize("environment", OTHER_ENVIRONMENTS.values(), ids=OTHER_ENVIRONMENTS)
def test_a_seed_in_another_environment_is_no_repeat(
    environment: dict[str, Any], tmp_path: Path, iter5: RunSpec
) -> None:
    """Another device or version may draw other random numbers; other threads or another GPU of the same kind do not."""
    first = saved(tmp_path, iter5)
    elsewhere = saved(tmp_path, iter5, index=1, **environment)
    again = saved(tmp_path, iter5, index=2, threads=2, device=f"{first.record['device']}:1")

    assert first.observation != elsewhere.observation
    assert first.observation == again.observation
    assert columns.column("seed").of([first, elsewhere, again]) == "2 runs of 1 seed (+1 repeat)"


def test_a_run_and_its_repeat(tmp_path: Path, iter5: RunSpec) -> None:
    """Two repeats are named as such, whether or not their numbers are equal, and not tested."""
    runs = [saved(tmp_path, iter5, 0, accuracy, index) for index, accuracy in enumerate((0.99, 0.99, 0.98))]
    for run in runs:
        write_predictions(run.folder, wrong=list(range(20)) if run is runs[0] else [])
    same, other = comparison.compare(comparison.labelled([[run] for run in runs]), "best")

    assert comparison.refusals(comparison.labelled([[run] for run in runs]), "best") == []
    assert "are repeats of one seed (same recipe, data, device and versions), with the same numbers in" in same.sentence
    assert "their numbers differ from epoch 1 on" in other.sentence
    assert (same.better, same.p, other.better, other.p) == (None,) * 4


def test_threads_are_named_where_a_repeat_differs(tmp_path: Path, iter5: RunSpec) -> None:
    """A repeat with another number of threads rounds differently, and the sentence says so."""
    first, second = saved(tmp_path, iter5), saved(tmp_path, iter5, 0, 0.991, 1, threads=8)
    (verdict,) = comparison.compare(comparison.labelled([[first], [second]]), "last")

    assert "from epoch 1 on (1 and 8 threads round differently)" in verdict.sentence


def test_a_repeat_cannot_stand_against_its_own_group(tmp_path: Path, iter5: RunSpec) -> None:
    """One observation cannot be in both arms; a run with a rate changed by hand repeats none."""
    seeds = group(tmp_path, iter5, [0.99, 0.991])
    again = saved(tmp_path, iter5, 1, 0.991, 9)
    end = json.loads((again.folder / "end.json").read_text())
    end["last"]["steered"] = True

    assert f"{seeds[1].id} and {again.id} are repeats of one seed" in refused(seeds, [again])
    (again.folder / "end.json").write_text(json.dumps(end))
    assert refused(seeds, [read_run(again.folder)]) == ""
