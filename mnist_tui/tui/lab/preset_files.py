"""A design as a preset file: saved under a new name, or edited as a whole in the user's editor."""

import tempfile
from pathlib import Path

from textual.app import App

from mnist_tui.errors import EditorError, PresetError
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import is_name
from mnist_tui.tui.dialogs import Question
from mnist_tui.tui.external_editor import edit_suspended


def name_question() -> Question:
    """The question for the name of a new preset."""
    hint = f"Goes to {presets.user_folder()}; an existing file is never overwritten."
    return Question("Save as a new preset", hint, "", _wrong_name)


def _wrong_name(name: str) -> str | None:
    try:
        presets.check_new_name(name)
    except PresetError as error:
        return str(error)
    return None


def edit_as_file(app: App[object], spec: RunSpec, base: RunSpec) -> Draft:
    """Suspends the application while the user edits the preset; returns the draft that the edited file makes.

    Raises `EditorError` where no editor could be run to its end, `PresetError` for a file that cannot be used, and
    Textual's `SuspendNotSupported`.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _file_name(base)
        path.write_text(presets.as_toml(spec), encoding="utf-8")
        if code := edit_suspended(app, path):
            raise EditorError(f"the editor ended with {code}; nothing was changed")
        return read_edited(path, base)


def _file_name(base: RunSpec) -> str:
    """The name of the file that is edited: the preset's, unless a saved run has one that no preset may have."""
    return f"{base.name}.toml" if is_name(base.name, presets.MAX_NAME) else "preset.toml"


def read_edited(path: Path, base: RunSpec) -> Draft:
    """The draft of an edited file, as changes of `base`; raises `PresetError`."""
    return Draft.of(presets.load_file(path), base)
