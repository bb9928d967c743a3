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
    """The command line and the settings, resolved."""

    draft: Draft
    """What is designed at first, over the preset that it began from."""
    previous: Draft | None = None
    """What was designed the last time, where that is something else: undo goes back to it."""
    options: Options = field(default_factory=Options)
    run_texts: Mapping[str, str] = field(default_factory=dict)
    """What stands in the fields of the run at first, where it is not what `options` say."""
    start: bool = False
    """Whether training begins at once."""
    watch: Path | None = None
    """The folder of a run to look at."""
    models: Path | None = None
    """One more folder of presets."""
    ascii: bool = False
    """Neither braille nor blocks nor boxes."""
    light: bool = False
    mouse: bool = True
    on_hangup: Literal["continue", "stop"] = "continue"
    columns: tuple[str, ...] = DEFAULTS.columns
    """Of the table of runs."""
    sort: str = DEFAULTS.sort
    """The column that the runs are sorted by."""
    keymap: Mapping[str, str] = field(default_factory=dict)
    """Other keys for actions, several with commas."""
    notice: str = ""
    """Something to say at first."""
