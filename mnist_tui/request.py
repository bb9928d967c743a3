"""What the laboratory is opened with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mnist_tui.options import Options
from mnist_tui.settings import Settings
from mnist_tui.spec import RunSpec


@dataclass(frozen=True)
class LabRequest:
    """The command line and the settings, resolved."""

    spec: RunSpec
    """What is designed at first."""
    base: RunSpec
    """The preset that it began from; changes are marked against it."""
    options: Options = field(default_factory=Options)
    seeds: int = 1
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
    columns: tuple[str, ...] = Settings.columns
    """Of the table of runs."""
    sort: str = Settings.sort
    """The column that the runs are sorted by."""
    keymap: Mapping[str, str] = field(default_factory=dict)
    """Other keys for actions, several with commas."""
    notice: str = ""
    """Something to say at first."""
