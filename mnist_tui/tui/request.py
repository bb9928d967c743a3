"""What the laboratory is opened with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mnist_tui.settings.model import DEFAULTS, Settings
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options


@dataclass(frozen=True)
class LabRequest:
    """The command line and the settings, resolved."""

    draft: Draft
    """The first draft, over its preset."""
    previous: Draft | None = None
    """The draft of the last time, if it is another one: undo restores it."""
    settings: Settings = DEFAULTS
    """Those of the screen; a run begins with `options`."""
    options: Options = field(default_factory=Options)
    run_texts: Mapping[str, str] = field(default_factory=dict)
    """First texts of the fields of the run, where they differ from `options`."""
    start: bool = False
    """Whether training begins at once."""
    watch: Path | None = None
    """The folder of a run to watch."""
    models: Path | None = None
    """One more folder of presets."""
    notice: str = ""
    """A message to show at first."""
