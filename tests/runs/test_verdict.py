"""Whether a run met its target."""

import json
from pathlib import Path

import pytest
from helpers.reliability import only_folder, resume, run, small_spec

from mnist_tui.cli import headless, watch
from mnist_tui.runs import annotations, columns, verdict
from mnist_tui.runs.events import EpochEnded, RunEnded
from mnist_tui.runs.reader import read_run
from mnist_tui.spec.run_spec import RunSpec, make_spec


def spec_with(**target: object) -> RunSpec:
    """7,850 parameters, two epochs, and a target."""
    return make_spec({"layers": "Flatten()\nLinear(10)", "train": {"epochs": 2}, "target": target})


def rows(*accuracies: float) -> list[EpochEnded]:
    """Epochs with these test accuracies."""
    return [
        EpochEnded(epoch, 0.1, 0.9, None, None, 0.1, accuracy, 0.001, 1.0, 1.0)
        for epoch, accuracy in enumerate(accuracies, start=1)
    ]


@pytest.mark.parametrize(
    ("target", "accuracies", "parts"),
    [
        ({"parameters": 7_850}, [0.9], {"parameters": False}),
        ({"parameters": 7_851}, [0.9], {"parameters": True}),
        ({"epochs": 2}, [0.9, 0.9], {"epochs": True}),
        ({"epochs": 1}, [0.9, 0.9], {"epochs": False}),
        ({"epochs": 1}, [], {"epochs": None}),
        ({"test_accuracy": 0.99}, [0.99, 0.98], {"test_accuracy": True}),
        ({"test_accuracy": 0.99}, [0.98], {"test_accuracy": False}),
        ({"test_accuracy": 0.99}, [], {"test_accuracy": None}),
        ({"test_accuracy": 0.99, "last_epochs": 2}, [], {"test_accuracy": None}),
        ({"parameters": 7_850, "test_accuracy": 0.99}, [], {"parameters": False, "test_accuracy": None}),
        ({"test_accuracy": 0.99, "last_epochs": 2}, [0.98, 0.99, 0.99], {"test_accuracy": True}),
        ({"test_accuracy": 0.99, "last_epochs": 2}, [0.99, 0.99, 0.98], {"test_accuracy": False}),
        ({"test_accuracy": 0.99, "last_epochs": 2}, [0.99], {"test_accuracy": False}),
        ({"test_accuracy": 0.99, "last_epochs": 2, "rule": "mean"}, [0.9, 0.98, 1.0], {"test_accuracy": True}),
        ({"test_accuracy": 0.99, "last_epochs": 2, "rule": "mean"}, [1.0, 0.98, 0.99], {"test_accuracy": False}),
        ({"test_accuracy": 0.99, "last_epochs": 2, "rule": "mean"}, [1.0], {"test_accuracy": False}),
        ({"test_accuracy": 0.99, "last_epochs": 2, "rule": "each"}, [0.99, 0.98, 1.0], {"test_accuracy": False}),
        ({}, [0.99], None),
    ],
)
def test_each_part_is_judged(
    target: dict[str, object], accuracies: list[float], parts: dict[str, bool | None] | None
) -> None:
    """Fewer parameters, at most so many epochs, the accuracy in the best, in each or as the mean of the last epochs."""
    assert verdict.after_training(spec_with(**target), rows(*accuracies), is_judged=True) == parts


def test_the_accuracy_that_is_judged() -> None:
    """The best one, or the lowest of the last ones that the target names; with fewer epochs it cannot be said."""
    best, last = spec_with(test_accuracy=0.99), spec_with(test_accuracy=0.99, last_epochs=2)

    assert verdict.judged_accuracy(best, rows(0.99, 0.97, 0.98)) == 0.99
    assert verdict.judged_accuracy(last, rows(0.99, 0.97, 0.98)) == 0.97
    assert verdict.judged_accuracy(best, []) is None
    assert verdict.judged_accuracy(last, rows(0.99)) is None


def test_a_mean_is_the_decimal_that_a_person_would_compute() -> None:
    """0.9935, 0.994 and 0.9945 are 0.994 on average; the mean of the binary fractions can be a little below it."""
    target = spec_with(test_accuracy=0.994, last_epochs=3, rule="mean").target
    triples = [(0.994 - step / 10_000, 0.994, 0.994 + step / 10_000) for step in range(60)]

    assert any(sum(triple) / 3 < 0.994 for triple in triples)
    assert {verdict.accuracy_for(target, triple) for triple in triples} == {0.994}


def test_an_unknown_count_is_not_judged() -> None:
    """As that of a run whose record lacks it."""
    assert verdict.judge(spec_with(parameters=9_000).target, None, [0.9], is_judged=True) == {"parameters": None}


def test_other_images_are_not_judged_by_an_accuracy() -> None:
    """On other images the accuracy is not judged, so the target is not met; the parameters are judged."""
    parts = verdict.after_training(spec_with(parameters=9_000, test_accuracy=0.1), rows(1.0), is_judged=False)

    assert parts == {"parameters": True, "test_accuracy": None}
    assert (
        verdict.in_words(parts, epochs=1)
        == "target not judged: parameters met, test_accuracy not judged (the target is of another data set)"
    )


@pytest.mark.parametrize(
    ("parts", "whole"),
    [({"a": True}, "met"), ({"a": True, "b": False, "c": None}, "MISSED"), ({"a": True, "b": None}, "not judged")],
)
def test_the_whole_is_met_where_every_part_is(parts: dict[str, bool | None], whole: str) -> None:
    """One missed part makes the whole target missed."""
    assert verdict.whole(parts) == whole
    assert verdict.in_words(parts, epochs=3).startswith(f"target {whole}: a met")


def test_a_run_stopped_before_its_first_epoch_is_not_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines, table, notes, watcher and JSON say that nothing is judged and why; after a resume it is missed."""
    target = {"parameters": 10_000, "epochs": 1}
    spec = make_spec(small_spec().model_dump(mode="json") | {"target": target})
    ended = list(run(tmp_path, spec, 1))[-1]
    assert isinstance(ended, RunEnded)
    folder = only_folder(tmp_path)
    stopped = read_run(folder)
    words = "parameters met, epochs not judged (no epoch was finished)"

    assert ended.target == {"parameters": True, "epochs": None}
    assert headless.result_lines(ended) == ["stopped: no epoch was finished", f"target not judged: {words}"]
    assert columns.column("target").of([stopped]) == "not judged"
    assert columns.as_record(stopped)["target"] is None
    assert f"- target not judged: {words}\n" in annotations.notes_text(folder)
    watch.print_events(folder, as_json=False)
    assert capsys.readouterr().out.endswith(f"; target not judged: {words}\n")

    list(resume(folder))
    done = read_run(folder)

    assert columns.column("target").of([done]) == "MISSED"
    assert columns.as_record(done)["target"] is False
    assert annotations.notes_text(folder).count("- target ") == 1


def test_a_run_of_an_older_version_that_was_stopped_at_once_is_not_judged_either(tmp_path: Path) -> None:
    """An older version stored False for parts that could not be judged."""
    list(run(tmp_path, small_spec(), 1))
    path = only_folder(tmp_path) / "end.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"target": {"epochs": False, "test_accuracy": False}}))

    assert read_run(path.parent).target_verdict == "not judged"
