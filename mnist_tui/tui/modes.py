"""The modes of the dashboard, in the order of the headline. `LabApp._make_screen` makes the screen of each."""

from typing import NamedTuple


class Mode(NamedTuple):
    """A mode: a screen that stays as it is while another mode is shown."""

    name: str
    key: str
    title: str
    """As the headline and the palette name it."""
    short: str
    """As the headline of a narrow terminal names it."""
    tooltip: str


MODES = (
    Mode("lab", "1", "Lab", "Lab", "design, train, watch"),
    Mode("runs", "2", "Runs", "Runs", "every run folder: find, open, tag, resume, delete"),
    Mode("compare", "3", "Compare", "Comp", "the rows marked in Runs"),
    Mode("analyse", "4", "Analyse", "Ana", "where a run is wrong, how sure it is, and what to change"),
    Mode("draw", "5", "Draw", "Draw", "a digit by hand, and what saved runs take it for"),
)
