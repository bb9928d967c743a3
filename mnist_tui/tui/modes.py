"""The modes of the dashboard, in the order of the headline. `LabApp.make_screen` makes the screen of each."""

from typing import NamedTuple


class Mode(NamedTuple):
    """A mode: a screen that stays as it is while another mode is shown."""

    name: str
    key: str
    title: str
    """As the headline and the palette name it."""
    tooltip: str


MODES = (
    Mode("lab", "1", "Lab", "design, train, watch"),
    Mode("runs", "2", "Runs", "every run folder: find, open, tag, resume, delete"),
    Mode("compare", "3", "Compare", "the rows marked in Runs"),
    Mode("analyse", "4", "Analyse", "where a run is wrong, how sure it is, and what to change"),
    Mode("draw", "5", "Draw", "a digit by hand, and what saved runs take it for"),
)
