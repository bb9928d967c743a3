"""Course briefs: every built-in file is tested by existing, and every way a file can be wrong is one clear error."""

import re
from pathlib import Path

import pytest

from mnist_tui.errors import BriefError
from mnist_tui.spec import briefs, presets
from mnist_tui.spec.briefs import Brief, Step
from mnist_tui.spec.recipe import Target

NAMES = ("experiments", "iterations", "session5", "steps", "versions")

README = (briefs.builtin_folder() / "README.md").read_text(encoding="utf-8")

SMALL = """
title = "Small"
[[steps]]
name = "One"
asked = "A run."
target = { epochs = 20 }
"""

MISSED_BY_ITS_SOURCE = {("versions", "v2")}
"""Published solutions with more parameters than their step allows; the text of the step says so."""


@pytest.fixture(autouse=True)
def only_builtin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder and a configuration folder without briefs: those of this machine's user are not found."""
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_: tmp_path / "config")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def error_of(path: Path) -> str:
    with pytest.raises(BriefError) as caught:
        briefs.load_file(path)
    return str(caught.value)


# --- the built-in files ---------------------------------------------------------------------------------------------


def test_the_built_in_briefs() -> None:
    """One for each source of the presets, and each in the table of briefs/README.md with its number of steps."""
    assert tuple(briefs.find()) == briefs.builtin_names() == NAMES
    rows = re.findall(r"^\| `(\w+)` +\| (\S+) +\| (\d+) ", README, flags=re.MULTILINE)
    loaded = [briefs.load(name) for name in NAMES]
    assert rows == [(brief.name, brief.source.partition(",")[0], str(len(brief.steps))) for brief in loaded]


def test_each_brief_is_of_a_source_of_the_presets() -> None:
    """The repositories of the briefs are those of the published presets; the presets of its steps are its own."""
    sources = {presets.load(name).source.partition(",")[0] for name in presets.published_names()}

    assert {briefs.load(name).source.partition(",")[0] for name in NAMES} == sources
    for brief in map(briefs.load, NAMES):
        for step in brief.steps:
            assert step.preset is not None
            assert presets.load(step.preset).source.partition(",")[0] == brief.source.partition(",")[0]


@pytest.mark.parametrize("name", NAMES)
def test_published_solutions_have_few_enough_parameters(name: str) -> None:
    """And are no longer than the step allows, but for one, whose step says that it misses."""
    for step in briefs.load(name).steps:
        spec = presets.load(step.preset or "")
        is_small = step.target.parameters is None or spec.parameters < step.target.parameters

        assert is_small is ((name, spec.name) not in MISSED_BY_ITS_SOURCE)
        assert is_small or "misses" in step.asked


@pytest.mark.parametrize("name", NAMES)
def test_the_last_step_is_the_presets_target(name: str) -> None:
    """What the goal of a brief asks for is what its published solution is judged by, or more."""
    step = briefs.load(name).steps[-1]
    target = presets.load(step.preset or "").target

    asked = step.target.model_dump(exclude_none=True)
    assert target.model_dump(exclude_none=True).items() <= asked.items()


# --- the page of the format -----------------------------------------------------------------------------------------


def test_the_example_of_the_page_is_a_brief(tmp_path: Path) -> None:
    """The file that a teacher is to save, as it is printed."""
    (example,) = re.findall(r"^```toml\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    brief = briefs.load_file(write(tmp_path / "my_course.toml", example))

    assert brief.name == "my_course"
    assert [step.name for step in brief.steps] == ["The skeleton", "Small and steady"]
    assert brief.steps[1].asked.startswith("Fewer than 8,000 parameters. In your report")
    assert brief.steps[1].target == Target(test_accuracy=0.994, last_epochs=3, rule="each", parameters=8_000, epochs=15)


def test_the_page_explains_every_key() -> None:
    """Each in a row of its own; and no row explains a key that there is not."""
    keys = [key for model in (Brief, Step, Target) for key in model.model_fields if (model, key) != (Brief, "name")]
    explained = re.findall(r"^\| `(\w+)` +\| [^|]+\|$", README, flags=re.MULTILINE)

    assert sorted(explained) == sorted(keys)


def test_the_example_has_every_key() -> None:
    """So that each is seen in its place."""
    (example,) = re.findall(r"^```toml\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    keys = {key for model in (Brief, Step, Target) for key in model.model_fields}

    assert keys <= set(re.findall(r"\w+", example))


# --- where briefs are found -----------------------------------------------------------------------------------------


def test_a_teachers_own_briefs_are_found_in_three_places(tmp_path: Path) -> None:
    """The configuration folder, ./briefs and the given folder are searched after the built-in ones, in this order."""
    write(tmp_path / "config" / "briefs" / "mine.toml", SMALL)
    write(tmp_path / "work" / "briefs" / "here.toml", SMALL)
    extra = write(tmp_path / "extra" / "given.toml", SMALL).parent

    assert list(briefs.find(extra))[-3:] == ["mine", "here", "given"]
    assert briefs.load("given", extra).title == "Small"
    assert briefs.load(str(extra / "given.toml")).name == "given"


def test_the_same_name_twice_names_both_files(tmp_path: Path) -> None:
    """A second brief named steps is refused with both files."""
    mine = write(tmp_path / "work" / "briefs" / "steps.toml", SMALL)

    with pytest.raises(BriefError, match="two briefs are called steps") as caught:
        briefs.find()

    assert str(mine.relative_to(tmp_path / "work")) in str(caught.value)
    assert str(briefs.builtin_folder() / "steps.toml") in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("step", "there is no brief 'step'; did you mean 'steps'?"),
        ("q", "there is no brief 'q'; `mnist-tui brief` shows all"),
        ("none.toml", "none.toml: No such file or directory"),
        ("\x1b[31m", "there is no brief '\ufffd[31m'; `mnist-tui brief` shows all"),
    ],
)
def test_a_brief_that_is_not_there(name: str, message: str) -> None:
    """The nearest name is suggested, or the list."""
    with pytest.raises(BriefError) as caught:
        briefs.load(name)

    assert str(caught.value) == message.replace("\ufffd", "�")


