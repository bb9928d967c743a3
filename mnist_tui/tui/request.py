"""What the laboratory is opened with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mnist_tui.settings.model import DEFAULTS
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options


@dataclass(frozen=True)
class LabRequest:
    """The command line and the settings, resolved. What is a setting is explained in settings/model.py."""

    draft: Draft
    """The first draft, over its preset."""
    previous: Draft | None = None
    """The draft of the last time, if it is another one: undo restores it."""
    options: Options = field(default_factory=Options)
    run_texts: Mapping[str, str] = field(default_factory=dict)
    """First texts of the fields of the run, where they differ from `options`."""
    start: bool = False
    """Whether training begins at once."""
    watch: Path | None = None
    """The folder of a run to watch."""
    models: Path | None = None
    """One more folder of presets."""
    brief: str | None = DEFAULTS.brief
    ascii: bool = DEFAULTS.ascii
    light: bool = DEFAULTS.theme == "light"
    mouse: bool = DEFAULTS.mouse
    pixels: bool = DEFAULTS.pixels
    on_hangup: Literal["continue", "stop"] = DEFAULTS.on_hangup
    columns: tuple[str, ...] = DEFAULTS.columns
    sort: str = DEFAULTS.sort
    keymap: Mapping[str, str] = field(default_factory=dict)
    notice: str = ""
    """A message to show at first."""
