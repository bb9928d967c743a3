"""What was designed last, kept for the next time: right or wrong, in a file that may be damaged."""

import json
import math
from pathlib import Path

import pytest

from mnist_tui.errors import SettingsError
from mnist_tui.settings.last_used import LastUsed, _file, last_used, remember
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft


def test_the_last_design_comes_back() -> None:
    """With its preset, its knobs, what was switched off, and the options of the run."""
    draft = Draft(presets.load("iter4")).with_text("epochs", "3").with_layers("Flatten()\nLinear(10)\n")
    draft = draft.with_transforms([("RandomRotation(7)", True), ("RandomErasing()", False)]).with_knob("width", "8")
    remember(LastUsed(draft, {"seeds": "3"}))
    design = last_used()

    assert design is not None
    assert design == LastUsed(draft, {"seeds": "3"})
    assert design.draft.result == draft.result


def test_what_is_wrong_comes_back_as_it_was_typed() -> None:
    """Nothing that somebody typed is lost, least of all half a word."""
    draft = Draft(presets.load("iter4")).with_text("optimizer.lr", "0.0.1").with_layers("Conv2d(8, ")
    remember(LastUsed(draft))
    design = last_used()

    assert design is not None
    assert (design.draft.text_of("optimizer.lr"), design.draft.layers) == ("0.0.1", "Conv2d(8, ")
    assert design.draft.result.spec is None


def test_the_file_of_the_version_before_is_read() -> None:
    """A file of the previous version, which held two specs, is read."""
    base = presets.load("iter4")
    spec = base.with_settings({"epochs": "3"})
    document = {
        name: each.model_dump(mode="json", exclude_none=True) for name, each in (("spec", spec), ("base", base))
    }
    _file().parent.mkdir(parents=True)
    _file().write_text(json.dumps(document))
    design = last_used()

    assert design is not None
    assert (design.draft.result.spec, design.draft.base) == (spec, base)


def test_a_field_that_this_version_does_not_have_is_left_out() -> None:
    """An unknown field is ignored; the others are kept."""
    remember(LastUsed(Draft(presets.load("iter4")).with_text("epochs", "3")))
    document = json.loads(_file().read_text())
    document["typed"] |= {"warp": "9", "optimizer.warp": "1"}
    _file().write_text(json.dumps(document))
    design = last_used()

    assert design is not None
    assert dict(design.draft.typed) == {"epochs": "3"}


def test_nothing_is_remembered_before_the_first_time() -> None:
    """A missing file is no error."""
    assert last_used() is None


DAMAGED = ["", "{", "[]", "{}", '{"spec": 1, "base": 2}', '{"base": 1}', "\x00\xff", "[" * 100_000]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_named(content: str) -> None:
    """A damaged file is one error with its path, never another design."""
    remember(LastUsed(Draft(presets.load("iter4"))))
    _file().write_text(content, encoding="latin-1")

    with pytest.raises(SettingsError) as refused:
        last_used()
    assert str(_file()) in str(refused.value)
    assert "\n" not in str(refused.value)


DAMAGES: list[dict[str, object]] = [
    {"layers": 1},
    {"knobs": [1]},
    {"knobs": {"a": "b"}},
    {"knobs": {"width": 10**400}},
    {"typed": 3},
    {"switched_off": [[math.inf, "RandomInvert()"]]},
    {"run": None},
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: next(iter(damage)))
def test_parts_of_another_kind_are_refused(damage: dict[str, object]) -> None:
    """Values of a wrong type are refused, even where the file is valid JSON."""
    remember(LastUsed(Draft(presets.load("iter4"))))
    _file().write_text(json.dumps(json.loads(_file().read_text()) | damage))

    with pytest.raises(SettingsError, match="what was used last cannot be opened"):
        last_used()


def test_a_preset_that_no_longer_fits_is_refused() -> None:
    """A spec that this version refuses is not opened."""
    remember(LastUsed(Draft(presets.load("iter4"))))
    document = json.loads(_file().read_text())
    document["base"]["layers"] = "Linear(11)"
    _file().write_text(json.dumps(document))

    with pytest.raises(SettingsError, match="what was used last cannot be opened"):
        last_used()


def test_a_file_that_cannot_be_written_does_not_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The design is remembered for comfort; leaving the laboratory must not fail for it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))

    why = remember(LastUsed(Draft(presets.load("iter4"))))

    assert last_used() is None
    assert why == f"{_file()} cannot be written: Not a directory"
