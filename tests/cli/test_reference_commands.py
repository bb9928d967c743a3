"""Reference runs on the command line: listed, opened, compared, ranked, reported, and never changed."""

import json
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.saved_runs import make_reference, make_run

from mnist_tui.spec import presets


@pytest.fixture
def command(command: Command, reference_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`mnist-tui` in this process, over three reference runs and two of the user's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)
    for index, (name, seed) in enumerate((("iter5", 0), ("iter5", 1), ("step4", 0))):
        make_reference(reference_dir, presets.load(name), seed, 0.993 + 0.001 * seed, index)
    for seed in range(2):
        make_run(Path("runs"), presets.load("iter5"), seed + 5, 0.99 + 0.0001 * seed, seed)
    return command


# --- listed ---


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        ((), ["step4-s0", "iter5-s1", "iter5-s0"]),
        (("iter5", "--sort", "best"), ["iter5-s0", "iter5-s1"]),
        (("reference/step4*",), ["step4-s0"]),
        (("state:reference", "--limit", "1"), ["step4-s0"]),
    ],
)
def test_they_are_listed_as_runs_are(arguments: tuple[str, ...], runs: list[str], command: Command) -> None:
    """With filters, order and limit; without the option they are not among one's own."""
    code, out, err = command("runs", "--reference", *arguments, "--json")
    own = json.loads(command("runs", "--json")[1])

    assert (code, err) == (0, "")
    listed = json.loads(out)
    assert [run["run"] for run in listed] == [f"reference/{name}" for name in runs]
    assert {(run["state"], run["id"] == run["run"]) for run in listed} == {("reference", True)}
    assert [run["run"][-4:] for run in own] == ["0001", "0000"]


def test_published_figures_stand_beside_ours(command: Command) -> None:
    """Every preset without a filter, those that it chooses with one; measured on the same images."""
    every = json.loads(command("runs", "--reference", "--published", "--json")[1])
    (step4,) = json.loads(command("runs", "step4", "--reference", "--published", "--json")[1])
    text = command("runs", "--reference", "--published")[1].splitlines()
    (listed,) = (each for each in json.loads(command("--list", "--json")[1]) if each["name"] == "iter5")

    assert [each["name"] for each in every] == list(presets.builtin_names())
    assert {each["name"] for each in every if each["ours"] is None} == {*presets.builtin_names()} - {"iter5", "step4"}
    assert step4["ours"]["images"] == "test"
    assert (step4["ours"]["published"], step4["ours"]["mean"], step4["ours"]["is_reached"]) == (0.9947, 0.993, False)
    assert listed["ours"]["images"] == "train"
    assert listed["ours"]["seeds"] == [0, 1]
    (iter5,) = (line.split() for line in text if line.startswith("iter5 "))
    assert iter5 == ["iter5", "99.50%", "train", "99.45%", "99.40–99.50", "yes", "99.35%", "99.30–99.40", "2"]
    assert next(line for line in text if line.startswith("v2 ")).endswith("not trained yet")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--published",), "--published goes with --reference"),
        (("--reference", "--published", "--sort", "best"), "--sort is not allowed with --published"),
        (("--reference", "--published", "--group"), "--group is not allowed with --published"),
    ],
)
def test_wrong_options_are_refused(arguments: tuple[str, ...], error: str, command: Command) -> None:
    """Rather than ignored."""
    code, out, err = command("runs", *arguments)

    assert (code, out) == (2, "")
    assert error in err


# --- named ---


def test_one_is_opened_with_the_changes_against_the_nearest_of_them(command: Command) -> None:
    """By its name; its epochs as of any run."""
    code, out, _ = command("open", "reference/step4-s0")

    assert code == 0
    assert "reference/step4-s0" in out
    assert "changes against reference/iter5-s1" in out
    assert len(command("open", "reference/iter5-s0", "--format", "csv")[1].splitlines()) == 21


def test_own_seeds_are_compared_with_theirs(command: Command) -> None:
    """Of one preset on both sides; one seed by its name."""
    code, out, err = command("compare", "iter5", "reference/iter5")
    one = command("compare", "0000", "reference/iter5-s1")

    assert (code, err) == (0, "")
    assert "iter5 ×2 (reference)" in out
    assert one[0] == 0
    assert "iter5 s1 (reference)" in one[1]


def test_the_leaderboard_ranks_them_apart(command: Command) -> None:
    """Only when asked."""
    without, ranked = (json.loads(command("leaderboard", "--json", *more)[1]) for more in ((), ("--reference",)))

    assert [entry["name"] for entry in without["entries"]] == ["iter5 ×2"]
    assert sorted(entry["name"] for entry in ranked["entries"]) == [
        "iter5 ×2",
        "iter5 ×2 (reference)",
        "step4 s0 (reference)",
    ]


def test_a_report_has_them_with_the_result_and_asks_for_no_notes(command: Command) -> None:
    """What the program would have written into their notes is there."""
    code, _, err = command("report", "reference/iter5", "reference/step4-s0")
    text = Path("report.md").read_text()

    assert (code, err) == (0, "")
    assert "best epoch 20, chosen on the test set: test accuracy 99.30%" in text
    assert "To be written" not in text


@pytest.mark.slow
def test_the_design_of_one_is_trained_again(command: Command) -> None:
    """As that of any run."""
    code, out, _ = command("--batch", "reference/step4-s0", "--dry-run", "--device", "cpu")

    assert code == 0
    assert "7,074" in out


# --- refused ---


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("tag", "reference/iter5-s0", "mine"), "read-only"),
        (("note", "reference/iter5-s0", "-m", "mine"), "read-only"),
        (("delete", "reference/iter5-s0"), "read-only"),
        (("resume", "reference/iter5-s0"), "read-only"),
        (("extend", "reference/iter5-s0", "2"), "no weights"),
        (("export", "reference/iter5-s0", "--to", "safetensors"), "no weights"),
        (("analyse", "reference/iter5-s0"), "no weights and no predictions"),
        (("open", "reference/itre5-s0"), "did you mean 'reference/iter5-s0'"),
        (("compare", "reference/zzz", "iter5"), "mnist-tui runs --reference lists them"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    arguments: tuple[str, ...], error: str, command: Command, reference_dir: Path
) -> None:
    """With what can be done instead; no byte of them changes."""
    before = {path: path.read_bytes() for path in reference_dir.rglob("*") if path.is_file()}
    code, out, err = command(*arguments)

    assert (code, out) == (2, "")
    assert error in err
    assert len(err.splitlines()) == 1
    assert {path: path.read_bytes() for path in reference_dir.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["watch", "open", "show"])
def test_reading_one_leaves_no_file_behind(name: str, command: Command, reference_dir: Path) -> None:
    """Not even a lock: the folder may not be writable."""
    before = sorted(reference_dir.rglob("*"))
    code, _, err = command(name, "reference/iter5-s0")

    assert (code, err) == (0, "")
    assert sorted(reference_dir.rglob("*")) == before


def test_curves_alone_are_exported(command: Command) -> None:
    """A format without weights, under a name without the prefix."""
    assert command("export", "reference/iter5-s0", "--to", "csv")[0] == 0
    assert len(Path("iter5-s0.csv").read_text().splitlines()) == 21
