"""The settings as one declaration of every option."""

from dataclasses import fields

import pytest

from mnist_tui.settings import model
from mnist_tui.settings.model import DEFAULTS, Settings
from mnist_tui.spec.run_options import Options


def test_every_run_option_is_a_setting_with_the_same_default() -> None:
    """Of what `Options` holds, only what is about one run is no setting: its command line, its point of a sweep."""
    names = [field.name for field in fields(Options) if field.name not in ("command", "sweep")]

    assert {name: getattr(DEFAULTS, name) for name in names} == {name: getattr(Options(), name) for name in names}


@pytest.mark.parametrize("key", Settings.model_fields)
def test_every_setting_explains_itself(key: str) -> None:
    """A sentence of help, and the words of an error."""
    assert model.help_of(key).endswith(".")
    assert model.must_be(key)


def test_the_first_mistake_of_a_document_is_data() -> None:
    """The key, the value, and whether there is such a setting: no text has to be read for it."""
    assert model.validate({"threads": 0}) == model.WrongSetting("threads", 0, is_known=True)
    assert model.validate({"treads": 1}) == model.WrongSetting("treads", 1, is_known=False)
    assert model.validate({"keymap": {"leave": "a b"}}) == model.WrongSetting("keymap.leave", "a b", is_known=True)
    assert model.validate({"threads": 2}) == Settings(threads=2)


def test_settings_cannot_be_changed() -> None:
    """Settings are frozen, since everything that runs shares them."""
    with pytest.raises(ValueError, match="frozen"):
        DEFAULTS.threads = 3  # type: ignore[misc]