def test_a_folder_of_briefs_must_exist(tmp_path: Path) -> None:
    """--briefs with a wrong path is an error, not an empty list."""
    with pytest.raises(BriefError, match="there is no such folder of briefs"):
        briefs.find(tmp_path / "nowhere")


# --- files that are wrong -------------------------------------------------------------------------------------------


def changed(old: str, new: str) -> str:
    """The small brief with a part replaced."""
    assert old in SMALL
    return SMALL.replace(old, new)


SECOND = '[[steps]]\nname = "Two"\nasked = "Another."\n'

WRONG = {
    "nothing": ("", "title: is missing"),
    "no title": (changed('title = "Small"\n', ""), "title: is missing"),
    "no steps": ('title = "x"', "steps: is missing"),
    "an empty list": (
        'title = "x"\nsteps = []',
        "line 2: steps: a brief needs at least one step, which begins with [[steps]] in double brackets",
    ),
    "a number for steps": ('title = "x"\nsteps = 5', "line 2: steps: should be a list, got 5"),
    "one table for steps": (
        changed("[[steps]]", "[steps]"),
        "line 3: steps: a brief needs at least one step, which begins with [[steps]] in double brackets",
    ),
    "too many steps": (
        'title = "x"\n' + 101 * SMALL.partition("\n[[")[2].join(["[[", ""]),
        "line 2: steps: should have at most 100 items, not 101",
    ),
    "a key of the brief": (f"titel = 1\n{SMALL}", "line 1: titel: there is no such key; did you mean 'title'?"),
    "a name": (f'name = "x"\n{SMALL}', "line 1: name: there is no such key: a brief is called as its file is"),
    "a key of the step": (
        changed("asked", "asks"),
        "line 5: step 1, asks: there is no such key; did you mean 'asked'?",
    ),
    "a key of the target": (
        changed("epochs", "epoch"),
        "line 6: step 1, target.epoch: there is no such key; did you mean 'epochs'?",
    ),
    "no target": (
        SMALL + SECOND,
        "line 7: step 2, target: is missing",
    ),
    "an empty target": (
        SMALL + SECOND + "target = {}",
        "line 10: step 2, target: has no rule; name at least one of test_accuracy, parameters, epochs",
    ),
    "a percentage": (
        changed("epochs = 20", "test_accuracy = 99.4"),
        "line 6: step 1, target.test_accuracy: should be less than or equal to 1, got 99.4; 99.4 % is 0.994",
    ),
    "a rule alone": (
        changed("epochs = 20", 'test_accuracy = 0.9, rule = "mean"'),
        "line 6: step 1, target: rule needs last_epochs: in how many last epochs?",
    ),
    "an unknown rule": (
        changed("epochs = 20", 'test_accuracy = 0.9, last_epochs = 3, rule = "most"'),
        "line 6: step 1, target.rule: should be 'each' or 'mean', got 'most'",
    ),
    "epochs without an accuracy": (
        changed("epochs = 20", "last_epochs = 3"),
        "line 6: step 1, target: last_epochs needs test_accuracy: which accuracy must they reach?",
    ),
    "more last epochs than epochs": (
        changed("epochs = 20", "test_accuracy = 0.9, last_epochs = 3, epochs = 2"),
        "line 6: step 1, target: no run has 3 last epochs in at most 2 epochs",
    ),
    "a table of its own": (
        changed("target = { epochs = 20 }", "[steps.target]\nepochs = 1.5"),
        "line 7: step 1, target.epochs: should be a whole number, got 1.5",
    ),
    "dotted keys": (
        changed("target = { epochs = 20 }", "target.epochs = 0"),
        "line 6: step 1, target.epochs: should be greater than or equal to 1, got 0",
    ),
    "a preset": (
        SMALL + 'preset = "stp4"',
        "line 7: step 1, preset: there is no preset 'stp4'; did you mean 'step4'?",
    ),
    "a number for a text": (
        changed('"A run."', "7"),
        "line 5: step 1, asked: should be a text in quotes, got 7",
    ),
    "a text of spaces": (changed('"One"', '"  "'), "line 4: step 1, name: should have at least 1 character"),
    "a long text": (changed("A run.", "x" * 2_001), "line 5: step 1, asked: should have at most 2000 characters"),
}
"""What is wrong, and the beginning of the message behind the file."""


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_named_with_file_line_step_and_key(text: str, message: str, tmp_path: Path) -> None:
    """In one line that can be printed."""
    path = write(tmp_path / "wrong.toml", text)
    error = error_of(path)

    assert error.startswith(f"{path}, {message}")
    assert error.isprintable()
    assert len(error) < len(str(path)) + 200


def test_what_is_no_toml_is_named_with_its_line(tmp_path: Path) -> None:
    """As for presets."""
    path = write(tmp_path / "wrong.toml", changed("{ epochs = 20 }", "{ epochs = 20"))

    assert re.match(rf"{path}: .*line 6", error_of(path))


def test_text_from_a_file_is_on_one_line_and_safe(tmp_path: Path) -> None:
    """Line breaks become spaces, control characters are replaced."""
    text = changed('"A run."', '"""\nA  run,\nand \\u001b[2J more."""').replace('"Small"', '"Sm\\u202eall"')
    brief = briefs.load_file(write(tmp_path / "x.toml", text))

    assert brief.steps[0].asked == "A run, and �[2J more."
    assert brief.title == "Sm�all"
